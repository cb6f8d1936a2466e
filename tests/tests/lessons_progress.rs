//! Lessons 8 and 13 to 16: everybody gets on, whatever the others do, and limits are counted right.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use futures::executor::block_on;
use futures::future::{Future, join};
use optimist::{Atomically, Limit, Shared, TCell, TVar, atomically};
use optimist_tests::schedule::{Over, Signal, elsewhere, panic_of, signal_abort, wait_until, without_hanging};

#[test]
fn lesson_08_an_attempt_limit_counts_conflicts() {
    without_hanging(loses_three_times);
}

fn loses_three_times() {
    let (read, written) = (TVar::new(0), TVar::new(0));
    let ended = Arc::new(AtomicUsize::new(0));
    let stopped = Atomically::new()
        .label("loser")
        .max_attempts(3)
        .run(|tx| {
            let ended = Arc::clone(&ended);
            tx.after_abort(move || _ = ended.fetch_add(1, Ordering::Relaxed));
            let value = read.read(tx)?;
            elsewhere(|| read.update(|value| *value += 1));
            written.write(tx, value)
        })
        .unwrap_err();
    assert_eq!((stopped.limit(), stopped.attempts(), stopped.label()), (Limit::Attempts(3), 3, Some("loser")));
    assert_eq!((stopped.aborts().read, stopped.aborts().conflicts(), stopped.aborts().retry), (3, 3, 0));
    assert_eq!((read.load(), written.load(), ended.load(Ordering::Relaxed)), (3, 0, 3));
}

#[test]
fn lesson_08_an_attempt_limit_counts_conflicts_and_retries_alike() {
    without_hanging(loses_and_waits_by_turns);
}

fn loses_and_waits_by_turns() {
    let (read, written) = (TVar::new(0), TVar::new(0));
    let body = |tx: &mut optimist::Tx<'_>| {
        let value = read.read(tx)?;
        if tx.attempt() % 2 == 1 {
            elsewhere(|| read.update(|value| *value += 1));
        } else {
            elsewhere(|| read.update(|value| *value += 1));
            return tx.retry();
        }
        written.write(tx, value)
    };
    let limited = Atomically::new().max_attempts(4);
    for stopped in [limited.run(body).unwrap_err(), block_on(limited.run_async(body)).unwrap_err()] {
        assert_eq!((stopped.limit(), stopped.attempts()), (Limit::Attempts(4), 4));
        assert_eq!((stopped.aborts().read, stopped.aborts().retry), (2, 2));
        assert_eq!(
            stopped.to_string(),
            "a transaction reached its limit of 4 attempts (2 lost because a cell it had read changed, 2 waited for a \
             change)"
        );
    }
}

#[test]
fn lesson_08_an_attempt_limit_counts_losses_to_the_token() {
    without_hanging(|| {
        let cell = TVar::new(0);
        let holds = Signal::new();
        let (owned, signal) = (cell.clone(), holds.sender());
        let release = Signal::new();
        let released = release.sender();
        let holder = thread::spawn(move || {
            atomically(|tx| {
                tx.irrevocable()?;
                owned.modify(tx, |value| *value += 1)?;
                signal.send(()).unwrap();
                release.wait();
                Ok(())
            });
        });
        holds.wait();
        let stopped = Atomically::new().max_attempts(1).run(|tx| cell.write(tx, 5)).unwrap_err();
        assert_eq!((stopped.limit(), stopped.aborts().token), (Limit::Attempts(1), 1));
        released.send(()).unwrap();
        holder.join().unwrap();
        assert_eq!(cell.load(), 1);
    });
}

#[test]
fn lesson_13_a_long_transaction_gets_through_many_short_ones() {
    const CELLS: usize = 10_000;
    without_hanging(|| {
        let cells: Arc<Vec<TVar<u64>>> = Arc::new((0..CELLS).map(|_| TVar::new(0)).collect());
        let disjoint = TVar::new(0_u64);
        let over = Over::new();
        let hot = AtomicU64::new(0);
        thread::scope(|scope| {
            let _over = over.guard();
            scope.spawn(|| {
                while !over.is_raised() {
                    let place = hot.fetch_add(1, Ordering::Relaxed) as usize % 4;
                    atomically(|tx| cells[place].modify(tx, |value| *value += 1));
                }
            });
            scope.spawn(|| {
                while !over.is_raised() {
                    disjoint.update(|value| *value += 1);
                }
            });
            let attempts = atomically(|tx| {
                let mut sum = 0;
                for cell in cells.iter() {
                    sum += cell.read(tx)?;
                }
                let before = (hot.load(Ordering::Relaxed), disjoint.load());
                // A short transaction commits now, and this attempt is lost, unless it cannot lose any more.
                let start = Instant::now();
                while hot.load(Ordering::Relaxed) < before.0 + 2 && start.elapsed() < Duration::from_millis(50) {
                    thread::yield_now();
                }
                if start.elapsed() >= Duration::from_millis(50) {
                    wait_until("disjoint transactions go on", || disjoint.load() > before.1 + 100);
                }
                cells[CELLS - 1].write(tx, sum)?;
                Ok(tx.attempt())
            });
            assert!(attempts > 1, "nobody was in the way");
            assert!(attempts <= 32, "lost {attempts} times before it could lose no more");
        });
    });
}

#[test]
fn lesson_14_pairwise_counters_in_opposite_order_have_no_tail() {
    const COUNTERS: usize = 20;
    const EACH: u64 = 2_000;
    without_hanging(|| {
        let counters: Vec<TVar<u64>> = (0..COUNTERS).map(|_| TVar::new(0)).collect();
        let run = |order: Vec<usize>| {
            let mut longest = Duration::ZERO;
            for _ in 0..EACH {
                let start = Instant::now();
                atomically(|tx| order.iter().try_for_each(|index| counters[*index].modify(tx, |count| *count += 1)));
                longest = longest.max(start.elapsed());
            }
            longest
        };
        let (up, down) = thread::scope(|scope| {
            let down = scope.spawn(|| run((0..COUNTERS).rev().collect()));
            (run((0..COUNTERS).collect()), down.join().unwrap())
        });
        assert!(counters.iter().all(|counter| counter.load() == 2 * EACH));
        assert!(up.max(down) < Duration::from_secs(1), "the longest took {:?}", up.max(down));
    });
}

#[test]
fn lesson_15_transactions_that_make_cells_do_not_live_lock() {
    const THREADS: u64 = 4;
    const EACH: u64 = 300;
    struct Node {
        value: TCell<u64>,
        next: TCell<Option<Shared<Node>>>,
    }
    without_hanging(|| {
        let (top, len) = (TVar::new(None::<Shared<Node>>), TVar::new(TVar::new(0_u64)));
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let (top, len) = (&top, &len);
                scope.spawn(move || {
                    for round in 0..EACH {
                        atomically(|tx| {
                            let next = TCell::new(top.read(tx)?);
                            let node = Shared::new(Node { value: TCell::new(0), next });
                            node.get(tx).value.write(tx, thread * EACH + round)?;
                            top.write(tx, Some(node))?;
                            let count = len.read_ref(tx)?.read(tx)?;
                            len.write(tx, TVar::new(count + 1))
                        });
                    }
                });
            }
        });
        let mut values = atomically(|tx| {
            let (mut values, mut link) = (Vec::new(), top.read_ref(tx)?);
            while let Some(node) = link {
                values.push(node.get(tx).value.read(tx)?);
                link = node.get(tx).next.read_ref(tx)?;
            }
            Ok(values)
        });
        values.sort_unstable();
        assert_eq!(values, (0..THREADS * EACH).collect::<Vec<_>>());
        assert_eq!(len.load().load(), THREADS * EACH);
    });
}

type Body = fn(&TVar<i32>, &mut optimist::Tx<'_>) -> optimist::Stm<()>;

#[test]
fn lesson_15_retry_with_nothing_read_is_a_clear_panic() {
    let blind = TVar::new(0);
    let retries: [Body; 3] = [
        |_, tx| tx.retry(),
        |blind, tx| {
            blind.write(tx, 1)?;
            tx.check(false)
        },
        |_, tx| tx.or_else(|tx| tx.retry(), |tx| tx.retry()),
    ];
    for retry in retries {
        let messages = [
            panic_of(|| atomically(|tx| retry(&blind, tx))),
            panic_of(|| Atomically::new().timeout(Duration::from_secs(9)).run(|tx| retry(&blind, tx))),
            panic_of(|| block_on(Atomically::new().run_async(|tx| retry(&blind, tx)))),
        ];
        for message in messages {
            assert!(message.contains("without having read a cell"), "{message}");
            assert!(message.contains("lessons_progress.rs:"), "names the call: {message}");
        }
    }
    assert_eq!(blind.load(), 0);
}

#[test]
fn lesson_15_everybody_who_waits_gets_a_turn() {
    const THREADS: usize = 8;
    without_hanging(|| {
        let (stock, served) = (TVar::new(0_u64), Arc::new(AtomicUsize::new(0)));
        let asleep = Signal::new();
        let takers: Vec<_> = (0..THREADS)
            .map(|_| {
                let (stock, served, signal) = (stock.clone(), Arc::clone(&served), asleep.sender());
                thread::spawn(move || {
                    atomically(|tx| {
                        if tx.attempt() == 1 {
                            signal_abort(tx, &signal);
                        }
                        let left = stock.read(tx)?;
                        tx.check(left > 0)?;
                        stock.write(tx, left - 1)
                    });
                    served.fetch_add(1, Ordering::Relaxed);
                })
            })
            .collect();
        takers.iter().for_each(|_| asleep.wait());
        for turn in 1..=THREADS {
            stock.update(|stock| *stock += 1);
            wait_until("one more is served", || served.load(Ordering::Relaxed) == turn);
        }
        takers.into_iter().for_each(|taker| taker.join().unwrap());
    });
}

#[test]
fn lesson_16_a_task_that_keeps_losing_lets_others_run() {
    without_hanging(|| {
        let (read, written) = (TVar::new(0), TVar::new(0));
        let other_ran = AtomicBool::new(false);
        let loser = Atomically::new().run_async(|tx| {
            read.read(tx)?;
            // Without a yield the other task never runs, and this one is escalated and then waits for itself.
            if !other_ran.load(Ordering::Relaxed) {
                elsewhere(|| read.update(|value| *value += 1));
            }
            written.write(tx, tx.attempt())?;
            Ok(tx.attempt())
        });
        let other = async { other_ran.store(true, Ordering::Relaxed) };
        let (attempts, ()) = block_on(join(loser, other));
        assert_eq!(attempts.unwrap(), written.load());
        assert!((2..24).contains(&written.load()), "{} attempts before the other ran", written.load());
    });
}

#[test]
fn lesson_16_two_tasks_on_one_thread_wait_for_each_other() {
    without_hanging(|| {
        let ball = TVar::new(0_u64);
        let play = async |me: u64| {
            for round in 0..200 {
                let turn = Atomically::new().run_async(|tx| {
                    let turn = ball.read(tx)?;
                    tx.check(turn == 2 * round + me)?;
                    ball.write(tx, turn + 1)
                });
                turn.await.unwrap();
            }
        };
        block_on(join(play(0), play(1)));
        assert_eq!(ball.load(), 400);
    });
}

/// A waker that counts its calls; how many copies of it there are tells who still remembers the task.
#[derive(Default)]
struct Counting(AtomicUsize);

impl Wake for Counting {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Polls a future that has to wait, drops it, and checks that nobody remembers it.
fn leaves_nothing_behind<R>(future: impl Future<Output = R>, what: &str) -> Arc<Counting> {
    let counting = Arc::new(Counting::default());
    let waker = Waker::from(Arc::clone(&counting));
    {
        let mut future = Box::pin(future);
        assert!(matches!(future.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Pending), "{what}: waits");
        assert!(Arc::strong_count(&counting) > 2, "{what}: is registered");
        // A second poll for no reason replaces the registration.
        assert!(matches!(future.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Pending), "{what}: still waits");
    }
    drop(waker);
    assert_eq!(Arc::strong_count(&counting), 1, "{what}: something was left behind");
    counting
}

#[test]
fn lesson_16_a_dropped_future_leaves_no_waiter_behind() {
    let cells: Vec<TVar<u64>> = (0..5).map(|_| TVar::new(0)).collect();
    let wait = |tx: &mut optimist::Tx<'_>| {
        let sum: u64 = cells.iter().map(|cell| cell.read(tx)).sum::<Result<u64, _>>()?;
        tx.check(sum > 0)
    };
    let plain = leaves_nothing_behind(Atomically::new().run_async(wait), "a wait");
    let timed = Atomically::new().timeout(Duration::from_secs(60)).run_async(wait);
    let timed = leaves_nothing_behind(timed, "a wait with a timeout");
    // The cell works as before, and nobody is woken.
    cells[2].store(1);
    atomically(wait);
    assert_eq!((plain.0.load(Ordering::Relaxed), timed.0.load(Ordering::Relaxed)), (0, 0));
}

#[test]
fn lesson_16_a_finished_future_leaves_no_waiter_behind() {
    let cells: Vec<TVar<u64>> = (0..5).map(|_| TVar::new(0)).collect();
    let counting = Arc::new(Counting::default());
    let waker = Waker::from(Arc::clone(&counting));
    let mut future = Box::pin(Atomically::new().timeout(Duration::from_secs(60)).run_async(|tx| {
        let sum: u64 = cells.iter().map(|cell| cell.read(tx)).sum::<Result<u64, _>>()?;
        tx.check(sum > 0)
    }));
    assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    cells[3].update(|value| *value += 1);
    assert_eq!(counting.0.load(Ordering::Relaxed), 1, "woken once");
    assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
    drop(waker);
    assert_eq!(Arc::strong_count(&counting), 1);
}

#[test]
fn lesson_16_a_dropped_future_leaves_its_place_for_the_token() {
    without_hanging(|| {
        let cell = TVar::new(0);
        atomically(|tx| {
            tx.irrevocable()?;
            cell.read(tx)?;
            elsewhere(|| {
                let wants_token = Atomically::new().run_async(|tx| tx.irrevocable());
                leaves_nothing_behind(wants_token, "a wait for the token");
                let looks_on = Atomically::new().run_async(|tx| cell.write(tx, 1));
                leaves_nothing_behind(looks_on, "a wait for whoever holds the token");
            });
            Ok(())
        });
        // Nobody is in the way of the next.
        elsewhere(|| atomically(|tx| tx.irrevocable()));
        cell.store(2);
    });
}

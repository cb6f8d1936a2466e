//! Missed wake-ups: who waits for a cell is woken by every way to write it, whenever that happens.
//!
//! Method: players pass a ball, each turn in another way; a wait that is limited to [`LATE`] says what it missed. The seed
//! is printed; see `litmus.rs`.
#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};

use futures::executor::block_on;
use futures::future::{Future as _, join_all};
use optimist::{Atomically, TVar, Tx, atomically};
use optimist_tests::litmus::{Run, Turn, litmus, on_threads};
use optimist_tests::schedule::{Signal, elsewhere, signal_abort};
use optimist_tests::waits::{LATE, STOP, WAITS, Watch};
use optimist_tests::ways::{replaces, writes};

type Throw = Box<dyn Fn(&TVar<u64>, u64) + Send + Sync>;

/// The ways to write a cell: blindly, or having looked at it.
fn throws() -> Vec<(&'static str, Throw)> {
    let blind = writes::<u64>().into_iter().map(|(how, write)| (how, Box::new(write) as Throw));
    let looking = replaces::<u64>().into_iter().map(|(how, replace)| {
        let throw: Throw = Box::new(move |cell, id| _ = replace(cell, id));
        (how, throw)
    });
    blind.chain(looking).collect()
}

/// `players` pass a ball round until the time is over.
fn play(run: &Run, players: usize) {
    let (ball, throws) = (TVar::new(0_u64), throws());
    let start = Instant::now();
    let turns = AtomicUsize::new(0);
    on_threads(players, |me| {
        let mut random = run.random(me);
        for round in 0.. {
            let turn = &mut Turn { thread: me, round, random: &mut random };
            let number = round * players as u64 + me as u64;
            let (how, wait) = WAITS[turn.below(WAITS.len())];
            // With a limit it says what was missed; without one, other ways through the runtime are taken.
            let limits = if turn.below(2) == 0 { Atomically::new().timeout(LATE) } else { Atomically::new() };
            let seen = wait(limits, &Watch::new(&ball, number)).unwrap_or_else(|stopped| {
                let at = ball.load();
                panic!(
                    "missed wake-up: of player {me}, {how} that waits for turn {number}; the ball is at {at}: {stopped}"
                )
            });
            if seen == STOP {
                return;
            }
            // Relaxed: it is only printed.
            turns.fetch_add(1, Ordering::Relaxed);
            turn.dawdle();
            if me == 0 && start.elapsed() >= run.time() {
                ball.store(STOP);
                return;
            }
            throws[turn.below(throws.len())].1(&ball, number + 1);
        }
    });
    println!("{players} players, {} turns", turns.into_inner());
}

#[test]
fn missed_wake_up_in_a_ping_pong() {
    litmus(|run| play(run, 2));
}

#[test]
fn missed_wake_up_of_one_among_many() {
    litmus(|run| play(run, 5));
}

/// Two that wait and write in one transaction each, with nothing else in between.
#[test]
fn missed_wake_up_in_a_quick_exchange() {
    litmus(|run| {
        let (ball, start) = (TVar::new(0_u64), Instant::now());
        on_threads(2, |me| {
            for number in (me as u64..).step_by(2) {
                let watch = Watch::new(&ball, number);
                let thrown = Atomically::new().timeout(LATE).run(|tx| {
                    let seen = watch.expect(tx)?;
                    let next = if seen == STOP || start.elapsed() >= run.time() { STOP } else { seen + 1 };
                    ball.write(tx, next)?;
                    Ok(next)
                });
                let thrown = thrown.unwrap_or_else(|stopped| {
                    panic!("missed wake-up: of player {me} at turn {number}, the ball is at {}: {stopped}", ball.load())
                });
                if thrown == STOP {
                    return;
                }
            }
        });
    });
}

/// A write when the attempt has read the cell, before it waits.
#[test]
fn missed_wake_up_between_read_and_wait() {
    litmus(|_| {
        for (write_how, write) in throws() {
            for (wait_how, wait) in WAITS {
                let (cell, reads) = (TVar::new(0), AtomicUsize::new(0));
                let writes_once = |_: &mut Tx<'_>| {
                    // Relaxed: one thread alone counts.
                    if reads.fetch_add(1, Ordering::Relaxed) == 0 {
                        elsewhere(|| write(&cell, 7));
                    }
                };
                let seen = wait(Atomically::new().timeout(LATE), &Watch::new(&cell, 7).with_hook(&writes_once));
                assert_eq!(seen.as_ref().ok(), Some(&7), "missed wake-up: of {wait_how} by {write_how}: {seen:?}");
                assert_eq!(reads.into_inner(), 2, "{wait_how}, woken by {write_how}, ran more often than it had to");
            }
        }
    });
}

/// A write when the attempt has ended and is registered, asleep or not yet.
#[test]
fn missed_wake_up_between_registration_and_sleep() {
    litmus(|_| {
        for (write_how, write) in throws() {
            for (wait_how, wait) in WAITS {
                let cell = TVar::new(0);
                let registered = Signal::new();
                let signal = registered.sender();
                let watched = cell.clone();
                let waiter = thread::spawn(move || {
                    let hook = |tx: &mut Tx<'_>| signal_abort(tx, &signal);
                    wait(Atomically::new().timeout(LATE), &Watch::new(&watched, 7).with_hook(&hook))
                });
                if wait_how == "the first branch" {
                    // As the branch is undone, so is the hook.
                    thread::sleep(Duration::from_millis(2));
                } else {
                    registered.wait();
                }
                write(&cell, 7);
                let seen = waiter.join().unwrap();
                assert_eq!(seen.as_ref().ok(), Some(&7), "missed wake-up: of {wait_how} by {write_how}: {seen:?}");
            }
        }
    });
}

/// Tasks that all wait for one cell, which has something for a few of them at a time; others give up meanwhile.
#[test]
fn missed_wake_up_of_a_thousand_tasks() {
    const TASKS: u64 = 1_000;
    const BATCH: u64 = 50;
    litmus(|_| {
        let (permits, taken) = (TVar::new(0_u64), TVar::new(0_u64));
        let take = |tx: &mut Tx<'_>| {
            let left = permits.read(tx)?;
            tx.check(left > 0)?;
            permits.write(tx, left - 1)?;
            taken.modify(tx, |taken| *taken += 1)
        };
        thread::scope(|scope| {
            scope.spawn(|| {
                for batch in 1..=TASKS / BATCH {
                    permits.update(|left| *left += BATCH);
                    let all_taken = Atomically::new().timeout(LATE).run(|tx| {
                        let taken = taken.read(tx)?;
                        tx.check(taken == batch * BATCH)
                    });
                    assert!(all_taken.is_ok(), "missed wake-up: of {BATCH} permits, {} are left", permits.load());
                }
            });
            // They are registered, and then dropped.
            for _ in 0..100 {
                let watch = Watch::new(&taken, STOP);
                let mut future = Box::pin(Atomically::new().run_async(|tx| watch.expect(tx)));
                assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            }
            let outcomes = block_on(join_all((0..TASKS).map(|_| Atomically::new().run_async(take))));
            assert!(outcomes.into_iter().all(|outcome| outcome.is_ok()));
        });
        assert_eq!((permits.load(), taken.load()), (0, TASKS));
    });
}

/// Threads that wait for either of two gates, of which one is opened; half of them would say that they missed it.
#[test]
fn missed_wake_up_of_a_thousand_threads_at_two_gates() {
    const THREADS: usize = 1_000;
    litmus(|_| {
        let gates: [TVar<u64>; 2] = std::array::from_fn(|_| TVar::new(0));
        let ready = TVar::new(0_usize);
        let missed = on_threads(THREADS + 1, |me| {
            if me == THREADS {
                // As many as possible are asleep by then.
                atomically(|tx| {
                    let ready = ready.read(tx)?;
                    tx.check(ready == THREADS)
                });
                gates[1].store(1);
                return None;
            }
            ready.update(|ready| *ready += 1);
            let limits = if me.is_multiple_of(2) { Atomically::new().timeout(LATE) } else { Atomically::new() };
            let [first, second] = [0, 1].map(|gate| Watch::new(&gates[(gate + me) % 2], 1));
            let passed = limits.run(|tx| tx.or_else(|tx| first.expect(tx), |tx| second.expect(tx)));
            passed.is_err().then_some(me)
        });
        let missed: Vec<usize> = missed.into_iter().flatten().collect();
        assert!(missed.is_empty(), "missed wake-up: of the threads {missed:?}");
    });
}

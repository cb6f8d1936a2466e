//! Waking against a time limit, and against the drop of a future: the race may end either way, but nothing is lost, and
//! nobody stays registered who does not wait any more.
//!
//! Method: rounds in step, in each of which a cell is written that one waits for who may give up, and one who does not.
#![forbid(unsafe_code)]

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use optimist::{Atomically, Limit, Stopped, TVar};
use optimist_tests::litmus::{litmus, round_of, who};
use optimist_tests::waits::{LATE, WAITS, Watch};

/// What is written in a round.
fn written_in(round: u64) -> u64 {
    (round + 1) << 8
}

#[test]
fn wake_up_against_a_time_limit() {
    litmus(|run| {
        let cell = TVar::new(0_u64);
        run.in_step(
            |turn| {
                let watch = Watch::new(&cell, written_in(turn.round));
                let (how, wait) = WAITS[turn.below(WAITS.len())];
                let limit = Duration::from_micros(turn.below(200) as u64);
                let waits_long = || wait(Atomically::new().timeout(LATE), &watch).map(|seen| (how, seen));
                match turn.thread {
                    0 => {
                        thread::sleep(limit);
                        cell.store(written_in(turn.round));
                        Ok((how, written_in(turn.round)))
                    }
                    1 => match wait(Atomically::new().timeout(limit), &watch) {
                        Ok(seen) => Ok((how, seen)),
                        // Whoever looks again does not miss it.
                        Err(stopped) if stopped.limit() == Limit::Time => waits_long(),
                        Err(stopped) => Err(stopped),
                    },
                    _ => waits_long(),
                }
            },
            |round, outcomes: [Result<(&str, u64), Stopped>; 3]| {
                for (thread, outcome) in outcomes.into_iter().enumerate() {
                    let (how, seen) = outcome.unwrap_or_else(|stopped| {
                        panic!("missed wake-up: in round {round} thread {thread} still waits: {stopped}")
                    });
                    assert_eq!(round_of(seen), Some(round), "{how} of thread {thread} saw {}", who(seen));
                }
            },
        );
    });
}

/// How often a task was woken; how many handles there are tells who remembers it.
#[derive(Default)]
struct Counting(AtomicUsize);

impl Wake for Counting {
    fn wake(self: Arc<Self>) {
        // Relaxed: it is only printed.
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn wake_up_against_a_cancelled_future() {
    litmus(|run| {
        let cell = TVar::new(0_u64);
        run.in_step(
            |turn| {
                let counting = Arc::new(Counting::default());
                let watch = Watch::new(&cell, written_in(turn.round));
                match turn.thread {
                    0 => {
                        let waker = Waker::from(Arc::clone(&counting));
                        let mut future = pin!(Atomically::new().timeout(LATE).run_async(|tx| {
                            // One is enough to end it, and both are registered.
                            tx.or_else(|tx| watch.never(tx), |tx| watch.expect(tx))
                        }));
                        for _ in 0..1 + turn.below(2) {
                            if future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                                break;
                            }
                            turn.dawdle();
                        }
                        turn.dawdle();
                    }
                    1 => {
                        turn.dawdle();
                        cell.store(written_in(turn.round));
                    }
                    _ => {
                        let (how, wait) = WAITS[turn.below(WAITS.len())];
                        let seen = wait(Atomically::new().timeout(LATE), &watch);
                        assert!(seen.is_ok(), "missed wake-up: in round {}, of {how}: {seen:?}", turn.round);
                    }
                }
                counting
            },
            |round, [dropped, ..]: [Arc<Counting>; 3]| {
                // Relaxed: as above.
                let woken = dropped.0.load(Ordering::Relaxed);
                assert_eq!(
                    Arc::strong_count(&dropped),
                    1,
                    "a waiter stays: of the future that was dropped in round {round}, which was woken {woken} times"
                );
            },
        );
    });
}

/// A thread that was left registered would be unparked by the next write, whatever it does by then.
#[test]
fn a_waiter_stays_after_a_time_limit() {
    const PARK: Duration = Duration::from_millis(4);
    const WAITS_EACH: usize = 8;
    litmus(|_| {
        for (how, wait) in WAITS {
            let woken_early = || {
                let cell = TVar::new(0);
                let stopped = wait(Atomically::new().timeout(Duration::from_micros(300)), &Watch::new(&cell, 1));
                assert_eq!(stopped.expect_err("nobody writes").limit(), Limit::Time);
                // Takes away what was there before.
                thread::park_timeout(Duration::ZERO);
                cell.store(1);
                let start = Instant::now();
                thread::park_timeout(PARK);
                start.elapsed() < PARK
            };
            let early = (0..WAITS_EACH).filter(|_| woken_early()).count();
            // Parking may end early for no reason; not always.
            assert!(
                early < WAITS_EACH / 2,
                "a waiter stays: {early} of {WAITS_EACH} that were over were woken ({how})"
            );
        }
    });
}

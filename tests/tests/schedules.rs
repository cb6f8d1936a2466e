//! Whole transactions, waiting and the token under many random schedules.
//!
//! Method: `shuttle` runs each scenario on one thread of the system and decides at every access to an atomic or a lock who
//! goes on, at random or, by PCT (S. Burckhardt and others, *A Randomized Scheduler with Probabilistic Guarantees of
//! Finding Bugs*, ASPLOS 2010), with few changes of priority. It reports when everybody sleeps. Unlike threads of the
//! system, what fails once fails again: the seed is printed, and `OPTIMIST_TEST_SEED` sets it;
//! `OPTIMIST_TEST_SCHEDULES` says how many schedules each scenario gets.
//!
//! Built with `--cfg optimist_shuttle` alone; run by `.ci/schedules`.
#![cfg(optimist_shuttle)]
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use optimist::{Atomically, Cancel, Priority, Shared, TVar, TryError, atomically, snapshot, try_atomically};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::thread::{self, JoinHandle};
use shuttle::{Config, Runner};

/// Half of them at random, half by PCT.
const SCHEDULES: usize = 4000;
/// How many changes of priority a fault may need.
const DEPTH: usize = 3;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is a number, not {value:?}")))
}

/// Runs a scenario under many schedules.
fn explore(scenario: fn()) {
    let schedules = setting("OPTIMIST_TEST_SCHEDULES").map_or(SCHEDULES, |schedules| schedules as usize);
    let seed = setting("OPTIMIST_TEST_SEED")
        .unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_nanos() as u64));
    println!("OPTIMIST_TEST_SEED={seed}");
    let random = RandomScheduler::new_from_seed(seed, schedules / 2);
    Runner::new(random, Config::default()).run(scenario);
    let pct = PctScheduler::new_from_seed(seed, DEPTH, schedules / 2);
    Runner::new(pct, Config::default()).run(scenario);
}

fn join(threads: impl IntoIterator<Item = JoinHandle<()>>) {
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

fn wait_for(flag: &TVar<bool>) {
    atomically(|tx| {
        let set = flag.read(tx)?;
        tx.check(set)
    });
}

/// A value that knows whether it has been destroyed: in these builds its memory stays.
#[derive(Debug)]
struct Living {
    is_alive: Arc<AtomicUsize>,
    text: [u64; 3],
}

impl Living {
    fn new(value: u64) -> Self {
        Self { is_alive: Arc::new(AtomicUsize::new(1)), text: [value; 3] }
    }

    fn get(&self) -> u64 {
        assert_eq!(self.is_alive.load(Ordering::Relaxed), 1, "a destroyed value was read");
        assert!(self.text.iter().all(|word| *word == self.text[0]), "a torn value was read");
        self.text[0]
    }
}

impl Clone for Living {
    fn clone(&self) -> Self {
        Self::new(self.get())
    }
}

impl Drop for Living {
    fn drop(&mut self) {
        assert_eq!(self.is_alive.fetch_sub(1, Ordering::Relaxed), 1, "a value was destroyed twice");
        // The counter of a value whose memory stays must stay, too.
        std::mem::forget(Arc::clone(&self.is_alive));
    }
}

#[test]
fn transfers_keep_the_sum() {
    explore(|| {
        let accounts: Arc<Vec<TVar<u64>>> = Arc::new((0..3).map(|_| TVar::new(10)).collect());
        let transfer = |from: usize, to: usize| {
            let accounts = Arc::clone(&accounts);
            thread::spawn(move || {
                for _ in 0..2 {
                    atomically(|tx| {
                        accounts[from].modify(tx, |balance| *balance -= 1)?;
                        accounts[to].modify(tx, |balance| *balance += 1)
                    });
                }
            })
        };
        let threads = [transfer(0, 1), transfer(1, 2), transfer(2, 0)];
        for _ in 0..2 {
            let sum = snapshot(|tx| accounts.iter().try_fold(0, |sum, account| Ok(sum + account.read(tx)?)));
            assert_eq!(sum, 30, "a snapshot saw half of a transfer");
        }
        join(threads);
        assert!(accounts.iter().all(|account| account.load() == 10));
    });
}

#[test]
fn values_live_as_long_as_they_are_looked_at() {
    explore(|| {
        let cell = TVar::new(Living::new(0));
        let writer = {
            let cell = cell.clone();
            thread::spawn(move || {
                for value in 1..4 {
                    cell.store(Living::new(value));
                    optimist::collect();
                }
            })
        };
        let reader = {
            let cell = cell.clone();
            thread::spawn(move || {
                let first = atomically(|tx| Ok(cell.read_ref(tx)?.get()));
                let later = snapshot(|tx| Ok(cell.read_ref(tx)?.get()));
                assert!(first <= later && later <= cell.load().get(), "time went backwards");
            })
        };
        join([writer, reader]);
        assert_eq!(cell.load().get(), 3);
    });
}

#[test]
fn snapshots_see_one_moment_while_records_are_reused() {
    explore(|| {
        let pair = Arc::new((TVar::new(0_u64), TVar::new(0_u64)));
        let writer = {
            let pair = Arc::clone(&pair);
            thread::spawn(move || {
                for value in 1..5 {
                    atomically(|tx| {
                        pair.0.write(tx, value)?;
                        pair.1.write(tx, value)
                    });
                    optimist::collect();
                }
            })
        };
        for _ in 0..2 {
            let (one, other) = snapshot(|tx| Ok((pair.0.read(tx)?, pair.1.read(tx)?)));
            assert_eq!(one, other, "read skew");
        }
        join([writer]);
    });
}

#[test]
fn every_waiter_of_a_cell_is_woken() {
    explore(|| {
        let flag = TVar::new(false);
        let waiters = [0; 3].map(|_| {
            let flag = flag.clone();
            thread::spawn(move || wait_for(&flag))
        });
        atomically(|tx| flag.write(tx, true));
        join(waiters);
    });
}

#[test]
fn a_wait_ends_through_either_branch() {
    explore(|| {
        let flags = Arc::new([TVar::new(false), TVar::new(false)]);
        let waiter = {
            let flags = Arc::clone(&flags);
            thread::spawn(move || {
                let check = |flag: &TVar<bool>, tx: &mut optimist::Tx<'_>| {
                    let set = flag.read(tx)?;
                    tx.check(set)
                };
                atomically(|tx| tx.or_else(|tx| check(&flags[0], tx), |tx| check(&flags[1], tx)));
            })
        };
        let writer = {
            let flags = Arc::clone(&flags);
            thread::spawn(move || flags[0].store(true))
        };
        join([waiter, writer]);
    });
}

#[test]
fn a_buffer_of_one_loses_nothing() {
    explore(|| {
        let buffer = TVar::new(None::<u64>);
        let producers = [1, 2].map(|item| {
            let buffer = buffer.clone();
            thread::spawn(move || {
                for round in 0..2 {
                    atomically(|tx| {
                        let is_full = buffer.read_ref(tx)?.is_some();
                        tx.check(!is_full)?;
                        buffer.write(tx, Some(10 * round + item))
                    });
                }
            })
        });
        let mut taken: Vec<u64> = (0..4)
            .map(|_| {
                atomically(|tx| {
                    let item = buffer.replace(tx, None)?;
                    item.map_or_else(|| tx.retry(), Ok)
                })
            })
            .collect();
        join(producers);
        taken.sort_unstable();
        assert_eq!(taken, [1, 2, 11, 12]);
    });
}

#[test]
fn a_ring_passes_its_baton_round() {
    explore(|| {
        let ring: Arc<Vec<TVar<bool>>> = Arc::new((0..3).map(|place| TVar::new(place == 0)).collect());
        let threads = [0, 1, 2].map(|place| {
            let ring = Arc::clone(&ring);
            thread::spawn(move || {
                for _ in 0..2 {
                    atomically(|tx| {
                        let mine = ring[place].replace(tx, false)?;
                        tx.check(mine)?;
                        ring[(place + 1) % 3].write(tx, true)
                    });
                }
            })
        });
        join(threads);
        assert!(ring[0].load());
    });
}

#[test]
fn holders_of_the_token_and_others_all_commit() {
    explore(|| {
        let cells = Arc::new([TVar::new(0_u64), TVar::new(0_u64)]);
        let irrevocable = [Priority::LOW, Priority::HIGH].map(|priority| {
            let cells = Arc::clone(&cells);
            thread::spawn(move || {
                let done = Atomically::new().priority(priority).run(|tx| {
                    tx.irrevocable()?;
                    let first = cells[0].read(tx)?;
                    cells[1].modify(tx, |value| *value += 1)?;
                    assert_eq!(cells[0].read(tx)?, first, "an owned cell changed");
                    cells[0].write(tx, first + 1)
                });
                assert!(done.is_ok());
            })
        });
        let plain = {
            let cells = Arc::clone(&cells);
            thread::spawn(move || {
                atomically(|tx| cells[0].modify(tx, |value| *value += 1));
                cells[1].update(|value| *value += 1);
            })
        };
        join(irrevocable.into_iter().chain([plain]));
        assert_eq!([cells[0].load(), cells[1].load()], [3, 3]);
    });
}

#[test]
fn who_was_overtaken_waits_for_the_token_and_then_commits() {
    explore(|| {
        let cell = TVar::new(0_u64);
        let holder = {
            let cell = cell.clone();
            thread::spawn(move || {
                for _ in 0..2 {
                    atomically(|tx| {
                        tx.irrevocable()?;
                        cell.modify(tx, |value| *value += 1)
                    });
                }
            })
        };
        let others = [0; 2].map(|_| {
            let cell = cell.clone();
            thread::spawn(move || atomically(|tx| cell.modify(tx, |value| *value += 1)))
        });
        join(others.into_iter().chain([holder]));
        assert_eq!(cell.load(), 4);
    });
}

#[test]
fn a_wait_for_what_the_token_holder_writes_ends() {
    explore(|| {
        let flag = TVar::new(false);
        let waiter = {
            let flag = flag.clone();
            thread::spawn(move || wait_for(&flag))
        };
        atomically(|tx| {
            tx.irrevocable()?;
            flag.write(tx, true)
        });
        join([waiter]);
    });
}

#[test]
fn what_is_cancelled_leaves_nothing() {
    explore(|| {
        let pair = Arc::new((TVar::new(0_u64), TVar::new(0_u64)));
        let canceller = {
            let pair = Arc::clone(&pair);
            thread::spawn(move || {
                let outcome = try_atomically(|tx| {
                    let value = pair.0.read(tx)?;
                    pair.1.write(tx, value + 7)?;
                    Err::<(), _>(Cancel::new(value))
                });
                assert!(matches!(outcome, Err(TryError::Cancelled(0 | 1))));
            })
        };
        let writer = {
            let pair = Arc::clone(&pair);
            thread::spawn(move || {
                atomically(|tx| {
                    pair.0.write(tx, 1)?;
                    let undone = tx.nested(|tx| {
                        pair.1.write(tx, 9)?;
                        Err::<(), _>(Cancel::new(()))
                    })?;
                    assert!(undone.is_err());
                    Ok(())
                });
            })
        };
        join([canceller, writer]);
        assert_eq!((pair.0.load(), pair.1.load()), (1, 0));
    });
}

#[test]
fn nodes_that_are_unlinked_stay_for_their_readers() {
    explore(|| {
        let head = TVar::new(Some(Shared::new(Living::new(1))));
        let reader = {
            let head = head.clone();
            thread::spawn(move || {
                atomically(|tx| {
                    let Some(node) = head.read_ref(tx)? else { return Ok(()) };
                    assert_eq!(node.get(tx).get(), 1);
                    Ok(())
                });
            })
        };
        let writer = {
            let head = head.clone();
            thread::spawn(move || {
                head.store(None);
                optimist::collect();
                optimist::collect();
            })
        };
        join([reader, writer]);
    });
}

#[test]
fn tasks_wait_and_are_woken_as_threads_are() {
    explore(|| {
        let flag = TVar::new(false);
        let task = {
            let flag = flag.clone();
            shuttle::future::spawn(async move {
                let waited = Atomically::new()
                    .run_async(|tx| {
                        let set = flag.read(tx)?;
                        tx.check(set)
                    })
                    .await;
                assert!(waited.is_ok());
            })
        };
        let thread = {
            let flag = flag.clone();
            thread::spawn(move || wait_for(&flag))
        };
        flag.store(true);
        join([thread]);
        shuttle::future::block_on(task).unwrap();
    });
}

#[test]
fn a_task_that_is_dropped_while_it_waits_keeps_the_token_from_nobody() {
    explore(|| {
        let cell = TVar::new(0_u64);
        let holder = {
            let cell = cell.clone();
            thread::spawn(move || {
                atomically(|tx| {
                    tx.irrevocable()?;
                    cell.modify(tx, |value| *value += 1)
                });
            })
        };
        {
            let mut task = Box::pin(Atomically::new().run_async(|tx| {
                tx.irrevocable()?;
                cell.modify(tx, |value| *value += 1)
            }));
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            _ = std::future::Future::poll(task.as_mut(), &mut context);
        }
        atomically(|tx| {
            tx.irrevocable()?;
            cell.modify(tx, |value| *value += 1)
        });
        join([holder]);
        assert!(cell.load() >= 2);
    });
}

//! Lesson 4: every write wakes who waits for the cell, and nobody is forgotten.
//!
//! Method: the waiter signals from an `after_abort` hook, which runs when it is registered; only then is the cell
//! written, in each way there is to write a cell.
#![forbid(unsafe_code)]

use std::fmt::Debug;
use std::sync::LazyLock;
use std::thread;

use futures::executor::block_on;
use optimist::{Atomically, Cancel, Shared, TCell, TVar, TxLocal, atomically};
use optimist_tests::schedule::{Signal, elsewhere, signal_abort, without_hanging};

type WritePath<T> = (&'static str, fn(&TVar<T>, T));

/// Loses until it is escalated, and then writes.
fn write_escalated<T: Clone + Send + Sync + 'static>(var: &TVar<T>, value: T) {
    let bait = TVar::new(0);
    let attempts = atomically(|tx| {
        bait.read(tx)?;
        // Once escalated, it owns `bait`, and whoever writes that would wait for it.
        if tx.attempt() <= 24 {
            elsewhere(|| bait.store(1));
        }
        var.write(tx, value.clone())?;
        Ok(tx.attempt())
    });
    assert_eq!(attempts, 25);
}

fn write_paths<T: Clone + Send + Sync + 'static>() -> Vec<WritePath<T>> {
    vec![
        ("write", |var, value| atomically(|tx| var.write(tx, value.clone()))),
        ("write twice", |var, value| {
            atomically(|tx| {
                let old = var.read(tx)?;
                var.write(tx, old)?;
                var.write(tx, value.clone())
            });
        }),
        ("modify", |var, value| atomically(|tx| var.modify(tx, |old| *old = value.clone()))),
        ("replace", |var, value| _ = atomically(|tx| var.replace(tx, value.clone()))),
        ("swap_with", |var, value| {
            let other = TVar::new(value);
            atomically(|tx| other.swap_with(tx, var));
        }),
        ("store", |var, value| var.store(value)),
        ("swap", |var, value| _ = var.swap(value)),
        ("update", |var, value| var.update(|old| *old = value.clone())),
        ("irrevocable", |var, value| {
            atomically(|tx| {
                tx.irrevocable()?;
                var.write(tx, value.clone())
            });
        }),
        ("irrevocable after the write", |var, value| {
            atomically(|tx| {
                var.write(tx, value.clone())?;
                tx.irrevocable()
            });
        }),
        ("escalated", write_escalated),
        ("nested", |var, value| {
            let kept = atomically(|tx| tx.nested(|tx| var.write(tx, value.clone()).map_err(Cancel::<()>::from)));
            assert_eq!(kept, Ok(()));
        }),
        ("the second branch of or_else", |var, value| {
            let never = TVar::new(());
            atomically(|tx| {
                tx.or_else(
                    |tx| {
                        never.read(tx)?;
                        tx.retry()
                    },
                    |tx| var.write(tx, value.clone()),
                )
            });
        }),
        ("among many", |var, value| {
            let others: Vec<TVar<u64>> = (0..100).map(TVar::new).collect();
            atomically(|tx| {
                others.iter().try_for_each(|other| other.write(tx, 1))?;
                var.write(tx, value.clone())
            });
        }),
        ("with a limit", |var, value| {
            Atomically::new().max_attempts(9).run(|tx| var.write(tx, value.clone())).unwrap();
        }),
        ("async", |var, value| block_on(Atomically::new().run_async(|tx| var.write(tx, value.clone()))).unwrap()),
    ]
}

/// A thread, or a task, waits until `var` holds `after`, which is then written in each way.
fn every_write_path_wakes<T: Clone + PartialEq + Debug + Send + Sync + 'static>(before: &T, after: &T) {
    for (name, write) in write_paths::<T>() {
        for is_task in [false, true] {
            let var = TVar::new(before.clone());
            let (watched, expected) = (var.clone(), after.clone());
            let (asleep, awake) = (Signal::new(), Signal::new());
            let (falls_asleep, wakes_up) = (asleep.sender(), awake.sender());
            let waiter = thread::spawn(move || {
                let wait = |tx: &mut optimist::Tx<'_>| {
                    signal_abort(tx, &falls_asleep);
                    let is_there = *watched.read_ref(tx)? == expected;
                    tx.check(is_there)?;
                    Ok(tx.attempt())
                };
                let attempts =
                    if is_task { block_on(Atomically::new().run_async(wait)) } else { Atomically::new().run(wait) };
                wakes_up.send(()).unwrap();
                attempts
            });
            asleep.wait();
            write(&var, after.clone());
            assert!(awake.comes_within(std::time::Duration::from_secs(10)), "`{name}` does not wake, task: {is_task}");
            assert_eq!(waiter.join().unwrap(), Ok(2), "`{name}` wakes once, task: {is_task}");
        }
    }
}

#[test]
fn lesson_04_every_write_path_wakes_who_waits_for_an_inline_value() {
    every_write_path_wakes(&1_u64, &2);
}

#[test]
fn lesson_04_every_write_path_wakes_who_waits_for_a_small_value() {
    every_write_path_wakes(&Some(1_u32), &None);
}

#[test]
fn lesson_04_every_write_path_wakes_who_waits_for_a_boxed_value() {
    every_write_path_wakes(&"before".to_string(), &"after".to_string());
}

static WRITTEN_BY_HOOK: LazyLock<TVar<u64>> = LazyLock::new(|| TVar::new(0));
static SUM: TxLocal<u64> = TxLocal::new(|| 0).before_commit(|tx, sum| WRITTEN_BY_HOOK.write(tx, *sum));

#[test]
fn lesson_04_a_write_by_a_hook_wakes() {
    without_hanging(|| {
        let asleep = Signal::new();
        let signal = asleep.sender();
        let waiter = thread::spawn(move || {
            atomically(|tx| {
                signal_abort(tx, &signal);
                let value = WRITTEN_BY_HOOK.read(tx)?;
                tx.check(value == 3)
            });
        });
        asleep.wait();
        atomically(|tx| {
            SUM.with(tx, |sum| *sum += 3);
            Ok(())
        });
        waiter.join().unwrap();
    });
}

#[test]
fn lesson_04_an_inline_cell_wakes() {
    without_hanging(|| {
        let node = Shared::new((0_u8, TCell::new(0_u64), TCell::new(0_u64)));
        let asleep = Signal::new();
        let (signal, watched) = (asleep.sender(), node.clone());
        let waiter = thread::spawn(move || {
            atomically(|tx| {
                signal_abort(tx, &signal);
                let node = watched.get(tx);
                let sum = node.1.read(tx)? + node.2.read(tx)?;
                tx.check(sum == 2)
            });
        });
        asleep.wait();
        node.1.store(1);
        asleep.wait();
        node.2.update(|value| *value += 1);
        waiter.join().unwrap();
    });
}

#[test]
fn lesson_04_a_change_between_the_read_and_the_sleep_is_not_missed() {
    without_hanging(|| {
        let door = TVar::new(false);
        let attempts = atomically(|tx| {
            let open = door.read(tx)?;
            if tx.attempt() == 1 {
                elsewhere(|| door.store(true));
            }
            tx.check(open)?;
            Ok(tx.attempt())
        });
        assert_eq!(attempts, 2);
    });
}

#[test]
fn lesson_04_a_thousand_waiting_threads_are_all_woken() {
    const THREADS: usize = 1_000;
    without_hanging(|| {
        let (gate, passed) = (TVar::new(false), TVar::new(0_usize));
        let asleep = Signal::new();
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let (gate, passed, signal) = (gate.clone(), passed.clone(), asleep.sender());
                let waiter = move || {
                    atomically(|tx| {
                        signal_abort(tx, &signal);
                        let open = gate.read(tx)?;
                        tx.check(open)
                    });
                    passed.update(|passed| *passed += 1);
                };
                thread::Builder::new().stack_size(128 << 10).spawn(waiter).unwrap()
            })
            .collect();
        (0..THREADS).for_each(|_| asleep.wait());
        gate.store(true);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(passed.load(), THREADS);
    });
}

#[test]
fn lesson_04_no_wake_up_is_lost_in_a_long_exchange() {
    const ROUNDS: u64 = 5_000;
    without_hanging(|| {
        let ball = TVar::new(0_u64);
        let play = |me: u64, ball: &TVar<u64>| {
            for round in 0..ROUNDS {
                atomically(|tx| {
                    let turn = ball.read(tx)?;
                    tx.check(turn == 2 * round + me)?;
                    ball.write(tx, turn + 1)
                });
            }
        };
        let theirs = ball.clone();
        let partner = thread::spawn(move || play(1, &theirs));
        play(0, &ball);
        partner.join().unwrap();
        assert_eq!(ball.load(), 2 * ROUNDS);
    });
}

#[test]
fn lesson_04_committers_that_notify_out_of_order_lose_no_wake_up() {
    const EACH: u64 = 3_000;
    without_hanging(|| {
        let (left, right) = (TVar::new(0_u64), TVar::new(0_u64));
        let writers: Vec<_> = [left.clone(), right.clone()]
            .into_iter()
            .map(|count| {
                thread::spawn(move || {
                    for round in 0..EACH {
                        if round % 2 == 0 {
                            count.update(|count| *count += 1);
                        } else {
                            atomically(|tx| count.modify(tx, |count| *count += 1));
                        }
                    }
                })
            })
            .collect();
        let mut seen = 0;
        while seen < 2 * EACH {
            seen = atomically(|tx| {
                let sum = left.read(tx)? + right.read(tx)?;
                tx.check(sum > seen)?;
                Ok(sum)
            });
        }
        writers.into_iter().for_each(|writer| writer.join().unwrap());
    });
}

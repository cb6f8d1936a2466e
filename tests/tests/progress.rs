//! The token: who holds it cannot lose, nobody else stands still for it, and it goes to whom it should.
//!
//! Method: a thread becomes irrevocable and holds the token, in the middle of its transaction, until it is told to go on.
#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use futures::executor::block_on;
use optimist::{Atomically, Cancel, Limit, Stm, TVar, atomically, snapshot, try_atomically};
use optimist_tests::schedule::{Signal, elsewhere, panic_of, signal_abort, wait_until, without_hanging};

/// A thread that is irrevocable, owns a cell, and adds one to it when it goes on.
struct Holder {
    thread: JoinHandle<()>,
    go_on: Sender<()>,
}

impl Holder {
    fn of(cell: &TVar<u64>) -> Self {
        let (holds, waits) = (Signal::new(), Signal::new());
        let (cell, signal, go_on) = (cell.clone(), holds.sender(), waits.sender());
        let thread = thread::spawn(move || {
            let runs = AtomicUsize::new(0);
            atomically(|tx| {
                let value = cell.read(tx)?;
                tx.irrevocable()?;
                assert_eq!(runs.fetch_add(1, Ordering::Relaxed), 0, "what follows `irrevocable` runs once");
                signal.send(()).unwrap();
                waits.wait();
                cell.write(tx, value + 1)
            });
        });
        holds.wait();
        Self { thread, go_on }
    }

    fn release(self) {
        self.go_on.send(()).unwrap();
        self.thread.join().unwrap();
    }
}

#[test]
fn others_go_on_beside_an_irrevocable_transaction() {
    without_hanging(|| {
        let (owned, other) = (TVar::new(0), TVar::new(0));
        let holder = Holder::of(&owned);
        for _ in 0..100 {
            atomically(|tx| other.modify(tx, |value| *value += 1));
            other.update(|value| *value += 1);
        }
        // Readers pass, also in one transaction with a write elsewhere.
        let read = atomically(|tx| {
            other.modify(tx, |value| *value += 1)?;
            owned.read(tx)
        });
        let seen = [read, owned.load(), snapshot(|tx| owned.read(tx)), atomically(|tx| owned.read(tx))];
        assert_eq!((seen, other.load()), ([0; 4], 201));
        let waits = Atomically::new().timeout(Duration::from_millis(20)).run(|tx| {
            let value = owned.read(tx)?;
            tx.check(value == 1)
        });
        assert_eq!(waits.unwrap_err().limit(), Limit::Time, "an owned cell can be waited for");
        holder.release();
        assert_eq!(owned.load(), 1);
    });
}

#[test]
fn writers_of_an_owned_cell_wait_and_then_succeed() {
    type Write = fn(&TVar<u64>, &Sender<()>);
    let writes: [(&str, Write, bool); 6] = [
        (
            "write",
            |cell, lost| {
                atomically(|tx| {
                    signal_abort(tx, lost);
                    cell.write(tx, 10)
                });
            },
            true,
        ),
        (
            "modify",
            |cell, lost| {
                atomically(|tx| {
                    signal_abort(tx, lost);
                    cell.modify(tx, |value| *value = 10)
                });
            },
            true,
        ),
        (
            "async",
            |cell, lost| {
                let write = Atomically::new().run_async(|tx| {
                    signal_abort(tx, lost);
                    cell.write(tx, 10)
                });
                block_on(write).unwrap();
            },
            true,
        ),
        ("store", |cell, _| cell.store(10), false),
        ("swap", |cell, _| _ = cell.swap(10), false),
        ("update", |cell, _| cell.update(|value| *value = 10), false),
    ];
    for (name, write, signals) in writes {
        without_hanging(move || {
            let cell = TVar::new(0);
            let holder = Holder::of(&cell);
            let (lost, done) = (Signal::new(), Signal::new());
            let (theirs, lost_sender, done_sender) = (cell.clone(), lost.sender(), done.sender());
            let writer = thread::spawn(move || {
                write(&theirs, &lost_sender);
                done_sender.send(()).unwrap();
            });
            if signals {
                lost.wait();
            }
            assert!(!done.comes_within(Duration::from_millis(30)), "`{name}` overtook the owner");
            assert!(
                !signals || !lost.comes_within(Duration::ZERO),
                "`{name}` tries again and again instead of waiting"
            );
            assert_eq!(cell.load(), 0);
            holder.release();
            writer.join().unwrap();
            assert_eq!(cell.load(), 10, "`{name}` comes after the owner");
        });
    }
}

#[test]
fn an_irrevocable_body_runs_once_against_writers() {
    without_hanging(|| {
        let cells: Vec<TVar<u64>> = (0..4).map(|_| TVar::new(0)).collect();
        let over = TVar::new(false);
        thread::scope(|scope| {
            let writers: Vec<_> = (0..2)
                .map(|_| {
                    scope.spawn(|| {
                        let mut count = 0;
                        while !over.load() {
                            atomically(|tx| cells.iter().try_for_each(|cell| cell.modify(tx, |value| *value += 1)));
                            count += 1;
                        }
                        count
                    })
                })
                .collect();
            for _ in 0..200 {
                let runs = AtomicUsize::new(0);
                atomically(|tx| {
                    let first = cells[0].read(tx)?;
                    tx.irrevocable()?;
                    runs.fetch_add(1, Ordering::Relaxed);
                    for cell in &cells {
                        assert_eq!(cell.read(tx)?, first);
                        thread::yield_now();
                        cell.write(tx, first + 1)?;
                    }
                    Ok(())
                });
                assert_eq!(runs.load(Ordering::Relaxed), 1);
            }
            over.store(true);
            let count: u64 = writers.into_iter().map(|writer| writer.join().unwrap()).sum();
            assert!(cells.iter().all(|cell| cell.load() == count + 200));
        });
    });
}

#[test]
fn who_keeps_losing_is_escalated_and_then_cannot_lose() {
    without_hanging(|| {
        let (read, written) = (TVar::new(0_u64), TVar::new(0_u64));
        let done = TVar::new(false);
        thread::scope(|scope| {
            let seen = atomically(|tx| {
                let value = read.read(tx)?;
                if tx.attempt() <= 24 {
                    elsewhere(|| read.update(|value| *value += 1));
                } else {
                    // Whoever would make us lose now waits instead.
                    let writer = scope.spawn(|| {
                        read.update(|value| *value += 1);
                        done.store(true);
                    });
                    thread::sleep(Duration::from_millis(20));
                    assert!(!writer.is_finished());
                }
                written.write(tx, value)?;
                Ok((value, tx.attempt()))
            });
            assert_eq!(seen, (24, 25));
        });
        assert_eq!((read.load(), written.load(), done.load()), (25, 24, true));
    });
}

#[test]
fn who_loses_much_at_once_is_escalated_soon() {
    without_hanging(|| {
        let cells: Vec<TVar<u64>> = (0..10_000).map(|_| TVar::new(0)).collect();
        let sum = TVar::new(0_u64);
        let attempts = atomically(|tx| {
            let values = cells.iter().map(|cell| cell.read(tx)).sum::<Stm<u64>>()?;
            // The first two attempts lose; the third would wait for ever if it let anybody write a cell of its own.
            if tx.attempt() <= 2 {
                elsewhere(|| cells[7].update(|value| *value += 1));
            } else {
                elsewhere(|| assert_eq!(cells[7].load(), 2));
                let rival = Atomically::new().timeout(Duration::from_millis(20));
                let rival = elsewhere(|| rival.run(|tx| cells[7].modify(tx, |value| *value += 1)));
                assert_eq!(rival.unwrap_err().limit(), Limit::Time, "it is not escalated");
            }
            sum.write(tx, values)?;
            Ok(tx.attempt())
        });
        assert_eq!((attempts, sum.load()), (3, 2));
    });
}

#[test]
fn a_time_limit_ends_the_wait_for_the_token() {
    without_hanging(|| {
        let (owned, other) = (TVar::new(0), TVar::new(0));
        let holder = Holder::of(&owned);
        let limited = Atomically::new().timeout(Duration::from_millis(30));
        let stopped = limited.run(|tx| tx.irrevocable()).unwrap_err();
        assert_eq!((stopped.limit(), stopped.aborts().token, stopped.attempts()), (Limit::Time, 1, 1));
        let stopped = limited.run(|tx| owned.write(tx, 9)).unwrap_err();
        assert_eq!((stopped.limit(), stopped.aborts().token), (Limit::Time, 1));
        let stopped = block_on(limited.run_async(|tx| tx.irrevocable())).unwrap_err();
        assert_eq!((stopped.limit(), stopped.aborts().token), (Limit::Time, 1));
        let stopped = block_on(limited.run_async(|tx| owned.write(tx, 9))).unwrap_err();
        assert_eq!(stopped.limit(), Limit::Time);
        holder.release();
        // Who gave up is not granted the token, which would then lie about.
        Atomically::new().timeout(Duration::from_secs(9)).run(|tx| tx.irrevocable()).unwrap();
        other.store(1);
        assert_eq!(owned.load(), 1);
    });
}

#[test]
fn a_retry_after_irrevocable_is_refused() {
    without_hanging(|| {
        let cell = TVar::new(0);
        for message in [
            panic_of(|| {
                atomically(|tx| {
                    cell.write(tx, 5)?;
                    cell.read(tx)?;
                    tx.irrevocable()?;
                    tx.retry::<()>()
                })
            }),
            panic_of(|| {
                block_on(Atomically::new().run_async(|tx| {
                    tx.irrevocable()?;
                    let value = cell.read(tx)?;
                    tx.check(value > 0)
                }))
            }),
        ] {
            assert!(message.contains("retried after it had become irrevocable"), "{message}");
            assert!(message.contains("before calling `irrevocable`"), "{message}");
            assert_eq!(message.matches("progress.rs:").count(), 2, "names both places: {message}");
        }
        assert_eq!(cell.load(), 0);
        // The token is free again.
        elsewhere(|| atomically(|tx| tx.irrevocable().and_then(|()| cell.write(tx, 6))));
    });
}

#[test]
fn an_alternative_after_irrevocable_is_allowed() {
    let cell = TVar::new(0);
    let taken = atomically(|tx| {
        tx.irrevocable()?;
        tx.or_else(
            |tx| {
                cell.write(tx, 1)?;
                tx.retry()
            },
            |tx| cell.read(tx),
        )
    });
    assert_eq!((taken, cell.load()), (0, 0));
}

#[test]
fn the_end_of_an_irrevocable_transaction_frees_the_token_and_the_cells() {
    without_hanging(|| {
        let (read, written, text) = (TVar::new(0), TVar::new(0), TVar::new(String::new()));
        let prepare = |tx: &mut optimist::Tx<'_>| {
            read.read(tx)?;
            text.write(tx, "undone".to_string())?;
            tx.irrevocable()?;
            tx.irrevocable()?;
            written.write(tx, 1)
        };
        let outcome =
            try_atomically(|tx| prepare(tx).map_err(Cancel::from).and_then(|()| Err::<(), _>(Cancel::new("no"))));
        assert_eq!(outcome.unwrap_err().cancelled(), Some("no"));
        assert_eq!(panic_of(|| atomically(|tx| prepare(tx).map(|()| panic!("on purpose")))), "on purpose");
        let outcome = block_on(Atomically::new().try_run_async(|tx| {
            prepare(tx)?;
            Err::<(), _>(Cancel::new("no"))
        }));
        assert!(outcome.is_err());
        assert_eq!((written.load(), text.load().as_str()), (0, ""));
        for cell in [&read, &written] {
            elsewhere(|| cell.store(2));
        }
        elsewhere(|| atomically(prepare));
        assert_eq!((read.load(), written.load(), text.load().as_str()), (2, 1, "undone"));
        elsewhere(|| read.store(3));
    });
}

#[test]
fn two_irrevocable_transactions_come_one_after_the_other() {
    without_hanging(|| {
        let inside = AtomicUsize::new(0);
        let cells = [TVar::new(0), TVar::new(0)];
        thread::scope(|scope| {
            for cell in &cells {
                let inside = &inside;
                scope.spawn(move || {
                    for _ in 0..100 {
                        atomically(|tx| {
                            tx.irrevocable()?;
                            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two at once");
                            cell.modify(tx, |value| *value += 1)?;
                            thread::yield_now();
                            assert_eq!(inside.fetch_sub(1, Ordering::SeqCst), 1, "two at once");
                            Ok(())
                        });
                    }
                });
            }
        });
        wait_until("both are done", || cells.iter().all(|cell| cell.load() == 100));
    });
}

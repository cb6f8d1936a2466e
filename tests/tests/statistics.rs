//! The counters: exact in scenarios whose schedule is forced.
//!
//! A process of its own with one test, as the counters are those of the process.
#![forbid(unsafe_code)]

use std::thread;
use std::time::Duration;

use futures::executor::block_on;
use optimist::{Atomically, Cancel, Stats, TVar, atomically, snapshot, stats, try_atomically};
use optimist_tests::schedule::{Signal, elsewhere, panic_of, signal_abort, without_hanging};

/// Runs `scenario` and checks what it adds to the counters, all others being left as they are.
#[track_caller]
fn counts(scenario: impl FnOnce(), expect: impl FnOnce(&mut Stats)) {
    stats().reset();
    assert_eq!(stats(), Stats::default(), "a reset leaves nothing");
    scenario();
    let mut expected = Stats::default();
    expect(&mut expected);
    assert_eq!(stats(), expected);
}

/// Commits to both cells in one transaction of another thread.
fn commit_to(a: &TVar<u64>, b: &TVar<u64>) {
    elsewhere(|| {
        atomically(|tx| {
            a.modify(tx, |value| *value += 1)?;
            b.modify(tx, |value| *value += 1)
        });
    });
}

fn ends_of_transactions(a: &TVar<u64>) {
    counts(
        || atomically(|tx| a.write(tx, 1)),
        |expected| {
            expected.started = 1;
            expected.committed = 1;
        },
    );
    counts(
        || {
            atomically(|tx| a.read(tx));
            snapshot(|tx| a.read(tx));
            block_on(Atomically::new().run_async(|tx| a.read(tx))).unwrap();
        },
        |expected| {
            expected.started = 3;
            expected.read_only = 3;
        },
    );
    counts(
        || {
            let outcome = try_atomically(|tx| {
                a.write(tx, 1)?;
                Err::<(), _>(Cancel::new("no"))
            });
            assert!(outcome.is_err());
        },
        |expected| {
            expected.started = 1;
            expected.cancelled = 1;
        },
    );
    counts(
        || {
            panic_of(|| atomically(|tx| a.write(tx, 1).map(|()| panic!("on purpose"))));
        },
        |expected| {
            expected.started = 1;
            expected.panicked = 1;
        },
    );
    // Single cells are no transactions.
    counts(
        || {
            a.store(1);
            assert_eq!((a.swap(2), a.load()), (1, 2));
            a.update(|value| *value += 1);
        },
        |_| {},
    );
}

fn conflicts(a: &TVar<u64>, b: &TVar<u64>, c: &TVar<u64>) {
    counts(
        || {
            atomically(|tx| {
                a.read(tx)?;
                if tx.attempt() <= 2 {
                    elsewhere(|| a.store(1));
                }
                c.write(tx, 1)
            });
        },
        |expected| {
            expected.started = 1;
            expected.committed = 1;
            expected.aborted_read = 2;
        },
    );
    counts(
        || {
            atomically(|tx| {
                c.write(tx, 1)?;
                a.read(tx)?;
                if tx.attempt() == 1 {
                    commit_to(a, b);
                }
                b.read(tx)
            });
        },
        |expected| {
            expected.started = 2;
            expected.committed = 2;
            expected.aborted_read = 1;
        },
    );
}

fn readers(a: &TVar<u64>, b: &TVar<u64>, c: &TVar<u64>) {
    counts(
        || {
            atomically(|tx| {
                a.read(tx)?;
                elsewhere(|| b.store(5));
                b.read(tx)
            });
        },
        |expected| {
            expected.started = 1;
            expected.read_only = 1;
            expected.extended = 1;
        },
    );
    counts(
        || {
            atomically(|tx| {
                a.read(tx)?;
                commit_to(a, b);
                b.read(tx)
            });
        },
        |expected| {
            (expected.started, expected.committed, expected.read_only) = (2, 1, 1);
            expected.went_past = 1;
        },
    );
    // Went on in the past, and then had to write: it runs again, and stays in the present.
    counts(
        || {
            atomically(|tx| {
                a.read(tx)?;
                if tx.attempt() == 1 {
                    commit_to(a, b);
                }
                b.read(tx)?;
                c.write(tx, 1)
            });
        },
        |expected| {
            (expected.started, expected.committed) = (2, 2);
            (expected.went_past, expected.aborted_read) = (1, 1);
        },
    );
}

fn waits(door: &TVar<u64>) {
    counts(
        || {
            let asleep = Signal::new();
            let (theirs, signal) = (door.clone(), asleep.sender());
            let waiter = thread::spawn(move || {
                atomically(|tx| {
                    signal_abort(tx, &signal);
                    let open = theirs.read(tx)?;
                    tx.check(open == 99)
                });
            });
            asleep.wait();
            door.store(98);
            asleep.wait();
            door.store(99);
            waiter.join().unwrap();
        },
        |expected| {
            (expected.started, expected.read_only) = (1, 1);
            (expected.aborted_retry, expected.waited) = (2, 2);
        },
    );
    // A change that comes before the sleep saves it.
    counts(
        || {
            let body = |tx: &mut optimist::Tx<'_>| {
                let open = door.read(tx)?;
                elsewhere(|| door.store(100));
                tx.check(open == 100)
            };
            door.store(0);
            atomically(body);
            door.store(0);
            block_on(Atomically::new().run_async(body)).unwrap();
        },
        |expected| {
            (expected.started, expected.read_only) = (2, 2);
            expected.aborted_retry = 2;
        },
    );
    counts(
        || {
            let limited = Atomically::new().timeout(Duration::from_millis(5));
            let stopped = limited.run(|tx| {
                door.read(tx)?;
                tx.retry::<()>()
            });
            assert!(stopped.is_err());
        },
        |expected| {
            (expected.started, expected.aborted_retry, expected.waited) = (1, 1, 1);
        },
    );
}

fn token(a: &TVar<u64>, b: &TVar<u64>) {
    counts(
        || atomically(|tx| tx.irrevocable().and_then(|()| a.write(tx, 1))),
        |expected| {
            (expected.started, expected.committed, expected.escalated) = (1, 1, 1);
        },
    );
    counts(
        || {
            atomically(|tx| {
                let lost = tx.attempt() <= 24;
                a.read(tx)?;
                if lost {
                    elsewhere(|| a.store(1));
                }
                b.write(tx, 1)
            });
        },
        |expected| {
            (expected.started, expected.committed) = (1, 1);
            (expected.aborted_read, expected.escalated) = (24, 1);
        },
    );
    counts(
        || {
            let lost = Signal::new();
            let (signal, theirs) = (lost.sender(), a.clone());
            let writer = atomically(|tx| {
                tx.irrevocable()?;
                a.read(tx)?;
                let (signal, theirs) = (signal.clone(), theirs.clone());
                let writer = thread::spawn(move || {
                    atomically(|tx| {
                        signal_abort(tx, &signal);
                        theirs.write(tx, 7)
                    });
                });
                lost.wait();
                Ok(writer)
            });
            writer.join().unwrap();
        },
        |expected| {
            (expected.started, expected.committed, expected.read_only) = (2, 1, 1);
            (expected.aborted_token, expected.escalated) = (1, 1);
        },
    );
}

/// Whatever the schedule, each transaction ends in one way, and each attempt is counted.
fn balance(a: &TVar<u64>, b: &TVar<u64>) {
    stats().reset();
    let attempts: u64 = thread::scope(|scope| {
        let work = || -> u64 {
            let add = |tx: &mut optimist::Tx<'_>| {
                a.modify(tx, |value| *value += 1)?;
                b.modify(tx, |value| *value += 1)?;
                Ok(tx.attempt())
            };
            (0..5_000).map(|_| atomically(add)).sum()
        };
        let other = scope.spawn(work);
        work() + other.join().unwrap()
    });
    let stats = stats();
    assert_eq!((stats.started, stats.committed), (10_000, 10_000));
    assert_eq!(attempts, stats.committed + stats.conflicts());
    assert_eq!((stats.read_only, stats.cancelled, stats.panicked, stats.aborted_retry), (0, 0, 0, 0));
}

#[test]
fn the_counters_are_exact_and_readable() {
    without_hanging(|| {
        let [a, b, c] = std::array::from_fn(|_| TVar::new(0));
        ends_of_transactions(&a);
        conflicts(&a, &b, &c);
        readers(&a, &b, &c);
        waits(&a);
        token(&a, &b);
        balance(&a, &b);
        counts(
            || (0..3).for_each(|_| atomically(|tx| a.write(tx, 1))),
            |expected| {
                (expected.started, expected.committed) = (3, 3);
            },
        );
        let text = stats().to_string();
        let lines: Vec<&str> = text.lines().collect();
        for (name, count) in [("transactions started", 3), ("committed", 3), ("escalated", 0), ("went to sleep", 0)] {
            let line = lines.iter().find(|line| line.trim_start().starts_with(name)).expect(name);
            assert_eq!(line.split_whitespace().last(), Some(count.to_string().as_str()), "{line}");
        }
        let width = lines[0].len();
        assert!(lines.iter().all(|line| line.len() == width), "the columns line up:\n{text}");
    });
}

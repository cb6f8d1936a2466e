//! Dirty reads, lost updates, non-repeatable reads and read skew are not seen.
//!
//! Method: every write has an id that tells its thread and round; threads dawdle between the steps of a transaction. The
//! seed is printed; see `litmus.rs`.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::thread;

use optimist::{Cancel, ReadTx, Stm, TVar, TryStm, Tx, atomically, snapshot, try_atomically};
use optimist_tests::litmus::{Run, Turn, litmus, on_threads, who};
use optimist_tests::schedule::elsewhere;
use optimist_tests::ways::{Value, reads, replaces, writes};

/// Marks the id of a write that must never be seen.
const UNDONE: u64 = 1 << 63;

#[track_caller]
fn assert_clean(id: u64, cell: usize, how: &str) {
    assert!(id & UNDONE == 0, "dirty read: {how} saw in cell {cell} {}, which was undone", who(id & !UNDONE));
}

/// Writes both cells with what is then undone, in one of the ways to undo it.
fn write_and_undo<T: Value>(cells: &[TVar<T>; 2], turn: &mut Turn<'_>) {
    let dirty = T::of(turn.id() | UNDONE);
    let clean = T::of(turn.id());
    let write = |tx: &mut Tx<'_>, value: &T| cells.iter().try_for_each(|cell| cell.write(tx, value.clone()));
    match turn.below(5) {
        0 => {
            let cancels = |tx: &mut Tx<'_>| {
                write(tx, &dirty)?;
                turn.dawdle();
                Err::<(), _>(Cancel::new(()))
            };
            assert!(try_atomically(cancels).is_err());
        }
        1 => {
            let panics = || {
                atomically(|tx| {
                    write(tx, &dirty)?;
                    // Unlike `panic!`, it prints nothing.
                    resume_unwind(Box::new("on purpose"));
                    #[expect(unreachable_code, reason = "it gives the body a type")]
                    Ok(())
                });
            };
            assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
        }
        2 => atomically(|tx| {
            let undone = |tx: &mut Tx<'_>| {
                write(tx, &dirty)?;
                tx.retry()
            };
            tx.or_else(undone, |tx| write(tx, &clean))
        }),
        3 => {
            let undone = |tx: &mut Tx<'_>| -> TryStm<(), ()> {
                write(tx, &dirty)?;
                Err(Cancel::new(()))
            };
            assert_eq!(atomically(|tx| tx.nested(undone)), Err(()));
        }
        // An intermediate value.
        _ => atomically(|tx| {
            write(tx, &dirty)?;
            turn.dawdle();
            write(tx, &clean)
        }),
    }
}

fn no_dirty_read<T: Value>(run: &Run) {
    let cells: [TVar<T>; 2] = std::array::from_fn(|_| TVar::new(T::of(0)));
    let reads = reads::<T>();
    run.repeat(3, |turn| {
        if turn.thread < 2 {
            write_and_undo(&cells, turn);
            return;
        }
        let (how, read) = reads[turn.below(reads.len())];
        let cell = turn.below(2);
        assert_clean(read(&cells[cell]), cell, how);
    });
    for (cell, last) in cells.iter().enumerate() {
        assert_clean(last.load().id(), cell, "the end");
    }
}

#[test]
fn dirty_read() {
    litmus(|run| {
        no_dirty_read::<u64>(&run.part_of(2));
        no_dirty_read::<[u64; 4]>(&run.part_of(2));
    });
}

#[test]
fn dirty_read_in_the_middle_of_a_transaction() {
    litmus(|_| {
        let cells: [TVar<u64>; 2] = std::array::from_fn(|_| TVar::new(0));
        let look = || {
            for (cell, var) in cells.iter().enumerate() {
                for (how, read) in reads::<u64>() {
                    elsewhere(|| assert_clean(read(var), cell, how));
                }
            }
        };
        let outcome = try_atomically(|tx| {
            cells[0].write(tx, UNDONE)?;
            look();
            cells[1].modify(tx, |value| *value = UNDONE)?;
            look();
            Err::<(), _>(Cancel::new(()))
        });
        assert_eq!(outcome.unwrap_err().cancelled(), Some(()));
        look();
    });
}

/// Replaces values in all ways; in a row, as each says what it replaced, and no two the same.
fn no_lost_update<T: Value>(run: &Run) {
    const CELLS: usize = 2;
    let cells: [TVar<T>; CELLS] = std::array::from_fn(|_| TVar::new(T::of(0)));
    let replaces = replaces::<T>();
    let replaced: [Mutex<HashMap<u64, (u64, &str)>>; CELLS] = std::array::from_fn(|_| Mutex::default());
    run.repeat(3, |turn| {
        let (cell, (how, replace)) = (turn.below(CELLS), replaces[turn.below(replaces.len())]);
        let before = replace(&cells[cell], turn.id());
        let other = replaced[cell].lock().unwrap().insert(before, (turn.id(), how));
        if let Some((other, other_how)) = other {
            panic!(
                "lost update: {} ({other_how}) and {} ({how}) both replaced in cell {cell} {}",
                who(other),
                who(turn.id()),
                who(before)
            );
        }
    });
    for (cell, replaced) in replaced.iter().enumerate() {
        let replaced = replaced.lock().unwrap();
        let (mut last, mut length) = (0, 0);
        while let Some((next, _)) = replaced.get(&last) {
            (last, length) = (*next, length + 1);
        }
        assert_eq!(length, replaced.len(), "lost update: cell {cell} is not one row of updates");
        assert_eq!(cells[cell].load().id(), last, "lost update: cell {cell} ended with another value");
    }
}

#[test]
fn lost_update() {
    litmus(|run| {
        no_lost_update::<u64>(&run.part_of(2));
        no_lost_update::<[u64; 4]>(&run.part_of(2));
    });
}

#[test]
fn lost_update_of_a_counter() {
    litmus(|run| {
        let (counter, made) = (TVar::new(0_u64), Mutex::new(0));
        run.repeat(3, |turn| {
            match turn.below(3) {
                0 => counter.update(|count| *count += 1),
                1 => atomically(|tx| counter.modify(tx, |count| *count += 1)),
                _ => atomically(|tx| {
                    let count = counter.read(tx)?;
                    turn.dawdle();
                    counter.write(tx, count + 1)
                }),
            }
            *made.lock().unwrap() += 1;
        });
        assert_eq!(counter.load(), *made.lock().unwrap(), "lost update: of a counter");
    });
}

/// Reads a cell twice with a step in between; returns both ids.
type Twice<T> = (&'static str, fn(&TVar<T>, &mut dyn FnMut()) -> [u64; 2]);

fn read_twice<'tx, T: Value>(tx: &mut impl ReadTx<'tx>, cell: &TVar<T>, step: &mut dyn FnMut()) -> Stm<[u64; 2]> {
    let first = cell.read_ref(tx)?;
    step();
    let second = cell.read(tx)?.id();
    Ok([first.id(), second])
}

fn twice<T: Value>() -> Vec<Twice<T>> {
    vec![
        ("a transaction", |cell, step| atomically(|tx| read_twice(tx, cell, step))),
        ("a snapshot", |cell, step| snapshot(|tx| read_twice(tx, cell, step))),
        ("a transaction that has written", |cell, step| {
            let other = TVar::new(0);
            atomically(|tx| {
                other.write(tx, 1)?;
                read_twice(tx, cell, step)
            })
        }),
        ("a transaction that becomes irrevocable", |cell, step| {
            atomically(|tx| {
                let first = cell.read(tx)?.id();
                step();
                tx.irrevocable()?;
                Ok([first, cell.read(tx)?.id()])
            })
        }),
        ("two branches", |cell, step| {
            let mut first = 0;
            atomically(|tx| {
                tx.or_else(
                    |tx| {
                        first = cell.read(tx)?.id();
                        step();
                        tx.retry()
                    },
                    |tx| Ok(cell.read(tx)?.id()),
                )
                .map(|second| [first, second])
            })
        }),
        ("a cancelled part and what follows it", |cell, step| {
            atomically(|tx| {
                let first = tx.nested(|tx| Err::<(), _>(Cancel::new(cell.read(tx)?.id())))?.unwrap_err();
                step();
                Ok([first, cell.read(tx)?.id()])
            })
        }),
    ]
}

fn no_non_repeatable_read<T: Value>(run: &Run) {
    let cell = TVar::new(T::of(0));
    let (twice, writes) = (twice::<T>(), writes::<T>());
    let check = |how: &str, [first, second]: [u64; 2]| {
        assert_eq!(first, second, "non-repeatable read: {how} saw in the cell {}, then {}", who(first), who(second));
    };
    // Once each with a write in between, where nobody is kept from writing.
    for (how, read_twice) in &twice {
        for (number, (_, write)) in writes.iter().enumerate() {
            let mut is_first = true;
            let seen = read_twice(&cell, &mut || {
                if std::mem::take(&mut is_first) {
                    elsewhere(|| write(&cell, 1 << 8 | number as u64));
                }
            });
            check(how, seen);
        }
    }
    run.repeat(3, |turn| {
        if turn.thread == 0 {
            writes[turn.below(writes.len())].1(&cell, turn.id());
        } else {
            let (how, read_twice) = twice[turn.below(twice.len())];
            check(how, read_twice(&cell, &mut || turn.dawdle()));
        }
    });
}

#[test]
fn non_repeatable_read() {
    litmus(|run| {
        no_non_repeatable_read::<u64>(&run.part_of(2));
        no_non_repeatable_read::<[u64; 4]>(&run.part_of(2));
    });
}

/// Reads `a`, `busy` and `b` in a row, with a step in between; `a` and `b` always are written together.
type Across = (&'static str, fn(&[TVar<u64>; 3], &mut dyn FnMut()) -> [u64; 2]);

fn read_across<'tx>(tx: &mut impl ReadTx<'tx>, cells: &[TVar<u64>; 3], step: &mut dyn FnMut()) -> Stm<[u64; 2]> {
    let [a, busy, b] = cells;
    let first = a.read(tx)?;
    step();
    // What is new in it makes the reader extend.
    busy.read(tx)?;
    step();
    Ok([first, b.read(tx)?])
}

const ACROSS: [Across; 6] = [
    ("a transaction", |cells, step| atomically(|tx| read_across(tx, cells, step))),
    ("a snapshot", |cells, step| snapshot(|tx| read_across(tx, cells, step))),
    ("a transaction that has written", |cells, step| {
        let other = TVar::new(0);
        atomically(|tx| {
            other.write(tx, 1)?;
            read_across(tx, cells, step)
        })
    }),
    ("a transaction that then writes", |cells, step| {
        let other = TVar::new(0);
        atomically(|tx| {
            let seen = read_across(tx, cells, step)?;
            other.write(tx, 1)?;
            Ok(seen)
        })
    }),
    ("a transaction that becomes irrevocable", |[a, busy, b], step| {
        atomically(|tx| {
            let first = a.read(tx)?;
            step();
            busy.read(tx)?;
            step();
            tx.irrevocable()?;
            Ok([first, b.read(tx)?])
        })
    }),
    ("two branches", |[a, busy, b], step| {
        let mut first = 0;
        atomically(|tx| {
            let one = |tx: &mut Tx<'_>| {
                first = a.read(tx)?;
                step();
                busy.read(tx)?;
                tx.retry()
            };
            tx.or_else(one, |tx| b.read(tx)).map(|second| [first, second])
        })
    }),
];

#[test]
fn read_skew() {
    litmus(|run| {
        let cells: [TVar<u64>; 3] = std::array::from_fn(|_| TVar::new(0));
        run.repeat(4, |turn| match turn.thread {
            0 => atomically(|tx| {
                cells[0].write(tx, turn.id())?;
                turn.dawdle();
                cells[2].write(tx, turn.id())
            }),
            1 => cells[1].store(turn.id()),
            _ => {
                let (how, read) = ACROSS[turn.below(ACROSS.len())];
                let [a, b] = read(&cells, &mut || turn.dawdle());
                assert_eq!(a, b, "read skew: {how} saw in `a` {} and in `b` {}", who(a), who(b));
            }
        });
    });
}

#[test]
fn read_skew_after_an_extension() {
    litmus(|_| {
        for (how, read) in ACROSS {
            // Before the first read, between the reads, and around the extension; and each in one attempt alone.
            for steps in 1..4_u32 {
                let cells: [TVar<u64>; 3] = std::array::from_fn(|_| TVar::new(0));
                let mut step = 0;
                let [a, b] = read(&cells, &mut || {
                    if 1 << step & steps != 0 && step < 2 {
                        on_threads(1, |_| {
                            cells[1].store(step);
                            atomically(|tx| cells[0].write(tx, 1).and_then(|()| cells[2].write(tx, 1)));
                        });
                    }
                    step += 1;
                });
                assert_eq!(a, b, "read skew: {how} saw in `a` {a} and in `b` {b} with commits at {steps:b}");
            }
        }
    });
}

/// An extension looks at many cells, one after the other; what changes behind it must not be taken for new and whole.
#[test]
fn read_skew_during_a_long_extension() {
    litmus(|run| {
        let cells: [TVar<u64>; 2] = std::array::from_fn(|_| TVar::new(0));
        let busy = TVar::new(0_u64);
        let idle: Vec<TVar<u64>> = (0..20).map(|_| TVar::new(0)).collect();
        run.repeat(3, |turn| {
            match turn.thread {
                0 => {
                    atomically(|tx| cells.iter().try_for_each(|cell| cell.write(tx, turn.id())));
                    // Were it never quiet, nobody could extend.
                    (0..turn.below(4)).for_each(|_| thread::yield_now());
                }
                1 => {
                    busy.store(turn.id());
                    thread::yield_now();
                }
                _ => {
                    let (own, writes) = (TVar::new(0), turn.below(2) == 0);
                    let [a, b] = atomically(|tx| {
                        if writes {
                            own.write(tx, 1)?;
                        }
                        let a = cells[0].read(tx)?;
                        idle.iter().try_for_each(|cell| cell.read(tx).map(|_| ()))?;
                        for _ in 0..6 {
                            turn.dawdle();
                            busy.read(tx)?;
                        }
                        Ok([a, cells[1].read(tx)?])
                    });
                    assert_eq!(a, b, "read skew: around an extension, in `a` {} and in `b` {}", who(a), who(b));
                }
            };
        });
    });
}

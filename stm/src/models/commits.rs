//! Commits against each other and against readers.

use super::cells::write_version;
use super::{Payload, both, check, shared};
use crate::{TCell, atomically, snapshot};

/// The clock's tick orders locking before validating.
#[test]
fn of_two_that_read_what_the_other_writes_one_sees_it() {
    check(3, || {
        let (x, y) = shared((TCell::new(0_u64), TCell::new(0_u64)));
        let (saw_y, saw_x) = both(
            || {
                atomically(|tx| {
                    x.write(tx, 1)?;
                    y.read(tx)
                })
            },
            || {
                atomically(|tx| {
                    y.write(tx, 1)?;
                    x.read(tx)
                })
            },
        );
        assert_ne!((saw_x, saw_y), (0, 0), "write skew");
    });
}

/// Validation, and the sample that a lock of one's own replaced.
#[test]
fn updates_are_not_lost() {
    check(3, || {
        let cell = shared(TCell::new(0_u64));
        let add = || {
            atomically(|tx| cell.modify(tx, |value| *value += 1));
        };
        both(add, add);
        assert_eq!(cell.load(), 2);
    });
}

/// Sampling the clock acquires what its ticks have released.
#[test]
fn a_reader_sees_all_of_a_commit_or_nothing() {
    check(3, || {
        let (x, y) = shared((TCell::new(0_u64), TCell::new(0_u64)));
        both(
            || {
                atomically(|tx| {
                    x.write(tx, 1)?;
                    y.write(tx, 1)
                });
            },
            || {
                atomically(|tx| {
                    let first = x.read(tx)?;
                    let second = y.read(tx)?;
                    assert_eq!(first, second, "read skew");
                    Ok(())
                });
            },
        );
    });
}

/// An extension validates, so that a second commit between two reads is noticed.
#[test]
fn an_extension_is_refused_when_a_cell_has_changed() {
    check(2, || {
        let (x, y) = shared((TCell::new(0_u64), TCell::new(0_u64)));
        both(
            || {
                atomically(|tx| {
                    x.write(tx, 1)?;
                    y.write(tx, 1)
                });
            },
            || {
                // A transaction that has written may not go on in the past: it extends, or runs again.
                let sum = atomically(|tx| {
                    let first = x.read(tx)?;
                    x.write(tx, first)?;
                    let second = y.read(tx)?;
                    assert_eq!(first, second, "read skew");
                    Ok(first + second)
                });
                assert!(sum == 0 || sum == 2);
            },
        );
    });
}

/// An extension samples the clock before it validates: a commit between the two is not within what it raises to.
#[test]
fn an_extension_does_not_reach_beyond_what_it_validated() {
    check(2, || {
        let (x, y) = shared((TCell::new(0_u64), TCell::new(0_u64)));
        both(
            || {
                atomically(|tx| {
                    x.write(tx, 99)?;
                    y.write(tx, 99)
                });
            },
            || {
                atomically(|tx| {
                    let first = x.read(tx)?;
                    if tx.attempt() == 1 {
                        write_version(y);
                    }
                    assert!(y.read(tx)? != 99 || first == 99, "read skew");
                    Ok(())
                });
            },
        );
    });
}

/// What was read by an extension is validated as well.
#[test]
fn what_an_extension_has_read_is_validated() {
    check(2, || {
        let (x, y) = shared((TCell::new(0_u64), TCell::new(0_u64)));
        let (saw_y, saw_x) = both(
            || {
                atomically(|tx| {
                    if tx.attempt() == 1 {
                        write_version(y);
                    }
                    let seen = y.read(tx)?;
                    x.write(tx, 99)?;
                    Ok(seen)
                })
            },
            || {
                atomically(|tx| {
                    let seen = x.read(tx)?;
                    y.write(tx, 99)?;
                    Ok(seen)
                })
            },
        );
        // Unless the write from outside came last.
        assert!(y.load() != 99 || saw_x == 99 || saw_y == 99, "write skew");
    });
}

/// A reader of the past has seen less than now, and has records kept that a writer has not: it may not write, and its
/// next attempt stays at the present.
#[test]
fn who_reads_the_past_does_not_write() {
    check(1, || {
        let (x, y, other) = shared((TCell::new(0_u64), TCell::new(0_u64), TCell::new(0_u64)));
        let attempts = atomically(|tx| {
            let first = x.read(tx)?;
            if tx.attempt() <= 2 {
                write_version(x);
                write_version(y);
            }
            if tx.attempt() == 1 {
                assert_eq!((first, y.read(tx)?), (0, 0), "read skew");
                assert!(y.write(tx, 99).is_err(), "a reader of the past has written");
                assert!(other.read(tx).is_err(), "an attempt that is doomed goes on");
            } else if tx.attempt() == 2 {
                assert!(y.read(tx).is_err(), "it has gone to the past again");
            }
            y.write(tx, first)?;
            Ok(tx.attempt())
        });
        assert_eq!(attempts, 3);
    });
}

/// What was replaced is visible to the committer that replaces it, and then to its readers.
#[test]
fn values_pass_from_commit_to_commit() {
    check(2, || {
        let cell = shared(TCell::new(Payload::new(0)));
        let add = || atomically(|tx| cell.modify(tx, |value| *value = Payload::new(value.get() + 1)));
        both(add, add);
        assert_eq!(atomically(|tx| Ok(cell.read_ref(tx)?.get())), 2);
    });
}

/// A commit and a single-cell operation on two cells: store buffering across them.
#[test]
fn a_store_is_seen_by_who_commits_later() {
    check(3, || {
        let (x, y) = shared((TCell::new(0_u64), TCell::new(0_u64)));
        let (saw_y, saw_x) = both(
            || {
                x.store(1);
                atomically(|tx| y.read(tx))
            },
            || {
                y.store(1);
                atomically(|tx| x.read(tx))
            },
        );
        assert_ne!((saw_x, saw_y), (0, 0), "store buffering");
    });
}

/// Validating after the tick, not before: what a commit has read is still there at its version, by which others order it.
#[test]
fn what_a_commit_has_read_is_there_at_its_version() {
    check(3, || {
        let (x, y) = shared((TCell::new(0_u64), TCell::new(0_u64)));
        let (read, (seen, _)) = both(
            || {
                atomically(|tx| {
                    let read = y.read(tx)?;
                    x.write(tx, 1)?;
                    Ok(read)
                })
            },
            || {
                y.store(1);
                snapshot(|tx| Ok((x.read(tx)?, y.read(tx)?)))
            },
        );
        assert!((read, seen) != (0, 0), "a commit that missed a store comes after a snapshot that has seen it");
    });
}

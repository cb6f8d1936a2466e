//! Sleeping against waking. `loom` reports a thread that sleeps for ever.

use super::{both, check, shared};
use crate::{Atomically, TCell, TVar, atomically};

/// Registering against a commit.
#[test]
fn a_wait_is_ended_by_a_commit() {
    check(3, || {
        let flag = shared(TCell::new(false));
        both(
            || atomically(|tx| flag.write(tx, true)),
            || {
                atomically(|tx| {
                    let set = flag.read(tx)?;
                    tx.check(set)
                });
            },
        );
    });
}

/// Registering against a single-cell operation.
#[test]
fn a_wait_is_ended_by_a_store() {
    check(3, || {
        let flag = shared(TCell::new(false));
        both(
            || flag.store(true),
            || {
                atomically(|tx| {
                    let set = flag.read(tx)?;
                    tx.check(set)
                });
            },
        );
    });
}

/// What the waiting branch of an `or_else` has read wakes, too.
#[test]
fn a_wait_is_ended_through_either_branch() {
    check(2, || {
        let (one, other) = shared((TCell::new(false), TCell::new(false)));
        both(
            || one.store(true),
            || {
                atomically(|tx| {
                    tx.or_else(
                        |tx| {
                            let set = one.read(tx)?;
                            tx.check(set)
                        },
                        |tx| {
                            let set = other.read(tx)?;
                            tx.check(set)
                        },
                    )
                });
            },
        );
    });
}

/// Two who hand a value to and fro.
#[test]
fn two_that_wait_for_each_other_go_on() {
    check(2, || {
        let turn = shared(TCell::new(0_u64));
        let take = |mine: u64| {
            atomically(|tx| {
                let now = turn.read(tx)?;
                tx.check(now == mine)?;
                turn.write(tx, mine + 1)
            });
        };
        both(move || take(0), move || take(1));
        assert_eq!(turn.load(), 2);
    });
}

/// The last handle but one against a wait: the fences of `abandoned.rs`.
#[test]
fn a_wait_that_nobody_can_end_is_noticed() {
    check(3, || {
        let mine = TVar::new(false);
        let theirs = mine.clone();
        both(
            move || drop(mine),
            move || {
                let ended = Atomically::new().shared_by_handle().run(|tx| {
                    let set = theirs.read(tx)?;
                    tx.check(set)
                });
                assert!(ended.is_err());
            },
        );
    });
}

/// Who changes a cell and then drops the last handle but one has not left the wait alone.
#[test]
fn a_wait_is_not_abandoned_after_a_change() {
    check(2, || {
        let mine = TVar::new(false);
        let theirs = mine.clone();
        both(
            move || {
                mine.store(true);
                drop(mine);
            },
            move || {
                let ended = Atomically::new().shared_by_handle().run(|tx| {
                    let set = theirs.read(tx)?;
                    tx.check(set)
                });
                assert!(ended.is_ok());
            },
        );
    });
}

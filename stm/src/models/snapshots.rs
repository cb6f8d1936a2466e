//! Snapshots and readers in the past against commits.

use super::{Payload, both, check, shared};
use crate::{TCell, atomically, snapshot};

/// The history is linked before the word is replaced, and records are complete when they are found.
#[test]
fn a_snapshot_sees_one_moment() {
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
                let (first, second) = snapshot(|tx| Ok((x.read(tx)?, y.read(tx)?)));
                assert_eq!(first, second, "read skew");
            },
        );
    });
}

/// Two versions behind: from record to record.
#[test]
fn a_snapshot_walks_to_the_version_it_wants() {
    check(2, || {
        let (x, y) = shared((TCell::new(0_u64), TCell::new(0_u64)));
        both(
            || {
                x.store(1);
                atomically(|tx| {
                    x.write(tx, 2)?;
                    y.write(tx, 2)
                });
            },
            || {
                let (second, first) = snapshot(|tx| Ok((y.read(tx)?, x.read(tx)?)));
                assert_eq!(second == 2, first == 2, "read skew");
            },
        );
    });
}

/// A value found in the history is still there, and complete.
#[test]
fn a_value_of_the_past_is_kept_for_its_reader() {
    check(2, || {
        let (x, y) = shared((TCell::new(Payload::new(0)), TCell::new(0_u64)));
        both(
            || {
                atomically(|tx| {
                    x.write(tx, Payload::new(1))?;
                    y.write(tx, 1)
                });
                crate::collect();
            },
            || {
                let (second, first) = snapshot(|tx| Ok((y.read(tx)?, x.read_ref(tx)?.get())));
                assert_eq!(first, second, "read skew");
            },
        );
    });
}

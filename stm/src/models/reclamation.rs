//! Pinning against collecting.

use std::panic::Location;

use super::{Payload, both, check, shared};
use crate::participant::with_current;
use crate::{TCell, atomically, snapshot};

/// The fences of `announce` and `collect`, for values.
#[test]
fn a_value_is_not_destroyed_under_its_reader() {
    check(3, || {
        let cell = shared(TCell::new(Payload::new(0)));
        both(
            || {
                cell.store(Payload::new(1));
                crate::collect();
            },
            || {
                assert!(atomically(|tx| Ok(cell.read_ref(tx)?.get())) <= 1);
            },
        );
    });
}

/// The same for a single-cell read, which announces a version as well.
#[test]
fn a_value_is_not_destroyed_under_a_single_read() {
    check(3, || {
        let cell = shared(TCell::new(Payload::new(0)));
        both(
            || {
                cell.store(Payload::new(1));
                crate::collect();
            },
            || assert!(cell.load().get() <= 1),
        );
    });
}

/// The same fences, for records: one is filled in again only when no reader can walk over it.
#[test]
fn a_record_is_not_reused_under_its_reader() {
    check(2, || {
        let cell = shared(TCell::new(0_u64));
        both(
            || {
                cell.store(1);
                cell.store(2);
                crate::collect();
                cell.store(3);
            },
            || {
                let seen = snapshot(|tx| cell.read(tx));
                assert!(seen <= 3);
            },
        );
    });
}

/// Renouncing the past releases what was read before, as unpinning does, whose store it replaces.
#[test]
fn who_renounces_has_read_before() {
    check(3, || {
        let cell = shared(TCell::new(Payload::new(0)));
        both(
            || {
                cell.store(Payload::new(1));
                crate::collect();
            },
            || {
                assert!(cell.load().get() <= 1);
                with_current(|participant| {
                    participant.begin_transaction(Location::caller());
                    participant.renounce_history();
                    participant.end_transaction();
                });
            },
        );
    });
}

/// Unpinning releases what was read under the pin.
#[test]
fn what_was_read_is_read_before_it_is_destroyed() {
    check(3, || {
        let cell = shared(TCell::new(Payload::new(0)));
        both(
            || {
                cell.store(Payload::new(1));
                crate::collect();
                crate::collect();
            },
            || {
                atomically(|tx| Ok(cell.read_ref(tx)?.get()));
                with_current(|participant| assert!(participant.running().is_none()));
            },
        );
    });
}

//! Pinning against collecting.

use std::panic::Location;

use super::cells::write_version;
use super::{Payload, both, check, prepare, shared, spawn};
use crate::domain::DOMAIN;
use crate::participant::{Current, with_current};
use crate::storage;
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

/// Renouncing the past releases what was walked over before it.
#[test]
fn who_renounces_has_read_before() {
    check(3, || {
        let cell = shared(TCell::new(0_u64));
        let (reader, writer) = (prepare(), prepare());
        reader.0.begin_transaction(Location::caller());
        let version = DOMAIN.clock.now();
        // For a while this thread is the writer, whose participant then goes to the one that is spawned.
        _ = Current::take_over(writer.0);
        write_version(cell);
        write_version(cell);
        Current::give_up();
        let writer = spawn(|| {
            crate::collect();
            write_version(cell);
        });
        let reader = reader.spawn(move || {
            // SAFETY: the reader has pinned for history before the clock was sampled.
            let word = unsafe { cell.raw.read_at(version) };
            assert_eq!(word.addr(), 0, "a record was reused under its reader");
            with_current(|participant| {
                participant.renounce_history();
                participant.end_transaction();
            });
        });
        writer.join().unwrap();
        reader.join().unwrap();
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

/// The same for an `update`, which reads a value before it edits its clone.
#[test]
fn a_value_is_not_destroyed_under_an_update() {
    check(2, || {
        let cell = shared(TCell::new(Payload::new(0)));
        both(
            || {
                cell.store(Payload::new(1));
                crate::collect();
            },
            || cell.update(|value| assert!(value.get() <= 1)),
        );
    });
}

/// A pin is not ended, nor made younger, by a transaction that begins and ends under it.
#[test]
fn a_pin_outlives_the_transactions_under_it() {
    check(1, || {
        let cell = shared(TCell::new(Payload::new(0)));
        let (reader, writer) = (prepare().0, prepare().0);
        let pin = reader.pin();
        // SAFETY: the word is the cell's.
        let value: &Payload = unsafe { storage::as_ref(cell.raw.read_now().1) };
        // From here on this thread is the writer.
        _ = Current::take_over(writer);
        cell.store(Payload::new(1));
        reader.begin_transaction(Location::caller());
        crate::collect();
        assert_eq!(value.get(), 0, "destroyed under a pin");
        reader.end_transaction();
        crate::collect();
        assert_eq!(value.get(), 0, "destroyed under a pin");
        drop(pin);
        crate::collect();
        assert_eq!(value.get(), u64::MAX, "kept for nobody");
    });
}

/// A transaction that begins under a pin may walk into the past all the same.
#[test]
fn a_transaction_under_a_pin_keeps_records() {
    check(1, || {
        let cell = shared(TCell::new(0_u64));
        let (reader, writer) = (prepare().0, prepare().0);
        let pin = reader.pin();
        reader.begin_transaction(Location::caller());
        let version = DOMAIN.clock.now();
        // From here on this thread is the writer.
        _ = Current::take_over(writer);
        write_version(cell);
        write_version(cell);
        crate::collect();
        write_version(cell);
        // SAFETY: the reader has pinned for history before the clock was sampled.
        let word = unsafe { cell.raw.read_at(version) };
        assert_eq!(word.addr(), 0, "a record was reused under its reader");
        reader.end_transaction();
        drop(pin);
    });
}

//! One cell: the versioned lock against readers.

use super::{Payload, both, check, prepare, shared};
use crate::clock::Version;
use crate::domain::DOMAIN;
use crate::participant::with_current;
use crate::versioned_lock::{Limit, Owner};
use crate::{TCell, atomically};

/// Commits the version of the clock as the word of a cell, unless somebody else is about to write it. Unlike `store`,
/// it may be called inside a transaction, in place of another thread.
pub(super) fn write_version(cell: &TCell<u64>) {
    with_current(|participant| {
        let cell = &cell.raw;
        let sample = cell.lock.sample();
        if !sample.is_free() || !cell.lock.try_lock(sample, Owner { participant: participant.id(), entry: 0 }) {
            return;
        }
        let version = DOMAIN.clock.tick();
        let word = std::ptr::without_provenance_mut(version.get() as usize);
        participant.with_garbage(|garbage| {
            let record = garbage.retire();
            // SAFETY: the cell was just locked, and the record just taken.
            unsafe { cell.publish(record, sample, word, version) };
        });
    });
}

/// The re-check of the lock, and the order of the loads around it.
#[test]
fn a_word_belongs_to_its_version() {
    check(3, || {
        let cell = shared(TCell::new(0_u64));
        both(
            || write_version(cell),
            || {
                let now = DOMAIN.clock.now();
                if let Some(word) = cell.raw.read_within(Limit::at(now)) {
                    assert!(word.addr() as u64 <= now.get(), "a word from the future");
                }
            },
        );
    });
}

/// The same for a read of now.
#[test]
fn a_word_of_now_belongs_to_its_version() {
    check(3, || {
        let cell = shared(TCell::new(0_u64));
        both(
            || write_version(cell),
            || {
                let (sample, word) = cell.raw.read_now();
                let version = sample.version().get();
                assert_eq!(word.addr() as u64, if version == 1 { 0 } else { version }, "a word of another version");
            },
        );
    });
}

/// The history is complete wherever it is entered, and leads to the first version.
#[test]
fn a_history_is_complete_when_it_is_followed() {
    check(3, || {
        let cell = shared(TCell::new(0_u64));
        both(
            || {
                write_version(cell);
                write_version(cell);
            },
            || {
                // SAFETY: nobody reuses a record.
                let word = unsafe { cell.raw.read_at(Version::FIRST) };
                assert_eq!(word.addr(), 0, "a word from the future");
            },
        );
    });
}

/// Storing the word publishes what is behind it.
#[test]
fn a_value_is_complete_when_it_is_seen() {
    check(3, || {
        let cell = shared(TCell::new(Payload::new(0)));
        both(
            || cell.store(Payload::new(1)),
            || {
                let seen = atomically(|tx| Ok(cell.read_ref(tx)?.get()));
                assert!(seen <= 1);
            },
        );
        assert_eq!(atomically(|tx| Ok(cell.read_ref(tx)?.get())), 1);
    });
}

/// Of two that write one cell, neither is lost.
#[test]
fn single_updates_are_not_lost() {
    check(3, || {
        let cell = shared(TCell::new(0_u64));
        let add = || cell.update(|value| *value += 1);
        both(add, add);
        assert_eq!(cell.load(), 2);
    });
}

/// A value read by who then replaces it is complete.
#[test]
fn a_single_update_sees_the_value_before() {
    check(2, || {
        let cell = shared(TCell::new(Payload::new(0)));
        let add = || cell.update(|value| *value = Payload::new(value.get() + 1));
        both(add, add);
        assert_eq!(atomically(|tx| Ok(cell.read_ref(tx)?.get())), 2);
    });
}

/// Giving a lock back unchanged leaves what the version before had published.
#[test]
fn a_lock_that_is_given_back_hides_nothing() {
    check(2, || {
        let cell = shared(TCell::new(0_u64));
        let payload = shared(Payload::new(0));
        let (writer, locker, reader) = (prepare(), prepare(), prepare());
        let writer = writer.spawn(move || {
            // SAFETY: loom checks that nobody looks meanwhile.
            payload.0.with_mut(|value| unsafe { *value = 1 });
            let lock = &cell.raw.lock;
            while !lock.try_lock(lock.sample_unlocked(), Owner { participant: 1, entry: 0 }) {}
            lock.unlock(Version::new(2));
        });
        let locker = locker.spawn(|| {
            let lock = &cell.raw.lock;
            let sample = lock.sample();
            if !sample.is_locked() && lock.try_lock(sample, Owner { participant: 2, entry: 0 }) {
                lock.restore(sample);
            }
        });
        let reader = reader.spawn(move || {
            let sample = cell.raw.lock.sample();
            if !sample.is_locked() && sample.version() == Version::new(2) {
                assert_eq!(payload.get(), 1);
            }
        });
        writer.join().unwrap();
        locker.join().unwrap();
        reader.join().unwrap();
    });
}

//! Single-cell operations outside of a transaction: a read, or a commit of one write, without the rest.
//!
//! # Protocol
//! * **Look**: one consistent read of the present word. Bits need no pin, as the caller holds the cell.
//! * **Exchange**: read the present word, make the new one, lock the cell from the very sample that was read, draw a
//!   version, publish, unlock, wake. When the lock cannot be had, start over.
//!
//! # Invariants
//! * **U1** User code that may take long, the closure of `update`, runs on a clone, while nothing is locked and
//!   nothing is pinned on its account.
//! * **U2** A new word belongs to an [`Unpublished`] until the cell is locked, and to the cell from then on.

use std::panic::Location;

use crate::cell::TCell;
use crate::chaos;
use crate::domain::DOMAIN;
use crate::participant::{Participant, with_current};
use crate::reclaim::{Retired, Word};
use crate::storage;
use crate::sync::Patience;
use crate::versioned_lock::{Owner, Sample};

/// Calls `look` with the present value.
#[inline]
pub(crate) fn look<T: Send + Sync + 'static, R>(cell: &TCell<T>, look: impl FnOnce(&T) -> R) -> R {
    if storage::is_bits::<T>() {
        // SAFETY: the word is this cell's (S1), and bits need nothing kept alive.
        return unsafe { storage::with(cell.raw.read_now().1, look) };
    }
    with_current(|participant| {
        let _pin = participant.pin();
        // SAFETY: the word is this cell's (S1), and was read from an unlocked cell after pinning (R2).
        unsafe { storage::with(cell.raw.read_now().1, look) }
    })
}

/// Replaces the value.
#[inline]
#[track_caller]
pub(crate) fn store<T: Send + Sync + 'static>(cell: &TCell<T>, value: T) {
    let operation = Operation { name: "store", instead: "write", at: Location::caller() };
    with_current(|participant| {
        operation.assert_outside(participant);
        let mut word = Unpublished::new(value);
        let mut patience = Patience::default();
        loop {
            let (sample, ()) = read_free(participant, cell, |_| ());
            if try_publish(participant, cell, sample, &mut word) {
                return;
            }
            patience.wait();
        }
    });
}

/// Replaces the value and returns the one before.
#[inline]
#[track_caller]
pub(crate) fn swap<T: Clone + Send + Sync + 'static>(cell: &TCell<T>, value: T) -> T {
    let operation = Operation { name: "swap", instead: "replace", at: Location::caller() };
    with_current(|participant| {
        operation.assert_outside(participant);
        let mut word = Unpublished::new(value);
        let mut patience = Patience::default();
        loop {
            // SAFETY: the word is this cell's (S1), and kept alive during the call.
            let (sample, old) = read_free(participant, cell, |word| unsafe { storage::clone::<T>(word) });
            if try_publish(participant, cell, sample, &mut word) {
                return old;
            }
            patience.wait();
        }
    })
}

/// Edits the value.
#[inline]
#[track_caller]
pub(crate) fn update<T: Clone + Send + Sync + 'static, R>(cell: &TCell<T>, mut change: impl FnMut(&mut T) -> R) -> R {
    let operation = Operation { name: "update", instead: "modify", at: Location::caller() };
    with_current(|participant| {
        operation.assert_outside(participant);
        let mut patience = Patience::default();
        loop {
            // SAFETY: the word is this cell's (S1), and kept alive during the call.
            let (sample, mut value) = read_free(participant, cell, |word| unsafe { storage::clone::<T>(word) });
            let address = std::ptr::from_ref(&cell.raw).addr();
            let (result, wrote_itself) = participant.while_updating(address, || change(&mut value));
            if try_publish(participant, cell, sample, &mut Unpublished::new(value)) {
                return result;
            }
            if wrote_itself {
                operation.refuse_own_write();
            }
            patience.wait();
        }
    })
}

/// A word that has been made but not yet given to a cell; destroyed if it never is (U2).
struct Unpublished<T: 'static> {
    word: Option<Word>,
    marker: std::marker::PhantomData<T>,
}

impl<T: 'static> Unpublished<T> {
    #[inline]
    fn new(value: T) -> Self {
        Self { word: Some(storage::encode(value)), marker: std::marker::PhantomData }
    }

    /// Gives the word to a cell.
    #[inline]
    fn give_up(&mut self) -> Word {
        self.word.take().expect("a word is given to one cell")
    }
}

impl<T: 'static> Drop for Unpublished<T> {
    #[inline]
    fn drop(&mut self) {
        if let (Some(word), Some(destroy)) = (self.word.take(), storage::destructor::<T>()) {
            // SAFETY: the word was made from a `T`, is in no cell, and is not used again.
            unsafe { destroy(word) };
        }
    }
}

/// What the user called, for the message of a misuse.
#[derive(Clone, Copy)]
struct Operation {
    name: &'static str,
    instead: &'static str,
    at: &'static Location<'static>,
}

impl Operation {
    #[inline]
    fn assert_outside(self, participant: &Participant) {
        if let Some(transaction) = participant.running() {
            self.refuse(transaction);
        }
    }

    #[cold]
    fn refuse(self, transaction: &Location<'_>) -> ! {
        panic!(
            "`{}` at {} was called inside the transaction that was started at {transaction}; it would take effect \
             even if the transaction is undone: call `{}(tx, ..)` instead",
            self.name, self.at, self.instead
        );
    }

    #[cold]
    fn refuse_own_write(self) -> ! {
        panic!(
            "the closure of `{}` at {} wrote the very cell that it was to edit, so that it would have to run for ever; \
             edit the value that it is given, or use a transaction",
            self.name, self.at
        );
    }
}

/// Waits until the cell is neither locked nor owned, and hands its word to `read`, which may use it during the call.
#[inline]
fn read_free<T: Send + Sync + 'static, R>(
    participant: &Participant,
    cell: &TCell<T>,
    read: impl FnOnce(Word) -> R,
) -> (Sample, R) {
    loop {
        let pin = (!storage::is_bits::<T>()).then(|| participant.pin());
        let (sample, word) = cell.raw.read_now();
        if !sample.is_owned() {
            return (sample, read(word));
        }
        drop(pin);
        DOMAIN.token.wait_while_held(None);
    }
}

/// Commits `word` if the cell still is at `sample`, and wakes who waits for it.
#[inline]
fn try_publish<T: Send + Sync + 'static>(
    participant: &Participant,
    cell: &TCell<T>,
    sample: Sample,
    word: &mut Unpublished<T>,
) -> bool {
    chaos::point();
    if !cell.raw.lock.try_lock(sample, Owner { participant: participant.id(), entry: 0 }) {
        return false;
    }
    let word = word.give_up();
    chaos::point();
    let version = DOMAIN.clock.tick();
    chaos::point();
    if participant.is_updating() {
        participant.note_write(std::ptr::from_ref(&cell.raw).addr());
    }
    participant.with_garbage(|garbage| {
        let record = garbage.retire();
        // SAFETY: the cell was locked from `sample`, and the record was just taken.
        let word = unsafe { cell.raw.publish(record, sample, word, version) };
        if let Some(destructor) = storage::destructor::<T>() {
            garbage.retire_value(Retired { word, destructor }, version.previous());
        }
    });
    #[cfg(feature = "introspection")]
    participant.note_write_version(version);
    if sample.has_waiters() {
        chaos::point();
        DOMAIN.waiters.wake(&cell.raw);
    }
    participant.collect_if_due();
    true
}

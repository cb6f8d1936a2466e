//! Single-cell operations outside of a transaction: a read, or a commit of one write, without the rest.
//!
//! # Protocol
//! * **Look**: one consistent read of the present word. Bits need no pin, as the caller holds the cell.
//! * **Exchange**: read the present word, compute the new one, lock the cell from the very sample that was read, draw
//!   a version, publish, unlock, wake. When the lock cannot be had, start over. User code runs between the read and
//!   the lock, never under the lock.

use std::panic::Location;

use crate::cell::TCell;
use crate::domain::DOMAIN;
use crate::participant::{Participant, with_current};
use crate::reclaim::{Destructor, Word};
use crate::storage;
use crate::sync::Patience;
use crate::versioned_lock::Owner;

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
    let mut value = Some(value);
    let mut word = Unpublished::<T>::none();
    exchange(cell, operation, |_| (word.make(&mut value), ()));
    word.forget();
}

/// Replaces the value and returns the one before.
#[inline]
#[track_caller]
pub(crate) fn swap<T: Clone + Send + Sync + 'static>(cell: &TCell<T>, value: T) -> T {
    let operation = Operation { name: "swap", instead: "replace", at: Location::caller() };
    let mut value = Some(value);
    let mut word = Unpublished::<T>::none();
    let old = exchange(cell, operation, |old| {
        // SAFETY: the word is this cell's (S1), and the thread is pinned unless it is bits (R2).
        (word.make(&mut value), unsafe { storage::clone::<T>(old) })
    });
    word.forget();
    old
}

/// Edits the value.
#[inline]
#[track_caller]
pub(crate) fn update<T: Clone + Send + Sync + 'static, R>(cell: &TCell<T>, mut change: impl FnMut(&mut T) -> R) -> R {
    let operation = Operation { name: "update", instead: "modify", at: Location::caller() };
    let mut word = Unpublished::<T>::none();
    let result = exchange(cell, operation, |old| {
        // SAFETY: the word is this cell's (S1), and the thread is pinned unless it is bits (R2).
        let mut value = unsafe { storage::clone::<T>(old) };
        let result = change(&mut value);
        word.destroy();
        (word.make(&mut Some(value)), result)
    });
    word.forget();
    result
}

/// A word that has been made but not yet given to a cell; destroyed if it never is.
struct Unpublished<T: 'static> {
    word: Option<Word>,
    marker: std::marker::PhantomData<T>,
}

impl<T: 'static> Unpublished<T> {
    #[inline]
    fn none() -> Self {
        Self { word: None, marker: std::marker::PhantomData }
    }

    /// The word; made from `value` the first time.
    #[inline]
    fn make(&mut self, value: &mut Option<T>) -> Word {
        *self.word.get_or_insert_with(|| storage::encode(value.take().expect("a value is there until it is a word")))
    }

    /// Says that the word was given to a cell.
    #[inline]
    fn forget(&mut self) {
        self.word = None;
    }

    #[inline]
    fn destroy(&mut self) {
        if let (Some(word), Some(destroy)) = (self.word.take(), storage::destructor::<T>()) {
            // SAFETY: the word was made from a `T`, is in no cell, and is not used again.
            unsafe { destroy(word) };
        }
    }
}

impl<T: 'static> Drop for Unpublished<T> {
    #[inline]
    fn drop(&mut self) {
        self.destroy();
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
}

/// Replaces the word of `cell` by what `compute` makes of it. `compute` may be called several times; the words it
/// makes are its own until the last one is published.
#[inline]
fn exchange<T: Send + Sync + 'static, R>(
    cell: &TCell<T>,
    operation: Operation,
    mut compute: impl FnMut(Word) -> (Word, R),
) -> R {
    let destructor = storage::destructor::<T>();
    with_current(|participant| {
        operation.assert_outside(participant);
        let mut patience = Patience::default();
        loop {
            let pin = (!storage::is_bits::<T>()).then(|| participant.pin());
            let (sample, old) = cell.raw.read_now();
            if sample.is_owned() {
                drop(pin);
                DOMAIN.token.wait_while_held(None);
                continue;
            }
            let (new, result) = compute(old);
            if cell.raw.lock.try_lock(sample, Owner { participant: participant.id(), entry: 0 }) {
                // SAFETY: the cell is locked from `sample`, and `new` was made from a `T`.
                unsafe { commit_one(participant, &cell.raw, sample, new, destructor) };
                drop(pin);
                participant.collect_if_due();
                return result;
            }
            drop(pin);
            patience.wait();
        }
    })
}

/// Publishes one word and wakes who waits for it.
///
/// # Safety
/// This thread locked `cell` from `sample`. `word` and `destructor` are of the cell's type, and the word is given up.
#[inline]
unsafe fn commit_one(
    participant: &Participant,
    cell: &crate::cell::RawCell,
    sample: crate::versioned_lock::Sample,
    word: Word,
    destructor: Option<Destructor>,
) {
    let version = DOMAIN.clock.tick();
    let record = participant.with_garbage(|garbage| garbage.retire(destructor));
    // SAFETY: the caller holds the lock, and the record was just queued for the destructor.
    unsafe { cell.publish(record, sample, word, destructor, version) };
    if sample.has_waiters() {
        DOMAIN.waiters.wake(cell);
    }
}

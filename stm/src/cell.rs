//! Cells: a versioned lock, a word, and the history of the word.
//!
//! [`RawCell`] is the untyped cell that the whole protocol works on; [`TCell`] gives it a type.
//!
//! # Protocol
//! * **Read at a version**: sample the lock, load the word, check that the lock still is at the sample. If the sample
//!   is newer than wanted, walk the history to the first record that is not.
//! * **Publish**, while locked: fill a record with the old version and word, link it to the history, store the new
//!   word, unlock with the new version.
//!
//! # Invariants
//! * **K1** `word` and `history` change only while the cell is locked (L1), and `history` before `word`.
//! * **K2** A cell newer than [`Version::FIRST`] has a history, whose first record is the version before.
//! * **K3** `handles` is zero for ever, or the cell is a `TVar`.
//! * **K4** The cell owns the value of its word; the history owns nothing, the queues of `reclaim.rs` do.

use std::cell::UnsafeCell;
use std::fmt;
use std::marker::PhantomData;

use crate::chaos;
use crate::chunk::{self, RecordNumber};
use crate::clock::Version;
use crate::error::Stm;
use crate::handles::Handles;
use crate::reader::ReadTx;
use crate::reclaim::{Place, Record, Word};
use crate::single;
use crate::storage;
use crate::sync::{AtomicPtr, AtomicU32, Ordering};
use crate::tx::Tx;
use crate::versioned_lock::{Limit, Sample, VersionedLock};

/// An untyped cell.
#[derive(Debug)]
#[repr(C)]
pub struct RawCell {
    pub(crate) lock: VersionedLock,
    word: AtomicPtr<()>,
    /// The number of the first record of the history.
    history: AtomicU32,
    /// The handles of the cell, if it is a `TVar`; otherwise none.
    pub(crate) handles: Handles,
}

impl RawCell {
    pub(crate) fn new(word: Word, handles: Handles) -> Self {
        let history = AtomicU32::new(RecordNumber::NONE.0);
        Self { lock: VersionedLock::new(), word: AtomicPtr::new(word), history, handles }
    }

    #[inline]
    fn load_word(&self) -> Word {
        // Acquire: pairs with the release in `publish`; the value behind the word is visible, and the check of the
        // lock that follows sees the lock of whoever stored the word.
        self.word.load(Ordering::Acquire)
    }

    /// Reads the word if the cell is unlocked and within `limit`.
    #[inline]
    pub(crate) fn read_within(&self, limit: Limit) -> Option<Word> {
        let sample = self.lock.sample();
        chaos::point();
        let word = self.load_word();
        chaos::point();
        (sample.is_within(limit) && self.lock.is_still(sample)).then_some(word)
    }

    /// Reads the present word, waiting while a committer publishes.
    #[inline]
    pub(crate) fn read_now(&self) -> (Sample, Word) {
        loop {
            let sample = self.lock.sample_unlocked();
            chaos::point();
            let word = self.load_word();
            chaos::point();
            if self.lock.is_still(sample) {
                return (sample, word);
            }
        }
    }

    /// Reads the word as it was at `version`, waiting while a committer publishes.
    ///
    /// # Safety
    /// The thread has been pinned for history since before it sampled `version` from the clock.
    pub(crate) unsafe fn read_at(&self, version: Version) -> Word {
        loop {
            let sample = self.lock.sample_unlocked();
            chaos::point();
            if sample.version() > version {
                // SAFETY: the caller's duty; the cell has been replaced after `version`.
                return unsafe { self.walk(version) };
            }
            let word = self.load_word();
            chaos::point();
            if self.lock.is_still(sample) {
                return word;
            }
        }
    }

    /// # Safety
    /// As for [`read_at`](Self::read_at), and the cell has been seen newer than `version`.
    unsafe fn walk(&self, version: Version) -> Word {
        // Acquire: pairs with the release in `publish`; the record is visible, and all behind it are through it.
        let mut number = RecordNumber(self.history.load(Ordering::Acquire));
        loop {
            chaos::point();
            // SAFETY: the record was replaced by a version newer than `version`, and we pinned before, so it is kept
            // (R1, K2).
            let record = unsafe { chunk::find(number) };
            // SAFETY: as above.
            let record = unsafe { &*record };
            // SAFETY: as above; a record does not change while it is kept.
            let Record { version: written, word, previous, .. } = unsafe { record.with(|record| *record) };
            if written <= version {
                return word;
            }
            number = previous;
        }
    }

    /// Replaces the word and unlocks with `version`; fills `record` with what was replaced, and returns that word.
    ///
    /// # Safety
    /// * The calling thread locked the cell from `locked`, and drew `version` after that.
    /// * `record` is exclusively the caller's until it is published.
    #[inline]
    pub(crate) unsafe fn publish(
        &self,
        (record, number): (*const Place, RecordNumber),
        locked: Sample,
        word: Word,
        version: Version,
    ) -> Word {
        let old = Record {
            version: locked.version(),
            // Relaxed, twice: the lock was acquired, and nobody else stores while it is held (K1).
            word: self.word.load(Ordering::Relaxed),
            previous: RecordNumber(self.history.load(Ordering::Relaxed)),
            stamp: version.previous(),
        };
        // SAFETY: the record is in a chunk of ours.
        let record = unsafe { &*record };
        // SAFETY: it is exclusively ours.
        unsafe { record.with_mut(|record| *record = old) };
        // Release: pairs with the acquire in `walk`; the record is filled.
        self.history.store(number.0, Ordering::Release);
        chaos::point();
        // Release: pairs with the acquire in `load_word`; the value is complete and the lock is seen as held.
        self.word.store(word, Ordering::Release);
        chaos::point();
        self.lock.unlock(version);
        old.word
    }

    /// The word of a cell that nobody else can reach.
    fn word_mut(&mut self) -> Word {
        // Relaxed: nobody else can reach the cell.
        self.word.load(Ordering::Relaxed)
    }
}

/// A transactional cell, to be put inline in a struct: one versioned lock and a value beside it.
///
/// A `TCell` has no reference count of its own. It lives inside something that does, usually a node held by a
/// [`Shared`], which hands it out as `&'tx TCell<T>`: for as long as the transaction runs. To have one
/// cell by itself, use [`TVar`].
///
/// Numbers, `bool`, `char` and their like are stored in the cell itself. Other types of at most a machine word live
/// in a recycled slot, without an allocation once that is warm; everything else lives in a heap allocation per
/// version.
///
/// [`Shared`]: crate::Shared
/// [`TVar`]: crate::TVar
///
/// # Conflicts
/// Reading a cell conflicts with a commit that wrote it in the meantime. Two writes conflict only if one of them
/// was preceded by a read.
///
/// # Examples
/// ```
/// use optimist::{Shared, TCell, atomically};
///
/// struct Account {
///     owner: String,
///     balance: TCell<u64>,
///     transfers: TCell<u64>,
/// }
///
/// let account = Shared::new(Account { owner: "Ada".into(), balance: TCell::new(100), transfers: TCell::new(0) });
///
/// atomically(|tx| {
///     let account = account.get(tx);
///     account.balance.modify(tx, |balance| *balance -= 30)?;
///     account.transfers.modify(tx, |transfers| *transfers += 1)
/// });
/// assert_eq!(account.balance.load(), 70);
/// assert_eq!(account.owner, "Ada");
/// ```
#[repr(transparent)]
pub struct TCell<T: 'static> {
    pub(crate) raw: RawCell,
    /// Owns a `T`, and is invariant in it (S1).
    marker: PhantomData<UnsafeCell<T>>,
}

// SAFETY: a cell hands out references and clones of its value on any thread, and drops it on any thread.
unsafe impl<T: Send + Sync> Send for TCell<T> {}
// SAFETY: as above; all access to the word goes through atomics.
unsafe impl<T: Send + Sync> Sync for TCell<T> {}

impl<T: 'static> std::panic::RefUnwindSafe for TCell<T> {}
impl<T: 'static> std::panic::UnwindSafe for TCell<T> {}

impl<T: Send + Sync + 'static> TCell<T> {
    /// Makes a cell that holds `value`.
    ///
    /// # Examples
    /// ```
    /// use optimist::TCell;
    ///
    /// let cell = TCell::new(5);
    /// assert_eq!(cell.load(), 5);
    /// ```
    #[inline]
    pub fn new(value: T) -> Self {
        Self::with_handles(value, Handles::none())
    }

    #[inline]
    pub(crate) fn with_handles(value: T, handles: Handles) -> Self {
        Self { raw: RawCell::new(storage::encode(value), handles), marker: PhantomData }
    }

    /// Reads the value and clones it out.
    ///
    /// # Errors
    /// [`Abort`](crate::Abort) when the attempt must be run again; pass it on with `?`.
    ///
    /// # Examples
    /// ```
    /// use optimist::{Shared, TCell, atomically};
    ///
    /// let cell = Shared::new(TCell::new(5));
    /// assert_eq!(atomically(|tx| cell.get(tx).read(tx)), 5);
    /// ```
    #[inline]
    pub fn read<'tx>(&'tx self, tx: &mut impl ReadTx<'tx>) -> Stm<T>
    where
        T: Clone,
    {
        let word = tx.read_word(&self.raw)?;
        // SAFETY: the word is this cell's (S1), and lives as long as the transaction.
        Ok(unsafe { storage::clone(word) })
    }

    /// Reads the value in place: no clone, no reference count.
    ///
    /// The reference stays valid, and the value unchanged, until the attempt ends, also when the
    /// transaction writes the cell afterwards.
    ///
    /// # Errors
    /// [`Abort`](crate::Abort) when the attempt must be run again; pass it on with `?`.
    ///
    /// # Examples
    /// ```
    /// use optimist::{Shared, TCell, atomically};
    ///
    /// let names = Shared::new(TCell::new(vec!["Ada".to_string(), "Alan".to_string()]));
    /// let first = atomically(|tx| Ok(names.get(tx).read_ref(tx)?[0].len()));
    /// assert_eq!(first, 3);
    /// ```
    #[inline]
    pub fn read_ref<'tx>(&'tx self, tx: &mut impl ReadTx<'tx>) -> Stm<&'tx T> {
        if storage::is_bits::<T>() {
            let word = tx.read_word(&self.raw)?;
            // SAFETY: the word is this cell's, made from a `T` of bits (S1).
            Ok(tx.keep(unsafe { storage::decode_bits::<T>(word) }))
        } else {
            let word = tx.lend_word(&self.raw)?;
            // SAFETY: the word is this cell's (S1). Versions seen by an attempt are kept until it unpins (R2), and
            // its own buffered values, once lent, until it ends.
            Ok(unsafe { storage::as_ref(word) })
        }
    }

    /// Writes `value`, to appear when the transaction commits.
    ///
    /// # Errors
    /// [`Abort`](crate::Abort) when the attempt must be run again; pass it on with `?`.
    ///
    /// # Examples
    /// ```
    /// use optimist::{Shared, TCell, atomically};
    ///
    /// let cell = Shared::new(TCell::new(5));
    /// atomically(|tx| cell.get(tx).write(tx, 6));
    /// assert_eq!(cell.load(), 6);
    /// ```
    #[inline]
    pub fn write<'tx>(&'tx self, tx: &mut Tx<'tx>, value: T) -> Stm<()> {
        tx.write_word(&self.raw, storage::encode(value), storage::destructor::<T>())
    }

    /// Reads the value, lets `change` edit it, and writes it back. Returns what `change` returns.
    ///
    /// The value is cloned once; changing it again in the same transaction edits the same clone, unless
    /// [`read_ref`](Self::read_ref) lent it out or a savepoint may have to bring it back. If `change` panics and the
    /// body catches that, the value is as `change` left it.
    ///
    /// # Errors
    /// [`Abort`](crate::Abort) when the attempt must be run again; pass it on with `?`.
    ///
    /// # Examples
    /// ```
    /// use optimist::{Shared, TCell, atomically};
    ///
    /// let list = Shared::new(TCell::new(vec![1, 2]));
    /// let len = atomically(|tx| {
    ///     list.get(tx).modify(tx, |list| {
    ///         list.push(3);
    ///         list.len()
    ///     })
    /// });
    /// assert_eq!((len, list.load()), (3, vec![1, 2, 3]));
    /// ```
    #[inline]
    pub fn modify<'tx, R>(&'tx self, tx: &mut Tx<'tx>, change: impl FnOnce(&mut T) -> R) -> Stm<R>
    where
        T: Clone,
    {
        if !storage::is_bits::<T>()
            && let Some(word) = tx.editable_word(&self.raw)
        {
            // SAFETY: a buffered value of this cell (S1) that nobody has borrowed and no savepoint needs; it is
            // exclusively ours while `tx` is borrowed.
            return Ok(change(unsafe { &mut *word.cast::<T>() }));
        }
        let mut value = self.read(tx)?;
        let result = change(&mut value);
        self.write(tx, value)?;
        Ok(result)
    }

    /// Writes `value` and returns the value before.
    ///
    /// # Errors
    /// [`Abort`](crate::Abort) when the attempt must be run again; pass it on with `?`.
    ///
    /// # Examples
    /// ```
    /// use optimist::{Shared, TCell, atomically};
    ///
    /// let cell = Shared::new(TCell::new("old"));
    /// assert_eq!(atomically(|tx| cell.get(tx).replace(tx, "new")), "old");
    /// assert_eq!(cell.load(), "new");
    /// ```
    #[inline]
    pub fn replace<'tx>(&'tx self, tx: &mut Tx<'tx>, value: T) -> Stm<T>
    where
        T: Clone,
    {
        let old = self.read(tx)?;
        self.write(tx, value)?;
        Ok(old)
    }

    /// Exchanges the values of two cells.
    ///
    /// # Errors
    /// [`Abort`](crate::Abort) when the attempt must be run again; pass it on with `?`.
    ///
    /// # Examples
    /// ```
    /// use optimist::{Shared, TCell, atomically};
    ///
    /// let pair = Shared::new((TCell::new(1), TCell::new(2)));
    /// atomically(|tx| {
    ///     let (left, right) = pair.get(tx);
    ///     left.swap_with(tx, right)
    /// });
    /// assert_eq!((pair.0.load(), pair.1.load()), (2, 1));
    /// ```
    #[inline]
    pub fn swap_with<'tx>(&'tx self, tx: &mut Tx<'tx>, other: &'tx Self) -> Stm<()>
    where
        T: Clone,
    {
        if std::ptr::eq(self, other) {
            return Ok(());
        }
        let mine = self.read(tx)?;
        let theirs = other.read(tx)?;
        self.write(tx, theirs)?;
        other.write(tx, mine)
    }

    /// Reads the last committed value, outside of any transaction.
    ///
    /// Linearizable with all transactions and with other single-cell operations; see
    /// [the argument](crate::docs::orderings). Inside a transaction it reads beside it: neither its snapshot nor its
    /// own writes; use [`read`](Self::read) there.
    ///
    /// # Blocks
    /// For the nanoseconds in which a commit publishes to this very cell.
    ///
    /// # Examples
    /// ```
    /// use optimist::TCell;
    ///
    /// assert_eq!(TCell::new('x').load(), 'x');
    /// ```
    #[inline]
    pub fn load(&self) -> T
    where
        T: Clone,
    {
        single::look(self, T::clone)
    }

    /// Replaces the value, outside of any transaction, and wakes who waits for it.
    ///
    /// Equal to a transaction that only writes this cell, at a fraction of the cost.
    ///
    /// # Blocks
    /// While an [irrevocable](Tx::irrevocable) or escalated transaction owns the cell.
    ///
    /// # Panics
    /// Inside a transaction: the effect could not be undone. Use [`write`](Self::write) there.
    ///
    /// # Examples
    /// ```
    /// use optimist::TCell;
    ///
    /// let cell = TCell::new(1);
    /// cell.store(2);
    /// assert_eq!(cell.load(), 2);
    /// ```
    #[inline]
    #[track_caller]
    pub fn store(&self, value: T) {
        single::store(self, value);
    }

    /// Replaces the value, outside of any transaction, wakes who waits for it, and returns the value before.
    ///
    /// # Blocks
    /// While an [irrevocable](Tx::irrevocable) or escalated transaction owns the cell.
    ///
    /// # Panics
    /// Inside a transaction: the effect could not be undone. Use [`replace`](Self::replace) there.
    ///
    /// # Examples
    /// ```
    /// use optimist::TCell;
    ///
    /// let cell = TCell::new("old");
    /// assert_eq!(cell.swap("new"), "old");
    /// ```
    #[inline]
    #[track_caller]
    pub fn swap(&self, value: T) -> T
    where
        T: Clone,
    {
        single::swap(self, value)
    }

    /// Edits the value, outside of any transaction, wakes who waits for it, and returns what `change` returns.
    ///
    /// `change` works on a clone and is run again when another thread was faster. It may use other cells, but must
    /// not write this one.
    ///
    /// # Blocks
    /// While an [irrevocable](Tx::irrevocable) or escalated transaction owns the cell.
    ///
    /// # Panics
    /// Inside a transaction: the effect could not be undone. Use [`modify`](Self::modify) there. When `change` has
    /// written this very cell.
    ///
    /// # Examples
    /// ```
    /// use optimist::TCell;
    ///
    /// let counter = TCell::new(41);
    /// let now = counter.update(|count| {
    ///     *count += 1;
    ///     *count
    /// });
    /// assert_eq!((now, counter.load()), (42, 42));
    /// ```
    #[inline]
    #[track_caller]
    pub fn update<R>(&self, change: impl FnMut(&mut T) -> R) -> R
    where
        T: Clone,
    {
        single::update(self, change)
    }
}

impl<T: 'static> Drop for TCell<T> {
    fn drop(&mut self) {
        if let Some(destroy) = storage::destructor::<T>() {
            // SAFETY: the cell owns the value of its word (K4) and nobody else can reach the cell any more. Whoever
            // holds a reference to the value does so through a borrow of the cell, or through a `Shared`
            // whose value is dropped only after every transaction that could see it.
            unsafe { destroy(self.raw.word_mut()) };
        }
    }
}

impl<T: Send + Sync + 'static> From<T> for TCell<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Default + Send + Sync + 'static> Default for TCell<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

/// Shows the last committed value.
impl<T: fmt::Debug + Send + Sync + 'static> fmt::Debug for TCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        single::look(self, |value| f.debug_tuple("TCell").field(value).finish())
    }
}

#[cfg(feature = "serde")]
impl<T: serde::Serialize + Send + Sync + 'static> serde::Serialize for TCell<T> {
    /// Serialises the last committed value.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        single::look(self, |value| value.serialize(serializer))
    }
}

#[cfg(feature = "serde")]
impl<'de, T: serde::Deserialize<'de> + Send + Sync + 'static> serde::Deserialize<'de> for TCell<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_cell_is_three_words() {
        assert_eq!(size_of::<TCell<u64>>(), 3 * size_of::<u64>());
        assert_eq!(size_of::<TCell<String>>(), 3 * size_of::<u64>());
    }
}

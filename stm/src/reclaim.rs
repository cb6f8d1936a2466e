//! Records: what a committer keeps of the value that it replaced, and when that may be destroyed.
//!
//! A commit replaces a cell's word by another. The old word goes into a [`Record`], which serves two ends with one
//! piece of memory: it is the **history** in which a reader of the past finds the version it needs, and it is the
//! **retired value** that must be destroyed once nobody can look at it any more. Records come from a pool of the
//! thread's own, so that a warm transaction allocates nothing for them.
//!
//! # Protocol
//! 1. A thread pins before it looks at a cell: it announces a version `v` of the clock that is not newer
//!    than any `read_version` it will use (`participant.rs`).
//! 2. A committer puts each replaced word in a record with the stamp `write_version - 1`, links it to the
//!    cell's history, and queues it ([`Garbage::retire`]).
//! 3. When enough are queued, the owner of the queue looks at every participant. A record may be reused, and its
//!    value destroyed, once no announced version is as old as its stamp ([`Participant::collect`]).
//!
//! [`Participant::collect`]: crate::participant::Participant::collect
//!
//! # Invariants
//! * **R1** A record with stamp `s` is only looked at by a thread that announced a version `<= s`. A reader walks past a
//!   version only if it is newer than its `read_version`, so the record behind it, replaced by that version `w`,
//!   has `s = w - 1 >= read_version >= v`.
//! * **R2** The value of a record with stamp `s` is only looked at by a thread that announced a version `<= s`. A
//!   reader takes the word of a cell it has seen unlocked after it sampled the clock; by C2 of `clock.rs` the
//!   committer that replaces this word draws `w > v`.
//! * **R3** `previous` of a record may dangle. By R1 nobody follows it who has not announced a version that
//!   keeps the record behind it.
//! * **R4** The stamps in one queue never decrease, so a queue is destroyed from its front.
//! * **R5** No user code runs while a `&mut Garbage` exists. A destructor is taken out first and run afterwards.

use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::clock::Version;

/// What a cell holds: the bits of a small value, or the address of a value.
pub(crate) type Word = *mut ();

/// Destroys the value that a word stands for.
///
/// # Safety
/// * The word was made by the `storage` of the type that the destructor is for, and nobody uses the value any more.
/// * It is called at most once for a word.
pub(crate) type Destructor = unsafe fn(Word);

/// A value that has been replaced.
#[derive(Debug)]
pub(crate) struct Record {
    /// The version at which `word` was written.
    pub(crate) version: Version,
    pub(crate) word: Word,
    /// The record of the version before; may dangle (R3).
    pub(crate) previous: *const Record,
    /// Changed by the owner of the queue while others look at the rest.
    place: UnsafeCell<Place>,
}

/// Where a record stands on its way out.
#[derive(Clone, Copy, Debug)]
struct Place {
    stamp: Version,
    destructor: Option<Destructor>,
    next: *mut Record,
}

impl Record {
    const EMPTY: Self = Self {
        version: Version::FIRST,
        word: std::ptr::null_mut(),
        previous: std::ptr::null(),
        place: UnsafeCell::new(Place { stamp: Version::FIRST, destructor: None, next: std::ptr::null_mut() }),
    };

    /// The place of a record, for the owner of its queue.
    ///
    /// # Safety
    /// `record` is valid, and the caller owns the queue or pool that it is in, or the record itself.
    #[inline]
    unsafe fn place<'a>(record: *mut Self) -> &'a mut Place {
        // SAFETY: the record is valid; the borrow is of the cell alone, which others do not look into.
        let place = unsafe { &(*record).place };
        // SAFETY: the caller is the only one to use it, and uses one such reference at a time.
        unsafe { &mut *place.get() }
    }
}

/// A value on its way out.
#[derive(Debug)]
pub(crate) struct Retired {
    pub(crate) word: Word,
    pub(crate) destructor: Destructor,
}

impl Retired {
    /// Destroys the value. A panic of its `Drop` ends here: it has been reported by the panic hook, and there is no
    /// caller it belongs to.
    ///
    /// # Safety
    /// As for [`Destructor`].
    pub(crate) unsafe fn destroy(self) {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            // SAFETY: the caller's duty is the destructor's.
            unsafe { (self.destructor)(self.word) }
        }));
        // The payload of a panic can have a destructor that panics in turn.
        if let Err(payload) = outcome {
            std::mem::forget(payload);
        }
    }
}

/// A first-in first-out list of records, linked through `next`.
#[derive(Debug)]
struct Queue {
    first: *mut Record,
    last: *mut Record,
    len: usize,
}

impl Queue {
    const EMPTY: Self = Self { first: std::ptr::null_mut(), last: std::ptr::null_mut(), len: 0 };

    /// # Safety
    /// `record` is in no queue and exclusively the caller's.
    #[inline]
    unsafe fn push(&mut self, record: *mut Record) {
        if self.first.is_null() {
            self.first = record;
        } else {
            // SAFETY: `last` is a record of this queue, and the queue is exclusively ours.
            unsafe { Record::place(self.last) }.next = record;
        }
        self.last = record;
        self.len += 1;
    }

    /// Takes the first record if its stamp is older than `oldest` (R4).
    #[inline]
    fn pop_before(&mut self, oldest: Version) -> Option<*mut Record> {
        let record = self.first;
        if record.is_null() {
            return None;
        }
        // SAFETY: a record in the queue is valid, and the queue is exclusively ours.
        let place = unsafe { Record::place(record) };
        if place.stamp >= oldest {
            return None;
        }
        self.first = place.next;
        self.len -= 1;
        Some(record)
    }
}

/// The records of one thread: a pool, and two queues of those in use.
///
/// Records without a destructor are kept apart: they are needed by readers of the past alone, not by
/// whoever still holds a reference to a value, and so they can be reused sooner.
#[derive(Debug)]
pub(crate) struct Garbage {
    free: *mut Record,
    free_len: usize,
    words: Queue,
    values: Queue,
    collect_words_at: usize,
    collect_values_at: usize,
    chunks: Vec<Box<[Record]>>,
}

impl Garbage {
    const CHUNK: usize = 64;
    const WORDS: usize = 128;
    const VALUES: usize = 32;

    pub(crate) const fn new() -> Self {
        Self {
            free: std::ptr::null_mut(),
            free_len: 0,
            words: Queue::EMPTY,
            values: Queue::EMPTY,
            collect_words_at: Self::WORDS,
            collect_values_at: Self::VALUES,
            chunks: Vec::new(),
        }
    }

    /// Makes sure that `count` records are in the pool, so that none need be allocated while a cell is locked.
    #[inline]
    pub(crate) fn reserve(&mut self, count: usize) {
        while self.free_len < count {
            self.grow();
        }
    }

    /// Takes a reserved record from the pool. It belongs to the caller until it is retired.
    #[inline]
    pub(crate) fn record(&mut self) -> *mut Record {
        let record = self.free;
        assert!(!record.is_null(), "records are reserved before they are used");
        // SAFETY: a record of the free list is valid and exclusively ours.
        self.free = unsafe { Record::place(record) }.next;
        self.free_len -= 1;
        record
    }

    #[cold]
    fn grow(&mut self) {
        let mut chunk: Box<[Record]> = std::iter::repeat_with(|| Record::EMPTY).take(Self::CHUNK).collect();
        let base = chunk.as_mut_ptr();
        for index in 0..Self::CHUNK {
            // SAFETY: `index` is within the chunk.
            let record = unsafe { base.add(index) };
            // SAFETY: nobody else knows the chunk yet.
            unsafe { Record::place(record) }.next = self.free;
            self.free = record;
        }
        self.free_len += Self::CHUNK;
        self.chunks.push(chunk);
    }

    /// Queues a record that the caller has filled in and linked.
    ///
    /// # Safety
    /// * `record` came from [`record`](Self::record) of this pool and was not retired since.
    /// * `destructor` fits the record's word, which nobody can newly reach.
    /// * Whoever can still look at the record or its value announced a version of at most `stamp` (R1, R2).
    #[inline]
    pub(crate) unsafe fn retire(&mut self, record: *mut Record, stamp: Version, destructor: Option<Destructor>) {
        // SAFETY: the record is the caller's, in no queue yet.
        let place = unsafe { Record::place(record) };
        *place = Place { stamp, destructor, next: std::ptr::null_mut() };
        let queue = if destructor.is_some() { &mut self.values } else { &mut self.words };
        // SAFETY: the record is in no queue.
        unsafe { queue.push(record) };
    }

    /// Queues a value that is no cell's old version.
    ///
    /// # Safety
    /// As for [`retire`](Self::retire).
    pub(crate) unsafe fn retire_value(&mut self, retired: Retired, stamp: Version) {
        self.reserve(1);
        let record = self.record();
        // SAFETY: the record comes from the pool and is exclusively ours.
        unsafe { (*record).word = retired.word };
        // SAFETY: the record is ours; the rest is the caller's duty.
        unsafe { self.retire(record, stamp, Some(retired.destructor)) };
    }

    /// Whether it is worth looking for records that can be reused.
    #[inline]
    pub(crate) fn is_due(&self) -> bool {
        self.words.len >= self.collect_words_at || self.values.len >= self.collect_values_at
    }

    /// Whether a value waits for its destructor.
    pub(crate) fn has_values(&self) -> bool {
        self.values.len > 0
    }

    /// Takes back the records without a destructor that no reader of the past can need.
    pub(crate) fn recycle_words(&mut self, oldest: Version) {
        while let Some(record) = self.words.pop_before(oldest) {
            self.release(record);
        }
        self.collect_words_at = Self::next_threshold(self.words.len, Self::WORDS);
    }

    /// Takes out the next value that nobody can look at, for the caller to destroy (R5).
    pub(crate) fn next_value(&mut self, oldest: Version) -> Option<Retired> {
        let record = self.values.pop_before(oldest);
        if record.is_none() {
            self.collect_values_at = Self::next_threshold(self.values.len, Self::VALUES);
        }
        record.map(|record| self.take(record).0)
    }

    /// Takes out all values with their stamps, for another thread to destroy.
    pub(crate) fn drain_values(&mut self) -> Vec<(Retired, Version)> {
        let forever = Version::new(u64::MAX);
        let mut values = Vec::with_capacity(self.values.len);
        while let Some(record) = self.values.pop_before(forever) {
            values.push(self.take(record));
        }
        values
    }

    fn take(&mut self, record: *mut Record) -> (Retired, Version) {
        // SAFETY: the record was taken from a queue of ours.
        let Place { stamp, destructor, .. } = *unsafe { Record::place(record) };
        // SAFETY: the record is valid, and what is read has not changed since it was filled.
        let word = unsafe { (*record).word };
        self.release(record);
        let destructor = destructor.expect("only records with a destructor are queued as values");
        (Retired { word, destructor }, stamp)
    }

    /// Some records cannot go while a long reader runs: look again only after half as many more have come.
    fn next_threshold(left: usize, least: usize) -> usize {
        left + (left / 2).max(least)
    }

    #[inline]
    fn release(&mut self, record: *mut Record) {
        // SAFETY: the record was taken from a queue and nobody looks at it any more (R1).
        unsafe { Record::place(record) }.next = self.free;
        self.free = record;
        self.free_len += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn retire_word(garbage: &mut Garbage, stamp: u64) {
        garbage.reserve(1);
        let record = garbage.record();
        // SAFETY: the record is fresh and nobody else knows it.
        unsafe { garbage.retire(record, Version::new(stamp), None) };
    }

    #[test]
    fn a_record_is_kept_as_long_as_its_stamp_is_announced() {
        let mut garbage = Garbage::new();
        retire_word(&mut garbage, 3);
        retire_word(&mut garbage, 5);
        garbage.recycle_words(Version::new(3));
        assert_eq!(garbage.words.len, 2);
        garbage.recycle_words(Version::new(4));
        assert_eq!(garbage.words.len, 1);
        garbage.recycle_words(Version::new(6));
        assert_eq!(garbage.words.len, 0);
    }

    #[test]
    fn the_pool_is_reused() {
        let mut garbage = Garbage::new();
        for stamp in 0..10_000 {
            retire_word(&mut garbage, stamp);
            garbage.recycle_words(Version::new(stamp));
        }
        assert_eq!(garbage.chunks.len(), 1);
    }

    #[test]
    fn a_value_is_destroyed_once() {
        static DESTROYED: AtomicUsize = AtomicUsize::new(0);
        unsafe fn count(_: Word) {
            DESTROYED.fetch_add(1, Ordering::Relaxed);
        }
        let mut garbage = Garbage::new();
        let retired = Retired { word: std::ptr::null_mut(), destructor: count };
        // SAFETY: the destructor ignores its word.
        unsafe { garbage.retire_value(retired, Version::new(1)) };
        assert!(garbage.next_value(Version::new(1)).is_none());
        while let Some(value) = garbage.next_value(Version::new(2)) {
            // SAFETY: the destructor ignores its word.
            unsafe { value.destroy() };
        }
        assert_eq!(DESTROYED.load(Ordering::Relaxed), 1);
        assert!(!garbage.has_values());
    }
}

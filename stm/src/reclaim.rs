//! What a committer keeps of the value that it replaced, and when that may be destroyed.
//!
//! A commit replaces a cell's word by another. The old word goes into a [`Record`], the **history** in which a reader
//! of the past finds the version it needs; and, if it stands for a value that must be destroyed, into a queue of
//! **retired values**. Records stand in chunks that a thread uses again and again, so that a warm transaction
//! allocates nothing for them.
//!
//! # Protocol
//! 1. A thread pins before it looks at a cell: it announces a version `v` of the clock that is not newer than any
//!    `read_version` it will use (`participant.rs`).
//! 2. A committer takes a record for each replaced word ([`Garbage::retire`]), fills it in with the stamp
//!    `write_version - 1`, and links it to the cell's history. A value is queued with the same stamp.
//! 3. When enough are queued, the owner of the queues looks at every participant. A record may be reused once no
//!    thread that may walk into the past announces a version as old as its stamp; a value may be destroyed once
//!    nobody does ([`Participant::collect`]).
//!
//! [`Participant::collect`]: crate::participant::Participant::collect
//!
//! # Invariants
//! * **R1** A record with stamp `s` is only looked at by a thread that announced a version `<= s`. A reader walks
//!   past a version only if it is newer than its `read_version`, so the record behind it, replaced by that version
//!   `w`, has `s = w - 1 >= read_version >= v`.
//! * **R2** A value with stamp `s` is only looked at by a thread that announced a version `<= s`. A reader takes the
//!   word of a cell it has seen unlocked after it sampled the clock; by C2 of `clock.rs` the committer that replaces
//!   this word draws `w > v`.
//! * **R3** `previous` of a record may dangle. By R1 nobody follows it who has not announced a version that keeps the
//!   record behind it.
//! * **R4** The stamps in one queue never decrease, so a queue is emptied from its front.
//! * **R5** No user code runs while a `&mut Garbage` exists. A destructor is taken out first and run afterwards.
//! * **R6** Records stay with the participant whose commits they belong to, also when its thread ends. Only values
//!   are handed over.

use std::collections::VecDeque;

use crate::chunk::{Chunk, RecordNumber};
use crate::clock::Version;
use crate::swallow::swallow;
use crate::sync::NonAtomic;

/// What a cell holds: the bits of a small value, or the address of a value.
pub(crate) type Word = *mut ();

/// Destroys the value that a word stands for.
///
/// # Safety
/// * The word was made by the `storage` of the type that the destructor is for, and nobody uses the value any more.
/// * It is called at most once for a word.
pub(crate) type Destructor = unsafe fn(Word);

/// A word that has been replaced.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    /// The version at which `word` was written.
    pub(crate) version: Version,
    pub(crate) word: Word,
    /// The record of the version before; may dangle (R3).
    pub(crate) previous: RecordNumber,
    /// The last version at which `word` was there.
    pub(crate) stamp: Version,
}

/// Where a record stands. Its owner fills it in, publishes its number, and changes it again only when it is taken
/// back (R1).
pub(crate) type Place = NonAtomic<Record>;

impl Record {
    pub(crate) const EMPTY: Self = Self {
        version: Version::FIRST,
        word: std::ptr::null_mut(),
        previous: RecordNumber::NONE,
        stamp: Version::FIRST,
    };
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
        // SAFETY: the caller's duty is the destructor's.
        swallow(|| unsafe { (self.destructor)(self.word) });
    }
}

/// Records in the order of their stamps.
#[derive(Debug)]
struct Records {
    /// Where the next record goes, in the last chunk.
    next: *const Place,
    /// The end of the last chunk.
    end: *const Place,
    /// The number of `next`.
    number: RecordNumber,
    chunks: VecDeque<Chunk>,
    /// Chunks to be used again.
    spare: Vec<Chunk>,
}

impl Records {
    /// More spare chunks are given back to the allocator.
    const SPARE: usize = 32;

    const fn new() -> Self {
        Self {
            next: std::ptr::null(),
            end: std::ptr::null(),
            number: RecordNumber::NONE,
            chunks: VecDeque::new(),
            spare: Vec::new(),
        }
    }

    /// Adds a record, for the caller to fill in before anything else happens to the queue.
    #[inline]
    fn push(&mut self) -> (*const Place, RecordNumber) {
        debug_assert!(self.next != self.end);
        let (record, number) = (self.next, self.number);
        // SAFETY: the record is in the last chunk, so the one behind it is, or is the end of it.
        self.next = unsafe { record.add(1) };
        self.number = number.next();
        (record, number)
    }

    fn grow(&mut self) {
        let chunk = self.spare.pop().unwrap_or_else(Chunk::new);
        (self.next, self.end, self.number) = (chunk.at(0), chunk.at(Chunk::LEN), chunk.first_number());
        self.chunks.push_back(chunk);
    }

    /// Takes back the chunks of which all records are older than `oldest` (R4). The last one stays: it is being
    /// filled.
    fn recycle(&mut self, oldest: Version) {
        while self.chunks.len() > 1 {
            // SAFETY: the place is in the chunk.
            let last = unsafe { &*self.chunks[0].at(Chunk::LEN - 1) };
            // SAFETY: a chunk that is not the last is full, so its last record is filled in, and nobody changes it.
            let last_stamp = unsafe { last.with(|record| record.stamp) };
            if last_stamp >= oldest {
                return;
            }
            let chunk = self.chunks.pop_front().expect("there is more than one");
            if self.spare.len() < Self::SPARE {
                self.spare.push(chunk);
            }
        }
    }
}

/// A value with its stamp.
pub(crate) type Stamped = (Retired, Version);

/// What the commits of one thread have replaced.
#[derive(Debug)]
pub(crate) struct Garbage {
    records: Records,
    values: VecDeque<Stamped>,
    /// Collecting is due when there are so many chunks of records, or so many values.
    due_at: (usize, usize),
    is_due: bool,
}

impl Garbage {
    /// Collecting is worth it for so many chunks of records, or so many values.
    const DUE: (usize, usize) = (2, 64);

    pub(crate) const fn new() -> Self {
        Self { records: Records::new(), values: VecDeque::new(), due_at: Self::DUE, is_due: false }
    }

    /// Takes a record for a word that is replaced, for the caller to fill in at once. From then on whoever can look
    /// at the record has announced a version of at most its stamp (R1).
    #[inline]
    pub(crate) fn retire(&mut self) -> (*const Place, RecordNumber) {
        if self.records.next == self.records.end {
            self.grow();
        }
        self.records.push()
    }

    #[cold]
    fn grow(&mut self) {
        self.is_due |= self.records.chunks.len() >= self.due_at.0;
        self.records.grow();
    }

    /// Sets so many chunks aside.
    #[cfg(all(test, optimist_loom))]
    pub(crate) fn warm(&mut self, chunks: usize) {
        self.records.spare.extend((0..chunks).map(|_| Chunk::new()));
    }

    /// Queues a value that nobody can newly reach. Whoever can look at it has announced a version of at most `stamp`
    /// (R2).
    pub(crate) fn retire_value(&mut self, retired: Retired, stamp: Version) {
        self.values.push_back((retired, stamp));
        self.is_due |= self.values.len() >= self.due_at.1;
    }

    /// Whether it is worth looking for what can go.
    #[inline]
    pub(crate) fn is_due(&self) -> bool {
        self.is_due
    }

    /// How many values wait for their destructors.
    pub(crate) fn values(&self) -> usize {
        self.values.len()
    }

    /// Takes back the records that no reader of the past can need.
    pub(crate) fn recycle_records(&mut self, oldest: Version) {
        self.records.recycle(oldest);
    }

    /// Takes out the next value that nobody can look at, for the caller to destroy (R5).
    pub(crate) fn next_value(&mut self, oldest: Version) -> Option<Retired> {
        self.values.pop_front_if(|(_, stamp)| *stamp < oldest).map(|(retired, _)| retired)
    }

    /// Takes out all values, for another thread to destroy (R6).
    pub(crate) fn take_values(&mut self) -> Vec<Stamped> {
        self.values.drain(..).collect()
    }

    /// Says when to look again, after all has been done that can be done now. Some things cannot go while a long
    /// reader runs: look again only after half as many more have come.
    pub(crate) fn set_due(&mut self) {
        let (chunks, values) = (self.records.chunks.len(), self.values.len());
        self.due_at = (Self::DUE.0 + chunks + chunks / 2, Self::DUE.1 + values + values / 2);
        self.is_due = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn retire_word(garbage: &mut Garbage, stamp: u64) {
        let record = Record { stamp: Version::new(stamp), ..Record::EMPTY };
        // SAFETY: the record is in a chunk of `garbage`.
        let place = unsafe { &*garbage.retire().0 };
        // SAFETY: the record was just queued, and nobody else knows it.
        unsafe { place.with_mut(|place| *place = record) };
    }

    #[test]
    fn a_chunk_is_kept_as_long_as_one_of_its_stamps_is_announced() {
        let mut garbage = Garbage::new();
        (0..=2 * Chunk::LEN as u64).for_each(|stamp| retire_word(&mut garbage, stamp));
        let last_of_first = Chunk::LEN as u64 - 1;
        garbage.recycle_records(Version::new(last_of_first));
        assert_eq!(garbage.records.chunks.len(), 3);
        garbage.recycle_records(Version::new(last_of_first + 1));
        assert_eq!(garbage.records.chunks.len(), 2);
        garbage.recycle_records(Version::new(u64::MAX));
        assert_eq!(garbage.records.chunks.len(), 1, "the last chunk is being filled");
    }

    #[test]
    fn chunks_are_reused() {
        let mut garbage = Garbage::new();
        for stamp in 0..10_000 {
            retire_word(&mut garbage, stamp);
            if garbage.is_due() {
                garbage.recycle_records(Version::new(stamp));
                garbage.set_due();
            }
        }
        let chunks = garbage.records.chunks.len() + garbage.records.spare.len();
        assert!(chunks <= 2 * Garbage::DUE.0 + 1, "{chunks} chunks");
    }

    #[test]
    fn a_value_is_destroyed_once() {
        static DESTROYED: AtomicUsize = AtomicUsize::new(0);
        unsafe fn count(_: Word) {
            DESTROYED.fetch_add(1, Ordering::Relaxed);
        }
        let mut garbage = Garbage::new();
        garbage.retire_value(Retired { word: std::ptr::null_mut(), destructor: count }, Version::new(1));
        assert!(garbage.next_value(Version::new(1)).is_none());
        while let Some(value) = garbage.next_value(Version::new(2)) {
            // SAFETY: the destructor ignores its word.
            unsafe { value.destroy() };
        }
        assert_eq!(DESTROYED.load(Ordering::Relaxed), 1);
        assert_eq!(garbage.values(), 0);
    }
}

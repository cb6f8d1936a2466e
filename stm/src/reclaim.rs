//! Records: what a committer keeps of the value that it replaced, and when that may be destroyed.
//!
//! A commit replaces a cell's word by another. The old word goes into a [`Record`], which serves two ends with one
//! piece of memory: it is the **history** in which a reader of the past finds the version it needs, and it is the
//! **retired value** that must be destroyed once nobody can look at it any more. Records stand in chunks that a
//! thread uses again and again, so that a warm transaction allocates nothing for them.
//!
//! # Protocol
//! 1. A thread pins before it looks at a cell: it announces a version `v` of the clock that is not newer than any
//!    `read_version` it will use (`participant.rs`).
//! 2. A committer queues a record for each replaced word ([`Garbage::retire`]), fills it in with the stamp
//!    `write_version - 1`, and links it to the cell's history.
//! 3. When enough are queued, the owner of the queue looks at every participant. A record may be reused, and its
//!    value destroyed, once no announced version is as old as its stamp ([`Participant::collect`]).
//!
//! [`Participant::collect`]: crate::participant::Participant::collect
//!
//! # Invariants
//! * **R1** A record with stamp `s` is only looked at by a thread that announced a version `<= s`. A reader walks
//!   past a version only if it is newer than its `read_version`, so the record behind it, replaced by that version
//!   `w`, has `s = w - 1 >= read_version >= v`.
//! * **R2** The value of a record with stamp `s` is only looked at by a thread that announced a version `<= s`. A
//!   reader takes the word of a cell it has seen unlocked after it sampled the clock; by C2 of `clock.rs` the
//!   committer that replaces this word draws `w > v`.
//! * **R3** `previous` of a record may dangle. By R1 nobody follows it who has not announced a version that keeps the
//!   record behind it.
//! * **R4** The stamps in one queue never decrease, so a queue is destroyed from its front.
//! * **R5** No user code runs while a `&mut Garbage` exists. A destructor is taken out first and run afterwards.

use std::collections::VecDeque;
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
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    /// The version at which `word` was written.
    pub(crate) version: Version,
    pub(crate) word: Word,
    /// The record of the version before; may dangle (R3).
    pub(crate) previous: *const Record,
    /// The last version at which `word` was there.
    pub(crate) stamp: Version,
    pub(crate) destructor: Option<Destructor>,
}

impl Record {
    const EMPTY: Self = Self {
        version: Version::FIRST,
        word: std::ptr::null_mut(),
        previous: std::ptr::null(),
        stamp: Version::FIRST,
        destructor: None,
    };
}

/// A value on its way out.
#[derive(Debug)]
pub(crate) struct Retired {
    pub(crate) word: Word,
    pub(crate) destructor: Destructor,
}

impl Retired {
    fn of(record: Record) -> (Self, Version) {
        let destructor = record.destructor.expect("only records with a destructor are queued as values");
        (Self { word: record.word, destructor }, record.stamp)
    }

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

type Chunk = Box<[Record; Queue::CHUNK]>;

/// Records in the order of their stamps, in chunks that do not move.
#[derive(Debug)]
struct Queue {
    /// Where the next record goes, in the last chunk.
    next: *mut Record,
    /// The end of the last chunk.
    end: *mut Record,
    chunks: VecDeque<Chunk>,
    /// How many records of the first chunk have been taken.
    taken: usize,
    /// Chunks to be used again.
    spare: Vec<Chunk>,
    /// Collecting is due when there are as many chunks.
    due_at: usize,
    is_due: bool,
}

impl Queue {
    const CHUNK: usize = 64;
    /// More spare chunks are given back to the allocator.
    const SPARE: usize = 32;
    /// Collecting is worth it for this many chunks.
    const DUE: usize = 2;

    const fn new() -> Self {
        Self {
            next: std::ptr::null_mut(),
            end: std::ptr::null_mut(),
            chunks: VecDeque::new(),
            taken: 0,
            spare: Vec::new(),
            due_at: Self::DUE,
            is_due: false,
        }
    }

    /// Adds a record, for the caller to fill in before anything else happens to the queue.
    #[inline]
    fn push(&mut self) -> *mut Record {
        if self.next == self.end {
            self.grow();
        }
        let record = self.next;
        // SAFETY: the record is in the last chunk, so the one behind it is, or is the end of it.
        self.next = unsafe { record.add(1) };
        record
    }

    #[cold]
    fn grow(&mut self) {
        let mut chunk = self.spare.pop().unwrap_or_else(|| Box::new([Record::EMPTY; Self::CHUNK]));
        let records = chunk.as_mut_ptr_range();
        (self.next, self.end) = (records.start, records.end);
        self.is_due |= self.chunks.len() >= self.due_at;
        self.chunks.push_back(chunk);
    }

    fn len(&self) -> usize {
        if self.chunks.is_empty() {
            return 0;
        }
        // The end of the last chunk is behind its next record, by less than a chunk.
        let unused = (self.end.addr() - self.next.addr()) / size_of::<Record>();
        self.chunks.len() * Self::CHUNK - self.taken - unused
    }

    /// Takes the first record if its stamp is older than `oldest` (R4).
    #[inline]
    fn pop_before(&mut self, oldest: Version) -> Option<Record> {
        if self.len() == 0 {
            return None;
        }
        let record = self.chunks[0][self.taken];
        if record.stamp >= oldest {
            return None;
        }
        self.taken += 1;
        if self.taken == Self::CHUNK {
            self.taken = 0;
            let chunk = self.chunks.pop_front().expect("the record came from it");
            if self.spare.len() < Self::SPARE {
                self.spare.push(chunk);
            }
            if self.chunks.is_empty() {
                (self.next, self.end) = (std::ptr::null_mut(), std::ptr::null_mut());
            }
        }
        Some(record)
    }

    /// Some records cannot go while a long reader runs: look again only after half as many more have come.
    fn set_due(&mut self) {
        self.due_at = Self::DUE + self.chunks.len() + self.chunks.len() / 2;
        self.is_due = false;
    }
}

/// The records of one thread.
///
/// Records without a destructor are kept apart: they are needed by readers of the past alone, not by
/// whoever still holds a reference to a value, and so they can be reused sooner.
#[derive(Debug)]
pub(crate) struct Garbage {
    words: Queue,
    values: Queue,
}

impl Garbage {
    pub(crate) const fn new() -> Self {
        Self { words: Queue::new(), values: Queue::new() }
    }

    /// Queues a record for a word with this destructor. The caller fills it in at once; from
    /// then on whoever can look at the record or its value has announced a version of at most its stamp (R1, R2).
    #[inline]
    pub(crate) fn retire(&mut self, destructor: Option<Destructor>) -> *mut Record {
        if destructor.is_none() { self.words.push() } else { self.values.push() }
    }

    /// Queues a value that is no cell's old version. Whoever can look at it has announced a version of at most
    /// `stamp`.
    pub(crate) fn retire_value(&mut self, retired: Retired, stamp: Version) {
        let Retired { word, destructor } = retired;
        let record = Record { word, stamp, destructor: Some(destructor), ..Record::EMPTY };
        // SAFETY: the record was just queued, and nobody else knows it.
        unsafe { self.retire(Some(destructor)).write(record) };
    }

    /// Whether it is worth looking for records that can be reused.
    #[inline]
    pub(crate) fn is_due(&self) -> bool {
        self.words.is_due || self.values.is_due
    }

    /// How many values wait for their destructors.
    pub(crate) fn values(&self) -> usize {
        self.values.len()
    }

    /// Takes back the records without a destructor that no reader of the past can need.
    pub(crate) fn recycle_words(&mut self, oldest: Version) {
        while self.words.pop_before(oldest).is_some() {}
    }

    /// Says when to look again, after all has been done that can be done now.
    pub(crate) fn set_due(&mut self) {
        self.words.set_due();
        self.values.set_due();
    }

    /// Takes out the next value that nobody can look at, for the caller to destroy (R5).
    pub(crate) fn next_value(&mut self, oldest: Version) -> Option<Retired> {
        self.values.pop_before(oldest).map(|record| Retired::of(record).0)
    }

    /// Takes out all values with their stamps, for another thread to destroy.
    pub(crate) fn drain_values(&mut self) -> Vec<(Retired, Version)> {
        let forever = Version::new(u64::MAX);
        std::iter::from_fn(|| self.values.pop_before(forever)).map(Retired::of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn retire_word(garbage: &mut Garbage, stamp: u64) {
        let record = Record { stamp: Version::new(stamp), ..Record::EMPTY };
        // SAFETY: the record was just queued, and nobody else knows it.
        unsafe { garbage.retire(None).write(record) };
    }

    #[test]
    fn a_record_is_kept_as_long_as_its_stamp_is_announced() {
        let mut garbage = Garbage::new();
        retire_word(&mut garbage, 3);
        retire_word(&mut garbage, 5);
        garbage.recycle_words(Version::new(3));
        assert_eq!(garbage.words.len(), 2);
        garbage.recycle_words(Version::new(4));
        assert_eq!(garbage.words.len(), 1);
        garbage.recycle_words(Version::new(6));
        assert_eq!(garbage.words.len(), 0);
    }

    #[test]
    fn chunks_are_reused() {
        let mut garbage = Garbage::new();
        for stamp in 0..10_000 {
            retire_word(&mut garbage, stamp);
            if garbage.is_due() {
                garbage.recycle_words(Version::new(stamp));
                garbage.set_due();
            }
        }
        assert!(garbage.words.chunks.len() <= 2 * Queue::DUE);
    }

    #[test]
    fn a_queue_gives_back_what_was_put_in() {
        let mut garbage = Garbage::new();
        let mut next = 0;
        for stamp in 0..1000 {
            retire_word(&mut garbage, stamp);
            while stamp % 3 == 0 && next + 70 < stamp {
                assert_eq!(garbage.words.pop_before(Version::new(stamp)).map(|record| record.stamp.get()), Some(next));
                next += 1;
            }
        }
        assert_eq!(garbage.words.len() as u64, 1000 - next);
    }

    #[test]
    fn a_value_is_destroyed_once() {
        static DESTROYED: AtomicUsize = AtomicUsize::new(0);
        unsafe fn count(_: Word) {
            DESTROYED.fetch_add(1, Ordering::Relaxed);
        }
        let mut garbage = Garbage::new();
        let record = Record { stamp: Version::new(1), destructor: Some(count), ..Record::EMPTY };
        // SAFETY: the record was just queued, and nobody else knows it.
        unsafe { garbage.retire(Some(count)).write(record) };
        assert!(garbage.next_value(Version::new(1)).is_none());
        while let Some(value) = garbage.next_value(Version::new(2)) {
            // SAFETY: the destructor ignores its word.
            unsafe { value.destroy() };
        }
        assert_eq!(DESTROYED.load(Ordering::Relaxed), 1);
        assert_eq!(garbage.values(), 0);
    }
}

//! Chunks of records, and how a record is found by its number.
//!
//! A cell's history is a number of half a word rather than a pointer; the other half counts the handles of a `TVar`,
//! which is so one allocation of three words. Numbers are only followed by readers of the past.
//!
//! # Layout
//! ```text
//! record number   chunk: 26 | place in the chunk: 6
//! ```
//! Chunk zero does not exist, so that zero is no record. Chunks are found through a table of two levels.
//!
//! # Invariants
//! * **B1** A chunk has its number, and is in the table under it, from when it is made until it is dropped.
//! * **B2** A number is followed only while its record is kept (R1 of `reclaim.rs`), hence while its chunk is in the
//!   table.
//! * **B3** All that `add` did for a chunk happens before its numbers are followed. A number is found in a history,
//!   whose load acquires what its committer did before; the committer made the chunk, or took it over with its
//!   participant, whose claim acquires. The level that the chunk is in was made by it or under the lock of the numbers
//!   before. So the table needs no ordering of its own.

use std::ptr::NonNull;

use crate::reclaim::{Place, Record};
use crate::sync::{AtomicPtr, IS_MODEL, Mutex, Ordering, array, const_fn, drop_box, global, lock};

// A model has few records, and reuses them soon.
const PLACE_BITS: u32 = if IS_MODEL { 0 } else { 6 };
const LEVEL_BITS: u32 = match () {
    () if cfg!(optimist_loom) => 3,
    () if cfg!(optimist_shuttle) => 6,
    () => 12,
};
const TOP_BITS: u32 = if IS_MODEL { LEVEL_BITS } else { u32::BITS - PLACE_BITS - LEVEL_BITS };
const CHUNKS: u32 = 1 << (TOP_BITS + LEVEL_BITS);

/// The number of a record; zero for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordNumber(pub(crate) u32);

impl RecordNumber {
    pub(crate) const NONE: Self = Self(0);

    /// The record behind this one in its chunk.
    #[inline]
    pub(crate) const fn next(self) -> Self {
        // Wrapping: behind the last record of the last chunk there is none.
        Self(self.0.wrapping_add(1))
    }
}

type Level = [AtomicPtr<Place>; 1 << LEVEL_BITS];

struct Table {
    levels: [AtomicPtr<Level>; 1 << TOP_BITS],
    numbers: Mutex<Numbers>,
}

struct Numbers {
    free: Vec<u32>,
    next: u32,
}

global! {
    static TABLE: Table = Table::new();
}

impl Table {
    const_fn! {
        fn new() -> Self {
            Self {
                levels: array!(AtomicPtr::new(std::ptr::null_mut()); 1 << TOP_BITS),
                numbers: Mutex::new(Numbers { free: Vec::new(), next: 1 }),
            }
        }
    }

    fn add(&self, records: *mut Place) -> u32 {
        let mut numbers = lock(&self.numbers);
        let number = numbers.free.pop().unwrap_or_else(|| {
            numbers.next += 1;
            numbers.next - 1
        });
        if number >= CHUNKS {
            // In the middle of a commit nothing may unwind; and this many records fill 128 GiB.
            std::process::abort();
        }
        let top = &self.levels[(number >> LEVEL_BITS) as usize];
        // Relaxed: levels are made while the numbers are locked.
        let mut level = top.load(Ordering::Relaxed);
        if level.is_null() {
            let made: Box<Level> = Box::new(array!(AtomicPtr::new(std::ptr::null_mut()); 1 << LEVEL_BITS));
            level = Box::leak(made);
            // Relaxed: who follows a number to the level has acquired its making (B3).
            top.store(level, Ordering::Relaxed);
        }
        // SAFETY: levels are never freed.
        let level = unsafe { &*level };
        // Relaxed: as above; the number itself is published later, with each record (B3).
        level[number as usize % (1 << LEVEL_BITS)].store(records, Ordering::Relaxed);
        number
    }

    fn remove(&self, number: u32) {
        lock(&self.numbers).free.push(number);
    }
}

/// The record with this number.
///
/// # Safety
/// The record is kept during the use of the result (B2).
pub(crate) unsafe fn find(number: RecordNumber) -> *const Place {
    let chunk = number.0 >> PLACE_BITS;
    // Relaxed, twice: who has the number has acquired what `add` did (B3).
    let level = TABLE.levels[(chunk >> LEVEL_BITS) as usize].load(Ordering::Relaxed);
    // SAFETY: a chunk with this number is in the table (B2), so its level is there, and levels are never freed.
    let level = unsafe { &*level };
    let records = level[chunk as usize % (1 << LEVEL_BITS)].load(Ordering::Relaxed);
    // SAFETY: the place is within the chunk.
    unsafe { records.add(number.0 as usize & (Chunk::LEN - 1)) }
}

/// A piece of memory for records. It is not a `Box`, since readers look at records while their owner moves chunks.
#[derive(Debug)]
pub(crate) struct Chunk {
    records: NonNull<[Place; Chunk::LEN]>,
    number: u32,
}

impl Chunk {
    pub(crate) const LEN: usize = 1 << PLACE_BITS;

    pub(crate) fn new() -> Self {
        let records = NonNull::from(Box::leak(Box::new(array!(Place::new(Record::EMPTY); Chunk::LEN))));
        Self { records, number: TABLE.add(records.as_ptr().cast()) }
    }

    /// The record at `index`, which is at most [`LEN`](Self::LEN), the end.
    #[inline]
    pub(crate) fn at(&self, index: usize) -> *const Place {
        debug_assert!(index <= Self::LEN);
        // SAFETY: the result is within the chunk, or its end.
        unsafe { self.records.cast::<Place>().as_ptr().add(index) }
    }

    /// The number of the first record.
    pub(crate) fn first_number(&self) -> RecordNumber {
        RecordNumber(self.number << PLACE_BITS)
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        TABLE.remove(self.number);
        // SAFETY: `new` made it from such a box. A chunk is dropped when nobody looks at its records any more (R1).
        unsafe { drop_box(self.records.as_ptr()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_found_by_their_numbers() {
        let chunks: Vec<Chunk> = (0..5000).map(|_| Chunk::new()).collect();
        for chunk in &chunks {
            let mut number = chunk.first_number();
            assert_ne!(number, RecordNumber::NONE);
            for place in 0..Chunk::LEN {
                // SAFETY: the chunk is still there.
                assert!(std::ptr::eq(unsafe { find(number) }, chunk.at(place)));
                number = number.next();
            }
        }
    }
}

//! The arena: where an attempt keeps the small values that it has handed out references to.
//!
//! A value stored as bits has no address of its own; `read_ref` copies it here, where it stays until the
//! attempt ends. Chunks are reused by later attempts.
//!
//! # Invariants
//! * **A1** A chunk does not move or go while the attempt runs, and a place is written once an attempt.

use std::cell::UnsafeCell;

use crate::reclaim::Word;

const CHUNK: usize = 64;

#[derive(Debug)]
struct Chunk([UnsafeCell<Word>; CHUNK]);

/// Words kept until the attempt ends.
#[derive(Debug)]
pub(crate) struct Arena {
    #[expect(clippy::vec_box, reason = "a chunk must stay where it is when the vector grows (A1)")]
    chunks: Vec<Box<Chunk>>,
    used: usize,
}

impl Arena {
    /// More chunks than this are given back when the attempt ends.
    const KEEP: usize = 16;

    pub(crate) const fn new() -> Self {
        Self { chunks: Vec::new(), used: 0 }
    }

    /// Keeps a value; the place is valid and unchanged until [`clear`](Self::clear).
    pub(crate) fn keep<T>(&mut self, value: T) -> *const T {
        assert!(size_of::<T>() <= size_of::<Word>() && align_of::<T>() <= align_of::<Word>());
        assert!(!std::mem::needs_drop::<T>());
        let (chunk, place) = (self.used / CHUNK, self.used % CHUNK);
        if chunk == self.chunks.len() {
            self.chunks.push(Box::new(Chunk([const { UnsafeCell::new(std::ptr::null_mut()) }; CHUNK])));
        }
        self.used += 1;
        let place = self.chunks[chunk].0[place].get().cast::<T>();
        // SAFETY: the place is large and aligned enough, and nobody has a reference to it yet (A1).
        unsafe { place.write(value) };
        place
    }

    /// Forgets all values.
    #[inline]
    pub(crate) fn clear(&mut self) {
        if self.used > 0 {
            self.used = 0;
            self.chunks.truncate(Self::KEEP);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_stay_where_they_are() {
        let mut arena = Arena::new();
        let places: Vec<*const u32> = (0..1000).map(|value| arena.keep(value)).collect();
        for (value, place) in (0..).zip(places) {
            // SAFETY: the arena has not been cleared.
            assert_eq!(unsafe { *place }, value);
        }
        arena.clear();
        assert_eq!(arena.chunks.len(), Arena::KEEP);
    }
}

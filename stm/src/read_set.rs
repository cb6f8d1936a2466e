//! The read set: which cells an attempt has read.
//!
//! It holds cells without versions: each was unlocked and within the attempt's `read_version` when it was read, so
//! "unlocked and within `read_version`" is also what validation asks.
//!
//! # Invariants
//! * **D1** Every cell in the set outlives the attempt: it is borrowed for `'tx`, or its free is deferred past the
//!   attempt's pin.
//! * **D2** The set holds at most twice as many entries as distinct cells, beyond [`ReadSet::SMALL`]: before a large
//!   set grows, repeated entries are removed. So a loop over the same cells costs no memory, and validation stays
//!   linear.

use crate::cell::RawCell;
use crate::chaos;
use crate::versioned_lock::{Limit, Sample};

/// The cells read by an attempt, with what is known of their owner.
#[derive(Debug)]
pub(crate) struct ReadSet {
    cells: Vec<*const RawCell>,
}

impl ReadSet {
    /// Repetitions are not looked for below this size.
    const SMALL: usize = 1024;
    /// More capacity than this is given back when an attempt has used little of it.
    const KEEP: usize = 1 << 16;

    pub(crate) const fn new() -> Self {
        Self { cells: Vec::new() }
    }

    #[inline]
    pub(crate) fn push(&mut self, cell: &RawCell) {
        if self.cells.len() == self.cells.capacity() {
            self.make_room();
        }
        self.cells.push(cell);
    }

    #[cold]
    fn make_room(&mut self) {
        let full = self.cells.len();
        if full >= Self::SMALL {
            self.cells.sort_unstable();
            self.cells.dedup();
        }
        if self.cells.len() > full / 2 {
            self.cells.reserve(full.max(16));
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.cells.len()
    }

    /// The cells, some perhaps repeated.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &RawCell> {
        // SAFETY: the cells outlive the attempt (D1), and the set is cleared when it ends.
        self.cells.iter().map(|cell| unsafe { &**cell })
    }

    /// Whether no cell has changed, waiting for committers that are publishing. The caller holds no lock.
    pub(crate) fn is_unchanged(&self, limit: Limit) -> bool {
        self.iter().all(|cell| {
            chaos::point();
            cell.lock.sample_unlocked().is_within(limit)
        })
    }

    /// Whether no cell has changed; `mine` gives the sample that a lock of the caller's own replaced.
    #[inline]
    pub(crate) fn is_valid(&self, limit: Limit, mine: impl Fn(Sample) -> Option<Sample>) -> bool {
        self.iter().all(|cell| {
            chaos::point();
            let sample = cell.lock.sample();
            sample.is_within(limit)
                || sample.is_locked() && mine(sample).is_some_and(|replaced| replaced.is_within(limit))
        })
    }

    #[inline]
    pub(crate) fn clear(&mut self) {
        let used = self.cells.len();
        self.cells.clear();
        if self.cells.capacity() > Self::KEEP {
            self.shrink(used);
        }
    }

    /// Gives memory back; not from one large transaction to the next, but when they have become small again.
    #[cold]
    #[inline(never)]
    fn shrink(&mut self, used: usize) {
        if used < self.cells.capacity() / 8 {
            self.cells.shrink_to(Self::KEEP);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handles::Handles;

    #[test]
    fn a_loop_over_few_cells_does_not_grow_the_set() {
        let cells: Vec<RawCell> = (0..8).map(|_| RawCell::new(std::ptr::null_mut(), Handles::none())).collect();
        let mut reads = ReadSet::new();
        for _ in 0..100_000 {
            cells.iter().for_each(|cell| reads.push(cell));
        }
        assert!(reads.len() <= 2 * ReadSet::SMALL, "{} entries for 8 cells", reads.len());
        for cell in &cells {
            assert!(reads.iter().any(|read| std::ptr::eq(read, cell)));
        }
    }

    #[test]
    fn removing_repetitions_keeps_every_cell() {
        let cells: Vec<RawCell> = (0..8).map(|_| RawCell::new(std::ptr::null_mut(), Handles::none())).collect();
        for first in &cells {
            let mut reads = ReadSet::new();
            reads.push(first);
            let others = cells.iter().filter(|cell| !std::ptr::eq(*cell, first));
            others.cycle().take(10_000).for_each(|cell| reads.push(cell));
            assert!(reads.iter().any(|read| std::ptr::eq(read, first)), "a cell was lost");
        }
    }
}

//! The write set: what an attempt will write, and how parts of it are undone.
//!
//! Small sets are scanned; larger ones have a hash index, so that a transaction of 100,000 writes stays linear.
//!
//! # Protocol: savepoints
//! Every savepoint has a level, larger than all before. An entry remembers the level at which its word was buffered.
//! Overwriting a word of an older level first saves it in the undo log; rolling back takes the log back to
//! the savepoint, in reverse, and cuts off the entries made since.
//!
//! # Invariants
//! * **W1** Every cell in the set outlives the attempt, as in D1 of `read_set.rs`.
//! * **W2** A cell has at most one entry. When `may_contain` says no, it has none.
//! * **W3** A word is owned by exactly one of: an entry, the undo log, the graveyard, a published cell.
//! * **W4** Words that were lent out stay alive until the attempt ends: displaced words go to the graveyard.

use hashbrown::HashTable;

use crate::cell::RawCell;
use crate::hash::hash;
use crate::reclaim::{Destructor, Retired, Word};
use crate::versioned_lock::Sample;

/// What will be written to one cell.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) cell: *const RawCell,
    pub(crate) word: Word,
    pub(crate) destructor: Option<Destructor>,
    /// The sample that the attempt's lock replaced, while it holds one.
    pub(crate) locked: Sample,
    standing: Standing,
}

/// The level at which a word was buffered, and in the lowest bit whether a reference to its value has been handed out.
#[derive(Clone, Copy, Debug)]
struct Standing(u64);

impl Standing {
    #[inline]
    fn at(level: u64) -> Self {
        Self(level << 1)
    }

    fn level(self) -> u64 {
        self.0 >> 1
    }

    fn is_lent(self) -> bool {
        self.0 & 1 != 0
    }

    fn lent(self) -> Self {
        Self(self.0 | 1)
    }
}

const _: () = assert!(size_of::<Entry>() == 5 * size_of::<usize>(), "a commit goes through all entries");

impl Entry {
    /// The cell to write.
    #[inline]
    pub(crate) fn cell(&self) -> &RawCell {
        // SAFETY: the cell outlives the attempt (W1), and the set is cleared when it ends.
        unsafe { &*self.cell }
    }
}

#[derive(Debug)]
struct Undo {
    index: usize,
    word: Word,
    standing: Standing,
}

/// How far the write set had got.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    entries: usize,
    undo: usize,
    outer_level: u64,
}

/// The buffered writes of an attempt.
#[derive(Debug)]
pub(crate) struct WriteSet {
    filter: u64,
    entries: Vec<Entry>,
    index: HashTable<u32>,
    undo: Vec<Undo>,
    graveyard: Vec<Retired>,
    level: u64,
    last_level: u64,
    /// How many entries the attempt had, once it has ended.
    used: usize,
}

#[inline]
fn filter_bit(cell: *const RawCell) -> u64 {
    1 << (hash(cell.addr()) >> 58)
}

impl WriteSet {
    /// Sets up to this size are scanned.
    const SCANNED: usize = 12;
    /// More capacity than this is given back when an attempt has used little of it.
    const KEEP: usize = 1 << 14;

    pub(crate) const fn new() -> Self {
        Self {
            filter: 0,
            entries: Vec::new(),
            index: HashTable::new(),
            undo: Vec::new(),
            graveyard: Vec::new(),
            level: 0,
            last_level: 0,
            used: 0,
        }
    }

    /// Whether `cell` may have an entry; usually right when it says so, always when it says no.
    #[inline]
    pub(crate) fn may_contain(&self, cell: &RawCell) -> bool {
        self.filter != 0 && self.filter & filter_bit(cell) != 0
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    #[inline]
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    #[inline]
    pub(crate) fn entries_mut(&mut self) -> &mut [Entry] {
        &mut self.entries
    }

    /// The entry of `cell`, after `may_contain`.
    fn position(&self, cell: &RawCell) -> Option<usize> {
        if self.entries.len() <= Self::SCANNED {
            return self.entries.iter().position(|entry| std::ptr::eq(entry.cell, cell));
        }
        let found = self.index.find(hash(std::ptr::from_ref(cell).addr()), |index| {
            std::ptr::eq(self.entries[*index as usize].cell, cell)
        });
        found.map(|index| *index as usize)
    }

    /// The word buffered for `cell`.
    pub(crate) fn get(&self, cell: &RawCell) -> Option<Word> {
        self.position(cell).map(|index| self.entries[index].word)
    }

    /// The word buffered for `cell`, to be lent out until the attempt ends.
    pub(crate) fn lend(&mut self, cell: &RawCell) -> Option<Word> {
        let index = self.position(cell)?;
        let entry = &mut self.entries[index];
        entry.standing = entry.standing.lent();
        Some(entry.word)
    }

    /// The word buffered for `cell`, if its value may be edited in place.
    pub(crate) fn editable(&self, cell: &RawCell) -> Option<Word> {
        let entry = &self.entries[self.position(cell)?];
        (!entry.standing.is_lent() && entry.standing.level() >= self.level).then_some(entry.word)
    }

    /// Adds an entry for a cell that has none.
    #[inline]
    pub(crate) fn push(&mut self, cell: &RawCell, word: Word, destructor: Option<Destructor>) {
        self.filter |= filter_bit(cell);
        if self.entries.len() >= self.entries.capacity().min(Self::SCANNED) {
            self.push_to_large(cell, word, destructor);
            return;
        }
        self.push_entry(cell, word, destructor);
    }

    #[inline(always)]
    fn push_entry(&mut self, cell: &RawCell, word: Word, destructor: Option<Destructor>) {
        let standing = Standing::at(self.level);
        self.entries.push(Entry { cell, word, destructor, locked: Sample::NONE, standing });
    }

    /// Adds an entry where there is no room, or an index.
    #[cold]
    #[inline(never)]
    fn push_to_large(&mut self, cell: &RawCell, word: Word, destructor: Option<Destructor>) {
        if self.entries.capacity() < Self::SCANNED {
            self.entries.reserve(Self::SCANNED);
        }
        self.push_entry(cell, word, destructor);
        if self.entries.len() > Self::SCANNED {
            self.add_to_index();
        }
    }

    fn add_to_index(&mut self) {
        let Self { entries, index, .. } = self;
        let rehash = |index: &u32| hash(entries[*index as usize].cell.addr());
        let indexed = index.len();
        for (at, entry) in entries.iter().enumerate().skip(indexed) {
            let at = u32::try_from(at).expect("a transaction writes fewer than 2^32 cells");
            index.insert_unique(hash(entry.cell.addr()), at, rehash);
        }
    }

    /// Replaces the word buffered for `cell`; false if there is none.
    pub(crate) fn overwrite(&mut self, cell: &RawCell, word: Word) -> bool {
        let Some(index) = self.position(cell) else { return false };
        let entry = &mut self.entries[index];
        let old = std::mem::replace(&mut entry.word, word);
        if entry.standing.level() < self.level {
            self.undo.push(Undo { index, word: old, standing: entry.standing });
        } else if let Some(destructor) = entry.destructor {
            self.graveyard.push(Retired { word: old, destructor });
        }
        entry.standing = Standing::at(self.level);
        true
    }

    /// Keeps a word that will not be written, to be destroyed when the attempt has ended.
    pub(crate) fn bury(&mut self, word: Word, destructor: Option<Destructor>) {
        if let Some(destructor) = destructor {
            self.graveyard.push(Retired { word, destructor });
        }
    }

    /// Begins a savepoint.
    pub(crate) fn mark(&mut self) -> Mark {
        let mark = Mark { entries: self.entries.len(), undo: self.undo.len(), outer_level: self.level };
        self.last_level += 1;
        self.level = self.last_level;
        mark
    }

    /// Ends a savepoint, keeping what was written since. What the undo log holds is still needed by those outside it.
    pub(crate) fn keep(&mut self, mark: Mark) {
        self.level = mark.outer_level;
    }

    /// Ends a savepoint, taking back what was written since.
    pub(crate) fn roll_back(&mut self, mark: Mark) {
        let Self { undo, entries, graveyard, .. } = self;
        for undo in undo.drain(mark.undo..).rev() {
            let entry = &mut entries[undo.index];
            let newer = std::mem::replace(&mut entry.word, undo.word);
            entry.standing = undo.standing;
            if let Some(destructor) = entry.destructor {
                graveyard.push(Retired { word: newer, destructor });
            }
        }
        if mark.entries == 0 {
            self.index.clear();
        } else if mark.entries < self.index.len() {
            let cut = u32::try_from(mark.entries).expect("an index holds 32 bits");
            self.index.retain(|index| *index < cut);
        }
        for entry in self.entries.drain(mark.entries..) {
            if let Some(destructor) = entry.destructor {
                self.graveyard.push(Retired { word: entry.word, destructor });
            }
        }
        self.level = mark.outer_level;
    }

    /// Moves all words that will not be published to the graveyard.
    pub(crate) fn bury_all(&mut self) {
        self.used = self.entries.len();
        self.roll_back(Mark { entries: 0, undo: 0, outer_level: 0 });
    }

    /// Empties the set after its words were published. Saved words of the undo log are displaced ones.
    #[inline]
    pub(crate) fn clear_published(&mut self) {
        if !self.undo.is_empty() {
            self.bury_undo();
        }
        self.used = self.entries.len();
        self.entries.clear();
    }

    #[cold]
    fn bury_undo(&mut self) {
        for undo in self.undo.drain(..) {
            if let Some(destructor) = self.entries[undo.index].destructor {
                self.graveyard.push(Retired { word: undo.word, destructor });
            }
        }
    }

    /// Whether there are displaced words to destroy.
    #[inline]
    pub(crate) fn has_buried(&self) -> bool {
        !self.graveyard.is_empty()
    }

    /// Takes out the displaced words, to be destroyed once the attempt has ended.
    pub(crate) fn take_buried(&mut self) -> Vec<Retired> {
        std::mem::take(&mut self.graveyard)
    }

    /// Gets an empty set ready for the next attempt.
    #[inline]
    pub(crate) fn reset(&mut self) {
        debug_assert!(self.entries.is_empty() && self.undo.is_empty());
        self.filter = 0;
        if !self.index.is_empty() || self.entries.capacity() > Self::KEEP {
            self.reset_large();
        }
    }

    /// Forgets the levels of savepoints.
    pub(crate) fn reset_levels(&mut self) {
        self.level = 0;
        self.last_level = 0;
    }

    #[cold]
    fn reset_large(&mut self) {
        let used = std::mem::take(&mut self.used);
        self.index.clear();
        // Kept from one large transaction to the next, but not when they have become small again.
        if used < self.entries.capacity() / 8 && self.entries.capacity() > Self::KEEP {
            self.entries.shrink_to(Self::KEEP);
            self.index.shrink_to(Self::KEEP, |_| 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handles::Handles;

    fn cells(count: usize) -> Vec<RawCell> {
        (0..count).map(|_| RawCell::new(std::ptr::null_mut(), Handles::none())).collect()
    }

    fn word(value: usize) -> Word {
        std::ptr::without_provenance_mut(value)
    }

    #[test]
    fn a_large_set_finds_every_cell() {
        let cells = cells(1000);
        let mut writes = WriteSet::new();
        for (value, cell) in cells.iter().enumerate() {
            assert_eq!(writes.get(cell), None);
            writes.push(cell, word(value), None);
        }
        for (value, cell) in cells.iter().enumerate() {
            assert_eq!(writes.get(cell), Some(word(value)));
        }
    }

    #[test]
    fn rolling_back_restores_words_and_forgets_cells() {
        let cells = cells(100);
        let mut writes = WriteSet::new();
        writes.push(&cells[0], word(1), None);
        let outer = writes.mark();
        assert!(writes.overwrite(&cells[0], word(2)));
        let inner = writes.mark();
        assert!(writes.overwrite(&cells[0], word(3)));
        cells[1..].iter().for_each(|cell| writes.push(cell, word(9), None));
        writes.roll_back(inner);
        assert_eq!(writes.get(&cells[0]), Some(word(2)));
        assert_eq!(writes.get(&cells[50]), None);
        cells[1..].iter().for_each(|cell| writes.push(cell, word(8), None));
        assert_eq!(writes.get(&cells[99]), Some(word(8)));
        writes.roll_back(outer);
        assert_eq!(writes.get(&cells[0]), Some(word(1)));
        assert_eq!(writes.entries().len(), 1);
    }

    #[test]
    fn a_kept_savepoint_is_undone_with_the_one_around_it() {
        let cells = cells(1);
        let mut writes = WriteSet::new();
        writes.push(&cells[0], word(1), None);
        let outer = writes.mark();
        let inner = writes.mark();
        assert!(writes.overwrite(&cells[0], word(2)));
        writes.keep(inner);
        assert!(writes.overwrite(&cells[0], word(3)));
        writes.roll_back(outer);
        assert_eq!(writes.get(&cells[0]), Some(word(1)));
    }
}

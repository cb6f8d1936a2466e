//! The order of the versions of each cell, as far as the history tells it.
//!
//! See the module above for where it comes from. Only what committed transactions left in cells is a version.

use std::collections::HashMap;

use super::index::Index;
use super::{CellId, INITIAL, WriteId};

/// More transactions that replaced the same version than this are not looked at: two are an anomaly already.
const SUCCESSORS_MAX: usize = 2;

/// The versions of the cells.
#[derive(Debug)]
pub(super) struct Versions {
    /// Who replaced a version.
    successors: HashMap<(CellId, WriteId), Vec<usize>>,
    /// What a writer replaced: writer, cell, version.
    pub(super) replaced: Vec<(usize, CellId, WriteId)>,
    /// For each cell, its writers of whom it is not known what they replaced, in the order in which they began.
    pub(super) blind: Vec<Vec<usize>>,
    /// For each cell that has some of these, all its writers in the order in which they ended.
    pub(super) writers: Vec<Vec<usize>>,
    /// The place of each of them in that order.
    pub(super) places: HashMap<(CellId, usize), usize>,
}

impl Versions {
    /// Puts the versions in order.
    pub(super) fn new(index: &Index<'_>) -> Self {
        let history = index.history;
        let mut versions = Self {
            successors: HashMap::new(),
            replaced: Vec::new(),
            blind: vec![Vec::new(); history.cells()],
            writers: vec![Vec::new(); history.cells()],
            places: HashMap::new(),
        };
        let guards: HashMap<CellId, CellId> = history.guards().iter().map(|guard| (guard.cell, guard.by)).collect();
        let attempts = history.attempts();
        for writer in (0..attempts.len()).filter(|&attempt| attempts[attempt].is_committed()) {
            for &(cell, _) in &index.writes[writer] {
                versions.writers[cell].push(writer);
                match replaced(index, &guards, writer, cell) {
                    Some(version) => versions.add(writer, cell, version),
                    None => versions.blind[cell].push(writer),
                }
            }
        }
        for cell in 0..history.cells() {
            if versions.blind[cell].is_empty() {
                versions.writers[cell].clear();
            }
            versions.blind[cell].sort_by_key(|&writer| attempts[writer].begin);
            versions.writers[cell].sort_by_key(|&writer| attempts[writer].last_tick());
            let places = versions.writers[cell].iter().enumerate();
            versions.places.extend(places.map(|(place, &writer)| ((cell, writer), place)));
        }
        versions
    }

    /// Who replaced a version; more than one is an anomaly.
    pub(super) fn successors(&self, cell: CellId, version: WriteId) -> &[usize] {
        self.successors.get(&(cell, version)).map_or(&[], Vec::as_slice)
    }

    fn add(&mut self, writer: usize, cell: CellId, version: WriteId) {
        self.replaced.push((writer, cell, version));
        let successors = self.successors.entry((cell, version)).or_default();
        if successors.len() < SUCCESSORS_MAX {
            successors.push(writer);
        }
    }
}

/// What `writer` replaced in `cell`, if it is known.
fn replaced(index: &Index<'_>, guards: &HashMap<CellId, CellId>, writer: usize, cell: CellId) -> Option<WriteId> {
    if let Some(seen) = index.seen_in(writer, cell) {
        return Some(seen);
    }
    let guard = *guards.get(&cell)?;
    index.left_in(writer, guard)?;
    match index.seen_in(writer, guard)? {
        INITIAL => Some(INITIAL),
        version => index.left_in(index.writer(version)?, cell),
    }
}

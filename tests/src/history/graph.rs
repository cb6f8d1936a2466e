//! The direct serialization graph: which attempt must come before which, and why.
//!
//! # Nodes
//! The attempts come first, under their own numbers; then barriers. A barrier stands for many edges of the same kind: what
//! enters a chain of barriers comes before all that leaves it further on. So the graph is linear in the history.
//!
//! # Edges
//! * Write-read: the writer of a version before who saw it.
//! * Write-write: the writer of a version before who replaced it.
//! * Read-write: who saw a version before who replaced it.
//! * Real time: who ended before who began later; and a thread's attempts in their order.
//!
//! Blind writes whose place is unknown get two chains per cell. **Later**: who saw a version comes before each blind
//! writer that began after the writer of that version ended, and all of them come after the initial version. **Earlier**: a
//! writer that ended before a reader began comes before the writer of what that reader saw.

use super::Tick;
use super::check::LinkKind;
use super::index::Index;
use super::versions::Versions;

/// Direct edges from the **Earlier** rule for one read; the right ones are no more than threads, so that this is generous.
const EARLIER_MAX: usize = 32;

/// One edge.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    pub(super) to: usize,
    /// Nothing within a chain, and where the kind is told at its other end.
    pub(super) kind: Option<LinkKind>,
}

/// What is in the graph.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope {
    /// Attempts that did not commit too, as readers only.
    pub(super) all_attempts: bool,
    pub(super) real_time: bool,
}

/// The graph.
#[derive(Debug)]
pub(super) struct Graph {
    /// How many nodes are attempts.
    pub(super) attempts: usize,
    pub(super) edges: Vec<Vec<Edge>>,
}

impl Graph {
    /// Builds the graph of what is in `scope`.
    pub(super) fn new(index: &Index<'_>, versions: &Versions, scope: Scope) -> Self {
        let attempts = index.history.attempts().len();
        let mut graph = Self { attempts, edges: vec![Vec::new(); attempts] };
        let is_in = |attempt: usize| scope.all_attempts || index.history.attempts()[attempt].is_committed();
        let included: Vec<usize> = (0..attempts).filter(|&attempt| is_in(attempt)).collect();
        graph.add_known(index, versions, &included);
        for cell in 0..index.history.cells() {
            if !versions.blind[cell].is_empty() {
                graph.add_later(index, versions, &included, cell, scope);
                if scope.real_time {
                    graph.add_earlier(index, versions, &included, cell);
                }
            }
        }
        if scope.real_time {
            graph.add_real_time(index, &included);
        }
        graph
    }

    fn add(&mut self, from: usize, to: usize, kind: Option<LinkKind>) {
        debug_assert_ne!(from, to, "nothing comes before itself");
        self.edges[from].push(Edge { to, kind });
    }

    /// Adds `length` barriers, each before the next, and returns the first.
    fn add_chain(&mut self, length: usize) -> usize {
        let first = self.edges.len();
        self.edges.resize(first + length, Vec::new());
        for barrier in first + 1..first + length {
            self.add(barrier - 1, barrier, None);
        }
        first
    }

    /// Adds the edges of versions whose successor is known.
    fn add_known(&mut self, index: &Index<'_>, versions: &Versions, included: &[usize]) {
        for &reader in included {
            for &(cell, version) in &index.reads[reader] {
                if let Some(writer) = index.writer(version) {
                    self.add(writer, reader, Some(LinkKind::WriteRead(cell)));
                }
                for &successor in versions.successors(cell, version).iter().filter(|&&next| next != reader) {
                    self.add(reader, successor, Some(LinkKind::ReadWrite(cell)));
                }
            }
        }
        for &(writer, cell, version) in &versions.replaced {
            if let Some(before) = index.writer(version) {
                self.add(before, writer, Some(LinkKind::WriteWrite(cell)));
            }
        }
    }

    /// Adds who saw a version of a cell before blind writers that came later.
    fn add_later(&mut self, index: &Index<'_>, versions: &Versions, included: &[usize], cell: usize, scope: Scope) {
        let attempts = index.history.attempts();
        let blind = &versions.blind[cell];
        let chain = self.add_chain(blind.len());
        for (place, &writer) in blind.iter().enumerate() {
            self.add(chain + place, writer, None);
        }
        for &reader in included {
            let Some(version) = index.seen_in(reader, cell) else { continue };
            let first = match index.writer(version) {
                None => 0,
                Some(_) if !scope.real_time => continue,
                Some(writer) => {
                    let end = attempts[writer].last_tick();
                    blind.partition_point(|&later| attempts[later].begin <= end)
                }
            };
            if first < blind.len() {
                self.add(reader, chain + first, Some(LinkKind::ReadWrite(cell)));
            }
        }
    }

    /// Adds writers of a cell that ended before somebody began who saw another's version.
    fn add_earlier(&mut self, index: &Index<'_>, versions: &Versions, included: &[usize], cell: usize) {
        let attempts = index.history.attempts();
        let writers = &versions.writers[cell];
        let chain = self.add_chain(writers.len());
        for (place, &writer) in writers.iter().enumerate() {
            self.add(writer, chain + place, None);
        }
        for &reader in included {
            let Some(writer) = index.seen_in(reader, cell).and_then(|version| index.writer(version)) else { continue };
            let place = versions.places[&(cell, writer)];
            let ended = writers.partition_point(|&other| attempts[other].last_tick() < attempts[reader].begin);
            let kind = Some(LinkKind::SeenLater { cell, reader });
            if let Some(last) = ended.min(place).checked_sub(1) {
                self.add(chain + last, writer, kind);
            }
            // Who began after the writer ended is left to the rule of later writers, which names the reader.
            let end = attempts[writer].last_tick();
            let others = writers[..ended].iter().skip(place + 1).take(EARLIER_MAX);
            for &other in others.filter(|&&other| attempts[other].begin <= end) {
                self.add(other, writer, kind);
            }
        }
    }

    /// Adds real time: a barrier at each end, in order.
    fn add_real_time(&mut self, index: &Index<'_>, included: &[usize]) {
        let attempts = index.history.attempts();
        let mut ends: Vec<(Tick, usize)> =
            included.iter().filter_map(|&attempt| attempts[attempt].end.map(|end| (end, attempt))).collect();
        ends.sort_unstable();
        let first = self.add_chain(ends.len());
        for (place, &(_, attempt)) in ends.iter().enumerate() {
            self.add(attempt, first + place, Some(LinkKind::RealTime));
        }
        let mut last_of_thread = std::collections::HashMap::new();
        for &attempt in included {
            let ended = ends.partition_point(|&(end, _)| end < attempts[attempt].begin);
            if let Some(last) = ended.checked_sub(1) {
                self.add(first + last, attempt, None);
            }
            if let Some(before) = last_of_thread.insert(attempts[attempt].thread, attempt) {
                self.add(before, attempt, Some(LinkKind::RealTime));
            }
        }
    }
}

//! The certificate: the versions that the runtime itself gave attempts and commits explain what everybody saw.
//!
//! The graph proves that *some* order exists; the certificate, that the one the runtime believes in is one. So it
//! finds faults before they do damage, and needs no guard to know in which order blind writes came. Attempts without
//! versions, as of older files, are left out, and so are cells of which a writer has none.
//!
//! # Protocol
//! 1. No two commits have one write version, and each is newer than what its attempt read at.
//! 2. What an attempt saw in a cell is the newest version of it at or below the attempt's read version; and for a commit
//!    also the newest below its write version, since nothing that it read may have changed.
//! 3. Along the edges of the graph, real time among them, versions do not decrease. A writer stands at its write version, and
//!    a reader behind the writer of its read version.

use std::collections::HashMap;

use super::check::{Anomaly, Finding};
use super::graph::Graph;
use super::index::Index;
use super::versions::Versions;
use super::{CellId, INITIAL, Version, WriteId};

/// Where an attempt stands in the order by versions; readers behind the writer.
type Position = (Version, bool);

/// Checks the versions of a history whose graph has no cycle.
pub(super) fn check(index: &Index<'_>, versions: &Versions, graph: &Graph) -> Result<(), Finding> {
    check_commits(index)?;
    let cells = Cells::new(index);
    for reader in 0..index.history.attempts.len() {
        cells.check_reader(index, reader)?;
    }
    for &(writer, cell, version) in &versions.replaced {
        cells.check_unchanged(index, writer, cell, version)?;
    }
    check_order(index, graph)
}

fn finding(anomaly: Anomaly, members: Vec<usize>, message: String) -> Finding {
    Finding { anomaly, members, links: Vec::new(), message: Some(message) }
}

fn check_commits(index: &Index<'_>) -> Result<(), Finding> {
    let mut commits = HashMap::new();
    for (number, attempt) in index.history.attempts.iter().enumerate() {
        let Some(written) = attempt.write_version else { continue };
        if let Some(other) = commits.insert(written, number) {
            let message = format!("A and B both wrote at version {written}");
            return Err(finding(Anomaly::VersionTwice, vec![other, number], message));
        }
        if let Some(read) = attempt.read_version.filter(|read| *read >= written) {
            let message = format!("A read at version {read}, but wrote at {written}");
            return Err(finding(Anomaly::VersionOrder, vec![number], message));
        }
    }
    Ok(())
}

/// One version of a cell.
#[derive(Clone, Copy, Debug)]
struct Left {
    at: Version,
    id: WriteId,
    writer: usize,
}

/// The versions of each cell, oldest first; nothing for a cell with a writer of unknown version.
struct Cells(Vec<Option<Vec<Left>>>);

impl Cells {
    fn new(index: &Index<'_>) -> Self {
        let mut cells = vec![Some(Vec::new()); index.history.cells()];
        for (writer, attempt) in index.history.attempts.iter().enumerate().filter(|(_, attempt)| attempt.is_committed())
        {
            for &(cell, id) in &index.writes[writer] {
                match attempt.write_version {
                    Some(at) => _ = cells[cell].as_mut().map(|left| left.push(Left { at, id, writer })),
                    None => cells[cell] = None,
                }
            }
        }
        cells.iter_mut().flatten().for_each(|left| left.sort_unstable_by_key(|left| left.at));
        Self(cells)
    }

    /// The newest version of a cell that is `early` enough: its id, and its writer unless it is the initial one. Nothing if
    /// it is not known.
    fn newest(&self, cell: CellId, early: impl Fn(Version) -> bool) -> Option<(WriteId, Option<usize>)> {
        let left = self.0[cell].as_ref()?;
        let newest = left.partition_point(|left| early(left.at)).checked_sub(1).map(|place| left[place]);
        Some(newest.map_or((INITIAL, None), |newest| (newest.id, Some(newest.writer))))
    }

    /// Checks what an attempt saw, at its read version and at its write version.
    fn check_reader(&self, index: &Index<'_>, reader: usize) -> Result<(), Finding> {
        for &(cell, seen) in &index.reads[reader] {
            if let Some(read) = index.history.attempts[reader].read_version
                && let Some((id, writer)) = self.newest(cell, |version| version <= read).filter(|(id, _)| *id != seen)
            {
                let what = format!("A read cell {cell} at version {read}");
                return Err(not_newest(&what, reader, seen, id, writer));
            }
            self.check_unchanged(index, reader, cell, seen)?;
        }
        Ok(())
    }

    /// Checks that what a commit saw, or is known to have replaced, lasted until then.
    fn check_unchanged(&self, index: &Index<'_>, writer: usize, cell: CellId, seen: WriteId) -> Result<(), Finding> {
        if let Some(at) = index.history.attempts[writer].write_version
            && let Some((id, newest)) = self.newest(cell, |version| version < at).filter(|(id, _)| *id != seen)
        {
            let what = format!("A committed at version {at}, after cell {cell} was read");
            return Err(not_newest(&what, writer, seen, id, newest));
        }
        Ok(())
    }
}

fn not_newest(what: &str, reader: usize, seen: WriteId, id: WriteId, writer: Option<usize>) -> Finding {
    let value = |id| if id == INITIAL { "the initial value".to_string() } else { format!("#{id}") };
    let by = if writer.is_some() { " of B" } else { "" };
    let message = format!("{what}, and saw {}, but the newest was {}{by}", value(seen), value(id));
    finding(Anomaly::NotNewest, [reader].into_iter().chain(writer).collect(), message)
}

fn position(index: &Index<'_>, attempt: usize) -> Option<Position> {
    let attempt = &index.history.attempts[attempt];
    match (attempt.write_version, attempt.read_version) {
        (Some(written), _) => Some((written, false)),
        (None, read) => read.map(|read| (read, true)),
    }
}

/// Checks that versions do not decrease along the edges, by going through the graph from those that nothing comes before.
fn check_order(index: &Index<'_>, graph: &Graph) -> Result<(), Finding> {
    let mut missing = vec![0_usize; graph.edges.len()];
    graph.edges.iter().flatten().for_each(|edge| missing[edge.to] += 1);
    let mut ready: Vec<usize> = (0..missing.len()).filter(|&node| missing[node] == 0).collect();
    // The largest position of what comes before each node, and whose it is.
    let mut largest: Vec<Option<(Position, usize)>> = vec![None; graph.edges.len()];
    while let Some(node) = ready.pop() {
        if node < graph.attempts
            && let Some(own) = position(index, node)
        {
            if let Some((before, other)) = largest[node].filter(|(before, _)| *before > own) {
                let place = |(version, reads): Position| format!("{} {version}", if reads { "after" } else { "at" });
                let (before, own) = (place(before), place(own));
                let message = format!("A must come before B, but A is {before} by its version, and B {own}");
                return Err(finding(Anomaly::VersionOrder, vec![other, node], message));
            }
            largest[node] = Some((own, node));
        }
        for edge in &graph.edges[node] {
            largest[edge.to] = largest[edge.to].max(largest[node]);
            missing[edge.to] -= 1;
            if missing[edge.to] == 0 {
                ready.push(edge.to);
            }
        }
    }
    Ok(())
}

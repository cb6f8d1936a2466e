//! Who wrote what, and what each attempt saw of the others; the faults that show without a graph.
//!
//! An attempt's own writes are replayed, with what it undid, so that a read is told to be of its own write or of somebody
//! else's. Reads of one's own are checked here and forgotten; of the others, the first read of each cell is kept.

use std::collections::HashMap;

use super::check::{Anomaly, Finding};
use super::{Attempt, CellId, Event, History, INITIAL, WriteId};

/// One write of the history.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    pub(super) attempt: usize,
    pub(super) cell: CellId,
    /// Whether it is what the attempt left in the cell: not undone, and not replaced by itself.
    is_last: bool,
}

/// What the checker needs to know of each attempt.
#[derive(Debug)]
pub(super) struct Index<'a> {
    pub(super) history: &'a History,
    written: HashMap<WriteId, Written>,
    /// What each attempt saw of others, once per cell.
    pub(super) reads: Vec<Vec<(CellId, WriteId)>>,
    /// What each attempt left in cells, once per cell; also of attempts that had no effect.
    pub(super) writes: Vec<Vec<(CellId, WriteId)>>,
}

impl<'a> Index<'a> {
    /// Looks through the history.
    pub(super) fn new(history: &'a History) -> Result<Self, Finding> {
        let mut index = Self { history, written: HashMap::new(), reads: Vec::new(), writes: Vec::new() };
        for number in 0..history.attempts.len() {
            index.add_writes(number);
        }
        for number in 0..history.attempts.len() {
            let reads = index.reads_of(number)?;
            index.reads.push(reads);
        }
        Ok(index)
    }

    /// The attempt that wrote `id`; nothing for the initial value.
    pub(super) fn writer(&self, id: WriteId) -> Option<usize> {
        self.written.get(&id).map(|written| written.attempt)
    }

    /// What `attempt` left in `cell`.
    pub(super) fn left_in(&self, attempt: usize, cell: CellId) -> Option<WriteId> {
        pick(&self.writes[attempt], cell)
    }

    /// What `attempt` saw of others in `cell`.
    pub(super) fn seen_in(&self, attempt: usize, cell: CellId) -> Option<WriteId> {
        pick(&self.reads[attempt], cell)
    }

    fn add_writes(&mut self, number: usize) {
        let mut own = Own::default();
        for (position, event) in self.history.attempts[number].events.iter().enumerate() {
            own.replay(position, *event);
            if let Event::Write(cell, id) = *event {
                self.written.insert(id, Written { attempt: number, cell, is_last: false });
            }
        }
        let mut left: Vec<_> = own.current.into_iter().collect();
        left.sort_unstable();
        for (_, id) in &left {
            self.written.get_mut(id).expect("it was just inserted").is_last = true;
        }
        self.writes.push(left);
    }

    fn reads_of(&self, number: usize) -> Result<Vec<(CellId, WriteId)>, Finding> {
        let attempt = &self.history.attempts[number];
        let mut own = Own::default();
        let mut seen: HashMap<CellId, WriteId> = HashMap::new();
        for (position, event) in attempt.events.iter().enumerate() {
            if let Event::Read(cell, id) = *event {
                if let Some(&mine) = own.current.get(&cell) {
                    if id != mine {
                        return Err(own_write_missed(number, cell, id, mine));
                    }
                } else {
                    self.check_seen(number, position, cell, id)?;
                    let first = *seen.entry(cell).or_insert(id);
                    if first != id {
                        return Err(self.changed(number, cell, first, id));
                    }
                }
            }
            own.replay(position, *event);
        }
        let mut reads: Vec<_> = seen.into_iter().collect();
        reads.sort_unstable();
        Ok(reads)
    }

    /// Checks a read that is not of the attempt's own current write.
    fn check_seen(&self, number: usize, position: usize, cell: CellId, id: WriteId) -> Result<(), Finding> {
        if id == INITIAL {
            return Ok(());
        }
        let found = |anomaly, members, what: &str| {
            let message = format!("A read #{id} in cell {cell}, {what}");
            Err(Finding { anomaly, members, links: Vec::new(), message: Some(message) })
        };
        let attempts = &self.history.attempts;
        let Some(written) = self.written.get(&id).filter(|written| written.cell == cell) else {
            return found(Anomaly::UnknownValue, vec![number], "which nobody wrote there");
        };
        let (reader, writer) = (&attempts[number], &attempts[written.attempt]);
        if written.attempt == number {
            return if was_written_before(reader, position, id) {
                found(Anomaly::DirtyRead, vec![number], "its own write, which it had undone")
            } else {
                found(Anomaly::FutureRead, vec![number], "its own write, which was still to come")
            };
        }
        let members = vec![number, written.attempt];
        if reader.last_tick() < writer.begin {
            return found(Anomaly::FutureRead, members, "and had ended before B began, which wrote it");
        }
        if !writer.is_committed() {
            return found(Anomaly::DirtyRead, members, "written by B, which did not commit");
        }
        if !written.is_last {
            return found(Anomaly::DirtyRead, members, "which B had undone or replaced before it committed");
        }
        Ok(())
    }

    /// Reports that an attempt saw two values in one cell.
    fn changed(&self, number: usize, cell: CellId, first: WriteId, then: WriteId) -> Finding {
        let committed = self.history.attempts[number].is_committed();
        let anomaly = if committed { Anomaly::NonRepeatableRead } else { Anomaly::Zombie };
        let writers = [first, then].into_iter().filter_map(|id| self.writer(id));
        let members = std::iter::once(number).chain(writers).collect();
        let message = format!("A read cell {cell} twice, and saw #{first} first and #{then} then");
        Finding { anomaly, members, links: Vec::new(), message: Some(message) }
    }
}

fn own_write_missed(number: usize, cell: CellId, id: WriteId, mine: WriteId) -> Finding {
    let message = format!("A read #{id} in cell {cell}, though it had written #{mine} there itself");
    Finding { anomaly: Anomaly::OwnWriteMissed, members: vec![number], links: Vec::new(), message: Some(message) }
}

fn pick(list: &[(CellId, WriteId)], cell: CellId) -> Option<WriteId> {
    list.binary_search_by_key(&cell, |entry| entry.0).ok().map(|position| list[position].1)
}

fn was_written_before(attempt: &Attempt, position: usize, id: WriteId) -> bool {
    attempt.events[..position].iter().any(|event| matches!(event, Event::Write(_, written) if *written == id))
}

/// The attempt's own writes at some point of it.
#[derive(Debug, Default)]
struct Own {
    current: HashMap<CellId, WriteId>,
    /// The writes in order, each with what the cell held of the attempt's own before.
    stack: Vec<(usize, CellId, Option<WriteId>)>,
}

impl Own {
    fn replay(&mut self, position: usize, event: Event) {
        match event {
            Event::Read(..) => {}
            Event::Write(cell, id) => {
                let before = self.current.insert(cell, id);
                self.stack.push((position, cell, before));
            }
            Event::Undo(first) => {
                while let Some((_, cell, before)) = self.stack.pop_if(|entry| entry.0 >= first) {
                    match before {
                        Some(id) => _ = self.current.insert(cell, id),
                        None => _ = self.current.remove(&cell),
                    }
                }
            }
        }
    }
}

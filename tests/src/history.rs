//! Histories: what the attempts of a concurrent run read and wrote, recorded, and checked for anomalies.
//!
//! # Protocol
//! 1. **Record** ([`recorder`]): each thread keeps a list of its attempts. The threads share one counter of ends, from
//!    which ticks come, and nothing else.
//! 2. **Write down** ([`json`]): one line a header, then one line per attempt.
//! 3. **Check** ([`check()`]): who wrote what is known, since every write has an id of its own. So a direct
//!    serialization graph can be built, and a history is right if the graph has no cycle.
//!
//! # Version order
//! The order of the versions of a cell comes from what transactions *saw*, never from when something was recorded:
//! * A transaction that read a cell before it wrote it replaced what it read (a link of a *chain*).
//! * A cell may have a *guard*, another cell that each of its writers reads and writes. A blind write then replaced
//!   the version of the writer whose guard version was replaced.
//! * For a blind write without a guard, only consequences of real time are known: a version is seen no more once another
//!   has been written that began after its writer ended, and what was written before a reader began is no newer than what
//!   it saw. Both are sound, hence never a false alarm, but not complete.
//!
//! A guard is itself an ordinary cell of the history and checked as one, so that trusting it hides no fault in it; but it
//! makes writers conflict which would not. Therefore recorded runs mix all three kinds of cells: blind writes without
//! a guard take the paths of the runtime that guards would hide.
//!
//! # Versions
//! Where the runtime tells its versions, they are recorded too, and checked for being such an order, and the one that everybody
//! saw: the certificate. A file without them is checked without it.
//!
//! # Invariants
//! * **H1** A write id belongs to one write, and is not [`INITIAL`].
//! * **H2** `end` of one attempt is less than `begin` of another only if the first had ended before the second began.
//!   Ticks may be wider than the attempt was, never narrower.
//! * **H3** The attempts of a thread are listed in the order in which it ran them.

use std::collections::HashSet;
use std::fmt;

use serde::{Deserialize, Serialize};

#[cfg(test)]
mod anomaly_tests;
mod certificate;
#[cfg(test)]
mod certificate_tests;
mod check;
mod cycle;
#[cfg(test)]
mod generate;
mod graph;
mod index;
pub mod json;
#[cfg(test)]
mod random_tests;
pub mod recorder;
mod report;
mod versions;

pub use check::{Anomaly, Finding, Link, LinkKind, Summary, check};

/// The number of a cell.
pub type CellId = usize;

/// More cells are refused: the checker keeps something for each, and no file of a few bytes may ask for all memory.
const CELLS_MAX: usize = 1 << 17;

/// What names one write of one attempt.
pub type WriteId = u64;

/// A moment of the clock of the runtime.
pub type Version = u64;

/// A moment: how many attempts had ended by then.
pub type Tick = u64;

/// The id of what every cell holds in the beginning.
pub const INITIAL: WriteId = 0;

/// One step of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Event {
    /// It read this cell and saw this write.
    Read(CellId, WriteId),
    /// It wrote this cell; the write has this id.
    Write(CellId, WriteId),
    /// It undid its writes from the event with this number on.
    Undo(usize),
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It took effect.
    Committed,
    /// It lost against another transaction.
    Aborted,
    /// Its body ended it with an error.
    Cancelled,
    /// Its body waited for a change.
    Retried,
    /// Its end was not seen: its body panicked, or the recording stopped. It has no effect.
    Unfinished,
}

/// One run of a transaction's body, or one operation on a single cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attempt {
    /// The thread that ran it.
    pub thread: usize,
    /// How many attempts had ended when it began, or fewer.
    pub begin: Tick,
    /// How many attempts had ended before it did, or more; nothing if it is unfinished.
    pub end: Option<Tick>,
    /// How it ended.
    pub outcome: Outcome,
    /// At which version all that it read was there, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_version: Option<Version>,
    /// At which version it wrote, if it did and that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write_version: Option<Version>,
    /// What it did, in order.
    pub events: Vec<Event>,
}

impl Attempt {
    /// Whether it took effect.
    #[must_use]
    pub fn is_committed(&self) -> bool {
        self.outcome == Outcome::Committed
    }

    /// The tick of its end; the end of time if it is unfinished.
    #[must_use]
    pub fn last_tick(&self) -> Tick {
        self.end.unwrap_or(Tick::MAX)
    }
}

/// That the writers of a cell also read and write another one, which tells their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guard {
    /// The cell whose versions are put in order.
    pub cell: CellId,
    /// The cell that tells the order.
    pub by: CellId,
}

/// The attempts of a run; well-formed, but not necessarily right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    cells: usize,
    guards: Vec<Guard>,
    attempts: Vec<Attempt>,
}

/// Why attempts are no history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadHistory {
    /// The attempt at fault; nothing if it is the guards.
    pub attempt: Option<usize>,
    /// What is wrong.
    pub problem: String,
}

impl fmt::Display for BadHistory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.attempt {
            Some(attempt) => write!(f, "attempt {attempt}: {}", self.problem),
            None => f.write_str(&self.problem),
        }
    }
}

impl std::error::Error for BadHistory {}

impl History {
    /// Makes a history out of `attempts` on `cells` cells.
    ///
    /// # Errors
    /// [`BadHistory`] when there are more than a hundred thousand cells, a cell is not one of them, a write id is used
    /// twice (H1), an attempt ends before it begins or does not end though it is not unfinished, one that did not commit
    /// has a write version, an undo goes forward, or a cell is written without its guard.
    pub fn new(cells: usize, guards: Vec<Guard>, attempts: Vec<Attempt>) -> Result<Self, BadHistory> {
        if cells > CELLS_MAX {
            let problem = format!("{cells} cells are more than the {CELLS_MAX} that can be checked");
            return Err(BadHistory { attempt: None, problem });
        }
        if let Some(guard) = guards.iter().find(|guard| guard.cell.max(guard.by) >= cells || guard.cell == guard.by) {
            let problem = format!("cell {} cannot guard cell {} of {cells} cells", guard.by, guard.cell);
            return Err(BadHistory { attempt: None, problem });
        }
        let mut ids = HashSet::new();
        for (number, attempt) in attempts.iter().enumerate() {
            check_ticks(attempt)
                .and_then(|()| check_events(attempt, cells, &mut ids))
                .and_then(|()| check_guards(attempt, &guards))
                .map_err(|problem| BadHistory { attempt: Some(number), problem })?;
        }
        Ok(Self { cells, guards, attempts })
    }

    /// How many cells there are.
    #[must_use]
    pub fn cells(&self) -> usize {
        self.cells
    }

    /// The guards of cells.
    #[must_use]
    pub fn guards(&self) -> &[Guard] {
        &self.guards
    }

    /// The attempts; those of one thread in the order in which it ran them (H3).
    #[must_use]
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }
}

fn check_ticks(attempt: &Attempt) -> Result<(), String> {
    match attempt.end {
        Some(_) if attempt.outcome == Outcome::Unfinished => Err("an unfinished attempt has no end".to_string()),
        None if attempt.outcome != Outcome::Unfinished => {
            Err("an attempt that is not unfinished has an end".to_string())
        }
        _ if attempt.write_version.is_some() && !attempt.is_committed() => {
            Err("an attempt that did not commit has no write version".to_string())
        }
        Some(end) if end < attempt.begin => Err(format!("it ends at {end}, before it begins at {}", attempt.begin)),
        _ => Ok(()),
    }
}

fn check_guards(attempt: &Attempt, guards: &[Guard]) -> Result<(), String> {
    let writes =
        |cell| attempt.events.iter().any(|event| matches!(event, Event::Write(written, _) if *written == cell));
    match guards.iter().find(|guard| writes(guard.cell) && !writes(guard.by)) {
        Some(guard) => Err(format!("it writes cell {} without its guard, cell {}", guard.cell, guard.by)),
        None => Ok(()),
    }
}

fn check_events(attempt: &Attempt, cells: usize, ids: &mut HashSet<WriteId>) -> Result<(), String> {
    for (number, event) in attempt.events.iter().enumerate() {
        match *event {
            Event::Read(cell, _) | Event::Write(cell, _) if cell >= cells => {
                return Err(format!("event {number}: there is no cell {cell} among {cells} cells"));
            }
            Event::Write(_, INITIAL) => {
                return Err(format!("event {number}: the write id {INITIAL} stands for what cells hold at first"));
            }
            Event::Write(_, id) if !ids.insert(id) => {
                return Err(format!("event {number}: the write id {id} has been used before"));
            }
            Event::Undo(first) if first > number => {
                return Err(format!("event {number}: it cannot undo event {first}, which is still to come"));
            }
            _ => {}
        }
    }
    Ok(())
}

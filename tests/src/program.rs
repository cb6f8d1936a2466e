//! Programs of transactions: what a number of threads do with a few cells, as data.
//!
//! Every value of these types is a program that can be run and that ends: numbers of cells are taken modulo how many there
//! are, and what could wait for ever is given a time limit. So programs may come from anywhere: a generator, a file, a
//! fuzzer.
//!
//! # Protocol
//! 1. **Make** one ([`generate`]), or read it from a file of JSON.
//! 2. **Run** it. [`run::Thread`] executes the steps of one thread and records them; whoever calls it brings the threads:
//!    [`native`] those of the system, or one for all.
//! 3. **Judge** what was recorded ([`judge`]): the history has no anomaly, the runtime's versions certify it, and all
//!    attempts do the same again one after the other on plain memory ([`model`]), in the order of their versions.
//! 4. **Hunt** ([`hunt`]): run many, and make the first that fails as small as can be ([`smaller`]).
//!
//! # Why every program ends
//! * [`Op::Await`] waits for a cell to be written for the first time. A thread that is no part of the program, the
//!   *rescue*, writes every cell once.
//! * A transaction that may [`Op::Retry`] without another branch has a time limit.
//! * What would be a misuse is left out: [`Op::Retry`] by an irrevocable transaction, unless a branch from before can
//!   still be taken; and rivals of a transaction that may hold the token, as they would wait for it.

use serde::{Deserialize, Serialize};

pub mod generate;
pub mod hunt;
pub mod judge;
pub mod model;
pub mod native;
pub mod outside;
pub mod run;
pub mod smaller;
#[cfg(test)]
mod tests;
pub mod value;

/// The number of a cell, to be taken modulo how many there are.
pub type Cell = usize;

/// What a number of threads do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// What each cell holds; there is at least one.
    pub cells: Vec<Kind>,
    /// The steps of each thread.
    pub threads: Vec<Vec<Step>>,
    /// How often each thread takes its steps, so that threads meet more often than once.
    pub rounds: u16,
    /// How the rescue goes.
    pub rescue: Rescue,
}

/// How a cell holds its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// In place.
    Bits,
    /// In a slot; nothing is dropped.
    Slot,
    /// In a slot that owns a box.
    Link,
    /// In a box.
    Boxed,
}

/// The thread that writes every cell once, so that nobody waits for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rescue {
    /// When it begins.
    pub after_us: u16,
    /// Whether it writes each cell by itself, rather than all in one transaction.
    pub singly: bool,
}

/// What a thread does next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// It runs a transaction.
    Run(Transaction),
    /// It runs transactions as tasks that take turns.
    Tasks(Vec<Transaction>),
    /// It reads these cells in a snapshot.
    Snapshot(Vec<Cell>),
    /// It reads a cell outside of a transaction.
    Load(Cell),
    /// It writes a cell outside of a transaction.
    Store(Cell),
    /// It exchanges the value of a cell outside of a transaction.
    Swap(Cell),
    /// It edits a cell outside of a transaction.
    Update(Cell),
    /// It destroys what nobody can see any more.
    Collect,
}

/// A transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transaction {
    /// The most attempts that it makes; zero for any number.
    pub attempts_max: u32,
    /// Whether it has a time limit.
    pub is_timed: bool,
    /// Its priority.
    pub priority: i8,
    /// What it does.
    pub body: Vec<Op>,
}

/// A part of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// Reads a cell.
    Read(Cell),
    /// Reads a cell in place, and looks at the value once more when the attempt ends.
    ReadRef(Cell),
    /// Writes a cell without reading it.
    Write(Cell),
    /// Edits a cell.
    Modify(Cell),
    /// Writes a cell and takes the value before.
    Replace(Cell),
    /// Exchanges the values of two cells, and then writes both.
    Exchange(Cell, Cell),
    /// Waits for the first write of a cell.
    Await(Cell),
    /// Waits for any change.
    Retry,
    /// Does the one or, if that waits, the other.
    OrElse(Vec<Op>, Vec<Op>),
    /// Does a part that may be cancelled alone.
    Nested(Vec<Op>),
    /// Cancels the nested part that it is in, or the transaction.
    Cancel,
    /// Panics.
    Panic,
    /// Becomes irrevocable.
    Irrevocable,
    /// Reads and writes a cell, and loses every attempt until it is escalated: a rival writes the cell in between.
    Escalate(Cell),
    /// Has a rival write a cell, if this is the first attempt.
    Rival(Cell),
    /// Registers a hook to run after the commit.
    AfterCommit,
    /// Registers a hook to run after an abort.
    AfterAbort,
    /// Makes a cell, uses it and drops it.
    Fresh(Kind),
    /// Spins for so many rounds; for a large number it gives its time slice away.
    Pause(u16),
}

impl Program {
    /// Which cell is meant by `cell`.
    ///
    /// # Panics
    /// When the program has no cells.
    #[must_use]
    pub fn cell(&self, cell: Cell) -> usize {
        assert!(!self.cells.is_empty(), "a program has cells");
        cell % self.cells.len()
    }

    /// How many operations there are, as a measure of size.
    #[must_use]
    pub fn size(&self) -> usize {
        let of_step = |step: &Step| match step {
            Step::Run(transaction) => 1 + size(&transaction.body),
            Step::Tasks(transactions) => 1 + transactions.iter().map(|task| 1 + size(&task.body)).sum::<usize>(),
            Step::Snapshot(cells) => 1 + cells.len(),
            _ => 1,
        };
        self.threads.iter().flatten().map(of_step).sum()
    }
}

fn size(ops: &[Op]) -> usize {
    ops.iter().map(|op| 1 + parts(op).map(size).sum::<usize>()).sum()
}

/// The parts of an operation that consists of some.
fn parts(op: &Op) -> impl Iterator<Item = &[Op]> {
    let parts = match op {
        Op::OrElse(first, second) => [Some(first.as_slice()), Some(second.as_slice())],
        Op::Nested(part) => [Some(part.as_slice()), None],
        _ => [None, None],
    };
    parts.into_iter().flatten()
}

/// Whether `is_wanted` holds of an operation, or of one within it.
fn has(ops: &[Op], is_wanted: fn(&Op) -> bool) -> bool {
    ops.iter().any(|op| is_wanted(op) || parts(op).any(|part| has(part, is_wanted)))
}

impl Transaction {
    /// Whether it may wait for a change that nobody has to make.
    #[must_use]
    pub fn may_wait_for_ever(&self) -> bool {
        fn may(ops: &[Op]) -> bool {
            ops.iter().any(|op| match op {
                Op::Retry => true,
                Op::OrElse(_, second) => may(second),
                Op::Nested(part) => may(part),
                _ => false,
            })
        }
        may(&self.body)
    }

    /// Whether it may wait.
    #[must_use]
    pub fn may_wait(&self) -> bool {
        has(&self.body, |op| matches!(op, Op::Retry | Op::Await(_)))
    }

    /// Whether it may become irrevocable.
    #[must_use]
    pub fn may_be_irrevocable(&self) -> bool {
        has(&self.body, |op| matches!(op, Op::Irrevocable))
    }
}

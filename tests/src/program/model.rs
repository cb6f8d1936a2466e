//! What transactions do one after the other, on plain memory: the oracle.
//!
//! Written from the documentation of the runtime alone. A body is executed on the state at one moment; what it must do there
//! is compared with what an attempt is recorded to have done.

use super::run::Notes;
use super::{Op, Program, Transaction};
use crate::history::recorder::id;
use crate::history::{Event, INITIAL, WriteId};

/// What is in each cell.
pub type State = Vec<WriteId>;

/// How a body ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It returns what it saw.
    Returned(Vec<WriteId>),
    /// It cancels the transaction, having seen this.
    Cancelled(Vec<WriteId>),
    /// It waits for a change.
    Retried,
    /// It panics.
    Panicked,
}

/// What a body must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Its events.
    pub events: Vec<Event>,
    /// How it ends.
    pub end: End,
    /// The cells after it, if it commits.
    pub state: State,
    /// Whether anything is written then.
    pub writes: bool,
    /// The hooks that run then, in order.
    pub hooks: Vec<WriteId>,
}

/// Executes the body of a transaction on `state`, as the thread that has made `notes`.
#[must_use]
pub fn execute(program: &Program, transaction: &Transaction, state: &State, thread: usize, notes: &Notes) -> Expected {
    let memory = Memory { state: state.clone(), writes: false, hooks: Vec::new() };
    let drawn = notes.drawn;
    let mut run = Run { program, thread, drawn, memory, events: Vec::new(), is_irrevocable: false };
    let end = match run.ops(&transaction.body, None) {
        Ok(seen) => End::Returned(seen),
        Err(Stop::Cancel(seen)) => End::Cancelled(seen),
        Err(Stop::Retry) => End::Retried,
        Err(Stop::Panic) => End::Panicked,
    };
    let Run { events, memory: Memory { state, writes, hooks }, .. } = run;
    let runs = |hook: &Hook| hook.is_for_commit != hook.is_undone;
    let hooks = hooks.iter().filter(|hook| runs(hook)).map(|hook| hook.id).collect();
    Expected { events, end, state, writes, hooks }
}

/// What ends a list of operations early.
enum Stop {
    Cancel(Vec<WriteId>),
    Retry,
    Panic,
}

#[derive(Clone)]
struct Hook {
    id: WriteId,
    is_for_commit: bool,
    is_undone: bool,
}

/// What can be undone.
#[derive(Clone)]
struct Memory {
    state: State,
    /// Whether anything is written, if only to a cell of one's own.
    writes: bool,
    hooks: Vec<Hook>,
}

struct Run<'a> {
    program: &'a Program,
    thread: usize,
    drawn: u64,
    memory: Memory,
    events: Vec<Event>,
    is_irrevocable: bool,
}

impl Run<'_> {
    fn ops(&mut self, ops: &[Op], caught: Option<bool>) -> Result<Vec<WriteId>, Stop> {
        let mut seen = Vec::new();
        for op in ops {
            match op {
                Op::OrElse(first, second) => {
                    let (mark, before) = (self.events.len(), self.memory.clone());
                    match self.ops(first, Some(self.is_irrevocable)) {
                        Err(Stop::Retry) => {
                            self.undo(mark, before);
                            seen.extend(self.ops(second, caught)?);
                        }
                        result => seen.extend(result?),
                    }
                }
                Op::Nested(part) => {
                    let (mark, before) = (self.events.len(), self.memory.clone());
                    match self.ops(part, caught) {
                        Err(Stop::Cancel(part)) => {
                            self.undo(mark, before);
                            seen.extend(part);
                        }
                        result => seen.extend(result?),
                    }
                }
                Op::Cancel => return Err(Stop::Cancel(seen)),
                Op::Panic => return Err(Stop::Panic),
                Op::Await(cell) if self.may_retry(caught) => match self.read(*cell) {
                    INITIAL => return Err(Stop::Retry),
                    id => seen.push(id),
                },
                Op::Retry if self.may_retry(caught) => return Err(Stop::Retry),
                _ => self.op(op, &mut seen),
            }
        }
        Ok(seen)
    }

    fn may_retry(&self, caught: Option<bool>) -> bool {
        !self.is_irrevocable || caught == Some(true)
    }

    fn undo(&mut self, mark: usize, before: Memory) {
        let mut hooks = std::mem::replace(&mut self.memory, before).hooks;
        let kept = self.memory.hooks.len();
        hooks[kept..].iter_mut().for_each(|hook| hook.is_undone = true);
        self.memory.hooks = hooks;
        self.events.push(Event::Undo(mark));
    }

    fn op(&mut self, op: &Op, seen: &mut Vec<WriteId>) {
        match *op {
            Op::Read(cell) | Op::ReadRef(cell) => seen.push(self.read(cell)),
            Op::Write(cell) => self.write(cell),
            Op::Modify(cell) | Op::Replace(cell) => {
                seen.push(self.read(cell));
                self.write(cell);
            }
            Op::Escalate(cell) => {
                seen.push(self.read(cell));
                self.write(cell);
            }
            Op::Exchange(one, two) => {
                let (one, two) = (self.program.cell(one), self.program.cell(two));
                if one != two && self.program.cells[one] == self.program.cells[two] {
                    for cell in [one, two] {
                        seen.push(self.read(cell));
                        self.write(cell);
                    }
                }
            }
            Op::Irrevocable => self.is_irrevocable = true,
            Op::AfterCommit | Op::AfterAbort => {
                let id = self.draw();
                let is_for_commit = matches!(op, Op::AfterCommit);
                self.memory.hooks.push(Hook { id, is_for_commit, is_undone: false });
            }
            Op::Fresh(_) => {
                let ids = [(); 5].map(|()| self.draw());
                seen.extend([ids[0], ids[1], ids[3]]);
                self.memory.writes = true;
            }
            // Executed by `ops`, or nothing to the transaction itself.
            Op::Await(_) | Op::Retry | Op::OrElse(..) | Op::Nested(_) | Op::Cancel | Op::Panic => {}
            Op::Pause(_) | Op::Rival(_) => {}
        }
    }

    fn draw(&mut self) -> WriteId {
        self.drawn += 1;
        id(self.thread, self.drawn)
    }

    fn read(&mut self, cell: usize) -> WriteId {
        let cell = self.program.cell(cell);
        let id = self.memory.state[cell];
        self.events.push(Event::Read(cell, id));
        id
    }

    fn write(&mut self, cell: usize) {
        let (cell, id) = (self.program.cell(cell), self.draw());
        self.memory.state[cell] = id;
        self.memory.writes = true;
        self.events.push(Event::Write(cell, id));
    }
}

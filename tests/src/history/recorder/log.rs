//! What one thread keeps of its attempts, and the operations of a recorded body.
//!
//! The state is behind a `RefCell`, as the branches of an `or_else` share it; it is never borrowed while the runtime works.

use std::cell::RefCell;

use optimist::introspection::{last_write_version, read_version};
use optimist::{Cancel, ReadTx, Stm, TryError, Tx, TxError};

use super::{Recorder, Stored, THREADS_MAX, whole};
use crate::history::{Attempt, CellId, Event, Outcome, Tick, Version, WriteId};

/// The n-th id that a thread draws.
#[must_use]
pub fn id(thread: usize, n: u64) -> WriteId {
    n * THREADS_MAX + thread as u64
}

/// What the body of a recorded transaction reads and writes through.
#[derive(Debug)]
pub struct Log<'a> {
    pub(super) recorder: &'a Recorder,
    thread: usize,
    state: RefCell<State>,
}

#[derive(Debug)]
struct State {
    /// When the next attempt begins at the earliest.
    floor: Tick,
    written: u64,
    open: Option<Open>,
    attempts: Vec<Attempt>,
}

#[derive(Debug)]
struct Open {
    begin: Tick,
    retried: bool,
    read_version: Option<Version>,
    events: Vec<Event>,
}

impl<'a> Log<'a> {
    pub(super) fn new(recorder: &'a Recorder, thread: usize) -> Self {
        let state = State { floor: 0, written: 0, open: None, attempts: Vec::new() };
        Self { recorder, thread, state: RefCell::new(state) }
    }

    pub(super) fn into_attempts(self) -> Vec<Attempt> {
        self.close_unfinished();
        self.state.into_inner().attempts
    }

    /// Reads a cell.
    ///
    /// # Errors
    /// As [`TVar::read`](optimist::TVar::read).
    pub fn read<'tx>(&self, tx: &mut impl ReadTx<'tx>, cell: CellId) -> Stm<WriteId> {
        let seen = match &self.recorder.cells[cell] {
            Stored::Word(var) => var.read(tx)?,
            Stored::Boxed(var) => whole(var.read_ref(tx)?),
        };
        self.push(Event::Read(cell, seen));
        Ok(seen)
    }

    /// Writes a cell without reading it; if it has a guard, that is read and written.
    ///
    /// # Errors
    /// As [`TVar::write`](optimist::TVar::write).
    pub fn write(&self, tx: &mut Tx<'_>, cell: CellId) -> Stm<()> {
        self.write_guard(tx, cell)?;
        let id = self.next_id();
        match &self.recorder.cells[cell] {
            Stored::Word(var) => var.write(tx, id)?,
            Stored::Boxed(var) => var.write(tx, [id; 4])?,
        }
        self.push(Event::Write(cell, id));
        Ok(())
    }

    /// Reads a cell and writes it, by [`TVar::modify`](optimist::TVar::modify).
    ///
    /// # Errors
    /// As [`TVar::modify`](optimist::TVar::modify).
    pub fn modify(&self, tx: &mut Tx<'_>, cell: CellId) -> Stm<()> {
        self.write_guard(tx, cell)?;
        self.modify_alone(tx, cell)
    }

    /// Reads a cell and writes it, by [`TVar::replace`](optimist::TVar::replace).
    ///
    /// # Errors
    /// As [`TVar::replace`](optimist::TVar::replace).
    pub fn replace(&self, tx: &mut Tx<'_>, cell: CellId) -> Stm<()> {
        self.write_guard(tx, cell)?;
        let id = self.next_id();
        let seen = match &self.recorder.cells[cell] {
            Stored::Word(var) => var.replace(tx, id)?,
            Stored::Boxed(var) => whole(&var.replace(tx, [id; 4])?),
        };
        self.push_both(cell, seen, id);
        Ok(())
    }

    /// Waits for a change, as [`Tx::retry`] does.
    ///
    /// # Errors
    /// Always.
    pub fn retry<R>(&self, tx: &mut Tx<'_>) -> Stm<R> {
        self.set_retried(true);
        tx.retry()
    }

    /// Goes on if `condition` holds, as [`Tx::check`] does.
    ///
    /// # Errors
    /// If `condition` is false.
    pub fn check(&self, tx: &mut Tx<'_>, condition: bool) -> Stm<()> {
        self.set_retried(!condition);
        tx.check(condition)
    }

    /// Chooses, as [`Tx::or_else`] does.
    ///
    /// # Errors
    /// As [`Tx::or_else`].
    pub fn or_else<'tx, R, X: TxError>(
        &self,
        tx: &mut Tx<'tx>,
        first: impl FnOnce(&mut Tx<'tx>) -> Result<R, X>,
        second: impl FnOnce(&mut Tx<'tx>) -> Result<R, X>,
    ) -> Result<R, X> {
        let mark = self.mark();
        tx.or_else(first, |tx| {
            self.undo(mark);
            self.set_retried(false);
            second(tx)
        })
    }

    /// Runs a part that can be cancelled, as [`Tx::nested`] does.
    ///
    /// # Errors
    /// As [`Tx::nested`].
    pub fn nested<'tx, R, E>(
        &self,
        tx: &mut Tx<'tx>,
        part: impl FnOnce(&mut Tx<'tx>) -> Result<R, Cancel<E>>,
    ) -> Stm<Result<R, E>> {
        let mark = self.mark();
        let result = tx.nested(part)?;
        if result.is_err() {
            self.undo(mark);
        }
        Ok(result)
    }

    fn write_guard(&self, tx: &mut Tx<'_>, cell: CellId) -> Stm<()> {
        self.recorder.guards[cell].map_or(Ok(()), |guard| self.modify_alone(tx, guard))
    }

    fn modify_alone(&self, tx: &mut Tx<'_>, cell: CellId) -> Stm<()> {
        let id = self.next_id();
        let seen = match &self.recorder.cells[cell] {
            Stored::Word(var) => var.modify(tx, |value| std::mem::replace(value, id))?,
            Stored::Boxed(var) => whole(&var.modify(tx, |value| std::mem::replace(value, [id; 4]))?),
        };
        self.push_both(cell, seen, id);
        Ok(())
    }

    /// Draws an id for a write. Ids of one thread are drawn in order: see [`id`].
    pub fn next_id(&self) -> WriteId {
        let mut state = self.state.borrow_mut();
        state.written += 1;
        id(self.thread, state.written)
    }

    /// How many ids have been drawn.
    #[must_use]
    pub fn drawn(&self) -> u64 {
        self.state.borrow().written
    }

    /// Adds what the attempt did last.
    pub fn push(&self, event: Event) {
        if let Some(open) = &mut self.state.borrow_mut().open {
            open.events.push(event);
        }
    }

    pub(super) fn push_both(&self, cell: CellId, seen: WriteId, id: WriteId) {
        self.push(Event::Read(cell, seen));
        self.push(Event::Write(cell, id));
    }

    fn mark(&self) -> usize {
        self.state.borrow().open.as_ref().map_or(0, |open| open.events.len())
    }

    fn undo(&self, mark: usize) {
        self.push(Event::Undo(mark));
    }

    fn set_retried(&self, retried: bool) {
        if let Some(open) = &mut self.state.borrow_mut().open {
            open.retried = retried;
        }
    }

    /// Before the runtime is called.
    pub(super) fn prepare(&self) {
        self.close_unfinished();
        self.state.borrow_mut().floor = self.recorder.now();
    }

    /// At the begin of a body.
    pub(super) fn enter(&self) {
        self.close(None, None);
        let mut state = self.state.borrow_mut();
        state.open = Some(Open { begin: state.floor, retried: false, read_version: None, events: Vec::new() });
    }

    /// At the end of a body.
    pub(super) fn leave(&self, tx: &Tx<'_>) {
        self.note_read_version(tx);
        self.state.borrow_mut().floor = self.recorder.now();
    }

    /// Notes at which version the attempt has read; a body that is about to panic should do so, as it does not return.
    pub fn note_read_version<'tx>(&self, tx: &impl ReadTx<'tx>) {
        if let Some(open) = &mut self.state.borrow_mut().open {
            open.read_version = Some(read_version(tx));
        }
    }

    /// After the call that ran a transaction has returned.
    pub(super) fn close_call<R, E>(&self, result: &Result<R, TryError<E>>) {
        match result {
            Ok(_) => self.close(Some(Outcome::Committed), last_write_version()),
            Err(TryError::Cancelled(_)) => self.close(Some(Outcome::Cancelled), None),
            Err(TryError::Stopped(_)) => self.close(None, None),
        }
    }

    /// After the end of an attempt; without an outcome, it lost or retried.
    pub(super) fn close(&self, outcome: Option<Outcome>, write_version: Option<Version>) {
        let mut state = self.state.borrow_mut();
        if let Some(Open { begin, retried, read_version, events }) = state.open.take() {
            let outcome = outcome.unwrap_or(if retried { Outcome::Retried } else { Outcome::Aborted });
            let (thread, end) = (self.thread, Some(self.recorder.end()));
            state.attempts.push(Attempt { thread, begin, end, outcome, read_version, write_version, events });
        }
    }

    /// After a panic, or when the recording ends.
    fn close_unfinished(&self) {
        let mut state = self.state.borrow_mut();
        if let Some(Open { begin, read_version, events, .. }) = state.open.take() {
            let (thread, outcome) = (self.thread, Outcome::Unfinished);
            state.attempts.push(Attempt {
                thread,
                begin,
                end: None,
                outcome,
                read_version,
                write_version: None,
                events,
            });
        }
    }
}

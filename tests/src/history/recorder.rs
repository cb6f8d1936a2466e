//! Recording a history while threads run transactions.
//!
//! # Protocol
//! 1. Each thread makes a [`Worker`], and runs everything through it. It keeps its attempts for itself.
//! 2. An attempt's `begin` is a load of the shared counter: for the first attempt of a transaction before the runtime
//!    is called, for a later one when the body of the attempt before has returned, since the runtime may begin an attempt
//!    any time from then on. Its `end` is what the counter was when it was raised, after the runtime has ended the attempt:
//!    when the next body begins, or the call has returned. So ticks are never narrower than attempts are (H2).
//! 3. The `read_version` of an attempt is asked for when its body has returned, the `write_version` of a commit when the call
//!    has. A `load` has neither, and a `store` has read nothing.
//! 4. [`Recorder::history`] puts together what the workers kept, once they are done.
//!
//! Nothing is recorded between the begin of an attempt's body and its end but in memory of the thread, and no hooks are
//! used, so that the runtime takes the paths it would take without us.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use optimist::introspection::last_write_version;
use optimist::{Atomically, Snapshot, Stm, TVar, TryError, TryStm, Tx, snapshot};

use super::{Attempt, BadHistory, CellId, Event, Guard, History, INITIAL, Outcome, Tick, Version, WriteId};

mod log;

pub use log::{Log, id};

/// What a cell that was torn is seen to hold.
const TORN: WriteId = WriteId::MAX;
/// Threads that may record into one history.
pub(crate) const THREADS_MAX: u64 = 1 << 10;

/// Too big for a cell to hold in place; a torn one shows.
type Boxed = [WriteId; 4];

#[derive(Debug)]
enum Stored {
    Word(TVar<WriteId>),
    Boxed(TVar<Boxed>),
}

/// How the versions of a cell are put in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ordered {
    /// By its writers themselves: as far as they read it before, and as real time tells.
    ByItself,
    /// By the next cell, its guard.
    ByGuard,
}

/// The cells of a run, and its counter of ends.
#[derive(Debug)]
pub struct Recorder {
    cells: Vec<Stored>,
    guards: Vec<Option<CellId>>,
    ends: AtomicU64,
    threads: AtomicUsize,
}

impl Recorder {
    /// Makes the cells: one each, and a guard behind each that has one. Every other cell holds its value in a box.
    #[must_use]
    pub fn new(order: &[Ordered]) -> Self {
        let mut guards = Vec::new();
        for ordered in order {
            match ordered {
                Ordered::ByItself => guards.push(None),
                Ordered::ByGuard => guards.extend([Some(guards.len() + 1), None]),
            }
        }
        let stored = |cell: usize| match cell % 2 {
            0 => Stored::Word(TVar::new(INITIAL)),
            _ => Stored::Boxed(TVar::new([INITIAL; 4])),
        };
        let cells = (0..guards.len()).map(stored).collect();
        Self { cells, guards, ends: AtomicU64::new(0), threads: AtomicUsize::new(0) }
    }

    /// Records what happens to so many cells that are somebody else's.
    ///
    /// Their owner pushes the events of each attempt itself, and draws the ids of its writes from the [`Log`].
    #[must_use]
    pub fn of_others_cells(count: usize) -> Self {
        Self { cells: Vec::new(), guards: vec![None; count], ends: AtomicU64::new(0), threads: AtomicUsize::new(0) }
    }

    /// How many cells there are, guards among them.
    #[must_use]
    pub fn cells(&self) -> usize {
        self.guards.len()
    }

    /// The cells that are no guards.
    #[must_use]
    pub fn own_cells(&self) -> Vec<CellId> {
        (0..self.cells()).filter(|cell| !self.guards.contains(&Some(*cell))).collect()
    }

    /// Whether a cell may be written outside of a transaction: it has no guard.
    #[must_use]
    pub fn is_free(&self, cell: CellId) -> bool {
        self.guards[cell].is_none()
    }

    /// Starts recording a thread.
    ///
    /// # Panics
    /// When there are more than a thousand.
    pub fn worker(&self) -> Worker<'_> {
        // Relaxed: nothing depends on who is first.
        let thread = self.threads.fetch_add(1, Ordering::Relaxed);
        assert!((thread as u64) < THREADS_MAX, "too many threads for unique ids");
        Worker { log: Log::new(self, thread) }
    }

    /// Puts together what was recorded. All workers that wrote must be among them, or their writes are of nobody.
    ///
    /// # Errors
    /// [`BadHistory`] when the recorder itself is wrong.
    pub fn history(&self, recorded: impl IntoIterator<Item = Vec<Attempt>>) -> Result<History, BadHistory> {
        let guards = self.guards.iter().enumerate();
        let guards = guards.filter_map(|(cell, by)| by.map(|by| Guard { cell, by })).collect();
        History::new(self.cells(), guards, recorded.into_iter().flatten().collect())
    }

    fn now(&self) -> Tick {
        // Acquire: pairs with Release in `end`. What ended before now has happened before what follows, as the runtime
        // must take account of; without it, real time would mean nothing to it.
        self.ends.load(Ordering::Acquire)
    }

    fn end(&self) -> Tick {
        // Release: pairs with Acquire in `now`.
        self.ends.fetch_add(1, Ordering::Release)
    }
}

/// A thread that runs recorded transactions.
#[derive(Debug)]
pub struct Worker<'a> {
    log: Log<'a>,
}

impl<'a> Worker<'a> {
    /// Where its attempts are recorded.
    #[must_use]
    pub fn log(&self) -> &Log<'a> {
        &self.log
    }

    /// Ends recording, and returns the attempts of this thread.
    #[must_use]
    pub fn finish(self) -> Vec<Attempt> {
        self.log.into_attempts()
    }

    /// Runs a transaction.
    ///
    /// # Errors
    /// As [`Atomically::try_run`].
    ///
    /// # Panics
    /// As [`Atomically::try_run`]. The attempt is then recorded as unfinished.
    pub fn run<R, E>(
        &mut self,
        options: Atomically,
        mut body: impl for<'tx> FnMut(&mut Tx<'tx>, &Log<'a>) -> TryStm<R, E>,
    ) -> Result<R, TryError<E>> {
        let log = &self.log;
        log.prepare();
        let result = options.try_run(|tx| {
            log.enter();
            let result = body(tx, log);
            log.leave(tx);
            result
        });
        log.close_call(&result);
        result
    }

    /// Runs a transaction as a task.
    ///
    /// # Errors
    /// As [`Atomically::try_run_async`].
    ///
    /// # Panics
    /// As [`run`](Self::run).
    pub async fn run_async<R, E>(
        &mut self,
        options: Atomically,
        mut body: impl for<'tx> FnMut(&mut Tx<'tx>, &Log<'a>) -> TryStm<R, E>,
    ) -> Result<R, TryError<E>> {
        let log = &self.log;
        log.prepare();
        let transaction = options.try_run_async(|tx| {
            log.enter();
            let result = body(tx, log);
            log.leave(tx);
            result
        });
        let result = transaction.await;
        // In the same poll as the commit, so that no other task has written since.
        log.close_call(&result);
        result
    }

    /// Runs a snapshot.
    ///
    /// # Panics
    /// As [`snapshot`](snapshot()).
    pub fn snapshot<R>(&mut self, body: impl for<'tx> FnOnce(&mut Snapshot<'tx>, &Log<'a>) -> Stm<R>) -> R {
        let log = &self.log;
        log.prepare();
        log.enter();
        let result = snapshot(|tx| {
            let result = body(tx, log);
            log.note_read_version(tx);
            result
        });
        log.close(Some(Outcome::Committed), None);
        result
    }

    /// Reads a cell outside of any transaction.
    pub fn load(&mut self, cell: CellId) {
        self.alone(|log| {
            let seen = match &log.recorder.cells[cell] {
                Stored::Word(var) => var.load(),
                Stored::Boxed(var) => whole(&var.load()),
            };
            log.push(Event::Read(cell, seen));
            None
        });
    }

    /// Writes a cell outside of any transaction.
    ///
    /// # Panics
    /// When the cell has a guard.
    pub fn store(&mut self, cell: CellId) {
        assert!(self.log.recorder.is_free(cell), "a guard is written with its cell");
        self.alone(|log| {
            let id = log.next_id();
            match &log.recorder.cells[cell] {
                Stored::Word(var) => var.store(id),
                Stored::Boxed(var) => var.store([id; 4]),
            }
            log.push(Event::Write(cell, id));
            last_write_version()
        });
    }

    /// Exchanges the value of a cell outside of any transaction.
    ///
    /// # Panics
    /// When the cell has a guard.
    pub fn swap(&mut self, cell: CellId) {
        assert!(self.log.recorder.is_free(cell), "a guard is written with its cell");
        self.alone(|log| {
            let id = log.next_id();
            let seen = match &log.recorder.cells[cell] {
                Stored::Word(var) => var.swap(id),
                Stored::Boxed(var) => whole(&var.swap([id; 4])),
            };
            log.push_both(cell, seen, id);
            last_write_version()
        });
    }

    /// Edits a cell outside of any transaction.
    ///
    /// # Panics
    /// When the cell has a guard.
    pub fn update(&mut self, cell: CellId) {
        assert!(self.log.recorder.is_free(cell), "a guard is written with its cell");
        self.alone(|log| {
            let id = log.next_id();
            let seen = match &log.recorder.cells[cell] {
                Stored::Word(var) => var.update(|value| std::mem::replace(value, id)),
                Stored::Boxed(var) => whole(&var.update(|value| std::mem::replace(value, [id; 4]))),
            };
            log.push_both(cell, seen, id);
            last_write_version()
        });
    }

    /// Records an operation outside of any transaction, which returns its write version.
    pub(crate) fn alone(&mut self, operation: impl FnOnce(&Log<'a>) -> Option<Version>) {
        self.log.prepare();
        self.log.enter();
        let write_version = operation(&self.log);
        self.log.close(Some(Outcome::Committed), write_version);
    }
}

/// The id in a box, if it is whole.
fn whole(boxed: &Boxed) -> WriteId {
    if boxed.iter().all(|id| *id == boxed[0]) { boxed[0] } else { TORN }
}

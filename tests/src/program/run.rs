//! Running one thread of a program, and recording what it does.
//!
//! Nothing here starts a thread or waits for one, so that any scheduler can. What a transaction saw is recorded twice: in the
//! history, and as what its body returned, which is what reaches user code.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::executor::block_on;
use futures::future::join_all;
use optimist::introspection::last_write_version;
use optimist::{Atomically, Limit, Priority, TVar, TryError, collect};

use super::value::Var;
use super::{Op, Program, Step, Transaction, has};
use crate::counted::Census;
use crate::history::recorder::{Recorder, Worker};
use crate::history::{Attempt, Event, INITIAL, WriteId};

mod body;

use body::Body;
pub use body::{Notes, OnPurpose, Side};

/// How long a transaction with a time limit may take.
const TIME_LIMIT: Duration = Duration::from_micros(400);

/// The most rivals of a run.
const RIVALS_MAX: usize = 60;
/// How many of them are kept for escalations, which take 24 each.
const RIVALS_KEPT: usize = 48;

/// Runs a closure on another thread, and waits for it.
pub type Elsewhere = fn(&(dyn Fn() + Sync));

/// The cells of a program, and what its threads share beside them.
#[derive(Debug)]
pub struct World {
    /// The program.
    pub program: Program,
    cells: Vec<Var>,
    census: Census,
    recorder: Recorder,
    /// Read before a wait for any change, as who has read nothing cannot wait; never written.
    anchor: TVar<u64>,
    /// What is to be done in the middle of a transaction by somebody else; nothing if there is nobody else.
    elsewhere: Option<Elsewhere>,
    /// How many rivals may still come, as each is a thread of the history.
    rivals_left: AtomicUsize,
    /// What they did.
    rivals: Mutex<Vec<Record>>,
}

/// What one thread, or one task, did.
#[derive(Debug)]
pub struct Record {
    /// Its attempts.
    pub attempts: Vec<Attempt>,
    /// What else is known of each of them.
    pub notes: Vec<Notes>,
    /// The calls that made these attempts.
    pub calls: Vec<Called>,
}

/// A call of the runtime.
#[derive(Debug)]
pub struct Called {
    /// Which one.
    pub call: Call,
    /// How many attempts it made.
    pub attempts: usize,
    /// What came out.
    pub result: Outcome,
}

/// A call of the runtime.
#[derive(Clone, Debug)]
pub enum Call {
    /// A transaction.
    Transaction(Transaction),
    /// A snapshot of these cells.
    Snapshot(Vec<usize>),
    /// A read of a single cell.
    Load(usize),
    /// A write of a single cell.
    Store(usize),
    /// An exchange of the value of a single cell, or an edit.
    Swap(usize),
}

/// What comes out of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It returned what it saw.
    Returned(Vec<WriteId>),
    /// Its body cancelled it, having seen this.
    Cancelled(Vec<WriteId>),
    /// It reached a limit.
    Stopped(Limit),
    /// Its body panicked on purpose.
    Panicked,
    /// It panicked otherwise.
    Failed(String),
}

impl World {
    /// Makes the cells of `program`. Rivals are run by `elsewhere`, if there is anybody to run them.
    #[must_use]
    pub fn new(program: Program, elsewhere: Option<Elsewhere>) -> Self {
        let census = Census::new();
        let cells: Vec<Var> = program.cells.iter().map(|kind| Var::new(*kind, INITIAL, &census)).collect();
        let recorder = Recorder::of_others_cells(cells.len());
        let (rivals_left, rivals) = (AtomicUsize::new(RIVALS_MAX), Mutex::new(Vec::new()));
        Self { program, cells, census, recorder, anchor: TVar::new(0), elsewhere, rivals_left, rivals }
    }

    /// Counts the values.
    #[must_use]
    pub fn census(&self) -> Census {
        self.census.clone()
    }

    /// Puts together what was recorded.
    #[must_use]
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// What rivals did. They are done when the threads are.
    ///
    /// # Panics
    /// When a rival panicked.
    pub fn take_rivals(&self) -> Vec<Record> {
        std::mem::take(&mut self.rivals.lock().expect("rivals do not panic"))
    }

    /// The steps of the rescue.
    #[must_use]
    pub fn rescue(&self) -> Vec<Step> {
        let cells = 0..self.cells.len();
        if self.program.rescue.singly {
            return cells.map(Step::Store).collect();
        }
        vec![Step::Run(Transaction { body: cells.map(Op::Write).collect(), ..Transaction::default() })]
    }

    /// The steps that look at what is left in the cells.
    #[must_use]
    pub fn last_look(&self) -> Vec<Step> {
        (0..self.cells.len()).map(Step::Load).collect()
    }

    fn cell(&self, cell: usize) -> (usize, &Var) {
        let number = self.program.cell(cell);
        (number, &self.cells[number])
    }

    /// Writes a cell on another thread, if there is one and more rivals than `kept` are left.
    fn write_elsewhere(&self, cell: usize, kept: usize) {
        // Relaxed: a number to count down.
        let left =
            self.rivals_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| (left > kept).then(|| left - 1));
        if let (Some(elsewhere), Ok(_)) = (self.elsewhere, left) {
            elsewhere(&|| {
                let mut rival = Thread::new(self);
                rival.step(&Step::Store(cell));
                self.rivals.lock().expect("rivals do not panic").extend(rival.finish());
            });
        }
    }
}

/// A thread, or a task, that runs steps.
#[derive(Debug)]
pub struct Thread<'w> {
    world: &'w World,
    worker: Worker<'w>,
    side: Side,
    calls: Vec<Called>,
    tasks: Vec<Record>,
}

impl<'w> Thread<'w> {
    /// Starts recording a thread.
    #[must_use]
    pub fn new(world: &'w World) -> Self {
        let worker = world.recorder.worker();
        Self { world, worker, side: Side::default(), calls: Vec::new(), tasks: Vec::new() }
    }

    /// Ends recording; the records of the thread and of its tasks.
    #[must_use]
    pub fn finish(self) -> Vec<Record> {
        let Self { worker, side, calls, mut tasks, .. } = self;
        tasks.push(Record { attempts: worker.finish(), notes: side.into_notes(), calls });
        tasks
    }

    /// Executes one step.
    pub fn step(&mut self, step: &Step) {
        match step {
            Step::Run(transaction) => self.transaction(transaction),
            Step::Tasks(transactions) => self.tasks(transactions),
            Step::Snapshot(cells) => self.snapshot(cells),
            Step::Load(cell) => self.load(*cell),
            Step::Store(cell) => self.store(*cell),
            Step::Swap(cell) => self.swap(*cell, |var, id, census| var.swap(id, census)),
            Step::Update(cell) => self.swap(*cell, |var, id, _| var.update(id)),
            Step::Collect => collect(),
        }
    }

    fn options(&self, transaction: &Transaction) -> Atomically {
        let mut options = Atomically::new().priority(Priority::new(transaction.priority));
        if transaction.is_timed || transaction.may_wait_for_ever() {
            options = options.timeout(TIME_LIMIT);
        }
        // Without anybody else, nobody ends a wait.
        let must_not_wait = self.world.elsewhere.is_none() && transaction.may_wait();
        match if must_not_wait { 1 } else { transaction.attempts_max } {
            0 => options,
            most => options.max_attempts(most),
        }
    }

    fn transaction(&mut self, transaction: &Transaction) {
        let before = self.side.attempts();
        let options = self.options(transaction);
        let Self { world, worker, side, .. } = self;
        let result = catch_unwind(AssertUnwindSafe(|| {
            worker.run(options, |tx, log| Body::new(world, log, side, transaction).run(tx))
        }));
        self.called(transaction, before, outcome(result));
    }

    fn called(&mut self, transaction: &Transaction, before: usize, result: Outcome) {
        self.side.settle();
        let attempts = self.side.attempts() - before;
        self.calls.push(Called { call: Call::Transaction(transaction.clone()), attempts, result });
    }

    async fn task(&mut self, transaction: &Transaction) {
        let options = self.options(transaction);
        let Self { world, worker, side, .. } = self;
        let run = worker.run_async(options, |tx, log| Body::new(world, log, side, transaction).run(tx));
        let result = AssertUnwindSafe(run).catch_unwind().await;
        self.called(transaction, 0, outcome(result));
    }

    fn tasks(&mut self, transactions: &[Transaction]) {
        let mut tasks: Vec<Thread<'w>> = transactions.iter().map(|_| Thread::new(self.world)).collect();
        let running = tasks.iter_mut().zip(transactions).map(|(task, transaction)| task.task(transaction));
        block_on(join_all(running));
        self.tasks.extend(tasks.into_iter().flat_map(Thread::finish));
    }

    fn snapshot(&mut self, cells: &[usize]) {
        let world = self.world;
        let cells: Vec<usize> = cells.iter().map(|cell| world.program.cell(*cell)).collect();
        self.side.begin(self.worker.log(), 1);
        let seen = self.worker.snapshot(|tx, log| {
            let mut seen = Vec::new();
            for &cell in &cells {
                let id = world.cells[cell].read(tx)?;
                log.push(Event::Read(cell, id));
                seen.push(id);
            }
            Ok(seen)
        });
        self.calls.push(Called { call: Call::Snapshot(cells), attempts: 1, result: Outcome::Returned(seen) });
    }

    fn load(&mut self, cell: usize) {
        let (cell, var) = self.world.cell(cell);
        self.side.begin(self.worker.log(), 1);
        self.worker.alone(|log| {
            log.push(Event::Read(cell, var.load()));
            None
        });
        self.calls.push(Called { call: Call::Load(cell), attempts: 1, result: Outcome::Returned(Vec::new()) });
    }

    fn store(&mut self, cell: usize) {
        let (cell, var) = self.world.cell(cell);
        self.side.begin(self.worker.log(), 1);
        self.worker.alone(|log| {
            let id = log.next_id();
            var.store(id, &self.world.census);
            log.push(Event::Write(cell, id));
            last_write_version()
        });
        self.calls.push(Called { call: Call::Store(cell), attempts: 1, result: Outcome::Returned(Vec::new()) });
    }

    fn swap(&mut self, cell: usize, swap: fn(&Var, WriteId, &Census) -> WriteId) {
        let (cell, var) = self.world.cell(cell);
        self.side.begin(self.worker.log(), 1);
        let mut seen = INITIAL;
        self.worker.alone(|log| {
            let id = log.next_id();
            seen = swap(var, id, &self.world.census);
            log.push(Event::Read(cell, seen));
            log.push(Event::Write(cell, id));
            last_write_version()
        });
        self.calls.push(Called { call: Call::Swap(cell), attempts: 1, result: Outcome::Returned(vec![seen]) });
    }
}

type Caught = Result<Result<Vec<WriteId>, TryError<Vec<WriteId>>>, Box<dyn std::any::Any + Send>>;

fn outcome(caught: Caught) -> Outcome {
    match caught {
        Ok(Ok(seen)) => Outcome::Returned(seen),
        Ok(Err(TryError::Cancelled(seen))) => Outcome::Cancelled(seen),
        Ok(Err(TryError::Stopped(stopped))) => Outcome::Stopped(stopped.limit()),
        Err(payload) if payload.is::<OnPurpose>() => Outcome::Panicked,
        Err(payload) => {
            let fixed = payload.downcast_ref::<&str>().map(ToString::to_string);
            let message = fixed.or_else(|| payload.downcast_ref::<String>().cloned());
            Outcome::Failed(message.unwrap_or_else(|| "a panic without a message".to_string()))
        }
    }
}

/// Whether a rival may write in the middle of a transaction: not if that may hold the token, as the rival would wait for it.
fn may_have_rivals(transaction: &Transaction) -> bool {
    !has(&transaction.body, |op| matches!(op, Op::Irrevocable))
}

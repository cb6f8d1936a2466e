//! What a workload is: its data, what each thread does to it, and how to tell a wrong answer.

use std::error::Error;
use std::fmt;

use hdrhistogram::Histogram;
use rand::Rng;
use rand::rngs::SmallRng;

use crate::engine::{Abilities, Data, Engine, Thread};

/// What threads do over and over, for as long as they are let.
///
/// The value holds the parameters. What a transaction does is in two parts: [`draw`](Self::draw) makes the random
/// choices, [`run`](Self::run) the transaction; both are timed, and the first is timed alone, too.
pub trait Workload: Clone + Send + Sync + 'static {
    /// What it asks of an engine.
    const NEEDS: Abilities;
    /// Whether the data is made for a number of threads, so that it cannot be used with another one.
    const IS_FOR_THREADS: bool = false;
    /// The kinds of transactions, as [`run`](Self::run) counts them.
    const KINDS: &'static [&'static str] = &["transactions"];

    /// What all threads share.
    type Data<E: Engine>: Data;
    /// What a thread remembers.
    type Worker: Send;
    /// What [`check`](Self::check) remembers from one run to the next on the same data.
    type Account: Default;

    /// What this one asks of an engine, if it is less with these parameters.
    fn needs(&self) -> Abilities {
        Self::NEEDS
    }

    /// Makes the data for so many threads.
    fn data<E: Engine>(&self, threads: usize) -> Self::Data<E>;

    /// Fills the data, which is not yet used by other threads.
    fn prepare<E: Engine>(&self, thread: &mut Thread<'_, E, Self::Data<E>>) {
        _ = thread;
    }

    /// Makes what the thread with this number needs, of so many.
    fn worker(&self, thread: usize, threads: usize) -> Self::Worker;

    /// Makes the random choices of the next transaction.
    fn draw(&self, worker: &mut Self::Worker, random: &mut SmallRng);

    /// Runs the transaction that was drawn, and returns the index of its kind; or nothing, if it was
    /// [released](Self::release) instead.
    fn run<E: Engine>(&self, worker: &mut Self::Worker, thread: &mut Thread<'_, E, Self::Data<E>>) -> Option<usize>;

    /// Looks for a sign that a transaction was lost, done twice or not done as a whole, once all threads are done.
    ///
    /// # Errors
    /// [`WrongAnswer`] says what is not as it must be.
    fn check<E: Engine>(
        &self,
        account: &mut Self::Account,
        thread: &mut Thread<'_, E, Self::Data<E>>,
        done: &[Done<Self::Worker>],
    ) -> Result<(), WrongAnswer>;

    /// Lets threads that sleep in transactions go on, when the run is to end; called on one more thread until all
    /// have ended. Workloads that [wait](Abilities::waiting) need it.
    fn release<E: Engine>(&self, thread: &mut Thread<'_, E, Self::Data<E>>) {
        _ = thread;
    }

    /// How many transactions there are between two looks at the flag that ends the run. Of each batch the time of one
    /// transaction is taken for the latencies.
    fn batch(&self, worker: &Self::Worker) -> u32 {
        _ = worker;
        64
    }

    /// Latencies of a kind that the worker has measured itself, instead of the time of [`run`](Self::run).
    fn latencies(worker: &Self::Worker, kind: usize) -> Option<&Histogram<u64>> {
        _ = (worker, kind);
        None
    }
}

/// What one thread has done in a run, warm-up included.
#[derive(Debug)]
pub struct Done<W> {
    /// Transactions by kind.
    pub counts: Vec<u64>,
    /// What it remembers.
    pub worker: W,
}

impl<W> Done<W> {
    /// Transactions of all kinds.
    #[must_use]
    pub fn transactions(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// A program that a fixed amount of work is given to, which its threads share among them: an application.
///
/// What counts is the time from when all threads begin until the last one ends.
pub trait Program: Clone + Send + Sync + 'static {
    /// What it asks of an engine.
    const NEEDS: Abilities;

    /// The work: the same for all engines with one seed, and never written. It is made outside of the time.
    type Input: Send + Sync;
    /// What all threads share. It is made anew for each run, outside of the time.
    type Data<E: Engine>: Data;
    /// What a thread knows when it has ended.
    type Output: Send;

    /// Makes the work.
    fn input(&self, seed: u64) -> Self::Input;

    /// Makes the data.
    fn data<E: Engine>(&self, input: &Self::Input, threads: usize) -> Self::Data<E>;

    /// Does the share of one thread. All threads run it at once; it may wait for the others by
    /// [`Part::barrier`].
    fn run<E: Engine>(
        &self,
        input: &Self::Input,
        part: &Part<'_>,
        thread: &mut Thread<'_, E, Self::Data<E>>,
    ) -> Self::Output;

    /// Verifies the result once all threads are done, and returns how many operations it took: what the
    /// throughput counts.
    ///
    /// # Errors
    /// [`WrongAnswer`] says what is not as it must be.
    fn check<E: Engine>(
        &self,
        input: &Self::Input,
        thread: &mut Thread<'_, E, Self::Data<E>>,
        outputs: &[Self::Output],
    ) -> Result<u64, WrongAnswer>;
}

/// Which part of a program's work is a thread's.
#[derive(Debug)]
pub struct Part<'a> {
    /// The number of the thread, from zero on.
    pub thread: usize,
    /// How many threads there are.
    pub threads: usize,
    /// What the random choices of the program depend on.
    pub seed: u64,
    barrier: &'a std::sync::Barrier,
}

impl<'a> Part<'a> {
    /// Makes it.
    #[must_use]
    pub fn new(thread: usize, threads: usize, seed: u64, barrier: &'a std::sync::Barrier) -> Self {
        Self { thread, threads, seed, barrier }
    }

    /// Waits until all threads have come here.
    pub fn barrier<E: Engine, D: Data>(&self, thread: &mut Thread<'_, E, D>) {
        thread.blocking(|| _ = self.barrier.wait());
    }

    /// The share of this thread in `count` pieces of work.
    #[must_use]
    pub fn share(&self, count: usize) -> std::ops::Range<usize> {
        count * self.thread / self.threads..count * (self.thread + 1) / self.threads
    }
}

/// An engine has given a wrong answer.
#[derive(Debug)]
pub struct WrongAnswer {
    what: String,
    expected: String,
    found: String,
}

impl WrongAnswer {
    /// Compares what must be with what is.
    ///
    /// # Errors
    /// When they are not equal.
    pub fn unless_equal<T: PartialEq + fmt::Display>(what: &str, expected: T, found: T) -> Result<(), Self> {
        if expected == found {
            return Ok(());
        }
        Err(Self { what: what.to_string(), expected: expected.to_string(), found: found.to_string() })
    }

    /// Asks for what must be true.
    ///
    /// # Errors
    /// When it is not.
    pub fn unless(what: &str, holds: bool) -> Result<(), Self> {
        Self::unless_equal(what, true, holds)
    }
}

impl fmt::Display for WrongAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wrong answer: {} must be {}, not {}", self.what, self.expected, self.found)
    }
}

impl Error for WrongAnswer {}

/// A random index below `count`.
#[inline]
pub fn index(random: &mut SmallRng, count: usize) -> usize {
    // The upper half of the random bits, as a fraction of `count`; exact for powers of two.
    (((random.next_u64() >> 32) * count as u64) >> 32) as usize
}

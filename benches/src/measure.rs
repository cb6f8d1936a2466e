//! Running one workload on one engine with some threads, for some time.
//!
//! # Protocol
//! 1. Each thread warms up: its thread-local memory, the caches, the branch predictor.
//! 2. All threads meet at a barrier, and each reads the clock.
//! 3. Each runs batches of transactions until a flag is set, then reads the clock again. The flag is looked at
//!    once for each batch.
//! 4. The answer is checked, warm-up included.
//!
//! The rate of each thread is what it did over the time that it took itself, so that a thread that is woken late or
//! preempted at the end is neither credited nor charged with time in which it did not run the loop. The throughput is the sum
//! of the rates.

use std::hint::black_box;
use std::marker::PhantomData;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::SmallRng;

use crate::engine::Engine;
use crate::workload::{Evidence, RunOn, Workload, WrongAnswer};

/// How a run is to be done.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How many threads run transactions.
    pub threads: usize,
    /// For how long.
    pub time: Duration,
    /// For how long each thread warms up before.
    pub warm_up: Duration,
    /// What the choice of words depends on.
    pub seed: u64,
}

/// What a run gave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Transactions of all threads in a second.
    pub throughput: f64,
    /// Transactions done, those of the warm-up among them.
    pub transactions: u64,
    /// Attempts of them that aborted in conflict, if the engine counts that.
    pub conflicts: Option<u64>,
}

/// A pair of a workload and an engine that can be run.
pub trait Job {
    /// Whether more than one thread may run it.
    fn is_concurrent(&self) -> bool;

    /// How many words a transaction uses.
    fn words_used(&self) -> usize;

    /// Runs it.
    ///
    /// # Errors
    /// When the engine gave a wrong answer.
    fn run(&mut self, plan: &Plan) -> Result<Sample, WrongAnswer>;
}

/// A workload on an engine, whose words are kept from one run to the next.
#[derive(Debug)]
pub struct Pair<E, W> {
    engine: E,
    words: usize,
    workload: PhantomData<fn() -> W>,
}

impl<E: Engine, W: RunOn<E>> Pair<E, W> {
    /// Makes the words, if an array of `asked` words is asked for.
    #[must_use]
    pub fn new(asked: usize) -> Self {
        let words = W::words(asked);
        Self { engine: E::new(words, W::FIRST_VALUE), words, workload: PhantomData }
    }
}

impl<E: Engine, W: RunOn<E>> Job for Pair<E, W> {
    fn is_concurrent(&self) -> bool {
        E::IS_CONCURRENT
    }

    fn words_used(&self) -> usize {
        W::WORDS_USED
    }

    fn run(&mut self, plan: &Plan) -> Result<Sample, WrongAnswer> {
        let before = self.engine.values();
        let conflicts_before = E::conflicts();
        let done = run_threads(plan, self.words, |workload: &mut W| workload.run(&self.engine));
        let conflicts = E::conflicts().zip(conflicts_before).map(|(after, before)| after - before);
        let after = self.engine.values();
        let evidence = Evidence { before: &before, after: &after, threads: &done.threads };
        W::check(&evidence)?;
        Ok(Sample { throughput: done.throughput, transactions: evidence.transactions(), conflicts })
    }
}

/// A workload whose transactions do nothing: the cost of choosing the words and of the loop itself.
#[derive(Debug)]
pub struct Floor<W> {
    words: usize,
    workload: PhantomData<fn() -> W>,
}

impl<W: Workload> Floor<W> {
    /// Makes it, if an array of `asked` words is asked for.
    #[must_use]
    pub fn new(asked: usize) -> Self {
        Self { words: W::words(asked), workload: PhantomData }
    }
}

impl<W: Workload> Job for Floor<W> {
    fn is_concurrent(&self) -> bool {
        true
    }

    fn words_used(&self) -> usize {
        W::WORDS_USED
    }

    fn run(&mut self, plan: &Plan) -> Result<Sample, WrongAnswer> {
        let done = run_threads(plan, self.words, |workload: &mut W| _ = black_box(workload));
        let transactions = done.threads.iter().map(|(transactions, _)| transactions).sum();
        Ok(Sample { throughput: done.throughput, transactions, conflicts: None })
    }
}

struct Done<W> {
    throughput: f64,
    threads: Vec<(u64, W)>,
}

fn run_threads<W: Workload>(plan: &Plan, words: usize, run: impl Fn(&mut W) + Sync) -> Done<W> {
    let barrier = Barrier::new(plan.threads + 1);
    let stop = AtomicBool::new(false);
    let threads: Vec<_> = thread::scope(|scope| {
        let handles: Vec<_> = (0..plan.threads)
            .map(|thread| {
                let (run, barrier, stop) = (&run, &barrier, &stop);
                scope.spawn(move || {
                    let workload = W::new(thread, words);
                    Worker::new(workload, thread, plan.seed, run).work(plan.warm_up, barrier, stop)
                })
            })
            .collect();
        barrier.wait();
        thread::sleep(plan.time);
        // Relaxed: the flag says nothing about anything else.
        stop.store(true, Ordering::Relaxed);
        handles.into_iter().map(|handle| handle.join().expect("a worker panicked, as reported above")).collect()
    });
    Done {
        throughput: threads.iter().map(|(rate, _)| rate).sum(),
        threads: threads.into_iter().map(|(_, thread)| thread).collect(),
    }
}

struct Worker<'a, W, F> {
    workload: W,
    random: SmallRng,
    transactions: u64,
    run: &'a F,
}

impl<'a, W: Workload, F: Fn(&mut W)> Worker<'a, W, F> {
    fn new(workload: W, thread: usize, seed: u64, run: &'a F) -> Self {
        // Each thread has a sequence of its own, the same for all engines.
        let random = SmallRng::seed_from_u64(seed ^ (thread as u64).rotate_right(16));
        Self { workload, random, transactions: 0, run }
    }

    /// Returns the rate, and what [`Evidence`] wants of a thread.
    fn work(mut self, warm_up: Duration, barrier: &Barrier, stop: &AtomicBool) -> (f64, (u64, W)) {
        let start = Instant::now();
        while start.elapsed() < warm_up {
            self.batch();
        }
        let before = self.transactions;
        barrier.wait();
        let start = Instant::now();
        loop {
            self.batch();
            // Relaxed: the flag says nothing about anything else.
            if stop.load(Ordering::Relaxed) {
                break;
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        ((self.transactions - before) as f64 / seconds, (self.transactions, self.workload))
    }

    /// Not inlined, so that a profile shows it by the names of the workload and the engine.
    #[inline(never)]
    fn batch(&mut self) {
        for _ in 0..W::BATCH {
            self.workload.draw(&mut self.random);
            (self.run)(&mut self.workload);
        }
        self.transactions += W::BATCH;
    }
}

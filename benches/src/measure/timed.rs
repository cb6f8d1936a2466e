//! Running a [`Workload`] for some time.
//!
//! # Protocol
//! 1. Each thread warms up: its thread-local memory, the caches, the branch predictor.
//! 2. All threads meet at a barrier, and each reads the clock.
//! 3. Each runs batches of transactions until a flag is set, then reads the clock again. The flag is looked at
//!    once for each batch.
//! 4. The answer is checked, warm-up included.
//!
//! The rate of each thread is what it did over the time that it took itself, so that a thread that is woken late or
//! preempted at the end is neither credited nor charged with time in which it did not run the loop. The throughput
//! is the sum of the rates.

use std::fmt;
use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use cpu_time::ThreadTime;
use hdrhistogram::Histogram;
use rand::SeedableRng;
use rand::rngs::SmallRng;

use super::{Job, KindSample, Latency, Plan, Sample, nanoseconds};
use crate::engine::{Engine, Thread};
use crate::workload::{Done, Workload, WrongAnswer};

/// A workload on an engine. Its data is kept from one run to the next.
pub struct Timed<E: Engine, W: Workload> {
    workload: W,
    kept: Option<Kept<E, W>>,
}

struct Kept<E: Engine, W: Workload> {
    threads: usize,
    world: E::World<W::Data<E>>,
    account: W::Account,
}

impl<E: Engine, W: Workload> fmt::Debug for Timed<E, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timed").finish_non_exhaustive()
    }
}

impl<E: Engine, W: Workload> Timed<E, W> {
    /// Makes it; the data is made in the first run.
    pub fn new(workload: W) -> Self {
        Self { workload, kept: None }
    }

    fn kept(&mut self, threads: usize) -> &mut Kept<E, W> {
        if self.kept.as_ref().is_some_and(|kept| W::IS_FOR_THREADS && kept.threads != threads) {
            self.kept = None;
        }
        let workload = &self.workload;
        self.kept.get_or_insert_with(|| {
            let world = E::world(workload.data::<E>(threads));
            workload.prepare(&mut Thread::<E, _>::enter(&world));
            Kept { threads, world, account: W::Account::default() }
        })
    }
}

impl<E: Engine, W: Workload> Job for Timed<E, W> {
    fn kinds(&self) -> &'static [&'static str] {
        W::KINDS
    }

    fn run(&mut self, plan: &Plan) -> Result<Sample, WrongAnswer> {
        let workload = self.workload.clone();
        let kept = self.kept(plan.threads);
        let conflicts_before = E::conflicts();
        let world = &kept.world;
        let ended = run_threads(
            plan,
            &workload,
            |barrier, worker: Worker<'_, W>, stop| {
                let mut thread = Thread::<E, _>::enter(world);
                worker.work(plan, barrier, stop, &mut thread, W::run, |thread, wait| thread.blocking(wait))
            },
            |is_over| {
                if W::NEEDS.waiting {
                    let mut thread = Thread::<E, _>::enter(world);
                    while !is_over() {
                        workload.release(&mut thread);
                        thread.blocking(|| thread::sleep(Duration::from_millis(1)));
                    }
                }
            },
        );
        let conflicts = E::conflicts().zip(conflicts_before).map(|(after, before)| after - before);
        let (sample, done) = add_up::<W>(ended, conflicts);
        workload.check(&mut kept.account, &mut Thread::<E, _>::enter(&kept.world), &done)?;
        Ok(sample)
    }
}

/// A workload whose transactions are not run: the cost of the random choices and of the loop itself.
#[derive(Debug)]
pub struct Floor<W>(W);

impl<W: Workload> Floor<W> {
    /// Makes it.
    pub fn new(workload: W) -> Self {
        Self(workload)
    }
}

impl<W: Workload> Job for Floor<W> {
    fn kinds(&self) -> &'static [&'static str] {
        W::KINDS
    }

    fn run(&mut self, plan: &Plan) -> Result<Sample, WrongAnswer> {
        let ended = run_threads(
            plan,
            &self.0,
            |barrier, worker: Worker<'_, W>, stop| {
                let nothing = |_: &W, worker: &mut W::Worker, (): &mut ()| {
                    black_box(worker);
                    Some(0)
                };
                worker.work(plan, barrier, stop, &mut (), nothing, |(), wait| wait())
            },
            |_| {},
        );
        Ok(add_up::<W>(ended, None).0)
    }
}

/// What a thread has come to.
struct Ended<W> {
    rates: Vec<f64>,
    /// Time on a processor, and the transactions done in it.
    processor: (Duration, u64),
    latencies: Vec<Histogram<u64>>,
    done: Done<W>,
}

fn run_threads<W: Workload>(
    plan: &Plan,
    workload: &W,
    run: impl Fn(&Barrier, Worker<'_, W>, &AtomicBool) -> Ended<W::Worker> + Sync,
    release: impl FnOnce(&dyn Fn() -> bool),
) -> Vec<Ended<W::Worker>> {
    let barrier = Barrier::new(plan.threads + 1);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let handles: Vec<_> = (0..plan.threads)
            .map(|thread| {
                let (run, barrier, stop) = (&run, &barrier, &stop);
                scope.spawn(move || run(barrier, Worker::new(workload, thread, plan), stop))
            })
            .collect();
        barrier.wait();
        thread::sleep(plan.time);
        // Relaxed: the flag says nothing about anything else.
        stop.store(true, Ordering::Relaxed);
        release(&|| handles.iter().all(thread::ScopedJoinHandle::is_finished));
        handles.into_iter().map(|handle| handle.join().expect("a worker panicked, as reported above")).collect()
    })
}

fn add_up<W: Workload>(mut ended: Vec<Ended<W::Worker>>, conflicts: Option<u64>) -> (Sample, Vec<Done<W::Worker>>) {
    let kinds = (0..W::KINDS.len())
        .map(|kind| {
            let mut latencies = nanoseconds();
            for thread in &mut ended {
                let measured = W::latencies(&thread.done.worker, kind).unwrap_or(&thread.latencies[kind]);
                latencies.add(measured).expect("all histograms have the same bounds");
            }
            let throughput = ended.iter().map(|thread| thread.rates[kind]).sum();
            KindSample { throughput, latency: Latency::of(&latencies) }
        })
        .collect();
    let time: Duration = ended.iter().map(|thread| thread.processor.0).sum();
    let count: u64 = ended.iter().map(|thread| thread.processor.1).sum();
    let processor_time = (count > 0).then(|| time.as_nanos() as f64 / count as f64);
    let done: Vec<_> = ended.into_iter().map(|thread| thread.done).collect();
    (Sample { kinds, processor_time, transactions: done.iter().map(Done::transactions).sum(), conflicts }, done)
}

struct Worker<'a, W: Workload> {
    workload: &'a W,
    worker: W::Worker,
    random: SmallRng,
    counts: Vec<u64>,
    latencies: Vec<Histogram<u64>>,
}

impl<'a, W: Workload> Worker<'a, W> {
    fn new(workload: &'a W, thread: usize, plan: &Plan) -> Self {
        Self {
            workload,
            worker: workload.worker(thread, plan.threads),
            random: SmallRng::seed_from_u64(plan.seed_of(thread)),
            counts: vec![0; W::KINDS.len()],
            latencies: W::KINDS.iter().map(|_| nanoseconds()).collect(),
        }
    }

    fn work<T>(
        mut self,
        plan: &Plan,
        barrier: &Barrier,
        stop: &AtomicBool,
        thread: &mut T,
        run: impl Fn(&W, &mut W::Worker, &mut T) -> Option<usize>,
        blocking: impl FnOnce(&mut T, &mut dyn FnMut()),
    ) -> Ended<W::Worker> {
        // A workload in which threads wait for each other cannot warm up before all are there.
        let start = Instant::now();
        while !W::NEEDS.waiting && start.elapsed() < plan.warm_up {
            self.batch(thread, &run);
        }
        let before = self.counts.clone();
        self.latencies.iter_mut().for_each(Histogram::reset);
        blocking(thread, &mut || _ = barrier.wait());
        let start = Instant::now();
        let start_on_processor = ThreadTime::now();
        loop {
            self.batch(thread, &run);
            // Relaxed: the flag says nothing about anything else.
            if stop.load(Ordering::Relaxed) {
                break;
            }
        }
        let on_processor = start_on_processor.elapsed();
        let seconds = start.elapsed().as_secs_f64();
        let counts: Vec<u64> = self.counts.iter().zip(before).map(|(after, before)| after - before).collect();
        Ended {
            rates: counts.iter().map(|&count| count as f64 / seconds).collect(),
            processor: (on_processor, counts.iter().sum()),
            latencies: self.latencies,
            done: Done { counts: self.counts, worker: self.worker },
        }
    }

    /// Not inlined, so that a profile shows it by the names of the workload and the engine.
    #[inline(never)]
    fn batch<T>(&mut self, thread: &mut T, run: &impl Fn(&W, &mut W::Worker, &mut T) -> Option<usize>) {
        self.workload.draw(&mut self.worker, &mut self.random);
        let start = Instant::now();
        let kind = run(self.workload, &mut self.worker, thread);
        if let Some(kind) = kind {
            let nanoseconds = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
            self.latencies[kind].saturating_record(nanoseconds);
            self.counts[kind] += 1;
        }
        for _ in 1..self.workload.batch(&self.worker) {
            self.workload.draw(&mut self.worker, &mut self.random);
            if let Some(kind) = run(self.workload, &mut self.worker, thread) {
                self.counts[kind] += 1;
            }
        }
    }
}

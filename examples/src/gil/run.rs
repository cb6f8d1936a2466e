//! Workers and auditors: measuring the engines.
//!
//! # Protocol
//! 1. A **pass** adds the whole corpus to an empty index: each worker takes the next document, until none is left.
//! 2. All the while, the auditors check the index, at least once each.
//! 3. After the pass, what the index holds is compared with the reference.
//! 4. Making an empty index, comparing it, and dropping it are not measured.
//!
//! The plans take turns, pass by pass, until the workers of each have been busy for the time asked for. So whatever
//! else the machine is doing meanwhile disturbs all of them alike.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::corpus::Corpus;
use super::index::{Contents, Engine, Index, Sums};

/// The number of threads that check the index while it is built.
pub const AUDITORS: u64 = 2;

/// An auditor rests this many times as long as an audit took, so that it leaves the processor to the workers.
const REST: u32 = 20;
const REST_MIN: Duration = Duration::from_millis(1);

/// What to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Who guards the index.
    pub engine: Engine,
    /// The number of workers.
    pub threads: usize,
    /// How long the workers are to be busy, at least.
    pub time: Duration,
}

/// What came out.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was asked for.
    pub plan: Plan,
    /// The number of documents added, in all passes.
    pub documents: u64,
    /// The number of passes.
    pub passes: u64,
    /// How long the workers were busy.
    pub busy: Duration,
    /// The longest time from when a worker took a document until it was in the index.
    pub longest_wait: Duration,
    /// How many attempts of transactions lost against another; nothing for the engines that have no attempts.
    pub aborts: Option<u64>,
    /// How many times an auditor found the index whole.
    pub audits: u64,
    /// What an auditor saw that was not.
    pub broken: Vec<Sums>,
    /// In what the index of a pass differed from the reference.
    pub difference: Option<String>,
}

impl Outcome {
    /// The outcome of a plan of which no pass has been run yet.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        Self {
            plan,
            documents: 0,
            passes: 0,
            busy: Duration::ZERO,
            longest_wait: Duration::ZERO,
            aborts: (plan.engine == Engine::Optimist).then_some(0),
            audits: 0,
            broken: Vec::new(),
            difference: None,
        }
    }

    /// Whether there is nothing more to measure: the time is over, or something went wrong.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.passes > 0 && (self.busy >= self.plan.time || !self.is_right())
    }

    /// Documents per second.
    #[must_use]
    pub fn throughput(&self) -> f64 {
        self.documents as f64 / self.busy.as_secs_f64()
    }

    /// Whether nothing went wrong.
    #[must_use]
    pub fn is_right(&self) -> bool {
        self.broken.is_empty() && self.difference.is_none()
    }
}

/// Has `show` called with the plan, the time spent and the documents added so far.
pub type Show<'a> = &'a (dyn Fn(Plan, Duration, u64) + Sync);

/// Carries out all plans.
pub fn measure(corpus: &Corpus, reference: &Contents, plans: &[Plan], show: Show<'_>) -> Vec<Outcome> {
    let mut outcomes: Vec<_> = plans.iter().copied().map(Outcome::new).collect();
    while !outcomes.iter().all(Outcome::is_complete) {
        for outcome in outcomes.iter_mut().filter(|outcome| !outcome.is_complete()) {
            let aborts_before = optimist::stats().conflicts();
            let index = outcome.plan.engine.index(corpus);
            pass(corpus, &*index, outcome, show);
            if let Some(aborts) = &mut outcome.aborts {
                *aborts += optimist::stats().conflicts() - aborts_before;
            }
            outcome.difference = index.contents().difference_from(reference);
            drop(index);
            // What transactions replaced and dropped is destroyed a little later; here, so that no worker has to do it.
            optimist::collect();
            show(outcome.plan, outcome.busy, outcome.documents);
        }
    }
    outcomes
}

/// What the threads of a pass share, besides the index.
#[derive(Debug)]
struct Pass {
    /// The number of the next document to add.
    next: AtomicUsize,
    is_over: AtomicBool,
    audits: AtomicU64,
    start: Instant,
}

fn pass(corpus: &Corpus, index: &dyn Index, outcome: &mut Outcome, show: Show<'_>) {
    let pass = Pass {
        next: AtomicUsize::new(0),
        is_over: AtomicBool::new(false),
        audits: AtomicU64::new(0),
        start: Instant::now(),
    };
    let (plan, before) = (outcome.plan, (outcome.busy, outcome.documents));
    let show = || {
        // Relaxed: for the eye only. The last few fetches find no document left.
        let documents = pass.next.load(Ordering::Relaxed).min(corpus.documents().len());
        show(plan, before.0 + pass.start.elapsed(), before.1 + documents as u64);
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..outcome.plan.threads)
            .map(|worker| {
                scope.spawn({
                    let pass = &pass;
                    move || work(corpus, index, pass, worker)
                })
            })
            .collect();
        let auditors: Vec<_> = (0..AUDITORS)
            .map(|auditor| {
                scope.spawn({
                    let (pass, show) = (&pass, &show);
                    move || audit(index, pass, auditor, show)
                })
            })
            .collect();
        for worker in workers {
            let longest_wait = worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            outcome.longest_wait = outcome.longest_wait.max(longest_wait);
        }
        outcome.busy += pass.start.elapsed();
        // Relaxed: the auditors only have to notice some time.
        pass.is_over.store(true, Ordering::Relaxed);
        for auditor in auditors {
            auditor.thread().unpark();
            let broken = auditor.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            outcome.broken.extend(broken);
        }
    });
    outcome.passes += 1;
    outcome.documents += corpus.documents().len() as u64;
    outcome.audits += pass.audits.into_inner();
}

/// Adds documents until none is left, and returns the longest time one took.
fn work(corpus: &Corpus, index: &dyn Index, pass: &Pass, worker: usize) -> Duration {
    let mut longest_wait = Duration::ZERO;
    // Relaxed: a counter that hands out numbers; the documents were there before the thread was.
    while let Some(document) = corpus.documents().get(pass.next.fetch_add(1, Ordering::Relaxed)) {
        let wanted = Instant::now();
        index.add(worker, document);
        longest_wait = longest_wait.max(wanted.elapsed());
    }
    longest_wait
}

/// Checks the index again and again, and returns what was seen when it was not whole.
fn audit(index: &dyn Index, pass: &Pass, auditor: u64, show: &(dyn Fn() + Sync)) -> Vec<Sums> {
    let mut broken = Vec::new();
    let mut turn = auditor;
    loop {
        let begin = Instant::now();
        let sums = index.audit(turn);
        let rest = (begin.elapsed() * REST).max(REST_MIN);
        if sums.agree() {
            // Relaxed: a count.
            pass.audits.fetch_add(1, Ordering::Relaxed);
        } else {
            broken.push(sums);
        }
        // Relaxed: nothing else depends on it; the thread is joined in the end.
        if pass.is_over.load(Ordering::Relaxed) {
            return broken;
        }
        if auditor == 0 {
            show();
        }
        thread::park_timeout(rest);
        turn += 1;
    }
}

//! The frame of the litmus tests: a seed that is printed and settable, a time scale, threads that go in step or run
//! free, and ids that say who wrote them.
//!
//! * `OPTIMIST_TEST_SEED` (or else `OPTIMIST_SEED`) sets the seed of all that is random in a test but the schedule.
//! * `OPTIMIST_TEST_SECONDS` sets how long a test looks for its anomaly; more finds more.

use std::any::Any;
use std::hint::spin_loop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::schedule::{PATIENCE, ends_within};

mod in_step;

/// How long a test looks for its anomaly, unless told otherwise.
const TIME: Duration = Duration::from_millis(200);
/// Threads of one test whose rounds are told when it hangs.
const WATCHED: usize = 64;

/// What all tests of a run share: the seed, the time, and how far their threads have got.
#[derive(Clone, Debug)]
pub struct Run {
    seed: u64,
    time: Duration,
    rounds: Arc<[AtomicU64; WATCHED]>,
}

/// Runs a litmus test, and prints its seed.
///
/// # Panics
/// When the test panics or hangs.
pub fn litmus(test: impl FnOnce(&Run) + Send + 'static) {
    let setting = |name: &str| std::env::var(name).ok();
    let given = setting("OPTIMIST_TEST_SEED").or_else(|| setting("OPTIMIST_SEED")).and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_nanos() as u64));
    let seconds = setting("OPTIMIST_TEST_SECONDS").and_then(|seconds| seconds.parse().ok());
    let time = seconds.map_or(TIME, Duration::from_secs_f64);
    println!("OPTIMIST_TEST_SEED={seed} OPTIMIST_TEST_SECONDS={}", time.as_secs_f64());
    let run = Run { seed, time, rounds: Arc::new([const { AtomicU64::new(0) }; WATCHED]) };
    let watched = Arc::clone(&run.rounds);
    let state = move || {
        // Relaxed: what is told of a test that hangs is not exact.
        let rounds: Vec<u64> = watched.iter().map(|round| round.load(Ordering::Relaxed)).collect();
        let last = rounds.iter().rposition(|round| *round > 0).map_or(0, |last| last + 1);
        format!("; OPTIMIST_TEST_SEED={seed}; rounds begun by its threads: {:?}", &rounds[..last])
    };
    ends_within(PATIENCE + 4 * time, state, move || test(&run));
}

/// One thread's turn in one round of a test.
#[derive(Debug)]
pub struct Turn<'a> {
    /// The number of the thread.
    pub thread: usize,
    /// The number of the round, of this thread or of all.
    pub round: u64,
    /// The source of what is random.
    pub random: &'a mut SmallRng,
}

/// The id of what a thread writes in a round; never zero, which is for what nobody wrote.
#[must_use]
pub fn id(thread: usize, round: u64) -> u64 {
    (round + 1) << 8 | thread as u64
}

/// The round that this was written in; nothing for an initial value.
#[must_use]
pub fn round_of(id: u64) -> Option<u64> {
    (id >> 8).checked_sub(1)
}

/// Who wrote this, for a message.
#[must_use]
pub fn who(id: u64) -> String {
    match round_of(id) {
        Some(round) => format!("what thread {} wrote in round {round}", id & 0xFF),
        None => "the initial value".to_string(),
    }
}

impl Turn<'_> {
    /// The id of what is written in this turn.
    #[must_use]
    pub fn id(&self) -> u64 {
        id(self.thread, self.round)
    }

    /// A random number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.random.random_range(0..end)
    }

    /// Waits a random moment, often none: long enough for others to commit in between.
    pub fn dawdle(&mut self) {
        match self.random.random_range(0..32_u32) {
            0 | 1 => thread::yield_now(),
            2..12 => (0..self.random.random_range(0..300)).for_each(|_| spin_loop()),
            _ => {}
        }
    }
}

impl Run {
    /// How long the test looks for its anomaly.
    #[must_use]
    pub fn time(&self) -> Duration {
        self.time
    }

    /// A run of a part of the time, for one of several variants.
    #[must_use]
    pub fn part_of(&self, variants: u32) -> Self {
        Self { time: self.time / variants, ..self.clone() }
    }

    /// The source of what is random in a thread.
    #[must_use]
    pub fn random(&self, thread: usize) -> SmallRng {
        SmallRng::seed_from_u64(self.seed ^ (thread as u64) << 32)
    }

    fn begin_round(&self, thread: usize, round: u64) {
        if let Some(watched) = self.rounds.get(thread) {
            // Relaxed: see `litmus`.
            watched.store(round + 1, Ordering::Relaxed);
        }
    }

    /// Repeats `step` in each of `threads` threads for the time of the run, each at its own pace, and at least once.
    ///
    /// # Panics
    /// When a step panics; the others then end, too.
    pub fn repeat(&self, threads: usize, step: impl Fn(&mut Turn<'_>) + Sync) {
        let (start, failed) = (Instant::now(), AtomicBool::new(false));
        on_threads(threads, |thread| {
            let _failed = OnPanic(|| failed.store(true, Ordering::Relaxed));
            let mut random = self.random(thread);
            for round in 0.. {
                self.begin_round(thread, round);
                step(&mut Turn { thread, round, random: &mut random });
                // Relaxed: nothing is read on its account.
                if start.elapsed() >= self.time || failed.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
    }
}

/// Does something when dropped by a panic.
struct OnPanic<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnPanic<F> {
    fn drop(&mut self) {
        if thread::panicking() {
            (self.0)();
        }
    }
}

/// Runs `work` on so many threads and returns what each returns, in order.
///
/// # Panics
/// When one of them panics, with its message.
pub fn on_threads<R: Send>(threads: usize, work: impl Fn(usize) -> R + Sync) -> Vec<R> {
    let work = &work;
    let results: Vec<Result<R, Box<dyn Any + Send>>> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|thread| {
                let work = move || catch_unwind(AssertUnwindSafe(|| work(thread)));
                // There may be a thousand of them.
                thread::Builder::new().stack_size(512 << 10).spawn_scoped(scope, work).expect("a thread is to be had")
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().and_then(|result| result)).collect()
    });
    results.into_iter().map(|result| result.unwrap_or_else(|payload| resume_unwind(payload))).collect()
}

//! Running one workload on one engine with some threads.

mod program;
mod timed;

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

pub use program::Whole;
pub use timed::{Floor, Timed};

use crate::workload::WrongAnswer;

/// How a run is to be done.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How many threads run transactions.
    pub threads: usize,
    /// For how long, if the workload has no end of its own.
    pub time: Duration,
    /// For how long each thread warms up before.
    pub warm_up: Duration,
    /// What all random choices depend on.
    pub seed: u64,
}

impl Plan {
    /// The seed of one thread's choices: the same for all engines.
    fn seed_of(&self, thread: usize) -> u64 {
        self.seed ^ (thread as u64).rotate_right(16)
    }
}

/// What a run gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// What was done, by kind.
    pub kinds: Vec<KindSample>,
    /// How long the threads were running on a processor for each transaction of any kind, in nanoseconds; if it was
    /// measured. What else the machine does disturbs it less than time on the wall.
    pub processor_time: Option<f64>,
    /// Transactions done, those of the warm-up among them.
    pub transactions: u64,
    /// Attempts of them that aborted in conflict, if the engine counts that.
    pub conflicts: Option<u64>,
}

/// What a run gave of one kind of transactions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct KindSample {
    /// How many of them all threads did in a second.
    pub throughput: f64,
    /// How long they took, if that was measured.
    pub latency: Option<Latency>,
}

/// How long transactions took as their threads saw it, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// The median.
    pub p50: u64,
    /// One of a hundred took longer.
    pub p99: u64,
    /// One of a thousand took longer.
    pub p999: u64,
    /// The longest.
    pub max: u64,
}

impl Latency {
    fn of(histogram: &Histogram<u64>) -> Option<Self> {
        (!histogram.is_empty()).then(|| Self {
            p50: histogram.value_at_quantile(0.5),
            p99: histogram.value_at_quantile(0.99),
            p999: histogram.value_at_quantile(0.999),
            max: histogram.max(),
        })
    }
}

/// A histogram of nanoseconds, up to ten minutes, in three digits.
///
/// # Panics
/// Never: the bounds are in order.
#[must_use]
pub fn nanoseconds() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 600_000_000_000, 3).expect("the bounds are in order")
}

/// A pair of a workload and an engine that can be run.
pub trait Job {
    /// The names of the kinds of transactions.
    fn kinds(&self) -> &'static [&'static str];

    /// Runs it.
    ///
    /// # Errors
    /// When the engine gave a wrong answer.
    fn run(&mut self, plan: &Plan) -> Result<Sample, WrongAnswer>;
}

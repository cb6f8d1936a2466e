//! Looking for programs that fail.

use std::time::{Duration, Instant};

use super::generate::from_seed;
use super::judge::Tally;
use super::{Program, native};

/// Longer than any program takes, also on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// How often each program of a hunt is run on threads.
const RUNS: usize = 2;

/// A program that failed.
#[derive(Clone, Debug)]
pub struct Found {
    /// The seed it comes from.
    pub seed: u64,
    /// What went wrong.
    pub problem: String,
}

/// How often and for how long a program is run.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// How often on threads, at most.
    pub times: usize,
    /// After which time it is not run once more.
    pub time: Duration,
    /// After which time a run hangs.
    pub patience: Duration,
}

/// Runs a program alone, and then many times on threads.
///
/// # Errors
/// What is wrong, told to a human, and in which run: the one alone is number zero.
pub fn check(program: &Program, effort: Effort) -> Result<Tally, (usize, String)> {
    let start = Instant::now();
    let mut tally = native::run_alone(program, effort.patience).map_err(|problem| (0, format!("alone: {problem}")))?;
    for run in 1..=effort.times {
        if start.elapsed() > effort.time {
            break;
        }
        tally.add(native::run(program, effort.patience).map_err(|problem| (run, problem))?);
    }
    Ok(tally)
}

/// Runs programs with the seeds from `first` on, for a while; `begin` is told the seed of each before it runs.
///
/// # Errors
/// The first that fails.
pub fn hunt(first: u64, time: Duration, mut begin: impl FnMut(u64)) -> Result<Tally, Found> {
    let start = Instant::now();
    let mut tally = Tally::default();
    let mut seed = first;
    while start.elapsed() < time {
        begin(seed);
        let program = from_seed(seed);
        let effort = Effort { times: RUNS, time: PATIENCE, patience: PATIENCE };
        tally.add(check(&program, effort).map_err(|(_, problem)| Found { seed, problem })?);
        seed = seed.wrapping_add(1);
    }
    Ok(tally)
}

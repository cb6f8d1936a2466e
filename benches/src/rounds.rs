//! Running all that was asked for, in rounds, so that what disturbs the machine for a while disturbs all engines alike.
//!
//! In each round of a workload each engine runs once at each number of threads, from the same seed; every round
//! begins with the next engine.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::catalogue::{EngineName, Entry};
use crate::measure::{Job, Plan, Sample};
use crate::workload::WrongAnswer;

/// What to run, and how.
#[derive(Debug)]
pub struct Options {
    /// The workloads, one after the other.
    pub workloads: Vec<Entry>,
    /// The engines, interleaved.
    pub engines: Vec<EngineName>,
    /// The numbers of threads.
    pub threads: Vec<usize>,
    /// How many rounds there are.
    pub rounds: usize,
    /// For how long each engine runs in a round, at each number of threads.
    pub time: Duration,
    /// What all random choices depend on.
    pub seed: u64,
}

/// What one engine gave on one workload with one number of threads, a sample for each round.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// The workload.
    pub workload: String,
    /// What it is one of.
    pub group: String,
    /// The engine.
    pub engine: EngineName,
    /// How many threads ran transactions.
    pub threads: usize,
    /// How many cells a transaction uses, if that is always the same.
    pub cells: Option<usize>,
    /// What a sweep varies, and the value of it here.
    pub point: Option<(String, f64)>,
    /// The kinds of transactions.
    pub kinds: Vec<String>,
    /// What it gave.
    pub samples: Vec<Sample>,
}

/// A pair that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// The workload.
    pub workload: String,
    /// The engine.
    pub engine: EngineName,
    /// What it cannot do.
    pub why: String,
}

/// What came out.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// What was measured.
    pub rows: Vec<Row>,
    /// What was not.
    pub skipped: Vec<Skipped>,
}

/// An engine that gave a wrong answer, and where.
#[derive(Debug)]
pub struct Failure {
    workload: String,
    engine: EngineName,
    threads: usize,
    why: WrongAnswer,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {} with {} threads: {}", self.workload, self.engine, self.threads, self.why)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.why)
    }
}

struct Case {
    job: Box<dyn Job>,
    rows: Vec<Row>,
}

impl Options {
    /// For how long each thread warms up before each run, if the run is not shorter.
    const WARM_UP: Duration = Duration::from_millis(20);

    /// How many runs there will be.
    #[must_use]
    pub fn runs(&self) -> usize {
        let cases = self.workloads.iter().flat_map(|workload| self.cases(workload, &mut Vec::new()));
        self.rounds * cases.map(|case| case.rows.len()).sum::<usize>()
    }

    /// Runs everything, and calls `before_each` before each run.
    ///
    /// # Errors
    /// When an engine gave a wrong answer.
    pub fn run(&self, mut before_each: impl FnMut(&Row)) -> Result<Outcome, Failure> {
        let mut outcome = Outcome::default();
        for workload in &self.workloads {
            let mut cases = self.cases(workload, &mut outcome.skipped);
            for round in 0..self.rounds {
                let begin = round % cases.len().max(1);
                let (last, first) = cases.split_at_mut(begin);
                for case in first.iter_mut().chain(last) {
                    self.run_case(case, round, &mut before_each)?;
                }
            }
            outcome.rows.extend(cases.into_iter().flat_map(|case| case.rows));
        }
        Ok(outcome)
    }

    fn cases(&self, workload: &Entry, skipped: &mut Vec<Skipped>) -> Vec<Case> {
        let case = |&engine: &EngineName| match workload.job(engine) {
            Ok(job) => Some(Case { rows: self.rows(workload, engine, job.as_ref()), job }),
            Err(why) => {
                skipped.push(Skipped { workload: workload.name.clone(), engine, why: why.to_string() });
                None
            }
        };
        self.engines.iter().filter_map(case).collect()
    }

    fn rows(&self, workload: &Entry, engine: EngineName, job: &dyn Job) -> Vec<Row> {
        let is_wanted = |&threads: &usize| threads >= workload.threads && (threads == 1 || engine != EngineName::Bare);
        let row = |threads| Row {
            workload: workload.name.clone(),
            group: workload.group.to_string(),
            engine,
            threads,
            cells: workload.cells,
            point: workload.point.map(|(what, value)| (what.to_string(), value)),
            kinds: job.kinds().iter().map(ToString::to_string).collect(),
            samples: Vec::with_capacity(self.rounds),
        };
        self.threads.iter().copied().filter(is_wanted).map(row).collect()
    }

    fn run_case(&self, case: &mut Case, round: usize, before_each: &mut impl FnMut(&Row)) -> Result<(), Failure> {
        for row in &mut case.rows {
            before_each(row);
            let plan = Plan {
                threads: row.threads,
                time: self.time,
                warm_up: self.time.min(Self::WARM_UP),
                seed: self.seed.wrapping_add(round as u64),
            };
            let sample = case.job.run(&plan).map_err(|why| Failure {
                workload: row.workload.clone(),
                engine: row.engine,
                threads: row.threads,
                why,
            })?;
            row.samples.push(sample);
        }
        Ok(())
    }
}

//! Running all that was asked for, in rounds, so that what disturbs the machine for a while disturbs all engines alike.
//!
//! For each workload the words of all engines are made first. Then in each round each engine runs once at each
//! number of threads, from the same seed; every round begins with the next engine.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::catalogue::{EngineName, WorkloadName, job};
use crate::measure::{Job, Plan, Sample};
use crate::workload::WrongAnswer;

/// What to run, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The workloads, one after the other.
    pub workloads: Vec<WorkloadName>,
    /// The engines, interleaved.
    pub engines: Vec<EngineName>,
    /// The numbers of threads.
    pub threads: Vec<usize>,
    /// How many rounds there are.
    pub rounds: usize,
    /// For how long each engine runs in a round, at each number of threads.
    pub time: Duration,
    /// How large the array is.
    pub words: usize,
    /// What the choice of words depends on.
    pub seed: u64,
}

/// What one engine gave on one workload with one number of threads, a sample for each round.
#[derive(Clone, Debug)]
pub struct Row {
    /// The workload.
    pub workload: WorkloadName,
    /// The engine.
    pub engine: EngineName,
    /// How many threads ran transactions.
    pub threads: usize,
    /// How many words a transaction uses.
    pub words_used: usize,
    /// What it gave.
    pub samples: Vec<Sample>,
}

/// An engine that gave a wrong answer, and where.
#[derive(Debug)]
pub struct Failure {
    workload: WorkloadName,
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
        let cases = self.workloads.iter().flat_map(|&workload| self.cases(workload));
        self.rounds * cases.map(|case| case.rows.len()).sum::<usize>()
    }

    /// Runs everything, and calls `before_each` before each run.
    ///
    /// # Errors
    /// When an engine gave a wrong answer.
    pub fn run(&self, mut before_each: impl FnMut(&Row)) -> Result<Vec<Row>, Failure> {
        let mut rows = Vec::new();
        for &workload in &self.workloads {
            let mut cases: Vec<_> = self.cases(workload).collect();
            for round in 0..self.rounds {
                let begin = round % cases.len().max(1);
                let (last, first) = cases.split_at_mut(begin);
                for case in first.iter_mut().chain(last) {
                    self.run_case(case, round, &mut before_each)?;
                }
            }
            rows.extend(cases.into_iter().flat_map(|case| case.rows));
        }
        Ok(rows)
    }

    fn cases(&self, workload: WorkloadName) -> impl Iterator<Item = Case> {
        self.engines.iter().filter_map(move |&engine| {
            let job = job(workload, engine, self.words)?;
            let threads = self.threads.iter().filter(|&&threads| threads == 1 || job.is_concurrent());
            let words_used = job.words_used();
            let rows = threads
                .map(|&threads| Row { workload, engine, threads, words_used, samples: Vec::with_capacity(self.rounds) })
                .collect();
            Some(Case { job, rows })
        })
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
                workload: row.workload,
                engine: row.engine,
                threads: row.threads,
                why,
            })?;
            row.samples.push(sample);
        }
        Ok(())
    }
}

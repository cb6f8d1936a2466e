//! The command line of the benchmarks.
#![forbid(unsafe_code)]

use std::error::Error;
use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use optimist_benches::catalogue::{EngineName, WorkloadName};
use optimist_benches::micro::WORDS;
use optimist_benches::report::Report;
use optimist_benches::rounds::Options;

const FIGURES: &str = "\
WHAT THE NUMBERS MEAN
  ns       time of one transaction as its thread sees it: threads x wall time / transactions. It is the median of
           the rounds, and contains the random choice of the words, whose cost alone is the row `floor`. A transaction
           that had to be run again counts once, with the time of all its attempts
  ±%       half the distance between the fastest and the slowest round, in percent of the median
  ns/word  the same divided by the words that a transaction uses
  M/s      throughput: million transactions in a second, of all threads together
  ratio    ns over the ns of optimist-tvar in the same workload and at as many threads: above 1 is slower than it
  aborts   attempts that aborted in conflict, for 1,000 transactions; empty if the engine does not count them

Each run checks its own answer, such as that no increment is lost; a wrong answer ends the program with status 1. All
engines run in turn in each round, on the same words of 8 bytes with the same choice of them.";

/// Measures what transactions cost, on Optimist and on other engines
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure basic transactions on random words of an array
    #[command(after_long_help = FIGURES)]
    Micro(Micro),
}

#[derive(Debug, Args)]
struct Micro {
    /// Numbers of threads
    #[arg(long, value_delimiter = ',', default_value = "1,2", value_parser = at_least_one)]
    threads: Vec<usize>,
    /// Seconds that each engine runs in each round, at each number of threads
    #[arg(long, default_value = "0.2", value_parser = seconds)]
    seconds: Duration,
    /// Rounds, of which the median counts
    #[arg(long, default_value = "5", value_parser = at_least_one)]
    rounds: usize,
    /// Engines; all if none is given. Other STM crates need `--features rivals`
    #[arg(long = "engine", value_delimiter = ',', value_enum)]
    engines: Vec<EngineName>,
    /// Workloads; all if none is given
    #[arg(long = "workload", value_delimiter = ',', value_enum)]
    workloads: Vec<WorkloadName>,
    /// Words of the array; 65,536 by definition, fewer or more to see what the caches do
    #[arg(long, default_value_t = WORDS, value_parser = words)]
    words: usize,
    /// Seed of the choice of words
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write all figures to this file as JSON, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("at least 1".to_string()),
        Ok(number) => Ok(number),
        Err(error) => Err(error.to_string()),
    }
}

/// As many words as a transaction that uses distinct ones needs, with room to choose.
fn words(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(..16) => Err("at least 16".to_string()),
        Ok(number) => Ok(number),
        Err(error) => Err(error.to_string()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().map_err(|error| error.to_string())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(Duration::ZERO) => Err("more than 0".to_string()),
        Ok(time) => Ok(time),
        Err(error) => Err(error.to_string()),
    }
}

fn all_if_empty<T: ValueEnum>(chosen: Vec<T>) -> Vec<T> {
    if chosen.is_empty() { T::value_variants().to_vec() } else { chosen }
}

fn main() -> ExitCode {
    let Command::Micro(micro) = Cli::parse().command;
    match micro.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Micro {
    fn run(self) -> Result<(), Box<dyn Error>> {
        let options = Options {
            workloads: all_if_empty(self.workloads),
            engines: all_if_empty(self.engines),
            threads: self.threads,
            rounds: self.rounds,
            time: self.seconds,
            words: self.words,
            seed: self.seed,
        };
        // Opened first, so that nobody measures for minutes and then cannot keep what came out.
        let json = match &self.json {
            Some(path) => Some(File::create(path).map_err(|error| format!("{}: {error}", path.display()))?),
            None => None,
        };
        // It is drawn between the runs alone, so that it disturbs none.
        let progress = ProgressBar::new(options.runs() as u64).with_style(
            ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}, {eta} left").expect("a valid template"),
        );
        let rows = options.run(|row| {
            progress.set_message(format!("{} on {} with {}", row.workload, row.engine, row.threads));
            progress.inc(1);
        });
        progress.finish_and_clear();

        let report = Report::new(&options, &rows?);
        println!("{}", report.table());
        if let Some(file) = json {
            report.write_json(BufWriter::new(file))?;
        }
        Ok(())
    }
}

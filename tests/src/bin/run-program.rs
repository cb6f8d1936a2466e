//! Runs programs of transactions, and judges them.
//!
//! Exits with 0 if nothing is wrong, with 1 and a report if something is, and with 2 if there is no program in the file. A
//! runtime that is wrong may also end the process.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use optimist_tests::program::Program;
use optimist_tests::program::hunt::{self, Effort};

/// Runs programs of transactions, and judges them.
///
/// Exit status: 0 nothing is wrong, 1 something is (reported on standard output), 2 a bad file.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs one program: once on one thread, and many times on threads of its own.
    Check {
        /// The program, as JSON.
        file: PathBuf,
        /// How often it runs on threads.
        #[arg(long, default_value_t = 1000)]
        times: usize,
        /// For how many seconds at most.
        #[arg(long, default_value_t = 15.0)]
        seconds: f64,
        /// After how many seconds a run hangs.
        #[arg(long, default_value_t = 20.0)]
        patience: f64,
    },
    /// Runs random programs, and prints the seed of each before it does.
    Hunt {
        /// The seed of the first; the next one has the next number.
        #[arg(long)]
        seed: u64,
        /// For how long.
        #[arg(long, default_value_t = 10.0)]
        seconds: f64,
    },
}

fn read(file: &Path) -> Result<Program, String> {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    let program: Program = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    if program.cells.is_empty() { Err("a program has cells".to_string()) } else { Ok(program) }
}

fn check(file: &Path, effort: Effort) -> ExitCode {
    let program = match read(file) {
        Ok(program) => program,
        Err(problem) => {
            eprintln!("{}: {problem}", file.display());
            return ExitCode::from(2);
        }
    };
    match hunt::check(&program, effort) {
        Ok(tally) => {
            println!("valid: {tally}");
            ExitCode::SUCCESS
        }
        Err((run, problem)) => {
            println!("run {run}\n{problem}");
            ExitCode::FAILURE
        }
    }
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Check { file, times, seconds, patience } => {
            let (time, patience) = (Duration::from_secs_f64(seconds), Duration::from_secs_f64(patience));
            check(&file, Effort { times, time, patience })
        }
        Command::Hunt { seed, seconds } => {
            let time = Duration::from_secs_f64(seconds);
            match hunt::hunt(seed, time, |seed| println!("seed {seed}")) {
                Ok(tally) => {
                    println!("valid: {tally}");
                    println!("tally {}", serde_json::to_string(&tally).expect("a tally is JSON"));
                    ExitCode::SUCCESS
                }
                Err(found) => {
                    println!("{}", found.problem);
                    ExitCode::FAILURE
                }
            }
        }
    }
}

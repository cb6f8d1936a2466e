//! One soak without anything around it, for tools that look at the program from below, such as a race detector.
//!
//! It counts no memory, since an allocator that counts orders the threads.
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use optimist_tests::soak::gauge::Gauge;
use optimist_tests::soak::{Plan, run};

/// Does everything the runtime can do at once, and checks the answers.
///
/// Exit status: 0 all is well, 1 an invariant is broken (reported on standard error), 2 bad arguments.
#[derive(Parser)]
struct Arguments {
    /// For how long.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Threads that do deeds, beside those that wait, come and go, and run tasks.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=64))]
    threads: u8,
    /// What the random choices begin from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> ExitCode {
    let Arguments { seconds, threads, seed } = Arguments::parse();
    let plan = Plan { threads: threads.into(), seed, time: Duration::from_secs(seconds) };
    match run(plan, &Arc::new(Gauge::new()), |_| ()) {
        Ok(outcome) => {
            println!("{} deeds, {} values\n{}", outcome.deeds, outcome.values, optimist::stats());
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

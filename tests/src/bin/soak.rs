//! A soak of the runtime: everything at once, for as long as one likes; and in the end nothing may be left.
//!
//! # Protocol
//! 1. **Warm up**: a short soak. What the runtime keeps for good (participants, chunks of records, slots, the capacity of sets
//!    and tables) is there after it.
//! 2. **Soak**: the same for the given time, with a line each second.
//! 3. **Compare** the live memory after both. Resident memory says little, as the allocator of the system keeps pages; so
//!    the allocator of the program counts bytes and blocks.
//!
//! # Tolerance
//! What is kept for good belongs to participants, one for each thread that there was at the same time: up to 32 spare chunks of
//! 2 KiB, those that a long reader kept from being spare, and the capacity of its sets, which is that of its largest transaction.
//! It is allowed in full for each of them ([`PER_THREAD`]), as the warm-up may not have reached it; an hour needs no more than
//! a minute. A leak grows with the number of transactions instead, of which there are tens of thousands a second: one block
//! in a hundred transactions is found within seconds, one in a million within an hour.
#![forbid(unsafe_code)]

use std::alloc::System;
use std::fmt;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use clap::{Parser, value_parser};
use optimist::{Stats, stats};
use optimist_tests::soak::gauge::Gauge;
use optimist_tests::soak::{Outcome, Plan, run};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// So much more may be there after the soak than after the warm-up, for each thread.
const PER_THREAD: Memory = Memory { bytes: 512 << 10, blocks: 128, resident: Some(2 << 20) };
/// Threads beside those that are asked for, at most.
const OTHERS: isize = 12;

/// Does everything the runtime can do at once, checks all invariants meanwhile, and that nothing is left in the end.
///
/// Exit status: 0 all is well, 1 an invariant is broken (reported on standard error), 2 bad arguments.
#[derive(Parser)]
struct Arguments {
    /// For how many minutes [default: 1].
    #[arg(long, conflicts_with = "seconds", value_parser = value_parser!(u64).range(1..=100_000))]
    minutes: Option<u64>,
    /// For how many seconds.
    #[arg(long, value_parser = value_parser!(u64).range(1..=1_000_000))]
    seconds: Option<u64>,
    /// Threads that do deeds, beside those that wait, come and go, and run tasks.
    #[arg(long, default_value_t = 4, value_parser = value_parser!(u8).range(1..=64))]
    threads: u8,
    /// What the random choices begin from [default: the time].
    #[arg(long)]
    seed: Option<u64>,
}

impl Arguments {
    fn time(&self) -> Duration {
        Duration::from_secs(self.seconds.unwrap_or_else(|| 60 * self.minutes.unwrap_or(1)))
    }
}

/// The memory of the process.
#[derive(Clone, Copy)]
struct Memory {
    bytes: isize,
    blocks: isize,
    /// Nothing where the system does not tell.
    resident: Option<isize>,
}

impl Memory {
    fn now() -> Self {
        let counts = ALLOCATOR.stats();
        Self {
            bytes: counts.bytes_allocated.wrapping_sub(counts.bytes_deallocated) as isize,
            blocks: counts.allocations.wrapping_sub(counts.deallocations) as isize,
            resident: resident(),
        }
    }

    /// Checks that there is not more than `before` and what so many threads keep.
    fn compare(self, before: Self, threads: isize) -> Result<(), String> {
        let resident = self.resident.zip(before.resident).map_or(0, |(now, then)| now - then);
        let growths = [
            ("live bytes", self.bytes - before.bytes, PER_THREAD.bytes),
            ("live blocks", self.blocks - before.blocks, PER_THREAD.blocks),
            ("resident bytes", resident, PER_THREAD.resident.unwrap_or_default()),
        ];
        let most = |each: isize| each * threads;
        match growths.into_iter().find(|(_, growth, each)| *growth > most(*each)) {
            Some((what, growth, each)) => Err(format!(
                "memory is lost: {growth} more {what} after the soak than after the warm-up, where {} may be",
                most(each)
            )),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes live in {} blocks", self.bytes, self.blocks)?;
        self.resident.map_or(Ok(()), |resident| write!(f, ", {:.1} MiB resident", mebibytes(resident)))
    }
}

/// The resident memory of the process in bytes.
fn resident() -> Option<isize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: isize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

fn mebibytes(bytes: isize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Prints a line each time it is asked.
struct Report {
    gauge: Arc<Gauge>,
    last: (Stats, Duration),
}

impl Report {
    fn line(&mut self, elapsed: Duration) {
        let (now, seconds) = (stats(), (elapsed - self.last.1).as_secs_f64());
        let before = std::mem::replace(&mut self.last, (now, elapsed)).0;
        let ended = |of: &Stats| of.committed + of.read_only + of.cancelled + of.panicked;
        let rate = (ended(&now) - ended(&before)) as f64 / seconds;
        let aborts = [
            ("read", now.aborted_read - before.aborted_read),
            ("write", now.aborted_write - before.aborted_write),
            ("token", now.aborted_token - before.aborted_token),
            ("retry", now.aborted_retry - before.aborted_retry),
        ];
        let aborts = aborts.map(|(cause, count)| format!("{cause} {count}")).join(", ");
        let (attempt, transaction) = self.gauge.take_longest();
        let memory = resident().map_or_else(|| "?".to_string(), |bytes| format!("{:.1}", mebibytes(bytes)));
        println!(
            "{:>5.0} s  {rate:>7.0} tx/s  aborts: {aborts}  {memory} MiB resident  longest attempt {attempt:.1?}, deed \
             {transaction:.1?}",
            elapsed.as_secs_f64()
        );
    }
}

fn soak(arguments: &Arguments) -> Result<Outcome, String> {
    let seed = arguments.seed.unwrap_or_else(|| UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_nanos() as u64));
    println!("--seed {seed}");
    let time = arguments.time();
    let plan = Plan { threads: arguments.threads.into(), seed, time: (time / 4).min(Duration::from_secs(15)) };
    let gauge = Arc::new(Gauge::new());
    run(plan, &gauge, |_| ())?;
    let warm = Memory::now();
    println!("warmed up in {:?}: {warm}", plan.time);
    let mut report = Report { gauge: Arc::clone(&gauge), last: (stats(), Duration::ZERO) };
    let outcome = run(Plan { time, seed: !seed, ..plan }, &gauge, |elapsed| report.line(elapsed))?;
    let after = Memory::now();
    println!("in the end: {after}");
    after.compare(warm, plan.threads as isize + OTHERS)?;
    Ok(outcome)
}

fn main() -> ExitCode {
    match soak(&Arguments::parse()) {
        Ok(outcome) => {
            println!("all is well after {} deeds and {} values", outcome.deeds, outcome.values);
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

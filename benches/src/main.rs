//! The command line of the benchmarks.
#![forbid(unsafe_code)]

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use optimist_benches::applications::NATIVE;
use optimist_benches::catalogue::{EngineName, Entry, catalogue};
use optimist_benches::report::Report;
use optimist_benches::rounds::{Failure, Options, Outcome, Row};
use optimist_benches::{compare, html, targets};

const FIGURES: &str = "\
WHAT THE NUMBERS MEAN
  per second  transactions of all threads together: the median of the rounds
  ±%          half the distance between the fastest and the slowest round, in percent of the median
  time        of one transaction as its thread sees it: threads x wall time / transactions. It contains the random
              choice of the cells, whose cost alone is the engine `floor`. A transaction that had to be run again counts
              once, with the time of all its attempts
  per cell    the same divided by the cells that a transaction uses
  x mutex     throughput over that under one mutex with as many threads: above 1 is faster than a GIL
  aborts      attempts that aborted in conflict, for 1,000 transactions; empty if the engine does not count them
  P50 ..      latencies of single transactions, attempts that lost and waits included

Each run checks its own answer, such as that no increment is lost; a wrong answer ends the program with status 1. All
engines run in turn in each round, on the same random choices.";

/// Measures what transactions cost, on Optimist and on other engines
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure workloads at several numbers of threads; print a table, and write JSON and an HTML page
    #[command(after_long_help = FIGURES)]
    Contention(Contention),
    /// The same, with only basic transactions on random words of an array
    #[command(after_long_help = FIGURES)]
    Micro(Contention),
    /// Show what has moved between two JSON files, beyond what their rounds spread
    Compare {
        /// Before
        before: PathBuf,
        /// After
        after: PathBuf,
    },
    /// Measure the ratios that the project has set itself, and say which are reached
    Targets(Targets),
    /// Measure the memory of cells, versions and threads, and what the first transaction of a thread costs
    Memory,
    /// List the workloads and their groups
    List,
}

#[derive(Debug, Args)]
struct Contention {
    /// Workloads or groups of them; see `list`. All but the group `native`, which takes minutes, if none is given
    #[arg(long, value_delimiter = ',')]
    workloads: Vec<String>,
    /// Engines; all that are compiled if none is given. Other STM crates need `--features rivals`
    #[arg(long, value_delimiter = ',', value_enum)]
    engines: Vec<EngineName>,
    /// Numbers of threads
    #[arg(long, value_delimiter = ',', default_value = "1,2,4", value_parser = at_least_one)]
    threads: Vec<usize>,
    /// Seconds that each engine runs in each round, at each number of threads
    #[arg(long, default_value = "0.1", value_parser = seconds)]
    seconds: Duration,
    /// Rounds, of which the median counts
    #[arg(long, default_value = "3", value_parser = at_least_one)]
    rounds: usize,
    /// Seed of all random choices
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder for `report.json` and `report.html`
    #[arg(long, default_value = "target/contention")]
    out: PathBuf,
    /// One round of 20 ms each, with 1 and 2 threads: for the answers, not for the figures
    #[arg(long)]
    quick: bool,
    /// Also keep the report in `benches/record`, under the date and the commit
    #[arg(long)]
    record: bool,
}

#[derive(Debug, Args)]
struct Targets {
    /// Seconds of each run
    #[arg(long, default_value = "0.1", value_parser = seconds)]
    seconds: Duration,
    /// Rounds, of which the median counts
    #[arg(long, default_value = "5", value_parser = at_least_one)]
    rounds: usize,
    /// Seed of all random choices
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Also write all that was measured to this file as JSON
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

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().map_err(|error| error.to_string())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(Duration::ZERO) => Err("more than 0".to_string()),
        Ok(time) => Ok(time),
        Err(error) => Err(error.to_string()),
    }
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Contention(contention) => contention.run(),
        Command::Micro(micro) if micro.workloads.is_empty() => {
            Contention { workloads: vec!["micro".to_string()], ..micro }.run()
        }
        Command::Micro(micro) => micro.run(),
        Command::Compare { before, after } => compare_files(&before, &after),
        Command::Targets(targets) => targets.run(),
        Command::Memory => memory(),
        Command::List => {
            list();
            Ok(())
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs everything with a bar, which is drawn between the runs alone, so that it disturbs none.
fn run_with_progress(options: &Options) -> Result<Outcome, Failure> {
    let progress = ProgressBar::new(options.runs() as u64)
        .with_style(ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}, {eta} left").expect("a valid template"));
    let outcome = options.run(|row: &Row| {
        progress.set_message(format!("{} on {} with {}", row.workload, row.engine, row.threads));
        progress.inc(1);
    });
    progress.finish_and_clear();
    outcome
}

fn chosen(names: &[String]) -> Result<Vec<Entry>, String> {
    if let Some(unknown) = names.iter().find(|name| !catalogue().iter().any(|entry| entry.is_called(name))) {
        return Err(format!("there is no workload or group `{unknown}`; see `list`"));
    }
    let is_meant = |entry: &Entry| names.iter().any(|name| entry.is_called(name));
    let is_chosen = |entry: &Entry| if names.is_empty() { entry.group != NATIVE } else { is_meant(entry) };
    Ok(catalogue().into_iter().filter(is_chosen).collect())
}

fn create(path: &Path) -> Result<BufWriter<File>, String> {
    let create = || {
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        File::create(path)
    };
    create().map(BufWriter::new).map_err(|error| format!("{}: {error}", path.display()))
}

impl Contention {
    fn run(self) -> Result<(), Box<dyn Error>> {
        let options = Options {
            workloads: chosen(&self.workloads)?,
            engines: if self.engines.is_empty() { EngineName::compiled() } else { self.engines },
            threads: if self.quick { vec![1, 2] } else { self.threads },
            rounds: if self.quick { 1 } else { self.rounds },
            time: if self.quick { Duration::from_millis(20) } else { self.seconds },
            seed: self.seed,
        };
        // Opened first, so that nobody measures for minutes and then cannot keep what came out.
        let json = create(&self.out.join("report.json"))?;
        let page = self.out.join("report.html");
        create(&page)?;
        let report = Report::new(&options, run_with_progress(&options)?);
        println!("{}", report.table());
        for line in report.left_out() {
            println!("left out: {line}");
        }
        report.write_json(json)?;
        fs::write(&page, html::page(&report)?)?;
        println!("\n{} holds all figures and charts.", page.display());
        if self.record {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("record");
            let stem = report.origin.file_stem();
            report.write_json(create(&folder.join(format!("{stem}.json")))?)?;
            println!("Recorded in benches/record/{stem}.json.");
        }
        Ok(())
    }
}

fn compare_files(before: &Path, after: &Path) -> Result<(), Box<dyn Error>> {
    let read = |path: &Path| -> Result<Report, Box<dyn Error>> {
        let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Report::read_json(BufReader::new(file)).map_err(|error| format!("{}: {error}", path.display()).into())
    };
    let (before, after) = (read(before)?, read(after)?);
    let changes = compare::changes(&before, &after);
    let moved = changes.iter().filter(|change| change.is_beyond_noise()).count();
    println!("before: {} {}, {}", before.origin.date, before.origin.commit, before.origin.processor);
    println!("after:  {} {}, {}", after.origin.date, after.origin.commit, after.origin.processor);
    println!("{moved} of {} throughputs have moved beyond noise\n", changes.len());
    if moved > 0 {
        println!("{}", compare::table(&changes));
    }
    Ok(())
}

impl Targets {
    fn run(self) -> Result<(), Box<dyn Error>> {
        let json = self.json.as_deref().map(create).transpose()?;
        let mut outcome = Outcome::default();
        let plans = targets::plans(self.rounds, self.seconds, self.seed);
        for options in &plans {
            let more = run_with_progress(options)?;
            outcome.rows.extend(more.rows);
            outcome.skipped.extend(more.skipped);
        }
        println!("{}", targets::table(&targets::verdicts(&outcome.rows)));
        if let (Some(json), Some(options)) = (json, plans.first()) {
            Report::new(options, outcome).write_json(json)?;
        }
        Ok(())
    }
}

/// Runs the program that counts allocations. It is one of its own, because counting costs all engines time.
fn memory() -> Result<(), Box<dyn Error>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = process::Command::new(cargo)
        .args(["run", "--quiet", "--release", "-p", "optimist-benches", "--bin", "optimist-memory"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()?;
    if status.success() { Ok(()) } else { Err(format!("the program that counts ended with {status}").into()) }
}

fn list() {
    let entries = catalogue();
    let mut groups: Vec<&str> = entries.iter().map(|entry| entry.group).collect();
    groups.dedup();
    for group in groups {
        let names: Vec<_> =
            entries.iter().filter(|entry| entry.group == group).map(|entry| entry.name.as_str()).collect();
        println!("{group}: {}", names.join(" "));
    }
}

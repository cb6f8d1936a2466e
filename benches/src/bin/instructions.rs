//! Counts instructions of the six basic transactions by callgrind, and compares them with those on record.
//!
//! The program runs itself under valgrind, once for each transaction with few and once with many of them; the
//! difference over the difference is what one takes, with its random choices. Counts repeat exactly on one machine, and
//! differ a little between compilers.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use clap::{Parser, ValueEnum};
use optimist_benches::engine::{Engine, InlineCells, Thread, Variables};
use optimist_benches::workload::Workload;
use optimist_benches::workloads::array::Array;
use rand::SeedableRng;
use rand::rngs::SmallRng;

const FEW: u64 = 1_000;
const MANY: u64 = 11_000;
/// A count may be larger than the one on record by this part.
const MAY_GROW: f64 = 0.03;

/// Counts instructions of the six basic transactions by callgrind
#[derive(Debug, Parser)]
struct Cli {
    /// Put what is counted on record, instead of comparing
    #[arg(long)]
    update: bool,
    /// Run this transaction so many times, and count nothing
    #[arg(long, hide = true, num_args = 3, value_names = ["ENGINE", "TRANSACTION", "COUNT"])]
    only: Vec<String>,
}

/// A way to keep cells.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Cells {
    /// `TVar`s.
    Tvar,
    /// `TCell`s in place.
    Tcell,
}

/// A basic transaction.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Basic {
    #[value(name = "read-1")]
    Read1,
    #[value(name = "read-16")]
    Read16,
    #[value(name = "update-1")]
    Update1,
    #[value(name = "update-4")]
    Update4,
    #[value(name = "read-8-update-2")]
    Mixed,
    #[value(name = "snapshot-64")]
    Snapshot64,
}

impl Basic {
    fn array(self) -> Array {
        // Small, so that making it does not take long under valgrind; instructions do not depend on the size.
        match self {
            Self::Read1 => Array::read(1),
            Self::Read16 => Array::read(16),
            Self::Update1 => Array::update(1),
            Self::Update4 => Array::update(4),
            Self::Mixed => Array::mixed(),
            Self::Snapshot64 => Array::snapshot(64),
        }
        .of(1_024)
    }
}

fn name(value: impl ValueEnum) -> String {
    value.to_possible_value().expect("no value is hidden").get_name().to_string()
}

fn run<E: Engine>(array: Array, count: u64) -> Result<(), Box<dyn Error>> {
    let world = E::world(array.data::<E>(1));
    let mut thread = Thread::<E, _>::enter(&world);
    let mut worker = array.worker(0, 1);
    let mut random = SmallRng::seed_from_u64(1);
    for _ in 0..count {
        array.draw(&mut worker, &mut random);
        array.run(&mut worker, &mut thread);
    }
    array.check(&mut 0, &mut thread, &[optimist_benches::workload::Done { counts: vec![count], worker }])?;
    Ok(())
}

fn run_only(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let [cells, basic, count] = arguments else { return Err("three values are needed".into()) };
    let (cells, basic) = (Cells::from_str(cells, true)?, Basic::from_str(basic, true)?);
    match cells {
        Cells::Tvar => run::<Variables>(basic.array(), count.parse()?),
        Cells::Tcell => run::<InlineCells>(basic.array(), count.parse()?),
    }
}

/// Instructions of a whole run.
fn instructions(cells: Cells, basic: Basic, count: u64) -> Result<u64, Box<dyn Error>> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args(["--only", &name(cells), &name(basic), &count.to_string()])
        .stdout(Stdio::null())
        .output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("valgrind ended with {}:\n{text}", output.status).into());
    }
    let collected = text.lines().find_map(|line| line.split("Collected :").nth(1));
    let collected = collected.ok_or_else(|| format!("valgrind counted nothing:\n{text}"))?;
    Ok(collected.trim().parse()?)
}

/// Instructions of one transaction of each kind.
fn count() -> Result<BTreeMap<String, u64>, Box<dyn Error>> {
    let mut counts = BTreeMap::new();
    for &cells in Cells::value_variants() {
        for &basic in Basic::value_variants() {
            let (few, many) = (instructions(cells, basic, FEW)?, instructions(cells, basic, MANY)?);
            counts.insert(format!("{} {}", name(basic), name(cells)), (many - few) / (MANY - FEW));
        }
    }
    Ok(counts)
}

fn record() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("record").join("instructions.json")
}

/// Prints both, and returns those that have grown by too much.
fn compare(known: &BTreeMap<String, u64>, counts: &BTreeMap<String, u64>) -> Vec<String> {
    let mut grown = Vec::new();
    for (transaction, &count) in counts {
        let before = known.get(transaction).copied();
        let change = before.map(|before| count as f64 / before as f64 - 1.0);
        let shown = change.map_or_else(|| "not on record".to_string(), |change| format!("{:+.1} %", 100.0 * change));
        println!("{transaction:24} {count:6} instructions, {shown}");
        if change.is_none_or(|change| change > MAY_GROW) {
            grown.push(transaction.clone());
        }
    }
    grown
}

fn measure(update: bool) -> Result<(), Box<dyn Error>> {
    if Command::new("valgrind").arg("--version").stdout(Stdio::null()).status().is_err() {
        println!("SKIPPED: valgrind is not installed, so no instructions are counted");
        return Ok(());
    }
    let counts = count()?;
    if update {
        fs::write(record(), serde_json::to_string_pretty(&counts)? + "\n")?;
    }
    let known = serde_json::from_str(&fs::read_to_string(record())?)?;
    let grown = compare(&known, &counts);
    if grown.is_empty() {
        return Ok(());
    }
    Err(format!(
        "more instructions than on record: {}. If that is worth it, say why in the commit, and run this with `--update`",
        grown.join(", ")
    )
    .into())
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = if cli.only.is_empty() { measure(cli.update) } else { run_only(&cli.only) };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

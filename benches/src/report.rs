//! What came out, as a table for the terminal and as JSON.

use std::io::Write;
use std::thread::available_parallelism;

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use crate::catalogue::{EngineName, WorkloadName};
use crate::rounds::{Options, Row};

/// The figures of all rounds.
#[derive(Debug, Serialize)]
pub struct Report {
    version: &'static str,
    os: &'static str,
    architecture: &'static str,
    cores: usize,
    words: usize,
    seed: u64,
    rounds: usize,
    seconds: f64,
    results: Vec<Figures>,
}

/// The figures of one engine on one workload with one number of threads.
#[derive(Debug, Serialize)]
struct Figures {
    workload: WorkloadName,
    engine: EngineName,
    threads: usize,
    words_used: usize,
    /// Median of the rounds.
    ns_per_transaction: f64,
    ns_per_transaction_min: f64,
    ns_per_transaction_max: f64,
    ns_per_word: f64,
    transactions_per_second: f64,
    /// Time of a transaction over that of Optimist's variables at as many threads.
    ratio_to_optimist: Option<f64>,
    aborts_per_1000: Option<f64>,
    ns_of_rounds: Vec<f64>,
}

impl Figures {
    fn new(row: &Row) -> Self {
        let ns_of_rounds: Vec<_> =
            row.samples.iter().map(|sample| 1e9 * row.threads as f64 / sample.throughput).collect();
        let ns = median(&ns_of_rounds);
        let transactions: u64 = row.samples.iter().map(|sample| sample.transactions).sum();
        let conflicts: Option<u64> = row.samples.iter().map(|sample| sample.conflicts).sum();
        Self {
            workload: row.workload,
            engine: row.engine,
            threads: row.threads,
            words_used: row.words_used,
            ns_per_transaction: ns,
            ns_per_transaction_min: ns_of_rounds.iter().copied().fold(f64::INFINITY, f64::min),
            ns_per_transaction_max: ns_of_rounds.iter().copied().fold(0.0, f64::max),
            ns_per_word: ns / row.words_used as f64,
            transactions_per_second: 1e9 * row.threads as f64 / ns,
            ratio_to_optimist: None,
            aborts_per_1000: conflicts.map(|conflicts| 1e3 * conflicts as f64 / transactions as f64),
            ns_of_rounds,
        }
    }
}

impl Report {
    /// Computes the figures.
    #[must_use]
    pub fn new(options: &Options, rows: &[Row]) -> Self {
        let mut results: Vec<_> = rows.iter().map(Figures::new).collect();
        for at in 0..results.len() {
            let this = &results[at];
            let optimist = results.iter().find(|other| {
                other.engine == EngineName::OptimistTvar
                    && other.workload == this.workload
                    && other.threads == this.threads
            });
            results[at].ratio_to_optimist = optimist.map(|other| this.ns_per_transaction / other.ns_per_transaction);
        }
        Self {
            version: env!("CARGO_PKG_VERSION"),
            os: std::env::consts::OS,
            architecture: std::env::consts::ARCH,
            cores: available_parallelism().map_or(1, usize::from),
            words: options.words,
            seed: options.seed,
            rounds: options.rounds,
            seconds: options.time.as_secs_f64(),
            results,
        }
    }

    /// The figures as a table: a row for each engine on each workload, and columns for each number of threads.
    #[must_use]
    pub fn table(&self) -> Table {
        let mut threads: Vec<_> = self.results.iter().map(|figures| figures.threads).collect();
        threads.sort_unstable();
        threads.dedup();

        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN);
        let mut header = vec!["workload".to_string(), "engine".to_string()];
        for threads in &threads {
            let plural = if *threads == 1 { "thread" } else { "threads" };
            header.push(format!("{threads} {plural}: ns"));
            header.extend(["±%", "ns/word", "M/s", "ratio", "aborts"].map(String::from));
        }
        table.set_header(header);
        let mut rest = &self.results[..];
        while let Some(first) = rest.first() {
            let same = |other: &&Figures| (other.workload, other.engine) == (first.workload, first.engine);
            let count = rest.iter().take_while(same).count();
            let (row, others) = rest.split_at(count);
            rest = others;
            let mut cells = vec![first.workload.to_string(), first.engine.to_string()];
            for threads in &threads {
                cells.extend(columns(row.iter().find(|figures| figures.threads == *threads)));
            }
            table.add_row(cells);
        }
        table.column_iter_mut().skip(2).for_each(|column| column.set_cell_alignment(CellAlignment::Right));
        table
    }

    /// Writes everything as JSON, the rounds one by one among it.
    ///
    /// # Errors
    /// When `to` cannot be written.
    pub fn write_json(&self, mut to: impl Write) -> std::io::Result<()> {
        serde_json::to_writer_pretty(&mut to, self)?;
        writeln!(to)?;
        to.flush()
    }
}

fn columns(figures: Option<&Figures>) -> [String; 6] {
    let Some(figures) = figures else { return Default::default() };
    let spread = (figures.ns_per_transaction_max - figures.ns_per_transaction_min) / 2.0 / figures.ns_per_transaction;
    [
        short(figures.ns_per_transaction),
        format!("{:.0}", 100.0 * spread),
        short(figures.ns_per_word),
        short(figures.transactions_per_second / 1e6),
        figures.ratio_to_optimist.map(short).unwrap_or_default(),
        figures.aborts_per_1000.map(short).unwrap_or_default(),
    ]
}

/// Three digits, or all before the point.
fn short(number: f64) -> String {
    match number {
        0.0 => "0".to_string(),
        ..0.01 => format!("{number:.4}"),
        ..10.0 => format!("{number:.2}"),
        ..100.0 => format!("{number:.1}"),
        _ => format!("{number:.0}"),
    }
}

fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_two_middles() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn numbers_are_shown_with_three_digits() {
        assert_eq!([0.0, 0.001, 1.234, 12.34, 1234.5].map(short), ["0", "0.0010", "1.23", "12.3", "1234"]);
    }
}

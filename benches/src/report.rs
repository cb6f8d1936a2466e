//! What came out, as a table for the terminal and as JSON.

use std::io::{Read, Write};

use comfy_table::{CellAlignment, Table, presets};
use serde::{Deserialize, Serialize};

use crate::figures::{scaled, short, time};
use crate::machine::Origin;
use crate::rounds::{Options, Outcome, Row, Skipped};

/// Everything about a measurement.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Where and from what it comes.
    pub origin: Origin,
    /// The seed of the first round.
    pub seed: u64,
    /// How many rounds there were.
    pub rounds: usize,
    /// Seconds of each run.
    pub seconds: f64,
    /// What was measured.
    pub rows: Vec<Row>,
    /// What was left out.
    pub skipped: Vec<Skipped>,
}

impl Report {
    /// Puts it together.
    #[must_use]
    pub fn new(options: &Options, outcome: Outcome) -> Self {
        Self {
            origin: Origin::here(),
            seed: options.seed,
            rounds: options.rounds,
            seconds: options.time.as_secs_f64(),
            rows: outcome.rows,
            skipped: outcome.skipped,
        }
    }

    /// Reads what [`write_json`](Self::write_json) has written.
    ///
    /// # Errors
    /// When it cannot be read, or is something else.
    pub fn read_json(from: impl Read) -> serde_json::Result<Self> {
        serde_json::from_reader(from)
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

    /// The figures as a table.
    #[must_use]
    pub fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN);
        table.set_header([
            "workload",
            "engine",
            "threads",
            "what",
            "per second",
            "±%",
            "time",
            "per cell",
            "× mutex",
            "aborts ‰",
            "P50",
            "P99",
            "P99.9",
        ]);
        for row in &self.rows {
            for (kind, name) in row.kinds.iter().enumerate() {
                table.add_row(self.cells(row, kind, name));
            }
        }
        let right = [2, 4, 5, 6, 7, 8, 9, 10, 11, 12];
        for column in right {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table
    }

    fn cells(&self, row: &Row, kind: usize, name: &str) -> [String; 13] {
        let throughput = row.throughput(kind);
        let nanoseconds = row.nanoseconds(kind);
        let latency = row.latency(kind);
        let quantile = |value: Option<u64>| value.map(|value| time(value as f64)).unwrap_or_default();
        [
            row.workload.clone(),
            row.engine.to_string(),
            row.threads.to_string(),
            name.to_string(),
            scaled(throughput.median),
            if throughput.median > 0.0 { format!("{:.0}", throughput.percent()) } else { String::new() },
            if nanoseconds.is_finite() { time(nanoseconds) } else { "never".to_string() },
            row.cells
                .filter(|_| nanoseconds.is_finite())
                .map(|cells| time(nanoseconds / cells as f64))
                .unwrap_or_default(),
            row.over_lock(kind, &self.rows).map(short).unwrap_or_default(),
            row.aborts_per_1000().map(short).unwrap_or_default(),
            quantile(latency.map(|latency| latency.p50)),
            quantile(latency.map(|latency| latency.p99)),
            quantile(latency.map(|latency| latency.p999)),
        ]
    }

    /// What was left out, a line for each reason.
    #[must_use]
    pub fn left_out(&self) -> Vec<String> {
        let mut lines: Vec<(String, Vec<&str>)> = Vec::new();
        for skipped in &self.skipped {
            let line = format!("{}: {}", skipped.engine, skipped.why);
            match lines.iter_mut().find(|(known, _)| *known == line) {
                Some((_, workloads)) => workloads.push(&skipped.workload),
                None => lines.push((line, vec![&skipped.workload])),
            }
        }
        lines.into_iter().map(|(line, workloads)| format!("{line} ({})", workloads.join(", "))).collect()
    }
}

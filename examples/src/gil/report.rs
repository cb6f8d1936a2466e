//! What is told in the end: a table, and what its numbers say.

use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};

use super::corpus::Skipped;
use super::index::Engine;
use super::run::{AUDITORS, Outcome};

/// How many skipped files are named; the others are counted.
const NAMED: usize = 20;

/// Lists what was skipped, a line each.
#[must_use]
pub fn skipped(skipped: &[Skipped]) -> Vec<String> {
    if skipped.is_empty() {
        return Vec::new();
    }
    let plural = if skipped.len() == 1 { "file is" } else { "files are" };
    let mut lines = vec![format!("{} {plural} not indexed:", skipped.len())];
    lines.extend(skipped.iter().take(NAMED).map(|file| format!("  {}: {}", file.path.display(), file.reason)));
    if skipped.len() > NAMED {
        lines.push(format!("  and {} more", skipped.len() - NAMED));
    }
    lines
}

/// The outcomes side by side.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// In the order in which they were measured.
    pub outcomes: &'a [Outcome],
    /// The number of processors of the machine.
    pub processors: usize,
}

impl<'a> Report<'a> {
    fn find(&self, engine: Engine, threads: usize) -> Option<&'a Outcome> {
        self.outcomes.iter().find(|outcome| outcome.plan.engine == engine && outcome.plan.threads == threads)
    }

    /// The throughput in relation to the GIL at one thread, if that was measured.
    fn speed_up(&self, outcome: &Outcome) -> Option<f64> {
        self.find(Engine::Gil, 1).map(|gil| outcome.throughput() / gil.throughput())
    }

    /// The table.
    #[must_use]
    pub fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED);
        table.set_header([
            "engine",
            "threads",
            "documents/s",
            "speed-up",
            "aborts",
            "longest wait",
            "audits passed",
            "identical",
        ]);
        for outcome in self.outcomes {
            let audits = outcome.audits + outcome.broken.len() as u64;
            table.add_row([
                outcome.plan.engine.to_string(),
                outcome.plan.threads.to_string(),
                format!("{:.0}", outcome.throughput()),
                self.speed_up(outcome).map_or_else(|| "-".to_owned(), |factor| format!("{factor:.2}")),
                outcome.aborts.map_or_else(|| "-".to_owned(), |aborts| aborts.to_string()),
                milliseconds(outcome.longest_wait),
                format!("{} of {audits}", outcome.audits),
                if outcome.difference.is_none() { "yes" } else { "NO" }.to_owned(),
            ]);
        }
        for column in 1..=6 {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table
    }

    /// What the numbers say, a sentence each; nothing but these numbers.
    #[must_use]
    pub fn interpretation(&self) -> Vec<String> {
        let mut says = Vec::new();
        says.extend(Engine::ALL.into_iter().filter_map(|engine| self.scaling(engine)));
        says.extend(self.price());
        says.extend(self.beside_locks());
        says.extend(self.aborts());
        let most = self.outcomes.iter().map(|outcome| outcome.plan.threads).max().unwrap_or(0);
        if most + AUDITORS as usize > self.processors {
            says.push(format!(
                "{most} workers and {AUDITORS} auditors shared {} processors: a wait may also be one for a processor.",
                self.processors
            ));
        }
        let broken: usize = self.outcomes.iter().map(|outcome| outcome.broken.len()).sum();
        let audits: u64 = self.outcomes.iter().map(|outcome| outcome.audits).sum();
        says.push(match broken {
            0 => format!("In {audits} audits nobody saw a document half added."),
            _ => format!("BROKEN: {broken} audits saw a document half added."),
        });
        says
    }

    /// How an engine does with its fewest and its best number of threads.
    fn scaling(&self, engine: Engine) -> Option<String> {
        let mut of_engine = self.outcomes.iter().filter(|outcome| outcome.plan.engine == engine);
        let fewest = of_engine.next()?;
        let best = of_engine.max_by(|a, b| a.throughput().total_cmp(&b.throughput()))?;
        let factor = best.throughput() / fewest.throughput();
        let verdict = match factor {
            ..1.1 => "more threads do not help it",
            _ => "more threads help it",
        };
        Some(format!(
            "{engine}: {factor:.2} times as fast with {} threads as with {}; {verdict}.",
            best.plan.threads, fewest.plan.threads
        ))
    }

    /// What transactions cost where they gain nothing.
    fn price(&self) -> Option<String> {
        let gil = self.find(Engine::Gil, 1)?;
        let optimist = self.find(Engine::Optimist, 1)?;
        let percent = 100.0 * (optimist.throughput() / gil.throughput() - 1.0);
        Some(match percent {
            ..-0.5 => format!(
                "With one thread, transactions are {:.0} % slower than one lock: that is their price.",
                -percent
            ),
            ..0.5 => "With one thread, transactions are as fast as one lock.".to_owned(),
            _ => format!("With one thread, transactions are {percent:.0} % faster than one lock."),
        })
    }

    /// Transactions and locks, each at the most threads that both were measured with.
    fn beside_locks(&self) -> Option<String> {
        let of_locks = self.outcomes.iter().filter(|outcome| outcome.plan.engine == Engine::Locks);
        let both = of_locks.filter_map(|locks| Some((locks, self.find(Engine::Optimist, locks.plan.threads)?)));
        let (locks, optimist) = both.max_by_key(|(locks, _)| locks.plan.threads)?;
        Some(format!(
            "With {} threads, optimist does {:.2} times the work of locks; its longest wait was {}, that of locks {}.",
            locks.plan.threads,
            optimist.throughput() / locks.throughput(),
            milliseconds(optimist.longest_wait),
            milliseconds(locks.longest_wait),
        ))
    }

    fn aborts(&self) -> Option<String> {
        let with_aborts = self.outcomes.iter().filter_map(|outcome| Some((outcome, outcome.aborts?)));
        let (outcome, aborts) = with_aborts.max_by_key(|(outcome, _)| outcome.plan.threads)?;
        Some(format!(
            "With {} threads, {aborts} attempts lost for {} documents ({:.2} %) and were made again.",
            outcome.plan.threads,
            outcome.documents,
            100.0 * aborts as f64 / outcome.documents as f64
        ))
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", 1e3 * time.as_secs_f64())
}

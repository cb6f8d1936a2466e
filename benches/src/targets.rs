//! The ratios that the project has set itself, measured in one run.

use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};

use crate::catalogue::{EngineName, Entry, catalogue};
use crate::figures::{geometric_mean, short};
use crate::rounds::{Options, Row};

const OURS: EngineName = EngineName::OptimistTcell;
const OTHER_OURS: EngineName = EngineName::OptimistTvar;
const RIVALS: [EngineName; 5] =
    [EngineName::FastStm, EngineName::StmCore, EngineName::AsyncStm, EngineName::Xstm, EngineName::KovanStm];
/// From this time on under one lock, a transaction should gain from a second thread.
const MICROSECOND: f64 = 1_000.0;
/// What eight threads on fewer cores are measured with.
const CROWDED: [&str; 5] = ["update-4", "read-8-update-2", "bank-0", "hash-20", "tree-20"];

/// What to measure for all of them.
#[must_use]
pub fn plans(rounds: usize, time: Duration, seed: u64) -> Vec<Options> {
    let plan = |names: &[&str], engines: &[EngineName], threads: &[usize], time: Duration| {
        let is_wanted = |entry: &Entry| names.iter().any(|name| entry.is_called(name));
        let compiled = EngineName::compiled();
        let engines = engines.iter().copied().filter(|engine| compiled.contains(engine)).collect();
        let workloads = catalogue().into_iter().filter(is_wanted).collect();
        Options { workloads, engines, threads: threads.to_vec(), rounds, time, seed }
    };
    let ours = [OURS, OTHER_OURS];
    let locks = [EngineName::Mutex, EngineName::Gil];
    let references = [EngineName::Bare, EngineName::Atomic, EngineName::Seqlock, EngineName::Floor];
    let with_rivals: Vec<_> = ours.into_iter().chain(locks).chain(references).chain(RIVALS).collect();
    let beside_rivals: Vec<_> = ours.into_iter().chain(locks).chain(RIVALS).collect();
    let beside_locks: Vec<_> = ours.into_iter().chain(locks).collect();
    vec![
        plan(&["micro"], &with_rivals, &[1, 2], time),
        plan(&["boxed"], &beside_rivals, &[1, 2], time),
        plan(&["structures", "bank"], &beside_locks, &[1, 2], time),
        plan(&CROWDED, &[OURS], &[2, 8], time),
        plan(&["pairwise"], &[OURS], &[8], 5 * time),
        plan(&["elder", "elder-writes"], &[OURS], &[1, 2], 5 * time),
        plan(&["snapshot-1m", "snapshot-1m-none"], &[OURS], &[2], 5 * time),
    ]
}

/// A ratio with what was asked for.
#[derive(Clone, Debug)]
pub struct Verdict {
    what: String,
    must: f64,
    aim: f64,
    /// Whether more is better.
    is_least: bool,
    measured: Option<f64>,
    note: String,
}

impl Verdict {
    fn at_least(what: &str, must: f64, aim: f64, measured: Option<f64>) -> Self {
        Self { what: what.to_string(), must, aim, is_least: true, measured, note: String::new() }
    }

    fn at_most(what: &str, must: f64, aim: f64, measured: Option<f64>) -> Self {
        Self { is_least: false, ..Self::at_least(what, must, aim, measured) }
    }

    fn noted(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }

    fn reaches(&self, bound: f64) -> bool {
        self.measured.is_some_and(|measured| if self.is_least { measured >= bound } else { measured <= bound })
    }

    /// In one word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match () {
            () if self.measured.is_none() => "not measured",
            () if self.reaches(self.aim) => "aim",
            () if self.reaches(self.must) => "must",
            () => "MISSED",
        }
    }
}

/// The verdicts as a table.
#[must_use]
pub fn table(verdicts: &[Verdict]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(["ratio", "must", "aim", "measured", "verdict", "more"]);
    for verdict in verdicts {
        let sign = if verdict.is_least { '≥' } else { '≤' };
        table.add_row([
            verdict.what.clone(),
            if verdict.must == f64::MAX { "always".to_string() } else { format!("{sign} {}", verdict.must) },
            format!("{sign} {}", verdict.aim),
            verdict.measured.map(short).unwrap_or_default(),
            verdict.word().to_string(),
            verdict.note.clone(),
        ]);
    }
    table.column_iter_mut().skip(1).take(3).for_each(|column| column.set_cell_alignment(CellAlignment::Right));
    table
}

/// What was measured, to be asked by name.
struct Rows<'a>(&'a [Row]);

impl Rows<'_> {
    fn row(&self, workload: &str, engine: EngineName, threads: usize) -> Option<&Row> {
        self.0.iter().find(|row| row.workload == workload && row.engine == engine && row.threads == threads)
    }

    fn throughput(&self, workload: &str, engine: EngineName, threads: usize) -> Option<f64> {
        self.row(workload, engine, threads).map(|row| row.throughput(0).median)
    }

    /// On a processor, for one thread: what others do there does not count.
    fn nanoseconds(&self, workload: &str, engine: EngineName) -> Option<f64> {
        self.row(workload, engine, 1).and_then(Row::processor_time)
    }

    /// The time of a transaction over that on another engine, on one thread: as it is, and without the random choices.
    fn times(&self, workload: &str, engine: EngineName, other: EngineName) -> Option<(f64, f64)> {
        let (this, that) = (self.nanoseconds(workload, engine)?, self.nanoseconds(workload, other)?);
        let floor = self.nanoseconds(workload, EngineName::Floor)?;
        Some((this / that, (this - floor) / (that - floor).max(0.1)))
    }

    /// Transactions in a second: of one thread in its time on a processor, of several on the wall.
    fn speed(&self, row: &Row) -> Option<f64> {
        if row.threads == 1 { row.processor_time().map(|time| 1e9 / time) } else { Some(row.throughput(0).median) }
    }

    /// Throughput of ours over that of the fastest rival, of all workloads of a group.
    fn over_rivals(&self, group: &str, engine: EngineName) -> (Option<f64>, String) {
        let ratio = |row: &Row| {
            let best = RIVALS
                .iter()
                .filter_map(|&rival| Some((self.speed(self.row(&row.workload, rival, row.threads)?)?, rival)))
                .max_by(|one, other| one.0.total_cmp(&other.0))?;
            let plural = if row.threads == 1 { "thread" } else { "threads" };
            let at = format!("{}, {} {plural} ({})", row.workload, row.threads, best.1);
            Some((self.speed(row)? / best.0, at))
        };
        let ratios: Vec<_> =
            self.0.iter().filter(|row| row.group == group && row.engine == engine).filter_map(ratio).collect();
        let least = ratios.iter().min_by(|one, other| one.0.total_cmp(&other.0));
        let Some((least, which)) = least else { return (None, "needs `--features rivals`".to_string()) };
        let numbers: Vec<_> = ratios.iter().map(|(ratio, _)| *ratio).collect();
        (Some(geometric_mean(&numbers)), format!("least {} at {which}", short(*least)))
    }

    /// The least gain over the faster GIL with two threads, of all workloads that are long enough.
    fn over_gil(&self) -> (Option<f64>, String) {
        let gain = |row: &Row| {
            let time = self.nanoseconds(&row.workload, EngineName::Mutex)?;
            if row.threads != 2 || row.engine != OURS || time < MICROSECOND {
                return None;
            }
            let of = |engine| self.throughput(&row.workload, engine, 2);
            let lock = f64::max(of(EngineName::Mutex)?, of(EngineName::Gil)?);
            Some((row.throughput(0).median / lock, row.workload.clone()))
        };
        let mut gains: Vec<_> = self.0.iter().filter_map(gain).collect();
        gains.sort_by(|one, other| one.0.total_cmp(&other.0));
        let each: Vec<_> = gains.iter().map(|(gain, workload)| format!("{workload} {}", short(*gain))).collect();
        (gains.first().map(|(gain, _)| *gain), each.join(", "))
    }
}

/// Asks what was measured for each ratio.
#[must_use]
pub fn verdicts(rows: &[Row]) -> Vec<Verdict> {
    let rows = Rows(rows);
    let mut verdicts = against_rivals(&rows);
    verdicts.extend(against_references(&rows));
    verdicts.extend(under_contention(&rows));
    verdicts
}

fn against_rivals(rows: &Rows<'_>) -> Vec<Verdict> {
    let with_other = |group, (measured, note): (Option<f64>, String)| {
        let other = rows.over_rivals(group, OTHER_OURS).0;
        (measured, format!("{note}; with `TVar`s {}", other.map(short).unwrap_or_default()))
    };
    let (words, words_note) = with_other("micro", rows.over_rivals("micro", OURS));
    let (boxes, boxes_note) = with_other("boxed", rows.over_rivals("boxed", OURS));
    vec![
        Verdict::at_least("word cells, × best rival, geometric mean", 15.0, 30.0, words).noted(words_note),
        Verdict::at_least("boxed values, × best rival, geometric mean", 4.0, 8.0, boxes).noted(boxes_note),
    ]
}

fn against_references(rows: &Rows<'_>) -> Vec<Verdict> {
    let time = |what: &str, must, aim, workload: &str, other| {
        let ratios = rows.times(workload, OURS, other);
        let tvar = rows.times(workload, OTHER_OURS, other).map(|(ratio, _)| ratio);
        let note = ratios.map(|(_, without)| {
            format!(
                "without the random choices {}; with `TVar`s {}",
                short(without),
                tvar.map(short).unwrap_or_default()
            )
        });
        Verdict::at_most(what, must, aim, ratios.map(|(ratio, _)| ratio)).noted(note.unwrap_or_default())
    };
    let per_write = |workload: &str, writes: f64| Some(rows.nanoseconds(workload, OURS)? / writes);
    let linear = per_write("write-100000", 1e5).zip(per_write("write-100", 1e2)).map(|(many, few)| many / few);
    vec![
        time("read 16, × bare words, 1 thread", 3.0, 2.0, "read-16", EngineName::Bare),
        time("snapshot of 64, × a seqlock a cell", 1.5, 1.1, "snapshot-64", EngineName::Seqlock),
        time("update 1, × uncontended mutex", 3.0, 2.0, "update-1", EngineName::Mutex),
        time("load, × AtomicU64 load", 2.0, 1.2, "load", EngineName::Atomic),
        time("update of one cell, × AtomicU64 fetch_add", 2.5, 1.5, "add", EngineName::Atomic),
        Verdict::at_most("100,000 writes, × per write of 100", 2.0, 1.3, linear),
    ]
}

fn under_contention(rows: &Rows<'_>) -> Vec<Verdict> {
    let over = |one: Option<f64>, other: Option<f64>| one.zip(other).map(|(one, other)| one / other);
    let (gain, gains) = rows.over_gil();
    let bank = over(rows.throughput("bank-10", OURS, 2), rows.throughput("bank-0", OURS, 2));
    let beside = over(rows.throughput("snapshot-1m", OURS, 2), rows.throughput("snapshot-1m-none", OURS, 2));
    let pairwise = rows.row("pairwise", OURS, 8).and_then(|row| row.latency(0));
    let tail = pairwise.map(|latency| latency.p999 as f64 / latency.p50 as f64);
    let tail_note = pairwise.map(|latency| format!("P50 {} ns, P99.9 {} ns", latency.p50, latency.p999));
    let mut verdicts = vec![
        Verdict::at_least("≥ 1 µs of work, 2 threads, × GIL: the least", 1.5, 1.9, gain).noted(gains),
        Verdict::at_least("bank, 10 % audits: transfers, × without", 0.5, 0.8, bank),
        Verdict::at_least("writers beside a snapshot of 1,000,000, × without", 0.85, 0.95, beside),
        Verdict::at_most("pairwise, 8 threads: P99.9 / P50", 20.0, 5.0, tail).noted(tail_note.unwrap_or_default()),
    ];
    for workload in ["elder", "elder-writes"] {
        let time = |threads| Some(rows.row(workload, OURS, threads)?.latency(1)?.p50 as f64);
        let does_finish = rows.row(workload, OURS, 2).map(|row| row.throughput(1).median);
        let note = format!("{} a second beside writers", does_finish.map(short).unwrap_or_default());
        // That it finishes at all is the must.
        verdicts.push(
            Verdict::at_most(&format!("{workload}, × its time alone"), f64::MAX, 2.0, over(time(2), time(1)))
                .noted(note),
        );
    }
    let crowded: Vec<_> = CROWDED
        .iter()
        .filter_map(|&name| Some((over(rows.throughput(name, OURS, 8), rows.throughput(name, OURS, 2))?, name)))
        .collect();
    let least = crowded.iter().map(|(ratio, _)| *ratio).min_by(f64::total_cmp);
    let each: Vec<_> = crowded.iter().map(|(ratio, name)| format!("{name} {}", short(*ratio))).collect();
    verdicts.push(Verdict::at_least("8 threads, × 2 threads: the least", 0.9, 1.0, least).noted(each.join(", ")));
    verdicts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_in_one_word() {
        let word = |measured| Verdict::at_least("", 2.0, 4.0, measured).word();
        assert_eq!([None, Some(1.9), Some(2.0), Some(4.0)].map(word), ["not measured", "MISSED", "must", "aim"]);
        let word = |measured| Verdict::at_most("", 4.0, 2.0, measured).word();
        assert_eq!([Some(4.1), Some(4.0), Some(2.0)].map(word), ["MISSED", "must", "aim"]);
    }

    #[test]
    fn every_ratio_is_measured() {
        let plans = plans(1, Duration::from_millis(2), 1);
        let rows: Vec<_> = plans.iter().flat_map(|options| options.run(|_| {}).unwrap().rows).collect();
        for verdict in verdicts(&rows) {
            let needs_rivals = verdict.what.contains("rival") && !cfg!(feature = "rivals");
            assert_eq!(verdict.measured.is_none(), needs_rivals, "{}", verdict.what);
        }
    }
}

//! Builds an inverted index with all cores: behind a global lock, behind many locks, and with transactions.
//!
//! ```text
//! cargo run --release --example gil
//! cargo run --release --example gil -- --dir ~/notes --threads 1,2,4 --seconds 5
//! cargo run --release --example gil -- --help
//! ```
//! The program itself is in `optimist_examples::gil`; this file is its outline.

use std::num::NonZero;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::Parser;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use optimist_examples::gil::chart;
use optimist_examples::gil::corpus::{Corpus, NoCorpus};
use optimist_examples::gil::index::Contents;
use optimist_examples::gil::options::Options;
use optimist_examples::gil::report::{self, Report};
use optimist_examples::gil::run::{self, Outcome, Plan};

/// An index was wrong, or an audit failed.
const WRONG: u8 = 1;
/// There was nothing to do, or no way to do it.
const UNUSABLE: u8 = 2;

fn main() -> ExitCode {
    let options = Options::parse();
    let corpus = match Corpus::read(&options.dir) {
        Ok(corpus) => corpus,
        Err(nothing) => {
            eprintln!("error: {nothing}");
            if let NoCorpus::NoText(_, skipped) = &nothing {
                report::skipped(skipped).iter().for_each(|line| eprintln!("{line}"));
            }
            return ExitCode::from(UNUSABLE);
        }
    };
    report::skipped(corpus.skipped()).iter().for_each(|line| eprintln!("{line}"));
    if let Err(error) = chart::prepare(&options.chart) {
        eprintln!("error: cannot write the chart {}: {error}", options.chart.display());
        return ExitCode::from(UNUSABLE);
    }

    let reference = Contents::reference(&corpus);
    println!(
        "{} documents of {} in {}, {} words, {} different; most frequent: {}",
        corpus.documents().len(),
        indicatif::HumanBytes(corpus.bytes() as u64),
        options.dir.display(),
        reference.total,
        reference.words.len(),
        reference.top.iter().map(|(word, count)| format!("{word} {count}")).collect::<Vec<_>>().join(", ")
    );

    let mut plans = Vec::new();
    for engine in options.chosen() {
        plans.extend(options.threads.numbers().iter().map(|&threads| Plan { engine, threads, time: options.seconds }));
    }
    let outcomes = measure_with_progress(&corpus, &reference, &plans);
    tell(&options, &outcomes)
}

/// Measures, and shows on standard error how far it got: a bar for each plan.
fn measure_with_progress(corpus: &Corpus, reference: &Contents, plans: &[Plan]) -> Vec<Outcome> {
    let all = MultiProgress::new();
    let style = ProgressStyle::with_template("{prefix} [{bar:30}] {msg}").expect("the template is well formed");
    let style = style.progress_chars("=> ");
    let title = |plan: Plan| {
        format!("{:8} {:>2} thread{}", plan.engine, plan.threads, if plan.threads == 1 { " " } else { "s" })
    };
    let bars: Vec<_> = plans
        .iter()
        .map(|plan| {
            let bar = all.add(ProgressBar::new(plan.time.as_millis() as u64));
            bar.with_style(style.clone()).with_prefix(title(*plan))
        })
        .collect();
    if all.is_hidden() {
        let seconds: f64 = plans.iter().map(|plan| plan.time.as_secs_f64()).sum();
        // Standard error is no terminal, so the bars cannot be seen.
        eprintln!("measuring {} combinations for {seconds:.0} seconds in all ...", plans.len());
    }
    let show = |plan: Plan, busy: Duration, documents: u64| {
        let Some(bar) = plans.iter().position(|other| *other == plan).map(|at| &bars[at]) else { return };
        bar.set_position(busy.as_millis() as u64);
        bar.set_message(format!("{documents} documents, {:.0}/s", documents as f64 / busy.as_secs_f64()));
    };
    let outcomes = run::measure(corpus, reference, plans, &show);
    bars.iter().for_each(ProgressBar::abandon);
    outcomes
}

/// Prints the table and what it says, and draws the chart.
fn tell(options: &Options, outcomes: &[Outcome]) -> ExitCode {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let report = Report { outcomes, processors };
    println!("{}", report.table());
    println!(
        "speed-up: over gil with one thread. longest wait: from when a worker takes a document until it is in the \
         index.\nidentical: every pass, with an index that one thread made in the simplest way."
    );
    println!();
    report.interpretation().iter().for_each(|sentence| println!("* {sentence}"));

    let mut status = ExitCode::SUCCESS;
    for outcome in outcomes.iter().filter(|outcome| !outcome.is_right()) {
        let Plan { engine, threads, .. } = outcome.plan;
        for sums in &outcome.broken {
            eprintln!("error: {engine} with {threads} threads: an auditor saw {sums:?}");
        }
        if let Some(difference) = &outcome.difference {
            eprintln!("error: {engine} with {threads} threads: {difference}");
        }
        status = ExitCode::from(WRONG);
    }
    match chart::draw(&options.chart, outcomes) {
        Ok(()) => println!("\nchart: {}", options.chart.display()),
        Err(error) => {
            eprintln!("error: cannot write the chart {}: {error}", options.chart.display());
            status = ExitCode::from(UNUSABLE);
        }
    }
    status
}

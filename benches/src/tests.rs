//! Every engine gives the right answer to every workload, and wrong answers are found out.

use std::time::Duration;

use clap::ValueEnum;

use crate::catalogue::{EngineName, WorkloadName};
use crate::micro::{Read, Update, WriteMany};
use crate::rounds::Options;
use crate::workload::{Evidence, Workload};

fn run_all(engine: EngineName) {
    let options = Options {
        workloads: WorkloadName::value_variants().to_vec(),
        engines: vec![engine],
        threads: vec![1, 2],
        rounds: 1,
        time: Duration::from_millis(3),
        words: 256,
        seed: 1,
    };
    let rows = options.run(|_| {}).unwrap();
    assert_eq!(rows.len(), options.runs());
    assert!(!rows.is_empty());
    for row in rows {
        assert_eq!(row.engine, engine);
        assert!(row.samples[0].throughput > 0.0);
    }
}

#[test]
fn optimist_is_right_with_variables() {
    run_all(EngineName::OptimistTvar);
}

#[test]
fn optimist_is_right_with_inline_cells() {
    run_all(EngineName::OptimistTcell);
}

#[test]
fn the_mutex_is_right() {
    run_all(EngineName::Mutex);
}

#[test]
fn bare_words_are_right_at_one_thread() {
    run_all(EngineName::Bare);
}

#[test]
fn atomic_words_are_right() {
    run_all(EngineName::Atomic);
}

#[test]
fn the_floor_runs_without_an_engine() {
    run_all(EngineName::Floor);
}

#[cfg(feature = "rivals")]
#[test]
fn fast_stm_is_right() {
    run_all(EngineName::FastStm);
}

#[cfg(feature = "rivals")]
#[test]
fn stm_core_is_right() {
    run_all(EngineName::StmCore);
}

#[test]
fn a_lost_increment_is_found() {
    let threads = [(10, Update::<4>::new(0, 2))];
    let before = [7, 7];
    assert!(Update::check(&Evidence { before: &before, after: &[27, 27], threads: &threads }).is_ok());
    assert!(Update::check(&Evidence { before: &before, after: &[27, 26], threads: &threads }).is_err());
}

#[test]
fn a_wrong_sum_of_reads_is_found() {
    let threads = [(10, Read::<16>::new(0, 2))];
    assert!(Read::check(&Evidence { before: &[7, 7], after: &[7, 7], threads: &threads }).is_err());
}

#[test]
fn a_torn_transaction_is_found() {
    let thread = WriteMany::<10>::new(3, 0);
    let stamp = 3 << 48;
    let before = vec![7; 1 << 17];
    let mut after = vec![stamp; 1 << 17];
    let threads = [(0, thread)];
    assert!(WriteMany::check(&Evidence { before: &before, after: &after, threads: &threads }).is_ok());
    after[0] = 7;
    assert!(WriteMany::check(&Evidence { before: &before, after: &after, threads: &threads }).is_err());
}

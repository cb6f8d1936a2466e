//! Every pair of short transactions, in every execution: each history is serializable and opaque.
//!
//! Method: bounded-exhaustive testing. All pairs of straight-line transactions of up to three operations on two cells are
//! run by `loom`, up to the exchange of the two transactions and of the two cells. Left out are pairs without a conflict,
//! and operations that share nothing: on a cell that the transaction has written already. Each execution is recorded and its history checked, with what the cells hold at the end
//! read last. Real time is no part of it: the two transactions run side by side.
//!
//! Built with `--cfg optimist_loom` alone; run by `.ci/models`.
#![cfg(optimist_loom)]
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use optimist::{Atomically, Stm, TVar, TryStm, Tx};
use optimist_tests::history::recorder::{Log, Ordered, Recorder};
use optimist_tests::history::{Attempt, check};

/// Cells of the recorder that hold their values in place.
const CELLS: [usize; 2] = [0, 2];
const PREEMPTIONS: usize = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Operation {
    Read(usize),
    Write(usize),
}

use Operation::{Read, Write};

impl Operation {
    fn cell(self) -> usize {
        match self {
            Read(cell) | Write(cell) => cell,
        }
    }

    /// The same on the other cell.
    fn mirrored(self) -> Self {
        match self {
            Read(cell) => Read(1 - cell),
            Write(cell) => Write(1 - cell),
        }
    }

    fn run(self, log: &Log<'_>, tx: &mut Tx<'_>) -> Stm<()> {
        match self {
            Read(cell) => log.read(tx, CELLS[cell]).map(drop),
            Write(cell) => log.write(tx, CELLS[cell]),
        }
    }
}

type Transaction = Vec<Operation>;

/// Two transactions that run side by side.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Program(Transaction, Transaction);

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} || {:?}", self.0, self.1)
    }
}

impl Program {
    /// The least of those that are the same but for names.
    fn canonical(self) -> Self {
        let mirrored = |transaction: &Transaction| transaction.iter().map(|operation| operation.mirrored()).collect();
        let other = Self(mirrored(&self.0), mirrored(&self.1));
        let swapped = |program: &Self| Self(program.1.clone(), program.0.clone());
        [swapped(&self), swapped(&other), other, self.clone()].into_iter().min().unwrap_or(self)
    }

    /// Whether one writes what the other touches.
    fn conflicts(&self) -> bool {
        self.0.iter().any(|one| {
            let meets = |other: &Operation| {
                one.cell() == other.cell() && (matches!(one, Write(_)) || matches!(other, Write(_)))
            };
            self.1.iter().any(meets)
        })
    }
}

fn transactions(length: usize) -> Vec<Transaction> {
    (0..length).fold(vec![Vec::new()], |shorter, _| {
        let longer = |transaction: &Transaction| {
            let reaches = |operation: &Operation| !transaction.contains(&Write(operation.cell()));
            let operations = [Read(0), Read(1), Write(0), Write(1)].into_iter().filter(reaches);
            operations.map(|operation| [transaction.clone(), vec![operation]].concat()).collect::<Vec<_>>()
        };
        shorter.iter().flat_map(longer).collect()
    })
}

/// All programs of which the longer transaction has so many operations, and the other at most as many.
fn programs(longest: usize) -> BTreeSet<Program> {
    let mut programs = BTreeSet::new();
    for one in transactions(longest) {
        for other in (1..=longest).flat_map(transactions) {
            let program = Program(one.clone(), other).canonical();
            if program.conflicts() {
                programs.insert(program);
            }
        }
    }
    programs
}

/// Runs a transaction on a thread of its own, and returns its attempts.
fn run(recorder: &'static Recorder, transaction: Transaction) -> loom::thread::JoinHandle<Vec<Attempt>> {
    loom::thread::spawn(move || {
        // What a thread does once is no part of this: it gets what it needs from the runtime.
        loom::stop_exploring();
        TVar::new(0).store(1);
        loom::explore();
        let mut worker = recorder.worker();
        let body = |tx: &mut Tx<'_>, log: &Log<'_>| -> TryStm<(), ()> {
            for operation in &transaction {
                operation.run(log, tx)?;
            }
            Ok(())
        };
        worker.run(Atomically::new(), body).expect("nothing limits it");
        worker.finish()
    })
}

/// One execution.
fn execute(program: &Program) {
    let recorder: &'static Recorder = Box::leak(Box::new(Recorder::new(&[Ordered::ByItself; 3])));
    let threads = [run(recorder, program.0.clone()), run(recorder, program.1.clone())];
    let mut recorded = threads.map(|thread| thread.join().unwrap());
    for attempt in recorded.iter_mut().flatten() {
        (attempt.begin, attempt.end) = (0, Some(0));
    }
    let mut last = recorder.worker();
    CELLS.into_iter().for_each(|cell| last.load(cell));
    let mut last = last.finish();
    for attempt in &mut last {
        (attempt.begin, attempt.end) = (1, Some(1));
    }
    let history = recorder.history(recorded.into_iter().chain([last])).unwrap();
    if let Err(finding) = check(&history) {
        panic!("{program}\n{}", finding.report(&history));
    }
}

/// Runs every program of a share of those of this length.
fn try_all(longest: usize, share: usize, shares: usize) {
    let executions = Arc::new(AtomicUsize::new(0));
    let programs: Vec<Program> = programs(longest).into_iter().skip(share).step_by(shares).collect();
    for program in &programs {
        let (program, counted) = (program.clone(), Arc::clone(&executions));
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(PREEMPTIONS);
        builder.max_branches = 100_000;
        builder.check(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            execute(&program);
        });
    }
    println!("complete: {} programs, {} executions", programs.len(), executions.load(Ordering::Relaxed));
}

#[test]
fn transactions_of_one_operation() {
    try_all(1, 0, 1);
}

#[test]
fn transactions_of_two_operations() {
    try_all(2, 0, 1);
}

#[test]
fn transactions_of_three_operations_one() {
    try_all(3, 0, 2);
}

#[test]
fn transactions_of_three_operations_two() {
    try_all(3, 1, 2);
}

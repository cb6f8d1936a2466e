//! Every engine gives the right answer to every workload, and wrong answers are found out.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::applications;
use crate::catalogue::{EngineName, Entry, catalogue};
use crate::compare;
use crate::engine::forgetful::Forgetful;
use crate::engine::{Abilities, Engine, GlobalMutex, Thread, Tx, View};
use crate::html;
use crate::measure::{Job, Plan, Timed, Whole};
use crate::report::Report;
use crate::rounds::Options;
use crate::workload::{Done, Part, Program, Workload, WrongAnswer};
use crate::workloads::array::Array;
use crate::workloads::bank::Bank;
use crate::workloads::boxed::{Boxed, Record};
use crate::workloads::chains::Chains;
use crate::workloads::elder::{Elder, Role};
use crate::workloads::handover::{Buffer, Dining, Ring};
use crate::workloads::pairwise::Pairwise;
use crate::workloads::set::Set;
use crate::workloads::single::Single;
use crate::workloads::skip_list::SkipList;
use crate::workloads::swaps::Swaps;
use crate::workloads::tree::Tree;
use crate::workloads::write_many::WriteMany;

fn plan(threads: usize) -> Plan {
    Plan { threads, time: Duration::from_millis(30), warm_up: Duration::ZERO, seed: 1 }
}

/// Large arrays, and sweeps of what is measured anyway, only make the same checks take longer. Applications have tests
/// of their own, with less work.
fn is_quick(entry: &Entry) -> bool {
    if applications::entries().iter().any(|application| application.name == entry.name) {
        return false;
    }
    let is_large = ["1m", "100000", "elder", "size-", "share-"].iter().any(|part| entry.name.contains(part));
    !is_large || entry.name == "share-20"
}

fn all_are_right(engine: EngineName) {
    let options = Options {
        workloads: catalogue().into_iter().filter(is_quick).collect(),
        engines: vec![engine],
        threads: vec![1, 3],
        rounds: 1,
        time: Duration::from_millis(3),
        seed: 1,
    };
    let outcome = options.run(|_| {}).unwrap();
    assert_eq!(outcome.rows.len(), options.runs());
    assert!(outcome.rows.len() + 2 * outcome.skipped.len() > options.workloads.len());
    for row in outcome.rows {
        let done: f64 = row.samples[0].kinds.iter().map(|kind| kind.throughput).sum();
        assert!(done > 0.0, "{} does nothing", row.workload);
    }
}

macro_rules! right {
    ($($(#[$attribute:meta])* $test:ident: $engine:ident;)*) => {$(
        $(#[$attribute])*
        #[test]
        fn $test() {
            all_are_right(EngineName::$engine);
        }
    )*};
}

right! {
    optimist_is_right_with_variables: OptimistTvar;
    optimist_is_right_with_inline_cells: OptimistTcell;
    the_mutex_is_right: Mutex;
    the_gil_is_right: Gil;
    the_reader_writer_lock_is_right: RwLock;
    locks_in_objects_are_right: ObjectLocks;
    striped_locks_are_right: StripedLocks;
    bare_values_are_right_with_one_thread: Bare;
    atomic_words_are_right: Atomic;
    seqlocks_are_right: Seqlock;
    the_floor_runs_without_an_engine: Floor;
    #[cfg(feature = "rivals")]
    fast_stm_is_right: FastStm;
    #[cfg(feature = "rivals")]
    stm_core_is_right: StmCore;
    #[cfg(feature = "rivals")]
    async_stm_is_right: AsyncStm;
    #[cfg(feature = "rivals")]
    xstm_is_right: Xstm;
    #[cfg(feature = "rivals")]
    kovan_stm_is_right: KovanStm;
}

/// Runs a workload on an engine that loses writes, until that shows.
fn is_found_out(workload: impl Workload) -> bool {
    let mut job = Timed::<Forgetful, _>::new(workload);
    (0..5).any(|_| catch_unwind(AssertUnwindSafe(|| job.run(&plan(2)))).is_ok_and(|result| result.is_err()))
}

/// The same, for workloads whose bodies may already meet what cannot be.
fn is_found_out_or_panics(workload: impl Workload) -> bool {
    let mut job = Timed::<Forgetful, _>::new(workload);
    (0..5).any(|_| catch_unwind(AssertUnwindSafe(|| job.run(&plan(2)))).is_ok_and(|result| result.is_err()))
        || catch_unwind(AssertUnwindSafe(|| job.run(&plan(2)))).is_err()
}

#[test]
fn lost_writes_to_arrays_are_found() {
    assert!(is_found_out(Array::update(4)));
    assert!(is_found_out(Array::mixed()));
    assert!(is_found_out(Array::counter()));
    assert!(is_found_out(Single::Add));
    assert!(is_found_out(Swaps(2)));
    assert!(is_found_out(WriteMany(1_000)));
}

#[test]
fn lost_writes_to_values_are_found() {
    assert!(is_found_out(Boxed::<String>::update()));
    assert!(is_found_out(Boxed::<Record>::update()));
    assert!(is_found_out(Boxed::<Vec<u64>>::update()));
}

#[test]
fn lost_writes_to_structures_are_found() {
    assert!(is_found_out_or_panics(Set { structure: Chains::LIST, updates: 100 }));
    assert!(is_found_out_or_panics(Set { structure: Chains::HASH, updates: 100 }));
    assert!(is_found_out_or_panics(Set { structure: Tree, updates: 100 }));
    assert!(is_found_out_or_panics(Set { structure: SkipList, updates: 100 }));
}

#[test]
fn lost_writes_under_contention_are_found() {
    assert!(is_found_out(Bank(0)));
    assert!(is_found_out(Bank(10)));
    assert!(is_found_out(Pairwise));
    assert!(is_found_out(Elder { cells: 1_000, role: Role::Reads }));
    assert!(is_found_out(Elder { cells: 1_000, role: Role::Sleeps }));
}

#[test]
fn lost_writes_between_threads_that_wait_are_found() {
    assert!(is_found_out(Ring));
    assert!(is_found_out(Dining));
    assert!(is_found_out(Buffer(1)));
    assert!(is_found_out(Buffer(64)));
}

#[test]
fn a_wrong_sum_of_reads_is_found() {
    let check = |array: Array, reads: usize| {
        let world = GlobalMutex::world(array.data::<GlobalMutex>(1));
        let mut thread = Thread::<GlobalMutex, _>::enter(&world);
        let mut worker = array.worker(0, 1);
        (0..reads).for_each(|_| _ = array.run(&mut worker, &mut thread));
        worker.miscount();
        array.check(&mut 0, &mut thread, &[Done { counts: vec![reads as u64], worker }])
    };
    assert!(check(Array::read(16).of(64), 3).is_err());
    assert!(check(Array::snapshot(16).of(64), 3).is_err());
}

/// Each thread adds its share of some numbers to a sum.
#[derive(Clone, Copy)]
struct Sum {
    loses: bool,
}

impl Program for Sum {
    const NEEDS: Abilities = Abilities { atomicity: true, threads: true, ..Abilities::NONE };

    type Input = Vec<u64>;
    type Data<E: Engine> = E::Cell<u64>;
    type Output = u64;

    fn input(&self, seed: u64) -> Vec<u64> {
        (0..1_000).map(|number| number * seed).collect()
    }

    fn data<E: Engine>(&self, _input: &Vec<u64>, _threads: usize) -> E::Cell<u64> {
        E::cell(0)
    }

    fn run<E: Engine>(&self, input: &Vec<u64>, part: &Part<'_>, thread: &mut Thread<'_, E, E::Cell<u64>>) -> u64 {
        for &number in &input[part.share(input.len())] {
            thread.atomically_on(|locks, sum| locks.add(sum), |tx, sum| tx.modify(sum, |sum| *sum += number));
        }
        part.barrier(thread);
        thread.snapshot_on(|locks, sum| locks.add(sum), |tx, sum| tx.read(sum)) - u64::from(self.loses)
    }

    fn check<E: Engine>(
        &self,
        input: &Vec<u64>,
        _thread: &mut Thread<'_, E, E::Cell<u64>>,
        outputs: &[u64],
    ) -> Result<u64, WrongAnswer> {
        for &output in outputs {
            WrongAnswer::unless_equal("the sum", input.iter().sum(), output)?;
        }
        Ok(input.len() as u64)
    }
}

#[test]
fn a_program_is_run_by_all_threads_and_checked() {
    let sample = Whole::<GlobalMutex, _>::new(Sum { loses: false }).run(&plan(3)).unwrap();
    assert_eq!(sample.transactions, 1_000);
    assert!(Whole::<GlobalMutex, _>::new(Sum { loses: true }).run(&plan(3)).is_err());
}

#[test]
fn a_program_is_left_out_where_it_cannot_run() {
    let entry = Entry::program("sum", "test", Sum { loses: false });
    assert!(entry.job(EngineName::ObjectLocks).is_ok());
    assert_eq!(entry.job(EngineName::Bare).err(), Some("it is for one thread"));
    assert!(entry.job(EngineName::Atomic).is_err());
}

#[test]
fn names_are_unique_and_no_group_is_called_like_a_workload() {
    let entries = catalogue();
    for (at, entry) in entries.iter().enumerate() {
        assert!(entries[..at].iter().all(|other| other.name != entry.name), "{} is there twice", entry.name);
        assert!(entries.iter().all(|other| other.group != entry.name), "{} is a group and a workload", entry.name);
    }
}

#[test]
fn the_sum_of_shares_is_the_whole() {
    let barrier = std::sync::Barrier::new(1);
    let shares: Vec<_> = (0..3).map(|thread| Part::new(thread, 3, 0, &barrier).share(10)).collect();
    assert_eq!(shares, [0..3, 3..6, 6..10]);
}

#[test]
fn a_report_can_be_read_again_and_shown_without_a_network() {
    let options = Options {
        workloads: catalogue().into_iter().filter(|entry| ["bank-10", "skew-0.9"].contains(&&*entry.name)).collect(),
        engines: vec![EngineName::Mutex, EngineName::ObjectLocks, EngineName::Bare],
        threads: vec![1, 2],
        rounds: 2,
        time: Duration::from_millis(3),
        seed: 1,
    };
    let report = Report::new(&options, options.run(|_| {}).unwrap());
    let mut json = Vec::new();
    report.write_json(&mut json).unwrap();
    let again = Report::read_json(&json[..]).unwrap();
    assert_eq!(again.rows.len(), report.rows.len());
    let changes = compare::changes(&report, &again);
    assert!(changes.len() >= report.rows.len());
    assert!(changes.iter().all(|change| (change.ratio() - 1.0).abs() < 1e-9 && !change.is_beyond_noise()));

    let page = html::page(&report).unwrap();
    for part in ["<h3>bank-10</h3>", "transfers: × mutex", "audits: latency in ns, 2 threads", "exponent of Zipf"] {
        assert!(page.contains(part), "{part} is missing");
    }
    assert!(page.matches("<svg").count() >= 8);
    for outside in ["<script", "<link", "<img", "src=", "url(", "@import"] {
        assert!(!page.contains(outside), "the page asks for something by `{outside}`");
    }
}

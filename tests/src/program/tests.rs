//! Programs run, and what is wrong with a record of one is seen.

use std::collections::BTreeSet;
use std::mem::discriminant;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use optimist::Limit;

use super::generate::from_seed;
use super::judge::{Tally, judge};
use super::model::{End, execute};
use super::run::{Notes, Outcome, Record, Thread, World};
use super::smaller::{smaller_programs, smallest};
use super::{Kind, Op, Program, Rescue, Step, Transaction, native, parts};
use crate::history::recorder::id;
use crate::history::{Event, INITIAL};

const PATIENCE: Duration = Duration::from_secs(20);

/// Who runs programs alone must be alone in the process.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn program(threads: Vec<Vec<Step>>) -> Program {
    Program { cells: vec![Kind::Bits, Kind::Boxed], threads, rounds: 1, rescue: Rescue { after_us: 0, singly: false } }
}

fn transaction(body: Vec<Op>) -> Transaction {
    Transaction { body, ..Transaction::default() }
}

fn run(body: Vec<Op>) -> Step {
    Step::Run(transaction(body))
}

/// What a body must do on cells that hold 7 and 8, as thread 1 that has drawn three ids.
fn expected(body: Vec<Op>) -> super::model::Expected {
    let notes = Notes { drawn: 3, ..Notes::default() };
    execute(&program(Vec::new()), &transaction(body), &vec![7, 8], 1, &notes)
}

#[test]
fn a_program_survives_being_written_down() {
    for seed in 0..200 {
        let program = from_seed(seed);
        let text = serde_json::to_string(&program).unwrap();
        assert_eq!(serde_json::from_str::<Program>(&text).unwrap(), program, "seed {seed}");
        assert_eq!(from_seed(seed), program, "seed {seed}");
    }
}

fn add_kinds(ops: &[Op], kinds: &mut Vec<std::mem::Discriminant<Op>>) {
    for op in ops {
        if !kinds.contains(&discriminant(op)) {
            kinds.push(discriminant(op));
        }
        parts(op).for_each(|part| add_kinds(part, kinds));
    }
}

#[test]
fn there_are_programs_with_everything() {
    let (mut ops, mut steps, mut cells, mut threads) = (Vec::new(), Vec::new(), BTreeSet::new(), BTreeSet::new());
    for seed in 0..300 {
        let program = from_seed(seed);
        threads.insert(program.threads.len());
        cells.extend(program.cells.iter().map(|kind| format!("{kind:?}")));
        for step in program.threads.iter().flatten() {
            if !steps.contains(&discriminant(step)) {
                steps.push(discriminant(step));
            }
            if let Step::Run(transaction) = step {
                add_kinds(&transaction.body, &mut ops);
            }
        }
    }
    assert_eq!((ops.len(), steps.len(), cells.len()), (19, 8, 4));
    assert!(threads.first() == Some(&1) && threads.last() == Some(&8), "{threads:?}");
}

#[test]
fn only_a_retry_that_no_branch_catches_may_wait_for_ever() {
    let may = |body| transaction(body).may_wait_for_ever();
    assert!(may(vec![Op::Retry]) && may(vec![Op::Nested(vec![Op::Retry])]));
    assert!(may(vec![Op::OrElse(vec![Op::Retry], vec![Op::Retry])]));
    assert!(!may(vec![Op::OrElse(vec![Op::Retry], vec![Op::Read(0)]), Op::Await(0)]));
}

#[test]
fn a_branch_that_waits_leaves_only_what_it_read() {
    let found = expected(vec![
        Op::Write(0),
        Op::OrElse(vec![Op::Modify(0), Op::Write(1), Op::Retry], vec![Op::Read(0), Op::Read(1)]),
    ]);
    let (first, second, third) = (id(1, 4), id(1, 5), id(1, 6));
    let events = [
        Event::Write(0, first),
        Event::Read(0, first),
        Event::Write(0, second),
        Event::Write(1, third),
        Event::Undo(1),
        Event::Read(0, first),
        Event::Read(1, 8),
    ];
    assert_eq!((found.events.as_slice(), found.state.as_slice()), (events.as_slice(), [first, 8].as_slice()));
    assert_eq!((found.end, found.writes), (End::Returned(vec![first, 8]), true));
}

#[test]
fn a_part_that_is_cancelled_leaves_what_it_saw() {
    let found = expected(vec![Op::Nested(vec![Op::Replace(1), Op::Cancel]), Op::Read(1)]);
    assert_eq!((found.end, found.state, found.writes), (End::Returned(vec![8, 8]), vec![7, 8], false));
    let found = expected(vec![Op::Read(0), Op::Cancel, Op::Read(1)]);
    assert_eq!(found.end, End::Cancelled(vec![7]));
}

#[test]
fn hooks_of_a_commit_are_those_that_stand_and_those_for_an_abort_that_were_undone() {
    let found = expected(vec![
        Op::AfterCommit,
        Op::AfterAbort,
        Op::Nested(vec![Op::AfterCommit, Op::AfterAbort, Op::Cancel]),
        Op::AfterCommit,
    ]);
    assert_eq!(found.hooks, [id(1, 4), id(1, 7), id(1, 8)]);
}

#[test]
fn who_is_irrevocable_does_not_retry_unless_a_branch_from_before_is_left() {
    assert_eq!(expected(vec![Op::Retry]).end, End::Retried);
    assert_eq!(expected(vec![Op::Irrevocable, Op::Retry]).end, End::Returned(vec![]));
    let inside = expected(vec![Op::OrElse(vec![Op::Irrevocable, Op::Read(0), Op::Retry], vec![])]);
    assert_eq!(inside.end, End::Returned(vec![7]));
    let before = expected(vec![Op::Irrevocable, Op::OrElse(vec![Op::Read(0), Op::Retry], vec![Op::Read(1)])]);
    assert_eq!(before.end, End::Returned(vec![8]));
}

#[test]
fn random_programs_run_alone_the_same_each_time() {
    let _alone = alone();
    let mut tally = Tally::default();
    for seed in 0..60 {
        let program = from_seed(seed);
        let run = || native::run_alone(&program, PATIENCE).unwrap_or_else(|problem| panic!("seed {seed}: {problem}"));
        let first = run();
        assert_eq!(first, run(), "seed {seed}");
        tally.add(first);
    }
    assert!(tally.committed > 0 && tally.stopped > 0 && tally.aborted == 0, "{tally}");
}

#[test]
fn random_programs_run_on_threads() {
    let _alone = alone();
    let mut tally = Tally::default();
    for seed in 0..40 {
        let run = native::run(&from_seed(seed), PATIENCE);
        tally.add(run.unwrap_or_else(|problem| panic!("seed {seed}: {problem}")));
    }
    assert!(tally.committed > 0, "{tally}");
}

#[test]
fn who_waits_is_rescued() {
    let _alone = alone();
    for singly in [false, true] {
        let mut program = program(vec![vec![run(vec![Op::Await(0), Op::Await(1)])]]);
        program.rescue = Rescue { after_us: 20_000, singly };
        // On a busy machine, the rescue may come before anybody waits.
        let has_waited = (0..20).any(|_| {
            let tally = native::run(&program, PATIENCE).unwrap();
            assert_eq!(tally.committed, if singly { 3 } else { 2 }, "{tally}");
            tally.retried > 0
        });
        assert!(has_waited);
        assert_eq!(native::run_alone(&program, PATIENCE).unwrap().stopped, 1);
    }
}

#[test]
fn an_escalation_loses_until_it_holds_the_token() {
    let _alone = alone();
    let tally = native::run(&program(vec![vec![run(vec![Op::Escalate(0)])]]), PATIENCE).unwrap();
    assert!(tally.escalated == 1 && tally.aborted >= 24, "{tally}");
}

#[test]
fn a_thread_that_never_ends_is_told_with_its_step() {
    let _alone = alone();
    let slow = run(vec![Op::Await(0)]);
    let mut program = program(vec![vec![Step::Load(0), slow.clone()]]);
    program.rescue.after_us = u16::MAX;
    let problem = native::run(&program, Duration::from_millis(5)).unwrap_err();
    assert!(problem.contains(&format!("thread 0 hangs in {:?}", Some(&slow))), "{problem}");
    // It is left behind, but rescued in the end: nobody else may be disturbed by it.
    std::thread::sleep(Duration::from_millis(200));
}

/// What is recorded of a program on one thread, and of a last look.
fn recorded(body: Vec<Op>) -> (World, Record, Record) {
    let world = World::new(program(Vec::new()), None);
    let mut thread = Thread::new(&world);
    [Step::Store(0), run(body), Step::Snapshot(vec![0, 1]), Step::Swap(1)].iter().for_each(|step| thread.step(step));
    let record = thread.finish().remove(0);
    let mut last = Thread::new(&world);
    world.last_look().iter().for_each(|step| last.step(step));
    let last = last.finish().remove(0);
    (world, record, last)
}

/// Spoils the record of a transaction that reads and writes, and has hooks.
#[track_caller]
fn is_seen(expected: &str, spoil: impl FnOnce(&mut Record, &mut Record)) {
    let _alone = alone();
    let body = vec![Op::AfterCommit, Op::AfterCommit, Op::Read(0), Op::Modify(1), Op::ReadRef(1)];
    let (world, mut record, mut last) = recorded(body);
    spoil(&mut record, &mut last);
    let problem = judge(&world, &[record], &last, true).expect_err("the record is spoiled");
    assert!(problem.contains(expected), "{problem}");
}

#[test]
fn a_true_record_is_accepted() {
    let _alone = alone();
    let (world, record, last) = recorded(vec![Op::AfterCommit, Op::Read(0), Op::Modify(1), Op::Fresh(Kind::Link)]);
    let tally = judge(&world, &[record], &last, true).unwrap();
    assert_eq!((tally.committed, tally.hooks), (4, 1));
}

#[test]
fn a_wrong_result_is_seen() {
    is_seen("an attempt ended as Returned([9", |record, _| {
        let Outcome::Returned(seen) = &mut record.calls[1].result else { panic!("it returned") };
        seen[0] = 9;
    });
    is_seen("a snapshot saw Returned([9", |record, _| {
        let Outcome::Returned(seen) = &mut record.calls[2].result else { panic!("it returned") };
        seen[0] = 9;
    });
    is_seen("the result does not fit", |record, _| record.calls[1].result = Outcome::Cancelled(Vec::new()));
    is_seen("a wait was given up", |record, _| record.calls[1].result = Outcome::Stopped(Limit::Abandoned));
    is_seen("the runtime panicked: so", |record, _| record.calls[1].result = Outcome::Failed("so".into()));
}

#[test]
fn what_an_attempt_did_beside_its_body_is_seen() {
    is_seen("an attempt did", |record, _| {
        let again = record.attempts[1].events[0];
        record.attempts[1].events.push(again);
    });
    is_seen("real-time violation", |record, _| record.attempts[1].events[0] = Event::Read(0, INITIAL));
    is_seen("version twice", |record, _| record.attempts[1].write_version = record.attempts[0].write_version);
    is_seen("an attempt without a version", |record, _| {
        (record.attempts[1].read_version, record.attempts[1].write_version) = (None, None);
    });
}

#[test]
fn wrong_hooks_and_numbers_are_seen() {
    is_seen("a commit ran the hooks", |record, _| record.notes[1].ran.reverse());
    is_seen("says that it is number 2", |record, _| record.notes[1].number = 2);
    is_seen("a lent value", |record, _| record.notes[1].faults.push("a lent value".to_string()));
    is_seen("5 attempts were recorded, but 4", |record, _| {
        let attempt = record.attempts[0].clone();
        record.attempts.push(attempt);
    });
}

#[test]
fn a_wrong_end_is_seen() {
    is_seen("in the end the cells hold", |_, last| _ = last.attempts.pop());
}

#[test]
fn what_fails_is_made_simple() {
    fn modifies(ops: &[Op]) -> bool {
        ops.iter().any(|op| matches!(op, Op::Modify(_)) || parts(op).any(modifies))
    }
    let fails = |program: &Program| {
        let mut steps = program.threads.iter().flatten();
        steps.any(|step| matches!(step, Step::Run(run) if modifies(&run.body))).then(|| "it modifies".to_string())
    };
    let long = Duration::from_secs(60);
    let failing = (0..30).map(from_seed).filter(|program| fails(program).is_some());
    let mut count = 0;
    for program in failing {
        count += 1;
        let (smallest, problem) = smallest(&program, long, fails).unwrap();
        let step = run(vec![Op::Modify(0)]);
        let Step::Run(found) = &smallest.threads[0][0] else { panic!("{smallest:?}") };
        assert!(matches!(found.body.as_slice(), [Op::Modify(_)]), "{smallest:?}");
        assert_eq!((smallest.size(), smallest.cells.as_slice()), (program_of(step).size(), [Kind::Bits].as_slice()));
        assert_eq!(problem, "it modifies");
    }
    assert!(count > 10);
    assert!(smallest(&from_seed(1), long, |_| None).is_none());
}

fn program_of(step: Step) -> Program {
    program(vec![vec![step]])
}

#[test]
fn smaller_programs_are_never_larger() {
    for seed in 0..50 {
        let program = from_seed(seed);
        let smaller = smaller_programs(&program);
        assert!(smaller.iter().all(|other| other.size() <= program.size() && *other != program), "seed {seed}");
    }
}

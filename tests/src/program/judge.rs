//! Judging what was recorded of a program.
//!
//! # Protocol
//! 1. **By themselves**: what each call returned fits how its attempts ended, attempts are numbered in order, nothing was
//!    wrong with lent values, hooks of attempts that did not commit ran in reverse.
//! 2. **As a history**: no anomaly, and the certificate of versions.
//! 3. **One after the other**: every attempt, also one that lost, is executed again by the [model](super::model) on the
//!    state at its version: a writer at its write version, anybody else behind the writer of its read version. It must do the
//!    same events, return the same values and run the same hooks; one that lost, as far as it got. A `load` has no
//!    version, and is left to the history.
//! 4. **In the end**, the cells hold what the model holds.

use std::fmt;

use optimist::Limit;
use serde::{Deserialize, Serialize};

use super::model::{End, Expected, State, execute};
use super::run::{Call, Called, Notes, Outcome, Record, World};
use crate::history::{self, Attempt, Event, INITIAL, Version, WriteId, check};

/// How often things happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Runs of programs.
    pub runs: usize,
    /// Attempts that committed, single operations among them.
    pub committed: usize,
    /// Attempts that lost.
    pub aborted: usize,
    /// Transactions that were cancelled.
    pub cancelled: usize,
    /// Attempts that waited.
    pub retried: usize,
    /// Transactions that panicked.
    pub panicked: usize,
    /// Transactions that reached a limit.
    pub stopped: usize,
    /// Commits that needed more attempts than anybody makes without the token.
    pub escalated: usize,
    /// Hooks that ran.
    pub hooks: usize,
}

impl Tally {
    /// Adds another one.
    pub fn add(&mut self, other: Self) {
        self.runs += other.runs;
        self.committed += other.committed;
        self.aborted += other.aborted;
        self.cancelled += other.cancelled;
        self.retried += other.retried;
        self.panicked += other.panicked;
        self.stopped += other.stopped;
        self.escalated += other.escalated;
        self.hooks += other.hooks;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { runs, committed, aborted, cancelled, retried, panicked, stopped, escalated, hooks } = self;
        write!(f, "{runs} runs: {committed} committed, {aborted} aborted, {cancelled} cancelled, {retried} retried, ")?;
        write!(f, "{panicked} panicked, {stopped} stopped, {escalated} escalated, {hooks} hooks")
    }
}

/// Judges what was recorded of a program. `last` is the record of who looked at all cells in the end; `is_alone` says that all
/// ran on one thread, so that nobody may lose.
///
/// # Errors
/// What is wrong, told to a human.
pub fn judge(world: &World, records: &[Record], last: &Record, is_alone: bool) -> Result<Tally, String> {
    let mut tally = Tally { runs: 1, ..Tally::default() };
    let mut steps = Vec::new();
    for record in records {
        let done = steps.len();
        let mut attempts = record.attempts.iter().zip(&record.notes);
        for called in &record.calls {
            let of_call: Vec<_> = attempts.by_ref().take(called.attempts).collect();
            check_call(called, &of_call, is_alone)?;
            count(&mut tally, called, &of_call);
            steps.extend(of_call.into_iter().map(|(attempt, notes)| Step { called, attempt, notes }));
        }
        let count = steps.len() - done;
        if record.attempts.len() != count || record.notes.len() != count {
            return Err(format!("{} attempts were recorded, but {count} were called for", record.attempts.len()));
        }
    }
    check_history(world, records, last)?;
    let state = replay(world, steps)?;
    let found: State = last.attempts.iter().flat_map(|attempt| &attempt.events).map(seen_by).collect();
    if found == state { Ok(tally) } else { Err(format!("in the end the cells hold {found:?} instead of {state:?}")) }
}

fn seen_by(event: &Event) -> WriteId {
    match *event {
        Event::Read(_, id) | Event::Write(_, id) => id,
        Event::Undo(_) => INITIAL,
    }
}

/// An attempt, with the call that made it.
struct Step<'a> {
    called: &'a Called,
    attempt: &'a Attempt,
    notes: &'a Notes,
}

fn check_call(called: &Called, attempts: &[(&Attempt, &Notes)], is_alone: bool) -> Result<(), String> {
    let wrong = |what: String| Err(format!("{what}: {called:?}, attempts {attempts:?}"));
    let Some((last, before)) = attempts.split_last() else { return wrong("a call made no attempt".to_string()) };
    for (number, (attempt, notes)) in attempts.iter().enumerate() {
        if let Some(fault) = notes.faults.first() {
            return wrong(fault.clone());
        }
        if notes.number != number as u64 + 1 {
            return wrong(format!("attempt {} says that it is number {}", number + 1, notes.number));
        }
        let reversed: Vec<WriteId> = notes.after_abort.iter().rev().copied().collect();
        if !attempt.is_committed() && notes.ran != reversed {
            return wrong(format!("an attempt without effect ran the hooks {:?} instead of {reversed:?}", notes.ran));
        }
    }
    let had_no_effect = |(attempt, _): &(&Attempt, &Notes)| {
        matches!(attempt.outcome, history::Outcome::Aborted | history::Outcome::Retried)
    };
    if !before.iter().all(had_no_effect) {
        return wrong("a transaction went on after an attempt that ended it".to_string());
    }
    let fits = match &called.result {
        Outcome::Returned(_) => last.0.is_committed(),
        Outcome::Cancelled(_) => last.0.outcome == history::Outcome::Cancelled,
        Outcome::Stopped(Limit::Abandoned) => return wrong("a wait was given up that somebody ends".to_string()),
        Outcome::Stopped(_) => had_no_effect(last),
        Outcome::Panicked => last.0.outcome == history::Outcome::Unfinished,
        Outcome::Failed(message) => return wrong(format!("the runtime panicked: {message}")),
    };
    if !fits {
        return wrong("the result does not fit the last attempt".to_string());
    }
    let lost = |(attempt, _): &(&Attempt, &Notes)| attempt.outcome == history::Outcome::Aborted;
    if is_alone && attempts.iter().any(lost) {
        return wrong("an attempt lost against nobody".to_string());
    }
    Ok(())
}

fn count(tally: &mut Tally, called: &Called, attempts: &[(&Attempt, &Notes)]) {
    for (attempt, notes) in attempts {
        match attempt.outcome {
            history::Outcome::Committed => tally.committed += 1,
            history::Outcome::Aborted => tally.aborted += 1,
            history::Outcome::Cancelled => tally.cancelled += 1,
            history::Outcome::Retried => tally.retried += 1,
            history::Outcome::Unfinished => tally.panicked += 1,
        }
        tally.hooks += notes.ran.len();
    }
    tally.stopped += usize::from(matches!(called.result, Outcome::Stopped(_)));
    tally.escalated += usize::from(matches!(called.result, Outcome::Returned(_)) && attempts.len() > 24);
}

fn check_history(world: &World, records: &[Record], last: &Record) -> Result<(), String> {
    let attempts = records.iter().chain([last]).map(|record| record.attempts.clone());
    let history =
        world.recorder().history(attempts).map_err(|bad| format!("what was recorded is no history: {bad}"))?;
    match check(&history) {
        Ok(_) => Ok(()),
        Err(finding) => Err(finding.report(&history)),
    }
}

/// Where an attempt stands: at the version that it wrote, or behind all that wrote at its read version or before.
fn position(attempt: &Attempt) -> Option<(Version, bool)> {
    let written = attempt.write_version.map(|version| (version, false));
    written.or_else(|| attempt.read_version.map(|version| (version, true)))
}

fn replay(world: &World, steps: Vec<Step<'_>>) -> Result<State, String> {
    let mut state: State = vec![INITIAL; world.program.cells.len()];
    let mut placed = Vec::new();
    for step in steps {
        match position(step.attempt) {
            Some(position) => placed.push((position, step)),
            None if matches!(step.called.call, Call::Load(_)) => {}
            None => return Err(format!("an attempt without a version: {:?} of {:?}", step.attempt, step.called)),
        }
    }
    placed.sort_by_key(|(position, _)| *position);
    for (_, step) in placed {
        replay_one(world, &step, &mut state).map_err(|problem| {
            let Step { called, attempt, notes } = step;
            format!("{problem}\nthe attempt: {attempt:?}\n{notes:?}\nthe call: {called:?}\nthe cells before: {state:?}")
        })?;
    }
    Ok(state)
}

fn replay_one(world: &World, step: &Step<'_>, state: &mut State) -> Result<(), String> {
    let Step { called, attempt, notes } = step;
    let (events, result) = (&attempt.events, &called.result);
    match &called.call {
        Call::Transaction(transaction) => {
            let expected = execute(&world.program, transaction, state, attempt.thread, notes);
            compare(&expected, step)?;
            if attempt.is_committed() {
                *state = expected.state;
            }
        }
        Call::Snapshot(cells) => {
            let expected: Vec<WriteId> = cells.iter().map(|&cell| state[cell]).collect();
            expect("a snapshot saw", result, &Outcome::Returned(expected))?;
        }
        Call::Store(_) | Call::Swap(_) => {
            for event in events {
                match *event {
                    Event::Read(cell, id) => expect("an operation saw", &id, &state[cell])?,
                    Event::Write(cell, id) => state[cell] = id,
                    Event::Undo(_) => return Err("an operation undid something".to_string()),
                }
            }
        }
        Call::Load(_) => {}
    }
    Ok(())
}

fn expect<T: PartialEq + fmt::Debug>(what: &str, found: &T, expected: &T) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what} {found:?} instead of {expected:?}")) }
}

/// Compares an attempt with what it must have done.
fn compare(expected: &Expected, step: &Step<'_>) -> Result<(), String> {
    let Step { called, attempt, notes } = step;
    let end = match attempt.outcome {
        history::Outcome::Aborted => {
            let as_far = &expected.events[..expected.events.len().min(attempt.events.len())];
            return expect("an attempt that lost did", &attempt.events.as_slice(), &as_far);
        }
        history::Outcome::Retried => End::Retried,
        history::Outcome::Unfinished => End::Panicked,
        history::Outcome::Committed | history::Outcome::Cancelled => match &called.result {
            Outcome::Returned(seen) => End::Returned(seen.clone()),
            Outcome::Cancelled(seen) => End::Cancelled(seen.clone()),
            other => return Err(format!("the result {other:?} is of no attempt that ended by itself")),
        },
    };
    expect("an attempt did", &attempt.events, &expected.events)?;
    expect("an attempt ended as", &end, &expected.end)?;
    if attempt.is_committed() {
        expect("that a commit has a version is", &attempt.write_version.is_some(), &expected.writes)?;
        expect("a commit ran the hooks", &notes.ran, &expected.hooks)?;
    }
    Ok(())
}

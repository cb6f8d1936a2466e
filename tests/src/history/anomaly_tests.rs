//! Goal: each anomaly is found, and called by its name.
//!
//! Method: histories by hand, of the fewest attempts that show it. `r0:7` reads write 7 in cell 0, `w0:7` is that
//! write, `u1` undoes the writes from step 1 on. All overlap, unless ticks are given.

use super::Outcome::{Aborted, Cancelled, Committed, Retried, Unfinished};
use super::{Anomaly, Attempt, BadHistory, Event, Finding, Guard, History, Outcome, Summary, Tick, check};

fn event(text: &str) -> Event {
    let (kind, rest) = text.split_at(1);
    let number = |text: &str| text.parse::<usize>().expect("a number");
    match (kind, rest.split_once(':')) {
        ("r", Some((cell, id))) => Event::Read(number(cell), number(id) as u64),
        ("w", Some((cell, id))) => Event::Write(number(cell), number(id) as u64),
        _ => Event::Undo(number(rest)),
    }
}

fn at(begin: Tick, end: Tick, outcome: Outcome, events: &str) -> Attempt {
    let end = (outcome != Unfinished).then_some(end);
    let (read_version, write_version) = (None, None);
    Attempt {
        thread: 0,
        begin,
        end,
        outcome,
        read_version,
        write_version,
        events: events.split_whitespace().map(event).collect(),
    }
}

fn overlapping(outcome: Outcome, events: &str) -> Attempt {
    at(0, 100, outcome, events)
}

fn committed(events: &str) -> Attempt {
    overlapping(Committed, events)
}

/// A history in which each attempt has a thread of its own.
fn history(mut attempts: Vec<Attempt>) -> History {
    attempts.iter_mut().enumerate().for_each(|(thread, attempt)| attempt.thread = thread);
    History::new(4, Vec::new(), attempts).expect("it is well-formed")
}

#[track_caller]
fn valid(attempts: Vec<Attempt>) -> Summary {
    let history = history(attempts);
    check(&history).unwrap_or_else(|finding| panic!("{}", finding.report(&history)))
}

#[track_caller]
fn finding(attempts: Vec<Attempt>) -> Finding {
    *check(&history(attempts)).expect_err("there is an anomaly")
}

#[track_caller]
fn is(anomaly: Anomaly, mut members: Vec<usize>, attempts: Vec<Attempt>) {
    let mut found = finding(attempts);
    found.members.sort_unstable();
    members.sort_unstable();
    assert_eq!((found.anomaly, found.members), (anomaly, members));
}

#[test]
fn nothing_is_valid() {
    let nothing = Summary { committed: 0, others: 0, reads: 0, versions: 0, unordered: 0 };
    assert_eq!(valid(Vec::new()), nothing);
}

#[test]
fn an_order_that_differs_from_the_list_is_valid() {
    let summary = valid(vec![
        committed("r0:2 w0:3"),
        committed("r0:1 w0:2 r1:0"),
        committed("w0:1"),
        overlapping(Aborted, "r0:1 r1:0 w1:9"),
        overlapping(Retried, "r0:3"),
        overlapping(Unfinished, "w2:5 r2:5 u0 r2:0"),
    ]);
    assert_eq!(summary, Summary { committed: 3, others: 3, reads: 7, versions: 3, unordered: 1 });
}

#[test]
fn blind_writes_that_overlap_may_take_any_order() {
    valid(vec![committed("w0:1"), committed("w0:2"), at(101, 102, Committed, "r0:1"), at(101, 102, Aborted, "r0:1")]);
    valid(vec![committed("w0:1"), committed("w0:2"), at(101, 102, Committed, "r0:2")]);
}

#[test]
fn a_value_of_an_attempt_that_did_not_commit_is_a_dirty_read() {
    for outcome in [Aborted, Cancelled, Retried, Unfinished] {
        is(Anomaly::DirtyRead, vec![0, 1], vec![overlapping(outcome, "w0:1"), committed("r0:1")]);
    }
}

#[test]
fn a_value_that_was_undone_or_replaced_before_the_commit_is_a_dirty_read() {
    is(Anomaly::DirtyRead, vec![0, 1], vec![committed("w0:1 u0"), committed("r0:1")]);
    is(Anomaly::DirtyRead, vec![0, 1], vec![committed("w0:1 w0:2"), committed("r0:1")]);
    is(Anomaly::DirtyRead, vec![0], vec![committed("w0:1 u0 r0:1")]);
}

#[test]
fn two_replacements_of_one_version_are_a_lost_update() {
    is(Anomaly::LostUpdate, vec![0, 1], vec![committed("r0:0 w0:1"), committed("r0:0 w0:2")]);
}

#[test]
fn an_update_lost_to_a_blind_write_shows_by_the_guard() {
    let attempts = vec![committed("r1:0 w1:1 w0:2"), committed("r1:0 w1:3 w0:4")];
    let guarded = History::new(2, vec![Guard { cell: 0, by: 1 }], attempts).unwrap();
    assert_eq!(check(&guarded).unwrap_err().anomaly, Anomaly::LostUpdate);
}

#[test]
fn half_of_a_transaction_is_a_read_skew() {
    is(Anomaly::ReadSkew, vec![0, 1], vec![committed("w0:1 w1:2"), committed("r0:1 r1:0")]);
    is(
        Anomaly::ReadSkew,
        vec![1, 2],
        vec![committed("w0:1 w1:2"), committed("r0:1 w0:3 r1:2 w1:4"), committed("r0:3 r1:2")],
    );
}

#[test]
fn two_that_miss_each_other_are_a_write_skew() {
    is(Anomaly::WriteSkew, vec![0, 1], vec![committed("r0:0 r1:0 w0:1"), committed("r0:0 r1:0 w1:2")]);
}

#[test]
fn three_that_miss_each_other_in_a_ring_are_a_write_skew() {
    is(Anomaly::WriteSkew, vec![0, 1, 2], vec![committed("r0:0 w1:1"), committed("r1:0 w2:2"), committed("r2:0 w0:3")]);
}

#[test]
fn two_readers_that_disagree_are_another_cycle() {
    is(
        Anomaly::OtherCycle,
        vec![0, 1, 2, 3],
        vec![committed("w0:1"), committed("w1:2"), committed("r0:1 r1:0"), committed("r0:0 r1:2")],
    );
}

#[test]
fn information_that_flows_in_a_circle_is_another_cycle() {
    is(Anomaly::OtherCycle, vec![0, 1], vec![committed("w0:1 r1:2"), committed("w1:2 r0:1")]);
}

#[test]
fn two_values_of_one_cell_are_a_non_repeatable_read() {
    is(Anomaly::NonRepeatableRead, vec![0, 1], vec![committed("w0:1"), committed("r0:0 r0:1")]);
}

#[test]
fn a_doomed_reader_of_a_mixed_state_is_a_zombie() {
    for outcome in [Aborted, Cancelled, Retried, Unfinished] {
        is(Anomaly::Zombie, vec![0, 1], vec![committed("w0:1 w1:2"), overlapping(outcome, "r0:1 r1:0")]);
    }
    is(Anomaly::Zombie, vec![0, 1], vec![committed("w0:1"), overlapping(Aborted, "r0:0 r0:1")]);
}

#[test]
fn doomed_readers_that_are_fine_alone_but_disagree_are_zombies() {
    is(
        Anomaly::Zombie,
        vec![0, 1, 2, 3],
        vec![
            committed("w0:1"),
            committed("w1:2"),
            overlapping(Aborted, "r0:1 r1:0"),
            overlapping(Aborted, "r0:0 r1:2"),
        ],
    );
}

#[test]
fn a_stale_read_is_a_real_time_violation() {
    is(Anomaly::RealTimeViolation, vec![0, 1], vec![at(0, 1, Committed, "w0:1"), at(2, 3, Committed, "r0:0")]);
    is(
        Anomaly::RealTimeViolation,
        vec![1, 2],
        vec![at(0, 1, Committed, "w0:1"), at(2, 3, Committed, "w0:2"), at(4, 5, Aborted, "r0:1")],
    );
    valid(vec![at(0, 2, Committed, "w0:1"), at(2, 3, Committed, "r0:0")]);
}

#[test]
fn readers_that_disagree_on_blind_writes_violate_real_time() {
    let found = finding(vec![
        at(0, 2, Committed, "w0:1"),
        at(0, 2, Committed, "w0:2"),
        at(3, 4, Committed, "r0:1"),
        at(3, 4, Committed, "r0:2"),
    ]);
    // Each writer came before the other, as the reader of the other tells.
    assert_eq!((found.anomaly, found.members.len()), (Anomaly::RealTimeViolation, 2));
}

#[test]
fn a_thread_that_goes_back_in_time_violates_real_time() {
    let mut attempts = vec![committed("w0:1"), committed("r0:1"), committed("r0:0")];
    (attempts[1].thread, attempts[2].thread) = (7, 7);
    let found = check(&History::new(1, Vec::new(), attempts).unwrap()).unwrap_err();
    assert_eq!((found.anomaly, found.members.len()), (Anomaly::RealTimeViolation, 2 + 1));
}

#[test]
fn a_read_of_what_has_not_begun_is_a_future_read() {
    is(Anomaly::FutureRead, vec![0, 1], vec![at(0, 1, Committed, "r0:1"), at(2, 3, Committed, "w0:1")]);
    is(Anomaly::FutureRead, vec![0], vec![committed("r0:1 w0:1")]);
}

#[test]
fn a_value_that_nobody_wrote_there_is_unknown() {
    is(Anomaly::UnknownValue, vec![0], vec![committed("r0:1")]);
    is(Anomaly::UnknownValue, vec![0], vec![committed("r1:1"), committed("w0:1")]);
}

#[test]
fn an_attempt_must_see_its_own_write() {
    is(Anomaly::OwnWriteMissed, vec![0], vec![committed("w0:1 r0:0")]);
    is(Anomaly::OwnWriteMissed, vec![0], vec![committed("w0:1 w0:2 u1 r0:2")]);
    valid(vec![committed("w0:1 w0:2 r0:2 u1 r0:1")]);
}

#[test]
fn the_smallest_cycle_is_reported() {
    is(
        Anomaly::WriteSkew,
        vec![3, 4],
        vec![
            committed("r0:0 w1:1"),
            committed("r1:0 w2:2"),
            committed("r2:0 w0:3"),
            committed("r0:3 r3:0 w0:4"),
            committed("r0:3 r3:0 w3:5"),
        ],
    );
}

#[test]
fn the_report_tells_who_did_what_and_why_there_is_no_order() {
    let history = history(vec![committed("r0:0 r1:0 w0:1"), at(3, 9, Committed, "r0:0 r1:0 w1:2")]);
    let report = check(&history).unwrap_err().report(&history);
    assert_eq!(
        report,
        "write skew: transactions each missed what another wrote\n\
         A (line 2, thread 0, ticks 0 to 100) committed: read the initial value in cell 0, \
         read the initial value in cell 1, wrote #1 to cell 0\n\
         B (line 3, thread 1, ticks 3 to 9) committed: read the initial value in cell 0, \
         read the initial value in cell 1, wrote #2 to cell 1\n\
         A comes before B: A did not see what B wrote to cell 1\n\
         B comes before A: B did not see what A wrote to cell 0\n"
    );
}

#[test]
fn a_cell_is_not_written_without_its_guard() {
    let bad = History::new(2, vec![Guard { cell: 0, by: 1 }], vec![committed("w0:1")]);
    let problem = "it writes cell 0 without its guard, cell 1".to_string();
    assert_eq!(bad, Err(BadHistory { attempt: Some(0), problem }));
}

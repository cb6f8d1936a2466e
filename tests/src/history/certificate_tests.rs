//! Goal: versions that do not explain what was seen are found, and versions that do are accepted.
//!
//! Method: histories by hand, in which the graph alone finds nothing wrong.

use super::{Anomaly, Attempt, Event, History, Outcome, Tick, Version, WriteId, check};

/// An attempt that reads and writes these ids in cells.
fn attempt(reads: &[(usize, WriteId)], read_version: Version, writes: &[(usize, WriteId)]) -> Attempt {
    let reads = reads.iter().map(|&(cell, id)| Event::Read(cell, id));
    let writes = writes.iter().map(|&(cell, id)| Event::Write(cell, id));
    Attempt {
        thread: 0,
        begin: 0,
        end: Some(100),
        outcome: Outcome::Aborted,
        read_version: Some(read_version),
        write_version: None,
        events: reads.chain(writes).collect(),
    }
}

fn committed(mut attempt: Attempt, write_version: Version) -> Attempt {
    attempt.outcome = Outcome::Committed;
    attempt.write_version = Some(write_version);
    attempt
}

fn at(begin: Tick, end: Tick, mut attempt: Attempt) -> Attempt {
    (attempt.begin, attempt.end) = (begin, Some(end));
    attempt
}

fn history(mut attempts: Vec<Attempt>) -> History {
    attempts.iter_mut().enumerate().for_each(|(thread, attempt)| attempt.thread = thread);
    History::new(2, Vec::new(), attempts).expect("it is well-formed")
}

#[track_caller]
fn valid(attempts: Vec<Attempt>) {
    let history = history(attempts);
    check(&history).unwrap_or_else(|finding| panic!("{}", finding.report(&history)));
}

#[track_caller]
fn is(anomaly: Anomaly, members: &[usize], attempts: Vec<Attempt>) {
    let mut blind = attempts.clone();
    blind.iter_mut().for_each(|attempt| (attempt.read_version, attempt.write_version) = (None, None));
    valid(blind);
    let found = check(&history(attempts)).expect_err("the versions are wrong");
    assert_eq!((found.anomaly, found.members.as_slice()), (anomaly, members), "{:?}", found.message);
}

/// Writes 1 to cell 0 at version 4, and 2 at version 6.
fn two_writers() -> Vec<Attempt> {
    vec![committed(attempt(&[], 3, &[(0, 1)]), 4), committed(attempt(&[], 3, &[(0, 2)]), 6)]
}

fn with(mut attempts: Vec<Attempt>, attempt: Attempt) -> Vec<Attempt> {
    attempts.push(attempt);
    attempts
}

#[test]
fn the_newest_version_at_or_below_is_seen() {
    for (read_version, seen) in [(3, 0), (4, 1), (5, 1), (6, 2), (9, 2)] {
        valid(with(two_writers(), attempt(&[(0, seen)], read_version, &[])));
    }
    for (read_version, seen, writer) in [(4, 0, Some(0)), (3, 1, None), (6, 1, Some(1)), (5, 2, Some(0))] {
        let members: Vec<usize> = [2].into_iter().chain(writer).collect();
        is(Anomaly::NotNewest, &members, with(two_writers(), attempt(&[(0, seen)], read_version, &[])));
    }
}

#[test]
fn what_a_commit_read_lasts_until_it_writes() {
    let writer = |at| committed(attempt(&[(0, 1)], 4, &[(1, 7)]), at);
    valid(with(two_writers(), writer(5)));
    is(Anomaly::NotNewest, &[2, 1], with(two_writers(), writer(7)));
}

#[test]
fn a_version_belongs_to_one_commit() {
    is(Anomaly::VersionTwice, &[0, 2], with(two_writers(), committed(attempt(&[], 3, &[(1, 7)]), 4)));
}

#[test]
fn a_commit_is_newer_than_what_it_read() {
    is(Anomaly::VersionOrder, &[0], vec![committed(attempt(&[], 4, &[(0, 1)]), 4)]);
}

#[test]
fn versions_respect_real_time() {
    let first = || at(0, 1, committed(attempt(&[], 3, &[(0, 1)]), 4));
    let then = |read_version, write_version| at(2, 3, committed(attempt(&[], read_version, &[(1, 2)]), write_version));
    valid(vec![first(), then(4, 5)]);
    is(Anomaly::VersionOrder, &[0, 1], vec![first(), then(1, 2)]);
    // Also by way of one that has no version.
    let mut between = at(2, 3, attempt(&[], 0, &[]));
    between.read_version = None;
    let last = |read_version| at(4, 5, attempt(&[(1, 0)], read_version, &[]));
    valid(vec![first(), between.clone(), last(4)]);
    is(Anomaly::VersionOrder, &[0, 2], vec![first(), between, last(3)]);
}

#[test]
fn a_cell_with_a_writer_of_unknown_version_is_left_out() {
    let mut attempts = with(two_writers(), attempt(&[(0, 2)], 4, &[]));
    attempts[0].write_version = None;
    attempts[1].write_version = None;
    valid(attempts);
}

#[test]
fn the_report_tells_the_versions() {
    let history = history(with(two_writers(), attempt(&[(0, 1)], 6, &[])));
    let report = check(&history).unwrap_err().report(&history);
    assert_eq!(
        report,
        "not the newest: an attempt saw a version that was not the newest where it read or committed\n\
         A (line 4, thread 2, ticks 0 to 100, read at version 6) aborted: read #1 in cell 0\n\
         B (line 3, thread 1, ticks 0 to 100, read at version 3, wrote at version 6) committed: wrote #2 to cell 0\n\
         A read cell 0 at version 6, and saw #1, but the newest was #2 of B\n"
    );
}

#[test]
fn the_last_version_there_is_can_be_read_at() {
    valid(with(two_writers(), attempt(&[(0, 2)], Version::MAX, &[])));
    is(Anomaly::NotNewest, &[2, 1], with(two_writers(), attempt(&[(0, 1)], Version::MAX, &[])));
}

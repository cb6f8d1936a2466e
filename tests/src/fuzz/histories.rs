//! The parser and the checker of histories, on any bytes and on histories that were edited.
//!
//! # Invariants
//! * **X1** No input makes them panic, or hang.
//! * **X2** An error names a line of the input; after one edit that cannot be right, that line, also
//!   when an empty one is before it.
//! * **X3** What was read, written and read again is the same history, and has the same verdict.
//! * **X4** A history that one thread after the other could have made is valid.

use std::time::{Duration, Instant};

use crate::history::json::{self, BadFile};
use crate::history::{Attempt, Event, Guard, History, INITIAL, Outcome, Tick, Version, WriteId, check};

/// Far more than any input of a few thousand bytes takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads and checks any bytes.
///
/// # Panics
/// When an invariant does not hold.
pub fn read(input: &[u8]) {
    let start = Instant::now();
    match json::read(input) {
        Ok(history) => examine(&history),
        Err(bad) => check_error(&bad, input),
    }
    assert!(start.elapsed() < PATIENCE, "X1: it took {:?}", start.elapsed());
}

fn check_error(bad: &BadFile, input: &[u8]) {
    let lines = input.split(|byte| *byte == b'\n').count();
    assert!((1..=lines).contains(&bad.line), "X2: line {} of {lines}", bad.line);
    assert_eq!(bad.to_string(), format!("line {}: {}", bad.line, bad.problem), "X2");
    assert!(!bad.problem.is_empty(), "X2: a problem is told");
}

/// Checks a history, and again after it was written and read.
fn examine(history: &History) {
    let text = written(history);
    let again = json::read(text.as_bytes()).expect("X3: what was written can be read");
    assert_eq!(*history, again, "X3");
    let verdict = check(history);
    assert_eq!(verdict, check(&again), "X3");
    if let Err(finding) = verdict {
        assert!(!finding.members.is_empty(), "an anomaly has attempts");
        assert!(finding.members.iter().all(|member| *member < history.attempts().len()));
        assert!(finding.report(history).starts_with(&finding.anomaly.to_string()));
    }
}

fn written(history: &History) -> String {
    let mut text = Vec::new();
    json::write(history, &mut text).expect("memory takes everything");
    String::from_utf8(text).expect("JSON is text")
}

/// Makes a valid history and edits out of the bytes: first how many edits there are, then each, then the history.
///
/// # Panics
/// When an invariant does not hold.
pub fn edit(input: &[u8]) {
    let mut source = Source(input);
    let edits: Vec<Edit> = (0..source.below(4)).map(|_| Edit::from(&mut source)).collect();
    let history = make(&mut source);
    let mut lines: Vec<String> = written(&history).lines().map(str::to_string).collect();
    let expected: Vec<Expected> = edits.iter().map(|edit| edit.apply(&mut lines)).collect();
    let text = lines.join("\n");
    read(text.as_bytes());
    let outcome = json::read(text.as_bytes());
    match expected[..] {
        [] => {
            let history = outcome.expect("X4: it is well-formed");
            assert!(check(&history).is_ok(), "X4: {}", check(&history).unwrap_err().report(&history));
        }
        [Expected::BadLine(line)] => blame(outcome, line),
        [Expected::BadLine(line), Expected::EmptyLine(index)] => blame(outcome, line + usize::from(index < line)),
        _ => {}
    }
}

/// Checks that there is an error in this line.
fn blame(outcome: Result<History, BadFile>, line: usize) {
    let bad = outcome.expect_err("X2: the edit cannot be right");
    assert_eq!(bad.line, line, "X2: {bad}");
}

/// Bytes as a source of choices; zeros at its end.
struct Source<'a>(&'a [u8]);

impl Source<'_> {
    fn byte(&mut self) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.byte() % bound
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Cells 0 and 1 are free, cell 3 guards cell 2.
const CELLS: usize = 4;
const GUARDED: usize = 2;
const GUARD: usize = 3;
const THREADS: usize = 3;
const STRETCH: usize = 8;

/// Runs attempts one after the other on plain cells, as the bytes say; their ticks are stretched around that.
fn make(source: &mut Source<'_>) -> History {
    let mut maker = Maker { memory: [INITIAL; CELLS], next_id: 1 };
    let (mut attempts, mut busy_until, mut point, mut version) = (Vec::new(), [0_u64; THREADS], 0_u64, 1);
    while !source.is_empty() {
        point += 2;
        let thread = source.below(THREADS);
        // The thread has ended what it did before.
        point = point.max(busy_until[thread]);
        let begin = point.saturating_sub(source.below(STRETCH) as Tick).max(busy_until[thread]);
        let end = point + source.below(STRETCH) as Tick;
        busy_until[thread] = end;
        let outcome = match source.below(9) {
            0 => Outcome::Aborted,
            1 => Outcome::Cancelled,
            2 => Outcome::Retried,
            3 => Outcome::Unfinished,
            _ => Outcome::Committed,
        };
        let before = maker.memory;
        let events = maker.events(source, outcome == Outcome::Committed);
        let end = (outcome != Outcome::Unfinished).then_some(end);
        // The versions of one thread are not known.
        let is_known = thread + 1 < THREADS;
        let writes = maker.memory != before;
        let read_version = is_known.then_some(version);
        version += Version::from(writes);
        let write_version = (is_known && writes).then_some(version);
        attempts.push(Attempt { thread, begin, end, outcome, read_version, write_version, events });
    }
    History::new(CELLS, vec![Guard { cell: GUARDED, by: GUARD }], attempts).expect("X4: it is well-formed")
}

struct Maker {
    memory: [WriteId; CELLS],
    next_id: WriteId,
}

impl Maker {
    fn events(&mut self, source: &mut Source<'_>, commits: bool) -> Vec<Event> {
        let before = self.memory;
        let mut events = Vec::new();
        for _ in 0..source.below(4) {
            if source.below(6) == 0 {
                let (mark, own) = (events.len(), self.memory);
                self.access(source, &mut events);
                events.push(Event::Undo(mark));
                self.memory = own;
            }
            self.access(source, &mut events);
        }
        if !commits {
            self.memory = before;
        }
        events
    }

    fn access(&mut self, source: &mut Source<'_>, events: &mut Vec<Event>) {
        let (cell, kind) = (source.below(GUARDED + 1), source.below(3));
        if kind != 1 {
            events.push(Event::Read(cell, self.memory[cell]));
        }
        if kind > 0 {
            if cell == GUARDED {
                events.push(Event::Read(GUARD, self.memory[GUARD]));
                self.write(GUARD, events);
            }
            self.write(cell, events);
        }
    }

    fn write(&mut self, cell: usize, events: &mut Vec<Event>) {
        events.push(Event::Write(cell, self.next_id));
        self.memory[cell] = self.next_id;
        self.next_id += 1;
    }
}

/// A change of the text.
#[derive(Clone, Copy, Debug)]
struct Edit {
    kind: usize,
    line: usize,
    with: usize,
}

/// What must come of an edit.
#[derive(Clone, Copy, Debug)]
enum Expected {
    /// An error in this line.
    BadLine(usize),
    /// An empty line at this index, which only moves what follows.
    EmptyLine(usize),
    /// Something may be wrong.
    Anything,
}

/// What numbers are replaced by.
const NUMBERS: [&str; 12] = [
    "0",
    "1",
    "2",
    "3",
    "4",
    "7",
    "-1",
    "1.5",
    "1e999",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
];
/// What is no line of a history.
const NONSENSE: [&str; 6] = ["x", "{}", "[]", "\u{feff}", "{\"cells\":2,\"guards\":[]}", "null"];

impl Edit {
    fn from(source: &mut Source<'_>) -> Self {
        Self { kind: source.below(7), line: source.byte(), with: source.byte() }
    }

    fn apply(self, lines: &mut Vec<String>) -> Expected {
        if lines.is_empty() {
            return Expected::Anything;
        }
        let index = self.line % lines.len();
        match self.kind {
            0 => {
                lines.insert(index, NONSENSE[self.with % NONSENSE.len()].to_string());
                // The line with a header is one, where the header is expected; then the header is no attempt.
                let is_header = index == 0 && self.with % NONSENSE.len() == 4;
                return Expected::BadLine(if is_header { 2 } else { index + 1 });
            }
            1 => {
                lines.insert(index + 1, lines[index].clone());
                if index == 0 || lines[index].contains("write") {
                    return Expected::BadLine(index + 2);
                }
            }
            2 => {
                let half = lines[index].floor_char_boundary(lines[index].len() / 2);
                lines[index].truncate(half);
                return Expected::BadLine(index + 1);
            }
            3 => _ = lines.remove(index),
            4 => {
                let other = self.with % lines.len();
                lines.swap(index, other);
            }
            5 => {
                lines.insert(index, " ".repeat(self.with % 3));
                return Expected::EmptyLine(index);
            }
            _ => replace_number(&mut lines[index], self.with),
        }
        Expected::Anything
    }
}

/// Replaces one number of the line by another.
fn replace_number(line: &mut String, with: usize) {
    let is_digit = |at: usize| line.as_bytes().get(at).is_some_and(u8::is_ascii_digit);
    let starts: Vec<usize> = (0..line.len()).filter(|at| is_digit(*at) && (*at == 0 || !is_digit(at - 1))).collect();
    if starts.is_empty() {
        return;
    }
    let start = starts[with / NUMBERS.len() % starts.len()];
    let end = (start..line.len()).find(|at| !is_digit(*at)).unwrap_or(line.len());
    line.replace_range(start..end, NUMBERS[with % NUMBERS.len()]);
}

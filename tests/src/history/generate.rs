//! Random histories that are valid, and faults to put into them.
//!
//! Method: attempts are run one after the other on plain cells. The n-th takes effect at tick 2n, and its ticks are stretched
//! at random around that, as long as its thread is free. So the order of the list is a serial order that respects real time.
//! A [`Fault`] is put in only where the checker can and must see it.

use std::collections::HashMap;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::index::Index;
use super::{Attempt, CellId, Event, Guard, History, INITIAL, Outcome, Tick, Version, WriteId};

/// Cells 0 and 1 are free, cell 3 guards cell 2.
const CELLS: usize = 4;
const GUARDED: CellId = 2;
const GUARD: CellId = 3;
const THREADS: usize = 4;
const STRETCH: Tick = 12;

/// A valid history of 40 attempts.
pub(super) fn valid(seed: u64) -> History {
    valid_of(seed, 40)
}

/// The same without versions, so that nothing shows by them.
pub(super) fn without_versions(history: &History) -> History {
    let mut attempts = history.attempts().to_vec();
    attempts.iter_mut().for_each(|attempt| (attempt.read_version, attempt.write_version) = (None, None));
    rebuilt(attempts)
}

/// A valid history of so many attempts.
pub(super) fn valid_of(seed: u64, attempts: usize) -> History {
    let mut random = SmallRng::seed_from_u64(seed);
    let mut memory = HashMap::new();
    let (mut next_id, mut list, mut busy_until) = (1, Vec::new(), [0 as Tick; THREADS]);
    let mut point: Tick = 0;
    let mut clock = 1;
    while list.len() < attempts {
        point += 2;
        let thread = random.random_range(0..THREADS);
        if busy_until[thread] > point {
            continue;
        }
        let begin = random.random_range(busy_until[thread].max(point.saturating_sub(STRETCH))..=point);
        let end = random.random_range(point..=point + STRETCH);
        busy_until[thread] = end;
        let outcome = match random.random_range(0..20) {
            0 | 1 => Outcome::Aborted,
            2 => Outcome::Cancelled,
            3 => Outcome::Retried,
            4 => Outcome::Unfinished,
            _ => Outcome::Committed,
        };
        let mut run = Run { random: &mut random, memory: &memory, own: HashMap::new(), events: Vec::new(), next_id };
        run.act();
        next_id = run.next_id;
        let (own, events) = (run.own, run.events);
        let read_version = Some(clock);
        let writes = outcome == Outcome::Committed && !own.is_empty();
        if writes {
            memory.extend(own);
            clock += random.random_range(1..3);
        }
        let end = (outcome != Outcome::Unfinished).then_some(end);
        let write_version = writes.then_some(clock);
        list.push(Attempt { thread, begin, end, outcome, read_version, write_version, events });
    }
    rebuilt(list)
}

fn rebuilt(attempts: Vec<Attempt>) -> History {
    let guards = vec![Guard { cell: GUARDED, by: GUARD }];
    History::new(CELLS, guards, attempts).expect("it is well-formed")
}

/// An attempt that is being made up.
struct Run<'a> {
    random: &'a mut SmallRng,
    memory: &'a HashMap<CellId, WriteId>,
    own: HashMap<CellId, WriteId>,
    events: Vec<Event>,
    next_id: WriteId,
}

impl Run<'_> {
    fn act(&mut self) {
        for _ in 0..self.random.random_range(1..5) {
            if self.random.random_range(0..8) == 0 {
                let (mark, before) = (self.events.len(), self.own.clone());
                self.step();
                self.step();
                self.events.push(Event::Undo(mark));
                self.own = before;
            }
            self.step();
        }
    }

    fn step(&mut self) {
        let cell = self.random.random_range(0..=GUARDED);
        match self.random.random_range(0..4) {
            0 | 1 => self.read(cell),
            2 => self.write(cell),
            _ => {
                self.read(cell);
                self.write(cell);
            }
        }
    }

    fn read(&mut self, cell: CellId) {
        let seen = self.own.get(&cell).or(self.memory.get(&cell)).copied().unwrap_or(INITIAL);
        self.events.push(Event::Read(cell, seen));
    }

    fn write(&mut self, cell: CellId) {
        if cell == GUARDED {
            self.read(GUARD);
            self.write(GUARD);
        }
        self.own.insert(cell, self.next_id);
        self.events.push(Event::Write(cell, self.next_id));
        self.next_id += 1;
    }
}

/// What can be broken in a valid history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A read sees an id that nobody wrote.
    UnknownId,
    /// A write that somebody saw is taken away.
    DroppedWrite,
    /// A transaction of which somebody saw a write has aborted.
    FlippedOutcome,
    /// A reader ends before its writer begins.
    ReaderTooEarly,
    /// Who replaced a version ended before somebody began who saw it.
    WriterTooEarly,
    /// A read sees the version before the one that it must see.
    StaleRead,
    /// A read-modify-write misses the one before.
    LostUpdate,
    /// A reader of two writes of a transaction misses one of them.
    HalfRead,
    /// An attempt does not see its own write.
    OwnWriteMissed,
    /// A cell changes under an attempt.
    ChangedRead,
    /// Two commits have one version; from here on, only versions are wrong.
    VersionTwice,
    /// Two commits on one cell have each other's version.
    VersionsSwapped,
    /// A read version is older than what was seen.
    ReadVersionTooOld,
    /// A read version is as new as what replaced what was seen.
    ReadVersionTooNew,
    /// A commit has a newer version than what replaced something that it read.
    WriteVersionTooNew,
}

impl Fault {
    /// What shows without versions.
    pub(super) const OF_EVENTS: [Self; 10] = [
        Self::UnknownId,
        Self::DroppedWrite,
        Self::FlippedOutcome,
        Self::ReaderTooEarly,
        Self::WriterTooEarly,
        Self::StaleRead,
        Self::LostUpdate,
        Self::HalfRead,
        Self::OwnWriteMissed,
        Self::ChangedRead,
    ];

    /// What shows by versions alone.
    pub(super) const OF_VERSIONS: [Self; 5] = [
        Self::VersionTwice,
        Self::VersionsSwapped,
        Self::ReadVersionTooOld,
        Self::ReadVersionTooNew,
        Self::WriteVersionTooNew,
    ];

    /// Puts the fault into a valid history, at a random place where it must be seen; nothing if there is none.
    pub(super) fn inject(self, history: &History, random: &mut SmallRng) -> Option<History> {
        let places = Places::of(history);
        let mut attempts = history.attempts().to_vec();
        let first = random.random_range(0..places.seen.len().max(1));
        let mut from_there = places.seen.iter().cycle().skip(first).take(places.seen.len());
        from_there.find(|seen| self.break_at(&places, **seen, &mut attempts))?;
        Some(rebuilt(attempts))
    }

    /// Puts the fault in here, if it must be seen here; changes nothing otherwise.
    fn break_at(self, places: &Places<'_>, seen: Seen, attempts: &mut [Attempt]) -> bool {
        let Seen { reader, cell, version } = seen;
        let index = &places.index;
        let writer = index.writer(version);
        match (self, writer) {
            (Self::UnknownId, _) => resee(&mut attempts[reader], cell, version, WriteId::MAX),
            (Self::DroppedWrite, Some(writer)) if cell != GUARD => {
                let events = &mut attempts[writer].events;
                let position = events.iter().position(|event| *event == Event::Write(cell, version));
                let position = position.expect("it was written");
                events[position] = Event::Undo(position);
            }
            (Self::FlippedOutcome, Some(writer)) => {
                (attempts[writer].outcome, attempts[writer].write_version) = (Outcome::Aborted, None);
            }
            (Self::ReaderTooEarly, Some(writer)) if attempts[writer].begin > 0 && attempts[reader].end.is_some() => {
                let tick = attempts[writer].begin - 1;
                (attempts[reader].begin, attempts[reader].end) = (tick, Some(tick));
            }
            (Self::WriterTooEarly, _) => {
                let Some(next) = places.next(cell, version).filter(|&next| next != reader) else { return false };
                if attempts[reader].begin == 0 || places.replaced(next, cell) != Some(version) {
                    return false;
                }
                (attempts[next].begin, attempts[next].end) = (0, Some(0));
            }
            (Self::StaleRead, Some(writer)) => {
                let Some(before) = places.seen_before(cell, version) else { return false };
                let is_told = places.replaced(writer, cell) == Some(before)
                    || before == INITIAL
                    || index.writer(before).is_some_and(|old| attempts[old].last_tick() < attempts[writer].begin);
                if !is_told || attempts[writer].last_tick() >= attempts[reader].begin {
                    return false;
                }
                resee(&mut attempts[reader], cell, version, before);
            }
            (Self::LostUpdate, Some(writer)) => {
                let (Some(before), Some(_)) = (index.seen_in(writer, cell), index.left_in(reader, cell)) else {
                    return false;
                };
                if !attempts[reader].is_committed() {
                    return false;
                }
                resee(&mut attempts[reader], cell, version, before);
            }
            (Self::HalfRead, Some(writer)) => {
                let other = (0..CELLS).find(|&other| {
                    let left = index.left_in(writer, other);
                    other != cell && left.is_some() && left == index.seen_in(reader, other)
                });
                let Some(before) = places.replaced(writer, cell).filter(|_| other.is_some()) else { return false };
                resee(&mut attempts[reader], cell, version, before);
            }
            (Self::OwnWriteMissed, _) if index.left_in(reader, cell).is_some() => {
                attempts[reader].events.push(Event::Read(cell, version));
            }
            (Self::ChangedRead, Some(_)) if index.left_in(reader, cell).is_none() => {
                let Some(before) = places.seen_before(cell, version) else { return false };
                attempts[reader].events.push(Event::Read(cell, before));
            }
            _ => return self.break_versions_at(places, seen, attempts),
        }
        true
    }

    fn break_versions_at(self, places: &Places<'_>, seen: Seen, attempts: &mut [Attempt]) -> bool {
        let Seen { reader, cell, version } = seen;
        let (writer, next) = (places.index.writer(version), places.next(cell, version));
        let written = |attempt: Option<usize>| attempt.and_then(|attempt| attempts[attempt].write_version);
        match (self, written(writer), written(next)) {
            (Self::VersionTwice, Some(old), Some(_)) => attempts[next.expect("it wrote")].write_version = Some(old),
            (Self::VersionsSwapped, Some(old), Some(new)) if next == Some(reader) => {
                attempts[writer.expect("it wrote")].write_version = Some(new);
                attempts[reader].write_version = Some(old);
            }
            (Self::ReadVersionTooOld, Some(old), _) => attempts[reader].read_version = Some(old - 1),
            (Self::ReadVersionTooNew, _, Some(new)) if attempts[reader].write_version.is_none() => {
                attempts[reader].read_version = Some(new);
            }
            (Self::WriteVersionTooNew, _, Some(new)) if written(Some(reader)).is_some_and(|own| own < new) => {
                // Beyond all that there are.
                attempts[reader].write_version = Some(Version::MAX);
            }
            _ => return false,
        }
        true
    }
}

/// Makes an attempt see another version.
fn resee(attempt: &mut Attempt, cell: CellId, version: WriteId, instead: WriteId) {
    for event in &mut attempt.events {
        if *event == Event::Read(cell, version) {
            *event = Event::Read(cell, instead);
        }
    }
}

/// That an attempt saw this version, which it did not write itself.
#[derive(Clone, Copy)]
struct Seen {
    reader: usize,
    cell: CellId,
    version: WriteId,
}

/// What the generator knows of a history, since the list is in serial order.
struct Places<'a> {
    index: Index<'a>,
    seen: Vec<Seen>,
    /// The versions of each cell, in order.
    versions: Vec<Vec<WriteId>>,
}

impl<'a> Places<'a> {
    fn of(history: &'a History) -> Self {
        let index = Index::new(history).expect("it is valid");
        let mut versions = vec![vec![INITIAL]; CELLS];
        let mut seen = Vec::new();
        for (number, attempt) in history.attempts().iter().enumerate() {
            if attempt.is_committed() {
                index.writes[number].iter().for_each(|&(cell, id)| versions[cell].push(id));
            }
            let reads = index.reads[number].iter();
            seen.extend(reads.map(|&(cell, version)| Seen { reader: number, cell, version }));
        }
        Self { index, seen, versions }
    }

    fn place(&self, cell: CellId, version: WriteId) -> usize {
        self.versions[cell].iter().position(|id| *id == version).expect("only versions are seen")
    }

    fn seen_before(&self, cell: CellId, version: WriteId) -> Option<WriteId> {
        self.place(cell, version).checked_sub(1).map(|place| self.versions[cell][place])
    }

    /// Who replaced a version.
    fn next(&self, cell: CellId, version: WriteId) -> Option<usize> {
        self.versions[cell].get(self.place(cell, version) + 1).and_then(|id| self.index.writer(*id))
    }

    /// What a writer replaced, if the checker knows it too.
    fn replaced(&self, writer: usize, cell: CellId) -> Option<WriteId> {
        let id = self.index.left_in(writer, cell)?;
        let before = self.seen_before(cell, id)?;
        let is_known = self.index.seen_in(writer, cell).is_some() || cell == GUARDED || before == INITIAL;
        is_known.then_some(before)
    }
}

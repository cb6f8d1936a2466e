//! Anomalies told to a human.

use std::fmt::Write as _;

use super::check::{Finding, Link, LinkKind};
use super::{Event, History, INITIAL, Outcome, WriteId};

/// Attempts of a cycle that are shown; the smallest cycle rarely has more than three.
const SHOWN_MAX: usize = 20;
/// Events of an attempt that are shown.
const EVENTS_MAX: usize = 40;

impl Finding {
    /// Tells what happened, to which transactions, and why there is no order of them. Lines are those that
    /// [`write`](super::json::write) gives the attempts.
    #[must_use]
    pub fn report(&self, history: &History) -> String {
        let mut text = format!("{}: {}\n", self.anomaly, self.anomaly.meaning());
        let shown = self.members.iter().take(SHOWN_MAX);
        shown.for_each(|&member| text.push_str(&self.attempt(history, member)));
        if let Some(message) = &self.message {
            text.push_str(message);
            text.push('\n');
        }
        for link in self.links.iter().take(SHOWN_MAX) {
            let (from, to) = (self.name(link.from), self.name(link.to));
            _ = writeln!(text, "{from} comes before {to}: {}", self.reason(history, link));
        }
        if self.members.len() > SHOWN_MAX {
            _ = writeln!(text, "… and {} more", self.members.len() - SHOWN_MAX);
        }
        text
    }

    /// A letter, or a number from the 27th on.
    fn name(&self, member: usize) -> String {
        let place = self.members.iter().position(|&other| other == member).unwrap_or_default();
        match u8::try_from(place) {
            Ok(place) if place < 26 => char::from(b'A' + place).to_string(),
            _ => format!("T{place}"),
        }
    }

    fn attempt(&self, history: &History, member: usize) -> String {
        let attempt = &history.attempts()[member];
        let outcome = match attempt.outcome {
            Outcome::Committed => "committed",
            Outcome::Aborted => "aborted",
            Outcome::Cancelled => "was cancelled",
            Outcome::Retried => "retried",
            Outcome::Unfinished => "did not finish",
        };
        let end = attempt.end.map_or_else(|| "?".to_string(), |end| end.to_string());
        let (name, thread, begin) = (self.name(member), attempt.thread, attempt.begin);
        let versions = [("read", attempt.read_version), ("wrote", attempt.write_version)];
        let versions = versions.map(|(verb, at)| at.map_or_else(String::new, |at| format!(", {verb} at version {at}")));
        let (line, versions) = (member + 2, versions.concat());
        let mut text = format!("{name} (line {line}, thread {thread}, ticks {begin} to {end}{versions}) {outcome}: ");
        let events: Vec<String> = attempt.events.iter().take(EVENTS_MAX).map(event).collect();
        text.push_str(&events.join(", "));
        if events.is_empty() {
            text.push_str("did nothing");
        }
        if attempt.events.len() > EVENTS_MAX {
            _ = write!(text, ", … {} more", attempt.events.len() - EVENTS_MAX);
        }
        text.push('\n');
        text
    }

    fn reason(&self, history: &History, link: &Link) -> String {
        let (from, to) = (self.name(link.from), self.name(link.to));
        let attempts = history.attempts();
        match link.kind {
            LinkKind::WriteRead(cell) => format!("{to} saw what {from} wrote to cell {cell}"),
            LinkKind::WriteWrite(cell) => format!("{to} replaced what {from} wrote to cell {cell}"),
            LinkKind::ReadWrite(cell) => format!("{from} did not see what {to} wrote to cell {cell}"),
            LinkKind::SeenLater { cell, reader } => {
                let (line, thread, begin) = (reader + 2, attempts[reader].thread, attempts[reader].begin);
                format!(
                    "the attempt of line {line}, thread {thread} began at tick {begin}, when {from} had ended, \
                     and saw what {to} wrote to cell {cell}"
                )
            }
            LinkKind::RealTime if attempts[link.from].last_tick() < attempts[link.to].begin => {
                let (end, begin) = (attempts[link.from].last_tick(), attempts[link.to].begin);
                format!("{from} ended at tick {end}, and {to} began at {begin}")
            }
            LinkKind::RealTime => format!("thread {} ran {from} before {to}", attempts[link.from].thread),
        }
    }
}

fn event(event: &Event) -> String {
    let value = |id: WriteId| if id == INITIAL { "the initial value".to_string() } else { format!("#{id}") };
    match *event {
        Event::Read(cell, id) => format!("read {} in cell {cell}", value(id)),
        Event::Write(cell, id) => format!("wrote {} to cell {cell}", value(id)),
        Event::Undo(first) => format!("undid its writes from step {first} on"),
    }
}

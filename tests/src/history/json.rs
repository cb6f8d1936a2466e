//! Histories as JSON lines: a header, then an attempt per line.
//!
//! ```text
//! {"cells":2,"guards":[]}
//! {"thread":0,"begin":0,"end":1,"outcome":"committed","events":[{"read":[0,0]},{"write":[0,7]}]}
//! {"thread":1,"begin":1,"end":2,"outcome":"committed","read_version":5,"write_version":6,"events":[{"write":[0,9]}]}
//! ```
//!
//! The versions may be absent.

use std::fmt;
use std::io::{self, BufRead, Write};

use serde::{Deserialize, Serialize};

use super::{Attempt, Guard, History};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    cells: usize,
    guards: Vec<Guard>,
}

/// Why a file holds no history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadFile {
    /// The line at fault, from one on.
    pub line: usize,
    /// What is wrong with it.
    pub problem: String,
}

impl fmt::Display for BadFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.problem)
    }
}

impl std::error::Error for BadFile {}

/// Writes a history.
///
/// # Errors
/// Those of `to`.
pub fn write(history: &History, to: &mut impl Write) -> io::Result<()> {
    let header = Header { cells: history.cells, guards: history.guards.clone() };
    serde_json::to_writer(&mut *to, &header)?;
    for attempt in &history.attempts {
        to.write_all(b"\n")?;
        serde_json::to_writer(&mut *to, attempt)?;
    }
    to.write_all(b"\n")?;
    to.flush()
}

/// Reads a history. Empty lines count, but mean nothing.
///
/// # Errors
/// [`BadFile`] when `from` cannot be read, is not JSON of this form, or not a [`History`].
pub fn read(from: impl BufRead) -> Result<History, BadFile> {
    let mut header = None;
    let mut attempts: Vec<Attempt> = Vec::new();
    let mut lines = Vec::new();
    for (index, text) in from.lines().enumerate() {
        let line = index + 1;
        let text = text.map_err(|error| BadFile { line, problem: error.to_string() })?;
        if text.trim().is_empty() {
            continue;
        }
        if header.is_none() {
            header = Some((line, parse::<Header>(&text, line, "the header")?));
        } else {
            attempts.push(parse(&text, line, "an attempt")?);
            lines.push(line);
        }
    }
    let (header_line, header) =
        header.ok_or_else(|| BadFile { line: 1, problem: "the file is empty, and has no header".to_string() })?;
    History::new(header.cells, header.guards, attempts).map_err(|bad| {
        let line = bad.attempt.map_or(header_line, |attempt| lines[attempt]);
        BadFile { line, problem: bad.problem }
    })
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str, line: usize, what: &str) -> Result<T, BadFile> {
    serde_json::from_str(text).map_err(|error| BadFile { line, problem: format!("this is not {what}: {error}") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::generate;

    const HEADER: &str = r#"{"cells":2,"guards":[]}"#;

    #[track_caller]
    fn problem(lines: &[&str]) -> String {
        read(lines.join("\n").as_bytes()).expect_err("the file is bad").to_string()
    }

    #[test]
    fn what_is_written_is_read_back() {
        for seed in 0..20 {
            let history = generate::valid(seed);
            let mut text = Vec::new();
            write(&history, &mut text).unwrap();
            assert_eq!(read(text.as_slice()).unwrap(), history, "seed {seed}");
        }
    }

    #[test]
    fn a_bad_line_is_named() {
        assert_eq!(problem(&[]), "line 1: the file is empty, and has no header");
        assert!(problem(&["{}"]).starts_with("line 1: this is not the header: missing field `cells`"));
        assert!(problem(&[HEADER, "", "nonsense"]).starts_with("line 3: this is not an attempt: expected ident"));
        assert!(problem(&[HEADER, r#"{"thread":0}"#]).starts_with("line 2: this is not an attempt: missing field"));
    }

    #[test]
    fn what_is_no_history_is_named_with_its_line() {
        let attempt = |end: &str, outcome: &str, events: &str| {
            format!(r#"{{"thread":0,"begin":5,"end":{end},"outcome":"{outcome}","events":{events}}}"#)
        };
        let versioned = attempt("9", "aborted", "[]").replace("\"events\"", "\"write_version\":6,\"events\"");
        let good = attempt("5", "committed", r#"[{"write":[0,7]}]"#);
        let cases = [
            (attempt("4", "committed", "[]"), "it ends at 4, before it begins at 5"),
            (attempt("null", "aborted", "[]"), "an attempt that is not unfinished has an end"),
            (attempt("9", "unfinished", "[]"), "an unfinished attempt has no end"),
            (versioned, "an attempt that did not commit has no write version"),
            (attempt("9", "aborted", r#"[{"read":[2,0]}]"#), "event 0: there is no cell 2 among 2 cells"),
            (attempt("9", "aborted", r#"[{"write":[1,7]}]"#), "event 0: the write id 7 has been used before"),
            (attempt("9", "aborted", r#"[{"undo":1}]"#), "event 0: it cannot undo event 1, which is still to come"),
        ];
        for (bad, expected) in cases {
            assert_eq!(problem(&[HEADER, &good, &bad]), format!("line 3: {expected}"));
        }
        let guarded = r#"{"cells":2,"guards":[{"cell":1,"by":2}]}"#;
        assert_eq!(problem(&[guarded]), "line 1: cell 2 cannot guard cell 1 of 2 cells");
    }

    #[test]
    fn a_header_cannot_ask_for_all_memory() {
        let header = |cells: u64| format!(r#"{{"cells":{cells},"guards":[]}}"#);
        let refused = "cells are more than the 131072 that can be checked";
        for cells in [1 << 32, u64::MAX] {
            assert_eq!(problem(&[&header(cells)]), format!("line 1: {cells} {refused}"));
        }
        assert!(read(header(1 << 17).as_bytes()).is_ok());
    }
}

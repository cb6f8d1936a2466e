//! The table of what notices which fault: `tests/mutants.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::checks::List;
use super::orderings::Site;
use super::{Kind, Mutant};

/// Stands for a mutant that no layer has noticed.
pub const SURVIVED: &str = "**survived**";
/// Stands for a mutant that has not been tried.
pub const UNKNOWN: &str = "**not tried**";

/// What noticed each mutant, by its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table(BTreeMap<String, String>);

const INTRODUCTION: &str = "# Mutants\n\n\
Every ordering and fence of the runtime, weakened, and every check of its protocols, left out; and what turns red then.\n\
Made by `cargo run --release -p optimist-tests --bin mutants`; `tests/tests/mutants.rs` asserts that it is the table of\n\
the present source. `model` is a model of `stm/src/models`, `test` a test, `chaos` a test with random pauses at the steps\n\
of the protocols.\n";

/// Where the table of the workspace at `root` is.
#[must_use]
pub fn path(root: &Path) -> PathBuf {
    root.join("tests/mutants.md")
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn code(text: &str) -> String {
    format!("`{}`", cell(text))
}

fn row(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

impl Table {
    /// Reads what an earlier table says.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn read(root: &Path) -> Result<Self, String> {
        let path = path(root);
        if !path.exists() {
            return Ok(Self::default());
        }
        std::fs::read_to_string(&path).map(|text| Self::parse(&text)).map_err(|error| error.to_string())
    }

    fn parse(text: &str) -> Self {
        let rows = text.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
        let outcome = |row: &str| {
            let row = row.replace("\\|", "\0");
            let mut cells = row.split(" | ");
            let name = cells.next()?.replace('\0', "|");
            Some((name, cells.last()?.replace('\0', "|")))
        };
        Self(rows.filter_map(outcome).collect())
    }

    /// What noticed a mutant, if that has been found out.
    #[must_use]
    pub fn get(&self, mutant: &str) -> Option<&str> {
        self.0.get(mutant).map(String::as_str).filter(|outcome| *outcome != UNKNOWN)
    }

    /// Notes what noticed a mutant.
    pub fn set(&mut self, mutant: &str, outcome: String) {
        self.0.insert(mutant.to_string(), outcome);
    }

    fn outcome(&self, mutant: &str, list: &List) -> String {
        match list.why_equivalent(mutant) {
            Some(why) => format!("equivalent: {}", cell(why.trim())),
            None => self.get(mutant).map_or_else(|| UNKNOWN.to_string(), cell),
        }
    }

    /// The text of the table.
    #[must_use]
    pub fn text(&self, mutants: &[Mutant], sites: &[Site], list: &List) -> String {
        let mut text = INTRODUCTION.to_string();
        text.push_str("\n## Orderings\n\n| mutant | code | caught by |\n| --- | --- | --- |\n");
        for mutant in mutants.iter().filter(|mutant| mutant.kind == Kind::Ordering) {
            text.push_str(&row(&[mutant.name.clone(), code(&mutant.code), self.outcome(&mutant.name, list)]));
        }
        text.push_str("\n## Checks\n\n| mutant | place | caught by |\n| --- | --- | --- |\n");
        for mutant in mutants.iter().filter(|mutant| mutant.kind == Kind::Check) {
            let place = format!("{}::{}", mutant.file, mutant.function);
            text.push_str(&row(&[cell(&mutant.name), place, self.outcome(&mutant.name, list)]));
        }
        text.push_str("\n## Orderings that cannot be weaker\n\n");
        let weakest: Vec<&Site> = sites.iter().filter(|site| site.is_weakest()).collect();
        for site in &weakest {
            writeln!(text, "* {} `{}`", site.name(), site.line).expect("it is memory");
        }
        text
    }

    /// Writes the table.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, root: &Path, mutants: &[Mutant], sites: &[Site], list: &List) -> Result<(), String> {
        std::fs::write(path(root), self.text(mutants, sites, list)).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutants::checks;

    #[test]
    fn what_is_written_is_read_again() {
        let mutant = |name: &str, kind: Kind| Mutant {
            name: name.to_string(),
            kind,
            file: "file.rs".to_string(),
            function: "one".to_string(),
            code: "a | b".to_string(),
            change: String::new(),
            span: 0..0,
            replacement: String::new(),
            binds: None,
            first: Vec::new(),
        };
        let mutants = [mutant("one", Kind::Ordering), mutant("a | b", Kind::Check), mutant("new", Kind::Check)];
        let equivalent = checks::Equivalent { mutant: "new".to_string(), why: "it is so".to_string() };
        let list = checks::List {
            tests: Vec::new(),
            stress: Vec::new(),
            hint: Vec::new(),
            check: Vec::new(),
            equivalent: vec![equivalent],
        };
        let mut table = Table::default();
        table.set("one", "model `m`".to_string());
        table.set("a | b", SURVIVED.to_string());
        let read = Table::parse(&table.text(&mutants, &[], &list));
        assert_eq!(read.get("one"), Some("model `m`"));
        assert_eq!(read.get("a | b"), Some(SURVIVED));
        assert_eq!(read.get("new"), Some("equivalent: it is so"));
    }
}

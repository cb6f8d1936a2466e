//! The committed list of faults: `tests/mutants.toml`.

use std::path::Path;

use serde::Deserialize;

use super::{Kind, Mutant, function_at};

/// The list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Integration tests that take a second or two, from the cheapest.
    pub tests: Vec<String>,
    /// Those that need many rounds to meet a fault; they are run with random pauses alone, which make it likelier.
    #[serde(default)]
    pub stress: Vec<String>,
    /// What is run first.
    #[serde(default)]
    pub hint: Vec<Hint>,
    /// The faults.
    #[serde(default)]
    pub check: Vec<Check>,
    /// Those that nothing can notice.
    #[serde(default)]
    pub equivalent: Vec<Equivalent>,
}

/// A fault in a step of a protocol.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Says what is wrong with it.
    pub name: String,
    /// Below `stm/src`.
    pub file: String,
    /// The code, which is there exactly once: an expression, or whole statements.
    pub find: String,
    /// What takes its place.
    pub replace: String,
    /// The variables that the code, if it is statements, binds for those that follow.
    #[serde(default)]
    pub binds: Option<String>,
    /// Parts of the names of tests and models that are likely to notice.
    #[serde(default)]
    pub first: Vec<String>,
}

/// What is likely to notice the weaker orderings of a place.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hint {
    /// The start of the names of mutants.
    pub place: String,
    /// Parts of the names of models.
    pub first: Vec<String>,
}

/// A mutant that is as right as the original, or whose fault no layer can show.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Equivalent {
    /// The name of the mutant.
    pub mutant: String,
    /// The argument.
    pub why: String,
}

impl List {
    /// What is likely to notice the weaker ordering `mutant`.
    #[must_use]
    pub fn first(&self, mutant: &str) -> Vec<String> {
        let hints = self.hint.iter().filter(|hint| mutant.starts_with(&hint.place));
        hints.flat_map(|hint| hint.first.iter().cloned()).collect()
    }

    /// Why no layer can notice `mutant`, if that is so.
    #[must_use]
    pub fn why_equivalent(&self, mutant: &str) -> Option<&str> {
        self.equivalent.iter().find(|equivalent| equivalent.mutant == mutant).map(|equivalent| equivalent.why.as_str())
    }
}

/// Reads the list of the workspace at `root`.
///
/// # Errors
/// When it cannot be read.
pub fn read(root: &Path) -> Result<List, String> {
    let path = root.join("tests/mutants.toml");
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// The faults of the list as mutants.
///
/// # Errors
/// When the text to be found is not there exactly once.
pub fn mutants(root: &Path, list: &List) -> Result<Vec<Mutant>, String> {
    let mut mutants = Vec::new();
    for check in &list.check {
        let path = root.join("stm/src").join(&check.file);
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let find = check.find.trim();
        let places: Vec<usize> = text.match_indices(find).map(|(at, _)| at).collect();
        let [start] = places[..] else {
            return Err(format!("{}: `{find}` is {} times in {}", check.name, places.len(), check.file));
        };
        mutants.push(Mutant {
            name: check.name.clone(),
            kind: Kind::Check,
            file: check.file.clone(),
            function: function_at(&text, start),
            code: one_line(find),
            change: one_line(&check.replace),
            span: start..start + find.len(),
            replacement: check.replace.trim().to_string(),
            binds: check.binds.clone(),
            first: check.first.clone(),
        });
    }
    Ok(mutants)
}

/// The code in one line, without its comments.
fn one_line(code: &str) -> String {
    let lines = code.lines().map(|line| line.split("//").next().unwrap_or_default().trim());
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

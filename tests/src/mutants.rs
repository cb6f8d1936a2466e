//! Mutants: the runtime with one ordering weakened or one check left out, and which layer of verification notices.
//!
//! A check that cannot fail proves nothing. The `mutants` program plants each fault and records what turned red in
//! `tests/mutants.md`; `tests/tests/mutants.rs` asserts that the table is that of the present source.
//!
//! # Protocol
//! 1. **Find** every ordering and fence in `stm/src` ([`orderings`]), and read the faults of `tests/mutants.toml`
//!    ([`checks`]).
//! 2. **Plant** all that do not overlap into one copy of the tree, each behind a switch ([`plant`]), so that one
//!    build serves them all.
//! 3. **Run** the layers with one switch on, from the cheapest to the dearest, until one turns red ([`layers`]).
//! 4. **Note** it in the table ([`table`]).

pub mod checks;
pub mod layers;
pub mod orderings;
pub mod plant;
pub mod process;
pub mod table;

use std::ops::Range;
use std::path::{Path, PathBuf};

/// What kind of fault a mutant is; it decides which layers are asked first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A weaker ordering, or a fence left out.
    Ordering,
    /// A step of a protocol left out or done wrong.
    Check,
}

/// One fault.
#[derive(Clone, Debug)]
pub struct Mutant {
    /// Names it, in the table and for who picks it.
    pub name: String,
    /// What kind of fault it is.
    pub kind: Kind,
    /// Below `stm/src`.
    pub file: String,
    /// The function it is in.
    pub function: String,
    /// The code as it is.
    pub code: String,
    /// What is done to it.
    pub change: String,
    /// Where the code is in the file.
    pub span: Range<usize>,
    /// What takes its place.
    pub replacement: String,
    /// What the code, if it is statements, binds for those that follow.
    pub binds: Option<String>,
    /// Parts of the names of models and tests that are likely to notice.
    pub first: Vec<String>,
}

/// The root of the workspace.
///
/// # Panics
/// When the package stands alone.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a package is in the workspace").to_path_buf()
}

/// The name of the function that the place at `offset` of `text` is in.
#[must_use]
pub fn function_at(text: &str, offset: usize) -> String {
    let end = text[offset..].find('\n').map_or(text.len(), |length| offset + length);
    let name = text[..end].lines().rev().find_map(|line| {
        let code = line.split("//").next().unwrap_or_default();
        let (_, rest) = code.split_once("fn ")?;
        let name: String = rest.chars().take_while(|symbol| symbol.is_alphanumeric() || *symbol == '_').collect();
        (!name.is_empty()).then_some(name)
    });
    name.unwrap_or_else(|| "-".to_string())
}

/// All mutants of the source and the list at `root`, with what is known of those that no layer can notice.
///
/// # Errors
/// When a file cannot be read, or the list does not fit the source.
pub fn all(root: &Path) -> Result<(Vec<Mutant>, checks::List), String> {
    let list = checks::read(root)?;
    let mut mutants = orderings::find(root)?.into_iter().flat_map(|site| site.mutants()).collect::<Vec<_>>();
    for mutant in &mut mutants {
        mutant.first = list.first(&mutant.name);
    }
    mutants.extend(checks::mutants(root, &list)?);
    Ok((mutants, list))
}

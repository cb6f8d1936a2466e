//! The table of mutants is that of the present source: every ordering, every fence and every planted fault is in it,
//! and was noticed or is argued to be none.
//!
//! Method: what the `mutants` program would plant is found again, and compared with `tests/mutants.md`.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::fs;

use optimist_tests::mutants::table::{SURVIVED, Table, UNKNOWN, path};
use optimist_tests::mutants::{all, orderings, root};

/// The names of all models, as `models::file::name`.
fn models() -> BTreeSet<String> {
    let mut models = BTreeSet::new();
    for entry in fs::read_dir(root().join("stm/src/models")).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_stem().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap();
        let tests = text.split("#[test]\nfn ").skip(1);
        models.extend(tests.map(|test| format!("models::{file}::{}", test.split('(').next().unwrap())));
    }
    assert!(models.len() > 20, "the models are not found any more: {models:?}");
    models
}

/// The models that a text names.
fn named(text: &str) -> BTreeSet<String> {
    let is_part = |symbol: char| symbol.is_ascii_lowercase() || "_:".contains(symbol);
    let names = text.match_indices("models::").map(|(at, _)| {
        let rest = &text[at..];
        rest[..rest.find(|symbol| !is_part(symbol)).unwrap_or(rest.len())].to_string()
    });
    names.filter(|name| name.matches("::").count() == 2).collect()
}

#[test]
fn the_table_is_that_of_the_source() {
    let (mutants, list) = all(&root()).unwrap();
    let sites = orderings::find(&root()).unwrap();
    assert!(sites.len() > 40 && mutants.len() > 100, "{} sites and {} mutants are found", sites.len(), mutants.len());
    let table = Table::read(&root()).unwrap();
    let present = fs::read_to_string(path(&root())).unwrap();
    let wanted = table.text(&mutants, &sites, &list);
    let lines = |text: &str| text.lines().map(str::to_string).collect::<BTreeSet<String>>();
    let (present_lines, wanted_lines) = (lines(&present), lines(&wanted));
    let missing: Vec<&String> = wanted_lines.difference(&present_lines).collect();
    let gone: Vec<&String> = present_lines.difference(&wanted_lines).collect();
    assert!(
        present == wanted,
        "run `cargo run --release -p optimist-tests --bin mutants -- --resume`; missing:\n{missing:#?}\nnot in the \
         source any more:\n{gone:#?}"
    );
}

#[test]
fn every_mutant_was_noticed_or_is_argued_to_be_none() {
    let text = fs::read_to_string(path(&root())).unwrap();
    let open: Vec<&str> = text.lines().filter(|line| line.contains(SURVIVED) || line.contains(UNKNOWN)).collect();
    assert!(open.is_empty(), "{open:#?}");
}

#[test]
fn an_argument_is_about_a_mutant_that_exists() {
    let (mutants, list) = all(&root()).unwrap();
    let names: BTreeSet<&str> = mutants.iter().map(|mutant| mutant.name.as_str()).collect();
    assert_eq!(names.len(), mutants.len(), "two mutants have one name");
    let unknown: Vec<&str> = list.equivalent.iter().map(|argued| argued.mutant.as_str()).collect();
    let unknown: Vec<&&str> = unknown.iter().filter(|name| !names.contains(**name)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn every_model_that_is_named_exists() {
    let models = models();
    for file in ["tests/mutants.md", "stm/src/docs/orderings.rs"] {
        let named = named(&fs::read_to_string(root().join(file)).unwrap());
        assert!(named.len() > 8, "{file} names no models any more: {named:?}");
        let unknown: Vec<&String> = named.difference(&models).collect();
        assert!(unknown.is_empty(), "{file}: {unknown:#?}");
    }
}

#[test]
fn every_argument_of_the_documents_names_a_model() {
    let text = fs::read_to_string(root().join("stm/src/docs/orderings.rs")).unwrap();
    let mut arguments: Vec<&str> = text.split("//! # ").skip(1).collect();
    arguments.retain(|argument| !argument.starts_with("What "));
    assert!(arguments.len() >= 8, "the arguments are not found any more");
    for argument in arguments {
        assert!(!named(argument).is_empty(), "no model: {}", argument.lines().next().unwrap_or_default());
    }
}

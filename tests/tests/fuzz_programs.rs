//! Random programs of one thread do to cells what they do to a list of numbers.
//!
//! A process of its own with one test that uses cells, since values that nobody can look at must be destroyed at once. See
//! `src/fuzz/program.rs` for the language of the corpus.
#![forbid(unsafe_code)]

use std::collections::HashSet;
use std::mem::{Discriminant, discriminant};
use std::path::Path;
use std::time::Duration;

use optimist_tests::fuzz::program::{self, Item, Step};
use optimist_tests::fuzz::runner;

/// For the corpus, which takes a moment, and then random bytes. A fuzzer is given a time of its own.
const TIME: Duration = Duration::from_secs(2);

#[test]
fn programs_do_to_cells_what_they_do_to_numbers() {
    bolero::check!(name = "programs").with_test_time(TIME).for_each(|bytes: &[u8]| runner::run(&program::parse(bytes)));
}

#[test]
fn the_corpus_has_every_step_and_every_item() {
    fn count(steps: &[Step], seen: &mut HashSet<Discriminant<Step>>) {
        for step in steps {
            seen.insert(discriminant(step));
            match step {
                Step::Nested { part, .. } | Step::Caught(part) => count(part, seen),
                Step::OrElse { first, second, .. } => {
                    count(first, seen);
                    count(second, seen);
                }
                _ => {}
            }
        }
    }
    let (mut items, mut steps) = (HashSet::new(), HashSet::new());
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/__fuzz__/programs/corpus");
    for file in std::fs::read_dir(corpus).unwrap() {
        for item in program::parse(&std::fs::read(file.unwrap().path()).unwrap()) {
            items.insert(discriminant(&item));
            if let Item::Transaction(part) = item {
                count(&part, &mut steps);
            }
        }
    }
    assert_eq!((items.len(), steps.len()), (9, 16));
}

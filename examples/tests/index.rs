//! The three engines of the index, used as a library: they agree with each other and with the reference.

use std::fs;
use std::time::Duration;

use optimist_examples::gil::corpus::{Corpus, NoCorpus, Reason};
use optimist_examples::gil::index::{Contents, Engine, TOP};
use optimist_examples::gil::run::{self, Plan};
use tempfile::TempDir;

/// A directory with a few small files, and one that is large enough to have frequent words.
fn small_corpus() -> TempDir {
    let directory = TempDir::new().unwrap();
    fs::create_dir(directory.path().join("poems")).unwrap();
    fs::write(directory.path().join("a.txt"), "The cat and the dog.").unwrap();
    fs::write(directory.path().join("b.txt"), "The dog, the dog; THE DOG!").unwrap();
    fs::write(directory.path().join("poems/c.txt"), "Ein Hund. Une chatte et l'été. 你好").unwrap();
    fs::write(directory.path().join("no words.txt"), "— … —").unwrap();
    for file in 0..40 {
        let text: String = (0..200).map(|i| format!("w{} ", (i * i + file) % (17 + file))).collect();
        fs::write(directory.path().join(format!("many {file}.txt")), text).unwrap();
    }
    directory
}

#[test]
fn all_engines_arrive_at_the_same_index() {
    let directory = small_corpus();
    let corpus = Corpus::read(directory.path()).unwrap();
    let reference = Contents::reference(&corpus);
    assert_eq!(reference.words["dog"].values().sum::<u64>(), 4);
    assert_eq!(reference.top.len(), TOP);
    let mut plans = Vec::new();
    for engine in Engine::ALL {
        plans.extend([1, 4].map(|threads| Plan { engine, threads, time: Duration::from_millis(200) }));
    }
    let outcomes = run::measure(&corpus, &reference, &plans, &|_, _, _| {});
    assert_eq!(outcomes.len(), plans.len());
    for outcome in outcomes {
        assert_eq!(outcome.difference, None, "{:?}", outcome.plan);
        assert_eq!(outcome.broken, [], "{:?}", outcome.plan);
        assert!(outcome.busy >= outcome.plan.time);
        assert!(outcome.audits >= run::AUDITORS * outcome.passes);
        assert_eq!(outcome.documents, outcome.passes * corpus.documents().len() as u64);
    }
}

#[test]
fn a_missing_document_is_a_difference() {
    let directory = small_corpus();
    let corpus = Corpus::read(directory.path()).unwrap();
    let reference = Contents::reference(&corpus);
    for engine in Engine::ALL {
        let index = engine.index(&corpus);
        for document in &corpus.documents()[1..] {
            index.add(0, document);
        }
        assert!(index.audit(0).agree() && index.audit(1).agree());
        assert!(index.contents().difference_from(&reference).is_some());
        index.add(3, &corpus.documents()[0]);
        assert_eq!(index.contents().difference_from(&reference), None);
    }
}

#[test]
fn what_is_no_text_is_skipped_and_named() {
    let directory = small_corpus();
    fs::write(directory.path().join("latin-1.txt"), b"caf\xe9").unwrap();
    fs::write(directory.path().join("zero.bin"), b"a\0b").unwrap();
    fs::write(directory.path().join(".hidden"), "hidden").unwrap();
    fs::write(directory.path().join(".gitignore"), "/a.txt\n").unwrap();
    let corpus = Corpus::read(directory.path()).unwrap();
    let mut skipped: Vec<_> = corpus.skipped().iter().map(|file| file.path.file_name().unwrap()).collect();
    skipped.sort_unstable();
    assert_eq!(skipped, ["latin-1.txt", "zero.bin"]);
    assert!(corpus.skipped().iter().all(|file| matches!(file.reason, Reason::NotText)));
    let names: Vec<_> = corpus.documents().iter().map(|document| document.path.file_name().unwrap()).collect();
    assert!(!names.contains(&"a.txt".as_ref()) && !names.contains(&".hidden".as_ref()));
    assert!(names.contains(&"c.txt".as_ref()));
}

#[test]
fn a_directory_without_a_word_is_no_corpus() {
    let directory = TempDir::new().unwrap();
    assert!(matches!(Corpus::read(directory.path()), Err(NoCorpus::NoText(..))));
    fs::write(directory.path().join("dash.txt"), "—").unwrap();
    assert!(matches!(Corpus::read(directory.path()), Err(NoCorpus::NoText(..))));
    let missing = directory.path().join("missing");
    assert!(matches!(Corpus::read(&missing), Err(NoCorpus::Directory(path, _)) if path == missing));
}

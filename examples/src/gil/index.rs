//! What an engine has to do, and what its index holds.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;

use clap::ValueEnum;

use super::corpus::{Corpus, Document};
use super::global_lock::GlobalLock;
use super::striped_locks::StripedLocks;
use super::transactional::Transactional;
use super::words::WordCounts;

/// How many of the most frequent words an index knows.
pub const TOP: usize = 10;

/// An inverted index that all threads use at once.
///
/// It is all that the workers and auditors know of an engine.
pub trait Index: Send + Sync {
    /// Tokenises `document` and adds it: for everybody else, as a whole or not at all.
    ///
    /// `worker` is the number of the calling thread, from zero on.
    fn add(&self, worker: usize, document: &Document);

    /// Adds up, at one moment, what is to be the same sum in three places.
    ///
    /// `turn` counts the audits of the calling thread; an engine that has several ways of reading takes turns.
    fn audit(&self, turn: u64) -> Sums;

    /// All that the index holds.
    fn contents(&self) -> Contents;
}

/// Who guards the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Engine {
    /// One global lock, held while a document is tokenised and added
    Gil,
    /// Fine-grained locks: one per stripe of the vocabulary, taken in order
    Locks,
    /// Transactions
    Optimist,
}

impl Engine {
    /// All engines, the one to compare with first.
    pub const ALL: [Self; 3] = [Self::Gil, Self::Locks, Self::Optimist];

    /// The name, as typed and printed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gil => "gil",
            Self::Locks => "locks",
            Self::Optimist => "optimist",
        }
    }

    /// Makes an empty index for the documents of `corpus`.
    #[must_use]
    pub fn index(self, corpus: &Corpus) -> Box<dyn Index> {
        match self {
            Self::Gil => Box::new(GlobalLock::default()),
            Self::Locks => Box::new(StripedLocks::default()),
            Self::Optimist => Box::new(Transactional::new(corpus)),
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One number, kept in three places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// The sum of the counts of all words.
    pub words: u64,
    /// The sum of the totals of all documents.
    pub documents: u64,
    /// The grand total.
    pub total: u64,
}

impl Sums {
    /// Whether the index is whole: an auditor who sees half a document finds that it is not.
    #[must_use]
    pub fn agree(self) -> bool {
        self.words == self.total && self.documents == self.total
    }

    /// Adds the sums of another part of the index.
    pub fn add(&mut self, other: Self) {
        self.words += other.words;
        self.documents += other.documents;
        self.total += other.total;
    }
}

/// What an index holds, in a form that can be compared: nothing in it depends on the order in which documents came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// For each word its documents by number, each with the count.
    pub words: BTreeMap<String, BTreeMap<usize, u64>>,
    /// For each document that was added its number of words.
    pub documents: BTreeMap<usize, u64>,
    /// The grand total.
    pub total: u64,
    /// The most frequent words with their counts; the alphabet breaks ties.
    pub top: Vec<(String, u64)>,
}

impl Contents {
    /// What any engine has to arrive at, found out in the simplest way, by one thread.
    #[must_use]
    pub fn reference(corpus: &Corpus) -> Self {
        let mut contents = Self::default();
        for document in corpus.documents() {
            let counts = WordCounts::of(&document.text);
            for (word, count) in counts.iter() {
                contents.words.entry(word.to_owned()).or_default().insert(document.number, count);
            }
            contents.documents.insert(document.number, counts.total());
            contents.total += counts.total();
        }
        contents.top = contents.words.iter().map(|(word, found)| (word.clone(), found.values().sum())).collect();
        keep_top(&mut contents.top);
        contents
    }

    /// Says in what `self` differs from `expected`, if it does.
    #[must_use]
    pub fn difference_from(&self, expected: &Self) -> Option<String> {
        if self == expected {
            return None;
        }
        let known = |word: &&String| self.words.get(*word) != expected.words.get(*word);
        if let Some(word) = self.words.keys().chain(expected.words.keys()).find(known) {
            let (is, should) = (self.words.get(word), expected.words.get(word));
            return Some(format!("the word `{word}` is in {is:?} and should be in {should:?} (document: count)"));
        }
        if self.documents != expected.documents {
            return Some("the totals of the documents differ".to_owned());
        }
        if self.total != expected.total {
            return Some(format!("the grand total is {} and should be {}", self.total, expected.total));
        }
        Some(format!("the top words are {:?} and should be {:?}", self.top, expected.top))
    }
}

/// Puts words in order of frequency and drops all but the first [`TOP`].
pub fn keep_top(words: &mut Vec<(String, u64)>) {
    words.sort_by(|(a, a_count), (b, b_count)| (Reverse(a_count), a).cmp(&(Reverse(b_count), b)));
    words.truncate(TOP);
}

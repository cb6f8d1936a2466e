//! An index for one thread: ordinary collections that know nothing of threads.
//!
//! # Invariants
//! * **P1** `count` of a word is the sum over its postings.
//! * **P2** `top` holds the [`TOP`] most frequent words. Counts only grow, so a word can only get into it, or up,
//!   when its own count changes; that is when `rank` looks at it.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::index::{Contents, Sums, TOP};

/// An inverted index.
#[derive(Debug, Default)]
pub struct Plain {
    words: HashMap<String, Word>,
    documents: HashMap<usize, u64>,
    total: u64,
    /// The most frequent words, the most frequent first.
    top: Vec<(Reverse<u64>, String)>,
}

#[derive(Debug, Default)]
struct Word {
    count: u64,
    postings: Vec<(usize, u64)>,
}

impl Plain {
    /// Notes that `text` occurs `count` times in a document.
    pub fn add_word(&mut self, text: &str, document: usize, count: u64) {
        if !self.words.contains_key(text) {
            self.words.insert(text.to_owned(), Word::default());
        }
        let Some(word) = self.words.get_mut(text) else { unreachable!("it is there now") };
        word.count += count;
        word.postings.push((document, count));
        let count = word.count;
        self.rank(text, count);
    }

    /// Notes how many words a document has.
    pub fn add_document(&mut self, document: usize, total: u64) {
        self.documents.insert(document, total);
        self.total += total;
    }

    /// Moves a word whose count has grown to its place among the most frequent, if it has one (P2).
    fn rank(&mut self, text: &str, count: u64) {
        let is_among_them = self.top.len() < TOP
            || self.top.last().is_some_and(|(least, word)| (Reverse(count), text) <= (*least, word.as_str()));
        if !is_among_them {
            return;
        }
        match self.top.iter_mut().find(|(_, word)| word == text) {
            Some((old_count, _)) => *old_count = Reverse(count),
            None => self.top.push((Reverse(count), text.to_owned())),
        }
        self.top.sort_unstable();
        self.top.truncate(TOP);
    }

    /// Adds up what is to be the same.
    #[must_use]
    pub fn sums(&self) -> Sums {
        Sums {
            words: self.words.values().map(|word| word.count).sum(),
            documents: self.documents.values().sum(),
            total: self.total,
        }
    }

    /// Adds all that the index holds to `contents`, whose top words are then to be cut to length.
    pub fn add_to(&self, contents: &mut Contents) {
        for (text, word) in &self.words {
            contents.words.entry(text.clone()).or_default().extend(word.postings.iter().copied());
        }
        contents.documents.extend(&self.documents);
        contents.total += self.total;
        contents.top.extend(self.top.iter().map(|(count, word)| (word.clone(), count.0)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gil::index::keep_top;

    #[test]
    fn the_top_words_are_those_with_the_highest_counts() {
        let mut index = Plain::default();
        for number in 0..400 {
            // Some words come often, some late, and many are even.
            let word = format!("w{}", (number * number + number / 7) % 37);
            index.add_word(&word, number, 1 + (number % 3) as u64);
        }
        let mut contents = Contents::default();
        index.add_to(&mut contents);
        let mut expected: Vec<_> = contents.words.iter().map(|(word, at)| (word.clone(), at.values().sum())).collect();
        keep_top(&mut expected);
        assert_eq!(contents.top, expected);
    }
}

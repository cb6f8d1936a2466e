//! From text to words.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use unicode_segmentation::UnicodeSegmentation;

/// The words of one document, each with its number of occurrences.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WordCounts {
    counts: HashMap<String, u64>,
    total: u64,
}

impl WordCounts {
    /// Splits `text` at the word boundaries of Unicode, and counts the words in lower case.
    ///
    /// # Examples
    /// ```
    /// use optimist_examples::gil::words::WordCounts;
    ///
    /// let words = WordCounts::of("The cat, the CAT: l'été.");
    /// assert_eq!(words.count("the"), 2);
    /// assert_eq!(words.count("l'été"), 1);
    /// assert_eq!(words.total(), 5);
    /// ```
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut words = Self::default();
        for word in text.unicode_words() {
            *words.counts.entry(word.to_lowercase()).or_default() += 1;
            words.total += 1;
        }
        words
    }

    /// How often `word`, in lower case, occurs.
    #[must_use]
    pub fn count(&self, word: &str) -> u64 {
        self.counts.get(word).copied().unwrap_or(0)
    }

    /// The number of words, repeated ones included.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The different words with their counts, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.counts.iter().map(|(word, &count)| (word.as_str(), count))
    }
}

/// Which of `places` a word belongs to; the same at every call.
///
/// # Panics
/// When there are no places.
#[must_use]
pub fn place_of(word: &str, places: usize) -> usize {
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(word);
    usize::try_from(hash % places as u64).expect("less than `places`, which is a usize")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_lower_case_and_split_as_unicode_says() {
        let words = WordCounts::of("Ἀρχή can't stop-ΣΟΦΟΣ snake_case 3.14 — 你好!");
        let mut found: Vec<_> = words.iter().collect();
        found.sort_unstable();
        // The last sigma of a word has a form of its own, so lower case is not a matter of single letters.
        let expected = ["3.14", "can't", "snake_case", "stop", "ἀρχή", "σοφο\u{3c2}", "你", "好"];
        let mut expected = expected.map(|word| (word, 1));
        expected.sort_unstable();
        assert_eq!(found, expected);
    }

    #[test]
    fn text_without_words_has_none() {
        assert_eq!(WordCounts::of(" \n— … !").total(), 0);
    }
}

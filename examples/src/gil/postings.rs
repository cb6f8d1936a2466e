//! A list of postings that is cheap to copy, as a value in a cell must be.
//!
//! A transaction never changes a value in place: it makes a new one, and the old one stays for whoever still reads
//! it. A `Vec` of all postings would be copied as a whole for each document. So the newest few are kept inline, and
//! the older ones in chunks that are never changed any more and hence can be shared by all versions of the list.

use std::sync::Arc;

/// Chosen so that a list is two cache lines long.
const INLINE: usize = 6;

/// In which document a word occurs, and how often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Posting {
    /// The number of the document.
    pub document: usize,
    /// How often the word occurs in it.
    pub count: u64,
}

/// An append-only list of postings, with the sum of their counts.
///
/// # Complexity
/// Cloning takes constant time, and so does [`push`](Self::push).
///
/// # Examples
/// ```
/// use optimist_examples::gil::postings::{Posting, Postings};
///
/// let mut list = Postings::default();
/// list.push(Posting { document: 7, count: 2 });
/// let before = list.clone();
/// list.push(Posting { document: 8, count: 3 });
/// assert_eq!((before.count(), list.count()), (2, 5));
/// assert_eq!(list.iter().map(|posting| posting.document).collect::<Vec<_>>(), [8, 7]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Postings {
    count: u64,
    newest_len: usize,
    newest: [Posting; INLINE],
    older: Option<Arc<Chunk>>,
}

#[derive(Debug)]
struct Chunk {
    postings: [Posting; INLINE],
    older: Option<Arc<Chunk>>,
}

impl Postings {
    /// Adds a posting.
    pub fn push(&mut self, posting: Posting) {
        if self.newest_len == INLINE {
            self.older = Some(Arc::new(Chunk { postings: self.newest, older: self.older.take() }));
            self.newest_len = 0;
        }
        self.newest[self.newest_len] = posting;
        self.newest_len += 1;
        self.count += posting.count;
    }

    /// The sum of the counts of all postings.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// All postings, the newest first.
    pub fn iter(&self) -> impl Iterator<Item = Posting> {
        let chunks = std::iter::successors(self.older.as_deref(), |chunk| chunk.older.as_deref());
        let older = chunks.flat_map(|chunk| chunk.postings.iter().rev());
        self.newest[..self.newest_len].iter().rev().chain(older).copied()
    }
}

impl Drop for Chunk {
    /// Drops the older chunks one after the other: recursion would use up the stack for a word that is everywhere.
    fn drop(&mut self) {
        let mut older = self.older.take();
        while let Some(mut chunk) = older.and_then(Arc::into_inner) {
            older = chunk.older.take();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_keeps_everything_and_can_be_dropped() {
        const LEN: usize = 1_000_000;
        let mut list = Postings::default();
        for document in 0..LEN {
            list.push(Posting { document, count: 2 });
        }
        assert_eq!(list.count(), 2 * LEN as u64);
        assert!(list.iter().map(|posting| posting.document).eq((0..LEN).rev()));
    }
}

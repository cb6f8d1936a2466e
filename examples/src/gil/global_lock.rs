//! Engine `gil`: one lock around everything.
//!
//! A global interpreter lock is not only a lock around shared data. A thread that computes holds it while it
//! computes, whether or not anybody else wants the data, because every step of the interpreter may touch some. So a
//! document is tokenised *inside* the critical section here. Moving that out would be a program in another
//! language, not a faster GIL.

use parking_lot::Mutex;

use super::corpus::Document;
use super::index::{Contents, Index, Sums, keep_top};
use super::plain::Plain;
use super::words::WordCounts;

/// An index behind one lock.
#[derive(Debug, Default)]
pub struct GlobalLock {
    index: Mutex<Plain>,
}

impl Index for GlobalLock {
    fn add(&self, _worker: usize, document: &Document) {
        let mut index = self.index.lock();
        let words = WordCounts::of(&document.text);
        for (word, count) in words.iter() {
            index.add_word(word, document.number, count);
        }
        index.add_document(document.number, words.total());
    }

    fn audit(&self, _turn: u64) -> Sums {
        self.index.lock().sums()
    }

    fn contents(&self) -> Contents {
        let mut contents = Contents::default();
        self.index.lock().add_to(&mut contents);
        keep_top(&mut contents.top);
        contents
    }
}

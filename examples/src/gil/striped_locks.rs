//! Engine `locks`: the vocabulary is cut into stripes, each with a lock.
//!
//! # Protocol
//! 1. Tokenise, holding nothing.
//! 2. Find out which stripes the document needs: those of its words, and that of its own total.
//! 3. Lock them all, in ascending order, so that two threads never wait for each other in a circle.
//! 4. Change them, and unlock them all at the end.
//!
//! Step 3 holds all stripes at once because an auditor, who locks every stripe, would see half a document
//! otherwise. It makes two documents that share a single word wait for each other, and documents in one language
//! always share some. One could do better with a set of stripes for each thread; but then every later operation on
//! the index has to know that order too, and that is where programs with many locks become hard.

use parking_lot::{Mutex, MutexGuard};

use super::corpus::Document;
use super::index::{Contents, Index, Sums, keep_top};
use super::plain::Plain;
use super::words::{WordCounts, place_of};

/// The number of locks: far more than there are threads, and more than most documents need.
const STRIPES: usize = 1024;

/// An index in stripes, with a lock for each.
#[derive(Debug)]
pub struct StripedLocks {
    stripes: Box<[Mutex<Plain>]>,
}

impl Default for StripedLocks {
    fn default() -> Self {
        Self { stripes: (0..STRIPES).map(|_| Mutex::default()).collect() }
    }
}

impl StripedLocks {
    fn lock_all(&self) -> Vec<MutexGuard<'_, Plain>> {
        self.stripes.iter().map(Mutex::lock).collect()
    }
}

impl Index for StripedLocks {
    fn add(&self, _worker: usize, document: &Document) {
        let words = WordCounts::of(&document.text);
        let mut placed: Vec<_> = words.iter().map(|(word, count)| (place_of(word, STRIPES), word, count)).collect();
        placed.sort_unstable_by_key(|&(stripe, ..)| stripe);
        let stripe_of_total = document.number % STRIPES;

        let mut needed: Vec<usize> = placed.iter().map(|&(stripe, ..)| stripe).chain([stripe_of_total]).collect();
        needed.sort_unstable();
        needed.dedup();
        let mut locked: Vec<_> = needed.iter().map(|&stripe| (stripe, self.stripes[stripe].lock())).collect();

        // Both lists are in the order of the stripes, so one walk along them finds every lock.
        let mut words_left = placed.iter().peekable();
        for (stripe, index) in &mut locked {
            while let Some((_, word, count)) = words_left.next_if(|(of_word, ..)| of_word == stripe) {
                index.add_word(word, document.number, *count);
            }
            if *stripe == stripe_of_total {
                index.add_document(document.number, words.total());
            }
        }
    }

    fn audit(&self, _turn: u64) -> Sums {
        let mut sums = Sums::default();
        for stripe in &self.lock_all() {
            sums.add(stripe.sums());
        }
        sums
    }

    fn contents(&self) -> Contents {
        let mut contents = Contents::default();
        for stripe in &self.lock_all() {
            stripe.add_to(&mut contents);
        }
        // A word is in one stripe only, so who is among the first of all is among the first of its stripe.
        keep_top(&mut contents.top);
        contents
    }
}

//! What engines have a shorter way for than a transaction that may do anything.
//!
//! | workload | what is done |
//! | --- | --- |
//! | [`Look<N>`] | reads N random words of the array as they are at one moment |
//! | [`Load`] | reads a random word of the array |
//! | [`Increment`] | adds one to a random word of the array |

use rand::rngs::SmallRng;

use crate::engine::{Query, ReadWords, SingleWords, Snapshots};
use crate::workload::{Evidence, RunOn, Workload, WrongAnswer, check_increments, check_reads, index, indices};

/// Reads N random words as they are at one moment.
#[derive(Debug)]
pub struct Look<const N: usize> {
    words: usize,
    indices: [usize; N],
    sum: u64,
}

impl<const N: usize> Workload for Look<N> {
    const WORDS_USED: usize = N;

    fn new(_thread: usize, words: usize) -> Self {
        Self { words, indices: [0; N], sum: 0 }
    }

    #[inline]
    fn draw(&mut self, random: &mut SmallRng) {
        self.indices = indices(random, self.words);
    }

    fn check(evidence: &Evidence<'_, Self>) -> Result<(), WrongAnswer> {
        check_reads(evidence, |look| look.sum)
    }
}

impl<const N: usize> Query for Look<N> {
    #[inline]
    fn body<W: ReadWords>(&self, words: &mut W) -> Result<u64, W::Abort> {
        let mut sum = 0;
        for &index in &self.indices {
            sum += words.read(index)?;
        }
        Ok(sum)
    }
}

impl<const N: usize, E: Snapshots> RunOn<E> for Look<N> {
    #[inline]
    fn run(&mut self, engine: &E) {
        self.sum += engine.snapshot(self);
    }
}

/// Reads a random word.
#[derive(Debug)]
pub struct Load {
    words: usize,
    index: usize,
    sum: u64,
}

impl Workload for Load {
    const WORDS_USED: usize = 1;

    fn new(_thread: usize, words: usize) -> Self {
        Self { words, index: 0, sum: 0 }
    }

    #[inline]
    fn draw(&mut self, random: &mut SmallRng) {
        self.index = index(random, self.words);
    }

    fn check(evidence: &Evidence<'_, Self>) -> Result<(), WrongAnswer> {
        check_reads(evidence, |load| load.sum)
    }
}

impl<E: SingleWords> RunOn<E> for Load {
    #[inline]
    fn run(&mut self, engine: &E) {
        self.sum += engine.load(self.index);
    }
}

/// Adds one to a random word.
#[derive(Debug)]
pub struct Increment {
    words: usize,
    index: usize,
}

impl Workload for Increment {
    const WORDS_USED: usize = 1;

    fn new(_thread: usize, words: usize) -> Self {
        Self { words, index: 0 }
    }

    #[inline]
    fn draw(&mut self, random: &mut SmallRng) {
        self.index = index(random, self.words);
    }

    fn check(evidence: &Evidence<'_, Self>) -> Result<(), WrongAnswer> {
        check_increments(evidence, 1)
    }
}

impl<E: SingleWords> RunOn<E> for Increment {
    #[inline]
    fn run(&mut self, engine: &E) {
        engine.increment(self.index);
    }
}

//! What a workload is: which words a transaction uses, what it does to them, and how to tell a wrong answer.

use std::error::Error;
use std::fmt;

use rand::Rng;
use rand::rngs::SmallRng;

/// What one thread does, over and over.
pub trait Workload: Send + Sized {
    /// How many of them a transaction uses.
    const WORDS_USED: usize;
    /// How many transactions to run before looking whether to stop.
    const BATCH: u64 = 64;
    /// What all words hold at first.
    const FIRST_VALUE: u64 = 7;

    /// How many words there are, if an array of `asked` words is asked for.
    fn words(asked: usize) -> usize {
        asked
    }

    /// Makes what the thread with this number needs, on so many words.
    fn new(thread: usize, words: usize) -> Self;

    /// Chooses the words of the next transaction. This is part of what is timed.
    fn draw(&mut self, random: &mut SmallRng);

    /// Looks for a sign that a transaction was lost, done twice or not done as a whole.
    ///
    /// # Errors
    /// [`WrongAnswer`] says what is not as it must be.
    fn check(evidence: &Evidence<'_, Self>) -> Result<(), WrongAnswer>;
}

/// A workload that can be run on the engine `E`.
pub trait RunOn<E>: Workload {
    /// Runs one transaction, on the words drawn.
    fn run(&mut self, engine: &E);
}

/// What is left behind by a run.
#[derive(Debug)]
pub struct Evidence<'a, W> {
    /// The words before.
    pub before: &'a [u64],
    /// The words after.
    pub after: &'a [u64],
    /// For each thread how many transactions it has done, and its workload.
    pub threads: &'a [(u64, W)],
}

impl<W> Evidence<'_, W> {
    /// How many transactions all threads have done.
    #[must_use]
    pub fn transactions(&self) -> u64 {
        self.threads.iter().map(|(transactions, _)| transactions).sum()
    }

    /// By how much the sum of all words has grown.
    #[must_use]
    pub fn growth(&self) -> u64 {
        self.after.iter().sum::<u64>() - self.before.iter().sum::<u64>()
    }
}

/// An engine has given a wrong answer.
#[derive(Debug)]
pub struct WrongAnswer {
    what: &'static str,
    expected: u64,
    found: u64,
}

impl WrongAnswer {
    /// Compares what must be with what is.
    ///
    /// # Errors
    /// When they are not equal.
    pub fn unless_equal(what: &'static str, expected: u64, found: u64) -> Result<(), Self> {
        if expected == found { Ok(()) } else { Err(Self { what, expected, found }) }
    }
}

impl fmt::Display for WrongAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wrong answer: {} must be {}, not {}", self.what, self.expected, self.found)
    }
}

impl Error for WrongAnswer {}

/// Checks a workload that adds one, so many times in each transaction.
pub(crate) fn check_increments<W>(evidence: &Evidence<'_, W>, per_transaction: u64) -> Result<(), WrongAnswer> {
    let expected = evidence.transactions() * per_transaction;
    WrongAnswer::unless_equal("the sum of all increments", expected, evidence.growth())
}

/// Checks a workload that reads words nobody writes, given the sum of all that a thread has read.
pub(crate) fn check_reads<W: Workload>(evidence: &Evidence<'_, W>, sum: impl Fn(&W) -> u64) -> Result<(), WrongAnswer> {
    let expected = evidence.transactions() * W::WORDS_USED as u64 * W::FIRST_VALUE;
    let found = evidence.threads.iter().map(|(_, workload)| sum(workload)).sum();
    WrongAnswer::unless_equal("the sum of all that was read", expected, found)
}

/// A random index below `count`.
#[inline]
pub(crate) fn index(random: &mut SmallRng, count: usize) -> usize {
    // The upper half of the random bits, as a fraction of `count`; exact for powers of two.
    (((random.next_u64() >> 32) * count as u64) >> 32) as usize
}

/// Random indices below `count`.
#[inline]
pub(crate) fn indices<const N: usize>(random: &mut SmallRng, count: usize) -> [usize; N] {
    std::array::from_fn(|_| index(random, count))
}

//! The basic transactions, on random words of an array.
//!
//! | workload | a transaction |
//! | --- | --- |
//! | [`Read<N>`] | reads N random words of the array |
//! | [`Update<N>`] | adds one to N random words of the array |
//! | [`Mixed`] | reads 8 random words of the array and adds one to 2 others |
//! | [`Counter`] | adds one to the only word there is |
//! | [`WriteMany<N>`] | writes N words of 131,072, far from each other, without having read them |

use rand::rngs::SmallRng;

use crate::engine::{Engine, Transaction, Words};
use crate::workload::{Evidence, RunOn, Workload, WrongAnswer, check_increments, check_reads, index, indices};

/// The size of the array, unless another one is asked for.
pub const WORDS: usize = 1 << 16;

/// Reads N random words.
#[derive(Debug)]
pub struct Read<const N: usize> {
    words: usize,
    indices: [usize; N],
    sum: u64,
}

impl<const N: usize> Workload for Read<N> {
    const WORDS_USED: usize = N;

    fn new(_thread: usize, words: usize) -> Self {
        Self { words, indices: [0; N], sum: 0 }
    }

    #[inline]
    fn draw(&mut self, random: &mut SmallRng) {
        self.indices = indices(random, self.words);
    }

    fn check(evidence: &Evidence<'_, Self>) -> Result<(), WrongAnswer> {
        check_reads(evidence, |read| read.sum)
    }
}

impl<const N: usize> Transaction for Read<N> {
    #[inline]
    fn body<W: Words>(&self, words: &mut W) -> Result<u64, W::Abort> {
        let mut sum = 0;
        for &index in &self.indices {
            sum += words.read(index)?;
        }
        Ok(sum)
    }
}

impl<const N: usize, E: Engine> RunOn<E> for Read<N> {
    #[inline]
    fn run(&mut self, engine: &E) {
        self.sum += engine.run(self);
    }
}

/// Adds one to N random words.
#[derive(Debug)]
pub struct Update<const N: usize> {
    words: usize,
    indices: [usize; N],
}

impl<const N: usize> Workload for Update<N> {
    const WORDS_USED: usize = N;

    fn new(_thread: usize, words: usize) -> Self {
        Self { words, indices: [0; N] }
    }

    #[inline]
    fn draw(&mut self, random: &mut SmallRng) {
        self.indices = indices(random, self.words);
    }

    fn check(evidence: &Evidence<'_, Self>) -> Result<(), WrongAnswer> {
        check_increments(evidence, N as u64)
    }
}

impl<const N: usize> Transaction for Update<N> {
    #[inline]
    fn body<W: Words>(&self, words: &mut W) -> Result<u64, W::Abort> {
        for &index in &self.indices {
            words.add(index, 1)?;
        }
        Ok(0)
    }
}

impl<const N: usize, E: Engine> RunOn<E> for Update<N> {
    #[inline]
    fn run(&mut self, engine: &E) {
        engine.run(self);
    }
}

/// Reads 8 random words and adds one to 2 others. All 10 are distinct.
#[derive(Debug)]
pub struct Mixed {
    words: usize,
    indices: [usize; 10],
    sum: u64,
}

impl Mixed {
    const READS: usize = 8;

    #[inline]
    fn is_distinct(&self) -> bool {
        let mut is_distinct = true;
        for later in 1..self.indices.len() {
            for earlier in 0..later {
                is_distinct &= self.indices[earlier] != self.indices[later];
            }
        }
        is_distinct
    }
}

impl Workload for Mixed {
    const WORDS_USED: usize = 10;

    fn new(_thread: usize, words: usize) -> Self {
        Self { words, indices: [0; 10], sum: 0 }
    }

    #[inline]
    fn draw(&mut self, random: &mut SmallRng) {
        self.indices = indices(random, self.words);
        while !self.is_distinct() {
            self.indices = indices(random, self.words);
        }
    }

    fn check(evidence: &Evidence<'_, Self>) -> Result<(), WrongAnswer> {
        check_increments(evidence, 2)
    }
}

impl Transaction for Mixed {
    #[inline]
    fn body<W: Words>(&self, words: &mut W) -> Result<u64, W::Abort> {
        let (reads, writes) = self.indices.split_at(Self::READS);
        let mut sum = 0;
        for &index in reads {
            sum += words.read(index)?;
        }
        for &index in writes {
            words.add(index, 1)?;
        }
        Ok(sum)
    }
}

impl<E: Engine> RunOn<E> for Mixed {
    #[inline]
    fn run(&mut self, engine: &E) {
        // Kept, so that no engine may leave the reads out.
        self.sum = self.sum.wrapping_add(engine.run(self));
    }
}

/// Adds one to the only word there is.
#[derive(Debug)]
pub struct Counter;

impl Workload for Counter {
    const WORDS_USED: usize = 1;

    fn words(_asked: usize) -> usize {
        1
    }

    fn new(_thread: usize, _words: usize) -> Self {
        Self
    }

    #[inline]
    fn draw(&mut self, _random: &mut SmallRng) {}

    fn check(evidence: &Evidence<'_, Self>) -> Result<(), WrongAnswer> {
        check_increments(evidence, 1)
    }
}

impl Transaction for Counter {
    #[inline]
    fn body<W: Words>(&self, words: &mut W) -> Result<u64, W::Abort> {
        words.add(0, 1)?;
        Ok(0)
    }
}

impl<E: Engine> RunOn<E> for Counter {
    #[inline]
    fn run(&mut self, engine: &E) {
        engine.run(self);
    }
}

/// Writes a number of its own to N words, without having read them.
#[derive(Debug)]
pub struct WriteMany<const N: usize> {
    first: usize,
    /// The thread in the upper 16 bits, then how many transactions it has begun.
    stamp: u64,
}

impl<const N: usize> WriteMany<N> {
    const WORDS: usize = 1 << 17;
    const SERIAL_BITS: u32 = 48;
    /// Odd, so that N words are distinct; large, so that they are far from each other.
    const STRIDE: usize = 40_503;
    const _DISTINCT: () = assert!(N <= Self::WORDS && Self::STRIDE % 2 == 1 && Self::WORDS.is_power_of_two());

    #[inline]
    fn indices(&self) -> impl Iterator<Item = usize> {
        let first = self.first;
        (0..N).map(move |nth| (first + nth * Self::STRIDE) % Self::WORDS)
    }
}

impl<const N: usize> Workload for WriteMany<N> {
    const WORDS_USED: usize = N;
    const BATCH: u64 = if N >= 1_000 { 1 } else { 64 };

    fn words(_asked: usize) -> usize {
        Self::WORDS
    }

    fn new(thread: usize, _words: usize) -> Self {
        let () = Self::_DISTINCT;
        Self { first: 0, stamp: (thread as u64) << Self::SERIAL_BITS }
    }

    #[inline]
    fn draw(&mut self, random: &mut SmallRng) {
        self.first = index(random, Self::WORDS);
        self.stamp += 1;
    }

    /// The last transaction of all was the last of its thread, and nobody can have written over it.
    fn check(evidence: &Evidence<'_, Self>) -> Result<(), WrongAnswer> {
        for (transactions, last) in evidence.threads {
            let begun = last.stamp & ((1 << Self::SERIAL_BITS) - 1);
            WrongAnswer::unless_equal("the transactions of a thread", *transactions, begun)?;
        }
        let whole = evidence
            .threads
            .iter()
            .map(|(_, last)| last.indices().filter(|&index| evidence.after[index] == last.stamp).count())
            .max();
        WrongAnswer::unless_equal("the words written by the last transaction", N as u64, whole.unwrap_or(0) as u64)
    }
}

impl<const N: usize> Transaction for WriteMany<N> {
    #[inline]
    fn body<W: Words>(&self, words: &mut W) -> Result<u64, W::Abort> {
        for index in self.indices() {
            words.write(index, self.stamp)?;
        }
        Ok(0)
    }
}

impl<const N: usize, E: Engine> RunOn<E> for WriteMany<N> {
    #[inline]
    fn run(&mut self, engine: &E) {
        engine.run(self);
    }
}

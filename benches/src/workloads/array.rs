//! Reading and updating random words of an array.
//!
//! A transaction reads some words and adds one to others. All are drawn at random, evenly or by Zipf's law. With an
//! update share below 1, the other transactions read all of the words instead.

use rand::distr::Distribution;
use rand::rngs::SmallRng;
use rand_distr::Zipf;

use crate::engine::{Abilities, Engine, Thread, Tx, View};
use crate::workload::{Done, Workload, WrongAnswer, index};

/// What all words hold at first.
const FIRST_VALUE: u64 = 7;
/// A transaction uses at most so many words.
const MOST: usize = 256;

/// The workload.
#[derive(Clone, Copy, Debug)]
pub struct Array {
    /// How many words there are; a power of two.
    pub words: usize,
    /// How many of them a transaction reads.
    pub reads: usize,
    /// To how many of them it adds one.
    pub updates: usize,
    /// Which part of the transactions updates at all.
    pub share: f64,
    /// The exponent of Zipf's law; 0 if all words are alike.
    pub skew: f64,
    /// Whether the words of a transaction are distinct.
    pub is_distinct: bool,
    /// Whether a transaction that only reads says so.
    pub is_snapshot: bool,
}

impl Array {
    /// The size of the array, unless another one is asked for.
    pub const WORDS: usize = 1 << 16;

    /// Reads so many random words.
    #[must_use]
    pub const fn read(reads: usize) -> Self {
        Self { words: Self::WORDS, reads, updates: 0, share: 1.0, skew: 0.0, is_distinct: false, is_snapshot: false }
    }

    /// Reads so many random words, and says so.
    #[must_use]
    pub const fn snapshot(reads: usize) -> Self {
        Self { is_snapshot: true, ..Self::read(reads) }
    }

    /// Adds one to so many random words.
    #[must_use]
    pub const fn update(updates: usize) -> Self {
        Self { updates, ..Self::read(0) }
    }

    /// Reads 8 words and adds one to 2 others.
    #[must_use]
    pub const fn mixed() -> Self {
        Self { updates: 2, is_distinct: true, ..Self::read(8) }
    }

    /// Adds one to the only word there is.
    #[must_use]
    pub const fn counter() -> Self {
        Self::update(1).of(1)
    }

    /// The same on an array of so many words.
    #[must_use]
    pub const fn of(self, words: usize) -> Self {
        Self { words, ..self }
    }

    /// How many words a transaction uses.
    #[must_use]
    pub const fn used(&self) -> usize {
        self.reads + self.updates
    }
}

/// The words.
pub struct Words<E: Engine>(Box<[E::Cell<u64>]>);

impl<E: Engine> std::fmt::Debug for Words<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Words").field(&self.0.len()).finish()
    }
}

/// What a thread remembers.
#[derive(Debug)]
pub struct Drawn {
    indices: [u32; MOST],
    zipf: Option<Zipf<f64>>,
    updates: bool,
    /// Of all words read.
    sum: u64,
    /// Words added to.
    added: u64,
    /// Words read.
    read: u64,
}

#[cfg(test)]
impl Drawn {
    /// Forgets one word that was read.
    pub(crate) fn miscount(&mut self) {
        self.sum -= FIRST_VALUE;
    }
}

impl Array {
    fn is_distinct(indices: &[u32]) -> bool {
        let mut is_distinct = true;
        for (later, one) in indices.iter().enumerate() {
            for other in &indices[..later] {
                is_distinct &= one != other;
            }
        }
        is_distinct
    }
}

impl Workload for Array {
    const NEEDS: Abilities = Abilities { atomicity: true, ..Abilities::NONE };

    type Data<E: Engine> = Words<E>;
    type Worker = Drawn;
    type Account = u64;

    /// Words that nobody writes may as well be read one by one.
    fn needs(&self) -> Abilities {
        Abilities { atomicity: self.updates > 0, ..Self::NEEDS }
    }

    fn data<E: Engine>(&self, _threads: usize) -> Words<E> {
        Words((0..self.words).map(|_| E::cell(FIRST_VALUE)).collect())
    }

    fn worker(&self, _thread: usize, _threads: usize) -> Drawn {
        let zipf =
            (self.skew > 0.0).then(|| Zipf::new(self.words as f64, self.skew).expect("the exponent is positive"));
        Drawn { indices: [0; MOST], zipf, updates: true, sum: 0, added: 0, read: 0 }
    }

    fn batch(&self, _worker: &Self::Worker) -> u32 {
        (1_024 / self.used() as u32).clamp(1, 64)
    }

    #[inline]
    fn draw(&self, worker: &mut Drawn, random: &mut SmallRng) {
        let indices = &mut worker.indices[..self.used()];
        loop {
            match &worker.zipf {
                None => indices.iter_mut().for_each(|at| *at = index(random, self.words) as u32),
                // An odd factor spreads the frequent ones over the array.
                Some(zipf) => indices.iter_mut().for_each(|at| {
                    *at = (zipf.sample(random) as usize).wrapping_mul(40_503) as u32 & (self.words - 1) as u32;
                }),
            }
            if !self.is_distinct || Self::is_distinct(indices) {
                break;
            }
        }
        if self.share < 1.0 {
            worker.updates = (index(random, 1 << 20) as f64) < self.share * f64::from(1 << 20);
        }
    }

    #[inline]
    fn run<E: Engine>(&self, worker: &mut Drawn, thread: &mut Thread<'_, E, Words<E>>) -> Option<usize> {
        let all = &worker.indices[..self.used()];
        let (reads, updates) = if worker.updates { all.split_at(self.reads) } else { (all, &all[..0]) };
        let sum = if self.is_snapshot {
            thread.snapshot_on(
                |locks, words| reads.iter().for_each(|&index| locks.add(&words.0[index as usize])),
                |tx, words| {
                    let mut sum = 0_u64;
                    for &index in reads {
                        sum = sum.wrapping_add(tx.read(&words.0[index as usize])?);
                    }
                    Ok(sum)
                },
            )
        } else {
            thread.atomically_on(
                |locks, words| all.iter().for_each(|&index| locks.add(&words.0[index as usize])),
                |tx, words| {
                    let mut sum = 0_u64;
                    for &index in reads {
                        sum = sum.wrapping_add(tx.read(&words.0[index as usize])?);
                    }
                    for &index in updates {
                        tx.modify(&words.0[index as usize], |value| *value += 1)?;
                    }
                    Ok(sum)
                },
            )
        };
        worker.read += reads.len() as u64;
        worker.added += updates.len() as u64;
        worker.sum = worker.sum.wrapping_add(sum);
        Some(0)
    }

    fn check<E: Engine>(
        &self,
        added: &mut u64,
        thread: &mut Thread<'_, E, Words<E>>,
        done: &[Done<Drawn>],
    ) -> Result<(), WrongAnswer> {
        *added += done.iter().map(|done| done.worker.added).sum::<u64>();
        let found = (0..self.words).fold(0_u64, |sum, index| sum.wrapping_add(thread.load(|words| &words.0[index])));
        WrongAnswer::unless_equal("the sum of all words", self.words as u64 * FIRST_VALUE + *added, found)?;
        if self.updates == 0 {
            let read: u64 = done.iter().map(|done| done.worker.read).sum();
            let sum = done.iter().fold(0_u64, |sum, done| sum.wrapping_add(done.worker.sum));
            WrongAnswer::unless_equal("the sum of all that was read", FIRST_VALUE.wrapping_mul(read), sum)?;
        }
        Ok(())
    }
}

//! One random word of an array at a time, in the engine's own way for that, outside of transactions.

use rand::rngs::SmallRng;

use crate::engine::{Abilities, Engine, Thread};
use crate::workload::{Done, Workload, WrongAnswer, index};

/// What all words hold at first.
const FIRST_VALUE: u64 = 7;
/// Eight cells on each of 64 cache lines, so that what is measured is the access and not the memory.
const WORDS: usize = 512;

/// The workload.
#[derive(Clone, Copy, Debug)]
pub enum Single {
    /// Reads a word.
    Load,
    /// Adds one to a word.
    Add,
}

/// What a thread remembers.
#[derive(Debug)]
pub struct Drawn {
    index: usize,
    sum: u64,
}

impl Workload for Single {
    const NEEDS: Abilities = Abilities::NONE;

    type Data<E: Engine> = Box<[E::Cell<u64>]>;
    type Worker = Drawn;
    type Account = u64;

    fn data<E: Engine>(&self, _threads: usize) -> Box<[E::Cell<u64>]> {
        (0..WORDS).map(|_| E::cell(FIRST_VALUE)).collect()
    }

    fn worker(&self, _thread: usize, _threads: usize) -> Drawn {
        Drawn { index: 0, sum: 0 }
    }

    #[inline]
    fn draw(&self, worker: &mut Drawn, random: &mut SmallRng) {
        worker.index = index(random, WORDS);
    }

    #[inline]
    fn run<E: Engine>(&self, worker: &mut Drawn, thread: &mut Thread<'_, E, Box<[E::Cell<u64>]>>) -> Option<usize> {
        match self {
            Self::Load => worker.sum = worker.sum.wrapping_add(thread.load(|words| &words[worker.index])),
            Self::Add => thread.add(|words| &words[worker.index], 1),
        }
        Some(0)
    }

    fn check<E: Engine>(
        &self,
        added: &mut u64,
        thread: &mut Thread<'_, E, Box<[E::Cell<u64>]>>,
        done: &[Done<Drawn>],
    ) -> Result<(), WrongAnswer> {
        let count: u64 = done.iter().map(Done::transactions).sum();
        match self {
            Self::Load => {
                let sum: u64 = done.iter().map(|done| done.worker.sum).sum();
                WrongAnswer::unless_equal("the sum of all that was read", FIRST_VALUE * count, sum)
            }
            Self::Add => {
                *added += count;
                let sum: u64 = (0..WORDS).map(|index| thread.load(|words| &words[index])).sum();
                WrongAnswer::unless_equal("the sum of all words", WORDS as u64 * FIRST_VALUE + *added, sum)
            }
        }
    }
}

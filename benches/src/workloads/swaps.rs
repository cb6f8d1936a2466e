//! Swaps of random words of an array, some of them in one transaction (SPS).

use rand::rngs::SmallRng;

use crate::engine::{Abilities, Engine, Thread, Tx, View};
use crate::workload::{Done, Workload, WrongAnswer, index};

const WORDS: usize = 1 << 16;
const MOST: usize = 128;

/// So many swaps in a transaction, at most 128.
#[derive(Clone, Copy, Debug)]
pub struct Swaps(pub usize);

/// What a thread remembers: the pairs to swap.
#[derive(Debug)]
pub struct Pairs([(u32, u32); MOST]);

impl Workload for Swaps {
    const NEEDS: Abilities = Abilities { atomicity: true, ..Abilities::NONE };
    const KINDS: &'static [&'static str] = &["transactions"];

    type Data<E: Engine> = Box<[E::Cell<u64>]>;
    type Worker = Pairs;
    type Account = ();

    fn data<E: Engine>(&self, _threads: usize) -> Box<[E::Cell<u64>]> {
        (0..WORDS as u64).map(|index| E::cell(index)).collect()
    }

    fn worker(&self, _thread: usize, _threads: usize) -> Pairs {
        Pairs([(0, 0); MOST])
    }

    fn batch(&self, _worker: &Self::Worker) -> u32 {
        (256 / self.0 as u32).clamp(1, 64)
    }

    #[inline]
    fn draw(&self, worker: &mut Pairs, random: &mut SmallRng) {
        for pair in &mut worker.0[..self.0] {
            *pair = (index(random, WORDS) as u32, index(random, WORDS) as u32);
        }
    }

    #[inline]
    fn run<E: Engine>(&self, worker: &mut Pairs, thread: &mut Thread<'_, E, Box<[E::Cell<u64>]>>) -> Option<usize> {
        let pairs = &worker.0[..self.0];
        thread.atomically_on(
            |locks, words| {
                for &(one, other) in pairs {
                    locks.add(&words[one as usize]);
                    locks.add(&words[other as usize]);
                }
            },
            |tx, words| {
                for &(one, other) in pairs {
                    let (one, other) = (&words[one as usize], &words[other as usize]);
                    let was = tx.read(one)?;
                    let is = tx.read(other)?;
                    tx.write(one, is)?;
                    tx.write(other, was)?;
                }
                Ok(())
            },
        );
        Some(0)
    }

    fn check<E: Engine>(
        &self,
        (): &mut (),
        thread: &mut Thread<'_, E, Box<[E::Cell<u64>]>>,
        _done: &[Done<Pairs>],
    ) -> Result<(), WrongAnswer> {
        let mut found: Vec<u64> = (0..WORDS).map(|index| thread.load(|words| &words[index])).collect();
        found.sort_unstable();
        let lost = found.iter().enumerate().filter(|&(index, &value)| value != index as u64).count();
        WrongAnswer::unless_equal("the numbers lost by swapping", 0, lost)
    }
}

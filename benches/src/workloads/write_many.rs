//! Writing many words, far from each other, without having read them.

use rand::rngs::SmallRng;

use crate::engine::{Abilities, Engine, Thread, Tx};
use crate::workload::{Done, Workload, WrongAnswer, index};

const WORDS: usize = 1 << 17;
/// Odd, so that the words of a transaction are distinct; large, so that they are far from each other.
const STRIDE: usize = 40_503;
const _: () = assert!(STRIDE % 2 == 1 && WORDS.is_power_of_two());
/// The thread stands above these bits of a stamp, and how many transactions it has begun in them.
const SERIAL_BITS: u32 = 48;

/// Writes a number of its own to so many words.
#[derive(Clone, Copy, Debug)]
pub struct WriteMany(pub usize);

impl WriteMany {
    #[inline]
    fn indices(self, first: usize) -> impl Iterator<Item = usize> {
        (0..self.0).map(move |nth| (first + nth * STRIDE) % WORDS)
    }
}

/// What a thread remembers.
#[derive(Debug)]
pub struct Stamp {
    first: usize,
    stamp: u64,
}

impl Workload for WriteMany {
    const NEEDS: Abilities = Abilities { atomicity: true, ..Abilities::NONE };

    type Data<E: Engine> = Box<[E::Cell<u64>]>;
    type Worker = Stamp;
    type Account = ();

    fn data<E: Engine>(&self, _threads: usize) -> Box<[E::Cell<u64>]> {
        (0..WORDS).map(|_| E::cell(0)).collect()
    }

    fn worker(&self, thread: usize, _threads: usize) -> Stamp {
        Stamp { first: 0, stamp: (thread as u64 + 1) << SERIAL_BITS }
    }

    fn batch(&self, _worker: &Self::Worker) -> u32 {
        (640 / self.0 as u32).clamp(1, 64)
    }

    #[inline]
    fn draw(&self, worker: &mut Stamp, random: &mut SmallRng) {
        worker.first = index(random, WORDS);
        worker.stamp += 1;
    }

    #[inline]
    fn run<E: Engine>(&self, worker: &mut Stamp, thread: &mut Thread<'_, E, Box<[E::Cell<u64>]>>) -> Option<usize> {
        thread.atomically_on(
            |locks, words| self.indices(worker.first).for_each(|index| locks.add(&words[index])),
            |tx, words| {
                for index in self.indices(worker.first) {
                    tx.write(&words[index], worker.stamp)?;
                }
                Ok(())
            },
        );
        Some(0)
    }

    /// The last transaction of all was the last of its thread, and nobody can have written over it.
    fn check<E: Engine>(
        &self,
        (): &mut (),
        thread: &mut Thread<'_, E, Box<[E::Cell<u64>]>>,
        done: &[Done<Stamp>],
    ) -> Result<(), WrongAnswer> {
        for done in done {
            let begun = done.worker.stamp & ((1 << SERIAL_BITS) - 1);
            WrongAnswer::unless_equal("the transactions of a thread", done.transactions(), begun)?;
        }
        let words: Vec<u64> = (0..WORDS).map(|index| thread.load(|words| &words[index])).collect();
        let whole = done
            .iter()
            .map(|done| self.indices(done.worker.first).filter(|&index| words[index] == done.worker.stamp).count())
            .max();
        WrongAnswer::unless_equal("the words written by the last transaction", self.0, whole.unwrap_or(0))
    }
}

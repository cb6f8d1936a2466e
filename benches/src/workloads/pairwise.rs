//! Pairs of threads that add to the same 20 counters, one upwards and one downwards: what asks for a deadlock, or for
//! starvation.

use rand::rngs::SmallRng;

use crate::engine::{Abilities, Engine, Thread, Tx};
use crate::workload::{Done, Workload, WrongAnswer};

const COUNTERS: usize = 20;

/// The workload.
#[derive(Clone, Copy, Debug)]
pub struct Pairwise;

/// Which counters a thread uses, and how.
#[derive(Debug)]
pub struct Side {
    pair: usize,
    is_downwards: bool,
}

type Counters<E> = Box<[[<E as Engine>::Cell<u64>; COUNTERS]]>;

impl Workload for Pairwise {
    const NEEDS: Abilities = Abilities { atomicity: true, ..Abilities::NONE };
    const IS_FOR_THREADS: bool = true;

    type Data<E: Engine> = Counters<E>;
    type Worker = Side;
    /// Of each pair.
    type Account = Vec<u64>;

    fn data<E: Engine>(&self, threads: usize) -> Counters<E> {
        (0..threads.div_ceil(2)).map(|_| std::array::from_fn(|_| E::cell(0))).collect()
    }

    fn worker(&self, thread: usize, _threads: usize) -> Side {
        Side { pair: thread / 2, is_downwards: !thread.is_multiple_of(2) }
    }

    fn batch(&self, _worker: &Self::Worker) -> u32 {
        1
    }

    #[inline]
    fn draw(&self, _worker: &mut Side, _random: &mut SmallRng) {}

    #[inline]
    fn run<E: Engine>(&self, worker: &mut Side, thread: &mut Thread<'_, E, Counters<E>>) -> Option<usize> {
        let pair = worker.pair;
        thread.atomically_on(
            |locks, counters| counters[pair].iter().for_each(|counter| locks.add(counter)),
            |tx, counters| {
                for nth in 0..COUNTERS {
                    let nth = if worker.is_downwards { COUNTERS - 1 - nth } else { nth };
                    tx.modify(&counters[pair][nth], |value| *value += 1)?;
                }
                Ok(())
            },
        );
        Some(0)
    }

    fn check<E: Engine>(
        &self,
        counts: &mut Vec<u64>,
        thread: &mut Thread<'_, E, Counters<E>>,
        done: &[Done<Side>],
    ) -> Result<(), WrongAnswer> {
        counts.resize(done.len().div_ceil(2), 0);
        for done in done {
            counts[done.worker.pair] += done.transactions();
        }
        for (pair, &count) in counts.iter().enumerate() {
            for nth in 0..COUNTERS {
                WrongAnswer::unless_equal("a counter", count, thread.load(|counters| &counters[pair][nth]))?;
            }
        }
        Ok(())
    }
}

//! Sets of numbers, written on cells: what lookups and updates of a data structure cost.
//!
//! The nodes stand in an array, and links are indices into it. A node that was removed goes to the thread's own list of
//! free nodes once the transaction has committed, and may be used again at once: who still sees it as a part of
//! the set is running on a state that is gone, and cannot commit.

use parking_lot::Mutex;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use crate::engine::{Abilities, Data, Engine, Thread, Tx, View};
use crate::workload::{Done, Workload, WrongAnswer, index};

/// No node.
pub const NIL: u32 = u32::MAX;
/// A thread takes and gives so many free nodes at a time.
const CHUNK: usize = 64;

/// All nodes in use with their keys; or what is wrong with how they are linked.
pub type Walk = Result<Vec<(u32, u64)>, &'static str>;

/// A data structure. Its value holds the parameters.
pub trait Structure: Clone + Send + Sync + 'static {
    /// The cells.
    type Nodes<E: Engine>: Data;

    /// Keys are below this.
    fn range(&self) -> usize;

    /// Makes an empty one with room for so many nodes, of which the first is never free.
    fn nodes<E: Engine>(&self, capacity: usize) -> Self::Nodes<E>;

    /// Whether the key is in it.
    ///
    /// # Errors
    /// When the attempt must be run again.
    fn contains<'tx, E: Engine>(
        tx: &mut impl View<'tx, E>,
        nodes: &'tx Self::Nodes<E>,
        key: u64,
    ) -> Result<bool, E::Abort>;

    /// Puts the key in, and says whether it was not there. Then it has used the node `free`.
    ///
    /// # Errors
    /// When the attempt must be run again.
    fn insert<'tx, E: Engine>(
        tx: &mut impl Tx<'tx, E>,
        nodes: &'tx Self::Nodes<E>,
        key: u64,
        free: u32,
    ) -> Result<bool, E::Abort>;

    /// Takes the key out, and returns the node that is free then.
    ///
    /// # Errors
    /// When the attempt must be run again.
    fn remove<'tx, E: Engine>(
        tx: &mut impl Tx<'tx, E>,
        nodes: &'tx Self::Nodes<E>,
        key: u64,
    ) -> Result<Option<u32>, E::Abort>;

    /// Looks at all that is linked.
    ///
    /// # Errors
    /// When the attempt must be run again.
    fn walk<'tx, E: Engine>(tx: &mut impl View<'tx, E>, nodes: &'tx Self::Nodes<E>) -> Result<Walk, E::Abort>;
}

/// Lookups and updates of random keys in a structure that is half full.
#[derive(Clone, Copy, Debug)]
pub struct Set<S> {
    /// What it is on.
    pub structure: S,
    /// So many of a hundred operations insert or remove.
    pub updates: usize,
}

/// The structure, and its free nodes.
pub struct Shelf<S: Structure, E: Engine> {
    nodes: S::Nodes<E>,
    free: Mutex<Vec<u32>>,
}

impl<S: Structure, E: Engine> std::fmt::Debug for Shelf<S, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shelf").finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Contains,
    Insert,
    Remove,
}

/// What a thread remembers.
#[derive(Debug)]
pub struct Visitor {
    key: u64,
    operation: Operation,
    free: Vec<u32>,
    /// Keys put in, less those taken out: how many, and their sum.
    grown: (i64, i64),
    found: u64,
}

impl<S: Structure> Set<S> {
    const MOST_THREADS: usize = 64;

    fn capacity(&self) -> usize {
        1 + self.structure.range() + Self::MOST_THREADS * 4 * CHUNK
    }

    fn insert<E: Engine>(worker: &mut Visitor, thread: &mut Thread<'_, E, Shelf<S, E>>) {
        if worker.free.is_empty() {
            worker.free = thread.snapshot(|_, shelf| {
                let mut free = shelf.free.lock();
                let kept = free.len().saturating_sub(CHUNK);
                Ok(free.split_off(kept))
            });
        }
        let free = *worker.free.last().expect("there are nodes enough for all keys and threads");
        let key = worker.key;
        if thread.atomically(|tx, shelf| S::insert(tx, &shelf.nodes, key, free)) {
            worker.free.pop();
            worker.grown.0 += 1;
            worker.grown.1 += key as i64;
        }
    }

    fn remove<E: Engine>(worker: &mut Visitor, thread: &mut Thread<'_, E, Shelf<S, E>>) {
        let key = worker.key;
        let Some(free) = thread.atomically(|tx, shelf| S::remove(tx, &shelf.nodes, key)) else { return };
        worker.grown.0 -= 1;
        worker.grown.1 -= key as i64;
        worker.free.push(free);
        if worker.free.len() > 2 * CHUNK {
            let given = worker.free.split_off(CHUNK);
            thread.snapshot(|_, shelf| {
                shelf.free.lock().extend(&given);
                Ok(())
            });
        }
    }
}

impl<S: Structure> Workload for Set<S> {
    const NEEDS: Abilities = Abilities { atomicity: true, discovery: true, ..Abilities::NONE };
    const KINDS: &'static [&'static str] = &["operations"];

    type Data<E: Engine> = Shelf<S, E>;
    type Worker = Visitor;
    /// Keys in it: how many, and their sum. `None` until the first run.
    type Account = Option<(i64, i64)>;

    fn data<E: Engine>(&self, _threads: usize) -> Shelf<S, E> {
        let capacity = self.capacity();
        let free = (1..capacity as u32).rev().collect();
        Shelf { nodes: self.structure.nodes(capacity), free: Mutex::new(free) }
    }

    fn prepare<E: Engine>(&self, thread: &mut Thread<'_, E, Shelf<S, E>>) {
        let mut keys: Vec<u64> = (0..self.structure.range() as u64).step_by(2).collect();
        keys.shuffle(&mut SmallRng::seed_from_u64(1));
        let mut worker = self.worker(0, 1);
        for key in keys {
            worker.key = key;
            Self::insert(&mut worker, thread);
        }
        thread.snapshot(|_, shelf| {
            shelf.free.lock().extend(&worker.free);
            Ok(())
        });
    }

    fn worker(&self, thread: usize, _threads: usize) -> Visitor {
        assert!(thread < Self::MOST_THREADS, "there are nodes for {} threads", Self::MOST_THREADS);
        Visitor { key: 0, operation: Operation::Contains, free: Vec::with_capacity(3 * CHUNK), grown: (0, 0), found: 0 }
    }

    #[inline]
    fn draw(&self, worker: &mut Visitor, random: &mut SmallRng) {
        worker.key = index(random, self.structure.range()) as u64;
        worker.operation = match () {
            () if index(random, 100) >= self.updates => Operation::Contains,
            () if random.next_u64().is_multiple_of(2) => Operation::Insert,
            () => Operation::Remove,
        };
    }

    #[inline]
    fn run<E: Engine>(&self, worker: &mut Visitor, thread: &mut Thread<'_, E, Shelf<S, E>>) -> Option<usize> {
        match worker.operation {
            Operation::Contains => {
                let key = worker.key;
                worker.found += u64::from(thread.snapshot(|tx, shelf| S::contains(tx, &shelf.nodes, key)));
            }
            Operation::Insert => Self::insert(worker, thread),
            Operation::Remove => Self::remove(worker, thread),
        }
        Some(0)
    }

    fn check<E: Engine>(
        &self,
        account: &mut Option<(i64, i64)>,
        thread: &mut Thread<'_, E, Shelf<S, E>>,
        done: &[Done<Visitor>],
    ) -> Result<(), WrongAnswer> {
        let range = self.structure.range() as i64;
        let mut expected = account.unwrap_or(((range + 1) / 2, (0..range).step_by(2).sum()));
        for done in done {
            expected.0 += done.worker.grown.0;
            expected.1 += done.worker.grown.1;
        }
        let capacity = self.capacity();
        let walked = thread.atomically(|tx, shelf| {
            let walked = S::walk(tx, &shelf.nodes)?;
            if let Ok(in_use) = &walked {
                // The lists of the threads are gone: what is not in use is free.
                let mut is_free = vec![true; capacity];
                is_free[0] = false;
                in_use.iter().for_each(|&(node, _)| is_free[node as usize] = false);
                *shelf.free.lock() = (1..capacity as u32).filter(|&node| is_free[node as usize]).collect();
            }
            Ok(walked)
        });
        let mut keys: Vec<u64> = match walked {
            Ok(in_use) => in_use.into_iter().map(|(_, key)| key).collect(),
            Err(why) => return WrongAnswer::unless(why, false),
        };
        WrongAnswer::unless_equal("the number of keys", expected.0, keys.len() as i64)?;
        WrongAnswer::unless_equal("the sum of the keys", expected.1, keys.iter().map(|&key| key as i64).sum())?;
        keys.sort_unstable();
        keys.dedup();
        WrongAnswer::unless_equal("the number of different keys", expected.0, keys.len() as i64)?;
        *account = Some(expected);
        Ok(())
    }
}

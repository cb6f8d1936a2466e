//! A queue in a ring.

use crossbeam_utils::CachePadded;

use crate::engine::{Engine, Tx};

/// A queue of numbers, of a fixed capacity.
pub(super) struct Queue<E: Engine> {
    /// How many were taken, and how many were put, ever.
    taken: CachePadded<E::Cell<u64>>,
    put: CachePadded<E::Cell<u64>>,
    ring: Box<[E::Cell<u32>]>,
}

debug_by_name!(Queue);

impl<E: Engine> Queue<E> {
    /// Makes a queue with these in it, for so many.
    pub(super) fn new(first: &[u32], capacity: usize) -> Self {
        let empty = capacity.saturating_sub(first.len());
        Self {
            taken: CachePadded::new(E::cell(0)),
            put: CachePadded::new(E::cell(first.len() as u64)),
            ring: first.iter().copied().chain((0..empty).map(|_| 0)).map(|number| E::cell(number)).collect(),
        }
    }

    fn place(&self, position: u64) -> &E::Cell<u32> {
        &self.ring[(position % self.ring.len() as u64) as usize]
    }

    /// Takes the first one, if there is one.
    pub(super) fn take<'tx>(&'tx self, tx: &mut impl Tx<'tx, E>) -> Result<Option<u32>, E::Abort> {
        let taken = tx.read(&self.taken)?;
        if taken == tx.read(&self.put)? {
            return Ok(None);
        }
        let number = tx.read(self.place(taken))?;
        tx.write(&self.taken, taken + 1)?;
        Ok(Some(number))
    }

    /// Puts one at the end.
    pub(super) fn put<'tx>(&'tx self, tx: &mut impl Tx<'tx, E>, number: u32) -> Result<(), E::Abort> {
        let put = tx.read(&self.put)?;
        if put - tx.read(&self.taken)? >= self.ring.len() as u64 {
            // The ring has room for all that can be in it at once.
            return tx.torn();
        }
        tx.write(self.place(put), number)?;
        tx.write(&self.put, put + 1)
    }
}

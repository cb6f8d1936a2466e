//! The cells that a transaction will use, for engines that must know them before.

use std::fmt;
use std::marker::PhantomData;

use parking_lot::{Mutex, MutexGuard};
use smallvec::SmallVec;

use super::{Engine, Value};

/// So many locks stand in place; a larger transaction allocates.
const IN_PLACE: usize = 32;

/// The locks of the cells that a transaction will use.
pub struct Footprint<'a, E> {
    locks: SmallVec<[&'a Mutex<()>; IN_PLACE]>,
    engine: PhantomData<fn() -> E>,
}

impl<E> fmt::Debug for Footprint<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Footprint").field("locks", &self.locks.len()).finish()
    }
}

impl<'a, E: Engine> Footprint<'a, E> {
    pub(super) fn new() -> Self {
        Self { locks: SmallVec::new(), engine: PhantomData }
    }

    /// Adds a cell. It may be there already.
    #[inline]
    pub fn add<T: Value>(&mut self, cell: &'a E::Cell<T>) {
        E::add_to_footprint(self, cell);
    }

    #[inline]
    pub(super) fn add_lock(&mut self, lock: &'a Mutex<()>) {
        self.locks.push(lock);
    }

    /// Takes all locks in the order of their addresses, so that nobody waits in a circle.
    #[inline]
    pub(super) fn lock(mut self) -> SmallVec<[MutexGuard<'a, ()>; IN_PLACE]> {
        self.locks.sort_unstable_by_key(|&lock| std::ptr::from_ref(lock));
        self.locks.dedup_by_key(|lock| std::ptr::from_ref(*lock));
        self.locks.iter().map(|lock| lock.lock()).collect()
    }
}

//! Fine-grained locks, taken in the order of their addresses before a transaction begins.
//!
//! So there is no deadlock, and transactions on other cells run in parallel. The cells must be known before.

use std::convert::Infallible;
use std::fmt;
use std::marker::PhantomData;

use parking_lot::Mutex;

use super::{Abilities, Data, Engine, Footprint, Plain, Tx, Value, View};

/// Where the locks stand.
pub trait Placement: Sized + Send + Sync + fmt::Debug + 'static {
    /// What stands in each cell.
    type InCell: Default + Send + Sync + fmt::Debug + 'static;

    /// The lock of a cell, given what stands in it.
    fn lock(in_cell: &Self::InCell) -> &Mutex<()>;
}

/// Cells with locks.
#[derive(Debug)]
pub struct Sorted<P>(PhantomData<P>);

/// A lock in each cell.
pub type ObjectLocks = Sorted<InEach>;
/// 1,024 locks in a table, found by the address of the cell.
pub type StripedLocks = Sorted<InTable>;

/// Locks that stand in the cells.
#[derive(Debug)]
pub struct InEach;

impl Placement for InEach {
    type InCell = Mutex<()>;

    #[inline]
    fn lock(in_cell: &Mutex<()>) -> &Mutex<()> {
        in_cell
    }
}

/// Locks that stand in a table.
#[derive(Debug)]
pub struct InTable;

const STRIPES: usize = 1_024;

/// On a cache line of its own, so that threads with different locks do not disturb each other.
#[derive(Debug)]
#[repr(align(128))]
struct Stripe(Mutex<()>);

static TABLE: [Stripe; STRIPES] = [const { Stripe(Mutex::new(())) }; STRIPES];

impl Placement for InTable {
    type InCell = Nothing;

    #[inline]
    fn lock(in_cell: &Nothing) -> &Mutex<()> {
        let address = std::ptr::from_ref(in_cell).addr() as u64;
        // Fibonacci hashing: the upper bits of the product depend on all bits of the address.
        let hash = (address >> 3).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        &TABLE[(hash >> (64 - STRIPES.ilog2())) as usize].0
    }
}

/// Nothing: the address of the cell says which lock is its.
#[derive(Debug, Default)]
pub struct Nothing;

/// A cell of [`Sorted`].
#[derive(Debug)]
pub struct Cell<T: Value, P: Placement> {
    in_cell: P::InCell,
    value: T::Plain,
}

impl<T: Value, P: Placement> Cell<T, P> {
    #[inline]
    fn value(&self) -> &T::Plain {
        debug_assert!(P::lock(&self.in_cell).is_locked(), "a cell is used that is missing in the footprint");
        &self.value
    }
}

/// The cells while their locks are held.
#[derive(Debug)]
pub struct Held(());

impl<'tx, P: Placement> View<'tx, Sorted<P>> for Held {
    #[inline]
    fn read<T: Value>(&mut self, cell: &'tx Cell<T, P>) -> Result<T, Infallible> {
        Ok(cell.value().get())
    }

    #[inline]
    fn look<T: Value, R>(&mut self, cell: &'tx Cell<T, P>, look: impl FnOnce(&T) -> R) -> Result<R, Infallible> {
        Ok(cell.value().look(look))
    }

    fn torn<R>(&mut self) -> Result<R, Infallible> {
        panic!("a transaction has seen a state that never was, under locks")
    }
}

impl<'tx, P: Placement> Tx<'tx, Sorted<P>> for Held {
    #[inline]
    fn write<T: Value>(&mut self, cell: &'tx Cell<T, P>, value: T) -> Result<(), Infallible> {
        cell.value().set(value);
        Ok(())
    }

    #[inline]
    fn modify<T: Value, R>(
        &mut self,
        cell: &'tx Cell<T, P>,
        change: impl FnOnce(&mut T) -> R,
    ) -> Result<R, Infallible> {
        Ok(cell.value().edit(change))
    }

    fn retry<R>(&mut self) -> Result<R, Infallible> {
        unreachable!("{UNKNOWN}")
    }
}

const UNKNOWN: &str = "an engine is not paired with a workload that asks for more than it can do";

impl<P: Placement> Engine for Sorted<P> {
    const ABILITIES: Abilities = Abilities { discovery: false, waiting: false, ..Abilities::ALL };

    type Cell<T: Value> = Cell<T, P>;
    type World<D: Data> = D;
    type Session<'w, D: Data> = &'w D;
    type Tx<'tx> = Held;
    type View<'tx> = Held;
    type Abort = Infallible;

    fn cell<T: Value>(value: T) -> Self::Cell<T> {
        Cell { in_cell: P::InCell::default(), value: T::Plain::new(value) }
    }

    fn world<D: Data>(data: D) -> D {
        data
    }

    fn enter<D: Data>(world: &D) -> &D {
        world
    }

    fn atomically<D: Data, R>(
        _session: &mut &D,
        _body: impl for<'tx> Fn(&mut Held, &'tx D) -> Result<R, Infallible>,
    ) -> R {
        unreachable!("{UNKNOWN}")
    }

    fn snapshot<D: Data, R>(
        _session: &mut &D,
        _body: impl for<'tx> Fn(&mut Held, &'tx D) -> Result<R, Infallible>,
    ) -> R {
        unreachable!("{UNKNOWN}")
    }

    #[inline]
    fn atomically_on<D: Data, R>(
        session: &mut &D,
        footprint: impl for<'a> Fn(&mut Footprint<'a, Self>, &'a D),
        body: impl for<'tx> Fn(&mut Held, &'tx D) -> Result<R, Infallible>,
    ) -> R {
        let data = *session;
        let mut locks = Footprint::new();
        footprint(&mut locks, data);
        let guards = locks.lock();
        let Ok(result) = body(&mut Held(()), data);
        drop(guards);
        result
    }

    #[inline]
    fn snapshot_on<D: Data, R>(
        session: &mut &D,
        footprint: impl for<'a> Fn(&mut Footprint<'a, Self>, &'a D),
        body: impl for<'tx> Fn(&mut Held, &'tx D) -> Result<R, Infallible>,
    ) -> R {
        Self::atomically_on(session, footprint, body)
    }

    #[inline]
    fn load<D: Data>(session: &mut &D, pick: impl Fn(&D) -> &Self::Cell<u64>) -> u64 {
        let cell = pick(session);
        let _guard = P::lock(&cell.in_cell).lock();
        cell.value().get()
    }

    #[inline]
    fn add<D: Data>(session: &mut &D, pick: impl Fn(&D) -> &Self::Cell<u64>, amount: u64) {
        let cell = pick(session);
        let _guard = P::lock(&cell.in_cell).lock();
        cell.value().edit(|value: &mut u64| *value += amount);
    }

    #[inline]
    fn add_to_footprint<'a, T: Value>(footprint: &mut Footprint<'a, Self>, cell: &'a Self::Cell<T>) {
        footprint.add_lock(P::lock(&cell.in_cell));
    }
}

//! An engine that is wrong: one lock, but now and then a write is lost. It shows that wrong answers are found out.

use std::cell::Cell;

use super::guarded::{Alone, GlobalMutex, OneMutex, Reader, Session, Waits};
use super::{Abilities, Data, Engine, Tx, Value, View};

/// One of so many writes is lost.
const LOST: u32 = 101;

thread_local! {
    static WRITES: Cell<u32> = const { Cell::new(0) };
}

#[derive(Debug)]
pub(crate) struct Forgetful;

fn is_lost() -> bool {
    WRITES.with(|writes| {
        writes.set(writes.get() + 1);
        writes.get().is_multiple_of(LOST)
    })
}

/// A transaction that loses writes.
pub(crate) struct Losing<'tx>(Alone<'tx, OneMutex>);

impl<'tx> View<'tx, Forgetful> for Losing<'tx> {
    fn read<T: Value>(&mut self, cell: &'tx <GlobalMutex as Engine>::Cell<T>) -> Result<T, Waits> {
        self.0.read(cell)
    }

    fn look<T: Value, R>(
        &mut self,
        cell: &'tx <GlobalMutex as Engine>::Cell<T>,
        look: impl FnOnce(&T) -> R,
    ) -> Result<R, Waits> {
        self.0.look(cell, look)
    }

    fn torn<R>(&mut self) -> Result<R, Waits> {
        panic!("found out")
    }
}

impl<'tx> View<'tx, Forgetful> for Reader<'tx, OneMutex> {
    fn read<T: Value>(&mut self, cell: &'tx <GlobalMutex as Engine>::Cell<T>) -> Result<T, Waits> {
        View::<GlobalMutex>::read(self, cell)
    }

    fn look<T: Value, R>(
        &mut self,
        cell: &'tx <GlobalMutex as Engine>::Cell<T>,
        look: impl FnOnce(&T) -> R,
    ) -> Result<R, Waits> {
        View::<GlobalMutex>::look(self, cell, look)
    }

    fn torn<R>(&mut self) -> Result<R, Waits> {
        panic!("found out")
    }
}

impl<'tx> Tx<'tx, Forgetful> for Losing<'tx> {
    fn write<T: Value>(&mut self, cell: &'tx <GlobalMutex as Engine>::Cell<T>, value: T) -> Result<(), Waits> {
        if is_lost() { Ok(()) } else { self.0.write(cell, value) }
    }

    fn modify<T: Value, R>(
        &mut self,
        cell: &'tx <GlobalMutex as Engine>::Cell<T>,
        change: impl FnOnce(&mut T) -> R,
    ) -> Result<R, Waits> {
        if is_lost() { self.0.read(cell).map(|mut value| change(&mut value)) } else { self.0.modify(cell, change) }
    }

    fn retry<R>(&mut self) -> Result<R, Waits> {
        Err(Waits)
    }
}

impl Engine for Forgetful {
    const ABILITIES: Abilities = Abilities::ALL;

    type Cell<T: Value> = <GlobalMutex as Engine>::Cell<T>;
    type World<D: Data> = D;
    type Session<'w, D: Data> = Session<'w, OneMutex, D>;
    type Tx<'tx> = Losing<'tx>;
    type View<'tx> = Reader<'tx, OneMutex>;
    type Abort = Waits;

    fn cell<T: Value>(value: T) -> Self::Cell<T> {
        GlobalMutex::cell(value)
    }

    fn world<D: Data>(data: D) -> D {
        data
    }

    fn enter<D: Data>(world: &D) -> Self::Session<'_, D> {
        GlobalMutex::enter(world)
    }

    fn atomically<D: Data, R>(
        session: &mut Self::Session<'_, D>,
        body: impl for<'tx> Fn(&mut Losing<'tx>, &'tx D) -> Result<R, Waits>,
    ) -> R {
        session.alone(|owner, data| body(&mut Losing(Alone::new(owner)), data).expect("no other transaction waits"))
    }

    fn snapshot<D: Data, R>(
        session: &mut Self::Session<'_, D>,
        body: impl for<'tx> Fn(&mut Reader<'tx, OneMutex>, &'tx D) -> Result<R, Waits>,
    ) -> R {
        GlobalMutex::snapshot(session, body)
    }

    fn atomically_or_wait<D: Data, R>(
        session: &mut Self::Session<'_, D>,
        body: impl for<'tx> Fn(&mut Losing<'tx>, &'tx D) -> Result<R, Waits>,
    ) -> R {
        session.alone_or_wait(|owner, data| body(&mut Losing(Alone::new(owner)), data))
    }
}

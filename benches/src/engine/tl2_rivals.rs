//! `xstm` and `kovan-stm`, which are TL2 as Optimist is.
//!
//! Both can only start again at once when they would have to wait, so they are not paired with workloads that sleep.
#![cfg(feature = "rivals")]

use std::fmt;
use std::marker::PhantomData;

use super::{Abilities, Data, Engine, Plain, Tx, Value, View};

/// The crate `xstm`. Its values are `Copy`; here they are words.
#[derive(Debug)]
pub struct Xstm;

/// A variable of `xstm`.
pub struct XstmCell<T> {
    variable: xstm::TVar<u64>,
    value: PhantomData<fn() -> T>,
}

impl<T> fmt::Debug for XstmCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("XstmCell").finish_non_exhaustive()
    }
}

/// The data, with the clock that belongs to it.
pub struct XstmWorld<D> {
    stm: xstm::Stm,
    data: D,
}

impl<D> fmt::Debug for XstmWorld<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("XstmWorld").finish_non_exhaustive()
    }
}

/// A transaction as `xstm` wants it, which borrows its variables from `self`.
struct Body<'w, D, F> {
    data: &'w D,
    body: F,
}

impl<D, R, F> xstm::Transaction for Body<'_, D, F>
where
    F: for<'tx> Fn(&mut xstm::Context<'tx>, &'tx D) -> Result<R, xstm::StmError>,
{
    type Output = R;

    #[inline]
    fn atomically<'this: 'var, 'var>(&'this self, context: &mut xstm::Context<'var>) -> Result<R, xstm::StmError> {
        (self.body)(context, self.data)
    }
}

impl<'tx> View<'tx, Xstm> for xstm::Context<'tx> {
    #[inline]
    fn read<T: Value>(&mut self, cell: &'tx XstmCell<T>) -> Result<T, xstm::StmError> {
        xstm::Context::read(self, &cell.variable).map(T::Plain::value)
    }

    #[inline]
    fn look<T: Value, R>(&mut self, cell: &'tx XstmCell<T>, look: impl FnOnce(&T) -> R) -> Result<R, xstm::StmError> {
        xstm::Context::read(self, &cell.variable).map(|word| look(&T::Plain::value(word)))
    }

    fn torn<R>(&mut self) -> Result<R, xstm::StmError> {
        panic!("xstm has shown a state that never was")
    }
}

impl<'tx> Tx<'tx, Xstm> for xstm::Context<'tx> {
    #[inline]
    fn write<T: Value>(&mut self, cell: &'tx XstmCell<T>, value: T) -> Result<(), xstm::StmError> {
        xstm::Context::write(self, &cell.variable, T::Plain::word(value))
    }

    #[inline]
    fn modify<T: Value, R>(
        &mut self,
        cell: &'tx XstmCell<T>,
        change: impl FnOnce(&mut T) -> R,
    ) -> Result<R, xstm::StmError> {
        let mut value = T::Plain::value(xstm::Context::read(self, &cell.variable)?);
        let result = change(&mut value);
        xstm::Context::write(self, &cell.variable, T::Plain::word(value))?;
        Ok(result)
    }

    fn retry<R>(&mut self) -> Result<R, xstm::StmError> {
        Err(xstm::StmError::Retry)
    }
}

impl Engine for Xstm {
    const ABILITIES: Abilities = Abilities { waiting: false, boxes: false, ..Abilities::ALL };

    type Cell<T: Value> = XstmCell<T>;
    type World<D: Data> = XstmWorld<D>;
    type Session<'w, D: Data> = &'w XstmWorld<D>;
    type Tx<'tx> = xstm::Context<'tx>;
    type View<'tx> = xstm::Context<'tx>;
    type Abort = xstm::StmError;

    fn cell<T: Value>(value: T) -> XstmCell<T> {
        XstmCell { variable: xstm::TVar::new(T::Plain::word(value)), value: PhantomData }
    }

    fn world<D: Data>(data: D) -> XstmWorld<D> {
        XstmWorld { stm: xstm::Stm::new(), data }
    }

    fn enter<D: Data>(world: &XstmWorld<D>) -> &XstmWorld<D> {
        world
    }

    #[inline]
    fn atomically<D: Data, R>(
        session: &mut &XstmWorld<D>,
        body: impl for<'tx> Fn(&mut Self::Tx<'tx>, &'tx D) -> Result<R, Self::Abort>,
    ) -> R {
        session.stm.atomically(Body { data: &session.data, body })
    }

    #[inline]
    fn snapshot<D: Data, R>(
        session: &mut &XstmWorld<D>,
        body: impl for<'tx> Fn(&mut Self::View<'tx>, &'tx D) -> Result<R, Self::Abort>,
    ) -> R {
        Self::atomically(session, body)
    }
}

/// The crate `kovan-stm`.
///
/// The lifetime of its transactions has no name in the closure that it runs, so data that lives for as long as one
/// cannot be told from data that does not. The data is leaked, and lives for ever.
#[derive(Debug)]
pub struct KovanStm;

/// A variable of `kovan-stm`.
pub struct KovanCell<T: Value>(kovan_stm::TVar<T>);

impl<T: Value> fmt::Debug for KovanCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KovanCell").finish_non_exhaustive()
    }
}

impl<'tx> View<'tx, KovanStm> for kovan_stm::Transaction<'tx> {
    #[inline]
    fn read<T: Value>(&mut self, cell: &'tx KovanCell<T>) -> Result<T, kovan_stm::StmError> {
        self.load(&cell.0)
    }

    #[inline]
    fn look<T: Value, R>(
        &mut self,
        cell: &'tx KovanCell<T>,
        look: impl FnOnce(&T) -> R,
    ) -> Result<R, kovan_stm::StmError> {
        self.load(&cell.0).map(|value| look(&value))
    }

    fn torn<R>(&mut self) -> Result<R, kovan_stm::StmError> {
        panic!("kovan-stm has shown a state that never was")
    }
}

impl<'tx> Tx<'tx, KovanStm> for kovan_stm::Transaction<'tx> {
    #[inline]
    fn write<T: Value>(&mut self, cell: &'tx KovanCell<T>, value: T) -> Result<(), kovan_stm::StmError> {
        self.store(&cell.0, value)
    }

    #[inline]
    fn modify<T: Value, R>(
        &mut self,
        cell: &'tx KovanCell<T>,
        change: impl FnOnce(&mut T) -> R,
    ) -> Result<R, kovan_stm::StmError> {
        let mut value = self.load(&cell.0)?;
        let result = change(&mut value);
        self.store(&cell.0, value)?;
        Ok(result)
    }

    fn retry<R>(&mut self) -> Result<R, kovan_stm::StmError> {
        Err(kovan_stm::StmError::Retry)
    }
}

impl Engine for KovanStm {
    const ABILITIES: Abilities = Abilities { waiting: false, ..Abilities::ALL };

    type Cell<T: Value> = KovanCell<T>;
    type World<D: Data> = &'static D;
    type Session<'w, D: Data> = &'static D;
    type Tx<'tx> = kovan_stm::Transaction<'tx>;
    type View<'tx> = kovan_stm::Transaction<'tx>;
    type Abort = kovan_stm::StmError;

    fn cell<T: Value>(value: T) -> KovanCell<T> {
        KovanCell(kovan_stm::TVar::new(value))
    }

    fn world<D: Data>(data: D) -> &'static D {
        Box::leak(Box::new(data))
    }

    fn enter<D: Data>(world: &&'static D) -> &'static D {
        world
    }

    #[inline]
    fn atomically<D: Data, R>(
        session: &mut &'static D,
        body: impl for<'tx> Fn(&mut Self::Tx<'tx>, &'tx D) -> Result<R, Self::Abort>,
    ) -> R {
        let data = *session;
        kovan_stm::atomically(|tx| body(tx, data))
    }

    #[inline]
    fn snapshot<D: Data, R>(
        session: &mut &'static D,
        body: impl for<'tx> Fn(&mut Self::View<'tx>, &'tx D) -> Result<R, Self::Abort>,
    ) -> R {
        Self::atomically(session, body)
    }
}

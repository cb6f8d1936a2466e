//! `async-stm`, whose transactions are futures.
//!
//! A transaction that does not wait is ready at the first poll, so that is done by hand; only for one that waits the
//! thread parks.
#![cfg(feature = "rivals")]

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use super::{Abilities, Data, Engine, Tx, Value, View};

/// The crate `async-stm`.
#[derive(Debug)]
pub struct AsyncStm;

/// Why an attempt of `async-stm` has ended.
pub struct Control(async_stm::StmControl);

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            async_stm::StmControl::Failure => "Failure",
            async_stm::StmControl::Retry => "Retry",
        })
    }
}

/// A variable of `async-stm`.
pub struct AsyncCell<T>(async_stm::TVar<T>);

impl<T> fmt::Debug for AsyncCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncCell").finish_non_exhaustive()
    }
}

/// Stands for the transaction, which `async-stm` keeps in a variable of the thread.
#[derive(Debug)]
pub struct OfThread(());

impl<'tx> View<'tx, AsyncStm> for OfThread {
    #[inline]
    fn read<T: Value>(&mut self, cell: &'tx AsyncCell<T>) -> Result<T, Control> {
        cell.0.read_clone().map_err(Control)
    }

    #[inline]
    fn look<T: Value, R>(&mut self, cell: &'tx AsyncCell<T>, look: impl FnOnce(&T) -> R) -> Result<R, Control> {
        cell.0.read().map(|value| look(&value)).map_err(Control)
    }

    fn torn<R>(&mut self) -> Result<R, Control> {
        panic!("async-stm has shown a state that never was")
    }
}

impl<'tx> Tx<'tx, AsyncStm> for OfThread {
    #[inline]
    fn write<T: Value>(&mut self, cell: &'tx AsyncCell<T>, value: T) -> Result<(), Control> {
        cell.0.write(value).map_err(Control)
    }

    #[inline]
    fn modify<T: Value, R>(&mut self, cell: &'tx AsyncCell<T>, change: impl FnOnce(&mut T) -> R) -> Result<R, Control> {
        let mut result = None;
        cell.0.update_mut(|value| result = Some(change(value))).map_err(Control)?;
        Ok(result.expect("`update_mut` calls its function"))
    }

    fn retry<R>(&mut self) -> Result<R, Control> {
        async_stm::retry().map_err(Control)
    }
}

struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[inline]
fn block_on<R>(transaction: impl Future<Output = R>) -> R {
    let mut transaction = pin!(transaction);
    if let Poll::Ready(result) = transaction.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        return result;
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        // Polled again at once: the first waker could not wake anybody.
        if let Poll::Ready(result) = transaction.as_mut().poll(&mut Context::from_waker(&waker)) {
            return result;
        }
        thread::park();
    }
}

impl Engine for AsyncStm {
    const ABILITIES: Abilities = Abilities::ALL;

    type Cell<T: Value> = AsyncCell<T>;
    type World<D: Data> = D;
    type Session<'w, D: Data> = &'w D;
    type Tx<'tx> = OfThread;
    type View<'tx> = OfThread;
    type Abort = Control;

    fn cell<T: Value>(value: T) -> AsyncCell<T> {
        AsyncCell(async_stm::TVar::new(value))
    }

    fn world<D: Data>(data: D) -> D {
        data
    }

    fn enter<D: Data>(world: &D) -> &D {
        world
    }

    #[inline]
    fn atomically<D: Data, R>(
        session: &mut &D,
        body: impl for<'tx> Fn(&mut OfThread, &'tx D) -> Result<R, Control>,
    ) -> R {
        block_on(async_stm::atomically(|| body(&mut OfThread(()), session).map_err(|control| control.0)))
    }

    #[inline]
    fn snapshot<D: Data, R>(
        session: &mut &D,
        body: impl for<'tx> Fn(&mut OfThread, &'tx D) -> Result<R, Control>,
    ) -> R {
        Self::atomically(session, body)
    }
}

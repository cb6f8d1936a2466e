//! The ways there are to wait for a cell, for tests that go through all of them.

use std::fmt;
use std::time::Duration;

use futures::executor::block_on;
use optimist::{Atomically, Stm, Stopped, TVar, Tx};

/// Longer than a thread that was woken takes to run, also on a busy machine.
pub const LATE: Duration = Duration::from_secs(10);
/// A value that ends every wait.
pub const STOP: u64 = u64::MAX;

/// What is waited for.
pub struct Watch<'a> {
    cell: &'a TVar<u64>,
    value: u64,
    /// A cell that nobody writes.
    idle: TVar<u64>,
    hook: &'a dyn Fn(&mut Tx<'_>),
}

impl fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("value", &self.value).finish_non_exhaustive()
    }
}

impl<'a> Watch<'a> {
    /// Waits until `cell` holds `value` or [`STOP`].
    #[must_use]
    pub fn new(cell: &'a TVar<u64>, value: u64) -> Self {
        Self { cell, value, idle: TVar::new(0), hook: &|_| () }
    }

    /// Has `hook` called in every attempt, when the cell has been read.
    #[must_use]
    pub fn with_hook(self, hook: &'a dyn Fn(&mut Tx<'_>)) -> Self {
        Self { hook, ..self }
    }

    /// Retries unless the cell holds what is waited for, which is returned.
    ///
    /// # Errors
    /// When the attempt is over.
    pub fn expect(&self, tx: &mut Tx<'_>) -> Stm<u64> {
        let seen = self.cell.read(tx)?;
        (self.hook)(tx);
        tx.check(seen == self.value || seen == STOP)?;
        Ok(seen)
    }

    /// A branch that never goes on.
    ///
    /// # Errors
    /// Always.
    pub fn never(&self, tx: &mut Tx<'_>) -> Stm<u64> {
        self.idle.read(tx)?;
        tx.retry()
    }
}

/// A way to wait; returns what the cell holds then.
pub type Wait = (&'static str, fn(Atomically, &Watch<'_>) -> Result<u64, Stopped>);

/// The ways to wait for a cell.
pub const WAITS: [Wait; 6] = [
    ("a transaction", |limits, watch| limits.run(|tx| watch.expect(tx))),
    ("the first branch", |limits, watch| limits.run(|tx| tx.or_else(|tx| watch.expect(tx), |tx| watch.never(tx)))),
    ("the second branch", |limits, watch| limits.run(|tx| tx.or_else(|tx| watch.never(tx), |tx| watch.expect(tx)))),
    ("a transaction that has written", |limits, watch| {
        let own = TVar::new(0);
        limits.run(|tx| {
            own.write(tx, 1)?;
            watch.expect(tx)
        })
    }),
    ("a task", |limits, watch| block_on(limits.run_async(|tx| watch.expect(tx)))),
    ("a task in its second branch", |limits, watch| {
        block_on(limits.run_async(|tx| tx.or_else(|tx| watch.never(tx), |tx| watch.expect(tx))))
    }),
];

//! Savepoints: parts of a transaction that are undone alone.
//!
//! A savepoint remembers how far the write set and the hooks had got. What was read stays in the read set, whatever
//! happens to the part: the decision to undo it was taken on those reads, so the transaction may only commit, and
//! must only wait, on their account (no write skew through `or_else`, no lost wake-up).
//!
//! `or_else` is due to T. Harris, S. Marlow, S. Peyton Jones, M. Herlihy, *Composable Memory Transactions*, PPoPP
//! 2005.

use crate::chaos;
use crate::error::{Cancel, Cause, Stm, TxError, sealed::Sealed as _};
use crate::tx::Tx;
use crate::write_set::Mark;

/// A part of an attempt; undone when dropped, unless kept.
struct Savepoint<'a, 'tx> {
    tx: &'a mut Tx<'tx>,
    mark: Mark,
    hooks: usize,
    kept: bool,
}

impl<'a, 'tx> Savepoint<'a, 'tx> {
    fn new(tx: &'a mut Tx<'tx>) -> Self {
        tx.state.disturb();
        let mark = tx.state.writes.mark();
        let hooks = tx.state.hooks.len();
        Self { tx, mark, hooks, kept: false }
    }

    fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Savepoint<'_, '_> {
    fn drop(&mut self) {
        if self.kept {
            self.tx.state.writes.keep(self.mark);
        } else {
            self.tx.state.writes.roll_back(self.mark);
            self.tx.state.hooks.undo_since(self.hooks);
        }
    }
}

impl<'tx> Tx<'tx> {
    /// Runs `first`; if it [retries](Self::retry), undoes what it wrote and runs `second` instead.
    ///
    /// When both retry, the transaction waits for what either has read. Alternatives nest to any depth. Both branches
    /// may return a [`Stm`], or a [`TryStm`](crate::TryStm) with an error of one's own; such an error is no retry,
    /// and comes out.
    ///
    /// # Conflicts
    /// With writers of what either branch has read, also the one that was undone: that it could not go on is part of
    /// what the transaction has seen.
    ///
    /// # Errors
    /// What the branch that was not undone returns.
    ///
    /// # Panics
    /// When `first` retries after it has become [irrevocable](Self::irrevocable) itself.
    ///
    /// # Examples
    /// ```
    /// use optimist::{TVar, atomically};
    ///
    /// let (left, right) = (TVar::new(0), TVar::new(5));
    /// let taken = atomically(|tx| {
    ///     tx.or_else(
    ///         |tx| {
    ///             let count = left.read(tx)?;
    ///             tx.check(count > 0)?;
    ///             left.write(tx, count - 1)?;
    ///             Ok("left")
    ///         },
    ///         |tx| {
    ///             let count = right.read(tx)?;
    ///             tx.check(count > 0)?;
    ///             right.write(tx, count - 1)?;
    ///             Ok("right")
    ///         },
    ///     )
    /// });
    /// assert_eq!((taken, right.load()), ("right", 4));
    /// ```
    pub fn or_else<R, X: TxError>(
        &mut self,
        first: impl FnOnce(&mut Self) -> Result<R, X>,
        second: impl FnOnce(&mut Self) -> Result<R, X>,
    ) -> Result<R, X> {
        if self.state.doomed().is_some() {
            return Err(X::from(crate::Abort::new()));
        }
        let was_irrevocable = self.state.irrevocable().is_some();
        let savepoint = Savepoint::new(self);
        let result = first(savepoint.tx);
        if savepoint.tx.state.doomed() != Some(Cause::Retry) {
            savepoint.keep();
            return result;
        }
        drop(savepoint);
        chaos::point();
        if let Some(since) = self.state.irrevocable().filter(|_| !was_irrevocable) {
            panic!(
                "the first branch of `or_else` retried after it had become irrevocable at {since}, so it cannot be undone; \
                 call `irrevocable` before `or_else`, or decide first whether to retry"
            );
        }
        self.state.revive();
        // Dropped after the attempt has been revived, as it may be anything.
        drop(result);
        second(self)
    }

    /// Runs `part`; if it cancels with an error, undoes what it wrote and hands the error over. The transaction
    /// goes on.
    ///
    /// # Conflicts
    /// With writers of what `part` has read, also if it is undone.
    ///
    /// # Errors
    /// [`Abort`](crate::Abort) when the whole attempt is over; pass it on with `?`. The error that `part` cancelled
    /// with comes in the inner result.
    ///
    /// # Panics
    /// A panic of `part` undoes it as well, and goes on.
    ///
    /// # Examples
    /// ```
    /// use optimist::{Cancel, TVar, atomically};
    ///
    /// let (stock, tries) = (TVar::new(2_u32), TVar::new(0));
    /// let outcome = atomically(|tx| {
    ///     tries.modify(tx, |tries| *tries += 1)?;
    ///     tx.nested(|tx| {
    ///         let left = stock.replace(tx, 0)?;
    ///         if left < 5 { Err(Cancel::new("too few")) } else { Ok(left) }
    ///     })
    /// });
    /// assert_eq!(outcome, Err("too few"));
    /// assert_eq!((stock.load(), tries.load()), (2, 1));
    /// ```
    pub fn nested<R, E>(&mut self, part: impl FnOnce(&mut Self) -> Result<R, Cancel<E>>) -> Stm<Result<R, E>> {
        let savepoint = Savepoint::new(self);
        let result = part(savepoint.tx);
        if savepoint.tx.state.doomed().is_some() {
            savepoint.keep();
            return Err(crate::Abort::new());
        }
        match result {
            Ok(value) => {
                savepoint.keep();
                Ok(Ok(value))
            }
            Err(cancel) => match cancel.into_error() {
                Some(error) => Ok(Err(error)),
                None => Err(crate::Abort::new()),
            },
        }
    }
}

//! A running transaction, as its body sees it: reading, writing, waiting, hooks, irrevocability.
//!
//! What these methods do is in `transaction.rs`, and `or_else` and `nested` are in `savepoint.rs`.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::ptr::NonNull;

use crate::cell::RawCell;
use crate::error::{Abort, Cause, Stm};
use crate::hooks::{Hooks, When};
use crate::reader::{ReadTx, sealed::Reader};
use crate::reclaim::{Destructor, Word};
use crate::transaction::State;

/// A running transaction, as its body sees it.
///
/// [`atomically`](crate::atomically) and its kin hand it out. What is read through it is one consistent state, and
/// what is written appears at once or not at all. It belongs to its thread and its attempt, and cannot leave either.
///
/// # Examples
/// ```
/// use optimist::{Stm, TVar, Tx, atomically};
///
/// fn transfer(tx: &mut Tx<'_>, from: &TVar<u64>, to: &TVar<u64>, amount: u64) -> Stm<()> {
///     let balance = from.read(tx)?;
///     tx.check(balance >= amount)?;
///     from.write(tx, balance - amount)?;
///     to.modify(tx, |balance| *balance += amount)
/// }
///
/// let (ada, alan) = (TVar::new(100), TVar::new(0));
/// atomically(|tx| transfer(tx, &ada, &alan, 30));
/// assert_eq!((ada.load(), alan.load()), (70, 30));
/// ```
#[repr(transparent)]
pub struct Tx<'tx> {
    pub(crate) state: State,
    /// Invariant in the lifetime; neither `Send` nor `Sync`.
    marker: PhantomData<(Cell<&'tx ()>, *mut ())>,
}

impl fmt::Debug for Tx<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tx")
            .field("attempt", &self.state.attempt())
            .field("reads", &self.state.reads.len())
            .field("writes", &self.state.writes.entries().len())
            .finish_non_exhaustive()
    }
}

impl<'tx> Tx<'tx> {
    /// The view of an attempt's memory.
    ///
    /// # Safety
    /// `state` is this thread's, an attempt runs on it, and nothing else uses it as long as the result is used.
    #[inline]
    pub(crate) unsafe fn over<'a>(state: NonNull<State>) -> &'a mut Self {
        // SAFETY: `Tx` is transparent over `State`; the rest is the caller's duty.
        unsafe { state.cast::<Self>().as_mut() }
    }

    #[inline(always)]
    pub(crate) fn write_word(&mut self, cell: &RawCell, word: Word, destructor: Option<Destructor>) -> Stm<()> {
        self.state.write(cell, word, destructor)
    }

    /// The buffered word of `cell`, if its value may be edited in place.
    #[inline]
    pub(crate) fn editable_word(&self, cell: &RawCell) -> Option<Word> {
        let may_be = self.state.writes.may_contain(cell) && self.state.doomed().is_none();
        if may_be { self.state.writes.editable(cell) } else { None }
    }

    pub(crate) fn hooks(&mut self) -> &mut Hooks {
        self.state.disturb();
        &mut self.state.hooks
    }

    /// Ends the attempt and waits until a cell that it has read changes; then the transaction runs again.
    ///
    /// Within [`or_else`](Self::or_else), goes on with the other branch instead.
    ///
    /// # Blocks
    /// Nothing by itself: the transaction sleeps once the body has passed the [`Abort`] on.
    ///
    /// # Errors
    /// Always.
    ///
    /// # Panics
    /// The transaction, not this call: when nothing has been read, so that no change could end the wait; and when it
    /// has become [irrevocable](Self::irrevocable).
    ///
    /// # Examples
    /// ```
    /// use optimist::{TVar, atomically};
    /// use std::thread;
    ///
    /// let mailbox = TVar::new(None);
    /// thread::scope(|scope| {
    ///     scope.spawn(|| mailbox.store(Some("hello")));
    ///     let message = atomically(|tx| match mailbox.replace(tx, None)? {
    ///         Some(message) => Ok(message),
    ///         None => tx.retry(),
    ///     });
    ///     assert_eq!(message, "hello");
    /// });
    /// ```
    #[cold]
    pub fn retry<R>(&mut self) -> Stm<R> {
        if self.state.doomed().is_none() {
            _ = self.state.doom(Cause::Retry);
        }
        Err(Abort::new())
    }

    /// Goes on if `condition` holds, and otherwise [retries](Self::retry).
    ///
    /// # Errors
    /// As [`retry`](Self::retry), if `condition` is false.
    ///
    /// # Examples
    /// ```
    /// use optimist::{TVar, atomically};
    ///
    /// let stock = TVar::new(3);
    /// atomically(|tx| {
    ///     let left = stock.read(tx)?;
    ///     tx.check(left > 0)?;
    ///     stock.write(tx, left - 1)
    /// });
    /// assert_eq!(stock.load(), 2);
    /// ```
    #[inline]
    pub fn check(&mut self, condition: bool) -> Stm<()> {
        if condition { Ok(()) } else { self.retry() }
    }

    /// Has `hook` run once the transaction has committed, and waits are woken; by this thread, outside of any
    /// transaction.
    ///
    /// Hooks run in the order in which they were registered. One registered in a part that was undone, or in an
    /// attempt that did not commit, does not run.
    ///
    /// # Panics
    /// A panic of `hook` comes out of the call that ran the transaction, after all other hooks have run. The
    /// transaction stays committed.
    ///
    /// # Examples
    /// ```
    /// use optimist::{TVar, atomically};
    /// use std::{cell::Cell, rc::Rc};
    ///
    /// let sent = Rc::new(Cell::new(0));
    /// let outbox = TVar::new(0);
    /// atomically(|tx| {
    ///     let sent = Rc::clone(&sent);
    ///     tx.after_commit(move || sent.set(sent.get() + 1));
    ///     outbox.modify(tx, |count| *count += 1)
    /// });
    /// assert_eq!(sent.get(), 1);
    /// ```
    pub fn after_commit(&mut self, hook: impl FnOnce() + 'static) {
        self.hooks().add(When::Commit, Box::new(hook));
    }

    /// Has `hook` run once this attempt has ended without effect, for whatever reason; by this thread, outside of any
    /// transaction.
    ///
    /// Hooks run in reverse order of registration, before the next attempt. One registered in a part
    /// that was undone runs in any case.
    ///
    /// # Panics
    /// A panic of `hook` comes out of the call that ran the transaction, after all other hooks have run.
    ///
    /// # Examples
    /// ```
    /// use optimist::{Cancel, try_atomically};
    /// use std::{cell::Cell, rc::Rc};
    ///
    /// let undone = Rc::new(Cell::new(false));
    /// let outcome = try_atomically(|tx| {
    ///     let undone = Rc::clone(&undone);
    ///     tx.after_abort(move || undone.set(true));
    ///     Err::<(), _>(Cancel::new("no"))
    /// });
    /// assert!(outcome.is_err() && undone.get());
    /// ```
    pub fn after_abort(&mut self, hook: impl FnOnce() + 'static) {
        self.hooks().add(When::Abort, Box::new(hook));
    }

    /// Makes sure that this attempt commits: from here on no other transaction can make it run again.
    ///
    /// Call it before doing what cannot be undone: input and output, a call into foreign code. What follows it in the
    /// body runs exactly once. It may end the attempt, so that the body up to here is run again.
    ///
    /// One transaction at a time can be irrevocable. It owns each cell from when it reads it: others who want
    /// to write such a cell wait until it has ended; readers, and writers of other cells, do not.
    ///
    /// # Blocks
    /// Between attempts, until no other transaction is irrevocable or escalated; the best
    /// [priority](crate::Priority) goes first.
    ///
    /// # Errors
    /// [`Abort`] when the attempt must be run again; pass it on with `?`.
    ///
    /// # Panics
    /// The transaction, when it [retries](Self::retry) after this: it would have to run again. The body may still
    /// cancel or panic; what it wrote to cells is then undone as always.
    ///
    /// # Examples
    /// ```
    /// use optimist::{TVar, atomically};
    /// use std::cell::Cell;
    ///
    /// let printed = Cell::new(0);
    /// let account = TVar::new(100);
    /// atomically(|tx| {
    ///     let balance = account.read(tx)?;
    ///     tx.irrevocable()?;
    ///     printed.set(printed.get() + 1); // Stands for printing a receipt.
    ///     account.write(tx, balance - 30)
    /// });
    /// assert_eq!((printed.get(), account.load()), (1, 70));
    /// ```
    #[track_caller]
    pub fn irrevocable(&mut self) -> Stm<()> {
        self.state.become_irrevocable(Location::caller())
    }

    /// The number of this attempt, from one on. It counts attempts that lost, and those that retried.
    ///
    /// # Examples
    /// ```
    /// use optimist::atomically;
    ///
    /// assert_eq!(atomically(|tx| Ok(tx.attempt())), 1);
    /// ```
    #[must_use]
    pub fn attempt(&self) -> u64 {
        self.state.attempt()
    }
}

impl<'tx> Reader<'tx> for Tx<'tx> {
    #[inline]
    fn read_word(&mut self, cell: &RawCell) -> Stm<Word> {
        match self.state.read_fast(cell) {
            Some(word) => Ok(word),
            None => self.state.read_slow(cell, false),
        }
    }

    #[inline]
    fn lend_word(&mut self, cell: &RawCell) -> Stm<Word> {
        match self.state.read_fast(cell) {
            Some(word) => Ok(word),
            None => self.state.read_slow(cell, true),
        }
    }

    fn keep<T: 'static>(&mut self, value: T) -> &'tx T {
        // SAFETY: the value is kept until the attempt ends, which is when `'tx` does.
        unsafe { &*self.state.keep(value) }
    }

    #[cfg(feature = "introspection")]
    fn read_version(&self) -> u64 {
        self.state.read_version().get()
    }
}

impl<'tx> ReadTx<'tx> for Tx<'tx> {
    fn is_writable(&self) -> bool {
        true
    }
}

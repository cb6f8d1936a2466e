//! What an engine is: cells, a world that holds them, and transactions on them.
//!
//! [`Engine`] is written by who adds an engine. [`Thread`] is what a workload sees of it; [`View`] and [`Tx`] are what
//! the body of its transactions sees. Each engine is used as its own documentation recommends.

mod async_rival;
mod footprint;
mod gil;
mod guarded;
mod optimist;
mod rivals;
mod sorted;
mod tl2_rivals;
mod value;
mod words;

#[cfg(test)]
pub(crate) mod forgetful;
#[cfg(test)]
mod tests;

use std::fmt;

#[cfg(feature = "rivals")]
pub use async_rival::AsyncStm;
pub use footprint::Footprint;
pub use gil::Gil;
pub use guarded::{Bare, GlobalMutex, GlobalRwLock};
pub use optimist::{InlineCells, Variables};
#[cfg(feature = "rivals")]
pub use rivals::{FastStm, StmCore};
pub use sorted::{ObjectLocks, StripedLocks};
#[cfg(feature = "rivals")]
pub use tl2_rivals::{KovanStm, Xstm};
pub use value::{Plain, PlainLocked, PlainWord, Value, WordValue};
pub use words::{Atomics, Seqlocks};

/// What all threads of a workload share: a struct with the cells in it.
pub trait Data: Send + Sync + 'static {}

impl<D: Send + Sync + 'static> Data for D {}

/// What an engine can do, or a workload asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// More than one thread.
    pub threads: bool,
    /// Transactions of several cells, which take effect as one.
    pub atomicity: bool,
    /// Transactions that find out on the way which cells they use.
    pub discovery: bool,
    /// [`Tx::retry`], which sleeps.
    pub waiting: bool,
    /// Cells of values that are not words.
    pub boxes: bool,
}

impl Abilities {
    /// All of them.
    pub const ALL: Self = Self { threads: true, atomicity: true, discovery: true, waiting: true, boxes: true };
    /// None of them: one thread, and one word at a time.
    pub const NONE: Self = Self { threads: false, atomicity: false, discovery: false, waiting: false, boxes: false };

    /// What is asked for and lacking, in words.
    #[must_use]
    pub fn lacking(self, needs: Self) -> Option<&'static str> {
        let pairs = [
            (self.threads, needs.threads, "it is for one thread"),
            (self.atomicity, needs.atomicity, "it has no transactions of several cells"),
            (self.discovery, needs.discovery, "the cells must be known before the transaction begins"),
            (self.waiting, needs.waiting, "it cannot sleep until a cell changes"),
            (self.boxes, needs.boxes, "its values are words"),
        ];
        pairs.into_iter().find(|&(has, needs, _)| needs && !has).map(|(_, _, why)| why)
    }
}

/// A way to share cells between threads.
///
/// No value of the type is ever made: it names the types of the engine.
pub trait Engine: Sized + Send + Sync + fmt::Debug + 'static {
    /// What it can do.
    const ABILITIES: Abilities;
    /// Whether a body never sees a state that never was. If not, [`View::torn`] starts it again.
    const IS_OPAQUE: bool = true;

    /// A place for a value.
    type Cell<T: Value>: Send + Sync + 'static;
    /// The data with what the engine needs beside it.
    type World<D: Data>: Send + Sync;
    /// What one thread holds while it runs transactions.
    type Session<'w, D: Data>;
    /// A running transaction.
    type Tx<'tx>: Tx<'tx, Self>;
    /// A running transaction that only reads, and has said so.
    type View<'tx>: View<'tx, Self>;
    /// Why an attempt has ended without effect.
    type Abort: fmt::Debug;

    /// Makes a cell.
    fn cell<T: Value>(value: T) -> Self::Cell<T>;

    /// Makes a world.
    fn world<D: Data>(data: D) -> Self::World<D>;

    /// Lets the calling thread in.
    fn enter<D: Data>(world: &Self::World<D>) -> Self::Session<'_, D>;

    /// Runs a transaction until it commits. An engine without [`discovery`](Abilities::discovery) panics.
    fn atomically<D: Data, R>(
        session: &mut Self::Session<'_, D>,
        body: impl for<'tx> Fn(&mut Self::Tx<'tx>, &'tx D) -> Result<R, Self::Abort>,
    ) -> R;

    /// Runs a transaction that only reads, in the engine's own way for that.
    fn snapshot<D: Data, R>(
        session: &mut Self::Session<'_, D>,
        body: impl for<'tx> Fn(&mut Self::View<'tx>, &'tx D) -> Result<R, Self::Abort>,
    ) -> R;

    /// Runs a transaction on cells that are known before. Who needs no such knowledge does not ask for them.
    #[inline]
    fn atomically_on<D: Data, R>(
        session: &mut Self::Session<'_, D>,
        footprint: impl for<'a> Fn(&mut Footprint<'a, Self>, &'a D),
        body: impl for<'tx> Fn(&mut Self::Tx<'tx>, &'tx D) -> Result<R, Self::Abort>,
    ) -> R {
        _ = footprint;
        Self::atomically(session, body)
    }

    /// As [`atomically_on`](Self::atomically_on), and only reads.
    #[inline]
    fn snapshot_on<D: Data, R>(
        session: &mut Self::Session<'_, D>,
        footprint: impl for<'a> Fn(&mut Footprint<'a, Self>, &'a D),
        body: impl for<'tx> Fn(&mut Self::View<'tx>, &'tx D) -> Result<R, Self::Abort>,
    ) -> R {
        _ = footprint;
        Self::snapshot(session, body)
    }

    /// Runs a transaction that may [`retry`](Tx::retry), or that may end the wait of another one.
    #[inline]
    fn atomically_or_wait<D: Data, R>(
        session: &mut Self::Session<'_, D>,
        body: impl for<'tx> Fn(&mut Self::Tx<'tx>, &'tx D) -> Result<R, Self::Abort>,
    ) -> R {
        Self::atomically(session, body)
    }

    /// Reads one cell, in the engine's own way for that.
    #[inline]
    fn load<D: Data>(session: &mut Self::Session<'_, D>, pick: impl Fn(&D) -> &Self::Cell<u64>) -> u64 {
        Self::atomically(session, |tx, data| tx.read(pick(data)))
    }

    /// Adds to one cell, in the engine's own way for that.
    #[inline]
    fn add<D: Data>(session: &mut Self::Session<'_, D>, pick: impl Fn(&D) -> &Self::Cell<u64>, amount: u64) {
        Self::atomically(session, |tx, data| tx.modify(pick(data), |value| *value += amount));
    }

    /// Runs what waits for other threads by other means than transactions, such as a barrier.
    #[inline]
    fn blocking<D: Data, R>(session: &mut Self::Session<'_, D>, wait: impl FnOnce() -> R) -> R {
        _ = session;
        wait()
    }

    /// Adds the lock of a cell to a footprint; for engines that ask for it.
    fn add_to_footprint<'a, T: Value>(footprint: &mut Footprint<'a, Self>, cell: &'a Self::Cell<T>) {
        _ = (footprint, cell);
    }

    /// How many attempts of all threads have aborted in conflict so far, if the engine counts them.
    #[must_use]
    fn conflicts() -> Option<u64> {
        None
    }
}

/// The cells as a body may read them.
pub trait View<'tx, E: Engine> {
    /// Reads a cell.
    ///
    /// # Errors
    /// When the attempt must be run again; pass it on with `?`.
    fn read<T: Value>(&mut self, cell: &'tx E::Cell<T>) -> Result<T, E::Abort>;

    /// Looks at the value of a cell, without a clone if the engine can.
    ///
    /// # Errors
    /// When the attempt must be run again; pass it on with `?`.
    fn look<T: Value, R>(&mut self, cell: &'tx E::Cell<T>, look: impl FnOnce(&T) -> R) -> Result<R, E::Abort>;

    /// Says that what was read cannot be.
    ///
    /// # Errors
    /// Always, to run the attempt again, on an engine that does not promise opacity.
    ///
    /// # Panics
    /// On one that does: this is a wrong answer.
    fn torn<R>(&mut self) -> Result<R, E::Abort>;
}

/// The cells as a body may read and write them.
pub trait Tx<'tx, E: Engine>: View<'tx, E> {
    /// Writes a cell.
    ///
    /// # Errors
    /// When the attempt must be run again; pass it on with `?`.
    fn write<T: Value>(&mut self, cell: &'tx E::Cell<T>, value: T) -> Result<(), E::Abort>;

    /// Edits the value of a cell, in the way that the engine recommends for that.
    ///
    /// # Errors
    /// When the attempt must be run again; pass it on with `?`.
    fn modify<T: Value, R>(&mut self, cell: &'tx E::Cell<T>, change: impl FnOnce(&mut T) -> R) -> Result<R, E::Abort>;

    /// Sleeps until what was read changes, and runs the body again then. Only in
    /// [`Thread::atomically_or_wait`], and before the first write.
    ///
    /// # Errors
    /// Always; pass it on with `?`.
    fn retry<R>(&mut self) -> Result<R, E::Abort>;
}

/// The thread of a workload, which runs transactions on the data.
pub struct Thread<'w, E: Engine, D: Data>(E::Session<'w, D>);

impl<E: Engine, D: Data> fmt::Debug for Thread<'_, E, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Thread").finish_non_exhaustive()
    }
}

impl<'w, E: Engine, D: Data> Thread<'w, E, D> {
    /// Lets the calling thread into a world.
    pub fn enter(world: &'w E::World<D>) -> Self {
        Self(E::enter(world))
    }

    /// Runs a transaction that finds out on the way which cells it uses.
    #[inline]
    pub fn atomically<R>(&mut self, body: impl for<'tx> Fn(&mut E::Tx<'tx>, &'tx D) -> Result<R, E::Abort>) -> R {
        E::atomically(&mut self.0, body)
    }

    /// Runs a transaction whose cells are known before; `footprint` adds them, each at least once.
    #[inline]
    pub fn atomically_on<R>(
        &mut self,
        footprint: impl for<'a> Fn(&mut Footprint<'a, E>, &'a D),
        body: impl for<'tx> Fn(&mut E::Tx<'tx>, &'tx D) -> Result<R, E::Abort>,
    ) -> R {
        E::atomically_on(&mut self.0, footprint, body)
    }

    /// Runs a transaction that only reads, and finds out on the way what.
    #[inline]
    pub fn snapshot<R>(&mut self, body: impl for<'tx> Fn(&mut E::View<'tx>, &'tx D) -> Result<R, E::Abort>) -> R {
        E::snapshot(&mut self.0, body)
    }

    /// Runs a transaction that only reads cells which are known before; `footprint` adds them.
    #[inline]
    pub fn snapshot_on<R>(
        &mut self,
        footprint: impl for<'a> Fn(&mut Footprint<'a, E>, &'a D),
        body: impl for<'tx> Fn(&mut E::View<'tx>, &'tx D) -> Result<R, E::Abort>,
    ) -> R {
        E::snapshot_on(&mut self.0, footprint, body)
    }

    /// Runs a transaction that may [`retry`](Tx::retry), or that may end the wait of another one.
    #[inline]
    pub fn atomically_or_wait<R>(
        &mut self,
        body: impl for<'tx> Fn(&mut E::Tx<'tx>, &'tx D) -> Result<R, E::Abort>,
    ) -> R {
        E::atomically_or_wait(&mut self.0, body)
    }

    /// Reads one cell, in the engine's own way for that.
    #[inline]
    pub fn load(&mut self, pick: impl Fn(&D) -> &E::Cell<u64>) -> u64 {
        E::load(&mut self.0, pick)
    }

    /// Adds to one cell, in the engine's own way for that.
    #[inline]
    pub fn add(&mut self, pick: impl Fn(&D) -> &E::Cell<u64>, amount: u64) {
        E::add(&mut self.0, pick, amount);
    }

    /// Runs what waits for other threads by other means than transactions, such as a barrier. An engine with a lock
    /// that a thread keeps between transactions gives it up meanwhile.
    #[inline]
    pub fn blocking<R>(&mut self, wait: impl FnOnce() -> R) -> R {
        E::blocking(&mut self.0, wait)
    }
}

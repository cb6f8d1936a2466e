//! Engines with one lock around everything: what a program does under a GIL.
//!
//! The values stand in the cells themselves, and whoever holds the [`TCellOwner`] of a lock may use all of them; that
//! is checked by the compiler, so it costs nothing. An owner exists once in a process, as a GIL does.

use std::fmt;
use std::marker::PhantomData;
use std::sync::LazyLock;

use parking_lot::{Condvar, Mutex, MutexGuard, RwLock};
use qcell::{TCell, TCellOwner};

use super::{Abilities, Data, Engine, Tx, Value, View};

/// The attempt wants to sleep: the only way in which a transaction under a lock ends without effect.
#[derive(Debug)]
pub struct Waits;

/// A lock around everything.
pub trait Lock: Sized + Send + Sync + fmt::Debug + 'static {
    /// What engines with it can do.
    const ABILITIES: Abilities;
    /// What a thread holds while it runs transactions.
    type Session;

    /// Lets the calling thread in.
    fn enter() -> Self::Session;

    /// Runs `critical` alone.
    fn alone<R>(session: &mut Self::Session, critical: impl FnOnce(&mut TCellOwner<Self>) -> R) -> R;

    /// Runs `critical` while nobody writes.
    #[inline]
    fn among_readers<R>(session: &mut Self::Session, critical: impl FnOnce(&TCellOwner<Self>) -> R) -> R {
        Self::alone(session, |owner| critical(owner))
    }

    /// Runs `critical` alone, again after each sleep, and wakes all who sleep.
    fn alone_or_wait<R>(
        session: &mut Self::Session,
        mut critical: impl FnMut(&mut TCellOwner<Self>) -> Result<R, Waits>,
    ) -> R {
        Self::alone(session, |owner| critical(owner).expect("a lock that nobody can sleep under is not asked to"))
    }

    /// Gives up what is kept between transactions while `wait` runs.
    fn blocking<R>(session: &mut Self::Session, wait: impl FnOnce() -> R) -> R {
        _ = session;
        wait()
    }
}

/// Plain values under the lock `L`.
#[derive(Debug)]
pub struct Guarded<L>(PhantomData<L>);

/// One `parking_lot` mutex, locked for each transaction.
pub type GlobalMutex = Guarded<OneMutex>;
/// One `parking_lot` reader-writer lock: exclusive for transactions, shared for snapshots.
pub type GlobalRwLock = Guarded<OneRwLock>;
/// No lock at all: what a transaction cannot be faster than. For one thread.
pub type Bare = Guarded<NoLock>;

/// What a thread holds of the lock, and the data.
pub struct Session<'w, L: Lock, D> {
    lock: L::Session,
    data: &'w D,
}

impl<L: Lock, D> fmt::Debug for Session<'_, L, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

impl<L: Lock, D> Session<'_, L, D> {
    #[inline]
    pub(super) fn alone<R>(&mut self, critical: impl FnOnce(&mut TCellOwner<L>, &D) -> R) -> R {
        let data = self.data;
        L::alone(&mut self.lock, |owner| critical(owner, data))
    }

    #[inline]
    pub(super) fn alone_or_wait<R>(
        &mut self,
        mut critical: impl FnMut(&mut TCellOwner<L>, &D) -> Result<R, Waits>,
    ) -> R {
        let data = self.data;
        L::alone_or_wait(&mut self.lock, |owner| critical(owner, data))
    }
}

impl<'tx, L: Lock> Alone<'tx, L> {
    #[inline]
    pub(super) fn new(owner: &'tx mut TCellOwner<L>) -> Self {
        Self { owner, has_written: false }
    }
}

/// A transaction that has everything for itself.
pub struct Alone<'tx, L: Lock> {
    owner: &'tx mut TCellOwner<L>,
    has_written: bool,
}

/// A transaction that only reads.
pub struct Reader<'tx, L: Lock>(&'tx TCellOwner<L>);

impl<L: Lock> fmt::Debug for Alone<'_, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alone").field("has_written", &self.has_written).finish_non_exhaustive()
    }
}

impl<L: Lock> fmt::Debug for Reader<'_, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}

impl<'tx, L: Lock> View<'tx, Guarded<L>> for Reader<'tx, L> {
    #[inline]
    fn read<T: Value>(&mut self, cell: &'tx TCell<L, T>) -> Result<T, Waits> {
        Ok(self.0.ro(cell).clone())
    }

    #[inline]
    fn look<T: Value, R>(&mut self, cell: &'tx TCell<L, T>, look: impl FnOnce(&T) -> R) -> Result<R, Waits> {
        Ok(look(self.0.ro(cell)))
    }

    fn torn<R>(&mut self) -> Result<R, Waits> {
        panic!("a transaction has seen a state that never was, under a lock")
    }
}

impl<'tx, L: Lock> View<'tx, Guarded<L>> for Alone<'tx, L> {
    #[inline]
    fn read<T: Value>(&mut self, cell: &'tx TCell<L, T>) -> Result<T, Waits> {
        Ok(self.owner.ro(cell).clone())
    }

    #[inline]
    fn look<T: Value, R>(&mut self, cell: &'tx TCell<L, T>, look: impl FnOnce(&T) -> R) -> Result<R, Waits> {
        Ok(look(self.owner.ro(cell)))
    }

    fn torn<R>(&mut self) -> Result<R, Waits> {
        panic!("a transaction has seen a state that never was, under a lock")
    }
}

impl<'tx, L: Lock> Tx<'tx, Guarded<L>> for Alone<'tx, L> {
    #[inline]
    fn write<T: Value>(&mut self, cell: &'tx TCell<L, T>, value: T) -> Result<(), Waits> {
        self.has_written = true;
        *self.owner.rw(cell) = value;
        Ok(())
    }

    #[inline]
    fn modify<T: Value, R>(&mut self, cell: &'tx TCell<L, T>, change: impl FnOnce(&mut T) -> R) -> Result<R, Waits> {
        self.has_written = true;
        Ok(change(self.owner.rw(cell)))
    }

    fn retry<R>(&mut self) -> Result<R, Waits> {
        assert!(!self.has_written, "a lock cannot take a write back");
        Err(Waits)
    }
}

impl<L: Lock> Engine for Guarded<L> {
    const ABILITIES: Abilities = L::ABILITIES;

    type Cell<T: Value> = TCell<L, T>;
    type World<D: Data> = D;
    type Session<'w, D: Data> = Session<'w, L, D>;
    type Tx<'tx> = Alone<'tx, L>;
    type View<'tx> = Reader<'tx, L>;
    type Abort = Waits;

    fn cell<T: Value>(value: T) -> Self::Cell<T> {
        TCell::new(value)
    }

    fn world<D: Data>(data: D) -> D {
        data
    }

    fn enter<D: Data>(world: &D) -> Session<'_, L, D> {
        Session { lock: L::enter(), data: world }
    }

    #[inline]
    fn atomically<D: Data, R>(
        session: &mut Session<'_, L, D>,
        body: impl for<'tx> Fn(&mut Alone<'tx, L>, &'tx D) -> Result<R, Waits>,
    ) -> R {
        session
            .alone(|owner, data| body(&mut Alone::new(owner), data).expect("only a transaction that may wait retries"))
    }

    #[inline]
    fn snapshot<D: Data, R>(
        session: &mut Session<'_, L, D>,
        body: impl for<'tx> Fn(&mut Reader<'tx, L>, &'tx D) -> Result<R, Waits>,
    ) -> R {
        let data = session.data;
        L::among_readers(&mut session.lock, |owner| body(&mut Reader(owner), data).expect("a snapshot does not retry"))
    }

    #[inline]
    fn atomically_or_wait<D: Data, R>(
        session: &mut Session<'_, L, D>,
        body: impl for<'tx> Fn(&mut Alone<'tx, L>, &'tx D) -> Result<R, Waits>,
    ) -> R {
        session.alone_or_wait(|owner, data| body(&mut Alone::new(owner), data))
    }

    #[inline]
    fn blocking<D: Data, R>(session: &mut Session<'_, L, D>, wait: impl FnOnce() -> R) -> R {
        L::blocking(&mut session.lock, wait)
    }
}

/// The lock of [`GlobalMutex`].
#[derive(Debug)]
pub struct OneMutex;

static MUTEX: LazyLock<Mutex<TCellOwner<OneMutex>>> = LazyLock::new(|| Mutex::new(TCellOwner::new()));
/// Something has changed under [`MUTEX`].
static CHANGED: Condvar = Condvar::new();

impl Lock for OneMutex {
    const ABILITIES: Abilities = Abilities::ALL;
    type Session = &'static Mutex<TCellOwner<Self>>;

    fn enter() -> Self::Session {
        &MUTEX
    }

    #[inline]
    fn alone<R>(session: &mut Self::Session, critical: impl FnOnce(&mut TCellOwner<Self>) -> R) -> R {
        critical(&mut session.lock())
    }

    #[inline]
    fn alone_or_wait<R>(
        session: &mut Self::Session,
        mut critical: impl FnMut(&mut TCellOwner<Self>) -> Result<R, Waits>,
    ) -> R {
        let mut owner = session.lock();
        let result = loop {
            match critical(&mut owner) {
                Ok(result) => break result,
                Err(Waits) => CHANGED.wait(&mut owner),
            }
        };
        drop(owner);
        CHANGED.notify_all();
        result
    }
}

/// The lock of [`GlobalRwLock`].
#[derive(Debug)]
pub struct OneRwLock;

static RW_LOCK: LazyLock<RwLock<TCellOwner<OneRwLock>>> = LazyLock::new(|| RwLock::new(TCellOwner::new()));

impl Lock for OneRwLock {
    const ABILITIES: Abilities = Abilities { waiting: false, ..Abilities::ALL };
    type Session = &'static RwLock<TCellOwner<Self>>;

    fn enter() -> Self::Session {
        &RW_LOCK
    }

    #[inline]
    fn alone<R>(session: &mut Self::Session, critical: impl FnOnce(&mut TCellOwner<Self>) -> R) -> R {
        critical(&mut session.write())
    }

    #[inline]
    fn among_readers<R>(session: &mut Self::Session, critical: impl FnOnce(&TCellOwner<Self>) -> R) -> R {
        critical(&session.read())
    }
}

/// The missing lock of [`Bare`]: a thread has everything for as long as it is in.
#[derive(Debug)]
pub struct NoLock;

static NO_LOCK: LazyLock<Mutex<TCellOwner<NoLock>>> = LazyLock::new(|| Mutex::new(TCellOwner::new()));

impl Lock for NoLock {
    const ABILITIES: Abilities = Abilities { threads: false, waiting: false, ..Abilities::ALL };
    type Session = MutexGuard<'static, TCellOwner<Self>>;

    fn enter() -> Self::Session {
        NO_LOCK.lock()
    }

    #[inline]
    fn alone<R>(session: &mut Self::Session, critical: impl FnOnce(&mut TCellOwner<Self>) -> R) -> R {
        critical(session)
    }
}

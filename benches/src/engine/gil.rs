//! A global lock that a thread keeps between its transactions, and hands over when another has waited for 5 ms: what
//! CPython does.
//!
//! # Protocol
//! 1. Who wants the lock waits for at most [`INTERVAL`]. If it has not changed hands meanwhile, it sets a flag.
//! 2. Who has the lock looks at the flag before each transaction. If it is set, it gives the lock up and waits until
//!    another thread has it, so that it cannot take it back at once; then it waits for it like anybody.
//! 3. Who would block gives it up before.

use std::fmt;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use qcell::TCellOwner;

use super::Abilities;
use super::guarded::{Guarded, Lock, Waits};

/// CPython's `sys.getswitchinterval()`, unless it is changed.
const INTERVAL: Duration = Duration::from_millis(5);

/// A lock kept between transactions and handed over on request, as CPython's.
pub type Gil = Guarded<Handed>;

/// The lock of [`Gil`].
#[derive(Debug)]
pub struct Handed;

#[derive(Debug)]
struct Baton {
    /// It is here while no thread has it.
    state: Mutex<State>,
    /// It is here now.
    is_free: Condvar,
    /// Somebody has taken it.
    is_taken: Condvar,
    /// A transaction that may end a wait has committed.
    has_changed: Condvar,
    is_asked_for: AtomicBool,
}

struct State {
    owner: Option<TCellOwner<Handed>>,
    hand_overs: u64,
    changes: u64,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("is_free", &self.owner.is_some()).finish_non_exhaustive()
    }
}

static BATON: LazyLock<Baton> = LazyLock::new(|| Baton {
    state: Mutex::new(State { owner: Some(TCellOwner::new()), hand_overs: 0, changes: 0 }),
    is_free: Condvar::new(),
    is_taken: Condvar::new(),
    has_changed: Condvar::new(),
    is_asked_for: AtomicBool::new(false),
});

/// What a thread holds.
#[derive(Debug)]
pub struct Holder {
    baton: &'static Baton,
    owner: Option<Token>,
}

struct Token(TCellOwner<Handed>);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").finish_non_exhaustive()
    }
}

impl Holder {
    fn take(&mut self) {
        let mut state = self.baton.state.lock();
        while state.owner.is_none() {
            let before = state.hand_overs;
            let waited = self.baton.is_free.wait_for(&mut state, INTERVAL);
            if waited.timed_out() && state.owner.is_none() && state.hand_overs == before {
                // Relaxed: the flag says nothing about anything else.
                self.baton.is_asked_for.store(true, Ordering::Relaxed);
            }
        }
        self.owner = state.owner.take().map(Token);
        state.hand_overs += 1;
        // Relaxed: as above.
        self.baton.is_asked_for.store(false, Ordering::Relaxed);
        self.baton.is_taken.notify_all();
    }

    fn give_up(&mut self) {
        let mut state = self.baton.state.lock();
        state.owner = self.owner.take().map(|token| token.0);
        self.baton.is_free.notify_one();
    }

    #[cold]
    fn hand_over(&mut self) {
        let mut state = self.baton.state.lock();
        let before = state.hand_overs;
        state.owner = self.owner.take().map(|token| token.0);
        self.baton.is_free.notify_one();
        while state.hand_overs == before {
            self.baton.is_taken.wait(&mut state);
        }
        drop(state);
        self.take();
    }

    fn sleep(&mut self) {
        let mut state = self.baton.state.lock();
        let before = state.changes;
        state.owner = self.owner.take().map(|token| token.0);
        self.baton.is_free.notify_one();
        while state.changes == before {
            self.baton.has_changed.wait(&mut state);
        }
        drop(state);
        self.take();
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        if self.owner.is_some() {
            self.give_up();
        }
    }
}

impl Lock for Handed {
    const ABILITIES: Abilities = Abilities::ALL;
    type Session = Holder;

    fn enter() -> Holder {
        let mut holder = Holder { baton: &BATON, owner: None };
        holder.take();
        holder
    }

    #[inline]
    fn alone<R>(session: &mut Holder, critical: impl FnOnce(&mut TCellOwner<Self>) -> R) -> R {
        // Relaxed: as above.
        if session.baton.is_asked_for.load(Ordering::Relaxed) {
            session.hand_over();
        }
        critical(&mut session.owner.as_mut().expect("a thread has the lock unless it waits").0)
    }

    fn alone_or_wait<R>(
        session: &mut Holder,
        mut critical: impl FnMut(&mut TCellOwner<Self>) -> Result<R, Waits>,
    ) -> R {
        loop {
            match Self::alone(session, &mut critical) {
                Ok(result) => {
                    session.baton.state.lock().changes += 1;
                    session.baton.has_changed.notify_all();
                    return result;
                }
                Err(Waits) => session.sleep(),
            }
        }
    }

    fn blocking<R>(session: &mut Holder, wait: impl FnOnce() -> R) -> R {
        session.give_up();
        let result = wait();
        session.take();
        result
    }
}

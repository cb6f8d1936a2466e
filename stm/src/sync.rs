//! The one place that says where atomics, fences and yields come from.
//!
//! Every other module imports them from here, so that a model checker can take the place of `std` by changing
//! this file alone.

pub(crate) use std::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, compiler_fence, fence,
};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A sequentially consistent fence, directly after a sequentially consistent read-modify-write of this thread.
///
/// On x86 every read-modify-write is a full barrier by itself, and a fence instruction beside it would cost as
/// much again; there, only the compiler must be told.
#[inline]
pub(crate) fn fence_after_exchange() {
    if cfg!(all(target_arch = "x86_64", not(miri))) {
        // SeqCst: keeps the compiler from moving accesses across.
        compiler_fence(Ordering::SeqCst);
    } else {
        // SeqCst: what the callers' fence arguments ask for.
        fence(Ordering::SeqCst);
    }
}

/// Locks `mutex` whether or not a thread panicked while it held it.
///
/// The runtime runs no user code under its own locks, so a poisoned lock still guards a consistent state.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits a little for another thread to finish a step of a few instructions: spins first, then yields.
///
/// The other thread may have been preempted in the middle of its step, and there are often fewer cores than
/// threads; so the spinning is bounded to about a microsecond, after which the time slice is given away.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    rounds: u32,
}

impl Patience {
    const SPINS: u32 = 6;

    /// Whether the spinning part is over: the other thread is probably not running.
    pub(crate) fn is_over(&self) -> bool {
        self.rounds > Self::SPINS
    }

    /// Waits one round.
    #[cold]
    pub(crate) fn wait(&mut self) {
        if self.is_over() {
            std::thread::yield_now();
        } else {
            for _ in 0..1_u32 << self.rounds {
                std::hint::spin_loop();
            }
            self.rounds += 1;
        }
    }
}

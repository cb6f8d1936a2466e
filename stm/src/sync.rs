//! The one place that says where atomics, locks, thread-locals and yields come from.
//!
//! Every other module imports them from here, so that a model checker takes the place of `std` in this module alone:
//!
//! | configuration | comes from | for |
//! | --- | --- | --- |
//! | none | `std` | every build but those below |
//! | `--cfg optimist_loom` | `loom` | exhaustive models of the protocols, weak memory included (`models.rs`) |
//! | `--cfg optimist_shuttle` | `shuttle` | random schedules of whole transactions |
//!
//! A checker runs a program many times in one process, and each run needs statics of its own; so a static of the
//! runtime is declared by [`global!`], and what goes into one is made by a [`const_fn!`].
//!
//! # Protocol
//! Memory that is not atomic but handed from one thread to another by a protocol is a [`NonAtomic`]. It costs nothing,
//! and a checker reports an access that the protocol does not order.

#[cfg(optimist_loom)]
#[path = "sync/loom.rs"]
mod source;
#[cfg(optimist_shuttle)]
#[path = "sync/shuttle.rs"]
mod source;
#[cfg(not(any(optimist_loom, optimist_shuttle)))]
#[path = "sync/real.rs"]
mod source;

pub(crate) use source::{
    AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Mutex, MutexGuard, NonAtomic, Ordering, Thread, array,
    const_fn, current_thread, fence, fence_after_exchange, global, park, park_timeout, per_thread, spin_loop,
    yield_now,
};

/// A counter of statistics. No protocol looks at one, so no checker does.
pub(crate) type Tally = std::sync::atomic::AtomicU64;

/// Whether a model checker drives the threads.
pub(crate) const IS_MODEL: bool = cfg!(any(optimist_loom, optimist_shuttle));

/// Locks `mutex` whether or not a thread panicked while it held it.
///
/// The runtime runs no user code under its own locks, so a poisoned lock still guards a consistent state.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Destroys a value at the end of its life, and frees its box.
///
/// A model keeps the memory, so that it can tell of an access that comes too late.
///
/// # Safety
/// `value` came from a `Box`, and is not used any more.
#[inline]
pub(crate) unsafe fn drop_box<T>(value: *mut T) {
    if IS_MODEL {
        // SAFETY: the caller's duty.
        unsafe { value.drop_in_place() };
    } else {
        // SAFETY: the caller's duty.
        drop(unsafe { Box::from_raw(value) });
    }
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
    /// In a model one round is as good as many.
    const SPINS: u32 = if IS_MODEL { 0 } else { 6 };

    /// Whether the spinning part is over: the other thread is probably not running.
    pub(crate) fn is_over(&self) -> bool {
        self.rounds > Self::SPINS
    }

    /// Waits one round.
    #[cold]
    pub(crate) fn wait(&mut self) {
        if self.is_over() {
            yield_now();
        } else {
            for _ in 0..1_u32 << self.rounds {
                spin_loop();
            }
            self.rounds += 1;
        }
    }
}

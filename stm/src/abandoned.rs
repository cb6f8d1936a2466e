//! Abandoned waits: when it is certain that nobody can ever end a wait.
//!
//! Two things make it certain.
//! * The waiting thread is the only one of the process, and sleeps without a time limit.
//! * The transaction says that its cells are [shared by handle](crate::Atomically::shared_by_handle) alone, and every
//!   cell it waits for is a [`TVar`](crate::TVar) of which no other handle is left.
//!
//! Without the second promise, a single handle proves nothing: any number of threads may share it by reference.
//!
//! # Protocol
//! 1. A waiter that was promised handles counts itself in [`WATCHES`] (V-count), **fences**, registers its waker, and
//!    looks at the numbers of handles (V-look).
//! 2. Whoever drops the second-to-last handle of a `TVar` lowers its number (D-drop), **fences**, and looks at
//!    [`WATCHES`] (D-look); if there are any, it wakes who waits for the cell. The waiter runs again and comes back
//!    to 1.
//!
//! # The fence argument
//! * If the dropper's fence comes first, V-look sees D-drop.
//! * If the waiter's fence comes first, D-look sees V-count, and the dropper goes to wake. Either the waker is
//!   registered by then, or it is registered after the dropper held the lock of that part of the table; then V-look
//!   sees D-drop.

use crate::chaos;
use crate::domain::DOMAIN;
use crate::participant::Participant;
use crate::read_set::ReadSet;
use crate::sync::{AtomicUsize, IS_MODEL, Ordering, fence, fence_after_exchange, global};

global! {
    /// How many waits want to know when handles go.
    static WATCHES: AtomicUsize = AtomicUsize::new(0);
}

/// A wait that wants to know when handles go.
#[derive(Debug)]
pub(crate) struct Watch(());

impl Watch {
    pub(crate) fn new() -> Self {
        // Relaxed: the fence below orders it.
        WATCHES.fetch_add(1, Ordering::Relaxed);
        // SeqCst: its partner is the fence in `last_handle_is_left`; see the fence argument. Model:
        // `waiting::a_wait_that_nobody_can_end_is_noticed`.
        fence(Ordering::SeqCst);
        chaos::point();
        Self(())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // Relaxed: being counted for too long costs a wake-up for nothing.
        WATCHES.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether each of the cells is a `TVar` with one handle.
pub(crate) fn are_all_last_handles(reads: &ReadSet) -> bool {
    reads.iter().all(|cell| cell.handles.count() == 1)
}

/// Notes that one handle of what lives at this address is left. Directly after the number of handles was lowered.
#[inline]
pub(crate) fn last_handle_is_left(address: usize) {
    // SeqCst: its partner is the fence in `Watch::new`; see the fence argument. Model:
    // `waiting::a_wait_that_nobody_can_end_is_noticed`.
    fence_after_exchange();
    chaos::point();
    // Relaxed: the fence orders it.
    if WATCHES.load(Ordering::Relaxed) > 0 {
        DOMAIN.waiters.wake_address(address);
    }
}

/// Whether no other thread exists. Where the system does not tell, says no.
#[cold]
pub(crate) fn is_only_thread(participant: &Participant) -> bool {
    if IS_MODEL || DOMAIN.registry.has_others(participant) || !cfg!(target_os = "linux") {
        return false;
    }
    std::fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() == 1)
}

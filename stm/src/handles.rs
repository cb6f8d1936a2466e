//! Counting handles: how a value knows when its last one is gone.
//!
//! # Protocol
//! 1. A handle is counted, as in an `Arc`; a handle is only cloned from a handle.
//! 2. Who drops the last one retires the allocation ([`retire_box`]): it is destroyed once every thread that was
//!    pinned then has unpinned (`participant.rs`).
//!
//! # Invariants
//! * **G1** Who got at a handle while pinned may use the value for as long as it is pinned: the handle was counted
//!   then, so the allocation was retired, if at all, after the pin.
//! * **G2** No handle comes back from zero.

use std::ptr::NonNull;

use crate::abandoned;
use crate::participant::with_current;
use crate::reclaim::{Retired, Word};
use crate::sync::{AtomicU32, Ordering, const_fn, drop_box};

/// The number of handles to an allocation.
#[derive(Debug)]
pub(crate) struct Handles(AtomicU32);

impl Handles {
    /// More handles than this are taken for a leak, before the count can overflow.
    const MOST: u32 = i32::MAX as u32;

    const_fn! {
        /// No handles: the count of what is not counted.
        pub(crate) fn none() -> Self {
            Self(AtomicU32::new(0))
        }
    }

    const_fn! {
        /// The first handle.
        pub(crate) fn one() -> Self {
            Self(AtomicU32::new(1))
        }
    }

    /// How many there are at this moment.
    pub(crate) fn count(&self) -> usize {
        // Acquire: pairs with the release in `drop_one`; who dropped a handle did before what it had to do.
        self.0.load(Ordering::Acquire) as usize
    }

    /// Counts a handle that is cloned from another.
    pub(crate) fn add_one(&self) {
        // Relaxed: the handle we clone from keeps the value alive meanwhile.
        if self.0.fetch_add(1, Ordering::Relaxed) > Self::MOST {
            // Relaxed: takes back what was added.
            self.0.fetch_sub(1, Ordering::Relaxed);
            panic!("more than {} handles to one value; are they being forgotten?", Self::MOST);
        }
    }

    /// Counts a handle off, and says whether it was the last. The value is at `address`; if it was not the last, it
    /// is no longer ours to look at.
    #[inline]
    #[must_use]
    pub(crate) fn drop_one(&self, address: usize) -> bool {
        // Release: what this handle's owner did to the value comes before its end.
        // Acquire: who drops the last handle sees all that the others did.
        // SeqCst: both, and `last_handle_is_left` builds on it.
        let before = self.0.fetch_sub(1, Ordering::SeqCst);
        if before == 2 {
            abandoned::last_handle_is_left(address);
        }
        before == 1
    }
}

/// Retires the box of a value whose last handle is gone.
///
/// # Safety
/// `value` came from a `Box`, whoever can still look at it is pinned (G1), and nobody can newly reach it (G2).
#[cold]
pub(crate) unsafe fn retire_box<T: Send + Sync + 'static>(value: NonNull<T>) {
    /// # Safety
    /// As for [`crate::reclaim::Destructor`]: the word is a box of a `T`.
    unsafe fn destroy<T>(word: Word) {
        // SAFETY: the caller's duty.
        unsafe { drop_box(word.cast::<T>()) };
    }

    let retired = Retired { word: value.as_ptr().cast(), destructor: destroy::<T> };
    // SAFETY: the caller's duty.
    with_current(|participant| unsafe { participant.retire_value(retired) });
}

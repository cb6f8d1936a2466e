//! Atomics and the like from `std`.

use std::cell::UnsafeCell;

pub(crate) use std::hint::spin_loop;
pub(crate) use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
pub(crate) use std::sync::{Mutex, MutexGuard};
pub(crate) use std::thread::{Thread, current as current_thread, park, park_timeout, yield_now};

use std::sync::atomic::compiler_fence;

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

/// Memory that a protocol hands from thread to thread.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct NonAtomic<T>(UnsafeCell<T>);

impl<T> NonAtomic<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// Looks at the value.
    ///
    /// # Safety
    /// Nobody changes the value during the call.
    #[inline(always)]
    pub(crate) unsafe fn with<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        // SAFETY: the caller's duty.
        look(unsafe { &*self.0.get() })
    }

    /// Edits the value.
    ///
    /// # Safety
    /// Nobody else looks at the value or changes it during the call.
    #[inline(always)]
    pub(crate) unsafe fn with_mut<R>(&self, edit: impl FnOnce(&mut T) -> R) -> R {
        // SAFETY: the caller's duty.
        edit(unsafe { &mut *self.0.get() })
    }
}

/// Declares a static of the runtime.
macro_rules! global {
    ($(#[$attribute:meta])* $visibility:vis static $name:ident: $type:ty = $value:expr;) => {
        $(#[$attribute])* $visibility static $name: $type = $value;
    };
}
pub(crate) use global;

/// Declares a function that makes what goes into a [`global!`].
macro_rules! const_fn {
    ($(#[$attribute:meta])* $visibility:vis fn $($rest:tt)*) => {
        $(#[$attribute])* $visibility const fn $($rest)*
    };
}
pub(crate) use const_fn;

/// An array of equal parts of what goes into a [`global!`].
macro_rules! array {
    ($value:expr; $count:expr) => {
        [const { $value }; $count]
    };
}
pub(crate) use array;

/// Declares what each thread has of its own.
macro_rules! per_thread {
    ($($declarations:tt)+) => {
        std::thread_local! { $($declarations)+ }
    };
}
pub(crate) use per_thread;

//! Atomics and the like from `shuttle`, which runs a program under many random schedules.

use std::cell::UnsafeCell;

pub(crate) use shuttle::hint::spin_loop;
pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
pub(crate) use shuttle::sync::{Mutex, MutexGuard};
pub(crate) use shuttle::thread::{Thread, current as current_thread, park, park_timeout, yield_now};

/// A sequentially consistent fence. Every access is one to `shuttle`.
pub(crate) fn fence_after_exchange() {
    // SeqCst: what the callers' fence arguments ask for.
    fence(Ordering::SeqCst);
}

/// Memory that a protocol hands from thread to thread; an access that overlaps with a change of it is reported.
#[derive(Debug)]
pub(crate) struct NonAtomic<T> {
    value: UnsafeCell<T>,
    /// How many look at the value; [`CHANGING`] if it is being changed.
    users: AtomicU32,
}

const CHANGING: u32 = u32::MAX;

impl<T> NonAtomic<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { value: UnsafeCell::new(value), users: AtomicU32::new(0) }
    }

    /// Looks at the value.
    ///
    /// # Safety
    /// Nobody changes the value during the call.
    pub(crate) unsafe fn with<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        // SeqCst, here and below: each access is a step of the schedule, and there are no others.
        let before = self.users.fetch_add(1, Ordering::SeqCst);
        assert!(before != CHANGING, "memory was looked at while it was changed");
        // SAFETY: the caller's duty.
        let result = look(unsafe { &*self.value.get() });
        // SeqCst: as above.
        self.users.fetch_sub(1, Ordering::SeqCst);
        result
    }

    /// Edits the value.
    ///
    /// # Safety
    /// Nobody else looks at the value or changes it during the call.
    pub(crate) unsafe fn with_mut<R>(&self, edit: impl FnOnce(&mut T) -> R) -> R {
        // SeqCst: as above.
        let before = self.users.swap(CHANGING, Ordering::SeqCst);
        assert!(before == 0, "memory was changed while it was in use");
        // SAFETY: the caller's duty.
        let result = edit(unsafe { &mut *self.value.get() });
        // SeqCst: as above.
        self.users.store(0, Ordering::SeqCst);
        result
    }
}

/// Declares a static of the runtime, of which every schedule has its own.
macro_rules! global {
    ($(#[$attribute:meta])* static $name:ident: $type:ty = $value:expr;) => {
        shuttle::lazy_static! { $(#[$attribute])* static ref $name: $type = $value; }
    };
    ($(#[$attribute:meta])* pub(crate) static $name:ident: $type:ty = $value:expr;) => {
        shuttle::lazy_static! { $(#[$attribute])* pub(crate) static ref $name: $type = $value; }
    };
}
pub(crate) use global;

/// Declares a function that makes what goes into a [`global!`].
macro_rules! const_fn {
    ($(#[$attribute:meta])* $visibility:vis fn $($rest:tt)*) => {
        $(#[$attribute])* $visibility fn $($rest)*
    };
}
pub(crate) use const_fn;

/// An array of equal parts of what goes into a [`global!`].
macro_rules! array {
    ($value:expr; $count:expr) => {
        std::array::from_fn::<_, { $count }, _>(|_| $value)
    };
}
pub(crate) use array;

/// Declares what each thread has of its own.
macro_rules! per_thread {
    ($($declarations:tt)+) => {
        shuttle::thread_local! { $($declarations)+ }
    };
}
pub(crate) use per_thread;

//! Atomics and the like from `loom`, which tries every order of the steps of a model and every value that a load may
//! see.

use std::sync::Arc;

use loom::cell::UnsafeCell;
use loom::sync::Notify;

pub(crate) use loom::hint::spin_loop;
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
pub(crate) use loom::sync::{Mutex, MutexGuard};
pub(crate) use loom::thread::yield_now;

/// Declares what each thread has of its own.
macro_rules! per_thread {
    ($($(#[$attribute:meta])* static $name:ident: $type:ty = const { $value:expr };)+) => {
        $(loom::thread_local! { $(#[$attribute])* static $name: $type = $value; })+
    };
}
pub(crate) use per_thread;

/// A sequentially consistent fence. The exchange before it is none to `loom`.
pub(crate) fn fence_after_exchange() {
    // SeqCst: what the callers' fence arguments ask for.
    fence(Ordering::SeqCst);
}

/// A thread that can be unparked. That of `loom` forgets it while it waits for a lock.
#[derive(Clone, Debug)]
pub(crate) struct Thread(Arc<Notify>);

per_thread! {
    static THREAD: Thread = const { Thread(Arc::new(Notify::new())) };
}

impl Thread {
    pub(crate) fn unpark(&self) {
        self.0.notify();
    }
}

pub(crate) fn current_thread() -> Thread {
    THREAD.with(Thread::clone)
}

/// Sleeps until the thread is, or has been, unparked.
pub(crate) fn park() {
    current_thread().0.wait();
}

/// Models have no time.
pub(crate) fn park_timeout(_: std::time::Duration) {
    park();
}

/// Memory that a protocol hands from thread to thread; `loom` reports accesses that nothing orders.
#[derive(Debug)]
pub(crate) struct NonAtomic<T>(UnsafeCell<T>);

impl<T> NonAtomic<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// Looks at the value.
    ///
    /// # Safety
    /// Nobody changes the value during the call.
    pub(crate) unsafe fn with<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        // SAFETY: the caller's duty, which loom checks.
        self.0.with(|value| look(unsafe { &*value }))
    }

    /// Edits the value.
    ///
    /// # Safety
    /// Nobody else looks at the value or changes it during the call.
    pub(crate) unsafe fn with_mut<R>(&self, edit: impl FnOnce(&mut T) -> R) -> R {
        // SAFETY: the caller's duty, which loom checks.
        self.0.with_mut(|value| edit(unsafe { &mut *value }))
    }
}

/// Declares a static of the runtime, of which every execution of a model has its own.
macro_rules! global {
    ($(#[$attribute:meta])* static $name:ident: $type:ty = $value:expr;) => {
        loom::lazy_static! { $(#[$attribute])* static ref $name: $type = $value; }
    };
    ($(#[$attribute:meta])* pub(crate) static $name:ident: $type:ty = $value:expr;) => {
        loom::lazy_static! { $(#[$attribute])* pub(crate) static ref $name: $type = $value; }
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

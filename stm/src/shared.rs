//! Shared ownership whose end is deferred past every running transaction.
//!
//! # Protocol
//! 1. A handle is counted, as in an `Arc`.
//! 2. Who drops the last handle retires the allocation: it is destroyed once every thread that was pinned then has
//!    unpinned (`participant.rs`).
//!
//! # Invariants
//! * **G1** Who got at a handle while pinned may use the value for as long as it is pinned: the handle was counted
//!   then, so the allocation was retired, if at all, after the pin.
//! * **G2** No handle comes back from zero: a handle is only cloned from a handle.

use std::fmt;
use std::ops::Deref;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::ptr::NonNull;

use crate::abandoned;
use crate::cell::{RawCell, TCell};
use crate::participant::with_current;
use crate::reader::ReadTx;
use crate::reclaim::{Retired, Word};
use crate::sync::{AtomicUsize, Ordering};

/// A reference-counted pointer to a value that lives at least as long as every transaction that can see it.
///
/// Like an [`Arc`](std::sync::Arc), with one difference: inside a transaction, [`get`](Self::get) hands out the value
/// for the rest of the transaction, whatever becomes of the handle. That is what a transactional data structure
/// needs: nodes hold [`TCell`]s inline and link to each other with `Shared`, and an operation walks
/// along the links without counting.
///
/// A value is destroyed some time after its last handle is gone, when no transaction that ran then runs any more, by
/// whatever thread tidies up then; see [`collect`](crate::collect()). Cycles of handles are never destroyed.
///
/// # Examples
/// A stack, of which each node is immutable but for its link:
/// ```
/// use optimist::{Shared, Stm, TCell, Tx, atomically};
///
/// struct Node {
///     value: u32,
///     next: TCell<Option<Shared<Node>>>,
/// }
///
/// let top: Shared<TCell<Option<Shared<Node>>>> = Shared::default();
///
/// fn push(tx: &mut Tx<'_>, top: &Shared<TCell<Option<Shared<Node>>>>, value: u32) -> Stm<()> {
///     let top = top.get(tx);
///     let next = TCell::new(top.read(tx)?);
///     top.write(tx, Some(Shared::new(Node { value, next })))
/// }
///
/// atomically(|tx| {
///     push(tx, &top, 1)?;
///     push(tx, &top, 2)
/// });
/// let values = atomically(|tx| {
///     let mut values = Vec::new();
///     let mut link = top.get(tx).read_ref(tx)?;
///     while let Some(node) = link {
///         let node = node.get(tx);
///         values.push(node.value);
///         link = node.next.read_ref(tx)?;
///     }
///     Ok(values)
/// });
/// assert_eq!(values, [2, 1]);
/// ```
pub struct Shared<T: Send + Sync + 'static> {
    inner: NonNull<Inner<T>>,
}

#[repr(C)]
struct Inner<T> {
    handles: AtomicUsize,
    value: T,
}

// SAFETY: a handle gives `&T` to any thread, and the value is destroyed on any thread.
unsafe impl<T: Send + Sync> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Shared<T> {}

impl<T: Send + Sync + RefUnwindSafe> UnwindSafe for Shared<T> {}
impl<T: Send + Sync + RefUnwindSafe> RefUnwindSafe for Shared<T> {}

impl<T: Send + Sync + 'static> Shared<T> {
    /// More handles than this are taken for a leak, before the count can overflow.
    const MOST: usize = isize::MAX as usize;

    /// Makes the first handle to `value`.
    ///
    /// # Examples
    /// ```
    /// use optimist::Shared;
    ///
    /// assert_eq!(*Shared::new(5), 5);
    /// ```
    pub fn new(value: T) -> Self {
        let inner = Box::new(Inner { handles: AtomicUsize::new(1), value });
        Self { inner: NonNull::from(Box::leak(inner)) }
    }

    fn inner(&self) -> &Inner<T> {
        // SAFETY: the allocation lives as long as a handle does.
        unsafe { self.inner.as_ref() }
    }

    /// Hands out the value for as long as the transaction runs, even if this handle goes meanwhile.
    ///
    /// # Examples
    /// ```
    /// use optimist::{Shared, TCell, atomically};
    ///
    /// let sum = atomically(|tx| {
    ///     let made_here = Shared::new(TCell::new(5));
    ///     let cell = made_here.get(tx);
    ///     drop(made_here);
    ///     cell.modify(tx, |value| *value += 1)?;
    ///     cell.read(tx)
    /// });
    /// assert_eq!(sum, 6);
    /// ```
    #[inline]
    pub fn get<'tx>(&self, tx: &impl ReadTx<'tx>) -> &'tx T {
        _ = tx;
        // SAFETY: a transaction runs, so the thread is pinned until `'tx` ends, and the handle is counted now (G1).
        &unsafe { self.inner.as_ref() }.value
    }

    /// Whether two handles are of the same value.
    ///
    /// # Examples
    /// ```
    /// use optimist::Shared;
    ///
    /// let five = Shared::new(5);
    /// assert!(Shared::ptr_eq(&five, &five.clone()));
    /// assert!(!Shared::ptr_eq(&five, &Shared::new(5)));
    /// ```
    #[must_use]
    pub fn ptr_eq(&self, other: &Self) -> bool {
        std::ptr::addr_eq(self.inner.as_ptr(), other.inner.as_ptr())
    }

    /// How many handles there are at this moment.
    ///
    /// # Examples
    /// ```
    /// use optimist::Shared;
    ///
    /// let one = Shared::new(5);
    /// let two = one.clone();
    /// assert_eq!(Shared::handles(&two), 2);
    /// ```
    #[must_use]
    pub fn handles(this: &Self) -> usize {
        // Relaxed: a count of the moment, which orders nothing.
        this.inner().handles.load(Ordering::Relaxed)
    }

    #[cold]
    fn retire(&self) {
        /// # Safety
        /// As for [`crate::reclaim::Destructor`]: the word is a box of an `Inner<T>`.
        unsafe fn destroy<T>(word: Word) {
            // SAFETY: `new` made it from such a box, and the caller gives it up.
            drop(unsafe { Box::from_raw(word.cast::<Inner<T>>()) });
        }

        let retired = Retired { word: self.inner.as_ptr().cast(), destructor: destroy::<T> };
        // SAFETY: the last handle is gone, so nobody can newly reach the value (G2); who still looks at it is pinned
        // (G1).
        with_current(|participant| unsafe { participant.retire_value(retired) });
    }
}

impl<T: Send + Sync + 'static> Deref for Shared<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.inner().value
    }
}

impl<T: Send + Sync + 'static> Clone for Shared<T> {
    /// Makes another handle to the same value.
    ///
    /// # Panics
    /// When there are more than `isize::MAX` handles, which only a program can make that forgets them.
    fn clone(&self) -> Self {
        // Relaxed: the handle we clone from keeps the value alive meanwhile.
        let before = self.inner().handles.fetch_add(1, Ordering::Relaxed);
        if before > Self::MOST {
            // Relaxed: takes back what was added.
            self.inner().handles.fetch_sub(1, Ordering::Relaxed);
            panic!("more than isize::MAX handles to one `Shared`; are they being forgotten?");
        }
        Self { inner: self.inner }
    }
}

impl<T: Send + Sync + 'static> Drop for Shared<T> {
    fn drop(&mut self) {
        let address_of_value = std::ptr::from_ref(&self.inner().value).addr();
        // Release: what this handle's owner did to the value comes before its end.
        // Acquire: who drops the last handle sees all that the others did.
        // SeqCst: both, and `last_handle_is_left` builds on it.
        match self.inner().handles.fetch_sub(1, Ordering::SeqCst) {
            1 => self.retire(),
            // From here on the value is no longer ours to look at, but for its address.
            2 => abandoned::last_handle_is_left(address_of_value),
            _ => {}
        }
    }
}

impl<T: Send + Sync + 'static> From<T> for Shared<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Default + Send + Sync + 'static> Default for Shared<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

/// Shows the value.
impl<T: fmt::Debug + Send + Sync + 'static> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: Send + Sync + 'static> Shared<TCell<T>> {
    /// Makes a cell that knows that it is a [`TVar`](crate::TVar).
    pub(crate) fn new_variable(value: T) -> Self {
        let shared = Self::new(TCell::new(value));
        shared.raw.mark_as_variable();
        // `handles_of` finds the count from the address of the cell alone.
        _ = shared.inner.as_ptr().expose_provenance();
        shared
    }
}

/// How many handles there are of the [`TVar`](crate::TVar) that `cell` is in; nothing if it is in none.
pub(crate) fn handles_of(cell: &RawCell) -> Option<usize> {
    const OFFSET: usize = std::mem::offset_of!(Inner<TCell<()>>, value);
    const _: () = assert!(OFFSET == size_of::<AtomicUsize>());
    if !cell.is_variable() {
        return None;
    }
    let count = std::ptr::with_exposed_provenance::<AtomicUsize>(std::ptr::from_ref(cell).addr() - OFFSET);
    // SAFETY: a cell is marked by `new_variable` alone, where it is the value of an `Inner` whose address was exposed.
    // Its offset is the same for all `T`, as a `TCell` is a `RawCell`. It is alive, as it is borrowed from a read
    // set (D1).
    let count = unsafe { &*count };
    // Acquire: pairs with the release in `drop`; who dropped a handle did before what it had to do.
    Some(count.load(Ordering::Acquire))
}

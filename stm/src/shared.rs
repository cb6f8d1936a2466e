//! Shared ownership whose end is deferred past every running transaction; see `handles.rs` for how.

use std::fmt;
use std::ops::Deref;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::ptr::NonNull;

use crate::handles::{Handles, retire_box};
use crate::reader::ReadTx;

/// A reference-counted pointer to a value that lives at least as long as every transaction that can see it.
///
/// Like an [`Arc`](std::sync::Arc), with one difference: inside a transaction, [`get`](Self::get) hands out the value
/// for the rest of the transaction, whatever becomes of the handle. That is what a transactional data structure
/// needs: nodes hold [`TCell`](crate::TCell)s inline and link to each other with `Shared`, and an operation walks
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

struct Inner<T> {
    handles: Handles,
    value: T,
}

// SAFETY: a handle gives `&T` to any thread, and the value is destroyed on any thread.
unsafe impl<T: Send + Sync> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Shared<T> {}

impl<T: Send + Sync + RefUnwindSafe> UnwindSafe for Shared<T> {}
impl<T: Send + Sync + RefUnwindSafe> RefUnwindSafe for Shared<T> {}

impl<T: Send + Sync + 'static> Shared<T> {
    /// Makes the first handle to `value`.
    ///
    /// # Examples
    /// ```
    /// use optimist::Shared;
    ///
    /// assert_eq!(*Shared::new(5), 5);
    /// ```
    pub fn new(value: T) -> Self {
        let inner = Box::new(Inner { handles: Handles::one(), value });
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
        this.inner().handles.count()
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
    /// When there are more than `i32::MAX` handles, which only a program can make that forgets them.
    fn clone(&self) -> Self {
        self.inner().handles.add_one();
        Self { inner: self.inner }
    }
}

impl<T: Send + Sync + 'static> Drop for Shared<T> {
    fn drop(&mut self) {
        let inner = self.inner();
        if inner.handles.drop_one(std::ptr::from_ref(inner).addr()) {
            // SAFETY: `new` made it from a box, and the last handle is gone.
            unsafe { retire_box(self.inner) };
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

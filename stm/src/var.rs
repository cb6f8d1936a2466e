//! Transactional variables: one cell, shared by handles.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::ptr::NonNull;

use crate::cell::TCell;
use crate::error::Stm;
use crate::handles::{Handles, retire_box};
use crate::reader::ReadTx;
use crate::single;
use crate::tx::Tx;

/// A transactional variable: a cell of its own, which any number of threads share by cloning the handle.
///
/// It is a [`Shared`] [`TCell`] with the methods of both, in an allocation of three words. To put many cells into one
/// allocation, such as the fields of a node, use [`TCell`] directly.
///
/// [`Shared`]: crate::Shared
///
/// # Conflicts
/// Reading a variable conflicts with a commit that wrote it in the meantime. Two writes conflict only if one of
/// them was preceded by a read.
///
/// # Examples
/// ```
/// use optimist::{TVar, atomically};
/// use std::thread;
///
/// let count = TVar::new(0);
/// let threads: Vec<_> = (0..4)
///     .map(|_| {
///         let count = count.clone();
///         thread::spawn(move || atomically(|tx| count.modify(tx, |count| *count += 1)))
///     })
///     .collect();
/// threads.into_iter().for_each(|thread| thread.join().unwrap());
/// assert_eq!(count.load(), 4);
/// ```
pub struct TVar<T: Send + Sync + 'static> {
    cell: NonNull<TCell<T>>,
}

// SAFETY: a handle gives `&TCell<T>` to any thread, and the cell is destroyed on any thread.
unsafe impl<T: Send + Sync> Send for TVar<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for TVar<T> {}

impl<T: Send + Sync> UnwindSafe for TVar<T> {}
impl<T: Send + Sync> RefUnwindSafe for TVar<T> {}

impl<T: Send + Sync + 'static> TVar<T> {
    /// Makes a variable that holds `value`.
    ///
    /// # Examples
    /// ```
    /// use optimist::TVar;
    ///
    /// assert_eq!(TVar::new(5).load(), 5);
    /// ```
    pub fn new(value: T) -> Self {
        let cell = Box::new(TCell::with_handles(value, Handles::one()));
        Self { cell: NonNull::from(Box::leak(cell)) }
    }

    #[inline]
    fn outside(&self) -> &TCell<T> {
        // SAFETY: the cell lives as long as a handle does.
        unsafe { self.cell.as_ref() }
    }

    /// Hands out the cell for as long as the transaction runs.
    ///
    /// # Examples
    /// ```
    /// use optimist::{TVar, atomically};
    ///
    /// let var = TVar::new(5);
    /// assert_eq!(atomically(|tx| var.cell(tx).read(tx)), 5);
    /// ```
    #[inline]
    pub fn cell<'tx>(&self, tx: &impl ReadTx<'tx>) -> &'tx TCell<T> {
        _ = tx;
        // SAFETY: a transaction runs, so the thread is pinned until `'tx` ends, and the handle is counted now (G1).
        unsafe { self.cell.as_ref() }
    }

    /// Reads the value and clones it out.
    ///
    /// # Errors
    /// [`Abort`](crate::Abort) when the attempt must be run again; pass it on with `?`.
    ///
    /// # Examples
    /// ```
    /// use optimist::{TVar, atomically};
    ///
    /// let name = TVar::new("Ada".to_string());
    /// assert_eq!(atomically(|tx| name.read(tx)), "Ada");
    /// ```
    #[inline]
    pub fn read<'tx>(&self, tx: &mut impl ReadTx<'tx>) -> Stm<T>
    where
        T: Clone,
    {
        self.cell(tx).read(tx)
    }

    /// Reads the value in place: no clone, no reference count.
    ///
    /// The reference stays valid, and the value unchanged, until the attempt ends, also when the
    /// transaction writes the variable afterwards.
    ///
    /// # Errors
    /// [`Abort`](crate::Abort) when the attempt must be run again; pass it on with `?`.
    ///
    /// # Examples
    /// ```
    /// use optimist::{TVar, atomically};
    ///
    /// let names = TVar::new(vec!["Ada".to_string(), "Alan".to_string()]);
    /// assert_eq!(atomically(|tx| Ok(names.read_ref(tx)?.len())), 2);
    /// ```
    #[inline]
    pub fn read_ref<'tx>(&self, tx: &mut impl ReadTx<'tx>) -> Stm<&'tx T> {
        self.cell(tx).read_ref(tx)
    }

    /// Writes `value`, to appear when the transaction commits.
    ///
    /// # Errors
    /// [`Abort`](crate::Abort) when the attempt must be run again; pass it on with `?`.
    ///
    /// # Examples
    /// ```
    /// use optimist::{TVar, atomically};
    ///
    /// let var = TVar::new(5);
    /// atomically(|tx| var.write(tx, 6));
    /// assert_eq!(var.load(), 6);
    /// ```
    #[inline]
    pub fn write(&self, tx: &mut Tx<'_>, value: T) -> Stm<()> {
        self.cell(tx).write(tx, value)
    }

    /// Reads the value, lets `change` edit it, and writes it back. Returns what `change` returns.
    ///
    /// The value is cloned once; changing it again in the same transaction edits the same clone, unless
    /// [`read_ref`](Self::read_ref) lent it out or a savepoint may have to bring it back. If `change` panics and the
    /// body catches that, the value is as `change` left it.
    ///
    /// # Errors
    /// [`Abort`](crate::Abort) when the attempt must be run again; pass it on with `?`.
    ///
    /// # Examples
    /// ```
    /// use optimist::{TVar, atomically};
    ///
    /// let list = TVar::new(vec![1, 2]);
    /// let len = atomically(|tx| {
    ///     list.modify(tx, |list| {
    ///         list.push(3);
    ///         list.len()
    ///     })
    /// });
    /// assert_eq!((len, list.load()), (3, vec![1, 2, 3]));
    /// ```
    #[inline]
    pub fn modify<R>(&self, tx: &mut Tx<'_>, change: impl FnOnce(&mut T) -> R) -> Stm<R>
    where
        T: Clone,
    {
        self.cell(tx).modify(tx, change)
    }

    /// Writes `value` and returns the value before.
    ///
    /// # Errors
    /// [`Abort`](crate::Abort) when the attempt must be run again; pass it on with `?`.
    ///
    /// # Examples
    /// ```
    /// use optimist::{TVar, atomically};
    ///
    /// let var = TVar::new("old");
    /// assert_eq!(atomically(|tx| var.replace(tx, "new")), "old");
    /// ```
    #[inline]
    pub fn replace(&self, tx: &mut Tx<'_>, value: T) -> Stm<T>
    where
        T: Clone,
    {
        self.cell(tx).replace(tx, value)
    }

    /// Exchanges the values of two variables.
    ///
    /// # Errors
    /// [`Abort`](crate::Abort) when the attempt must be run again; pass it on with `?`.
    ///
    /// # Examples
    /// ```
    /// use optimist::{TVar, atomically};
    ///
    /// let (left, right) = (TVar::new(1), TVar::new(2));
    /// atomically(|tx| left.swap_with(tx, &right));
    /// assert_eq!((left.load(), right.load()), (2, 1));
    /// ```
    #[inline]
    pub fn swap_with(&self, tx: &mut Tx<'_>, other: &Self) -> Stm<()>
    where
        T: Clone,
    {
        let other = other.cell(tx);
        self.cell(tx).swap_with(tx, other)
    }

    /// Reads the last committed value, outside of any transaction.
    ///
    /// Linearizable with all transactions and with other single-cell operations; see
    /// [the argument](crate::docs::orderings). Inside a transaction it reads beside it: neither its snapshot nor its
    /// own writes; use [`read`](Self::read) there.
    ///
    /// # Blocks
    /// For the nanoseconds in which a commit publishes to this very variable.
    ///
    /// # Examples
    /// ```
    /// use optimist::TVar;
    ///
    /// assert_eq!(TVar::new('x').load(), 'x');
    /// ```
    #[inline]
    pub fn load(&self) -> T
    where
        T: Clone,
    {
        self.outside().load()
    }

    /// Replaces the value, outside of any transaction, and wakes who waits for it.
    ///
    /// Equal to a transaction that only writes this variable, at a fraction of the cost.
    ///
    /// # Blocks
    /// While an [irrevocable](Tx::irrevocable) or escalated transaction owns the variable.
    ///
    /// # Panics
    /// Inside a transaction: the effect could not be undone. Use [`write`](Self::write) there.
    ///
    /// # Examples
    /// ```
    /// use optimist::TVar;
    ///
    /// let var = TVar::new(1);
    /// var.store(2);
    /// assert_eq!(var.load(), 2);
    /// ```
    #[inline]
    #[track_caller]
    pub fn store(&self, value: T) {
        self.outside().store(value);
    }

    /// Replaces the value, outside of any transaction, wakes who waits for it, and returns the value before.
    ///
    /// # Blocks
    /// While an [irrevocable](Tx::irrevocable) or escalated transaction owns the variable.
    ///
    /// # Panics
    /// Inside a transaction: the effect could not be undone. Use [`replace`](Self::replace) there.
    ///
    /// # Examples
    /// ```
    /// use optimist::TVar;
    ///
    /// assert_eq!(TVar::new("old").swap("new"), "old");
    /// ```
    #[inline]
    #[track_caller]
    pub fn swap(&self, value: T) -> T
    where
        T: Clone,
    {
        self.outside().swap(value)
    }

    /// Edits the value, outside of any transaction, wakes who waits for it, and returns what `change` returns.
    ///
    /// `change` works on a clone and is run again when another thread was faster. It may use other variables, but
    /// must not write this one.
    ///
    /// # Blocks
    /// While an [irrevocable](Tx::irrevocable) or escalated transaction owns the variable.
    ///
    /// # Panics
    /// Inside a transaction: the effect could not be undone. Use [`modify`](Self::modify) there. When `change` has
    /// written this very cell.
    ///
    /// # Examples
    /// ```
    /// use optimist::TVar;
    ///
    /// let counter = TVar::new(41);
    /// counter.update(|count| *count += 1);
    /// assert_eq!(counter.load(), 42);
    /// ```
    #[inline]
    #[track_caller]
    pub fn update<R>(&self, change: impl FnMut(&mut T) -> R) -> R
    where
        T: Clone,
    {
        self.outside().update(change)
    }

    /// Whether two handles are of the same variable.
    ///
    /// # Examples
    /// ```
    /// use optimist::TVar;
    ///
    /// let var = TVar::new(5);
    /// assert!(var.ptr_eq(&var.clone()));
    /// assert!(!var.ptr_eq(&TVar::new(5)));
    /// ```
    #[must_use]
    pub fn ptr_eq(&self, other: &Self) -> bool {
        std::ptr::addr_eq(self.cell.as_ptr(), other.cell.as_ptr())
    }
}

impl<T: Send + Sync + 'static> Clone for TVar<T> {
    /// Makes another handle to the same variable.
    ///
    /// # Panics
    /// When there are more than `i32::MAX` handles, which only a program can make that forgets them.
    fn clone(&self) -> Self {
        self.outside().raw.handles.add_one();
        Self { cell: self.cell }
    }
}

impl<T: Send + Sync + 'static> Drop for TVar<T> {
    fn drop(&mut self) {
        let raw = &self.outside().raw;
        if raw.handles.drop_one(std::ptr::from_ref(raw).addr()) {
            // SAFETY: `new` made it from a box, and the last handle is gone.
            unsafe { retire_box(self.cell) };
        }
    }
}

impl<T: Send + Sync + 'static> From<T> for TVar<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Default + Send + Sync + 'static> Default for TVar<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

/// Shows the last committed value.
impl<T: fmt::Debug + Send + Sync + 'static> fmt::Debug for TVar<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        single::look(self.outside(), |value| f.debug_tuple("TVar").field(value).finish())
    }
}

#[cfg(feature = "serde")]
impl<T: serde::Serialize + Send + Sync + 'static> serde::Serialize for TVar<T> {
    /// Serialises the last committed value. Two handles to one variable are written twice.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde::Serialize::serialize(self.outside(), serializer)
    }
}

#[cfg(feature = "serde")]
impl<'de, T: serde::Deserialize<'de> + Send + Sync + 'static> serde::Deserialize<'de> for TVar<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::new)
    }
}

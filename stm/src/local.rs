//! Transaction-local values: one per attempt, made on first use.

use std::any::Any;
use std::fmt;

use crate::error::Stm;
use crate::hooks::LocalValue;
use crate::tx::Tx;

/// A value that every attempt of every transaction has for itself.
///
/// Put it in a `static`. It is made when an attempt first asks for it, and ends with the attempt: nothing is carried
/// over to the next one. Hooks say what is to happen at the end. A typical use collects
/// work during the transaction, which is then done once, when it commits.
///
/// Undoing a part of a transaction ([`Tx::or_else`], [`Tx::nested`]) leaves local values as they are.
///
/// # Examples
/// ```
/// use optimist::{TVar, TxLocal, atomically};
/// use std::sync::atomic::{AtomicUsize, Ordering};
///
/// static WRITTEN: AtomicUsize = AtomicUsize::new(0);
/// static LINES: TxLocal<Vec<String>> = TxLocal::new(Vec::new).after_commit(|lines| {
///     WRITTEN.fetch_add(lines.len(), Ordering::Relaxed);
/// });
///
/// let count = TVar::new(0);
/// atomically(|tx| {
///     LINES.with(tx, |lines| lines.push("one".into()));
///     LINES.with(tx, |lines| lines.push("two".into()));
///     let lines = LINES.with(tx, |lines| lines.len());
///     count.write(tx, lines)
/// });
/// assert_eq!(count.load(), 2);
/// assert_eq!(WRITTEN.load(Ordering::Relaxed), 2);
/// ```
pub struct TxLocal<T: 'static> {
    init: fn() -> T,
    before_commit: Option<fn(&mut Tx<'_>, &mut T) -> Stm<()>>,
    after_commit: Option<fn(T)>,
    after_abort: Option<fn(T)>,
}

struct Value<T: 'static> {
    value: T,
    key: &'static TxLocal<T>,
}

impl<T: 'static> LocalValue for Value<T> {
    fn end(self: Box<Self>, committed: bool) {
        let hook = if committed { self.key.after_commit } else { self.key.after_abort };
        if let Some(hook) = hook {
            hook(self.value);
        }
    }

    fn before_commit(&mut self, tx: &mut Tx<'_>) -> Stm<()> {
        self.key.before_commit.map_or(Ok(()), |hook| hook(tx, &mut self.value))
    }
}

impl<T: 'static> TxLocal<T> {
    /// Declares a value that `init` makes.
    ///
    /// # Examples
    /// ```
    /// use optimist::{TxLocal, atomically};
    ///
    /// static STEPS: TxLocal<u32> = TxLocal::new(|| 0);
    /// let steps = atomically(|tx| {
    ///     STEPS.with(tx, |steps| *steps += 1);
    ///     Ok(STEPS.with(tx, |steps| *steps))
    /// });
    /// assert_eq!(steps, 1);
    /// ```
    #[must_use]
    pub const fn new(init: fn() -> T) -> Self {
        Self { init, before_commit: None, after_commit: None, after_abort: None }
    }

    /// Says what to do with the value when the body has returned and before the attempt commits. It is part of the
    /// attempt: it may read and write cells, and even [retry](Tx::retry).
    ///
    /// # Examples
    /// ```
    /// use std::sync::LazyLock;
    /// use optimist::{TVar, TxLocal, atomically};
    ///
    /// static TOTAL: LazyLock<TVar<u64>> = LazyLock::new(|| TVar::new(0));
    /// static SUM: TxLocal<u64> = TxLocal::new(|| 0).before_commit(|tx, sum| TOTAL.modify(tx, |total| *total += *sum));
    ///
    /// atomically(|tx| {
    ///     (1..=4).for_each(|part| SUM.with(tx, |sum| *sum += part));
    ///     Ok(())
    /// });
    /// assert_eq!(TOTAL.load(), 10);
    /// ```
    #[must_use]
    pub const fn before_commit(mut self, hook: fn(&mut Tx<'_>, &mut T) -> Stm<()>) -> Self {
        self.before_commit = Some(hook);
        self
    }

    /// Says what to do with the value after the transaction has committed.
    ///
    /// # Examples
    /// See [`TxLocal`].
    #[must_use]
    pub const fn after_commit(mut self, hook: fn(T)) -> Self {
        self.after_commit = Some(hook);
        self
    }

    /// Says what to do with the value of an attempt that ended without effect.
    ///
    /// # Examples
    /// ```
    /// use std::sync::atomic::{AtomicU32, Ordering};
    /// use optimist::{Cancel, TxLocal, try_atomically};
    ///
    /// static UNDONE: AtomicU32 = AtomicU32::new(0);
    /// static BOOKED: TxLocal<u32> = TxLocal::new(|| 0).after_abort(|booked| UNDONE.store(booked, Ordering::Relaxed));
    ///
    /// let outcome = try_atomically(|tx| {
    ///     BOOKED.with(tx, |booked| *booked = 7);
    ///     Err::<(), _>(Cancel::new("no"))
    /// });
    /// assert!(outcome.is_err());
    /// assert_eq!(UNDONE.load(Ordering::Relaxed), 7);
    /// ```
    #[must_use]
    pub const fn after_abort(mut self, hook: fn(T)) -> Self {
        self.after_abort = Some(hook);
        self
    }

    /// Uses the value of the attempt that `tx` is, making it if need be.
    ///
    /// # Panics
    /// When called for the same `TxLocal` from within `edit` or from its own hook.
    ///
    /// # Complexity
    /// Linear in the number of different local values that the attempt uses.
    ///
    /// # Examples
    /// See [`TxLocal`].
    pub fn with<R>(&'static self, tx: &mut Tx<'_>, edit: impl FnOnce(&mut T) -> R) -> R {
        let key = std::ptr::from_ref(self).addr();
        let index = match tx.hooks().local_index(key) {
            Some(index) => index,
            None => {
                let value = Box::new(Value { value: (self.init)(), key: self });
                tx.hooks().add_local(key, value)
            }
        };
        let taken = tx.hooks().take_local(index);
        let Some(value) = taken else {
            panic!("a `TxLocal` was used from within its own `with` or its own hook; use what that has been given");
        };
        let mut taken = Taken { tx, index, value: Some(value) };
        let value: &mut dyn Any = &mut **taken.value.as_mut().expect("there until dropped");
        edit(&mut value.downcast_mut::<Value<T>>().expect("a key has one type").value)
    }
}

/// A local value that is being used; put back when dropped, also by a panic.
struct Taken<'a, 'tx> {
    tx: &'a mut Tx<'tx>,
    index: usize,
    value: Option<Box<dyn LocalValue>>,
}

impl Drop for Taken<'_, '_> {
    fn drop(&mut self) {
        if let Some(value) = self.value.take() {
            self.tx.hooks().put_local(self.index, value);
        }
    }
}

impl<T: 'static> fmt::Debug for TxLocal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TxLocal").finish_non_exhaustive()
    }
}

/// Runs the hooks that belong to the attempt itself.
pub(crate) fn before_commit(tx: &mut Tx<'_>) -> Stm<()> {
    let mut index = 0;
    // A hook may make further local values.
    while index < tx.hooks().locals() {
        if let Some(mut value) = tx.hooks().take_local(index) {
            // A panic of the hook ends the attempt, and the value with it.
            let result = value.before_commit(tx);
            tx.hooks().put_local(index, value);
            result?;
        }
        index += 1;
    }
    Ok(())
}

//! A stack: one cell that holds the top node; nodes are immutable and linked.
//!
//! # Invariants
//! * **T1** A node never changes, and knows how many nodes it stands on, itself included. So one cell says everything, and
//!   the length is exact at no cost.

use std::fmt;

use optimist::{ReadTx, Shared, Stm, TVar, Tx, snapshot};

type Link<T> = Option<Shared<Node<T>>>;

struct Node<T: Send + Sync + 'static> {
    value: T,
    below: Link<T>,
    len: usize,
}

/// An unbounded stack: last in, first out.
///
/// A handle is cloned to share it, like that of a [`TVar`].
///
/// | operation | cost | conflicts with |
/// | --- | --- | --- |
/// | [`push`](Self::push), [`pop`](Self::pop), [`try_pop`](Self::try_pop) | O(1) | every other change, and every read |
/// | [`take_all`](Self::take_all) | O(n) | the same |
/// | [`peek`](Self::peek), [`len`](Self::len), [`is_empty`](Self::is_empty) | O(1) | changes |
/// | [`iter`](Self::iter) | O(1) to begin, O(1) a step | changes |
///
/// All of a stack is in its top, so two operations of which one changes it always conflict. Where order does not matter,
/// several stacks conflict less than one.
///
/// # Examples
/// ```
/// use optimist::atomically;
/// use optimist_collections::TStack;
///
/// let stack = TStack::new();
/// atomically(|tx| {
///     stack.push(tx, 1)?;
///     stack.push(tx, 2)
/// });
/// assert_eq!(atomically(|tx| stack.pop(tx)), 2);
/// assert_eq!(atomically(|tx| stack.len(tx)), 1);
/// ```
pub struct TStack<T: Send + Sync + 'static> {
    top: TVar<Link<T>>,
}

impl<T: Send + Sync + 'static> TStack<T> {
    /// Makes an empty stack.
    ///
    /// # Examples
    /// ```
    /// use optimist::atomically;
    /// use optimist_collections::TStack;
    ///
    /// let stack = TStack::<u32>::new();
    /// assert!(atomically(|tx| stack.is_empty(tx)));
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self { top: TVar::new(None) }
    }

    /// Puts `value` on top.
    ///
    /// # Errors
    /// [`Abort`](optimist::Abort) when the attempt must be run again; pass it on with `?`.
    ///
    /// # Examples
    /// ```
    /// use optimist::atomically;
    /// use optimist_collections::TStack;
    ///
    /// let stack = TStack::new();
    /// atomically(|tx| stack.push(tx, 'a'));
    /// assert_eq!(atomically(|tx| stack.peek(tx)), Some('a'));
    /// ```
    pub fn push(&self, tx: &mut Tx<'_>, value: T) -> Stm<()> {
        let below = self.top.read(tx)?;
        let len = len_of(&below) + 1;
        self.top.write(tx, Some(Shared::new(Node { value, below, len })))
    }

    /// Takes the value on top; nothing if the stack is empty.
    ///
    /// # Errors
    /// [`Abort`](optimist::Abort) when the attempt must be run again; pass it on with `?`.
    ///
    /// # Examples
    /// ```
    /// use optimist::atomically;
    /// use optimist_collections::TStack;
    ///
    /// let stack: TStack<_> = ["bottom", "top"].into_iter().collect();
    /// let all = atomically(|tx| Ok([stack.try_pop(tx)?, stack.try_pop(tx)?, stack.try_pop(tx)?]));
    /// assert_eq!(all, [Some("top"), Some("bottom"), None]);
    /// ```
    pub fn try_pop(&self, tx: &mut Tx<'_>) -> Stm<Option<T>>
    where
        T: Clone,
    {
        let Some(node) = self.top.read_ref(tx)? else { return Ok(None) };
        let node = node.get(tx);
        self.top.write(tx, node.below.clone())?;
        Ok(Some(node.value.clone()))
    }

    /// Takes the value on top, waiting for one if the stack is empty.
    ///
    /// # Blocks
    /// While the stack is empty: it [retries](Tx::retry), so that within [`or_else`](Tx::or_else) the other branch is
    /// taken.
    ///
    /// # Errors
    /// [`Abort`](optimist::Abort) when the attempt must be run again or waits; pass it on with `?`.
    ///
    /// # Examples
    /// ```
    /// use optimist::atomically;
    /// use optimist_collections::TStack;
    ///
    /// let (urgent, other) = (TStack::new(), TStack::new());
    /// atomically(|tx| other.push(tx, "sweep"));
    /// let task = atomically(|tx| tx.or_else(|tx| urgent.pop(tx), |tx| other.pop(tx)));
    /// assert_eq!(task, "sweep");
    /// ```
    pub fn pop(&self, tx: &mut Tx<'_>) -> Stm<T>
    where
        T: Clone,
    {
        match self.try_pop(tx)? {
            Some(value) => Ok(value),
            None => tx.retry(),
        }
    }

    /// Empties the stack, and returns its values from the top down.
    ///
    /// # Errors
    /// [`Abort`](optimist::Abort) when the attempt must be run again; pass it on with `?`.
    ///
    /// # Examples
    /// ```
    /// use optimist::atomically;
    /// use optimist_collections::TStack;
    ///
    /// let stack: TStack<_> = (1..=3).collect();
    /// assert_eq!(atomically(|tx| stack.take_all(tx)), [3, 2, 1]);
    /// assert!(atomically(|tx| stack.is_empty(tx)));
    /// ```
    pub fn take_all(&self, tx: &mut Tx<'_>) -> Stm<Vec<T>>
    where
        T: Clone,
    {
        let values = self.iter(tx)?.cloned().collect();
        self.top.write(tx, None)?;
        Ok(values)
    }

    /// Clones the value on top; nothing if the stack is empty.
    ///
    /// # Errors
    /// [`Abort`](optimist::Abort) when the attempt must be run again; pass it on with `?`.
    ///
    /// # Examples
    /// See [`push`](Self::push).
    pub fn peek<'tx>(&self, tx: &mut impl ReadTx<'tx>) -> Stm<Option<T>>
    where
        T: Clone,
    {
        Ok(self.iter(tx)?.next().cloned())
    }

    /// Counts the values.
    ///
    /// # Errors
    /// [`Abort`](optimist::Abort) when the attempt must be run again; pass it on with `?`.
    ///
    /// # Examples
    /// See [`TStack`].
    pub fn len<'tx>(&self, tx: &mut impl ReadTx<'tx>) -> Stm<usize> {
        self.top.read_ref(tx).map(len_of)
    }

    /// Whether there are no values.
    ///
    /// # Errors
    /// [`Abort`](optimist::Abort) when the attempt must be run again; pass it on with `?`.
    ///
    /// # Examples
    /// See [`new`](Self::new).
    pub fn is_empty<'tx>(&self, tx: &mut impl ReadTx<'tx>) -> Stm<bool> {
        Ok(self.top.read_ref(tx)?.is_none())
    }

    /// Goes through the values from the top down, as they are now: later changes of the same transaction do not show.
    ///
    /// # Errors
    /// [`Abort`](optimist::Abort) when the attempt must be run again; pass it on with `?`.
    ///
    /// # Examples
    /// ```
    /// use optimist::snapshot;
    /// use optimist_collections::TStack;
    ///
    /// let stack: TStack<u64> = (1..=4).collect();
    /// assert_eq!(snapshot(|tx| Ok(stack.iter(tx)?.sum::<u64>())), 10);
    /// ```
    pub fn iter<'tx>(&self, tx: &mut impl ReadTx<'tx>) -> Stm<Iter<'tx, T>> {
        Ok(Iter { next: self.top.read_ref(tx)?.as_deref() })
    }
}

/// Goes through the values of a [`TStack`] from the top down; made by [`TStack::iter`].
pub struct Iter<'tx, T: Send + Sync + 'static> {
    next: Option<&'tx Node<T>>,
}

impl<'tx, T: Send + Sync + 'static> Iterator for Iter<'tx, T> {
    type Item = &'tx T;

    fn next(&mut self) -> Option<&'tx T> {
        let node = self.next?;
        // A node keeps the one below it alive.
        self.next = node.below.as_deref();
        Some(&node.value)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let len = self.next.map_or(0, |node| node.len);
        (len, Some(len))
    }
}

impl<T: Send + Sync + 'static> ExactSizeIterator for Iter<'_, T> {}

impl<T: Send + Sync + 'static> Clone for Iter<'_, T> {
    fn clone(&self) -> Self {
        Self { next: self.next }
    }
}

impl<T: fmt::Debug + Send + Sync + 'static> fmt::Debug for Iter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

fn len_of<T: Send + Sync + 'static>(link: &Link<T>) -> usize {
    link.as_ref().map_or(0, |node| node.len)
}

impl<T: Send + Sync + 'static> Clone for TStack<T> {
    /// Makes another handle to the same stack.
    fn clone(&self) -> Self {
        Self { top: self.top.clone() }
    }
}

impl<T: Send + Sync + 'static> Default for TStack<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Send + Sync + 'static> FromIterator<T> for TStack<T> {
    /// Makes a stack with the last value on top.
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let mut top = None;
        for value in values {
            let len = len_of(&top) + 1;
            top = Some(Shared::new(Node { value, below: top, len }));
        }
        Self { top: TVar::new(top) }
    }
}

/// Shows the values at one moment, from the top down. Outside of transactions; inside one it only says that it is a stack,
/// since it could not see what the transaction sees.
impl<T: fmt::Debug + Send + Sync + 'static> fmt::Debug for TStack<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if optimist::is_running() {
            return f.debug_struct("TStack").finish_non_exhaustive();
        }
        snapshot(|tx| {
            let values = self.iter(tx)?;
            Ok(values.fmt(f))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use optimist::{atomically, collect};
    use std::sync::Arc;
    use std::thread;

    #[test]
    fn values_come_back_in_reverse_order_and_are_counted() {
        let stack = TStack::new();
        atomically(|tx| (0..10).try_for_each(|value| stack.push(tx, value)));
        assert_eq!(atomically(|tx| stack.len(tx)), 10);
        let popped: Vec<i32> = (0..10).map(|_| atomically(|tx| stack.pop(tx))).collect();
        assert_eq!(popped, (0..10).rev().collect::<Vec<_>>());
        assert_eq!(atomically(|tx| stack.try_pop(tx)), None);
    }

    #[test]
    fn what_many_threads_push_many_threads_pop_once() {
        const EACH: u64 = 500;
        let stack = TStack::new();
        let sums = thread::scope(|scope| {
            for thread in 0..2 {
                let stack = &stack;
                scope.spawn(move || {
                    for value in 0..EACH {
                        atomically(|tx| stack.push(tx, thread * EACH + value));
                    }
                });
            }
            let poppers: Vec<_> = (0..2)
                .map(|_| scope.spawn(|| (0..EACH).map(|_| atomically(|tx| stack.pop(tx))).sum::<u64>()))
                .collect();
            poppers.into_iter().map(|popper| popper.join().unwrap()).sum::<u64>()
        });
        assert_eq!(sums, (0..2 * EACH).sum());
        assert!(atomically(|tx| stack.is_empty(tx)));
    }

    #[test]
    fn an_iteration_does_not_see_later_changes_of_its_transaction() {
        let stack: TStack<u32> = (1..=3).collect();
        let seen = atomically(|tx| {
            let values = stack.iter(tx)?;
            stack.take_all(tx)?;
            Ok(values.copied().collect::<Vec<_>>())
        });
        assert_eq!(seen, [3, 2, 1]);
    }

    #[test]
    fn memory_is_given_back_also_of_a_very_long_stack() {
        let value = Arc::new(());
        let stack: TStack<_> = (0..100_000).map(|_| Arc::clone(&value)).collect();
        assert_eq!(Arc::strong_count(&value), 100_001);
        drop(stack);
        collect();
        assert_eq!(Arc::strong_count(&value), 1);
    }

    #[test]
    fn debug_shows_the_values_outside_and_does_not_panic_inside_a_transaction() {
        let stack: TStack<u32> = (1..=2).collect();
        assert_eq!(format!("{stack:?}"), "[2, 1]");
        let inside = atomically(|_| Ok(format!("{stack:?}")));
        assert_eq!(inside, "TStack { .. }");
    }
}

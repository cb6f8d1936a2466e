//! The ways there are to read and to write one cell, for tests that go through all of them.
//!
//! Cells hold ids, see [`litmus::id`](crate::litmus::id), either in place or in a box.

use std::fmt::Debug;

use futures::executor::block_on;
use optimist::{Atomically, Cancel, TVar, atomically, snapshot};

/// What a cell of a test holds: something that stands for an id.
pub trait Value: Clone + Debug + Send + Sync + 'static {
    /// The value that stands for `id`.
    fn of(id: u64) -> Self;

    /// The id that the value stands for.
    ///
    /// # Panics
    /// When the value is torn.
    fn id(&self) -> u64;
}

/// Held by the cell itself.
impl Value for u64 {
    fn of(id: u64) -> Self {
        id
    }

    fn id(&self) -> u64 {
        *self
    }
}

/// Too big for a cell.
impl Value for [u64; 4] {
    fn of(id: u64) -> Self {
        [id, !id, id, !id]
    }

    fn id(&self) -> u64 {
        let [one, two, three, four] = *self;
        assert!(one == !two && one == three && two == four, "a torn value: {self:?}");
        one
    }
}

/// A way to write a cell.
pub type Write<T> = (&'static str, fn(&TVar<T>, u64));

/// A way to read a cell.
pub type Read<T> = (&'static str, fn(&TVar<T>) -> u64);

/// A way to replace what a cell holds; returns what it held.
pub type Replace<T> = (&'static str, fn(&TVar<T>, u64) -> u64);

/// The ways to write a cell without looking at it.
///
/// # Panics
/// They panic when the runtime stops a transaction that has no limits.
#[must_use]
pub fn writes<T: Value>() -> Vec<Write<T>> {
    vec![
        ("store", |cell, id| cell.store(T::of(id))),
        ("a transaction", |cell, id| atomically(|tx| cell.write(tx, T::of(id)))),
        ("a transaction that writes twice", |cell, id| {
            atomically(|tx| {
                cell.write(tx, T::of(!id))?;
                cell.write(tx, T::of(id))
            });
        }),
        ("an irrevocable transaction", |cell, id| {
            atomically(|tx| {
                tx.irrevocable()?;
                cell.write(tx, T::of(id))
            });
        }),
        ("the second branch of `or_else`", |cell, id| {
            atomically(|tx| {
                tx.or_else(
                    |tx| {
                        cell.write(tx, T::of(!id))?;
                        tx.retry()
                    },
                    |tx| cell.write(tx, T::of(id)),
                )
            });
        }),
        ("a task", |cell, id| {
            block_on(Atomically::new().run_async(|tx| cell.write(tx, T::of(id)))).expect("it has no limits");
        }),
    ]
}

/// The ways to replace what a cell holds.
///
/// # Panics
/// They panic when the runtime stops a transaction that has no limits.
#[must_use]
pub fn replaces<T: Value>() -> Vec<Replace<T>> {
    vec![
        ("swap", |cell, id| cell.swap(T::of(id)).id()),
        ("update", |cell, id| cell.update(|value| std::mem::replace(value, T::of(id)).id())),
        ("replace", |cell, id| atomically(|tx| cell.replace(tx, T::of(id))).id()),
        ("modify", |cell, id| atomically(|tx| cell.modify(tx, |value| std::mem::replace(value, T::of(id)).id()))),
        ("read and write", |cell, id| {
            atomically(|tx| {
                let before = cell.read_ref(tx)?.id();
                cell.write(tx, T::of(id))?;
                Ok(before)
            })
        }),
        ("write and become irrevocable", |cell, id| {
            atomically(|tx| {
                let before = cell.replace(tx, T::of(id))?;
                tx.irrevocable()?;
                Ok(before.id())
            })
        }),
        ("irrevocable", |cell, id| {
            atomically(|tx| {
                tx.irrevocable()?;
                Ok(cell.replace(tx, T::of(id))?.id())
            })
        }),
        ("nested", |cell, id| {
            let before = atomically(|tx| tx.nested(|tx| Ok::<_, Cancel<()>>(cell.replace(tx, T::of(id))?)));
            before.expect("nobody cancels").id()
        }),
        ("a task", |cell, id| {
            let before = block_on(Atomically::new().run_async(|tx| cell.replace(tx, T::of(id))));
            before.expect("it has no limits").id()
        }),
    ]
}

/// The ways to read a cell.
///
/// # Panics
/// They panic when the runtime stops a transaction that has no limits.
#[must_use]
pub fn reads<T: Value>() -> Vec<Read<T>> {
    vec![
        ("load", |cell| cell.load().id()),
        ("a transaction", |cell| atomically(|tx| cell.read(tx)).id()),
        ("a transaction in place", |cell| atomically(|tx| Ok(cell.read_ref(tx)?.id()))),
        ("a snapshot", |cell| snapshot(|tx| cell.read(tx)).id()),
        ("a transaction that writes", |cell| {
            let other = TVar::new(0);
            atomically(|tx| {
                other.write(tx, 1)?;
                Ok(cell.read(tx)?.id())
            })
        }),
        ("an irrevocable transaction", |cell| {
            atomically(|tx| {
                tx.irrevocable()?;
                Ok(cell.read(tx)?.id())
            })
        }),
        ("the second branch of `or_else`", |cell| {
            atomically(|tx| {
                tx.or_else(
                    |tx| {
                        cell.read(tx)?;
                        tx.retry()
                    },
                    |tx| Ok(cell.read(tx)?.id()),
                )
            })
        }),
        ("a cancelled part", |cell| {
            let seen = atomically(|tx| tx.nested(|tx| Err::<(), _>(Cancel::new(cell.read(tx)?.id()))));
            seen.expect_err("it cancels")
        }),
        ("a task", |cell| block_on(Atomically::new().run_async(|tx| cell.read(tx))).expect("it has no limits").id()),
    ]
}

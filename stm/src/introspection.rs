//! Versions, for tools that check what transactions did; with the feature `introspection` alone.
//!
//! A version is a moment of the clock that all commits of the process share, as a number. Every commit that writes has one
//! of its own, its *write version*, and what an attempt reads is the state at one, its *read version*: each cell as
//! the newest commit at or below that left it. So a test that notes both knows the order in which its transactions took
//! effect, and can run them again one by one: those that wrote in the order of their write versions, those that did not
//! behind the writer whose version their read version is or follows. See
//! [the algorithm](crate::docs::algorithm).
//!
//! The numbers mean nothing beyond their order, and nothing in another process.
//!
//! # Examples
//! ```
//! use optimist::{TVar, atomically, introspection};
//!
//! let cell = TVar::new(1);
//! cell.store(2);
//! let stored = introspection::last_write_version().expect("it wrote");
//! let read_version = atomically(|tx| {
//!     assert_eq!(cell.read(tx)?, 2);
//!     Ok(introspection::read_version(tx))
//! });
//! assert!(read_version >= stored);
//! ```

use crate::participant::with_current;
use crate::reader::ReadTx;

/// Tells the version at which all that the attempt, or the snapshot, has read is the state of the cells.
///
/// It grows while an attempt goes on, whenever what it reads is newer and nothing that it has read before has changed.
/// An attempt that commits writes has seen no change up to its write version, and the holder of the token up to its
/// end; both may be much later.
///
/// # Examples
/// ```
/// use optimist::{TVar, atomically, introspection, snapshot};
/// use std::thread;
///
/// let cell = TVar::new(1);
/// let (before, after) = atomically(|tx| {
///     let before = introspection::read_version(tx);
///     thread::scope(|scope| {
///         scope.spawn(|| cell.store(2));
///     });
///     assert_eq!(cell.read(tx)?, 2);
///     Ok((before, introspection::read_version(tx)))
/// });
/// assert!(before < after);
/// assert!(snapshot(|tx| Ok(introspection::read_version(tx))) >= after);
/// ```
#[must_use]
pub fn read_version<'tx>(tx: &impl ReadTx<'tx>) -> u64 {
    tx.read_version()
}

/// Tells the version at which the last transaction of this thread, or its last operation on a single cell, wrote.
///
/// None if that wrote nothing: it only read, or it did not commit. [`load`](crate::TVar::load) changes nothing here.
/// Transactions of hooks and of destructors count like others; the first hook [after a
/// commit](crate::Tx::after_commit) is told of the transaction that it belongs to.
///
/// # Examples
/// ```
/// use optimist::{TVar, atomically, introspection};
///
/// let cell = TVar::new(1);
/// atomically(|tx| cell.write(tx, 2));
/// let first = introspection::last_write_version();
/// cell.store(3);
/// let second = introspection::last_write_version();
/// assert!(first.is_some() && first < second);
///
/// atomically(|tx| cell.read(tx));
/// assert_eq!(introspection::last_write_version(), None);
/// ```
#[must_use]
pub fn last_write_version() -> Option<u64> {
    with_current(|participant| participant.last_write_version())
}

//! Snapshots: reading many cells as they were at one moment, without a read set.
//!
//! # Protocol
//! 1. Pin for history, then sample the clock; that is the `read_version`.
//! 2. Read each cell as it was at `read_version`: its word, or the newest record of its history that is not newer.
//!
//! The history is there because whoever replaces a word stamps its record so that it is kept for all who pinned
//! before; see R1 of `reclaim.rs`. So nothing can go wrong, and nothing is validated.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::ptr::NonNull;

use crate::attempt;
use crate::cell::RawCell;
use crate::error::Stm;
use crate::participant::{Participant, with_current};
use crate::reader::{ReadTx, sealed::Reader};
use crate::reclaim::Word;
use crate::transaction::State;

/// A consistent view of all cells at one moment, which can be read but not written.
///
/// [`snapshot`](crate::snapshot()) hands it out. Cells read through it with the same methods as through a
/// [`Tx`](crate::Tx); none of these reads ever fails.
///
/// # Examples
/// ```
/// use optimist::{TVar, snapshot};
///
/// let (low, high) = (TVar::new(1), TVar::new(9));
/// let span = snapshot(|tx| Ok(high.read(tx)? - low.read(tx)?));
/// assert_eq!(span, 8);
/// ```
#[repr(transparent)]
pub struct Snapshot<'tx> {
    state: State,
    /// Invariant in the lifetime; neither `Send` nor `Sync`.
    marker: PhantomData<(Cell<&'tx ()>, *mut ())>,
}

impl fmt::Debug for Snapshot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").finish_non_exhaustive()
    }
}

impl<'tx> Reader<'tx> for Snapshot<'tx> {
    #[inline]
    fn read_word(&mut self, cell: &RawCell) -> Stm<Word> {
        // SAFETY: the thread pinned for history before the snapshot sampled its `read_version`.
        Ok(unsafe { cell.read_at(self.state.read_version()) })
    }

    #[inline]
    fn lend_word(&mut self, cell: &RawCell) -> Stm<Word> {
        self.read_word(cell)
    }

    fn keep<T: 'static>(&mut self, value: T) -> &'tx T {
        // SAFETY: the value is kept until the snapshot ends, which is when `'tx` does.
        unsafe { &*self.state.keep(value) }
    }

    #[cfg(feature = "introspection")]
    fn read_version(&self) -> u64 {
        self.state.read_version().get()
    }
}

impl<'tx> ReadTx<'tx> for Snapshot<'tx> {
    fn is_writable(&self) -> bool {
        false
    }
}

/// Ends a snapshot, also when its body panics.
struct End(&'static Participant);

impl Drop for End {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the state is this thread's (P1), and the view that the body had is gone.
        unsafe { self.0.state().as_mut() }.clear();
        self.0.end_transaction();
    }
}

/// Runs `body` on a snapshot.
#[inline]
pub(crate) fn run<R>(at: &'static Location<'static>, body: impl for<'tx> FnOnce(&mut Snapshot<'tx>) -> Stm<R>) -> R {
    with_current(|participant| {
        attempt::enter(participant, at);
        let end = End(participant);
        let state: NonNull<State> = participant.state();
        // SAFETY: `Snapshot` is transparent over `State`, which is this thread's (P1) and used by nothing else
        // meanwhile.
        let snapshot = unsafe { state.cast::<Snapshot<'_>>().as_mut() };
        snapshot.state.begin_snapshot();
        let result = body(snapshot);
        drop(end);
        participant.counters.started();
        participant.counters.read_only();
        participant.collect_if_due();
        result.unwrap_or_else(|_| {
            panic!("the body of the snapshot at {at} returned an `Abort`, which no snapshot gives out; return a result")
        })
    })
}

//! Counters: what the transactions of the process have done.
//!
//! Each thread counts on a cache line of its own; [`stats`] adds the lines up. A counter is only ever changed by
//! its own thread, so counting is a load, an addition and a store.

use std::fmt;

use crate::domain::DOMAIN;
use crate::error::Cause;
use crate::sync::{Mutex, Ordering, Tally, const_fn, lock};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The counters of one thread.
        #[derive(Debug)]
        pub(crate) struct Counters {
            $($name: Tally,)*
        }

        impl Counters {
            pub(crate) const fn new() -> Self {
                Self { $($name: Tally::new(0),)* }
            }

            $(
                #[inline]
                pub(crate) fn $name(&self) {
                    // Relaxed, twice: this thread alone changes the counter, and nothing depends on it.
                    let count = self.$name.load(Ordering::Relaxed);
                    self.$name.store(count + 1, Ordering::Relaxed);
                }
            )*

            fn add_to(&self, sum: &mut Stats) {
                $(
                    // Relaxed: a count is no statement about anything else.
                    sum.$name += self.$name.load(Ordering::Relaxed);
                )*
            }
        }

        /// What the transactions of the process have done, as given by [`stats`].
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Stats {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Stats {
            const NONE: Self = Self { $($name: 0,)* };

            fn minus(self, earlier: Self) -> Self {
                // Saturating: counts may be reset that were taken before an earlier reset.
                Self { $($name: self.$name.saturating_sub(earlier.$name),)* }
            }

            fn plus(self, other: Self) -> Self {
                Self { $($name: self.$name + other.$name,)* }
            }
        }
    };
}

counters! {
    /// Transactions started, each counted once, however many attempts it took.
    started,
    /// Transactions committed that wrote something.
    committed,
    /// Transactions committed that wrote nothing, snapshots among them.
    read_only,
    /// Attempts aborted because a cell they had read was changed.
    aborted_read,
    /// Attempts aborted because a cell they write was being written.
    aborted_write,
    /// Attempts aborted because a cell belonged to an escalated or irrevocable transaction.
    aborted_token,
    /// Attempts that ended in `retry` or a failed `check`.
    aborted_retry,
    /// Transactions cancelled with an error.
    cancelled,
    /// Transactions ended by a panic of their body.
    panicked,
    /// Times an attempt moved its `read_version` on instead of aborting.
    extended,
    /// Times a transaction that only reads went on in the past instead of aborting.
    went_past,
    /// Times a transaction went to sleep until a cell changes.
    waited,
    /// Transactions that were given the token, because they kept losing or asked to be irrevocable.
    escalated,
}

impl Counters {
    pub(crate) fn aborted(&self, cause: Cause) {
        match cause {
            Cause::Read => self.aborted_read(),
            Cause::Write => self.aborted_write(),
            Cause::Token => self.aborted_token(),
            Cause::Retry => self.aborted_retry(),
        }
    }
}

/// What is subtracted from all counts: those at the last reset.
#[derive(Debug)]
pub(crate) struct Baseline(Mutex<Stats>);

impl Baseline {
    const_fn! {
        pub(crate) fn new() -> Self {
            Self(Mutex::new(Stats::NONE))
        }
    }
}

/// Adds up what the transactions of all threads have done since the start of the process, or since the last
/// [`reset`](Stats::reset).
///
/// The counters run on while they are added up, so the sum is exact only while no transaction runs.
///
/// # Complexity
/// Linear in the largest number of threads that have used transactions at once.
///
/// # Examples
/// ```
/// use optimist::{TVar, atomically, stats};
///
/// let before = stats();
/// let count = TVar::new(0);
/// atomically(|tx| count.modify(tx, |count| *count += 1));
/// assert!(stats().committed > before.committed);
/// ```
#[must_use]
pub fn stats() -> Stats {
    total().minus(*lock(&DOMAIN.baseline.0))
}

fn total() -> Stats {
    let mut sum = Stats::NONE;
    for participant in DOMAIN.registry.iter() {
        participant.counters.add_to(&mut sum);
    }
    sum
}

impl Stats {
    /// Starts counting anew from these counts: later [`stats`] tell what has happened since they were taken.
    ///
    /// Nothing is lost between the two: what happened after these counts were taken is counted by the next ones.
    /// Apply it to counts that were taken after the last reset.
    ///
    /// # Examples
    /// ```
    /// use optimist::{TVar, atomically, stats};
    ///
    /// let count = TVar::new(0);
    /// atomically(|tx| count.write(tx, 1));
    /// let before = stats();
    /// before.reset();
    /// assert!(stats().committed < before.committed);
    /// ```
    pub fn reset(&self) {
        let mut baseline = lock(&DOMAIN.baseline.0);
        *baseline = baseline.plus(*self);
    }

    /// Attempts that aborted because of another transaction.
    ///
    /// # Examples
    /// ```
    /// let stats = optimist::stats();
    /// assert_eq!(stats.conflicts(), stats.aborted_read + stats.aborted_write + stats.aborted_token);
    /// ```
    #[must_use]
    pub const fn conflicts(&self) -> u64 {
        self.aborted_read + self.aborted_write + self.aborted_token
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "transactions started    {:>12}", self.started)?;
        writeln!(f, "  committed             {:>12}", self.committed)?;
        writeln!(f, "  committed, read only  {:>12}", self.read_only)?;
        writeln!(f, "  cancelled             {:>12}", self.cancelled)?;
        writeln!(f, "  panicked              {:>12}", self.panicked)?;
        writeln!(f, "attempts in conflict    {:>12}", self.conflicts())?;
        writeln!(f, "  a read cell changed   {:>12}", self.aborted_read)?;
        writeln!(f, "  a cell was locked     {:>12}", self.aborted_write)?;
        writeln!(f, "  a cell was owned      {:>12}", self.aborted_token)?;
        writeln!(f, "attempts that retried   {:>12}", self.aborted_retry)?;
        writeln!(f, "  went to sleep         {:>12}", self.waited)?;
        writeln!(f, "extended                {:>12}", self.extended)?;
        writeln!(f, "went on in the past     {:>12}", self.went_past)?;
        write!(f, "escalated               {:>12}", self.escalated)
    }
}

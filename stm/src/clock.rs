//! The version clock: one counter that orders all commits of the process.
//!
//! # Protocol
//! 1. An attempt samples the clock ([`Clock::now`]) after it has pinned; that is its `read_version`.
//! 2. A committer that has locked its write set draws its `write_version` ([`Clock::tick`]).
//!
//! # Invariants
//! * **C1** Every `write_version` is drawn once: commits are totally ordered by it.
//! * **C2** A committer draws after it has locked its whole write set. So whoever sees a clock of at least
//!   `write_version` sees those cells locked or already published: [`Clock::tick`] releases what [`Clock::now`] and
//!   every later `tick` acquires.
//! * **C3** The clock never overflows. A [`Version`] has 61 bits; at a thousand million commits a second, which no
//!   machine can do on one cache line, it lasts 73 years.
//!
//! The clock is that of TL2: D. Dice, O. Shalev, N. Shavit, *Transactional Locking II*, DISC 2006.

use crossbeam_utils::CachePadded;

use crate::sync::{AtomicU64, Ordering, const_fn};

/// A moment of the version clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(u64);

impl Version {
    /// The version of a cell that no transaction has written yet, and of a clock that nobody has ticked.
    pub(crate) const FIRST: Self = Self(1);

    /// The number of bits a version may use.
    pub(crate) const BITS: u32 = 61;

    /// Makes the version back out of [`get`](Self::get).
    pub(crate) const fn new(value: u64) -> Self {
        Self(value)
    }

    /// The version as a number.
    pub(crate) const fn get(self) -> u64 {
        self.0
    }

    /// The moment before this one.
    pub(crate) const fn previous(self) -> Self {
        Self(self.0 - 1)
    }

    /// Whether `self` comes directly after `earlier`: nobody committed between the two.
    pub(crate) const fn follows(self, earlier: Self) -> bool {
        self.0 == earlier.0 + 1
    }
}

/// The global counter, alone on its cache line.
#[derive(Debug)]
pub(crate) struct Clock(CachePadded<AtomicU64>);

impl Clock {
    const_fn! {
        /// A clock at [`Version::FIRST`].
        pub(crate) fn new() -> Self {
            Self(CachePadded::new(AtomicU64::new(Version::FIRST.get())))
        }
    }

    /// The last version drawn.
    #[inline]
    pub(crate) fn now(&self) -> Version {
        // Acquire: pairs with the release in `tick` (C2). Without it a reader could know a `write_version` and
        // still see a cell of that commit unlocked and old.
        Version(self.0.load(Ordering::Acquire))
    }

    /// A lower bound of [`now`](Self::now) that orders nothing.
    #[inline]
    pub(crate) fn at_least(&self) -> Version {
        // Relaxed: only used as a bound that may be too small; `pin` fences before it samples `now`.
        Version(self.0.load(Ordering::Relaxed))
    }

    /// Draws the next version.
    #[inline]
    pub(crate) fn tick(&self) -> Version {
        // Release: publishes "my write set is locked" to whoever sees this version or a later one (C2).
        // Acquire: of two committers, the later one sees every lock of the earlier one when it then validates,
        // so at least one of two that read what the other writes finds out (no write skew).
        Version(self.0.fetch_add(1, Ordering::AcqRel) + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_follows_the_version_before_it() {
        let clock = Clock::new();
        let before = clock.now();
        let drawn = clock.tick();
        assert!(drawn.follows(before));
        assert_eq!(drawn.previous(), before);
        assert_eq!(clock.now(), drawn);
        assert_eq!(clock.at_least(), drawn);
    }

    #[test]
    fn a_version_fits_beside_the_bits_of_a_lock() {
        assert_eq!(Version::BITS + 3, u64::BITS);
    }
}

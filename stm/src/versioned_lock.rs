//! The versioned lock: one word that says which version a cell holds, or who is replacing it.
//!
//! # Layout
//! ```text
//! unlocked   0 | version: 61                     | WAITERS | OWNED
//! locked     1 | participant: 29 | entry: 32     | WAITERS | OWNED
//! ```
//! The locked bit is the highest one, so "unlocked and not newer than `read_version`" is one comparison
//! with a [`Limit`].
//!
//! # Protocol
//! 1. A reader takes a [`Sample`], reads the value, and checks that the lock still is at the sample.
//! 2. A committer moves a sample to locked ([`try_lock`](VersionedLock::try_lock)), and then either unlocks with its
//!    `write_version` or restores the sample. Readers wait meanwhile; it is a matter of nanoseconds.
//! 3. The token holder marks a cell as owned. The version stays; readers pass, other writers wait.
//! 4. A waiter leaves the `WAITERS` bit; the next committer sees it in the sample that it locks and wakes.
//!
//! # Invariants
//! * **L1** Between locking and unlocking, only the thread that locked changes the cell or its version.
//! * **L2** Versions of one cell only grow: two equal unlocked samples have the same value between them.
//! * **L3** `WAITERS` is set by a read-modify-write, so it either comes before a committer's lock, which then sees
//!   it, or after it, and then the waiter sees the lock or the new version. On one word no fence is needed.

use crate::clock::Version;
use crate::sync::{AtomicU64, Ordering, Patience, const_fn};

const OWNED: u64 = 1;
const WAITERS: u64 = 1 << 1;
const SHIFT: u32 = 2;
const LOCKED: u64 = 1 << 63;
const ENTRY_BITS: u32 = 32;

const _: () = assert!(SHIFT + Version::BITS == 63);

/// Who holds a lock: the participant, and the place of the cell in its write set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) participant: u32,
    pub(crate) entry: u32,
}

impl Owner {
    /// One more than the largest participant number that fits.
    pub(crate) const PARTICIPANTS: u32 = 1 << 29;
}

/// One load of a versioned lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample(u64);

impl Sample {
    /// A sample that no lock gives.
    pub(crate) const NONE: Self = Self(0);

    /// Whether any committer may lock the word.
    #[inline]
    pub(crate) const fn is_free(self) -> bool {
        self.0 & (LOCKED | OWNED) == 0
    }

    /// Whether a committer is publishing.
    #[inline]
    pub(crate) const fn is_locked(self) -> bool {
        self.0 & LOCKED != 0
    }

    /// Whether the token holder has read or will write the cell.
    #[inline]
    pub(crate) const fn is_owned(self) -> bool {
        self.0 & OWNED != 0
    }

    /// Whether the next commit must wake somebody.
    #[inline]
    pub(crate) const fn has_waiters(self) -> bool {
        self.0 & WAITERS != 0
    }

    /// The version of an unlocked sample.
    #[inline]
    pub(crate) fn version(self) -> Version {
        debug_assert!(!self.is_locked(), "a locked word has no version");
        Version::new(self.0 >> SHIFT)
    }

    /// Whether the sample is unlocked and at most as new as `limit`.
    #[inline]
    pub(crate) const fn is_within(self, limit: Limit) -> bool {
        self.0 <= limit.0
    }

    /// The holder of a locked sample.
    #[inline]
    pub(crate) fn owner(self) -> Owner {
        debug_assert!(self.is_locked(), "an unlocked word has no owner");
        let payload = (self.0 & !LOCKED) >> SHIFT;
        Owner { participant: (payload >> ENTRY_BITS) as u32, entry: payload as u32 }
    }
}

/// The largest sample that a reader at some version may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit(u64);

impl Limit {
    /// No sample is within it, as versions start at one; it sends every read to the slow path.
    pub(crate) const CLOSED: Self = Self(0);

    /// The limit of a reader at `version`.
    #[inline]
    pub(crate) const fn at(version: Version) -> Self {
        Self(version.get() << SHIFT | WAITERS | OWNED)
    }
}

/// The word.
#[derive(Debug)]
pub(crate) struct VersionedLock(AtomicU64);

impl VersionedLock {
    const_fn! {
        /// An unlocked word at [`Version::FIRST`].
        pub(crate) fn new() -> Self {
            Self(AtomicU64::new(Version::FIRST.get() << SHIFT))
        }
    }

    /// Takes a sample.
    #[inline]
    pub(crate) fn sample(&self) -> Sample {
        // Acquire: pairs with the release in `unlock`; the value that belongs to this version is visible.
        Sample(self.0.load(Ordering::Acquire))
    }

    /// Whether the word still is at `sample`, after the value was loaded with `Acquire`.
    #[inline]
    pub(crate) fn is_still(&self, sample: Sample) -> bool {
        // Relaxed: the value was loaded with Acquire, so this load comes after it. Had the value been that of a
        // later committer, that committer's lock, stored before its value, would be seen here.
        self.0.load(Ordering::Relaxed) == sample.0
    }

    /// Takes a sample, waiting for a committer to finish.
    #[inline]
    pub(crate) fn sample_unlocked(&self) -> Sample {
        let sample = self.sample();
        if sample.is_locked() { self.wait_unlocked() } else { sample }
    }

    #[cold]
    fn wait_unlocked(&self) -> Sample {
        let mut patience = Patience::default();
        loop {
            let sample = self.sample();
            if !sample.is_locked() {
                return sample;
            }
            patience.wait();
        }
    }

    /// Moves the word from `sample` to locked by `owner`.
    #[inline]
    pub(crate) fn try_lock(&self, sample: Sample, owner: Owner) -> bool {
        debug_assert!(!sample.is_locked());
        let payload = u64::from(owner.participant) << ENTRY_BITS | u64::from(owner.entry);
        let locked = LOCKED | payload << SHIFT;
        // Acquire: pairs with the release in `unlock`, so the value that is replaced is visible. What follows is
        // ordered after the lock by its own release: the clock's `tick` for validation, the value's store
        // for readers. Relaxed on failure: nothing is concluded from the word seen.
        self.0.compare_exchange(sample.0, locked, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Ends the lock with a new version. The waiters seen in the locked sample are the caller's to wake (L3).
    #[inline]
    pub(crate) fn unlock(&self, version: Version) {
        // Release: pairs with the acquire in `sample`; who sees this version sees the value stored before it.
        self.0.store(version.get() << SHIFT, Ordering::Release);
    }

    /// Ends the lock with nothing changed.
    #[inline]
    pub(crate) fn restore(&self, sample: Sample) {
        // Release: this store is what a later reader of the old version acquires from. Relaxed would cut it off
        // from the commit that made that version.
        self.0.store(sample.0, Ordering::Release);
    }

    /// Moves an unlocked `sample` to owned by the token holder.
    pub(crate) fn try_own(&self, sample: Sample) -> bool {
        debug_assert!(!sample.is_locked());
        // Acquire: as in `try_lock`. Relaxed on failure: the caller samples again.
        self.0.compare_exchange(sample.0, sample.0 | OWNED, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Takes the token holder's mark away.
    pub(crate) fn disown(&self) {
        // Release: a read-modify-write goes on with the release sequence of the version anyhow; Release keeps the
        // holder's own reads before it, so that the next writer cannot seem to come before them.
        self.0.fetch_and(!OWNED, Ordering::Release);
    }

    /// Asks the next committer to wake; returns the sample that the mark was added to.
    pub(crate) fn add_waiter(&self) -> Sample {
        // Release: the committer that locks this word acquires the registration made before (L3).
        // Acquire: the version seen decides whether to sleep, as in `sample`.
        Sample(self.0.fetch_or(WAITERS, Ordering::AcqRel))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Owner = Owner { participant: Owner::PARTICIPANTS - 1, entry: u32::MAX };

    #[test]
    fn a_locked_word_names_its_owner() {
        let lock = VersionedLock::new();
        assert!(lock.try_lock(lock.sample(), OWNER));
        assert!(lock.sample().is_locked());
        assert_eq!(lock.sample().owner(), OWNER);
    }

    #[test]
    fn a_locked_word_is_within_no_limit() {
        let lock = VersionedLock::new();
        let first = Owner { participant: 0, entry: 0 };
        assert!(lock.try_lock(lock.sample(), first));
        assert!(!lock.sample().is_within(Limit::at(Version::new((1 << Version::BITS) - 1))));
    }

    #[test]
    fn flags_do_not_make_a_version_newer() {
        let lock = VersionedLock::new();
        assert!(lock.try_lock(lock.sample(), OWNER));
        lock.unlock(Version::new(7));
        assert!(lock.try_own(lock.sample()));
        lock.add_waiter();
        let sample = lock.sample();
        assert_eq!(sample.version(), Version::new(7));
        assert!(sample.is_owned() && sample.has_waiters());
        assert!(sample.is_within(Limit::at(Version::new(7))));
        assert!(!sample.is_within(Limit::at(Version::new(6))));
    }

    #[test]
    fn a_stale_sample_cannot_lock() {
        let lock = VersionedLock::new();
        let stale = lock.sample();
        lock.add_waiter();
        assert!(!lock.try_lock(stale, OWNER));
        assert!(!lock.try_own(stale));
    }

    #[test]
    fn restore_gives_the_same_sample_back() {
        let lock = VersionedLock::new();
        let sample = lock.sample();
        assert!(lock.try_lock(sample, OWNER));
        lock.restore(sample);
        assert!(lock.is_still(sample));
    }
}

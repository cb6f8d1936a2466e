//! Waiting: how a transaction that called `retry` sleeps until a cell it read changes.
//!
//! Waiters are kept in a table by the address of the cell, so a cell pays one bit for them. The
//! table never looks at a cell; a cell may be freed while somebody waits for it.
//!
//! # Protocol
//! 1. **Register** the waker under every cell of the read set (W-table).
//! 2. **Mark** each of the cells with the `WAITERS` bit (W-mark), and look at the version that the mark was added to.
//!    If the cell is locked, wait for the committer and mark again; if it is newer than the `read_version`, run again
//!    at once.
//! 3. **Sleep.** Whoever is woken runs again; being woken for nothing costs an attempt and no more.
//! 4. A **committer** sees the bit in the sample from which it locks the cell (C-lock). When it has published, it
//!    takes all wakers of the cell out of the table (C-table) and wakes them.
//!
//! # Why no wake-up is lost
//! W-mark and C-lock change the same word, so one comes first (L3 of `versioned_lock.rs`).
//! * If W-mark comes first, C-lock sees the bit, and acquires W-table through it. C-table finds the waker.
//! * If C-lock comes first, W-mark returns a locked or a newer word, and the waiter does not sleep.
//!
//! # Invariants
//! * **N1** Registrations end with the [`Waiting`] they belong to, however that ends.
//! * **N2** No waker is called, cloned or dropped while a shard is locked, except into memory reserved for it.

use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Instant;

use hashbrown::HashTable;

use crate::abandoned::Watch;
use crate::cell::RawCell;
use crate::chaos;
use crate::domain::DOMAIN;
use crate::hash::hash;
use crate::read_set::ReadSet;
use crate::swallow::swallow;
use crate::sync::{
    AtomicBool, AtomicU64, IS_MODEL, Mutex, Ordering, Thread, array, const_fn, current_thread, lock, park, park_timeout,
};
use crate::versioned_lock::Limit;

const SHARDS: usize = if IS_MODEL { 2 } else { 64 };

/// All who wait for a cell.
#[derive(Debug)]
struct Bucket {
    address: usize,
    waiters: Vec<(u64, Waker)>,
}

/// All who wait.
#[derive(Debug)]
pub(crate) struct WaitTable {
    shards: [Mutex<HashTable<Bucket>>; SHARDS],
    last_id: AtomicU64,
}

impl WaitTable {
    const_fn! {
        pub(crate) fn new() -> Self {
            Self { shards: array!(Mutex::new(HashTable::new()); SHARDS), last_id: AtomicU64::new(0) }
        }
    }

    fn shard(&self, address: usize) -> &Mutex<HashTable<Bucket>> {
        // From bits that the tables use little.
        &self.shards[(hash(address) >> 40) as usize % SHARDS]
    }

    /// Registers `task`, or else this thread, for all cells of `reads`, and marks them; nothing if one has changed
    /// meanwhile.
    pub(crate) fn register(
        &self,
        reads: &ReadSet,
        limit: Limit,
        task: Option<&Waker>,
        watch: Option<Watch>,
    ) -> Option<Waiting> {
        let sleeper = task.is_none().then(ThreadWaker::new);
        let waker = || match (&sleeper, task) {
            (Some(thread), _) => Waker::from(Arc::clone(thread)),
            (None, task) => task.expect("there is a task where no thread sleeps").clone(),
        };
        // Relaxed: a number of one's own is all that is asked for.
        let id = self.last_id.fetch_add(1, Ordering::Relaxed);
        let addresses = reads.iter().map(|cell| std::ptr::from_ref(cell).addr()).collect();
        let mut waiting = Waiting { id, addresses, sleeper: sleeper.clone(), _watch: watch };
        waiting.addresses.sort_unstable();
        waiting.addresses.dedup();
        for address in &waiting.addresses {
            let waker = waker();
            chaos::point();
            let mut shard = lock(self.shard(*address));
            let entry = shard.entry(hash(*address), |bucket| bucket.address == *address, |bucket| hash(bucket.address));
            let bucket = entry.or_insert_with(|| Bucket { address: *address, waiters: Vec::new() });
            bucket.into_mut().waiters.push((id, waker));
        }
        chaos::point();
        reads.iter().all(|cell| mark(cell, limit)).then_some(waiting)
    }

    /// Wakes all who wait for `cell`.
    #[cold]
    pub(crate) fn wake(&self, cell: &RawCell) {
        self.wake_address(std::ptr::from_ref(cell).addr());
    }

    /// Wakes all who wait for the cell at `address`.
    #[cold]
    pub(crate) fn wake_address(&self, address: usize) {
        let bucket = {
            let mut shard = lock(self.shard(address));
            let found = shard.find_entry(hash(address), |bucket| bucket.address == address);
            found.ok().map(|entry| entry.remove().0)
        };
        chaos::point();
        bucket.into_iter().flat_map(|bucket| bucket.waiters).for_each(|(_, waker)| wake(waker));
    }

    fn has(&self, id: u64, address: usize) -> bool {
        let shard = lock(self.shard(address));
        let bucket = shard.find(hash(address), |bucket| bucket.address == address);
        bucket.is_some_and(|bucket| bucket.waiters.iter().any(|(other, _)| *other == id))
    }

    fn forget(&self, id: u64, address: usize) {
        let mut shard = lock(self.shard(address));
        let Ok(mut entry) = shard.find_entry(hash(address), |bucket| bucket.address == address) else { return };
        let waiters = &mut entry.get_mut().waiters;
        let waiter = waiters.iter().position(|(other, _)| *other == id).map(|place| waiters.swap_remove(place));
        if waiters.is_empty() {
            entry.remove();
        }
        drop(shard);
        drop(waiter);
    }
}

/// Leaves the mark; false if the cell is newer than what was read.
fn mark(cell: &RawCell, limit: Limit) -> bool {
    loop {
        let sample = cell.lock.add_waiter();
        chaos::point();
        if !sample.is_locked() {
            return sample.is_within(limit);
        }
        // The committer's unlock takes the mark away.
        cell.lock.sample_unlocked();
    }
}

/// Wakes; a panic of a user's waker ends here, as it is no business of whoever commits.
pub(crate) fn wake(waker: Waker) {
    swallow(|| waker.wake());
}

/// A registration, to be slept on; taken back when dropped.
#[derive(Debug)]
pub(crate) struct Waiting {
    id: u64,
    addresses: Vec<usize>,
    /// The thread that sleeps on it, unless it is a task.
    sleeper: Option<Arc<ThreadWaker>>,
    /// Wakes it also when handles go.
    _watch: Option<Watch>,
}

impl Waiting {
    /// Whether nobody has gone to wake it yet.
    pub(crate) fn is_undisturbed(&self) -> bool {
        self.addresses.iter().all(|address| DOMAIN.waiters.has(self.id, *address))
    }

    /// Blocks the thread that registered until a cell changes, true, or the deadline is over, false.
    pub(crate) fn sleep(&self, deadline: Option<Instant>) -> bool {
        self.sleeper.as_ref().is_none_or(|sleeper| sleeper.sleep(deadline))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        for address in &self.addresses {
            chaos::point();
            DOMAIN.waiters.forget(self.id, *address);
        }
    }
}

/// Wakes a thread that sleeps in [`ThreadWaker::sleep`].
#[derive(Debug)]
pub(crate) struct ThreadWaker {
    thread: Thread,
    notified: AtomicBool,
}

impl Wake for ThreadWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Release: what the waker did before is visible to the thread when it goes on.
        self.notified.store(true, Ordering::Release);
        chaos::point();
        self.thread.unpark();
    }
}

impl ThreadWaker {
    /// A waker of this thread, for one wait. A wait has its own, so that another one cannot swallow its wake-up.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { thread: current_thread(), notified: AtomicBool::new(false) })
    }

    /// Sleeps until `is_over`, true, which is asked whenever woken, or until the deadline, false.
    pub(crate) fn sleep_until(&self, deadline: Option<Instant>, is_over: impl Fn() -> bool) -> bool {
        while !is_over() {
            if !self.sleep(deadline) {
                return false;
            }
        }
        true
    }

    /// Sleeps until woken, true, or until the deadline, false.
    pub(crate) fn sleep(&self, deadline: Option<Instant>) -> bool {
        loop {
            chaos::point();
            // Acquire: pairs with the release in `wake_by_ref`.
            if self.notified.swap(false, Ordering::Acquire) {
                return true;
            }
            match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                None => park(),
                Some(left) if left.is_zero() => return false,
                Some(left) => park_timeout(left),
            }
        }
    }
}

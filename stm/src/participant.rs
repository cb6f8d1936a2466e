//! Participants: what each thread owns in the runtime, and how threads find each other.
//!
//! Every thread that touches a cell claims a [`Participant`] and gives it back when it ends. Participants are
//! linked in a list that only grows; a new thread takes over one that is free.
//!
//! # Protocol: pinning
//! 1. **Announce**: read the clock, store that version in `pinned` (P-store).
//! 2. **Fence** (P-fence), sequentially consistent.
//! 3. Only then sample the clock for a `read_version` and look at cells (P-look).
//! 4. **Unpin**: store `IDLE`.
//!
//! # Protocol: collecting
//! 1. The records to be reused have been unlinked before: their cells hold newer words (G-unlink). What is retired
//!    later is left for the next round.
//! 2. **Fence** (G-fence), sequentially consistent.
//! 3. Load `pinned` of every participant (G-scan); what is older than all that is announced may go.
//!
//! # The fence argument
//! Take a reader R and a collector G. Sequentially consistent fences are totally ordered.
//! * If R's P-fence comes first, G-scan, which follows G-fence, sees R's P-store (or a later one of R's). The records
//!   that R may look at have stamps not older than what it announced (R1, R2 of `reclaim.rs`), so G keeps them.
//! * If G-fence comes first, R's P-look sees everything before G-fence: the new words, and a clock of at least the
//!   version that replaced them. R reads the new words and does not walk behind them.
//!
//! Without either fence both could miss: G scans before R's announcement is visible, R looks before G's unlinking is.
//!
//! # Invariants
//! * **P1** `garbage`, `transaction` and the `Cell`s of a participant are touched by the thread that claimed it
//!   alone.
//! * **P2** While pinned, the announced version does not grow: references handed out stay valid until the unpin.
//! * **P3** A participant is never freed.
//! * **P4** `updating` is the list of the calls of `update` that this thread is in the middle of, each on its stack.
//!
//! The announcement of a version rather than an epoch follows the idea of *version-based reclamation*: G. Sheffi,
//! M. Herlihy, E. Petrank, *VBR: Version Based Reclamation*, SPAA 2021, and the quiescence of epoch
//! reclamation: K. Fraser, *Practical lock-freedom*, 2004.

use std::cell::{Cell, UnsafeCell};
use std::panic::Location;
use std::ptr::NonNull;

use crossbeam_utils::CachePadded;

use crate::chaos;
use crate::clock::Version;
use crate::domain::DOMAIN;
use crate::reclaim::{Garbage, Retired, Stamped};
use crate::stats::Counters;
use crate::sync::{
    AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Mutex, NonAtomic, Ordering, const_fn, fence, fence_after_exchange,
    lock, per_thread,
};
use crate::transaction::State;
use crate::versioned_lock::Owner;

/// The announcement of a thread that looks at nothing.
const IDLE: u64 = u64::MAX;
/// Set in an announcement by a thread that will not walk into the past: it needs values kept, but not words.
const PRESENT: u64 = 1;

/// A call of `update` whose closure runs.
#[derive(Debug)]
struct Update {
    /// The cell.
    address: usize,
    /// Whether the thread has written the cell meanwhile.
    is_written: Cell<bool>,
    outer: *const Update,
}

/// What one thread owns.
#[derive(Debug)]
pub(crate) struct Participant {
    pinned: CachePadded<AtomicU64>,
    pub(crate) counters: CachePadded<Counters>,
    id: u32,
    claimed: AtomicBool,
    next: *mut Participant,
    pins: Cell<u32>,
    running: Cell<Option<&'static Location<'static>>>,
    /// When the last transaction or operation of this thread wrote, if it did.
    #[cfg(feature = "introspection")]
    last_write: Cell<Option<Version>>,
    collecting: Cell<bool>,
    /// The innermost `update` whose closure runs on this thread.
    updating: Cell<*const Update>,
    garbage: NonAtomic<Garbage>,
    transaction: UnsafeCell<State>,
}

// SAFETY: other threads use `pinned`, `counters`, `claimed`, `id` and `next` only, which are atomic or never change
// (P1).
unsafe impl Sync for Participant {}

impl Participant {
    fn new(id: u32) -> Self {
        Self {
            pinned: CachePadded::new(AtomicU64::new(IDLE)),
            counters: CachePadded::new(Counters::new()),
            id,
            claimed: AtomicBool::new(true),
            next: std::ptr::null_mut(),
            pins: Cell::new(0),
            running: Cell::new(None),
            #[cfg(feature = "introspection")]
            last_write: Cell::new(None),
            collecting: Cell::new(false),
            updating: Cell::new(std::ptr::null()),
            garbage: NonAtomic::new(Garbage::new()),
            transaction: UnsafeCell::new(State::new()),
        }
    }

    /// The number that names this participant in locks.
    #[inline]
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// Where the transaction that runs on this thread was started.
    #[inline]
    pub(crate) fn running(&self) -> Option<&'static Location<'static>> {
        self.running.get()
    }

    /// Notes that a transaction or operation of this thread has written at `version`.
    #[cfg(feature = "introspection")]
    #[inline]
    pub(crate) fn note_write_version(&self, version: Version) {
        self.last_write.set(Some(version));
    }

    /// When the last transaction or operation of this thread wrote, if it did.
    #[cfg(feature = "introspection")]
    pub(crate) fn last_write_version(&self) -> Option<u64> {
        self.last_write.get().map(Version::get)
    }

    /// Runs the closure of an `update` of the cell at `address`, and says whether this thread has written the cell
    /// meanwhile.
    #[inline]
    pub(crate) fn while_updating<R>(&self, address: usize, edit: impl FnOnce() -> R) -> (R, bool) {
        /// Takes the update off the list, also when its closure panics.
        struct End<'a>(&'a Cell<*const Update>, *const Update);

        impl Drop for End<'_> {
            #[inline]
            fn drop(&mut self) {
                self.0.set(self.1);
            }
        }

        let update = Update { address, is_written: Cell::new(false), outer: self.updating.get() };
        self.updating.set(&raw const update);
        let end = End(&self.updating, update.outer);
        let result = edit();
        drop(end);
        (result, update.is_written.get())
    }

    /// Whether the closure of an `update` runs.
    #[inline]
    pub(crate) fn is_updating(&self) -> bool {
        !self.updating.get().is_null()
    }

    /// Notes that this thread writes the cell at this address.
    #[cold]
    pub(crate) fn note_write(&self, address: usize) {
        let mut next = self.updating.get();
        // SAFETY: null, or an update that this thread is in the middle of (P4).
        while let Some(update) = unsafe { next.as_ref() } {
            if update.address == address {
                update.is_written.set(true);
            }
            next = update.outer;
        }
    }

    /// The memory of the transaction that runs on this thread.
    #[inline]
    pub(crate) fn state(&self) -> NonNull<State> {
        // SAFETY: the address of a field is not null.
        unsafe { NonNull::new_unchecked(self.transaction.get()) }
    }

    /// Uses the records of this thread. `edit` must not run user code (R5).
    #[inline]
    pub(crate) fn with_garbage<R>(&self, edit: impl FnOnce(&mut Garbage) -> R) -> R {
        // SAFETY: this thread alone uses it (P1), and `edit` does not come back here (R5).
        unsafe { self.garbage.with_mut(edit) }
    }

    /// Whether this thread announces a version.
    #[inline]
    fn is_pinned(&self) -> bool {
        self.pins.get() > 0 || self.running.get().is_some()
    }

    /// Pins, for looking at present versions alone.
    #[inline]
    pub(crate) fn pin(&self) -> Pin<'_> {
        if !self.is_pinned() {
            self.announce(DOMAIN.clock.at_least(), PRESENT);
        }
        self.pins.set(self.pins.get() + 1);
        Pin { participant: self }
    }

    /// Begins a transaction or a snapshot: pins, for looking also at past versions. None runs yet.
    #[inline]
    pub(crate) fn begin_transaction(&self, at: &'static Location<'static>) {
        debug_assert!(self.running.get().is_none());
        self.running.set(Some(at));
        #[cfg(feature = "introspection")]
        self.last_write.set(None);
        if self.pins.get() == 0 {
            self.announce(DOMAIN.clock.at_least(), 0);
        } else {
            // What is announced stays as old as it is (P2), but now records are kept, too.
            // Relaxed: our own store.
            let announced = self.pinned.load(Ordering::Relaxed);
            self.announce(Version::new(announced >> 1), 0);
        }
    }

    /// Ends the transaction or snapshot that runs.
    #[inline]
    pub(crate) fn end_transaction(&self) {
        self.running.set(None);
        if self.pins.get() == 0 {
            self.retract();
        }
    }

    #[inline]
    fn announce(&self, version: Version, mode: u64) {
        // SeqCst: on x86 it is the fence, as long as no compiler makes a plain store of it, which it may of a Relaxed or
        // Release exchange whose result is not used. What was read under the announcement before was released when that
        // was retracted, and an exchange goes on with it.
        self.pinned.swap(version.get() << 1 | mode, Ordering::SeqCst);
        // SeqCst: the P-fence; its partner is the G-fence in `collect_once`. Model:
        // `reclamation::a_value_is_not_destroyed_under_a_single_read`.
        fence_after_exchange();
        chaos::point();
    }

    /// Says that this thread will not walk into the past any more: it has written, so it must commit at the present.
    #[inline]
    pub(crate) fn renounce_history(&self) {
        // Relaxed: our own store.
        let announced = self.pinned.load(Ordering::Relaxed);
        // Release: the records this thread walked over were read before whoever sees this store reuses them.
        self.pinned.store(announced | PRESENT, Ordering::Release);
    }

    fn unpin(&self) {
        self.pins.set(self.pins.get() - 1);
        if !self.is_pinned() {
            self.retract();
        }
    }

    #[inline]
    fn retract(&self) {
        // Release: pairs with the acquire in `oldest`; what this thread read was read before it is destroyed.
        self.pinned.store(IDLE, Ordering::Release);
    }

    /// Reuses and destroys what nobody can look at, if enough has gathered.
    #[inline]
    pub(crate) fn collect_if_due(&self) {
        if self.with_garbage(|garbage| garbage.is_due()) {
            self.collect();
        }
    }

    /// Reuses and destroys what nobody can look at. Runs destructors of user values.
    #[cold]
    pub(crate) fn collect(&self) {
        if self.is_pinned() || self.collecting.replace(true) {
            return;
        }
        // What a destructor drops may be ready in the next round.
        while self.collect_once() {}
        self.with_garbage(Garbage::set_due);
        self.collecting.set(false);
    }

    /// Does one round, and says whether it has destroyed anything.
    fn collect_once(&self) -> bool {
        // Only what is there before the fence may go on account of the scan after it (G-unlink): destructors, and
        // other threads, retire more meanwhile.
        let candidates = self.with_garbage(|garbage| garbage.values());
        let orphans = DOMAIN.orphans.take();
        chaos::point();
        // SeqCst: the G-fence; its partner is the P-fence in `announce`. Model:
        // `reclamation::a_value_is_not_destroyed_under_a_single_read`.
        fence(Ordering::SeqCst);
        let oldest = DOMAIN.registry.oldest();
        chaos::point();
        self.with_garbage(|garbage| garbage.recycle_records(oldest.for_records));
        let orphans = DOMAIN.orphans.give_back_younger(orphans, oldest.for_values);
        let mut destroyed = !orphans.is_empty();
        for (retired, _) in orphans {
            // SAFETY: no thread announced a version as old as the stamp, so nobody looks at the value (R2).
            unsafe { retired.destroy() };
        }
        for _ in 0..candidates {
            let Some(retired) = self.with_garbage(|garbage| garbage.next_value(oldest.for_values)) else { break };
            destroyed = true;
            // SAFETY: as above.
            unsafe { retired.destroy() };
        }
        destroyed
    }

    /// Retires a value that is no cell's old version, and that nobody can newly reach.
    ///
    /// # Safety
    /// As for [`crate::reclaim::Destructor`], once every thread that is pinned now has unpinned.
    pub(crate) unsafe fn retire_value(&self, retired: Retired) {
        // Whoever still looks at the value pinned before it was given up, which happened before this call; so the
        // clock read here is not older than what they announced.
        let stamp = DOMAIN.clock.now();
        chaos::point();
        self.with_garbage(|garbage| garbage.retire_value(retired, stamp));
        if !self.is_pinned() {
            self.collect_if_due();
        }
    }

    /// Hands over what the next thread must not wait for, and lets the next thread claim this participant.
    fn release(&self) {
        if self.with_garbage(|garbage| garbage.values() > 0) {
            self.collect();
        }
        let left = self.with_garbage(Garbage::take_values);
        chaos::point();
        if !left.is_empty() {
            DOMAIN.orphans.add(left);
        }
    }

    fn disclaim(&self) {
        // Release: the next thread to claim acquires all that this one did to its participant (P1).
        self.claimed.store(false, Ordering::Release);
    }
}

/// A participant that is pinned for looking at present versions; unpins when dropped.
#[derive(Debug)]
pub(crate) struct Pin<'a> {
    participant: &'a Participant,
}

impl Drop for Pin<'_> {
    #[inline]
    fn drop(&mut self) {
        self.participant.unpin();
    }
}

/// The oldest announcements there are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Oldest {
    /// Of those who may walk into the past.
    for_records: Version,
    /// Of everybody.
    for_values: Version,
}

/// The list of all participants.
#[derive(Debug)]
pub(crate) struct Registry {
    first: AtomicPtr<Participant>,
    count: AtomicU32,
}

impl Registry {
    const_fn! {
        pub(crate) fn new() -> Self {
            Self { first: AtomicPtr::new(std::ptr::null_mut()), count: AtomicU32::new(0) }
        }
    }

    /// All participants, claimed or not.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &'static Participant> {
        // Acquire: pairs with the release in `add`; the participant's fields are visible.
        let mut next = self.first.load(Ordering::Acquire);
        std::iter::from_fn(move || {
            // SAFETY: participants are never freed (P3), and `next` is null or one of them.
            let participant: &'static Participant = unsafe { next.as_ref() }?;
            next = participant.next;
            Some(participant)
        })
    }

    fn oldest(&self) -> Oldest {
        let forever = Version::new(u64::MAX);
        let mut oldest = Oldest { for_records: forever, for_values: forever };
        for participant in self.iter() {
            // Acquire: pairs with the releases in `announce`, `renounce_history` and `unpin`: what the participant
            // looked at before is done with.
            let announced = participant.pinned.load(Ordering::Acquire);
            chaos::point();
            if announced == IDLE {
                continue;
            }
            let version = Version::new(announced >> 1);
            oldest.for_values = oldest.for_values.min(version);
            if announced & PRESENT == 0 {
                oldest.for_records = oldest.for_records.min(version);
            }
        }
        oldest
    }

    /// Whether some other thread has a participant.
    pub(crate) fn has_others(&self, me: &Participant) -> bool {
        // Relaxed: a hint; nothing is read on its account.
        self.iter().any(|other| other.id != me.id && other.claimed.load(Ordering::Relaxed))
    }

    pub(crate) fn claim(&self) -> &'static Participant {
        let free = self.iter().find(|participant| {
            // Relaxed: only a hint to save the exchange. Acquire: pairs with `disclaim` (P1).
            !participant.claimed.load(Ordering::Relaxed)
                && participant.claimed.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
        });
        free.unwrap_or_else(|| self.add())
    }

    fn add(&self) -> &'static Participant {
        // Relaxed: a number of one's own is all that is asked for.
        let id = self.count.fetch_add(1, Ordering::Relaxed);
        assert!(id < Owner::PARTICIPANTS, "more than {} threads use transactions at once", Owner::PARTICIPANTS);
        let participant = NonNull::from(Box::leak(Box::new(Participant::new(id))));
        // SAFETY: it was just made.
        let state = unsafe { participant.as_ref() }.state();
        // SAFETY: nobody else knows the participant yet.
        unsafe { &mut *state.as_ptr() }.set_participant(participant.as_ptr());
        // Relaxed: the exchange below checks it.
        let mut first = self.first.load(Ordering::Relaxed);
        loop {
            // SAFETY: nobody else knows the participant yet.
            unsafe { (*participant.as_ptr()).next = first };
            // Release: pairs with the acquire in `iter`. Acquire on failure is not needed, as `first` is only linked.
            let linked =
                self.first.compare_exchange_weak(first, participant.as_ptr(), Ordering::Release, Ordering::Relaxed);
            match linked {
                // SAFETY: participants are never freed (P3).
                Ok(_) => return unsafe { participant.as_ref() },
                Err(newer) => first = newer,
            }
        }
    }
}

/// Values left behind by threads that have ended.
#[derive(Debug)]
pub(crate) struct Orphans {
    values: Mutex<Vec<Stamped>>,
    any: AtomicBool,
}

// SAFETY: the values come from cells, whose types are `Send`.
unsafe impl Send for Orphans {}
// SAFETY: the list is behind a lock, and the values come from cells, whose types are `Send` and `Sync`.
unsafe impl Sync for Orphans {}

impl Orphans {
    const_fn! {
        pub(crate) fn new() -> Self {
            Self { values: Mutex::new(Vec::new()), any: AtomicBool::new(false) }
        }
    }

    fn add(&self, mut values: Vec<Stamped>) {
        lock(&self.values).append(&mut values);
        // Relaxed: a hint; the list itself is behind the lock.
        self.any.store(true, Ordering::Relaxed);
    }

    /// Takes all values out.
    fn take(&self) -> Vec<Stamped> {
        // Relaxed, twice: a hint; who misses a value now collects it later.
        if !self.any.load(Ordering::Relaxed) {
            return Vec::new();
        }
        self.any.store(false, Ordering::Relaxed);
        std::mem::take(&mut *lock(&self.values))
    }

    /// Puts back those of the `values` that are not older than `oldest`, and returns the others.
    fn give_back_younger(&self, mut values: Vec<Stamped>, oldest: Version) -> Vec<Stamped> {
        let younger: Vec<_> = values.extract_if(.., |(_, stamp)| *stamp >= oldest).collect();
        if !younger.is_empty() {
            self.add(younger);
        }
        values
    }
}

per_thread! {
    static CURRENT: Cell<*const Participant> = const { Cell::new(std::ptr::null()) };
    static RELEASE: ReleaseAtExit = const { ReleaseAtExit(Cell::new(None)) };
}

/// Gives the participant back when the thread ends.
struct ReleaseAtExit(Cell<Option<&'static Participant>>);

// In loom, whoever joins a thread does not wait for the end of its locals, and may have ended the statics by then.
#[cfg(not(optimist_loom))]
impl Drop for ReleaseAtExit {
    fn drop(&mut self) {
        // A process that exits in the middle of a transaction ends the thread's locals as well. Then nobody may claim
        // its participant, which is pinned.
        if let Some(participant) = self.0.take().filter(|participant| !participant.is_pinned()) {
            give_back(participant);
        }
    }
}

/// Ends this thread's use of `participant`.
fn give_back(participant: &'static Participant) {
    // Destructors run by `release` may use cells, and find the participant still in place.
    participant.release();
    set_current(std::ptr::null());
    participant.disclaim();
}

fn set_current(participant: *const Participant) {
    // Fails only in a model, for a thread that is being torn down.
    _ = CURRENT.try_with(|current| current.set(participant));
}

/// This thread's participant.
#[derive(Debug)]
pub(crate) struct Current {
    participant: &'static Participant,
    /// Whether it was claimed for this one use, because the thread is being torn down.
    for_one_use: bool,
}

impl Current {
    /// Finds the participant of this thread, or claims one.
    #[inline]
    pub(crate) fn get() -> Self {
        // Fails only in a model, for a thread that is being torn down.
        let current = CURRENT.try_with(Cell::get).unwrap_or(std::ptr::null());
        // SAFETY: null, or a participant that this thread claimed; those are never freed (P3).
        match unsafe { current.as_ref() } {
            Some(participant) => Self { participant, for_one_use: false },
            None => Self::claim(),
        }
    }

    #[cold]
    fn claim() -> Self {
        Self::take_over(DOMAIN.registry.claim())
    }

    /// Makes a participant that has been claimed that of this thread, which has none.
    pub(crate) fn take_over(participant: &'static Participant) -> Self {
        set_current(participant);
        // While the thread is torn down, nothing more runs at its end.
        let for_one_use = RELEASE.try_with(|release| release.0.set(Some(participant))).is_err();
        Self { participant, for_one_use }
    }

    /// Does what the end of the thread would do.
    #[cfg(all(test, optimist_loom))]
    pub(crate) fn give_up() {
        RELEASE.with(|release| release.0.take()).into_iter().for_each(give_back);
    }

    /// The participant, which stays this thread's for as long as `self` is there.
    #[inline]
    pub(crate) fn participant(&self) -> &'static Participant {
        self.participant
    }
}

impl Drop for Current {
    #[inline]
    fn drop(&mut self) {
        if self.for_one_use {
            give_back(self.participant);
        }
    }
}

/// Calls `use_it` with this thread's participant.
#[inline]
pub(crate) fn with_current<R>(use_it: impl FnOnce(&'static Participant) -> R) -> R {
    let current = Current::get();
    use_it(current.participant())
}

/// Destroys the replaced values and dropped [`Shared`](crate::Shared) of this thread, and of threads that have ended,
/// that nobody can look at any more.
///
/// Threads do this by themselves as they go on with transactions; call it where a thread will be idle for long, or a
/// test wants to see a destructor run. Values that a transaction of another thread may still look at stay for later.
///
/// Does nothing inside a transaction.
///
/// # Complexity
/// Linear in the number of threads and in what there is to destroy.
///
/// # Examples
/// ```
/// use optimist::{TVar, collect};
/// use std::sync::Arc;
///
/// let value = Arc::new(());
/// let var = TVar::new(Some(Arc::clone(&value)));
/// var.store(None);
/// collect();
/// assert_eq!(Arc::strong_count(&value), 1);
/// ```
pub fn collect() {
    with_current(Participant::collect);
}

/// Whether a transaction or a snapshot runs on this thread.
///
/// Code that may be called from within a transaction, but is not given its `tx`, such as an implementation of
/// [`Debug`](std::fmt::Debug), must not start one of its own then.
///
/// # Examples
/// ```
/// use optimist::{atomically, is_running};
///
/// assert!(!is_running());
/// assert!(atomically(|_| Ok(is_running())));
/// ```
#[must_use]
pub fn is_running() -> bool {
    with_current(|participant| participant.running().is_some())
}

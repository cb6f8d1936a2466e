//! An attempt of a transaction: what it has seen, and how it reads and writes.
//!
//! [`State`] is the memory of an attempt, kept by its thread from one attempt to the next; [`Tx`](crate::Tx) is the
//! view of it that user code is given.
//!
//! # Protocol
//! The attempt is in one of three modes.
//! * **Present**: every cell read was within `read_version`. A cell that is newer makes it **extend**: if no cell
//!   read so far has changed, `read_version` is raised to now. If one has, and nothing was written, it goes on in the
//!   past; otherwise it is doomed.
//! * **Past**: a reader alone. It reads every cell as it was at `read_version`, from the history if need be.
//! * **Token**: the holder of the token. It owns each cell before it reads it, so that what it has read cannot
//!   change.
//!
//! # Invariants
//! * **X1** (opacity) What has been read is the state of the cells at `read_version`, in Token mode at any moment
//!   since.
//! * **X2** A doomed attempt reads and writes nothing more: `limit` is closed and `write_ready` is off, so that every
//!   access takes its slow path, which refuses. Whatever the body returns then, the attempt has no effect.
//! * **X3** A cell that the attempt owns is in its read set, which is what is disowned at the end.
//! * **X4** An attempt that has written is not in the past and needs no history.
//! * **X5** Between attempts everything but the read set, `read_version` and `limit` is as in a new [`State`]. What
//!   changes anything else says so in the [`Activity`] of the attempt, by which [`State::clear`] restores it.
//!
//! Extension is due to T. Riegel, P. Felber, C. Fetzer, *A Lazy Snapshot Algorithm with Eager Validation*, DISC 2006.

use std::panic::Location;

use crate::arena::Arena;
use crate::cell::RawCell;
use crate::chaos;
use crate::clock::Version;
use crate::domain::DOMAIN;
use crate::error::{Abort, Cause, Stm};
use crate::hooks::Hooks;
use crate::participant::Participant;
use crate::read_set::ReadSet;
use crate::reclaim::{Destructor, Word};
use crate::storage;
use crate::token::Ticket;
use crate::versioned_lock::Limit;
use crate::write_set::WriteSet;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Present,
    Past,
    Token,
}

/// What an attempt has done so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Activity {
    /// Nothing but reading at the present.
    Reads,
    /// Beside that, buffering a value for each of some cells.
    Writes,
    /// Whatever there is.
    Anything,
}

/// The memory of an attempt.
#[derive(Debug)]
pub(crate) struct State {
    /// What the fast path of a read accepts (X2).
    limit: Limit,
    /// Whether a write to a new cell may simply be buffered (X2).
    write_ready: bool,
    /// What the attempt has done, and hence what there is to clear (X5).
    activity: Activity,
    pub(crate) reads: ReadSet,
    pub(crate) writes: WriteSet,
    read_version: Version,
    mode: Mode,
    doomed: Option<Cause>,
    /// Whether the attempt has written, so that it must commit at the present (X4).
    renounced: bool,
    /// Whether the holder of the token has read: its read set holds what it has written, too.
    has_read: bool,
    /// Cells looked at by extensions.
    extension_work: usize,
    arena: Arena,
    pub(crate) hooks: Hooks,
    /// The cells whose waiters the commit must wake, by address.
    pub(crate) to_wake: Vec<usize>,
    pub(crate) ticket: Option<Ticket>,
    attempt: u64,
    /// Whether an earlier attempt of this transaction went on in the past and then had to write.
    must_stay_present: bool,
    /// Whether the next attempt must hold the token.
    must_escalate: bool,
    /// Where the transaction became irrevocable.
    irrevocable: Option<&'static Location<'static>>,
    participant: *const Participant,
}

impl State {
    /// Extensions of an attempt that only reads may look at this many cells, and at twice as many as it has read,
    /// before it goes on in the past: reading stays linear however busy the writers are.
    const FREE_EXTENSION_WORK: usize = 512;

    pub(crate) const fn new() -> Self {
        Self {
            limit: Limit::CLOSED,
            write_ready: false,
            activity: Activity::Reads,
            reads: ReadSet::new(),
            writes: WriteSet::new(),
            read_version: Version::FIRST,
            mode: Mode::Present,
            doomed: None,
            renounced: false,
            has_read: false,
            extension_work: 0,
            arena: Arena::new(),
            hooks: Hooks::new(),
            to_wake: Vec::new(),
            ticket: None,
            attempt: 1,
            must_stay_present: false,
            must_escalate: false,
            irrevocable: None,
            participant: std::ptr::null(),
        }
    }

    /// Says whose state it is.
    pub(crate) fn set_participant(&mut self, participant: *const Participant) {
        self.participant = participant;
    }

    /// Starts the first attempt of a transaction; the participant has just pinned for history.
    #[inline]
    pub(crate) fn begin(&mut self) {
        debug_assert!(
            self.activity == Activity::Reads
                && self.doomed.is_none()
                && self.mode == Mode::Present
                && self.ticket.is_none()
        );
        self.read_version = DOMAIN.clock.now();
        self.limit = Limit::at(self.read_version);
    }

    /// Starts a later attempt. With a ticket, the token is held.
    pub(crate) fn begin_again(&mut self, start: Start) {
        self.begin();
        self.activity = Activity::Anything;
        self.attempt = start.attempt;
        self.must_stay_present = start.must_stay_present;
        self.ticket = start.ticket;
        if self.ticket.is_some() {
            self.mode = Mode::Token;
            self.limit = Limit::CLOSED;
            self.renounce();
        }
    }

    /// Starts a snapshot of a participant that has just pinned for history.
    #[inline]
    pub(crate) fn begin_snapshot(&mut self) {
        self.read_version = DOMAIN.clock.now();
    }

    /// Keeps a value of bits until the attempt, or the snapshot, ends.
    pub(crate) fn keep<T: 'static>(&mut self, value: T) -> *const T {
        debug_assert!(storage::is_bits::<T>());
        self.disturb();
        self.arena.keep(value)
    }

    #[inline]
    pub(crate) fn activity(&self) -> Activity {
        self.activity
    }

    /// Notes that everything may be there to clear (X5).
    #[inline]
    pub(crate) fn disturb(&mut self) {
        self.activity = Activity::Anything;
    }

    /// Empties the state after an attempt (X5); the arena's values end here. What is for the aftermath stays.
    #[inline(always)]
    pub(crate) fn clear(&mut self) {
        self.reads.clear();
        if self.activity == Activity::Reads {
            return;
        }
        self.write_ready = false;
        self.renounced = false;
        self.writes.reset();
        if self.activity == Activity::Anything {
            self.clear_rest();
        }
        self.activity = Activity::Reads;
    }

    #[inline(never)]
    fn clear_rest(&mut self) {
        self.writes.reset_levels();
        self.mode = Mode::Present;
        self.doomed = None;
        self.has_read = false;
        self.extension_work = 0;
        self.arena.clear();
        self.attempt = 1;
        self.must_stay_present = false;
        self.must_escalate = false;
        self.irrevocable = None;
    }

    fn participant(&self) -> &Participant {
        // SAFETY: set before the participant is claimed; participants are never freed (P3).
        unsafe { &*self.participant }
    }

    pub(crate) fn read_version(&self) -> Version {
        self.read_version
    }

    /// The limit of what has been read, whatever the fast path accepts.
    pub(crate) fn read_limit(&self) -> Limit {
        Limit::at(self.read_version)
    }

    pub(crate) fn attempt(&self) -> u64 {
        self.attempt
    }

    /// Whether the attempt has read a cell, so that a change could end its wait.
    pub(crate) fn has_read(&self) -> bool {
        if self.mode == Mode::Token { self.has_read } else { self.reads.len() > 0 }
    }

    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    pub(crate) fn doomed(&self) -> Option<Cause> {
        self.doomed
    }

    pub(crate) fn irrevocable(&self) -> Option<&'static Location<'static>> {
        self.irrevocable
    }

    pub(crate) fn must_escalate(&self) -> bool {
        self.must_escalate
    }

    pub(crate) fn must_stay_present(&self) -> bool {
        self.must_stay_present
    }

    /// Ends the attempt (X2).
    #[cold]
    pub(crate) fn doom(&mut self, cause: Cause) -> Abort {
        self.disturb();
        self.doomed = Some(cause);
        self.limit = Limit::CLOSED;
        self.write_ready = false;
        Abort::new()
    }

    /// Takes back the end of an attempt that retried.
    pub(crate) fn revive(&mut self) {
        debug_assert_eq!(self.doomed, Some(Cause::Retry));
        self.doomed = None;
        self.open();
    }

    /// Lets the fast paths do what the mode allows.
    #[inline]
    fn open(&mut self) {
        if self.mode != Mode::Token {
            self.limit = Limit::at(self.read_version);
            self.write_ready = self.renounced;
        }
    }

    #[inline]
    fn renounce(&mut self) {
        self.renounced = true;
        chaos::point();
        self.participant().renounce_history();
    }

    /// Reads a cell that the attempt has not written, if it is within `limit`.
    #[inline]
    pub(crate) fn read_fast(&mut self, cell: &RawCell) -> Option<Word> {
        if self.writes.may_contain(cell) {
            return None;
        }
        let word = cell.read_within(self.limit)?;
        self.reads.push(cell);
        Some(word)
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn read_slow(&mut self, cell: &RawCell, lend: bool) -> Stm<Word> {
        if self.doomed.is_some() {
            return Err(Abort::new());
        }
        if self.writes.may_contain(cell) {
            let buffered = if lend { self.writes.lend(cell) } else { self.writes.get(cell) };
            if let Some(word) = buffered {
                return Ok(word);
            }
        }
        if self.mode == Mode::Token {
            self.own(cell);
            self.has_read = true;
            return Ok(cell.read_now().1);
        }
        if self.mode == Mode::Present {
            self.read_present(cell)
        } else {
            // SAFETY: the attempt pinned for history before it sampled `read_version`, and has not renounced (X4).
            Ok(unsafe { cell.read_at(self.read_version) })
        }
    }

    fn read_present(&mut self, cell: &RawCell) -> Stm<Word> {
        loop {
            let (sample, word) = cell.read_now();
            if sample.is_within(self.limit) {
                self.reads.push(cell);
                return Ok(word);
            }
            if self.may_extend() && self.extend() {
                continue;
            }
            if self.renounced || self.must_stay_present {
                return Err(self.doom(Cause::Read));
            }
            self.disturb();
            self.mode = Mode::Past;
            self.participant().counters.went_past();
            // SAFETY: as in `read_slow`.
            return Ok(unsafe { cell.read_at(self.read_version) });
        }
    }

    fn may_extend(&self) -> bool {
        let budget = Self::FREE_EXTENSION_WORK + 2 * self.reads.len();
        self.renounced || self.must_stay_present || self.extension_work + self.reads.len() <= budget
    }

    /// Raises `read_version` to now if nothing that was read has changed.
    fn extend(&mut self) -> bool {
        self.disturb();
        let now = DOMAIN.clock.now();
        chaos::point();
        self.extension_work += self.reads.len();
        let unchanged = self.reads.is_unchanged(self.limit);
        chaos::point();
        if unchanged {
            self.read_version = now;
            self.limit = Limit::at(now);
            self.participant().counters.extended();
        }
        unchanged
    }

    /// Buffers a word for a cell.
    #[inline(always)]
    pub(crate) fn write(&mut self, cell: &RawCell, word: Word, destructor: Option<Destructor>) -> Stm<()> {
        if self.write_ready && !self.writes.may_contain(cell) {
            self.writes.push(cell, word, destructor);
            return Ok(());
        }
        if self.activity == Activity::Reads {
            self.write_first(cell, word, destructor);
            return Ok(());
        }
        self.write_slow(cell, word, destructor)
    }

    /// The first write of an attempt that has only read so far, at the present.
    #[inline(never)]
    fn write_first(&mut self, cell: &RawCell, word: Word, destructor: Option<Destructor>) {
        debug_assert!(self.mode == Mode::Present && self.writes.is_empty());
        self.activity = Activity::Writes;
        self.renounce();
        self.write_ready = true;
        self.writes.push(cell, word, destructor);
    }

    #[cold]
    #[inline(never)]
    fn write_slow(&mut self, cell: &RawCell, word: Word, destructor: Option<Destructor>) -> Stm<()> {
        self.disturb();
        let ready = self.ready_to_write();
        if let Err(abort) = ready {
            self.writes.bury(word, destructor);
            return Err(abort);
        }
        if self.writes.may_contain(cell) && self.writes.overwrite(cell, word) {
            return Ok(());
        }
        if self.mode == Mode::Token {
            self.own(cell);
        }
        self.writes.push(cell, word, destructor);
        Ok(())
    }

    /// Makes the first write possible.
    fn ready_to_write(&mut self) -> Stm<()> {
        if self.doomed.is_some() {
            return Err(Abort::new());
        }
        if self.mode == Mode::Past {
            self.must_stay_present = true;
            return Err(self.doom(Cause::Read));
        }
        if !self.renounced {
            self.renounce();
            self.open();
        }
        Ok(())
    }

    /// Marks a cell as owned, waiting for a committer that holds it. Committers wait for nobody, so there is no
    /// deadlock.
    fn own(&mut self, cell: &RawCell) {
        loop {
            let sample = cell.lock.sample_unlocked();
            if sample.is_owned() {
                return;
            }
            chaos::point();
            if cell.lock.try_own(sample) {
                break;
            }
        }
        self.reads.push(cell);
        // All that has been read is owned, so it is unchanged up to now.
        self.read_version = DOMAIN.clock.now();
    }

    /// Owns all cells read and written so far, if what was read is unchanged; the attempt holds the ticket.
    fn own_all(&mut self) -> bool {
        for cell in self.reads.iter() {
            loop {
                let sample = cell.lock.sample_unlocked();
                chaos::point();
                if !sample.is_within(self.limit) {
                    return false;
                }
                if sample.is_owned() || cell.lock.try_own(sample) {
                    break;
                }
            }
        }
        for index in 0..self.writes.entries().len() {
            let cell = self.writes.entries()[index].cell;
            // SAFETY: the cell outlives the attempt (W1).
            self.own(unsafe { &*cell });
        }
        true
    }

    /// Ends the ownership of all cells (X3).
    pub(crate) fn disown_all(&mut self) {
        for cell in self.reads.iter() {
            chaos::point();
            // Only the holder of the token marks cells, and the attempt still is that.
            if cell.lock.sample().is_owned() {
                cell.lock.disown();
            }
        }
    }

    pub(crate) fn become_irrevocable(&mut self, at: &'static Location<'static>) -> Stm<()> {
        if self.doomed.is_some() {
            return Err(Abort::new());
        }
        self.disturb();
        if self.mode == Mode::Present {
            let had_read = self.has_read();
            self.ticket = DOMAIN.token.try_take();
            if self.ticket.is_some() && self.own_all() {
                self.mode = Mode::Token;
                self.renounce();
                self.has_read = had_read;
                self.limit = Limit::CLOSED;
                self.write_ready = false;
                self.participant().counters.escalated();
            } else if self.ticket.is_some() {
                self.disown_all();
            }
        }
        if self.mode != Mode::Token {
            self.must_escalate = true;
            return Err(self.doom(Cause::Token));
        }
        self.irrevocable.get_or_insert(at);
        Ok(())
    }
}

/// What an attempt starts with that is not the first.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) attempt: u64,
    pub(crate) must_stay_present: bool,
    pub(crate) ticket: Option<Ticket>,
}

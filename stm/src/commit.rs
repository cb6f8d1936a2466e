//! Commit: how the writes of an attempt appear, all at one moment.
//!
//! # Protocol
//! 1. **Lock** every cell of the write set (C-lock), with a bounded wait: who holds locks waits for nobody. If one
//!    cannot be had, restore all and abort.
//! 2. **Draw** the `write_version` (C-tick).
//! 3. **Validate**: no cell read is newer than `read_version` or locked by another (C-validate). Needless if
//!    `write_version` follows `read_version` directly, as then nobody has committed since, and for the holder of the
//!    token.
//! 4. **Publish** each cell: the old word goes into its history and on its way out, the new one in, the lock ends
//!    with `write_version`.
//!
//! # Why it is serializable
//! Take committers A and B of which each reads what the other writes. C-tick is an acquire and release operation on
//! one word, so one comes first, say A's. B's C-validate comes after its C-tick, hence after A's C-tick and A's
//! C-lock: B sees the cell locked or newer, and aborts. No fence is needed between locking and validating, as the
//! clock is one.
//!
//! A reader at `read_version` sees all of a commit whose `write_version` is at most that, and nothing of any other:
//! it sampled the clock after C-tick, hence sees the cells locked, and waits, or newer (C2 of `clock.rs`).
//!
//! # Invariants
//! * **M1** User code runs neither while a cell is locked nor while the attempt is pinned: what there is to destroy,
//!   run and wake is collected and done afterwards ([`Aftermath`]).
//! * **M2** Nothing in the commit can fail once the first cell is locked, but for want of memory, which ends the
//!   process.

use crate::cell::RawCell;
use crate::chaos;
use crate::domain::DOMAIN;
use crate::error::Cause;
use crate::hooks::Hooks;
use crate::participant::Participant;
use crate::reclaim::Retired;
use crate::sync::Patience;
use crate::token::Ticket;
use crate::transaction::{Activity, Mode, State};
use crate::versioned_lock::{Owner, Sample};
use crate::write_set::Entry;

impl State {
    /// Commits what was written; the attempt has written something and is not doomed.
    #[inline(always)]
    pub(crate) fn commit(&mut self, participant: &Participant) -> Result<(), Cause> {
        self.lock_all(participant.id())?;
        chaos::point();
        let version = DOMAIN.clock.tick();
        chaos::point();
        let is_first = version.follows(self.read_version());
        if !is_first && self.mode() != Mode::Token && !self.is_valid(participant.id()) {
            unlock(self.writes.entries());
            return Err(Cause::Read);
        }
        chaos::point();
        if participant.is_updating() {
            self.writes.entries().iter().for_each(|entry| participant.note_write(entry.cell.addr()));
        }
        let (writes, to_wake) = (&mut self.writes, &mut self.to_wake);
        participant.with_garbage(|garbage| {
            for entry in writes.entries() {
                if entry.locked.has_waiters() {
                    to_wake.push(entry.cell.addr());
                }
                chaos::point();
                let record = garbage.retire();
                // SAFETY: we hold the lock since `locked`, and the record was just taken.
                let word = unsafe { entry.cell().publish(record, entry.locked, entry.word, version) };
                if let Some(destructor) = entry.destructor {
                    garbage.retire_value(Retired { word, destructor }, version.previous());
                }
            }
        });
        writes.clear_published();
        #[cfg(feature = "introspection")]
        participant.note_write_version(version);
        Ok(())
    }

    #[inline]
    fn lock_all(&mut self, participant: u32) -> Result<(), Cause> {
        let holds_token = self.mode() == Mode::Token;
        let entries = self.writes.entries_mut();
        for index in 0..entries.len() {
            // An entry number fits, as the index of the write set asserts it.
            let owner = Owner { participant, entry: index as u32 };
            let entry = &mut entries[index];
            let sample = entry.cell().lock.sample();
            chaos::point();
            if sample.is_free() && entry.cell().lock.try_lock(sample, owner) {
                entry.locked = sample;
                continue;
            }
            match lock_slowly(entry.cell(), owner, holds_token) {
                Ok(sample) => entry.locked = sample,
                Err(cause) => {
                    unlock(&entries[..index]);
                    return Err(cause);
                }
            }
        }
        Ok(())
    }

    #[inline(never)]
    fn is_valid(&self, participant: u32) -> bool {
        let entries = self.writes.entries();
        let mine = |sample: Sample| {
            let owner = sample.owner();
            // The entry of another participant's write set may be any number.
            (owner.participant == participant).then(|| entries[owner.entry as usize].locked)
        };
        self.reads.is_valid(self.read_limit(), mine)
    }
}

/// Gives the locks of entries back with nothing changed.
#[cold]
fn unlock(entries: &[Entry]) {
    for entry in entries {
        chaos::point();
        entry.cell().lock.restore(entry.locked);
    }
}

/// Locks one cell, waiting a little if need be, and says from which sample.
#[cold]
fn lock_slowly(cell: &RawCell, owner: Owner, holds_token: bool) -> Result<Sample, Cause> {
    let mut patience = Patience::default();
    loop {
        let sample = cell.lock.sample();
        chaos::point();
        if sample.is_locked() {
            if patience.is_over() {
                return Err(Cause::Write);
            }
            patience.wait();
        } else if sample.is_owned() && !holds_token {
            return Err(Cause::Token);
        } else if cell.lock.try_lock(sample, owner) {
            return Ok(sample);
        }
    }
}

/// What is left to do when an attempt has ended (M1).
#[derive(Debug)]
pub(crate) struct Aftermath {
    committed: bool,
    ticket: Option<Ticket>,
    to_wake: Vec<usize>,
    buried: Vec<Retired>,
    hooks: Hooks,
}

impl State {
    /// Ends an attempt that has committed and only read, and unpins.
    #[inline(always)]
    pub(crate) fn end_reads(&mut self, participant: &Participant) {
        self.reads.clear();
        participant.end_transaction();
    }

    /// Ends an attempt that has committed, and unpins. Usually nothing is left to do.
    #[inline(always)]
    pub(crate) fn end_committed(&mut self, participant: &Participant) -> Option<Aftermath> {
        if self.has_aftermath() {
            return Some(self.end_with_aftermath(participant, true));
        }
        self.clear();
        participant.end_transaction();
        None
    }

    #[inline]
    fn has_aftermath(&self) -> bool {
        let rest = || self.mode() == Mode::Token || !self.hooks.is_empty() || self.writes.has_buried();
        !self.to_wake.is_empty() || (self.activity() == Activity::Anything && rest())
    }

    /// Ends an attempt without effect, and unpins.
    #[cold]
    pub(crate) fn end_aborted(&mut self, participant: &Participant) -> Aftermath {
        self.writes.bury_all();
        self.end_with_aftermath(participant, false)
    }

    #[cold]
    fn end_with_aftermath(&mut self, participant: &Participant, committed: bool) -> Aftermath {
        if self.ticket.is_some() {
            self.disown_all();
        }
        self.clear();
        participant.end_transaction();
        Aftermath {
            committed,
            ticket: self.ticket.take(),
            to_wake: std::mem::take(&mut self.to_wake),
            buried: self.writes.take_buried(),
            hooks: std::mem::take(&mut self.hooks),
        }
    }
}

impl Aftermath {
    /// Gives the token back, wakes, destroys and runs hooks, in this order.
    #[cold]
    pub(crate) fn run(self) {
        drop(self.ticket);
        for address in self.to_wake {
            chaos::point();
            DOMAIN.waiters.wake_address(address);
        }
        for retired in self.buried {
            // SAFETY: the value was never published or lent beyond the attempt, which has ended (W3, W4).
            unsafe { retired.destroy() };
        }
        self.hooks.run(self.committed);
    }
}

//! Commit: how the writes of an attempt appear, all at one moment.
//!
//! # Protocol
//! 1. **Lock** every cell of the write set (C-lock), with a bounded wait: who holds locks waits for nobody. If
//!    one cannot be had, restore all and abort.
//! 2. **Draw** the `write_version` (C-tick).
//! 3. **Validate**: no cell read is newer than `read_version` or locked by another (C-validate). Needless if `write_version`
//!    follows `read_version` directly, as then nobody has committed since, and for the holder of the token.
//! 4. **Publish** each cell: the old word goes into its history and on its way out, the new one in, the lock
//!    ends with `write_version`.
//!
//! # Why it is serializable
//! Take committers A and B of which each reads what the other writes. C-tick is an acquire and release operation on one
//! word, so one comes first, say A's. B's C-validate comes after its C-tick, hence after A's C-tick and A's C-lock: B sees
//! the cell locked or newer, and aborts. No fence is needed between locking and validating, as the clock is one.
//!
//! A reader at `read_version` sees all of a commit whose `write_version` is at most that, and nothing of any other: it
//! sampled the clock after C-tick, hence sees the cells locked, and waits, or newer (C2 of `clock.rs`).
//!
//! # Invariants
//! * **M1** User code runs neither while a cell is locked nor while the attempt is pinned: what there is to destroy,
//!   run and wake is collected and done afterwards ([`Aftermath`]).
//! * **M2** Nothing in the commit can fail once the first cell is published: records are reserved before the first lock.

use crate::domain::DOMAIN;
use crate::error::Cause;
use crate::hooks::Hooks;
use crate::participant::Participant;
use crate::reclaim::Retired;
use crate::sync::Patience;
use crate::transaction::{Mode, State};
use crate::versioned_lock::{Owner, Sample};

impl State {
    /// Commits what was written; the attempt has written something and is not doomed.
    pub(crate) fn commit(&mut self, participant: &Participant) -> Result<(), Cause> {
        participant.with_garbage(|garbage| garbage.reserve(self.writes.entries().len()));
        self.lock_all(participant)?;
        let version = DOMAIN.clock.tick();
        let is_first = version.follows(self.read_version());
        if !is_first && self.mode() != Mode::Token && !self.is_valid(participant) {
            self.unlock_first(self.writes.entries().len());
            return Err(Cause::Read);
        }
        let (writes, to_wake) = (&mut self.writes, &mut self.to_wake);
        participant.with_garbage(|garbage| {
            for entry in writes.entries_mut() {
                let record = garbage.record();
                let locked = entry.locked.take().expect("every cell was locked");
                if locked.has_waiters() {
                    to_wake.push(entry.cell.addr());
                }
                let destructor = entry.destructor;
                // SAFETY: we hold the lock since `locked`, and the record is fresh.
                unsafe { entry.cell().publish(record, locked, entry.word, version) };
                // SAFETY: the record is filled and linked; whoever can look at it or its value announced less than
                // `version` (R1, R2).
                unsafe { garbage.retire(record, version.previous(), destructor) };
            }
        });
        self.writes.clear_published();
        Ok(())
    }

    fn lock_all(&mut self, participant: &Participant) -> Result<(), Cause> {
        let holds_token = self.mode() == Mode::Token;
        for index in 0..self.writes.entries().len() {
            // An entry number fits, as the index of the write set asserts it.
            let owner = Owner { participant: participant.id(), entry: index as u32 };
            let entry = &mut self.writes.entries_mut()[index];
            match lock_one(entry.cell(), owner, holds_token) {
                Ok(sample) => entry.locked = Some(sample),
                Err(cause) => {
                    self.unlock_first(index);
                    return Err(cause);
                }
            }
        }
        Ok(())
    }

    /// Gives the first `count` locks back with nothing changed.
    #[cold]
    fn unlock_first(&mut self, count: usize) {
        for entry in &mut self.writes.entries_mut()[..count] {
            let sample = entry.locked.take().expect("the cell was locked");
            entry.cell().lock.restore(sample);
        }
    }

    fn is_valid(&self, participant: &Participant) -> bool {
        let entries = self.writes.entries();
        let mine = |sample: Sample| {
            let owner = sample.owner();
            // The entry of another participant's write set may be any number.
            if owner.participant == participant.id() { entries[owner.entry as usize].locked } else { None }
        };
        self.reads.is_valid(self.read_limit(), mine)
    }
}

/// Locks one cell, and says from which sample.
#[inline]
fn lock_one(cell: &crate::cell::RawCell, owner: Owner, holds_token: bool) -> Result<Sample, Cause> {
    let mut patience = Patience::default();
    loop {
        let sample = cell.lock.sample();
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
    to_wake: Vec<usize>,
    buried: Vec<Retired>,
    hooks: Hooks,
}

impl State {
    /// Ends the attempt, in which the body returned or panicked and the commit is over, and unpins. Returns what is left to do; the
    /// ticket stays.
    #[inline]
    pub(crate) fn end(&mut self, participant: &Participant, committed: bool) -> Option<Aftermath> {
        if self.mode() == Mode::Token || self.ticket.is_some() {
            self.disown_all();
        }
        if !committed && !self.writes.is_empty() {
            self.writes.bury_all();
        }
        self.clear();
        let buried = self.writes.reset();
        participant.set_running(None);
        participant.unpin();
        if self.hooks.is_empty() && buried.is_empty() && self.to_wake.is_empty() {
            return None;
        }
        Some(Aftermath {
            committed,
            to_wake: std::mem::take(&mut self.to_wake),
            buried,
            hooks: std::mem::take(&mut self.hooks),
        })
    }
}

impl Aftermath {
    /// Wakes, destroys and runs hooks, in this order.
    #[cold]
    pub(crate) fn run(self) {
        for address in self.to_wake {
            DOMAIN.waiters.wake_address(address);
        }
        for retired in self.buried {
            // SAFETY: the value was never published or lent beyond the attempt, which has ended (W3, W4).
            unsafe { retired.destroy() };
        }
        self.hooks.run(self.committed);
    }
}

//! The body of a transaction of a program.

use std::cell::{Cell, RefCell};
use std::panic::resume_unwind;
use std::rc::Rc;
use std::thread;

use optimist::{Cancel, Stm, TryStm, Tx, is_running};

use super::{RIVALS_KEPT, World, may_have_rivals};
use crate::counted::Counted;
use crate::history::recorder::Log;
use crate::history::{Event, INITIAL, WriteId};
use crate::program::value::{Look, Var};
use crate::program::{Kind, Op, Transaction};

/// Attempts that an escalation loses on purpose: as many as it takes.
const LOSSES: u64 = 24;
/// Pauses longer than this give the time slice away.
const SPINS_MAX: u16 = 1000;

/// What a body panics with.
#[derive(Debug)]
pub struct OnPurpose;

/// What is known of an attempt beside its events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// How many ids the thread had drawn before.
    pub drawn: u64,
    /// Its number, as the runtime tells it.
    pub number: u64,
    /// The hooks that it registered to run after an abort.
    pub after_abort: Vec<WriteId>,
    /// The hooks that ran, in order.
    pub ran: Vec<WriteId>,
    /// What was wrong.
    pub faults: Vec<String>,
}

/// What a thread notes beside its history.
#[derive(Debug, Default)]
pub struct Side {
    notes: RefCell<Vec<Notes>>,
    hooks: Rc<RefCell<Hooks>>,
}

#[derive(Debug, Default)]
struct Hooks {
    ran: Vec<WriteId>,
    inside: usize,
}

impl Side {
    /// Notes that an attempt begins.
    pub(super) fn begin(&self, log: &Log<'_>, number: u64) {
        self.settle();
        self.notes.borrow_mut().push(Notes { drawn: log.drawn(), number, ..Notes::default() });
    }

    /// Notes what the last attempt left behind.
    pub(super) fn settle(&self) {
        let mut hooks = self.hooks.borrow_mut();
        if let Some(last) = self.notes.borrow_mut().last_mut() {
            last.ran.append(&mut hooks.ran);
            if std::mem::take(&mut hooks.inside) > 0 {
                last.faults.push("a hook ran inside a transaction".to_string());
            }
        }
    }

    pub(super) fn attempts(&self) -> usize {
        self.notes.borrow().len()
    }

    pub(super) fn into_notes(self) -> Vec<Notes> {
        self.settle();
        self.notes.into_inner()
    }

    fn edit(&self, edit: impl FnOnce(&mut Notes)) {
        if let Some(last) = self.notes.borrow_mut().last_mut() {
            edit(last);
        }
    }
}

/// The body of one attempt.
pub(super) struct Body<'a, 'log, 'tx> {
    world: &'a World,
    log: &'a Log<'log>,
    side: &'a Side,
    transaction: &'a Transaction,
    /// Values that were lent, and what they said.
    lent: RefCell<Vec<(&'tx dyn Look, WriteId)>>,
    is_irrevocable: Cell<bool>,
}

impl<'a, 'log, 'tx> Body<'a, 'log, 'tx> {
    pub(super) fn new(world: &'a World, log: &'a Log<'log>, side: &'a Side, transaction: &'a Transaction) -> Self {
        let (lent, is_irrevocable) = (RefCell::default(), Cell::new(false));
        Self { world, log, side, transaction, lent, is_irrevocable }
    }

    pub(super) fn run(&self, tx: &mut Tx<'tx>) -> TryStm<Vec<WriteId>, Vec<WriteId>> {
        self.side.begin(self.log, tx.attempt());
        let result = self.ops(tx, &self.transaction.body, None);
        self.look_again();
        result
    }

    /// Looks once more at what was lent: it must be as it was for as long as the attempt goes on.
    fn look_again(&self) {
        for (value, id) in self.lent.borrow().iter() {
            let now = value.id();
            if now != *id {
                self.side.edit(|notes| notes.faults.push(format!("a lent value changed from #{id} to #{now}")));
            }
        }
    }

    /// Executes operations; returns what they saw. A retry is caught by another branch if there is one: then `caught` says
    /// whether the transaction was irrevocable when that branch began.
    fn ops(&self, tx: &mut Tx<'tx>, ops: &[Op], caught: Option<bool>) -> TryStm<Vec<WriteId>, Vec<WriteId>> {
        let mut seen = Vec::new();
        for op in ops {
            match op {
                Op::OrElse(first, second) => {
                    let caught_now = Some(self.is_irrevocable.get());
                    let first = |tx: &mut Tx<'tx>| self.ops(tx, first, caught_now);
                    seen.extend(self.log.or_else(tx, first, |tx| self.ops(tx, second, caught))?);
                }
                Op::Nested(part) => match self.log.nested(tx, |tx| self.ops(tx, part, caught))? {
                    Ok(part) => seen.extend(part),
                    Err(part) => seen.extend(part),
                },
                Op::Cancel => return Err(Cancel::new(seen)),
                Op::Await(cell) if self.may_retry(caught) => {
                    let id = self.read(tx, *cell)?;
                    self.log.check(tx, id != INITIAL)?;
                    seen.push(id);
                }
                Op::Retry if self.may_retry(caught) => {
                    self.world.anchor.read(tx)?;
                    self.log.retry::<()>(tx)?;
                }
                Op::Panic => self.panic(tx),
                _ => self.op(tx, op, &mut seen)?,
            }
        }
        Ok(seen)
    }

    fn may_retry(&self, caught: Option<bool>) -> bool {
        !self.is_irrevocable.get() || caught == Some(true)
    }

    fn panic(&self, tx: &Tx<'tx>) {
        self.log.note_read_version(tx);
        self.look_again();
        // Unlike `panic!`, it prints nothing.
        resume_unwind(Box::new(OnPurpose));
    }

    fn op(&self, tx: &mut Tx<'tx>, op: &Op, seen: &mut Vec<WriteId>) -> Stm<()> {
        match *op {
            Op::Read(cell) => seen.push(self.read(tx, cell)?),
            Op::ReadRef(cell) => {
                let (cell, var) = self.world.cell(cell);
                let value = var.read_ref(tx)?;
                let id = value.id();
                self.lent.borrow_mut().push((value, id));
                self.log.push(Event::Read(cell, id));
                seen.push(id);
            }
            Op::Write(cell) => self.write(tx, cell)?,
            Op::Modify(cell) => seen.push(self.modify(tx, cell)?),
            Op::Replace(cell) => {
                let (cell, var) = self.world.cell(cell);
                let id = self.log.next_id();
                seen.push(self.wrote(cell, var.replace(tx, id, &self.world.census)?, id));
            }
            Op::Exchange(one, two) => self.exchange(tx, one, two, seen)?,
            Op::Irrevocable => {
                tx.irrevocable()?;
                self.is_irrevocable.set(true);
            }
            Op::Escalate(cell) => {
                seen.push(self.read(tx, cell)?);
                if tx.attempt() <= LOSSES && may_have_rivals(self.transaction) {
                    self.world.write_elsewhere(cell, 0);
                }
                self.write(tx, cell)?;
            }
            Op::Rival(cell) => {
                if tx.attempt() == 1 && may_have_rivals(self.transaction) {
                    self.world.write_elsewhere(cell, RIVALS_KEPT);
                }
            }
            Op::AfterCommit => {
                let (_, hook) = self.hook();
                tx.after_commit(hook);
            }
            Op::AfterAbort => {
                let (id, hook) = self.hook();
                self.side.edit(|notes| notes.after_abort.push(id));
                tx.after_abort(hook);
            }
            Op::Fresh(kind) => self.fresh(tx, kind, seen)?,
            Op::Pause(rounds) if rounds > SPINS_MAX => thread::yield_now(),
            Op::Pause(rounds) => (0..rounds).for_each(|_| std::hint::spin_loop()),
            // Left out here, or executed by `ops`.
            Op::Await(_) | Op::Retry | Op::OrElse(..) | Op::Nested(_) | Op::Cancel | Op::Panic => {}
        }
        Ok(())
    }

    fn read(&self, tx: &mut Tx<'tx>, cell: usize) -> Stm<WriteId> {
        let (cell, var) = self.world.cell(cell);
        let id = var.read(tx)?;
        self.log.push(Event::Read(cell, id));
        Ok(id)
    }

    fn write(&self, tx: &mut Tx<'tx>, cell: usize) -> Stm<()> {
        let (cell, var) = self.world.cell(cell);
        let id = self.log.next_id();
        var.write(tx, id, &self.world.census)?;
        self.log.push(Event::Write(cell, id));
        Ok(())
    }

    fn modify(&self, tx: &mut Tx<'tx>, cell: usize) -> Stm<WriteId> {
        let (cell, var) = self.world.cell(cell);
        let id = self.log.next_id();
        Ok(self.wrote(cell, var.modify(tx, id)?, id))
    }

    fn wrote(&self, cell: usize, seen: WriteId, id: WriteId) -> WriteId {
        self.log.push(Event::Read(cell, seen));
        self.log.push(Event::Write(cell, id));
        seen
    }

    /// Exchanges two values, and then writes both cells, so that each value still belongs to one write of one cell.
    fn exchange(&self, tx: &mut Tx<'tx>, one: usize, two: usize, seen: &mut Vec<WriteId>) -> Stm<()> {
        let ((one, one_var), (two, two_var)) = (self.world.cell(one), self.world.cell(two));
        if one == two || !one_var.exchange(tx, two_var)? {
            return Ok(());
        }
        let (one_id, two_id) = (self.log.next_id(), self.log.next_id());
        let (from_two, from_one) = (one_var.modify(tx, one_id)?, two_var.modify(tx, two_id)?);
        seen.push(self.wrote(one, from_one, one_id));
        seen.push(self.wrote(two, from_two, two_id));
        Ok(())
    }

    /// A hook with an id; it owns a value, which must be dropped whether it runs or not.
    fn hook(&self) -> (WriteId, impl FnOnce() + 'static) {
        let id = self.log.next_id();
        let hooks = Rc::clone(&self.side.hooks);
        let owned: Counted = self.world.census.make(id);
        let hook = move || {
            let mut hooks = hooks.borrow_mut();
            hooks.inside += usize::from(is_running());
            hooks.ran.push(owned.value);
        };
        (id, hook)
    }

    fn fresh(&self, tx: &mut Tx<'tx>, kind: Kind, seen: &mut Vec<WriteId>) -> Stm<()> {
        let census = &self.world.census;
        let fresh = Var::new(kind, self.log.next_id(), census);
        seen.push(fresh.read(tx)?);
        fresh.write(tx, self.log.next_id(), census)?;
        let lent = fresh.read_ref(tx)?;
        self.lent.borrow_mut().push((lent, lent.id()));
        seen.push(fresh.modify(tx, self.log.next_id())?);
        drop(fresh);
        // May lie where the other one was.
        let other = Var::new(kind, self.log.next_id(), census);
        seen.push(other.replace(tx, self.log.next_id(), census)?);
        Ok(())
    }
}

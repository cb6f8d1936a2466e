//! Runs a program on cells and on an oracle, a plain list of numbers, and compares the two.
//!
//! # Invariants
//! * **O1** What a step reads is what the oracle holds.
//! * **O2** After every item, each cell holds what the oracle does.
//! * **O3** After every item and a `collect`, so many counted values are alive as there are in cells; in the end, none.
//! * **O4** The hooks that were registered and not undone have run, each once: those for a commit if there was one.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use optimist::{Cancel, Stm, TryError, TryStm, Tx, collect, snapshot, try_atomically};

use super::pool::{CELLS, OF_A_KIND, Pool, nothings};
use super::program::{Item, Place, Step};
use crate::counted::Census;

/// The payload of panics of programs.
#[derive(Debug)]
struct OnPurpose;

/// The error of a program that cancels.
#[derive(Debug)]
struct Cancelled;

/// Runs a program.
///
/// # Panics
/// When an invariant does not hold.
pub fn run(items: &[Item]) {
    let census = Census::new();
    let nothings_before = nothings();
    let mut state = State { pool: Pool::new(&census), numbers: vec![0; CELLS] };
    for (number, item) in items.iter().enumerate() {
        state.run(item);
        state.compare(number, item);
        collect();
        assert_eq!(census.alive(), state.counted(), "O3 after item {number}, {item:?}");
        assert_eq!(nothings() - nothings_before, OF_A_KIND as isize, "O3 after item {number}, {item:?}");
    }
    drop(state);
    collect();
    assert_eq!((census.alive(), nothings()), (0, nothings_before), "O3 in the end");
}

/// Cells, and what should be in them.
struct State {
    pool: Pool,
    numbers: Vec<u64>,
}

impl State {
    fn left_of(&self, place: Place, value: u8) -> u64 {
        self.pool.kind(place).left_of(value.into())
    }

    /// How many counted values there are: four in cells of their own, and those in cells in cells.
    fn counted(&self) -> isize {
        let inner = self.numbers[CELLS - OF_A_KIND..].iter().filter(|number| **number > 0).count();
        (OF_A_KIND + inner) as isize
    }

    fn compare(&self, number: usize, item: &Item) {
        for (place, expected) in self.numbers.iter().enumerate() {
            assert_eq!(self.pool.cell(place).load(), *expected, "O2: cell {place} after item {number}, {item:?}");
        }
    }

    fn set(&mut self, place: Place, value: u8) -> u64 {
        let left = self.left_of(place, value);
        std::mem::replace(&mut self.numbers[place], left)
    }

    fn run(&mut self, item: &Item) {
        match *item {
            Item::Transaction(ref steps) => self.transact(steps),
            Item::Load(place) => assert_eq!(self.pool.cell(place).load(), self.numbers[place], "O1"),
            Item::Store(place, value) => {
                self.pool.cell(place).store(value.into());
                self.set(place, value);
            }
            Item::Swap(place, value) => {
                let old = self.pool.cell(place).swap(value.into());
                assert_eq!(old, self.set(place, value), "O1: swap of cell {place}");
            }
            Item::Update(place, value) => {
                let old = self.pool.cell(place).update(value.into());
                assert_eq!(old, self.set(place, value), "O1: update of cell {place}");
            }
            Item::Snapshot => {
                let seen: Vec<u64> =
                    snapshot(|tx| (0..CELLS).map(|place| self.pool.cell(place).read_in_snapshot(tx)).collect());
                assert_eq!(seen, self.numbers, "O1: a snapshot");
            }
            Item::Clone(place) => self.pool.cell_mut(place).clone_handle(),
            Item::Drop(place) => self.pool.cell_mut(place).drop_handle(),
            Item::New(place, value) => {
                self.pool.cell_mut(place).renew(value.into());
                self.set(place, value);
            }
        }
    }

    fn transact(&mut self, steps: &[Step]) {
        let run = Run {
            pool: &self.pool,
            numbers: RefCell::default(),
            hooks: Cell::new(0),
            hooks_undone: Cell::new(0),
            ran: [Rc::default(), Rc::default()],
        };
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            try_atomically(|tx| {
                // An attempt may have to begin again to become irrevocable.
                run.numbers.replace(self.numbers.clone());
                run.ran.iter().for_each(|ran| ran.set(0));
                run.hooks.set(0);
                run.hooks_undone.set(0);
                run.steps(tx, steps)
            })
        }));
        let committed = match outcome {
            Ok(Ok(())) => true,
            Ok(Err(TryError::Cancelled(Cancelled))) => false,
            Ok(Err(TryError::Stopped(stopped))) => panic!("nothing stops it: {stopped}"),
            Err(payload) if payload.is::<OnPurpose>() => false,
            Err(payload) => resume_unwind(payload),
        };
        run.check_hooks(committed);
        let numbers = run.numbers.into_inner();
        if committed {
            self.numbers = numbers;
        }
    }
}

/// An attempt that runs.
struct Run<'a> {
    pool: &'a Pool,
    /// What the cells should hold in the eyes of the attempt.
    numbers: RefCell<Vec<u64>>,
    /// Pairs of hooks that were registered, and those of them that were undone with their part.
    hooks: Cell<u32>,
    hooks_undone: Cell<u32>,
    /// How many hooks have run, for commits and for aborts.
    ran: [Rc<Cell<u32>>; 2],
}

impl Run<'_> {
    fn check_hooks(&self, committed: bool) {
        let (all, undone) = (self.hooks.get(), self.hooks_undone.get());
        let expected = if committed { (all - undone, undone) } else { (0, all) };
        // One for an abort that was undone runs in any case.
        let ran = (self.ran[0].get(), self.ran[1].get());
        assert_eq!(ran, expected, "O4: hooks for commits and aborts");
    }

    fn steps(&self, tx: &mut Tx<'_>, steps: &[Step]) -> TryStm<(), Cancelled> {
        steps.iter().try_for_each(|step| self.step(tx, step))
    }

    fn step(&self, tx: &mut Tx<'_>, step: &Step) -> TryStm<(), Cancelled> {
        match *step {
            Step::Nested { ref part, undo } => {
                let undone = self.undone_unless(|| {
                    let outcome = tx.nested(|tx| {
                        self.steps(tx, part)?;
                        if undo { Err(Cancel::new(Cancelled)) } else { Ok(()) }
                    })?;
                    Ok::<_, Cancel<Cancelled>>(outcome.is_ok())
                })?;
                assert!(undone || !undo, "a part that cancels is undone");
            }
            Step::Caught(ref part) => self.catch(tx, part)?,
            Step::OrElse { ref first, retries, ref second } => self.or_else(tx, first, retries, second)?,
            Step::Cancel => return Err(Cancel::new(Cancelled)),
            Step::Panic => resume_unwind(Box::new(OnPurpose)),
            Step::Irrevocable => tx.irrevocable()?,
            Step::Hooks => {
                self.hooks.set(self.hooks.get() + 1);
                let [on_commit, on_abort] = self.ran.clone();
                tx.after_commit(move || on_commit.set(on_commit.get() + 1));
                tx.after_abort(move || on_abort.set(on_abort.get() + 1));
            }
            _ => self.use_cell(tx, step)?,
        }
        Ok(())
    }

    /// Runs `part`, and takes the oracle back unless it says true; says whether it did.
    fn undone_unless<E>(&self, part: impl FnOnce() -> Result<bool, E>) -> Result<bool, E> {
        let (numbers, hooks, undone) = (self.numbers.borrow().clone(), self.hooks.get(), self.hooks_undone.get());
        let is_kept = part()?;
        if !is_kept {
            self.numbers.replace(numbers);
            self.hooks_undone.set(undone + self.hooks.get() - hooks);
        }
        Ok(!is_kept)
    }

    /// A nested part that panics.
    fn catch(&self, tx: &mut Tx<'_>, part: &[Step]) -> TryStm<(), Cancelled> {
        self.undone_unless(|| {
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                tx.nested::<(), Cancelled>(|tx| {
                    self.steps(tx, part)?;
                    resume_unwind(Box::new(OnPurpose))
                })
            }));
            match outcome {
                // The part has cancelled before it came to panic.
                Ok(outcome) => outcome.map(|_| false),
                Err(payload) if payload.is::<OnPurpose>() => Ok(false),
                Err(payload) => resume_unwind(payload),
            }
        })?;
        Ok(())
    }

    fn or_else(&self, tx: &mut Tx<'_>, first: &[Step], retries: bool, second: &[Step]) -> TryStm<(), Cancelled> {
        let (numbers, hooks, undone) = (self.numbers.borrow().clone(), self.hooks.get(), self.hooks_undone.get());
        tx.or_else(
            |tx| {
                self.steps(tx, first)?;
                if retries { Ok(tx.retry()?) } else { Ok(()) }
            },
            |tx| {
                assert!(retries, "the second branch runs when the first one retries");
                self.numbers.replace(numbers);
                self.hooks_undone.set(undone + self.hooks.get() - hooks);
                self.steps(tx, second)
            },
        )
    }

    fn use_cell(&self, tx: &mut Tx<'_>, step: &Step) -> Stm<()> {
        match *step {
            Step::Read(place) => self.saw(place, self.pool.cell(place).read(tx)?, "read"),
            Step::ReadRef(place) => self.saw(place, self.pool.cell(place).read_ref(tx)?, "read in place"),
            Step::Write(place, value) => {
                self.pool.cell(place).write(tx, value.into())?;
                self.set(place, value);
            }
            Step::Modify(place, value) => {
                let old = self.pool.cell(place).modify(tx, value.into())?;
                self.saw(place, old, "modify");
                self.set(place, value);
            }
            Step::Replace(place, value) => {
                let old = self.pool.cell(place).replace(tx, value.into())?;
                self.saw(place, old, "replace");
                self.set(place, value);
            }
            Step::Exchange(one, two) => {
                let first_of_kind = one - one % OF_A_KIND;
                self.pool.kind(one).exchange(tx, one % OF_A_KIND, two % OF_A_KIND)?;
                self.numbers.borrow_mut().swap(one, first_of_kind + two % OF_A_KIND);
            }
            Step::WriteAll(value) => {
                for place in 0..CELLS {
                    self.pool.cell(place).write(tx, value.into())?;
                    self.set(place, value);
                }
            }
            Step::Temporary(value) => {
                let kind = self.pool.kind(usize::from(value) % CELLS);
                assert_eq!(kind.use_temporary(tx, value.into())?, kind.left_of(value.into()), "O1: a new cell");
            }
            _ => {
                for place in 0..CELLS {
                    self.saw(place, self.pool.cell(place).read_ref(tx)?, "read all");
                }
            }
        }
        Ok(())
    }

    fn saw(&self, place: Place, seen: u64, what: &str) {
        assert_eq!(seen, self.numbers.borrow()[place], "O1: {what} of cell {place}");
    }

    fn set(&self, place: Place, value: u8) {
        self.numbers.borrow_mut()[place] = self.pool.kind(place).left_of(value.into());
    }
}

//! Cells of every kind of value there is, behind one face: each holds a number, as far as its type can.

use std::cell::Cell;

use optimist::{ReadTx, Snapshot, Stm, TVar, Tx};

use crate::counted::{Census, Counted};

/// Kinds of values.
const KINDS: usize = 9;
/// Cells of each kind.
pub(super) const OF_A_KIND: usize = 4;
/// How many cells there are.
pub const CELLS: usize = KINDS * OF_A_KIND;

/// A value that stands for a number.
trait Content: Clone + Send + Sync + 'static {
    fn make(census: &Census, number: u64) -> Self;

    /// The number, or what is left of it.
    fn number(&self) -> u64;

    fn edit(&mut self, census: &Census, number: u64) {
        *self = Self::make(census, number);
    }
}

impl Content for u64 {
    fn make(_: &Census, number: u64) -> Self {
        number
    }

    fn number(&self) -> u64 {
        *self
    }
}

impl Content for bool {
    fn make(_: &Census, number: u64) -> Self {
        number % 2 == 1
    }

    fn number(&self) -> u64 {
        u64::from(*self)
    }
}

impl Content for Option<u32> {
    fn make(_: &Census, number: u64) -> Self {
        (number != 0).then_some(number as u32)
    }

    fn number(&self) -> u64 {
        self.map_or(0, u64::from)
    }
}

impl Content for String {
    fn make(_: &Census, number: u64) -> Self {
        number.to_string()
    }

    fn number(&self) -> u64 {
        self.parse().expect("it is a number")
    }
}

impl Content for Vec<u8> {
    fn make(_: &Census, number: u64) -> Self {
        vec![1; number as usize]
    }

    fn number(&self) -> u64 {
        self.iter().map(|one| u64::from(*one)).sum()
    }

    fn edit(&mut self, _: &Census, number: u64) {
        self.resize(number as usize, 1);
    }
}

/// A value that is aligned to more than any allocator does by itself.
#[derive(Clone)]
#[repr(align(128))]
struct Aligned(u8, u64);

impl Content for Aligned {
    fn make(_: &Census, number: u64) -> Self {
        Self(7, number)
    }

    fn number(&self) -> u64 {
        assert_eq!(std::ptr::from_ref(self).addr() % align_of::<Self>(), 0, "it lies where it must");
        assert_eq!(self.0, 7);
        self.1
    }
}

impl Content for Counted {
    fn make(census: &Census, number: u64) -> Self {
        census.make(number)
    }

    fn number(&self) -> u64 {
        self.value
    }

    fn edit(&mut self, _: &Census, number: u64) {
        self.value = number;
    }
}

thread_local! {
    static NOTHINGS: Cell<isize> = const { Cell::new(0) };
}

/// A value of no size that is counted.
struct Nothing;

impl Nothing {
    fn new() -> Self {
        NOTHINGS.set(NOTHINGS.get() + 1);
        Self
    }
}

impl Clone for Nothing {
    fn clone(&self) -> Self {
        Self::new()
    }
}

impl Drop for Nothing {
    fn drop(&mut self) {
        NOTHINGS.set(NOTHINGS.get() - 1);
    }
}

/// How many values of no size are alive, if all are dropped by the thread that made them.
pub(super) fn nothings() -> isize {
    NOTHINGS.get()
}

impl Content for Nothing {
    fn make(_: &Census, _: u64) -> Self {
        Self::new()
    }

    fn number(&self) -> u64 {
        0
    }
}

/// A cell in a cell; it is as large as a word, and has a `Drop`.
impl Content for Option<TVar<Counted>> {
    fn make(census: &Census, number: u64) -> Self {
        (!number.is_multiple_of(3)).then(|| TVar::new(census.make(number)))
    }

    fn number(&self) -> u64 {
        self.as_ref().map_or(0, |cell| cell.load().value)
    }
}

/// A cell of some kind.
pub(super) trait AnyCell {
    fn read(&self, tx: &mut Tx<'_>) -> Stm<u64>;
    fn read_ref(&self, tx: &mut Tx<'_>) -> Stm<u64>;
    fn read_in_snapshot(&self, snapshot: &mut Snapshot<'_>) -> Stm<u64>;
    fn write(&self, tx: &mut Tx<'_>, number: u64) -> Stm<()>;
    fn modify(&self, tx: &mut Tx<'_>, number: u64) -> Stm<u64>;
    fn replace(&self, tx: &mut Tx<'_>, number: u64) -> Stm<u64>;
    fn load(&self) -> u64;
    fn store(&self, number: u64);
    fn swap(&self, number: u64) -> u64;
    fn update(&self, number: u64) -> u64;
    fn clone_handle(&mut self);
    fn drop_handle(&mut self);
    /// Puts a new cell in place of this one.
    fn renew(&mut self, number: u64);
}

/// The cells of one kind.
pub(super) trait AnyKind {
    fn cell(&mut self, index: usize) -> &mut dyn AnyCell;
    fn peek(&self, index: usize) -> &dyn AnyCell;
    fn exchange(&self, tx: &mut Tx<'_>, one: usize, two: usize) -> Stm<()>;
    /// What is left of a number in such a cell.
    fn left_of(&self, number: u64) -> u64;
    /// Makes a cell inside a transaction, uses it, and drops it.
    fn use_temporary(&self, tx: &mut Tx<'_>, number: u64) -> Stm<u64>;
}

/// A cell with all its handles, of which the last is used.
struct Handles<T: Content> {
    handles: Vec<TVar<T>>,
    census: Census,
}

impl<T: Content> Handles<T> {
    fn new(census: &Census, number: u64) -> Self {
        Self { handles: vec![TVar::new(T::make(census, number))], census: census.clone() }
    }

    fn var(&self) -> &TVar<T> {
        self.handles.last().expect("one handle stays")
    }

    fn make(&self, number: u64) -> T {
        T::make(&self.census, number)
    }

    fn read_by<'tx>(&self, tx: &mut impl ReadTx<'tx>) -> Stm<u64> {
        Ok(self.var().read_ref(tx)?.number())
    }
}

impl<T: Content> AnyCell for Handles<T> {
    fn read(&self, tx: &mut Tx<'_>) -> Stm<u64> {
        Ok(self.var().read(tx)?.number())
    }

    fn read_ref(&self, tx: &mut Tx<'_>) -> Stm<u64> {
        self.read_by(tx)
    }

    fn read_in_snapshot(&self, snapshot: &mut Snapshot<'_>) -> Stm<u64> {
        self.read_by(snapshot)
    }

    fn write(&self, tx: &mut Tx<'_>, number: u64) -> Stm<()> {
        self.var().write(tx, self.make(number))
    }

    fn modify(&self, tx: &mut Tx<'_>, number: u64) -> Stm<u64> {
        self.var().modify(tx, |value| {
            let old = value.number();
            value.edit(&self.census, number);
            old
        })
    }

    fn replace(&self, tx: &mut Tx<'_>, number: u64) -> Stm<u64> {
        Ok(self.var().replace(tx, self.make(number))?.number())
    }

    fn load(&self) -> u64 {
        self.var().load().number()
    }

    fn store(&self, number: u64) {
        self.var().store(self.make(number));
    }

    fn swap(&self, number: u64) -> u64 {
        self.var().swap(self.make(number)).number()
    }

    fn update(&self, number: u64) -> u64 {
        self.var().update(|value| {
            let old = value.number();
            value.edit(&self.census, number);
            old
        })
    }

    fn clone_handle(&mut self) {
        let handle = self.var().clone();
        assert!(handle.ptr_eq(self.var()));
        self.handles.push(handle);
    }

    fn drop_handle(&mut self) {
        if self.handles.len() > 1 {
            self.handles.pop();
        }
    }

    fn renew(&mut self, number: u64) {
        self.handles = vec![TVar::new(self.make(number))];
    }
}

/// The cells of one kind.
struct Kind<T: Content> {
    cells: [Handles<T>; OF_A_KIND],
}

impl<T: Content> Kind<T> {
    fn boxed(census: &Census) -> Box<dyn AnyKind> {
        Box::new(Self { cells: std::array::from_fn(|_| Handles::new(census, 0)) })
    }
}

impl<T: Content> AnyKind for Kind<T> {
    fn cell(&mut self, index: usize) -> &mut dyn AnyCell {
        &mut self.cells[index]
    }

    fn peek(&self, index: usize) -> &dyn AnyCell {
        &self.cells[index]
    }

    fn exchange(&self, tx: &mut Tx<'_>, one: usize, two: usize) -> Stm<()> {
        self.cells[one].var().swap_with(tx, self.cells[two].var())
    }

    fn left_of(&self, number: u64) -> u64 {
        self.cells[0].make(number).number()
    }

    fn use_temporary(&self, tx: &mut Tx<'_>, number: u64) -> Stm<u64> {
        let cell = TVar::new(self.cells[0].make(0));
        cell.write(tx, self.cells[0].make(number))?;
        let other = TVar::new(self.cells[0].make(0));
        other.swap_with(tx, &cell)?;
        drop(cell);
        Ok(other.read_ref(tx)?.number())
    }
}

/// All cells.
pub(super) struct Pool {
    kinds: [Box<dyn AnyKind>; KINDS],
}

impl Pool {
    pub(super) fn new(census: &Census) -> Self {
        Self {
            kinds: [
                Kind::<u64>::boxed(census),
                Kind::<bool>::boxed(census),
                Kind::<Option<u32>>::boxed(census),
                Kind::<String>::boxed(census),
                Kind::<Vec<u8>>::boxed(census),
                Kind::<Aligned>::boxed(census),
                Kind::<Counted>::boxed(census),
                Kind::<Nothing>::boxed(census),
                Kind::<Option<TVar<Counted>>>::boxed(census),
            ],
        }
    }

    pub(super) fn kind(&self, place: usize) -> &dyn AnyKind {
        &*self.kinds[place / OF_A_KIND]
    }

    pub(super) fn cell(&self, place: usize) -> &dyn AnyCell {
        self.kind(place).peek(place % OF_A_KIND)
    }

    pub(super) fn cell_mut(&mut self, place: usize) -> &mut dyn AnyCell {
        self.kinds[place / OF_A_KIND].cell(place % OF_A_KIND)
    }
}

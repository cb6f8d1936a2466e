//! The cells of a program, and the values in them, which say which write they are of.
//!
//! Values that own memory count themselves, and are marked as alive: one that is looked at when it is dead, or only half
//! there, says [`TORN`], and one that is dropped twice is noticed.

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use optimist::{ReadTx, Stm, TVar, Tx};

use super::Kind;
use crate::counted::{Census, Counted};
use crate::history::{INITIAL, WriteId};

/// What a value says that is not whole.
pub const TORN: WriteId = WriteId::MAX;

const ALIVE: u64 = 0x00a1_17e0_0a11_7e00;
const DEAD: u64 = 0xdead_dead_dead_dead;

/// How many values were dropped that were not alive.
static DROPPED_DEAD: AtomicUsize = AtomicUsize::new(0);

/// How many values were dropped that were not alive, in the whole process.
#[must_use]
pub fn dropped_dead() -> usize {
    // Relaxed: looked at when the threads have been joined.
    DROPPED_DEAD.load(Ordering::Relaxed)
}

/// A value that tells which write it is of.
pub trait Look {
    /// The id of the write.
    fn id(&self) -> WriteId;
}

/// A value that a cell may hold.
pub trait Value: Look + Clone + Send + Sync + 'static {
    /// Makes the value of a write.
    fn make(id: WriteId, census: &Census) -> Self;

    /// Makes it the value of another write, in place.
    fn set(&mut self, id: WriteId);
}

impl Look for u64 {
    fn id(&self) -> WriteId {
        *self
    }
}

impl Value for u64 {
    fn make(id: WriteId, _: &Census) -> Self {
        id
    }

    fn set(&mut self, id: WriteId) {
        *self = id;
    }
}

/// Nothing stands for the initial value.
impl Look for Option<u32> {
    fn id(&self) -> WriteId {
        self.map_or(INITIAL, WriteId::from)
    }
}

impl Value for Option<u32> {
    fn make(id: WriteId, _: &Census) -> Self {
        let id = u32::try_from(id).expect("a program makes fewer than 2^32 writes");
        (u64::from(id) != INITIAL).then_some(id)
    }

    fn set(&mut self, id: WriteId) {
        *self = u32::try_from(id).ok();
    }
}

/// A value that is counted, and knows whether it is alive.
#[derive(Debug)]
pub struct Marked {
    counted: Counted,
    check: WriteId,
    mark: AtomicU64,
}

impl Marked {
    fn new(counted: Counted) -> Self {
        Self { check: !counted.value, counted, mark: AtomicU64::new(ALIVE) }
    }
}

impl Look for Marked {
    fn id(&self) -> WriteId {
        // Relaxed: only a broken runtime changes it while somebody looks.
        let is_alive = self.mark.load(Ordering::Relaxed) == ALIVE;
        if is_alive && self.check == !self.counted.value { self.counted.value } else { TORN }
    }
}

impl Clone for Marked {
    fn clone(&self) -> Self {
        let mut clone = Self::new(self.counted.clone());
        clone.check = self.check;
        clone
    }
}

impl Drop for Marked {
    fn drop(&mut self) {
        // Relaxed, twice: as in `id` and `dropped_dead`.
        if self.mark.swap(DEAD, Ordering::Relaxed) != ALIVE {
            DROPPED_DEAD.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// As large as a word, with something to drop.
#[derive(Clone, Debug)]
pub struct Link(Box<Marked>);

impl Look for Link {
    fn id(&self) -> WriteId {
        self.0.id()
    }
}

impl Value for Link {
    fn make(id: WriteId, census: &Census) -> Self {
        Self(Box::new(Marked::new(census.make(id))))
    }

    fn set(&mut self, id: WriteId) {
        (self.0.counted.value, self.0.check) = (id, !id);
    }
}

/// Larger than a word, with something to drop.
#[derive(Clone, Debug)]
pub struct Text {
    marked: Marked,
    text: String,
}

impl Look for Text {
    fn id(&self) -> WriteId {
        let id = self.marked.id();
        if self.text.parse() == Ok(id) { id } else { TORN }
    }
}

impl Value for Text {
    fn make(id: WriteId, census: &Census) -> Self {
        Self { marked: Marked::new(census.make(id)), text: id.to_string() }
    }

    fn set(&mut self, id: WriteId) {
        (self.marked.counted.value, self.marked.check) = (id, !id);
        self.text.clear();
        self.text.push_str(&id.to_string());
    }
}

/// A cell of any kind.
pub enum Var {
    /// In place.
    Bits(TVar<u64>),
    /// In a slot.
    Slot(TVar<Option<u32>>),
    /// In a slot that owns a box.
    Link(TVar<Link>),
    /// In a box.
    Boxed(TVar<Text>),
}

impl fmt::Debug for Var {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Var").field(&self.load()).finish()
    }
}

macro_rules! with {
    ($var:expr, $cell:ident => $do:expr) => {
        match $var {
            Var::Bits($cell) => $do,
            Var::Slot($cell) => $do,
            Var::Link($cell) => $do,
            Var::Boxed($cell) => $do,
        }
    };
}

fn set<T: Value>(value: &mut T, id: WriteId) -> WriteId {
    let before = value.id();
    value.set(id);
    before
}

fn look<'tx, T: Value>(cell: &TVar<T>, tx: &mut impl ReadTx<'tx>) -> Stm<&'tx dyn Look> {
    Ok(cell.read_ref(tx)?)
}

impl Var {
    /// Makes a cell with the value of a write.
    #[must_use]
    pub fn new(kind: Kind, id: WriteId, census: &Census) -> Self {
        match kind {
            Kind::Bits => Self::Bits(TVar::new(Value::make(id, census))),
            Kind::Slot => Self::Slot(TVar::new(Value::make(id, census))),
            Kind::Link => Self::Link(TVar::new(Value::make(id, census))),
            Kind::Boxed => Self::Boxed(TVar::new(Value::make(id, census))),
        }
    }

    /// Reads the cell by value.
    ///
    /// # Errors
    /// As [`TVar::read`].
    pub fn read<'tx>(&self, tx: &mut impl ReadTx<'tx>) -> Stm<WriteId> {
        with!(self, cell => cell.read(tx).map(|value| value.id()))
    }

    /// Reads the cell in place.
    ///
    /// # Errors
    /// As [`TVar::read_ref`].
    pub fn read_ref<'tx>(&self, tx: &mut impl ReadTx<'tx>) -> Stm<&'tx dyn Look> {
        with!(self, cell => look(cell, tx))
    }

    /// Writes the cell.
    ///
    /// # Errors
    /// As [`TVar::write`].
    pub fn write(&self, tx: &mut Tx<'_>, id: WriteId, census: &Census) -> Stm<()> {
        with!(self, cell => cell.write(tx, Value::make(id, census)))
    }

    /// Edits the cell, and returns whose value it was.
    ///
    /// # Errors
    /// As [`TVar::modify`].
    pub fn modify(&self, tx: &mut Tx<'_>, id: WriteId) -> Stm<WriteId> {
        with!(self, cell => cell.modify(tx, |value| set(value, id)))
    }

    /// Writes the cell, and returns whose value it was.
    ///
    /// # Errors
    /// As [`TVar::replace`].
    pub fn replace(&self, tx: &mut Tx<'_>, id: WriteId, census: &Census) -> Stm<WriteId> {
        with!(self, cell => cell.replace(tx, Value::make(id, census)).map(|value| value.id()))
    }

    /// Exchanges the values of two cells; false, with nothing done, if they are not of one kind.
    ///
    /// # Errors
    /// As [`TVar::swap_with`].
    pub fn exchange(&self, tx: &mut Tx<'_>, other: &Self) -> Stm<bool> {
        match (self, other) {
            (Self::Bits(one), Self::Bits(two)) => one.swap_with(tx, two),
            (Self::Slot(one), Self::Slot(two)) => one.swap_with(tx, two),
            (Self::Link(one), Self::Link(two)) => one.swap_with(tx, two),
            (Self::Boxed(one), Self::Boxed(two)) => one.swap_with(tx, two),
            _ => return Ok(false),
        }
        .map(|()| true)
    }

    /// Reads the cell outside of a transaction.
    #[must_use]
    pub fn load(&self) -> WriteId {
        with!(self, cell => cell.load().id())
    }

    /// Writes the cell outside of a transaction.
    pub fn store(&self, id: WriteId, census: &Census) {
        with!(self, cell => cell.store(Value::make(id, census)));
    }

    /// Writes the cell outside of a transaction, and returns whose value it was.
    pub fn swap(&self, id: WriteId, census: &Census) -> WriteId {
        with!(self, cell => cell.swap(Value::make(id, census)).id())
    }

    /// Edits the cell outside of a transaction, and returns whose value it was.
    pub fn update(&self, id: WriteId) -> WriteId {
        with!(self, cell => cell.update(|value| set(value, id)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_say_whose_they_are_until_they_are_torn() {
        let census = Census::new();
        let mut text = Text::make(7, &census);
        assert_eq!((text.id(), text.clone().id()), (7, 7));
        text.set(12);
        assert_eq!(text.id(), 12);
        text.text.push('0');
        assert_eq!(text.id(), TORN);
        let mut link = Link::make(7, &census);
        link.0.counted.value = 8;
        assert_eq!((link.id(), link.clone().id()), (TORN, TORN));
        link.set(9);
        assert_eq!(link.id(), 9);
        link.0.mark.store(DEAD, Ordering::Relaxed);
        assert_eq!(link.id(), TORN);
        link.0.mark.store(ALIVE, Ordering::Relaxed);
        drop((text, link));
        assert_eq!(census.alive(), 0);
    }

    #[test]
    fn a_slot_says_nothing_for_the_initial_value() {
        let census = Census::new();
        let mut slot = <Option<u32>>::make(INITIAL, &census);
        assert_eq!((slot, slot.id()), (None, INITIAL));
        slot.set(3);
        assert_eq!((slot, slot.id()), (Some(3), 3));
    }
}

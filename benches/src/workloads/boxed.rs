//! Values that are not words: texts, records of 96 bytes, vectors of 1,000 numbers.

use std::marker::PhantomData;

use rand::rngs::SmallRng;

use crate::boxed_value;
use crate::engine::{Abilities, Engine, Thread, Tx, Value, View};
use crate::workload::{Done, Workload, WrongAnswer, index};

const CELLS: usize = 1_024;

/// A value with a number in it that can be found again, and a second trace of it by which a torn value shows.
pub trait Content: Value {
    /// Makes one with this number.
    fn with(number: u64) -> Self;
    /// Adds one to the number, in both places.
    fn add_one(&mut self);
    /// The number, if the value is whole.
    fn number(&self) -> Option<u64>;
}

/// Twelve numbers.
#[derive(Clone, Debug)]
pub struct Record([u64; 12]);

boxed_value!(Record);

impl Content for Record {
    fn with(number: u64) -> Self {
        Self([number; 12])
    }

    #[inline]
    fn add_one(&mut self) {
        self.0[0] += 1;
        self.0[11] += 1;
    }

    #[inline]
    fn number(&self) -> Option<u64> {
        (self.0[0] == self.0[11]).then_some(self.0[0])
    }
}

impl Content for Vec<u64> {
    fn with(number: u64) -> Self {
        vec![number; 1_000]
    }

    #[inline]
    fn add_one(&mut self) {
        self[0] += 1;
        self[999] += 1;
    }

    #[inline]
    fn number(&self) -> Option<u64> {
        (self.len() == 1_000 && self[0] == self[999]).then_some(self[0])
    }
}

/// A text of two halves of 16 characters, each of which is a number in letters.
impl Content for String {
    fn with(number: u64) -> Self {
        format!("{number:016x}{number:016x}")
    }

    #[inline]
    fn add_one(&mut self) {
        let number = Content::number(self).map_or(u64::MAX, |number| number + 1);
        self.clear();
        for _ in 0..2 {
            for digit in (0..16).rev() {
                let digit = (number >> (4 * digit)) as u8 & 15;
                self.push(char::from(if digit < 10 { b'0' + digit } else { b'a' - 10 + digit }));
            }
        }
    }

    #[inline]
    fn number(&self) -> Option<u64> {
        let (one, other) = self.split_at_checked(16)?;
        (one == other).then(|| u64::from_str_radix(one, 16).ok())?
    }
}

/// Looks at a random value, or edits it.
#[derive(Debug)]
pub struct Boxed<T> {
    is_update: bool,
    value: PhantomData<fn() -> T>,
}

impl<T> Clone for Boxed<T> {
    fn clone(&self) -> Self {
        Self { is_update: self.is_update, value: PhantomData }
    }
}

impl<T> Boxed<T> {
    /// Looks at a random value, without a clone where the engine allows it.
    #[must_use]
    pub const fn read() -> Self {
        Self { is_update: false, value: PhantomData }
    }

    /// Edits a random value.
    #[must_use]
    pub const fn update() -> Self {
        Self { is_update: true, value: PhantomData }
    }
}

/// What a thread remembers.
#[derive(Debug)]
pub struct Seen {
    index: usize,
    torn: u64,
}

impl<T: Content> Workload for Boxed<T> {
    const NEEDS: Abilities = Abilities { boxes: true, ..Abilities::NONE };

    type Data<E: Engine> = Box<[E::Cell<T>]>;
    type Worker = Seen;
    type Account = u64;

    fn data<E: Engine>(&self, _threads: usize) -> Box<[E::Cell<T>]> {
        (0..CELLS as u64).map(|index| E::cell(T::with(index))).collect()
    }

    fn worker(&self, _thread: usize, _threads: usize) -> Seen {
        Seen { index: 0, torn: 0 }
    }

    #[inline]
    fn draw(&self, worker: &mut Seen, random: &mut SmallRng) {
        worker.index = index(random, CELLS);
    }

    #[inline]
    fn run<E: Engine>(&self, worker: &mut Seen, thread: &mut Thread<'_, E, Box<[E::Cell<T>]>>) -> Option<usize> {
        let at = worker.index;
        if self.is_update {
            thread.atomically_on(|locks, cells| locks.add(&cells[at]), |tx, cells| tx.modify(&cells[at], T::add_one));
        } else {
            let number =
                thread.snapshot_on(|locks, cells| locks.add(&cells[at]), |tx, cells| tx.look(&cells[at], T::number));
            worker.torn += u64::from(number.is_none());
        }
        Some(0)
    }

    fn check<E: Engine>(
        &self,
        added: &mut u64,
        thread: &mut Thread<'_, E, Box<[E::Cell<T>]>>,
        done: &[Done<Seen>],
    ) -> Result<(), WrongAnswer> {
        WrongAnswer::unless_equal("the torn values", 0, done.iter().map(|done| done.worker.torn).sum::<u64>())?;
        if self.is_update {
            *added += done.iter().map(Done::transactions).sum::<u64>();
        }
        let mut sum = 0;
        for at in 0..CELLS {
            let number =
                thread.snapshot_on(|locks, cells| locks.add(&cells[at]), |tx, cells| tx.look(&cells[at], T::number));
            WrongAnswer::unless("a value to be whole", number.is_some())?;
            sum += number.unwrap_or(0);
        }
        let first: u64 = (0..CELLS as u64).sum();
        WrongAnswer::unless_equal("the sum of all numbers", first + *added, sum)
    }
}

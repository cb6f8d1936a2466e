//! Words that are synchronised one by one: what a single access is measured against.
//!
//! Their transactions are not atomic, so they are only paired with workloads that do not ask for that.

use std::convert::Infallible;
use std::fmt;
use std::hint::spin_loop;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use super::{Abilities, Data, Engine, Plain, Tx, Value, View};

/// A word that threads may share.
pub trait Word: Send + Sync + fmt::Debug + 'static {
    /// Makes it.
    fn new(word: u64) -> Self;
    /// Reads it.
    fn load(&self) -> u64;
    /// Replaces it.
    fn store(&self, word: u64);
    /// Adds to it.
    fn add(&self, amount: u64);
}

/// Words of the kind `W`.
#[derive(Debug)]
pub struct Words<W>(PhantomData<W>);

/// `AtomicU64` words.
pub type Atomics = Words<AtomicWord>;
/// Words with a seqlock each.
pub type Seqlocks = Words<SeqlockWord>;

/// An `AtomicU64`.
#[derive(Debug)]
pub struct AtomicWord(AtomicU64);

impl Word for AtomicWord {
    fn new(word: u64) -> Self {
        Self(AtomicU64::new(word))
    }

    #[inline]
    fn load(&self) -> u64 {
        // Acquire: what a program needs that reads a word published by another thread, as the other engines give it.
        self.0.load(Ordering::Acquire)
    }

    #[inline]
    fn store(&self, word: u64) {
        // Release: publishes, as the other engines do.
        self.0.store(word, Ordering::Release);
    }

    #[inline]
    fn add(&self, amount: u64) {
        // AcqRel: orders like the lock or the commit of the other engines.
        self.0.fetch_add(amount, Ordering::AcqRel);
    }
}

/// A word with a sequence number, which is odd while somebody writes the word.
#[derive(Debug)]
pub struct SeqlockWord {
    sequence: AtomicU64,
    word: AtomicU64,
}

impl SeqlockWord {
    #[inline]
    fn write(&self, change: impl FnOnce(u64) -> u64) {
        let sequence = loop {
            // Relaxed: the exchange looks again.
            let sequence = self.sequence.load(Ordering::Relaxed);
            // Acquire: pairs with the release of the writer before.
            let locked =
                self.sequence.compare_exchange_weak(sequence & !1, sequence | 1, Ordering::Acquire, Ordering::Relaxed);
            if locked.is_ok() {
                break sequence;
            }
            spin_loop();
        };
        // Relaxed: only the holder writes.
        let word = change(self.word.load(Ordering::Relaxed));
        // Release: a reader that sees the word sees the odd number.
        self.word.store(word, Ordering::Release);
        // Release: a reader that sees this number sees the word.
        self.sequence.store(sequence + 2, Ordering::Release);
    }
}

impl Word for SeqlockWord {
    fn new(word: u64) -> Self {
        Self { sequence: AtomicU64::new(0), word: AtomicU64::new(word) }
    }

    #[inline]
    fn load(&self) -> u64 {
        loop {
            // Acquire: pairs with the release of the number.
            let before = self.sequence.load(Ordering::Acquire);
            // Relaxed: the fence below keeps it before the second look at the number.
            let word = self.word.load(Ordering::Relaxed);
            // Acquire: pairs with the release of the word, so that a newer word shows a newer number.
            fence(Ordering::Acquire);
            // Relaxed: the fence has ordered it.
            if before.is_multiple_of(2) && self.sequence.load(Ordering::Relaxed) == before {
                return word;
            }
            spin_loop();
        }
    }

    #[inline]
    fn store(&self, word: u64) {
        self.write(|_| word);
    }

    #[inline]
    fn add(&self, amount: u64) {
        self.write(|word| word + amount);
    }
}

/// A cell of [`Words`].
#[derive(Debug)]
pub struct Cell<T, W> {
    word: W,
    value: PhantomData<fn() -> T>,
}

/// The words one by one.
#[derive(Debug)]
pub struct OneByOne(());

impl<'tx, W: Word> View<'tx, Words<W>> for OneByOne {
    #[inline]
    fn read<T: Value>(&mut self, cell: &'tx Cell<T, W>) -> Result<T, Infallible> {
        Ok(T::Plain::value(cell.word.load()))
    }

    #[inline]
    fn look<T: Value, R>(&mut self, cell: &'tx Cell<T, W>, look: impl FnOnce(&T) -> R) -> Result<R, Infallible> {
        Ok(look(&T::Plain::value(cell.word.load())))
    }

    fn torn<R>(&mut self) -> Result<R, Infallible> {
        panic!("a word has a value that nobody has written")
    }
}

impl<'tx, W: Word> Tx<'tx, Words<W>> for OneByOne {
    #[inline]
    fn write<T: Value>(&mut self, cell: &'tx Cell<T, W>, value: T) -> Result<(), Infallible> {
        cell.word.store(T::Plain::word(value));
        Ok(())
    }

    #[inline]
    fn modify<T: Value, R>(
        &mut self,
        cell: &'tx Cell<T, W>,
        change: impl FnOnce(&mut T) -> R,
    ) -> Result<R, Infallible> {
        let mut value = T::Plain::value(cell.word.load());
        let result = change(&mut value);
        cell.word.store(T::Plain::word(value));
        Ok(result)
    }

    fn retry<R>(&mut self) -> Result<R, Infallible> {
        unreachable!("an engine is not paired with a workload that asks for more than it can do")
    }
}

impl<W: Word> Engine for Words<W> {
    const ABILITIES: Abilities = Abilities { threads: true, discovery: true, ..Abilities::NONE };

    type Cell<T: Value> = Cell<T, W>;
    type World<D: Data> = D;
    type Session<'w, D: Data> = &'w D;
    type Tx<'tx> = OneByOne;
    type View<'tx> = OneByOne;
    type Abort = Infallible;

    fn cell<T: Value>(value: T) -> Self::Cell<T> {
        Cell { word: W::new(T::Plain::word(value)), value: PhantomData }
    }

    fn world<D: Data>(data: D) -> D {
        data
    }

    fn enter<D: Data>(world: &D) -> &D {
        world
    }

    #[inline]
    fn atomically<D: Data, R>(
        session: &mut &D,
        body: impl for<'tx> Fn(&mut OneByOne, &'tx D) -> Result<R, Infallible>,
    ) -> R {
        let Ok(result) = body(&mut OneByOne(()), session);
        result
    }

    #[inline]
    fn snapshot<D: Data, R>(
        session: &mut &D,
        body: impl for<'tx> Fn(&mut OneByOne, &'tx D) -> Result<R, Infallible>,
    ) -> R {
        Self::atomically(session, body)
    }

    #[inline]
    fn load<D: Data>(session: &mut &D, pick: impl Fn(&D) -> &Self::Cell<u64>) -> u64 {
        pick(session).word.load()
    }

    #[inline]
    fn add<D: Data>(session: &mut &D, pick: impl Fn(&D) -> &Self::Cell<u64>, amount: u64) {
        pick(session).word.add(amount);
    }
}

//! Words without any synchronisation of many at once: what a transaction cannot be faster than.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Engine, Query, ReadWords, SingleWords, Snapshots, Transaction, Words};

/// Words that one thread uses as if they were plain.
///
/// They are atomics that are only ever loaded and stored relaxed, which are the instructions of plain words; so the
/// array can be shared with the measured thread without `unsafe`.
#[derive(Debug)]
pub struct Bare(Vec<AtomicU64>);

struct Plain<'a>(&'a [AtomicU64]);

impl ReadWords for Plain<'_> {
    type Abort = Infallible;

    #[inline]
    fn read(&mut self, index: usize) -> Result<u64, Infallible> {
        // Relaxed: one thread alone uses the words.
        Ok(self.0[index].load(Ordering::Relaxed))
    }
}

impl Words for Plain<'_> {
    #[inline]
    fn write(&mut self, index: usize, value: u64) -> Result<(), Infallible> {
        // Relaxed: one thread alone uses the words.
        self.0[index].store(value, Ordering::Relaxed);
        Ok(())
    }

    #[inline]
    fn add(&mut self, index: usize, amount: u64) -> Result<(), Infallible> {
        let value = self.read(index)?;
        self.write(index, value + amount)
    }
}

impl Engine for Bare {
    const IS_CONCURRENT: bool = false;

    fn new(count: usize, value: u64) -> Self {
        Self(atomics(count, value))
    }

    #[inline]
    fn run(&self, transaction: &impl Transaction) -> u64 {
        let Ok(result) = transaction.body(&mut Plain(&self.0));
        result
    }

    fn values(&self) -> Vec<u64> {
        loads(&self.0)
    }
}

impl Snapshots for Bare {
    #[inline]
    fn snapshot(&self, query: &impl Query) -> u64 {
        let Ok(result) = query.body(&mut Plain(&self.0));
        result
    }
}

/// Atomic words, which are synchronised one by one.
#[derive(Debug)]
pub struct Atomics(Vec<AtomicU64>);

impl Engine for Atomics {
    fn new(count: usize, value: u64) -> Self {
        Self(atomics(count, value))
    }

    /// Runs the transaction word by word; it is one only while a single thread runs.
    #[inline]
    fn run(&self, transaction: &impl Transaction) -> u64 {
        let Ok(result) = transaction.body(&mut Plain(&self.0));
        result
    }

    fn values(&self) -> Vec<u64> {
        loads(&self.0)
    }
}

impl SingleWords for Atomics {
    #[inline]
    fn load(&self, index: usize) -> u64 {
        // Acquire: what a program needs that reads a word published by another thread, as the other engines give it.
        self.0[index].load(Ordering::Acquire)
    }

    #[inline]
    fn increment(&self, index: usize) {
        // AcqRel: orders like the lock or the commit of the other engines.
        self.0[index].fetch_add(1, Ordering::AcqRel);
    }
}

fn atomics(count: usize, value: u64) -> Vec<AtomicU64> {
    (0..count).map(|_| AtomicU64::new(value)).collect()
}

fn loads(words: &[AtomicU64]) -> Vec<u64> {
    // Relaxed: the threads that used the words have been joined.
    words.iter().map(|word| word.load(Ordering::Relaxed)).collect()
}

//! One lock around everything, taken once for each transaction: what a program does under a GIL.

use std::convert::Infallible;

use parking_lot::Mutex;

use super::{Engine, Query, ReadWords, SingleWords, Snapshots, Transaction, Words};

/// Plain words behind one [`parking_lot::Mutex`].
#[derive(Debug)]
pub struct Locked(Mutex<Vec<u64>>);

struct Unlocked<'a>(&'a mut [u64]);

impl ReadWords for Unlocked<'_> {
    type Abort = Infallible;

    #[inline]
    fn read(&mut self, index: usize) -> Result<u64, Infallible> {
        Ok(self.0[index])
    }
}

impl Words for Unlocked<'_> {
    #[inline]
    fn write(&mut self, index: usize, value: u64) -> Result<(), Infallible> {
        self.0[index] = value;
        Ok(())
    }

    #[inline]
    fn add(&mut self, index: usize, amount: u64) -> Result<(), Infallible> {
        self.0[index] += amount;
        Ok(())
    }
}

impl Engine for Locked {
    fn new(count: usize, value: u64) -> Self {
        Self(Mutex::new(vec![value; count]))
    }

    #[inline]
    fn run(&self, transaction: &impl Transaction) -> u64 {
        let Ok(result) = transaction.body(&mut Unlocked(&mut self.0.lock()));
        result
    }

    fn values(&self) -> Vec<u64> {
        self.0.lock().clone()
    }
}

impl Snapshots for Locked {
    #[inline]
    fn snapshot(&self, query: &impl Query) -> u64 {
        let Ok(result) = query.body(&mut Unlocked(&mut self.0.lock()));
        result
    }
}

impl SingleWords for Locked {
    #[inline]
    fn load(&self, index: usize) -> u64 {
        self.0.lock()[index]
    }

    #[inline]
    fn increment(&self, index: usize) {
        self.0.lock()[index] += 1;
    }
}

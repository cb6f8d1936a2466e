//! Optimist, with a variable for each word, or with all cells in one allocation.

use optimist::{Abort, Shared, Snapshot, Stm, TCell, TVar, Tx, atomically, snapshot, stats};

use super::{Engine, Query, ReadWords, SingleWords, Snapshots, Transaction, Words};

/// A [`TVar`] for each word: what most users write.
#[derive(Debug)]
pub struct Variables(Vec<TVar<u64>>);

struct InVariables<'a, T> {
    variables: &'a [TVar<u64>],
    tx: &'a mut T,
}

impl<'tx> ReadWords for InVariables<'_, Tx<'tx>> {
    type Abort = Abort;

    #[inline]
    fn read(&mut self, index: usize) -> Stm<u64> {
        self.variables[index].read(self.tx)
    }
}

impl<'tx> ReadWords for InVariables<'_, Snapshot<'tx>> {
    type Abort = Abort;

    #[inline]
    fn read(&mut self, index: usize) -> Stm<u64> {
        self.variables[index].read(self.tx)
    }
}

impl<'tx> Words for InVariables<'_, Tx<'tx>> {
    #[inline]
    fn write(&mut self, index: usize, value: u64) -> Stm<()> {
        self.variables[index].write(self.tx, value)
    }

    #[inline]
    fn add(&mut self, index: usize, amount: u64) -> Stm<()> {
        self.variables[index].modify(self.tx, |value| *value += amount)
    }
}

impl Engine for Variables {
    fn new(count: usize, value: u64) -> Self {
        Self((0..count).map(|_| TVar::new(value)).collect())
    }

    #[inline]
    fn run(&self, transaction: &impl Transaction) -> u64 {
        atomically(|tx| transaction.body(&mut InVariables { variables: &self.0, tx }))
    }

    fn values(&self) -> Vec<u64> {
        self.0.iter().map(TVar::load).collect()
    }

    fn conflicts() -> Option<u64> {
        Some(stats().conflicts())
    }
}

impl Snapshots for Variables {
    #[inline]
    fn snapshot(&self, query: &impl Query) -> u64 {
        snapshot(|tx| query.body(&mut InVariables { variables: &self.0, tx }))
    }
}

impl SingleWords for Variables {
    #[inline]
    fn load(&self, index: usize) -> u64 {
        self.0[index].load()
    }

    #[inline]
    fn increment(&self, index: usize) {
        self.0[index].update(|value| *value += 1);
    }
}

/// [`TCell`]s side by side in one [`Shared`] slice: how a data structure keeps them.
#[derive(Debug)]
pub struct InlineCells(Shared<Box<[TCell<u64>]>>);

struct InCells<'a, 'tx, T> {
    cells: &'tx [TCell<u64>],
    tx: &'a mut T,
}

impl<'tx> ReadWords for InCells<'_, 'tx, Tx<'tx>> {
    type Abort = Abort;

    #[inline]
    fn read(&mut self, index: usize) -> Stm<u64> {
        self.cells[index].read(self.tx)
    }
}

impl<'tx> ReadWords for InCells<'_, 'tx, Snapshot<'tx>> {
    type Abort = Abort;

    #[inline]
    fn read(&mut self, index: usize) -> Stm<u64> {
        self.cells[index].read(self.tx)
    }
}

impl<'tx> Words for InCells<'_, 'tx, Tx<'tx>> {
    #[inline]
    fn write(&mut self, index: usize, value: u64) -> Stm<()> {
        self.cells[index].write(self.tx, value)
    }

    #[inline]
    fn add(&mut self, index: usize, amount: u64) -> Stm<()> {
        self.cells[index].modify(self.tx, |value| *value += amount)
    }
}

impl Engine for InlineCells {
    fn new(count: usize, value: u64) -> Self {
        Self(Shared::new((0..count).map(|_| TCell::new(value)).collect()))
    }

    #[inline]
    fn run(&self, transaction: &impl Transaction) -> u64 {
        atomically(|tx| transaction.body(&mut InCells { cells: self.0.get(tx), tx }))
    }

    fn values(&self) -> Vec<u64> {
        self.0.iter().map(TCell::load).collect()
    }

    fn conflicts() -> Option<u64> {
        Some(stats().conflicts())
    }
}

impl Snapshots for InlineCells {
    #[inline]
    fn snapshot(&self, query: &impl Query) -> u64 {
        snapshot(|tx| query.body(&mut InCells { cells: self.0.get(tx), tx }))
    }
}

impl SingleWords for InlineCells {
    #[inline]
    fn load(&self, index: usize) -> u64 {
        self.0[index].load()
    }

    #[inline]
    fn increment(&self, index: usize) {
        self.0[index].update(|value| *value += 1);
    }
}

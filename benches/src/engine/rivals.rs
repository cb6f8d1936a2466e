//! Other STM crates, each with its `TVar`, its `atomically`, and the methods that its documentation recommends.

use super::{Engine, ReadWords, Transaction, Words};

/// Words in variables of `fast-stm`.
pub struct FastStm(Vec<fast_stm::TVar<u64>>);

impl std::fmt::Debug for FastStm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FastStm").finish_non_exhaustive()
    }
}

struct InFastStm<'a> {
    variables: &'a [fast_stm::TVar<u64>],
    tx: &'a mut fast_stm::Transaction,
}

impl ReadWords for InFastStm<'_> {
    type Abort = fast_stm::StmError;

    #[inline]
    fn read(&mut self, index: usize) -> Result<u64, Self::Abort> {
        self.variables[index].read(self.tx)
    }
}

impl Words for InFastStm<'_> {
    #[inline]
    fn write(&mut self, index: usize, value: u64) -> Result<(), Self::Abort> {
        self.variables[index].write(self.tx, value)
    }

    #[inline]
    fn add(&mut self, index: usize, amount: u64) -> Result<(), Self::Abort> {
        self.variables[index].modify(self.tx, |value| value + amount)
    }
}

impl Engine for FastStm {
    fn new(count: usize, value: u64) -> Self {
        Self((0..count).map(|_| fast_stm::TVar::new(value)).collect())
    }

    #[inline]
    fn run(&self, transaction: &impl Transaction) -> u64 {
        fast_stm::atomically(|tx| transaction.body(&mut InFastStm { variables: &self.0, tx }))
    }

    fn values(&self) -> Vec<u64> {
        self.0.iter().map(fast_stm::TVar::read_atomic).collect()
    }
}

/// Words in variables of `stm-core`.
pub struct StmCore(Vec<stm_core::TVar<u64>>);

impl std::fmt::Debug for StmCore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StmCore").finish_non_exhaustive()
    }
}

struct InStmCore<'a> {
    variables: &'a [stm_core::TVar<u64>],
    tx: &'a mut stm_core::Transaction,
}

impl ReadWords for InStmCore<'_> {
    type Abort = stm_core::StmError;

    #[inline]
    fn read(&mut self, index: usize) -> Result<u64, Self::Abort> {
        self.variables[index].read(self.tx)
    }
}

impl Words for InStmCore<'_> {
    #[inline]
    fn write(&mut self, index: usize, value: u64) -> Result<(), Self::Abort> {
        self.variables[index].write(self.tx, value)
    }

    #[inline]
    fn add(&mut self, index: usize, amount: u64) -> Result<(), Self::Abort> {
        self.variables[index].modify(self.tx, |value| value + amount)
    }
}

impl Engine for StmCore {
    fn new(count: usize, value: u64) -> Self {
        Self((0..count).map(|_| stm_core::TVar::new(value)).collect())
    }

    #[inline]
    fn run(&self, transaction: &impl Transaction) -> u64 {
        stm_core::atomically(|tx| transaction.body(&mut InStmCore { variables: &self.0, tx }))
    }

    fn values(&self) -> Vec<u64> {
        self.0.iter().map(stm_core::TVar::read_atomic).collect()
    }
}

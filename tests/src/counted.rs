//! Values that count how many of them there are.

use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering};

/// How many values of one census were made, and how many are left.
#[derive(Clone, Debug, Default)]
pub struct Census(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    made: AtomicUsize,
    alive: AtomicIsize,
}

impl Census {
    /// Makes an empty census.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a value that is counted here.
    #[must_use]
    pub fn make(&self, value: u64) -> Counted {
        // Relaxed, twice: the tests join the threads before they look at the counts.
        self.0.made.fetch_add(1, Ordering::Relaxed);
        self.0.alive.fetch_add(1, Ordering::Relaxed);
        Counted { value, census: self.clone() }
    }

    /// How many values were made, clones among them.
    #[must_use]
    pub fn made(&self) -> usize {
        // Relaxed: see `make`.
        self.0.made.load(Ordering::Relaxed)
    }

    /// How many values have not been dropped yet; negative if some were dropped twice.
    #[must_use]
    pub fn alive(&self) -> isize {
        // Relaxed: see `make`.
        self.0.alive.load(Ordering::Relaxed)
    }
}

/// A value that is counted when it is made, cloned or dropped.
#[derive(Debug)]
pub struct Counted {
    /// What it stands for.
    pub value: u64,
    census: Census,
}

impl Clone for Counted {
    fn clone(&self) -> Self {
        self.census.make(self.value)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        // Relaxed: see `Census::make`.
        self.census.0.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

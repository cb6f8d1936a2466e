//! Backoff: how long a transaction that lost waits before it runs again.
//!
//! Randomised and exponential, so that those who collided do not collide again in step; first by spinning for less
//! than a time slice, then by giving the time slice away. It never sleeps: who keeps losing is escalated.

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::sync::{IS_MODEL, spin_loop, yield_now};

/// The state of one transaction's backoff.
#[derive(Debug)]
pub(crate) struct Backoff {
    random: SmallRng,
    losses: u32,
}

impl Backoff {
    /// Losses after which the time slice is given away rather than spun through.
    const YIELD_AFTER: u32 = if IS_MODEL { 0 } else { 3 };
    const SPINS_FIRST: u32 = 32;

    pub(crate) fn new(seed: u64) -> Self {
        Self { random: SmallRng::seed_from_u64(seed), losses: 0 }
    }

    /// Waits a random while.
    pub(crate) fn wait(&mut self) {
        self.losses += 1;
        if self.losses > Self::YIELD_AFTER {
            yield_now();
        }
        if IS_MODEL {
            return;
        }
        let most = Self::SPINS_FIRST << self.losses.min(5);
        for _ in 0..self.random.random_range(0..most) {
            spin_loop();
        }
    }
}

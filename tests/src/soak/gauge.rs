//! What is measured of a soak while it goes on.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Counts deeds and takes the longest times since somebody last asked.
#[derive(Debug, Default)]
pub struct Gauge {
    deeds: AtomicU64,
    longest_attempt: AtomicU64,
    longest_transaction: AtomicU64,
}

impl Gauge {
    /// Makes a gauge that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many deeds were done.
    #[must_use]
    pub fn deeds(&self) -> u64 {
        // Relaxed, here and below: these are measurements, on which nothing depends.
        self.deeds.load(Ordering::Relaxed)
    }

    /// The longest attempt and the longest transaction since the last call.
    pub fn take_longest(&self) -> (Duration, Duration) {
        let take = |longest: &AtomicU64| Duration::from_nanos(longest.swap(0, Ordering::Relaxed));
        (take(&self.longest_attempt), take(&self.longest_transaction))
    }

    /// Measures one attempt, from now until the result is dropped.
    pub(super) fn attempt(&self) -> Stopwatch<'_> {
        Stopwatch { longest: &self.longest_attempt, start: Instant::now() }
    }

    /// Counts a deed and measures it, from now until the result is dropped.
    pub(super) fn deed(&self) -> Stopwatch<'_> {
        self.deeds.fetch_add(1, Ordering::Relaxed);
        Stopwatch { longest: &self.longest_transaction, start: Instant::now() }
    }
}

/// Takes a time.
pub(super) struct Stopwatch<'a> {
    longest: &'a AtomicU64,
    start: Instant,
}

impl Drop for Stopwatch<'_> {
    fn drop(&mut self) {
        // Relaxed: as above.
        self.longest.fetch_max(self.start.elapsed().as_nanos() as u64, Ordering::Relaxed);
    }
}

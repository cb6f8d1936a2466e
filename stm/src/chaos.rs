//! Chaos points: random pauses at the steps of the protocols, for tests alone.
//!
//! Many faults show only when a thread is stopped between two particular instructions. With `--cfg optimist_chaos` a
//! thread sometimes pauses at each [`point`], by spinning, by giving its time slice away, or, rarely, by sleeping for
//! longer than another thread's whole transaction takes. That makes such moments thousands of times more likely. Without
//! it a point is nothing.
//!
//! ```text
//! RUSTFLAGS="--cfg optimist_chaos" CARGO_TARGET_DIR=target/chaos cargo test -p optimist-tests
//! ```
//!
//! `OPTIMIST_TEST_SEED` sets the seed of the pauses. Each thread has a sequence of its own: were they the same, the
//! threads would pause together.

/// A place where a thread may pause.
#[inline(always)]
pub(crate) fn point() {
    #[cfg(optimist_chaos)]
    pause();
}

#[cfg(optimist_chaos)]
fn pause() {
    use std::cell::RefCell;
    use std::time::Duration;

    use rand::rngs::SmallRng;
    use rand::{RngExt, SeedableRng};

    use crate::sync::{AtomicU64, Ordering};

    static THREADS: AtomicU64 = AtomicU64::new(0);

    fn sequence() -> SmallRng {
        let given = std::env::var("OPTIMIST_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed: u64 = given.unwrap_or_else(|| u64::from(std::process::id()));
        // Relaxed: a number of one's own is all that is asked for.
        SmallRng::seed_from_u64(seed ^ THREADS.fetch_add(1, Ordering::Relaxed) << 32)
    }

    thread_local! {
        static RANDOM: RefCell<SmallRng> = RefCell::new(sequence());
    }

    // While the thread is torn down there is no chaos.
    let choice = RANDOM.try_with(|random| random.borrow_mut().random_range(0..8192_u32)).unwrap_or(u32::MAX);
    match choice {
        0 => std::thread::sleep(Duration::from_micros(100)),
        1..12 => std::thread::yield_now(),
        12..256 => (0..choice).for_each(|_| std::hint::spin_loop()),
        _ => {}
    }
}

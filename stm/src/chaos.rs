//! Chaos points: random pauses at the steps of the protocols, for tests alone.
//!
//! Many faults show only when a thread is stopped between two particular instructions. With `--cfg optimist_chaos` a
//! thread sometimes pauses at each [`point`], by spinning or by giving its time slice away, which makes such moments
//! thousands of times more likely. Without it a point is nothing.
//!
//! ```text
//! RUSTFLAGS="--cfg optimist_chaos" CARGO_TARGET_DIR=target/chaos cargo test -p optimist-tests
//! ```

/// A place where a thread may pause.
#[inline(always)]
pub(crate) fn point() {
    #[cfg(optimist_chaos)]
    pause();
}

#[cfg(optimist_chaos)]
fn pause() {
    use std::cell::RefCell;

    use rand::rngs::SmallRng;
    use rand::{RngExt, SeedableRng};

    use crate::sync::{AtomicU64, Ordering};

    static THREADS: AtomicU64 = AtomicU64::new(0);

    // Each thread pauses differently, also where a test starts new ones again and again.
    fn seed() -> u64 {
        // Relaxed: a number of one's own is all that is asked for.
        u64::from(std::process::id()) << 32 ^ THREADS.fetch_add(1, Ordering::Relaxed)
    }

    thread_local! {
        static RANDOM: RefCell<SmallRng> = RefCell::new(SmallRng::seed_from_u64(seed()));
    }

    // While the thread is torn down there is no chaos.
    let choice = RANDOM.try_with(|random| random.borrow_mut().random_range(0..256_u32)).unwrap_or(u32::MAX);
    match choice {
        0 => std::thread::yield_now(),
        1..8 => (0..choice * 50).for_each(|_| std::hint::spin_loop()),
        _ => {}
    }
}

//! Threads that go through rounds in step, so that their steps of one round overlap.
//!
//! # Protocol
//! 1. A thread arrives, and begins a round when all have arrived for it. So a round begins when the one before is over.
//! 2. It leaves the outcome of its step in a place of its own, of which there are two, used by turns.
//! 3. The first thread, before it arrives for round *n* + 2, looks at the outcomes of round *n*: all have arrived for
//!    round *n* + 1, so they are there, and nobody writes there before it arrives.

use std::hint::spin_loop;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use rand::RngExt;

use super::{OnPanic, Run, Turn, on_threads};

/// Where threads meet.
struct Meeting {
    threads: u64,
    arrived: AtomicU64,
    /// The round that is not begun any more.
    end: AtomicU64,
    failed: AtomicBool,
}

impl Meeting {
    /// Waits for the others; false if it is over.
    fn begins(&self, round: u64) -> bool {
        // SeqCst, everywhere: what is quick does not matter here, and what is ordered shall be plain.
        self.arrived.fetch_add(1, Ordering::SeqCst);
        let mut spins = 0;
        while self.arrived.load(Ordering::SeqCst) < self.threads * (round + 1) {
            if self.failed.load(Ordering::SeqCst) {
                return false;
            }
            spins += 1;
            if spins > 200 {
                thread::yield_now();
            }
        }
        round < self.end.load(Ordering::SeqCst)
    }
}

impl Run {
    /// Repeats `step` in `N` threads, in step, for the time of the run; `check` is given each round and the
    /// outcomes of its steps.
    ///
    /// # Panics
    /// When a step or the check panics.
    pub fn in_step<const N: usize, R: Send>(
        &self,
        step: impl Fn(&mut Turn<'_>) -> R + Sync,
        check: impl Fn(u64, [R; N]) + Sync,
    ) {
        let (zero, never) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
        let meeting = Meeting { threads: N as u64, arrived: zero, end: never, failed: AtomicBool::new(false) };
        let places: [[Mutex<Option<R>>; N]; 2] = std::array::from_fn(|_| std::array::from_fn(|_| Mutex::new(None)));
        let place = |thread: usize, round: u64| &places[round as usize % 2][thread];
        let take = |thread, round| place(thread, round).lock().expect("nobody panics there").take();
        let check_round = |round| {
            check(round, std::array::from_fn(|thread| take(thread, round).expect("every thread left its outcome")));
        };
        let start = Instant::now();
        on_threads(N, |thread| {
            let _failed = OnPanic(|| meeting.failed.store(true, Ordering::SeqCst));
            let mut random = self.random(thread);
            for round in 0.. {
                if thread == 0 {
                    if round >= 2 {
                        check_round(round - 2);
                    }
                    if round > 0 && start.elapsed() >= self.time {
                        meeting.end.store(round, Ordering::SeqCst);
                    }
                }
                if !meeting.begins(round) {
                    break;
                }
                self.begin_round(thread, round);
                // Who begins first shall not always be the same.
                (0..random.random_range(0..60_u32)).for_each(|_| spin_loop());
                let outcome = step(&mut Turn { thread, round, random: &mut random });
                *place(thread, round).lock().expect("nobody panics there") = Some(outcome);
            }
        });
        // The round before the last was looked at before the last would have begun.
        let end = meeting.end.into_inner();
        check_round(end - 1);
    }
}

//! Starvation and live-lock: everybody gets on, and nobody waits for long, in the shapes where other runtimes stop.
//!
//! Method: the longest that one transaction took is bounded by what only starvation explains; how the times are
//! distributed is printed.
#![forbid(unsafe_code)]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use optimist::{Cancel, Stm, TVar, atomically, snapshot, try_atomically};
use optimist_tests::litmus::{Run, Turn, litmus, on_threads};
use optimist_tests::schedule::Over;

/// Nobody is kept waiting for so long but by starvation, also on a busy machine.
const STARVED: Duration = Duration::from_secs(10);

/// How long transactions took.
#[derive(Default)]
struct Latencies(Vec<Duration>);

impl Latencies {
    fn time<R>(&mut self, step: impl FnOnce() -> R) -> R {
        let start = Instant::now();
        let result = step();
        self.0.push(start.elapsed());
        result
    }

    fn of_all(threads: Vec<Self>) -> Self {
        Self(threads.into_iter().flat_map(|latencies| latencies.0).collect())
    }

    /// Prints how they are distributed.
    #[track_caller]
    fn assert_nobody_starved(mut self, what: &str) {
        self.0.sort_unstable();
        let last = self.0.len() - 1;
        let [half, most, nearly_all] = [500, 990, 999].map(|permille| self.0[last * permille / 1_000]);
        let longest = self.0[last];
        println!(
            "{what}: {} transactions, P50 {half:?}, P99 {most:?}, P99.9 {nearly_all:?}, longest {longest:?}",
            self.0.len()
        );
        assert!(longest < STARVED, "starvation: {what}: one transaction took {longest:?}, half of them {half:?}");
    }
}

#[test]
fn token_ring() {
    litmus(|run| {
        const PLACES: usize = 6;
        /// No token is there.
        const NONE: u64 = u64::MAX;
        /// Goes round once to end the game.
        const STOP: u64 = u64::MAX - 1;
        let ring: Vec<TVar<u64>> = (0..PLACES).map(|place| TVar::new(if place == 0 { 0 } else { NONE })).collect();
        let start = Instant::now();
        let hops = on_threads(PLACES, |me| {
            let mut hops = 0;
            loop {
                let (mine, next) = (&ring[me], &ring[(me + 1) % PLACES]);
                let token = atomically(|tx| {
                    let token = mine.replace(tx, NONE)?;
                    tx.check(token != NONE)?;
                    let is_over = token == STOP || me == 0 && start.elapsed() >= run.time();
                    let passed = if is_over { STOP } else { token + 1 };
                    assert_eq!(next.replace(tx, passed)?, NONE, "two tokens: the next place has one, too");
                    Ok(passed)
                });
                if token == STOP {
                    return hops;
                }
                hops += 1;
                assert_eq!((token - 1) % PLACES as u64, me as u64, "a token went astray");
            }
        });
        println!("{} hops", hops.iter().sum::<u64>());
        let left = ring.iter().filter(|place| place.load() != NONE).count();
        assert_eq!(left, 1, "one token is left, at the place of who stopped first");
        assert!(hops.iter().all(|own| own.abs_diff(hops[0]) <= 1), "all have passed it as often: {hops:?}");
    });
}

/// Elders run transactions on all cells beside threads that write single ones all the time.
fn elder(run: &Run, what: &str, one: impl Fn(&[TVar<u64>], &TVar<u64>) -> u64 + Sync) {
    const YOUNG: usize = 3;
    let cells: Vec<TVar<u64>> = (0..200).map(|_| TVar::new(0)).collect();
    let (written, over, young) = (TVar::new(0), Over::new(), AtomicU64::new(0));
    let latencies = on_threads(YOUNG + 1, |thread| {
        let mut latencies = Latencies::default();
        if thread > 0 {
            let mut random = run.random(thread);
            let mut turn = Turn { thread, round: 0, random: &mut random };
            while !over.is_raised() {
                let (from, to) = (turn.below(200), turn.below(200));
                atomically(|tx| {
                    cells[from].modify(tx, |value| *value = value.wrapping_sub(1))?;
                    cells[to].modify(tx, |value| *value = value.wrapping_add(1))
                });
                // Relaxed: it is only printed.
                young.fetch_add(1, Ordering::Relaxed);
            }
            return latencies;
        }
        let _over = over.guard();
        let start = Instant::now();
        while start.elapsed() < run.time() {
            let sum = latencies.time(|| one(&cells, &written));
            assert_eq!(sum, 0, "inconsistent sum: of {what}");
        }
        latencies
    });
    println!("{} young transactions", young.into_inner());
    Latencies::of_all(latencies).assert_nobody_starved(what);
}

fn sum(cells: &[TVar<u64>], tx: &mut optimist::Tx<'_>) -> Stm<u64> {
    cells.iter().try_fold(0_u64, |sum, cell| Ok(sum.wrapping_add(cell.read(tx)?)))
}

#[test]
fn starving_elder_that_writes() {
    litmus(|run| {
        elder(run, "elders that read 200 cells and write one", |cells, written| {
            atomically(|tx| {
                let sum = sum(cells, tx)?;
                thread::yield_now();
                written.modify(tx, |count| *count += 1)?;
                cells[0].modify(tx, |value| *value = value.wrapping_add(0))?;
                Ok(sum)
            })
        });
    });
}

#[test]
fn starving_elder_that_only_reads() {
    litmus(|run| {
        elder(run, "elders that read 200 cells", |cells, _| {
            let (sum, attempts) = atomically(|tx| {
                let first = sum(cells, tx)?;
                thread::yield_now();
                assert_eq!(sum(cells, tx)?, first, "inconsistent sum: the second time");
                Ok((first, tx.attempt()))
            });
            assert_eq!(attempts, 1, "a transaction that only reads was aborted");
            sum
        });
    });
}

/// Two threads of each pair take the counters of the pair in opposite order.
#[test]
fn tail_latency_of_opposite_orders() {
    const PAIRS: usize = 4;
    const COUNTERS: usize = 20;
    litmus(|run| {
        let counters: Vec<TVar<u64>> = (0..PAIRS * COUNTERS).map(|_| TVar::new(0)).collect();
        let start = Instant::now();
        let latencies = on_threads(2 * PAIRS, |thread| {
            let own = &counters[thread / 2 * COUNTERS..][..COUNTERS];
            let order: Vec<&TVar<u64>> =
                if thread % 2 == 0 { own.iter().collect() } else { own.iter().rev().collect() };
            let mut latencies = Latencies::default();
            while start.elapsed() < run.time() {
                latencies
                    .time(|| atomically(|tx| order.iter().try_for_each(|cell| cell.modify(tx, |count| *count += 1))));
            }
            latencies
        });
        for (pair, own) in counters.chunks(COUNTERS).enumerate() {
            let expected = (latencies[2 * pair].0.len() + latencies[2 * pair + 1].0.len()) as u64;
            let wrong = own.iter().position(|counter| counter.load() != expected);
            assert_eq!(wrong, None, "lost update: in this counter of pair {pair}, which should be {expected}");
        }
        Latencies::of_all(latencies).assert_nobody_starved("8 threads in pairs of opposite orders");
    });
}

/// Two transactions of thousands of cells each that meet in the middle, over and over.
#[test]
fn live_lock_of_large_transactions_in_opposite_order() {
    const CELLS: usize = 5_000;
    const ROUNDS: u64 = 6;
    litmus(|run| {
        let cells: Vec<TVar<u64>> = (0..CELLS).map(|_| TVar::new(0)).collect();
        let start = Instant::now();
        let latencies = on_threads(2, |thread| {
            let mut latencies = Latencies::default();
            let mut round = 0;
            while round < ROUNDS || start.elapsed() < run.time() {
                let is_blind = round % 3 == 2;
                latencies.time(|| {
                    atomically(|tx| {
                        for step in 0..CELLS {
                            let cell = &cells[if thread == 0 { step } else { CELLS - 1 - step }];
                            if is_blind {
                                let id = round << 1 | thread as u64;
                                cell.write(tx, id)?;
                            } else {
                                cell.modify(tx, |value| *value = value.wrapping_add(1))?;
                            }
                        }
                        Ok(())
                    });
                });
                round += 1;
            }
            latencies
        });
        let values = snapshot(|tx| cells.iter().map(|cell| cell.read(tx)).collect::<Stm<Vec<u64>>>());
        let other = values.iter().position(|value| *value != values[0]);
        assert_eq!(other, None, "half of a large transaction: cell 0 holds {}, and this one something else", values[0]);
        Latencies::of_all(latencies).assert_nobody_starved("two large transactions in opposite order");
    });
}

/// One of 25 threads fails in the middle of its transaction, which then has not happened.
#[test]
fn eleven_hundred_threads_of_which_some_fail() {
    const THREADS: usize = 1_100;
    const COUNTERS: usize = 5;
    litmus(|_| {
        let counters: Vec<TVar<u64>> = (0..COUNTERS).map(|_| TVar::new(0)).collect();
        let done = on_threads(THREADS, |thread| {
            let fails = thread % 25 == 24;
            let panics = thread % 50 == 49;
            let mut latencies = Latencies::default();
            let outcome = latencies.time(|| {
                catch_unwind(AssertUnwindSafe(|| {
                    try_atomically(|tx| {
                        for counter in 0..COUNTERS {
                            counters[(counter + thread) % COUNTERS].modify(tx, |count| *count += 1)?;
                            if panics && counter == 2 {
                                // Unlike `panic!`, it prints nothing.
                                resume_unwind(Box::new("on purpose"));
                            }
                        }
                        if fails { Err(Cancel::new(())) } else { Ok(()) }
                    })
                }))
            });
            let succeeded = matches!(outcome, Ok(Ok(())));
            assert_eq!(succeeded, !fails, "thread {thread}");
            (latencies, u64::from(succeeded))
        });
        let (latencies, succeeded): (Vec<Latencies>, Vec<u64>) = done.into_iter().unzip();
        let expected = succeeded.iter().sum::<u64>();
        assert_eq!(expected, (THREADS - THREADS / 25) as u64);
        for (place, counter) in counters.iter().enumerate() {
            assert_eq!(counter.load(), expected, "dirty write or lost update: counter {place}");
        }
        Latencies::of_all(latencies).assert_nobody_starved("1,100 threads");
    });
}

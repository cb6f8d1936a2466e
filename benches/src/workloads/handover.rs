//! Threads that wait for each other: a ring, dining philosophers, producers and consumers.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use hdrhistogram::Histogram;
use rand::rngs::SmallRng;

use crate::engine::{Abilities, Engine, Thread, Tx, View};
use crate::measure::nanoseconds;
use crate::workload::{Done, Workload, WrongAnswer};

const WAITING: Abilities = Abilities { boxes: false, threads: false, ..Abilities::ALL };

/// A token that goes round: each thread waits for it and passes it on.
#[derive(Clone, Copy, Debug)]
pub struct Ring;

/// The cells of a [`Ring`]. The token is a number, which counts how often it was passed on.
pub struct Seats<E: Engine> {
    seats: Box<[E::Cell<u64>]>,
    is_closed: E::Cell<bool>,
}

impl<E: Engine> std::fmt::Debug for Seats<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Seats").field(&self.seats.len()).finish()
    }
}

impl Workload for Ring {
    const NEEDS: Abilities = WAITING;
    const IS_FOR_THREADS: bool = true;
    const KINDS: &'static [&'static str] = &["hand-offs"];

    type Data<E: Engine> = Seats<E>;
    type Worker = usize;
    type Account = u64;

    fn data<E: Engine>(&self, threads: usize) -> Seats<E> {
        Seats { seats: (0..threads).map(|seat| E::cell(u64::from(seat == 0))).collect(), is_closed: E::cell(false) }
    }

    fn worker(&self, thread: usize, _threads: usize) -> usize {
        thread
    }

    fn batch(&self, _worker: &usize) -> u32 {
        1
    }

    fn draw(&self, _worker: &mut usize, _random: &mut SmallRng) {}

    fn run<E: Engine>(&self, seat: &mut usize, thread: &mut Thread<'_, E, Seats<E>>) -> Option<usize> {
        let seat = *seat;
        let passed = thread.atomically_or_wait(|tx, ring| {
            let token = tx.read(&ring.seats[seat])?;
            if token > 0 {
                tx.write(&ring.seats[seat], 0)?;
                tx.write(&ring.seats[(seat + 1) % ring.seats.len()], token + 1)?;
                return Ok(true);
            }
            if tx.read(&ring.is_closed)? { Ok(false) } else { tx.retry() }
        });
        passed.then_some(0)
    }

    fn release<E: Engine>(&self, thread: &mut Thread<'_, E, Seats<E>>) {
        thread.atomically_or_wait(|tx, ring| tx.write(&ring.is_closed, true));
    }

    fn check<E: Engine>(
        &self,
        passed: &mut u64,
        thread: &mut Thread<'_, E, Seats<E>>,
        done: &[Done<usize>],
    ) -> Result<(), WrongAnswer> {
        *passed += done.iter().map(Done::transactions).sum::<u64>();
        let token = thread.atomically(|tx, ring| {
            tx.write(&ring.is_closed, false)?;
            let mut sum = 0;
            for seat in &ring.seats {
                sum += tx.read(seat)?;
            }
            Ok(sum)
        });
        WrongAnswer::unless_equal("the count on the token", 1 + *passed, token)
    }
}

/// Philosophers at a round table, with a fork between each two.
#[derive(Clone, Copy, Debug)]
pub struct Dining;

/// The forks.
pub struct Table<E: Engine> {
    is_taken: Box<[E::Cell<bool>]>,
    is_closed: E::Cell<bool>,
    /// Set without transactions while somebody eats, to find out whether two have the same fork.
    in_hand: Box<[AtomicBool]>,
}

impl<E: Engine> std::fmt::Debug for Table<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table").field("in_hand", &self.in_hand).finish_non_exhaustive()
    }
}

/// What a philosopher remembers.
#[derive(Debug)]
pub struct Philosopher {
    forks: [usize; 2],
    shared_forks: u64,
}

impl Workload for Dining {
    const NEEDS: Abilities = WAITING;
    const IS_FOR_THREADS: bool = true;
    const KINDS: &'static [&'static str] = &["meals"];

    type Data<E: Engine> = Table<E>;
    type Worker = Philosopher;
    type Account = ();

    fn data<E: Engine>(&self, threads: usize) -> Table<E> {
        let forks = threads.max(2);
        Table {
            is_taken: (0..forks).map(|_| E::cell(false)).collect(),
            is_closed: E::cell(false),
            in_hand: (0..forks).map(|_| AtomicBool::new(false)).collect(),
        }
    }

    fn worker(&self, thread: usize, threads: usize) -> Philosopher {
        Philosopher { forks: [thread, (thread + 1) % threads.max(2)], shared_forks: 0 }
    }

    fn batch(&self, _worker: &Philosopher) -> u32 {
        1
    }

    fn draw(&self, _worker: &mut Philosopher, _random: &mut SmallRng) {}

    fn run<E: Engine>(&self, worker: &mut Philosopher, thread: &mut Thread<'_, E, Table<E>>) -> Option<usize> {
        let forks = worker.forks;
        let has_forks = thread.atomically_or_wait(|tx, table| {
            for fork in forks {
                if tx.read(&table.is_taken[fork])? {
                    return if tx.read(&table.is_closed)? { Ok(false) } else { tx.retry() };
                }
            }
            for fork in forks {
                tx.write(&table.is_taken[fork], true)?;
            }
            Ok(true)
        });
        if !has_forks {
            return None;
        }
        // The data is looked at through one more transaction, since only transactions get to see it.
        let shared = thread.snapshot(|_, table| {
            // Relaxed: the forks are handed over by transactions, which order this.
            let shared = forks.iter().filter(|&&fork| table.in_hand[fork].swap(true, Ordering::Relaxed)).count();
            (0..64).for_each(|_| spin_loop());
            // Relaxed: as above.
            forks.iter().for_each(|&fork| table.in_hand[fork].store(false, Ordering::Relaxed));
            Ok(shared)
        });
        worker.shared_forks += shared as u64;
        thread.atomically_or_wait(|tx, table| {
            for fork in forks {
                tx.write(&table.is_taken[fork], false)?;
            }
            Ok(())
        });
        Some(0)
    }

    fn release<E: Engine>(&self, thread: &mut Thread<'_, E, Table<E>>) {
        thread.atomically_or_wait(|tx, table| tx.write(&table.is_closed, true));
    }

    fn check<E: Engine>(
        &self,
        (): &mut (),
        thread: &mut Thread<'_, E, Table<E>>,
        done: &[Done<Philosopher>],
    ) -> Result<(), WrongAnswer> {
        let shared = done.iter().map(|done| done.worker.shared_forks).sum::<u64>();
        WrongAnswer::unless_equal("the forks that two had at once", 0, shared)?;
        let taken = thread.atomically(|tx, table| {
            tx.write(&table.is_closed, false)?;
            let mut taken = 0;
            for fork in &table.is_taken {
                taken += usize::from(tx.read(fork)?);
            }
            Ok(taken)
        });
        WrongAnswer::unless_equal("the forks that are still taken", 0, taken)
    }
}

/// Producers and consumers with a buffer of so many places between them.
#[derive(Clone, Copy, Debug)]
pub struct Buffer(pub usize);

/// The cells of a [`Buffer`].
pub struct Places<E: Engine> {
    places: Box<[E::Cell<u64>]>,
    /// How many items were taken.
    taken: E::Cell<u64>,
    /// How many items were put.
    put: E::Cell<u64>,
    is_closed: E::Cell<bool>,
    /// What times are counted from.
    start: Instant,
}

impl<E: Engine> std::fmt::Debug for Places<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Places").field(&self.places.len()).finish()
    }
}

/// What a thread remembers.
#[derive(Debug)]
pub struct Trader {
    is_producer: bool,
    /// A thread alone does both in turn.
    is_alone: bool,
    /// Of all items put, and less those taken.
    sum: u64,
    latencies: Histogram<u64>,
}

impl Buffer {
    fn put<E: Engine>(worker: &mut Trader, thread: &mut Thread<'_, E, Places<E>>) -> Option<usize> {
        let item = thread.atomically_or_wait(|tx, buffer| {
            let put = tx.read(&buffer.put)?;
            if put - tx.read(&buffer.taken)? == buffer.places.len() as u64 {
                return if tx.read(&buffer.is_closed)? { Ok(None) } else { tx.retry() };
            }
            // When it is put, so that a consumer knows how long ago that was.
            let item = u64::try_from(buffer.start.elapsed().as_nanos()).unwrap_or(u64::MAX);
            tx.write(&buffer.places[put as usize % buffer.places.len()], item)?;
            tx.write(&buffer.put, put + 1)?;
            Ok(Some(item))
        })?;
        worker.sum = worker.sum.wrapping_add(item);
        Some(1)
    }

    fn take<E: Engine>(worker: &mut Trader, thread: &mut Thread<'_, E, Places<E>>) -> Option<usize> {
        let (item, start) = thread.atomically_or_wait(|tx, buffer| {
            let taken = tx.read(&buffer.taken)?;
            if tx.read(&buffer.put)? == taken {
                return if tx.read(&buffer.is_closed)? { Ok(None) } else { tx.retry() };
            }
            let item = tx.read(&buffer.places[taken as usize % buffer.places.len()])?;
            tx.write(&buffer.taken, taken + 1)?;
            Ok(Some((item, buffer.start)))
        })?;
        worker.sum = worker.sum.wrapping_sub(item);
        let now = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        worker.latencies.saturating_record(now.saturating_sub(item));
        Some(0)
    }
}

impl Workload for Buffer {
    const NEEDS: Abilities = WAITING;
    const KINDS: &'static [&'static str] = &["hand-offs", "puts"];

    type Data<E: Engine> = Places<E>;
    type Worker = Trader;
    type Account = u64;

    fn data<E: Engine>(&self, _threads: usize) -> Places<E> {
        Places {
            places: (0..self.0).map(|_| E::cell(0)).collect(),
            taken: E::cell(0),
            put: E::cell(0),
            is_closed: E::cell(false),
            start: Instant::now(),
        }
    }

    fn worker(&self, thread: usize, threads: usize) -> Trader {
        Trader { is_producer: thread.is_multiple_of(2), is_alone: threads == 1, sum: 0, latencies: nanoseconds() }
    }

    fn batch(&self, _worker: &Trader) -> u32 {
        1
    }

    fn draw(&self, _worker: &mut Trader, _random: &mut SmallRng) {}

    fn run<E: Engine>(&self, worker: &mut Trader, thread: &mut Thread<'_, E, Places<E>>) -> Option<usize> {
        let done = if worker.is_producer { Self::put(worker, thread) } else { Self::take(worker, thread) };
        worker.is_producer ^= worker.is_alone;
        done
    }

    /// How long an item was under way.
    fn latencies(worker: &Trader, kind: usize) -> Option<&Histogram<u64>> {
        (kind == 0).then_some(&worker.latencies)
    }

    fn release<E: Engine>(&self, thread: &mut Thread<'_, E, Places<E>>) {
        thread.atomically_or_wait(|tx, buffer| tx.write(&buffer.is_closed, true));
    }

    fn check<E: Engine>(
        &self,
        sum: &mut u64,
        thread: &mut Thread<'_, E, Places<E>>,
        done: &[Done<Trader>],
    ) -> Result<(), WrongAnswer> {
        *sum = done.iter().fold(*sum, |sum, done| sum.wrapping_add(done.worker.sum));
        let left = thread.atomically(|tx, buffer| {
            tx.write(&buffer.is_closed, false)?;
            let mut left = 0_u64;
            for at in tx.read(&buffer.taken)?..tx.read(&buffer.put)? {
                left = left.wrapping_add(tx.read(&buffer.places[at as usize % buffer.places.len()])?);
            }
            Ok(left)
        });
        WrongAnswer::unless_equal("the sum of the items that were put and not taken", *sum, left)
    }
}

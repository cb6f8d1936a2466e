//! One thread whose transactions use very many cells, against threads that write some of them all the time.

use std::time::Duration;

use rand::rngs::SmallRng;

use crate::engine::{Abilities, Engine, Thread, Tx, View};
use crate::workload::{Done, Workload, WrongAnswer, index};

const VALUE: u64 = 1_000;

/// What the first thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It reads all cells.
    Reads,
    /// It reads all cells, and writes one of them.
    ReadsAndWrites,
    /// It reads all cells in a snapshot.
    Snapshots,
    /// Nothing, for comparison.
    Sleeps,
}

/// The workload.
#[derive(Clone, Copy, Debug)]
pub struct Elder {
    /// How many cells there are.
    pub cells: usize,
    /// What the first thread does.
    pub role: Role,
}

/// What a thread remembers.
#[derive(Debug)]
pub struct Member {
    is_elder: bool,
    from: usize,
    to: usize,
    wrong: u64,
}

type Cells<E> = Box<[<E as Engine>::Cell<u64>]>;

fn sum<'tx, E: Engine>(tx: &mut impl View<'tx, E>, cells: &'tx Cells<E>) -> Result<u64, E::Abort> {
    let mut sum = 0_u64;
    for cell in cells {
        sum = sum.wrapping_add(tx.read(cell)?);
    }
    Ok(sum)
}

impl Elder {
    fn look_at_all<E: Engine>(&self, thread: &mut Thread<'_, E, Cells<E>>, at: usize) -> u64 {
        match self.role {
            Role::Snapshots => thread.snapshot_on(
                |locks, cells| cells.iter().for_each(|cell| locks.add(cell)),
                |tx, cells| sum::<E>(tx, cells),
            ),
            _ => thread.atomically_on(
                |locks, cells| cells.iter().for_each(|cell| locks.add(cell)),
                |tx, cells| {
                    let sum = sum::<E>(tx, cells)?;
                    if self.role == Role::ReadsAndWrites {
                        // What it writes does not change the sum, but nobody can know that.
                        tx.modify(&cells[at], |value| *value = value.wrapping_add(0))?;
                    }
                    Ok(sum)
                },
            ),
        }
    }
}

impl Workload for Elder {
    const NEEDS: Abilities = Abilities { atomicity: true, ..Abilities::NONE };
    const KINDS: &'static [&'static str] = &["writes", "elder"];

    type Data<E: Engine> = Cells<E>;
    type Worker = Member;
    type Account = ();

    fn data<E: Engine>(&self, _threads: usize) -> Cells<E> {
        (0..self.cells).map(|_| E::cell(VALUE)).collect()
    }

    fn worker(&self, thread: usize, _threads: usize) -> Member {
        Member { is_elder: thread == 0, from: 0, to: 0, wrong: 0 }
    }

    fn batch(&self, worker: &Member) -> u32 {
        if worker.is_elder { 1 } else { 64 }
    }

    #[inline]
    fn draw(&self, worker: &mut Member, random: &mut SmallRng) {
        worker.from = index(random, self.cells);
        worker.to = index(random, self.cells);
    }

    #[inline]
    fn run<E: Engine>(&self, worker: &mut Member, thread: &mut Thread<'_, E, Cells<E>>) -> Option<usize> {
        if worker.is_elder {
            if self.role == Role::Sleeps {
                thread.blocking(|| std::thread::sleep(Duration::from_millis(1)));
            } else {
                let sum = self.look_at_all(thread, worker.from);
                worker.wrong += u64::from(sum != VALUE.wrapping_mul(self.cells as u64));
            }
            return Some(1);
        }
        let (from, to) = (worker.from, worker.to);
        thread.atomically_on(
            |locks, cells| {
                locks.add(&cells[from]);
                locks.add(&cells[to]);
            },
            |tx, cells| {
                tx.modify(&cells[from], |value| *value = value.wrapping_sub(1))?;
                tx.modify(&cells[to], |value| *value = value.wrapping_add(1))
            },
        );
        Some(0)
    }

    fn check<E: Engine>(
        &self,
        (): &mut (),
        thread: &mut Thread<'_, E, Cells<E>>,
        done: &[Done<Member>],
    ) -> Result<(), WrongAnswer> {
        WrongAnswer::unless_equal("the wrong sums", 0, done.iter().map(|done| done.worker.wrong).sum::<u64>())?;
        let sum = (0..self.cells).fold(0_u64, |sum, index| sum.wrapping_add(thread.load(|cells| &cells[index])));
        WrongAnswer::unless_equal("the sum of all cells", VALUE * self.cells as u64, sum)
    }
}

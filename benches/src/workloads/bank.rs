//! A bank: transfers between random accounts, and audits of all of them.

use rand::rngs::SmallRng;

use crate::engine::{Abilities, Engine, Thread, Tx, View};
use crate::workload::{Done, Workload, WrongAnswer, index};

const ACCOUNTS: usize = 1_024;
const BALANCE: i64 = 1_000;

/// So many of a hundred transactions are audits.
#[derive(Clone, Copy, Debug)]
pub struct Bank(pub usize);

/// What a thread remembers.
#[derive(Debug)]
pub struct Teller {
    from: usize,
    to: usize,
    is_audit: bool,
    wrong: u64,
}

fn audit<E: Engine>(thread: &mut Thread<'_, E, Box<[E::Cell<i64>]>>) -> i64 {
    thread.snapshot_on(
        |locks, accounts| accounts.iter().for_each(|account| locks.add(account)),
        |tx, accounts| {
            let mut sum = 0_i64;
            for account in accounts {
                sum = sum.wrapping_add(tx.read(account)?);
            }
            Ok(sum)
        },
    )
}

impl Workload for Bank {
    const NEEDS: Abilities = Abilities { atomicity: true, ..Abilities::NONE };
    const KINDS: &'static [&'static str] = &["transfers", "audits"];

    type Data<E: Engine> = Box<[E::Cell<i64>]>;
    type Worker = Teller;
    type Account = ();

    fn data<E: Engine>(&self, _threads: usize) -> Box<[E::Cell<i64>]> {
        (0..ACCOUNTS).map(|_| E::cell(BALANCE)).collect()
    }

    fn worker(&self, _thread: usize, _threads: usize) -> Teller {
        Teller { from: 0, to: 0, is_audit: false, wrong: 0 }
    }

    fn batch(&self, _worker: &Self::Worker) -> u32 {
        // Odd, so that the one that is timed of each batch is of each kind in turn.
        if self.0 == 0 { 63 } else { 7 }
    }

    #[inline]
    fn draw(&self, worker: &mut Teller, random: &mut SmallRng) {
        worker.from = index(random, ACCOUNTS);
        worker.to = index(random, ACCOUNTS);
        worker.is_audit = self.0 > 0 && index(random, 100) < self.0;
    }

    #[inline]
    fn run<E: Engine>(&self, worker: &mut Teller, thread: &mut Thread<'_, E, Box<[E::Cell<i64>]>>) -> Option<usize> {
        if worker.is_audit {
            worker.wrong += u64::from(audit(thread) != BALANCE * ACCOUNTS as i64);
            return Some(1);
        }
        let (from, to) = (worker.from, worker.to);
        thread.atomically_on(
            |locks, accounts| {
                locks.add(&accounts[from]);
                locks.add(&accounts[to]);
            },
            |tx, accounts| {
                tx.modify(&accounts[from], |balance| *balance -= 1)?;
                tx.modify(&accounts[to], |balance| *balance += 1)
            },
        );
        Some(0)
    }

    fn check<E: Engine>(
        &self,
        (): &mut (),
        thread: &mut Thread<'_, E, Box<[E::Cell<i64>]>>,
        done: &[Done<Teller>],
    ) -> Result<(), WrongAnswer> {
        WrongAnswer::unless_equal("the wrong audits", 0, done.iter().map(|done| done.worker.wrong).sum())?;
        WrongAnswer::unless_equal("the sum of all accounts", BALANCE * ACCOUNTS as i64, audit(thread))
    }
}

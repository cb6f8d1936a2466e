//! Vacation, of STAMP: a travel agency. Clients reserve cars, flights and rooms, customers are deleted, and the offers
//! change; all of this in four tables.
//!
//! Each transaction has `queries` parts, each about one of the ids of a share of the tables. A reservation looks for
//! the dearest offer of each kind among them, and reserves these for a customer. A deletion cancels what a customer
//! has reserved. An update adds to offers or takes away from them.

mod agency;

use rand::SeedableRng;
use rand::rngs::SmallRng;

use super::broken;
use crate::engine::{Abilities, Engine, Thread};
use crate::workload::{Part, Program, WrongAnswer, index};

pub use agency::Agency;
use agency::{KINDS, LOT, Reservation};

/// The program.
#[derive(Clone, Copy, Debug)]
pub struct Vacation {
    /// Parts of a transaction (`-n`).
    pub queries: usize,
    /// Which share of the ids is asked for, in percent (`-q`).
    pub share: usize,
    /// How many transactions are reservations, in percent (`-u`); the rest is half deletions, half updates.
    pub users: usize,
    /// Ids in each table (`-r`).
    pub relations: usize,
    /// Transactions (`-t`).
    pub transactions: usize,
}

impl Vacation {
    /// With low contention: `-n2 -q90 -u98 -r16384 -t4096`.
    #[must_use]
    pub const fn low() -> Self {
        Self { queries: 2, share: 90, users: 98, relations: 16_384, transactions: 4_096 }
    }

    /// With high contention: `-n4 -q60 -u90 -r16384 -t4096`.
    #[must_use]
    pub const fn high() -> Self {
        Self { queries: 4, share: 60, users: 90, ..Self::low() }
    }

    /// For real machines: `-r1048576 -t4194304`.
    #[must_use]
    pub const fn native(self) -> Self {
        Self { relations: 1_048_576, transactions: 4_194_304, ..self }
    }
}

/// The transactions, and the offers at first.
#[derive(Debug)]
pub struct Input {
    tasks: Vec<Task>,
    /// For each kind and id, how many there are and their price.
    offers: [Vec<(u32, u32)>; KINDS],
}

#[derive(Debug)]
enum Task {
    Reserve {
        customer: u64,
        queries: Vec<(usize, u64)>,
    },
    Delete {
        customer: u64,
    },
    /// For each kind and id the new price, or none to take a lot away.
    Update(Vec<(usize, u64, Option<u32>)>),
}

impl Vacation {
    fn task(&self, random: &mut SmallRng) -> Task {
        let range = (self.relations * self.share / 100).max(1);
        let action = index(random, 100);
        let customer = index(random, range) as u64;
        if action < self.users {
            let queries =
                (0..=index(random, self.queries)).map(|_| (index(random, KINDS), index(random, range) as u64));
            Task::Reserve { customer, queries: queries.collect() }
        } else if action.is_multiple_of(2) {
            Task::Delete { customer }
        } else {
            let change = |random: &mut SmallRng| {
                let price = (index(random, 2) == 0).then(|| index(random, 5) as u32 * 10 + 50);
                (index(random, KINDS), index(random, range) as u64, price)
            };
            Task::Update((0..=index(random, self.queries)).map(|_| change(random)).collect())
        }
    }
}

impl Program for Vacation {
    const NEEDS: Abilities = Abilities { atomicity: true, discovery: true, ..Abilities::NONE };

    type Input = Input;
    type Data<E: Engine> = Agency<E>;
    type Output = ();

    fn input(&self, seed: u64) -> Input {
        let mut random = SmallRng::seed_from_u64(seed);
        let mut offer = |_| (index(&mut random, 5) as u32 * LOT + LOT, index(&mut random, 5) as u32 * 10 + 50);
        let offers = std::array::from_fn(|_| (0..self.relations).map(&mut offer).collect());
        Input { tasks: (0..self.transactions).map(|_| self.task(&mut random)).collect(), offers }
    }

    fn data<E: Engine>(&self, input: &Input, threads: usize) -> Agency<E> {
        // A transaction reserves at most one offer of each kind.
        Agency::new(&input.offers, self.transactions * self.queries.min(KINDS), threads)
    }

    fn run<E: Engine>(&self, input: &Input, part: &Part<'_>, thread: &mut Thread<'_, E, Agency<E>>) {
        for task in &input.tasks[part.share(input.tasks.len())] {
            thread.atomically(|tx, agency| match task {
                Task::Reserve { customer, queries } => agency.reserve(tx, part.thread, *customer, queries),
                Task::Delete { customer } => agency.delete(tx, part.thread, *customer),
                Task::Update(changes) => {
                    for &(kind, id, price) in changes {
                        agency.offers[kind].update(tx, part.thread, id, price)?;
                    }
                    Ok(())
                }
            });
        }
    }

    /// What customers have reserved is what is used of each offer, and offers come and go by lots only.
    fn check<E: Engine>(
        &self,
        input: &Input,
        thread: &mut Thread<'_, E, Agency<E>>,
        _outputs: &[()],
    ) -> Result<u64, WrongAnswer> {
        let (offers, mut reserved) = thread.snapshot(|tx, agency| agency.all(tx)).map_err(broken)?;
        let mut expected: Vec<Reservation> = Vec::new();
        for (kind, id, used, free) in offers {
            WrongAnswer::unless_equal("the part of a lot that is offered", 0, (used + free) % LOT)?;
            expected.extend(std::iter::repeat_n((kind, id), used as usize));
        }
        reserved.sort_unstable();
        WrongAnswer::unless("whether what is used is what is reserved", expected == reserved)?;
        Ok(input.tasks.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::super::pool::NIL;
    use super::super::testing::{is_found, is_right_everywhere, notices_lost_writes};
    use super::*;
    use crate::engine::{Tx, View};

    const SMALL: Vacation = Vacation { relations: 64, transactions: 2_000, users: 60, ..Vacation::high() };

    #[test]
    fn every_engine_keeps_the_books() {
        is_right_everywhere(&SMALL, 2_000);
        is_right_everywhere(&Vacation::low(), 4_096);
    }

    #[test]
    fn a_lost_reservation_is_found() {
        is_found(
            &Vacation::low(),
            |thread, _| {
                thread.atomically(|tx, agency| {
                    let customers = agency.customers.all(tx)?.expect("the tree is sorted");
                    for (_, node) in customers {
                        if tx.read(agency.customers.value(node))? != NIL {
                            return tx.write(agency.customers.value(node), NIL);
                        }
                    }
                    unreachable!("somebody has a reservation")
                });
            },
            "reserved",
        );
    }

    /// The first reservation of a customer becomes the second one, too.
    #[test]
    fn a_reservation_made_twice_is_found() {
        is_found(&SMALL, |thread, _| thread.atomically(|tx, agency| agency.double(tx)), "sorted and distinct");
    }

    #[test]
    fn a_lost_offer_is_found() {
        is_found(
            &SMALL,
            |thread, _| {
                thread.atomically(|tx, agency| {
                    let all = agency.offers[1].ids.all(tx)?.expect("the tree is sorted");
                    tx.modify(&agency.offers[1].free[all[0].1 as usize], |free| *free += 1)
                });
            },
            "lot",
        );
    }

    #[test]
    fn lost_writes_are_found() {
        notices_lost_writes(&SMALL);
    }
}

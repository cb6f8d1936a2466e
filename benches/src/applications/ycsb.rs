//! YCSB: reads and updates of records of a table that are asked for by their keys, some much more often than others.
//!
//! A read reads all ten fields of a record, an update writes one of them; each field has 100 bytes. Workload A has as
//! many updates as reads, B one in 20, and C none. How often a record is asked for follows Zipf's law with exponent
//! 0.99, and the frequent ones are scattered over the table by a hash, as in the original.
//!
//! A field holds how often it was updated, which an update reads; in the original, an update only writes.

use std::collections::HashMap;

use rand::distr::Distribution;
use rand::rngs::SmallRng;
use rand_distr::Zipf;

use crate::boxed_value;
use crate::engine::{Abilities, Engine, Thread, Tx, View};
use crate::workload::{Done, Workload, WrongAnswer, index};

const FIELDS: usize = 10;
const SKEW: f64 = 0.99;

/// The workload.
#[derive(Clone, Copy, Debug)]
pub struct Ycsb {
    /// How many of a hundred transactions are updates.
    pub updates: usize,
    /// Records in the table.
    pub records: usize,
}

impl Ycsb {
    /// Half of the transactions update.
    pub const A: Self = Self { updates: 50, records: 1 << 16 };
    /// One of 20 transactions updates.
    pub const B: Self = Self { updates: 5, ..Self::A };
    /// No transaction updates.
    pub const C: Self = Self { updates: 0, ..Self::A };
}

/// A field of 100 bytes.
#[derive(Clone, Debug)]
pub struct Field {
    /// How often it was updated.
    updates: u32,
    /// As many as there is room for, all the same.
    bytes: [u8; 96],
}

const _: () = assert!(size_of::<Field>() == 100);

boxed_value!(Field);

impl Field {
    const fn new(updates: u32) -> Self {
        Self { updates, bytes: [Self::byte(updates); 96] }
    }

    const fn byte(updates: u32) -> u8 {
        updates as u8 ^ 0x5a
    }

    fn is_whole(&self) -> bool {
        self.bytes.iter().all(|&byte| byte == Self::byte(self.updates))
    }
}

/// The table.
pub struct Table<E: Engine> {
    /// Where the record of a key is. No record comes or goes.
    index: HashMap<u64, u32>,
    records: Box<[[E::Cell<Field>; FIELDS]]>,
}

debug_by_name!(Table);

impl<E: Engine> Table<E> {
    fn record(&self, key: u64) -> &[E::Cell<Field>; FIELDS] {
        &self.records[self.index[&key] as usize]
    }
}

/// What a thread remembers.
#[derive(Debug)]
pub struct Client {
    zipf: Zipf<f64>,
    key: u64,
    field: usize,
    is_update: bool,
    /// Reads of fields that were not as anybody has written them.
    wrong: u64,
}

/// The key of the record with this number: the FNV hash of its bytes, as in the original.
fn key(number: u64) -> u64 {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    number.to_le_bytes().into_iter().fold(0xcbf2_9ce4_8422_2325, mix)
}

impl Workload for Ycsb {
    const NEEDS: Abilities = Abilities { atomicity: true, boxes: true, ..Abilities::NONE };
    const KINDS: &'static [&'static str] = &["reads", "updates"];

    type Data<E: Engine> = Table<E>;
    type Worker = Client;
    /// Updates.
    type Account = u64;

    fn data<E: Engine>(&self, _threads: usize) -> Table<E> {
        let index: HashMap<u64, u32> = (0..self.records as u32).map(|number| (key(number.into()), number)).collect();
        assert_eq!(index.len(), self.records, "no two records have one key");
        let record = |_| std::array::from_fn(|_| E::cell(Field::new(0)));
        Table { index, records: (0..self.records).map(record).collect() }
    }

    fn worker(&self, _thread: usize, _threads: usize) -> Client {
        let zipf = Zipf::new(self.records as f64, SKEW).expect("there is a record, and the exponent is positive");
        Client { zipf, key: 0, field: 0, is_update: false, wrong: 0 }
    }

    #[inline]
    fn draw(&self, worker: &mut Client, random: &mut SmallRng) {
        let rank = worker.zipf.sample(random) as u64;
        worker.key = key(key(rank) % self.records as u64);
        worker.field = index(random, FIELDS);
        worker.is_update = index(random, 100) < self.updates;
    }

    #[inline]
    fn run<E: Engine>(&self, worker: &mut Client, thread: &mut Thread<'_, E, Table<E>>) -> Option<usize> {
        let (key, field) = (worker.key, worker.field);
        if worker.is_update {
            thread.atomically_on(
                |locks, table| locks.add(&table.record(key)[field]),
                |tx, table| tx.modify(&table.record(key)[field], |field| *field = Field::new(field.updates + 1)),
            );
            return Some(1);
        }
        worker.wrong += thread.snapshot_on(
            |locks, table| table.record(key).iter().for_each(|field| locks.add(field)),
            |tx, table| {
                let mut wrong = 0;
                for field in table.record(key) {
                    wrong += u64::from(!tx.look(field, Field::is_whole)?);
                }
                Ok(wrong)
            },
        );
        Some(0)
    }

    fn check<E: Engine>(
        &self,
        updates: &mut u64,
        thread: &mut Thread<'_, E, Table<E>>,
        done: &[Done<Client>],
    ) -> Result<(), WrongAnswer> {
        WrongAnswer::unless_equal(
            "the fields that were not whole",
            0,
            done.iter().map(|done| done.worker.wrong).sum(),
        )?;
        *updates += done.iter().map(|done| done.counts[1]).sum::<u64>();
        let mut found = 0;
        for number in 0..self.records {
            found += thread.snapshot_on(
                |locks, table| table.records[number].iter().for_each(|field| locks.add(field)),
                |tx, table| {
                    let mut found = 0;
                    for field in &table.records[number] {
                        found += u64::from(tx.look(field, |field| field.updates)?);
                    }
                    Ok(found)
                },
            );
        }
        WrongAnswer::unless_equal("the updates of all fields", *updates, found)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::run_workload;
    use super::*;
    use crate::engine::forgetful::Forgetful;
    use crate::engine::{Gil, GlobalMutex, InlineCells, ObjectLocks, StripedLocks, Variables};

    const SMALL: Ycsb = Ycsb { records: 256, ..Ycsb::A };
    const EACH: usize = 2_000;

    #[test]
    fn every_engine_keeps_the_records() {
        let done = [
            run_workload::<InlineCells, _>(&SMALL, EACH, |_, _| {}),
            run_workload::<Variables, _>(&SMALL, EACH, |_, _| {}),
            run_workload::<GlobalMutex, _>(&SMALL, EACH, |_, _| {}),
            run_workload::<Gil, _>(&SMALL, EACH, |_, _| {}),
            run_workload::<ObjectLocks, _>(&SMALL, EACH, |_, _| {}),
            run_workload::<StripedLocks, _>(&SMALL, EACH, |_, _| {}),
        ];
        for done in done {
            done.expect("the answer is right");
        }
    }

    #[test]
    fn the_shares_are_those_of_the_workloads() {
        for (workload, share) in [(Ycsb::A, 45..55), (Ycsb::B, 4..7), (Ycsb::C, 0..1)] {
            let small = Ycsb { records: 256, ..workload };
            let check = |done: &mut Vec<Done<Client>>| {
                let updates: u64 = done.iter().map(|done| done.counts[1]).sum();
                assert!(share.contains(&(updates * 100 / (2 * EACH as u64))), "{updates} updates");
            };
            run_workload::<GlobalMutex, _>(&small, EACH, |_, done| check(done)).expect("the answer is right");
        }
    }

    /// By Zipf's law, with 1,024 records the most frequent one has a share of 1 over the sum of all `rank^-0.99`.
    #[test]
    fn some_records_are_asked_for_more_often() {
        use rand::SeedableRng;
        const DRAWS: u32 = 200_000;
        let workload = Ycsb { records: 1_024, ..Ycsb::A };
        let mut client = workload.worker(0, 1);
        let mut random = SmallRng::seed_from_u64(1);
        let mut counts = HashMap::new();
        for _ in 0..DRAWS {
            workload.draw(&mut client, &mut random);
            *counts.entry(client.key).or_insert(0_u32) += 1;
        }
        let whole: f64 = (1..=1_024).map(|rank| f64::from(rank).powf(-SKEW)).sum();
        let most = f64::from(*counts.values().max().expect("some are drawn")) / f64::from(DRAWS);
        // A rarer one may be hashed to the same record.
        assert!((0.95 / whole..1.5 / whole).contains(&most), "{most}");
    }

    #[test]
    fn lost_writes_are_found() {
        assert!(run_workload::<Forgetful, _>(&SMALL, EACH, |_, _| {}).is_err());
    }

    #[test]
    fn a_wrong_count_is_found() {
        let wrong = run_workload::<GlobalMutex, _>(&SMALL, EACH, |thread, _| {
            thread.atomically(|tx, table| tx.modify(&table.records[3][4], |field| field.updates += 1));
        });
        assert!(wrong.expect_err("it is found").to_string().contains("updates of all fields"));
    }

    #[test]
    fn a_torn_field_is_found() {
        const READS: Ycsb = Ycsb { updates: 0, ..SMALL };
        let wrong = run_workload::<GlobalMutex, _>(&READS, 1, |thread, done| {
            let worker = &mut done[0].worker;
            let key = worker.key;
            thread.atomically(|tx, table| tx.modify(&table.record(key)[9], |field| field.bytes[50] ^= 1));
            assert_eq!(READS.run(worker, thread), Some(0));
        });
        assert!(wrong.expect_err("it is found").to_string().contains("not whole"));
    }
}

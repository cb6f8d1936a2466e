//! All kinds of transactions at once, on few cells: money moves about, and none is lost or made.
//!
//! Method: movers do a random kind of transaction each time, auditors add up in every way there is. The seed is printed;
//! `OPTIMIST_SEED` sets it.
#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

use futures::executor::block_on;
use optimist::{
    Atomically, Cancel, Priority, ReadTx, Shared, Stm, TCell, TVar, TryError, Tx, atomically, snapshot, stats,
};
use optimist_tests::schedule::{Over, panic_of, without_hanging};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

const ACCOUNTS: usize = 6;
const EACH: u64 = 1_000;
const TIME: Duration = Duration::from_millis(800);

/// An account of which each half is stored in another way: what is in them is always equal.
struct Account {
    word: TCell<u64>,
    slot: TCell<Option<u32>>,
    text: TCell<String>,
}

type Bank = Vec<Shared<Account>>;

impl Account {
    fn read<'tx>(&'tx self, tx: &mut impl ReadTx<'tx>) -> Stm<u64> {
        let value = self.word.read(tx)?;
        let slot = *self.slot.read_ref(tx)?;
        let text = self.text.read_ref(tx)?;
        assert_eq!((slot, text.parse()), (Some(value as u32), Ok(value)), "an account is always whole");
        Ok(value)
    }

    fn add<'tx>(&'tx self, tx: &mut Tx<'tx>, amount: i64) -> Stm<()> {
        let value = self.text.read_ref(tx)?.parse::<u64>().expect("a number").wrapping_add_signed(amount);
        self.word.modify(tx, |word| *word = word.wrapping_add_signed(amount))?;
        self.slot.write(tx, Some(value as u32))?;
        self.text.modify(tx, |text| *text = value.to_string())
    }
}

fn sum<'tx>(tx: &mut impl ReadTx<'tx>, bank: &Bank) -> Stm<u64> {
    bank.iter().map(|account| account.get(tx).read(tx)).sum()
}

/// Moves money, waiting for it if need be.
fn transfer(tx: &mut Tx<'_>, bank: &Bank, from: usize, to: usize, amount: u64) -> Stm<()> {
    let (source, target) = (bank[from].get(tx), bank[to].get(tx));
    let left = source.read(tx)?;
    tx.check(left >= amount)?;
    source.add(tx, -(amount as i64))?;
    target.add(tx, amount as i64)
}

/// Does something to the bank that keeps its sum.
fn act(bank: &Bank, kind: u32, from: usize, to: usize, amount: u64) {
    match kind {
        0..4 => transfer_somehow(bank, kind, from, to, amount),
        _ => act_in_parts(bank, kind, from, to, amount),
    }
}

fn transfer_somehow(bank: &Bank, kind: u32, from: usize, to: usize, amount: u64) {
    let limited = Atomically::new().timeout(Duration::from_millis(2)).priority(Priority::new((amount % 3) as i8));
    match kind {
        0 => _ = limited.run(|tx| transfer(tx, bank, from, to, amount)),
        1 => _ = block_on(limited.run_async(|tx| transfer(tx, bank, from, to, amount))),
        2 => {
            atomically(|tx| {
                if bank[from].get(tx).read(tx)? < amount {
                    return Ok(());
                }
                tx.irrevocable()?;
                thread::yield_now();
                transfer(tx, bank, from, to, amount)
            });
        }
        _ => {
            let outcome = limited.try_run(|tx| {
                bank[from].get(tx).add(tx, 77)?;
                let outcome = tx.nested(|tx| Ok::<_, Cancel<()>>(transfer(tx, bank, to, from, 1)?))?;
                assert_eq!(outcome, Ok(()));
                Err::<(), _>(Cancel::new("never mind"))
            });
            // When the other account is empty, it waits in vain.
            assert!(matches!(outcome, Err(TryError::Cancelled("never mind") | TryError::Stopped(_))));
        }
    }
}

fn act_in_parts(bank: &Bank, kind: u32, from: usize, to: usize, amount: u64) {
    match kind {
        4 => {
            atomically(|tx| {
                tx.or_else(
                    |tx| {
                        bank[to].get(tx).add(tx, 5)?;
                        transfer(tx, bank, from, to, amount + 500)?;
                        bank[to].get(tx).add(tx, -5)
                    },
                    |tx| tx.or_else(|tx| transfer(tx, bank, from, to, amount), |_| Ok(())),
                )
            });
        }
        5 => {
            atomically(|tx| {
                let outcome = tx.nested(|tx| {
                    bank[from].get(tx).add(tx, 1)?;
                    let inner = tx.nested(|tx| Ok::<_, Cancel<()>>(bank[to].get(tx).add(tx, 1)?))?;
                    assert_eq!(inner, Ok(()));
                    Err::<(), _>(Cancel::new("undone"))
                })?;
                assert_eq!(outcome, Err("undone"));
                let left = bank[from].get(tx).read(tx)?.min(amount);
                transfer(tx, bank, from, to, left)
            });
        }
        6 => {
            let message = panic_of(|| {
                atomically(|tx| {
                    bank[from].get(tx).add(tx, 1)?;
                    if amount.is_multiple_of(2) {
                        tx.irrevocable()?;
                    }
                    let total = sum(tx, bank)?;
                    assert_eq!(total, ACCOUNTS as u64 * EACH + 1);
                    if total > 0 { panic!("on purpose") } else { Ok(()) }
                })
            });
            assert_eq!(message, "on purpose");
        }
        _ => {
            atomically(|tx| {
                let (one, two) = (bank[from].get(tx), bank[to].get(tx));
                one.word.swap_with(tx, &two.word)?;
                one.slot.swap_with(tx, &two.slot)?;
                one.text.swap_with(tx, &two.text)
            });
        }
    }
}

fn audit(bank: &Bank, scratch: &TVar<u64>, kind: u64) -> u64 {
    match kind % 5 {
        0 => snapshot(|tx| sum(tx, bank)),
        1 => atomically(|tx| sum(tx, bank)),
        2 => atomically(|tx| {
            scratch.write(tx, kind)?;
            sum(tx, bank)
        }),
        3 => atomically(|tx| {
            let before = sum(tx, bank)?;
            scratch.modify(tx, |value| *value += 1)?;
            assert_eq!(sum(tx, bank)?, before);
            Ok(before)
        }),
        _ => atomically(|tx| {
            tx.irrevocable()?;
            sum(tx, bank)
        }),
    }
}

#[test]
fn no_money_is_lost_or_made() {
    let seed = std::env::var("OPTIMIST_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_nanos() as u64));
    println!("OPTIMIST_SEED={seed}");
    without_hanging(move || {
        let account = |value: u64| Account {
            word: TCell::new(value),
            slot: TCell::new(Some(value as u32)),
            text: TCell::new(value.to_string()),
        };
        let bank: Bank = (0..ACCOUNTS).map(|_| Shared::new(account(EACH))).collect();
        let (scratch, over, audits) = (TVar::new(0), Over::new(), AtomicU64::new(0));
        thread::scope(|scope| {
            let _over = over.guard();
            for mover in 0..3_u64 {
                let (bank, over) = (&bank, &over);
                scope.spawn(move || {
                    let mut random = SmallRng::seed_from_u64(seed ^ mover);
                    while !over.is_raised() {
                        let (from, step) = (random.random_range(0..ACCOUNTS), random.random_range(1..ACCOUNTS));
                        let (kind, amount) = (random.random_range(0..8), random.random_range(0..200));
                        act(bank, kind, from, (from + step) % ACCOUNTS, amount);
                    }
                });
            }
            let auditor = scope.spawn(|| {
                while !over.is_raised() {
                    let kind = audits.fetch_add(1, Ordering::Relaxed);
                    assert_eq!(audit(&bank, &scratch, kind), ACCOUNTS as u64 * EACH, "audit {}", kind % 5);
                }
            });
            let start = Instant::now();
            while start.elapsed() < TIME && !auditor.is_finished() {
                thread::sleep(Duration::from_millis(5));
            }
        });
        assert_eq!(snapshot(|tx| sum(tx, &bank)), ACCOUNTS as u64 * EACH);
        println!("{} audits\n{}", audits.load(Ordering::Relaxed), stats());
    });
}

//! Accounts whose parts are stored in every way there is, and the field of many numbers (S1).

use optimist::{ReadTx, Shared, Stm, TCell, TVar, Tx};
use rand::RngExt;
use rand::rngs::SmallRng;

use crate::counted::{Census, Counted};

const ACCOUNTS: usize = 6;
const EACH: u64 = 1_000;
const FIELD: usize = 1_000;

/// A value that is larger than a word, and aligned to a cache line.
#[derive(Clone)]
#[repr(align(64))]
struct Wide([u64; 4]);

/// An account: all its parts say the same.
pub(super) struct Account {
    pub(super) word: TCell<u64>,
    slot: TCell<Option<u32>>,
    boxed: TCell<Counted>,
    wide: TCell<Wide>,
}

impl Account {
    fn new(value: u64, census: &Census) -> Self {
        Self {
            word: TCell::new(value),
            slot: TCell::new(Some(value as u32)),
            boxed: TCell::new(census.make(value)),
            wide: TCell::new(Wide([value; 4])),
        }
    }

    pub(super) fn read<'tx>(&'tx self, tx: &mut impl ReadTx<'tx>) -> Stm<u64> {
        let value = self.word.read(tx)?;
        let slot = *self.slot.read_ref(tx)?;
        let (boxed, wide) = (self.boxed.read_ref(tx)?, self.wide.read_ref(tx)?);
        let parts = (slot, boxed.value, wide.0);
        assert_eq!(parts, (Some(value as u32), value, [value; 4]), "an account is whole (S1)");
        Ok(value)
    }

    pub(super) fn add<'tx>(&'tx self, tx: &mut Tx<'tx>, amount: i64) -> Stm<()> {
        let value = self.word.read(tx)?.wrapping_add_signed(amount);
        self.wide.write(tx, Wide([value; 4]))?;
        self.boxed.modify(tx, |boxed| boxed.value = value)?;
        self.slot.replace(tx, Some(value as u32))?;
        self.word.modify(tx, |word| *word = word.wrapping_add_signed(amount))
    }

    pub(super) fn swap_with<'tx>(&'tx self, tx: &mut Tx<'tx>, other: &'tx Self) -> Stm<()> {
        self.word.swap_with(tx, &other.word)?;
        self.slot.swap_with(tx, &other.slot)?;
        self.boxed.swap_with(tx, &other.boxed)?;
        self.wide.swap_with(tx, &other.wide)
    }
}

/// A transfer that is to be made.
#[derive(Clone, Copy)]
pub(super) struct Order {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) amount: u64,
}

impl Order {
    pub(super) fn random(random: &mut SmallRng) -> Self {
        let from = random.random_range(0..ACCOUNTS);
        let to = (from + random.random_range(1..ACCOUNTS)) % ACCOUNTS;
        Self { from, to, amount: random.random_range(0..400) }
    }
}

/// All money there is.
pub(super) struct Bank {
    pub(super) accounts: Vec<Shared<Account>>,
    field: Vec<TVar<u64>>,
}

impl Bank {
    pub(super) const TOTAL: u64 = ACCOUNTS as u64 * EACH;
    pub(super) const FIELD_TOTAL: u64 = FIELD as u64 * EACH;

    pub(super) fn new(census: &Census) -> Self {
        let accounts = (0..ACCOUNTS).map(|_| Shared::new(Account::new(EACH, census))).collect();
        Self { accounts, field: (0..FIELD).map(|_| TVar::new(EACH)).collect() }
    }

    pub(super) fn sum<'tx>(&self, tx: &mut impl ReadTx<'tx>) -> Stm<u64> {
        self.accounts.iter().map(|account| account.get(tx).read(tx)).sum()
    }

    /// Moves money, waiting for it if need be.
    pub(super) fn transfer(&self, tx: &mut Tx<'_>, order: Order) -> Stm<()> {
        let (source, target) = (self.accounts[order.from].get(tx), self.accounts[order.to].get(tx));
        let left = source.read(tx)?;
        tx.check(left >= order.amount)?;
        source.add(tx, -(order.amount as i64))?;
        target.add(tx, order.amount as i64)
    }

    /// Reads the whole field, giving the processor away on the way, so that much is written meanwhile.
    pub(super) fn sum_of_field<'tx>(&self, tx: &mut impl ReadTx<'tx>) -> Stm<u64> {
        let mut sum = 0;
        for (index, cell) in self.field.iter().enumerate() {
            sum += cell.read(tx)?;
            if index % 250 == 0 {
                std::thread::yield_now();
            }
        }
        Ok(sum)
    }

    /// Moves something about in the field: `steps` times, which makes small and large write sets.
    pub(super) fn stir(&self, tx: &mut Tx<'_>, start: usize, steps: usize) -> Stm<()> {
        for step in 0..steps {
            let (from, to) = (&self.field[(start + 7 * step) % FIELD], &self.field[(start + 13 * step + 1) % FIELD]);
            let moved = from.read(tx)?.min(10);
            from.modify(tx, |value| *value -= moved)?;
            to.modify(tx, |value| *value += moved)?;
        }
        Ok(())
    }
}

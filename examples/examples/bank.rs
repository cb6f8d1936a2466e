//! A bank: transfers, auditors, and a withdrawal that waits for money. Read it from top to bottom.
//!
//! ```text
//! cargo run --release --example bank
//! ```

use std::thread;
use std::time::Duration;

use optimist::{Cancel, ReadTx, Stm, TVar, TryError, TryStm, Tx, atomically, snapshot, try_atomically};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

const ACCOUNTS: usize = 20;
const TELLERS: u64 = 4;
const TRANSFERS: u32 = 50_000;
const OPENING_BALANCE: u64 = 1_000;

/// An account is a transactional variable. Any thread that has a handle to it can use it, without a lock.
type Account = TVar<u64>;

// A step of a transaction is an ordinary function. It takes the running transaction, `tx`, and returns `Stm`: the
// result, or the word that this attempt is over because another thread was faster. That word is passed on with `?`,
// and the runtime begins again. Nobody ever sees what a lost attempt had written.

/// Takes money out of an account. If there is too little, waits for more.
fn withdraw(tx: &mut Tx<'_>, account: &Account, amount: u64) -> Stm<()> {
    let balance = account.read(tx)?;
    // `check` says: this can only go on if the condition holds. If it does not, the thread sleeps until another one
    // changes something that the transaction has read, here the account. There is no condition variable to signal.
    tx.check(balance >= amount)?;
    account.write(tx, balance - amount)
}

/// Puts money into an account.
fn deposit(tx: &mut Tx<'_>, account: &Account, amount: u64) -> Stm<()> {
    account.modify(tx, |balance| *balance += amount)
}

/// Moves money if there is enough, and otherwise refuses.
///
/// An error of one's own ends a transaction for good: it is cancelled, and whatever it had done is undone. So we
/// may deposit first and look at the other account later. `TryStm` is `Stm` with room for such an error.
fn transfer(tx: &mut Tx<'_>, from: &Account, to: &Account, amount: u64) -> TryStm<(), Refused> {
    deposit(tx, to, amount)?;
    let balance = from.read(tx)?;
    if balance < amount {
        return Err(Cancel::new(Refused { missing: amount - balance }));
    }
    from.write(tx, balance - amount)?;
    Ok(())
}

/// Why a transfer did not take place.
#[derive(Debug, PartialEq, Eq)]
struct Refused {
    missing: u64,
}

/// Adds up all accounts. It only reads, so it takes whatever one can read with: a transaction or a snapshot.
fn total<'tx>(tx: &mut impl ReadTx<'tx>, accounts: &[Account]) -> Stm<u64> {
    let mut sum = 0;
    for account in accounts {
        sum += account.read(tx)?;
    }
    Ok(sum)
}

fn main() {
    one_transfer();
    waiting_withdrawal();
    busy_day();
    println!("{}", optimist::stats());
}

/// Step 1: one transaction, and one that is cancelled.
fn one_transfer() {
    let (ada, alan) = (TVar::new(100), TVar::new(0));

    // `try_atomically` runs its closure as one transaction. It may run it several times, so the closure
    // should do nothing but use variables: no printing, no sending.
    let outcome = try_atomically(|tx| transfer(tx, &ada, &alan, 30));
    assert_eq!(outcome, Ok(()));
    // A single variable can be looked at without a transaction.
    assert_eq!((ada.load(), alan.load()), (70, 30));

    // The deposit that `transfer` makes first is undone with the rest.
    let outcome = try_atomically(|tx| transfer(tx, &ada, &alan, 100));
    assert_eq!(outcome, Err(TryError::Cancelled(Refused { missing: 30 })));
    assert_eq!((ada.load(), alan.load()), (70, 30));
    println!("Ada has sent 30 to Alan, and was refused to send 100 more.");
}

/// Step 2: a withdrawal sleeps until a deposit wakes it.
fn waiting_withdrawal() {
    let (savings, rent) = (TVar::new(40), TVar::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            // Transactions are made of steps, and so these two are one: no moment at which the money is nowhere.
            atomically(|tx| {
                withdraw(tx, &savings, 100)?;
                deposit(tx, &rent, 100)
            });
            println!("The rent is paid.");
        });

        // The first deposit wakes the other thread too, but is too little: it goes back to sleep. The pause is only
        // there to be watched; without it the outcome would be the same.
        for amount in [25, 50] {
            thread::sleep(Duration::from_millis(50));
            println!("Depositing {amount}; the rent of 100 is waiting.");
            atomically(|tx| deposit(tx, &savings, amount));
        }
    });
    assert_eq!((savings.load(), rent.load()), (15, 100));
}

/// Step 3: tellers move money at random, auditors count it all the while.
fn busy_day() {
    let accounts: Vec<Account> = (0..ACCOUNTS).map(|_| TVar::new(OPENING_BALANCE)).collect();
    let money = ACCOUNTS as u64 * OPENING_BALANCE;
    // Even "is the bank open?" is a variable, so that the auditors can read it together with the accounts.
    let is_open = TVar::new(true);

    thread::scope(|scope| {
        let tellers: Vec<_> = (0..TELLERS)
            .map(|seed| {
                scope.spawn({
                    let accounts = &accounts;
                    move || teller(accounts, seed)
                })
            })
            .collect();
        let auditors: Vec<_> = (0..2).map(|_| scope.spawn(|| audit(&accounts, &is_open, money))).collect();

        let refused: u64 = tellers.into_iter().map(|teller| teller.join().expect("a teller does not panic")).sum();
        is_open.store(false);
        let audits: u64 = auditors.into_iter().map(|auditor| auditor.join().expect("an auditor does not panic")).sum();
        let transfers = TELLERS * u64::from(TRANSFERS);
        println!("{transfers} transfers, {refused} of them refused; {audits} audits found all of the {money} there.");
    });
    assert_eq!(snapshot(|tx| total(tx, &accounts)), money);
}

/// Makes transfers, and returns how many were refused.
fn teller(accounts: &[Account], seed: u64) -> u64 {
    let mut random = StdRng::seed_from_u64(seed);
    let mut refused = 0;
    for _ in 0..TRANSFERS {
        // Chosen outside of the transaction: if it has to be run again, it shall do the same again.
        let from = &accounts[random.random_range(..ACCOUNTS)];
        let to = &accounts[random.random_range(..ACCOUNTS)];
        let amount = random.random_range(1..=OPENING_BALANCE);
        if try_atomically(|tx| transfer(tx, from, to, amount)).is_err() {
            refused += 1;
        }
    }
    refused
}

/// Counts the money until the bank closes, and returns how often.
fn audit(accounts: &[Account], is_open: &TVar<bool>, money: u64) -> u64 {
    let mut audits = 0;
    loop {
        // A snapshot sees all accounts as they were at one moment, while the tellers go on. It never has to begin
        // again.
        let (sum, is_open) = snapshot(|tx| Ok((total(tx, accounts)?, is_open.read(tx)?)));
        assert_eq!(sum, money, "money was lost, or made");
        audits += 1;
        if !is_open {
            return audits;
        }
    }
}

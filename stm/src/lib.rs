//! Software transactional memory: shared state without a global lock.
//!
//! Wrap what threads share in [`TVar`]s, and say which steps belong together with [`atomically`]. Transactions run in
//! parallel, on all cores; each takes effect as a whole, at one moment, or not at all.
//!
//! # In five minutes
//!
//! **Read and write.** Inside the block everything is consistent; outside, nobody sees the half of it.
//!
//! ```
//! use optimist::{TVar, atomically};
//!
//! let from = TVar::new(100_u64);
//! let to = TVar::new(0_u64);
//!
//! atomically(|tx| {
//!     let balance = from.read(tx)?;
//!     from.write(tx, balance - 30)?;
//!     to.modify(tx, |balance| *balance += 30)
//! });
//!
//! assert_eq!((from.load(), to.load()), (70, 30));
//! ```
//!
//! The `?` matters: when another transaction was faster, the attempt ends there and the block runs again. So a block
//! should do nothing that cannot be repeated; see [`after_commit`](Tx::after_commit) and
//! [`irrevocable`](Tx::irrevocable) for what cannot.
//!
//! **Compose.** A step of a transaction is a function that takes `tx`. Any number of them make one transaction; there
//! is no order of locks to keep to, and no deadlock.
//!
//! ```
//! # use optimist::{Stm, TVar, Tx, atomically};
//! fn withdraw(tx: &mut Tx<'_>, account: &TVar<u64>, amount: u64) -> Stm<()> {
//!     let balance = account.read(tx)?;
//!     tx.check(balance >= amount)?;
//!     account.write(tx, balance - amount)
//! }
//!
//! fn deposit(tx: &mut Tx<'_>, account: &TVar<u64>, amount: u64) -> Stm<()> {
//!     account.modify(tx, |balance| *balance += amount)
//! }
//!
//! let (ada, alan) = (TVar::new(100), TVar::new(0));
//! atomically(|tx| {
//!     withdraw(tx, &ada, 30)?;
//!     deposit(tx, &alan, 30)
//! });
//! ```
//!
//! **Wait.** `tx.check(condition)?` in `withdraw` does not fail when the balance is too small: the transaction sleeps
//! until `account` changes, and runs again then. [`retry`](Tx::retry) is the same without a condition. No condition
//! variable, no lost wake-up, no polling.
//!
//! **Choose.** [`or_else`](Tx::or_else) tries another way where the first one would have to wait.
//!
//! ```
//! # use optimist::{Stm, TVar, Tx, atomically};
//! # fn withdraw(tx: &mut Tx<'_>, account: &TVar<u64>, amount: u64) -> Stm<()> {
//! #     let balance = account.read(tx)?;
//! #     tx.check(balance >= amount)?;
//! #     account.write(tx, balance - amount)
//! # }
//! let (current, savings) = (TVar::new(10), TVar::new(500));
//! atomically(|tx| tx.or_else(|tx| withdraw(tx, &current, 50), |tx| withdraw(tx, &savings, 50)));
//! assert_eq!((current.load(), savings.load()), (10, 450));
//! ```
//!
//! **Cancel.** A block run by [`try_atomically`] may end with an error of yours; then nothing it did has happened.
//!
//! ```
//! use optimist::{Cancel, TVar, TryError, try_atomically};
//!
//! let stock = TVar::new(3_u32);
//! let outcome = try_atomically(|tx| {
//!     let left = stock.replace(tx, 0)?;
//!     if left < 5 { Err(Cancel::new("not enough")) } else { Ok(left) }
//! });
//! assert_eq!(outcome, Err(TryError::Cancelled("not enough")));
//! assert_eq!(stock.load(), 3);
//! ```
//!
//! **Read a lot.** A [`snapshot`] sees all cells as they were at one moment, never has to run again, and disturbs no
//! writer.
//!
//! ```
//! # use optimist::{TVar, snapshot};
//! let accounts: Vec<_> = (0..1000).map(|_| TVar::new(10_u64)).collect();
//! let total = snapshot(|tx| {
//!     let mut total = 0;
//!     for account in &accounts {
//!         total += account.read(tx)?;
//!     }
//!     Ok(total)
//! });
//! assert_eq!(total, 10_000);
//! ```
//!
//! # Where to go on
//! | for | see |
//! | --- | --- |
//! | limits: time, attempts, priority | [`Atomically`] |
//! | tasks instead of threads | [`Atomically::run_async`] |
//! | one cell, outside of a transaction | [`TVar::load`], [`TVar::store`], [`TVar::update`] |
//! | cells inside your own structs, linked structures | [`TCell`], [`Shared`] |
//! | a part that can be undone alone | [`Tx::nested`] |
//! | input and output | [`Tx::after_commit`], [`Tx::irrevocable`] |
//! | what happens underneath, and why it is right | [`docs::algorithm`], [`docs::orderings`] |
//! | what it costs | [`docs::performance`], [`stats()`] |
//! | what it cannot do for you | [`docs::limits`] |
//!
//! # Promises
//! 1. **Opacity.** Every attempt, also one that later aborts, sees one consistent state; your code never runs on a
//!    mixed one. Committed transactions are strictly serializable: it is as if they had run one after the other, in
//!    an order that respects real time.
//! 2. **Nothing is lost.** A panic, an error or a wait that is given up leaves no trace in shared state, leaks
//!    nothing and poisons nothing.
//! 3. **Readers never abort.** A transaction that only reads commits at its first attempt, however long it is.
//! 4. **Everyone commits.** A transaction that keeps losing is escalated, and then cannot lose again.
//! 5. **Safe code cannot misuse it.** No lifetime, leak, panic or order of drops in safe code reaches undefined
//!    behaviour.
//! 6. **You pay for what you use.** Waiting, hooks and priorities cost a transaction nothing that does not use them.
//!
//! # Features
//! * `introspection`: the module `optimist::introspection`, by which testing tools learn the versions that attempts read
//!   and write at. Off by default, and then it costs nothing; on, a few stores for each transaction.
//! * `serde`: `Serialize` and `Deserialize` for [`TVar`] and [`TCell`].

#[cfg(not(target_pointer_width = "64"))]
compile_error!("optimist needs a target with 64-bit pointers: a cell's word holds a version, or a value, of 64 bits");

mod abandoned;
mod arena;
mod atomically;
mod attempt;
mod backoff;
mod cell;
mod chaos;
mod chunk;
mod clock;
mod commit;
mod domain;
mod error;
mod future;
mod handles;
mod hash;
mod hooks;
mod local;
#[cfg(all(test, optimist_loom))]
mod models;
mod participant;
mod read_set;
mod reader;
mod reclaim;
mod savepoint;
mod shared;
mod single;
mod slot;
mod snapshot;
mod stats;
mod storage;
mod swallow;
mod sync;
mod timer;
mod token;
mod transaction;
mod tx;
mod var;
mod versioned_lock;
mod wait;
mod write_set;

pub mod docs;
#[cfg(feature = "introspection")]
pub mod introspection;

pub use atomically::{Atomically, atomically, snapshot, try_atomically};
pub use cell::TCell;
pub use error::{Abort, Aborts, Cancel, Limit, Stm, Stopped, TryError, TryStm, TxError};
pub use local::TxLocal;
pub use participant::{collect, is_running};
pub use reader::ReadTx;
pub use shared::Shared;
pub use snapshot::Snapshot;
pub use stats::{Stats, stats};
pub use token::Priority;
pub use tx::Tx;
pub use var::TVar;

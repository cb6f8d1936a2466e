//! What an STM cannot do for you.
//!
//! # Side effects are not undone
//! A block may run several times. Printing, sending, or changing what is not in a cell happens each time. Collect
//! such work and do it in [`after_commit`](crate::Tx::after_commit), or call [`irrevocable`](crate::Tx::irrevocable)
//! first.
//!
//! ```
//! use optimist::{TVar, atomically};
//!
//! let count = TVar::new(0);
//! let message = atomically(|tx| {
//!     let now = count.modify(tx, |count| {
//!         *count += 1;
//!         *count
//!     })?;
//!     Ok(format!("count is {now}")) // Returned, and printed outside: once.
//! });
//! println!("{message}");
//! ```
//!
//! # Irrevocable transactions come one at a time
//! There is one token. A transaction that holds it across slow work keeps others from becoming irrevocable or being
//! escalated, and from writing the cells it has read. Become irrevocable late, and read little before.
//!
//! # A cell protects its value, not what the value points to
//! A `TVar<Arc<Mutex<T>>>` is a transactional pointer to something that is not transactional. Values should be plain
//! data, changed by writing a new one.
//!
//! # References from outside
//! [`load`](crate::TVar::load) outside of a transaction sees one cell. Two of them may see two different moments; use
//! [`snapshot`](crate::snapshot()). And what [`Shared`](crate::Shared) holds beside its cells is immutable: take a
//! node out of a structure in one transaction, and another that began before may still look at it. Its cells stay
//! transactional, so that is safe; but do not treat it as yours alone.
//!
//! # Destructors run later, and anywhere
//! A replaced value is destroyed when no running transaction can look at it any more, by whichever thread tidies up.
//! A transaction that runs for minutes keeps for minutes what is replaced meanwhile. A destructor that panics
//! is reported by the panic hook and otherwise ignored, as there is no caller that it belongs to. At the end of the
//! process, what still waits is not destroyed. [`collect`](crate::collect()) tidies up at a moment of your choosing.
//!
//! # Long transactions and fairness
//! Everybody commits in the end, but a long transaction that writes may lose many attempts before it is escalated,
//! and while it holds the token others wait for what it has read. Many short transactions are better than a long one.
//! For long reads use [`snapshot`](crate::snapshot()), which costs writers nothing but memory.
//!
//! # Waiting for what nobody can change
//! A `retry` sleeps until a cell it has read changes. If no thread is left that could change one, it sleeps for ever.
//! It is told so where that is certain: when it is the only thread of the process, and, with
//! [`shared_by_handle`](crate::Atomically::shared_by_handle), when all other handles are gone. In general it cannot
//! be known, because a cell may be shared by reference.
//!
//! # One process, one clock
//! All cells of a process share a clock, so any of them can be used together. If a program links two incompatible
//! versions of this crate, each has its own cells and its own clock, and the types keep them apart.
//!
//! # After `fork`
//! A child made by `fork` has the one thread that called it. Transactions that other threads were in the middle of
//! never end there. Use `exec` in the child, as with any library that has locks.

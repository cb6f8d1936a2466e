//! Software transactional memory.
#![doc(test(attr(deny(unused_must_use))))]

mod abandoned;
mod arena;
mod atomically;
mod attempt;
mod backoff;
mod cell;
mod clock;
mod commit;
mod domain;
mod error;
mod future;
mod hooks;
mod local;
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
mod sync;
mod timer;
mod token;
mod transaction;
mod var;
mod versioned_lock;
mod wait;
mod write_set;

pub mod docs;

pub use atomically::{Atomically, atomically, snapshot, try_atomically};
pub use cell::TCell;
pub use error::{Abort, Aborts, Cancel, Limit, Stm, Stopped, TryError, TryStm, TxError};
pub use local::TxLocal;
pub use participant::collect;
pub use reader::ReadTx;
pub use shared::Shared;
pub use snapshot::Snapshot;
pub use stats::{Stats, stats};
pub use token::Priority;
pub use transaction::Tx;
pub use var::TVar;

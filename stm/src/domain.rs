//! The one domain: everything that all threads share.
//!
//! There is one clock for all cells of the process, so a cell can never meet two clocks.

use crate::clock::Clock;
use crate::participant::{Orphans, Registry};
use crate::stats::Baseline;
use crate::sync::{const_fn, global};
use crate::token::Token;
use crate::wait::WaitTable;

/// The global state of the runtime.
#[derive(Debug)]
pub(crate) struct Domain {
    pub(crate) clock: Clock,
    pub(crate) registry: Registry,
    pub(crate) orphans: Orphans,
    pub(crate) token: Token,
    pub(crate) waiters: WaitTable,
    pub(crate) baseline: Baseline,
}

impl Domain {
    const_fn! {
        fn new() -> Self {
            Self {
                clock: Clock::new(),
                registry: Registry::new(),
                orphans: Orphans::new(),
                token: Token::new(),
                waiters: WaitTable::new(),
                baseline: Baseline::new(),
            }
        }
    }
}

global! {
    /// The only domain there is.
    pub(crate) static DOMAIN: Domain = Domain::new();
}

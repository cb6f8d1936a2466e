//! What the tests of the runtime share: a watchdog, another thread to lose against, values that count themselves,
//! and a recorder and checker of histories.
//!
//! The tests are in `tests/`, one file per promise of the runtime. They see its public interface alone.
#![forbid(unsafe_code)]

pub mod counted;
pub mod history;
pub mod mutants;
pub mod schedule;

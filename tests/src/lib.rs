//! What the tests of the runtime share: a watchdog, another thread to lose against, values that count themselves.
//!
//! The tests are in `tests/`, one file per promise of the runtime. They see its public interface alone.
#![forbid(unsafe_code)]

pub mod counted;
pub mod schedule;

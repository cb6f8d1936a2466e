//! What the tests of the runtime share: a watchdog, another thread to lose against, values that count themselves,
//! the frame of the litmus tests, a recorder and checker of histories, random programs, fuzz targets, and a soak of
//! everything at once.
//!
//! The tests are in `tests/`, one file per promise of the runtime. They see its public interface alone.
#![forbid(unsafe_code)]

pub mod counted;
pub mod fuzz;
pub mod history;
pub mod litmus;
pub mod mutants;
pub mod program;
pub mod schedule;
pub mod soak;
pub mod waits;
pub mod ways;

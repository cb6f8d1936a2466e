//! Targets for fuzzing: any bytes are an input, and what must hold is checked inside.
//!
//! `tests/fuzz_*.rs` runs them on the committed corpus (`tests/__fuzz__/`) and on random bytes, as ordinary tests; a
//! fuzzer runs them for hours.

pub mod histories;
pub mod pool;
pub mod program;
pub mod runner;

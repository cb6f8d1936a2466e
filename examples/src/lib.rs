//! What the example programs share with their tests.
//!
//! Most of it is [`gil`], the program behind `cargo run --release --example gil`. The other programs fit into one
//! file each: `examples/bank.rs` and `examples/philosophers.rs`.
#![forbid(unsafe_code)]

pub mod gil;

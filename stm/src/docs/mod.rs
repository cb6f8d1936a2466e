//! How it works, why it is right, what it costs, and where it ends.
//!
//! These modules hold no code.

pub mod algorithm;
pub mod limits;
pub mod orderings;
pub mod performance;

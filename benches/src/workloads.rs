//! The workloads.

pub mod array;
pub mod bank;
pub mod boxed;
pub mod chains;
pub mod elder;
pub mod handover;
pub mod pairwise;
pub mod set;
pub mod single;
pub mod skip_list;
pub mod swaps;
pub mod tree;
pub mod write_many;

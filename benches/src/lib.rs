//! Benchmarks of Optimist: workloads, the engines they are compared on, and reports.
//!
//! Read in this order: [`engine`] says what an engine can do, [`workload`] what a workload is, [`micro`] and
//! [`shortcuts`] hold the workloads, [`measure`] runs one on threads and checks its answer, [`catalogue`] names all pairs of the two,
//! [`rounds`] runs them in turn, and [`report`] shows what came out.
//!
//! Every workload is written once and is generic over the engine, so that each pair is compiled to code of its own, without
//! an indirect call in the timed loop. Every run checks its own answer.
#![forbid(unsafe_code)]

pub mod catalogue;
pub mod engine;
pub mod measure;
pub mod micro;
pub mod report;
pub mod rounds;
pub mod shortcuts;
pub mod workload;

#[cfg(test)]
mod tests;

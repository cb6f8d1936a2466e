//! Benchmarks of Optimist: workloads, the engines they are compared on, and reports.
//!
//! Read in this order: [`engine`] says what an engine can do, [`workload`] what a workload is, [`workloads`] holds them,
//! [`measure`] runs one on threads and checks its answer, [`catalogue`] names all pairs of the two, [`rounds`] runs them
//! in turn, [`figures`] takes medians, and [`report`], [`html`] and [`compare`] show what came out. [`targets`] are the
//! ratios that the project has set itself.
//!
//! # The two traits
//! An [`Engine`](engine::Engine) is a way to share cells between threads. A [`Workload`](workload::Workload) or a
//! [`Program`](workload::Program) is written once, generic over the engine, so that each pair is compiled to code of
//! its own, without an indirect call in the timed loop. Every run checks its own answer.
//!
//! * **Cells and worlds.** The shared data of a workload is a struct of `E::Cell<T>`s and whatever is never written.
//!   The engine keeps it in an `E::World`. Links between nodes are indices into arrays of cells, as
//!   the structures here do: these are words, so that no engine pays for counting references.
//! * **Threads.** A thread enters a world and gets a [`Thread`](engine::Thread); what an engine keeps between
//!   transactions, such as a lock, is in there.
//! * **Transactions.** `thread.atomically(|tx, data| ...)` runs a body with the data: the cells live exactly as long as
//!   the transaction may see them, which inline cells, and rivals that borrow, ask for. Bodies are `Fn`, since they
//!   may run more than once and most rivals ask for it; they return what they find. Each use of a cell may fail, and
//!   `?` passes that on. A transaction under a lock never fails, and the compiler knows.
//! * **Reading.** `thread.snapshot` is the engine's own way to read only.
//! * **Declared footprints.** `thread.atomically_on(|locks, data| locks.add(cell), |tx, data| ...)` names the cells
//!   beforehand, for engines with fine-grained locks. The others never call the first closure. A workload that finds
//!   its cells on the way asks for [`discovery`](engine::Abilities::discovery), and is reported as not expressible on
//!   engines that lack it.
//! * **Waiting.** `thread.atomically_or_wait` runs what may `tx.retry()`, or may end such a wait.
//! * **Opacity.** A body that meets what cannot be, say a list that is not sorted, returns `tx.torn()`: a wrong answer
//!   on an engine that promises opacity, and one more attempt on one that does not.
//!
//! What an engine can do and what a workload asks for are [`Abilities`](engine::Abilities); pairs that do not fit are
//! left out, and said to be.
//!
//! # How fair it is
//! Each engine is used as its own documentation recommends, and none pays for what only another one needs: bodies are
//! compiled for each engine, values stand in place where a lock allows it, and a random choice costs all the same.
//! What remains:
//! * Fine-grained locks look for a boxed value's own lock, since safe code cannot change a value behind a lock that
//!   stands elsewhere. Words pay nothing.
//! * A lock of all waits for a change of anything: it has one condition variable, as a program with one lock has.
//! * `fast-stm` and `stm-core` do not promise opacity. `xstm` reads and writes without atomics, which is a data race;
//!   its answers have been right. `kovan-stm` and `xstm` cannot sleep. All five run wherever they can.
#![forbid(unsafe_code)]

pub mod applications;
pub mod catalogue;
pub mod compare;
pub mod engine;
pub mod figures;
pub mod html;
pub mod machine;
pub mod measure;
pub mod report;
pub mod rounds;
pub mod targets;
pub mod workload;
pub mod workloads;

#[cfg(test)]
mod tests;

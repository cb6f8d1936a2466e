//! All workloads and engines by name, and which pairs of them there are.

use std::fmt;

use clap::ValueEnum;
use serde::Serialize;

use crate::engine::{Atomics, Bare, Engine, InlineCells, Locked, Variables};
#[cfg(feature = "rivals")]
use crate::engine::{FastStm, StmCore};
use crate::measure::{Floor, Job, Pair};
use crate::micro::{Counter, Mixed, Read, Update, WriteMany};
use crate::shortcuts::{Increment, Load, Look};
use crate::workload::RunOn;

/// The name of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum EngineName {
    /// Optimist, a `TVar<u64>` for each word
    OptimistTvar,
    /// Optimist, `TCell<u64>`s side by side in one `Shared` slice
    OptimistTcell,
    /// one `parking_lot::Mutex` around plain words, locked once for each transaction
    Mutex,
    /// words without any synchronisation; one thread only
    Bare,
    /// `AtomicU64` words; only for `load` and `increment`
    Atomic,
    /// the crate `fast-stm`, a `TVar<u64>` for each word
    #[cfg(feature = "rivals")]
    FastStm,
    /// the crate `stm-core`, a `TVar<u64>` for each word
    #[cfg(feature = "rivals")]
    StmCore,
    /// no transaction at all: the cost of choosing the words and of the loop
    Floor,
}

/// The name of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum WorkloadName {
    /// read 1 random word of the array
    #[value(name = "read-1")]
    #[serde(rename = "read-1")]
    Read1,
    /// read 16 random words
    #[value(name = "read-16")]
    #[serde(rename = "read-16")]
    Read16,
    /// add one to 1 random word
    #[value(name = "update-1")]
    #[serde(rename = "update-1")]
    Update1,
    /// add one to 4 random words
    #[value(name = "update-4")]
    #[serde(rename = "update-4")]
    Update4,
    /// read 8 random words and add one to 2 others, all distinct
    #[value(name = "read-8-update-2")]
    #[serde(rename = "read-8-update-2")]
    Mixed,
    /// add one to one word shared by all threads
    Counter,
    /// read 1 random word, in the engine's way for a single one
    Load,
    /// add one to 1 random word, in the engine's way for a single one
    Increment,
    /// read 64 random words, in the engine's way for a read-only view
    #[value(name = "snapshot-64")]
    #[serde(rename = "snapshot-64")]
    Snapshot64,
    /// write 10 words of 131,072, unread
    #[value(name = "write-10")]
    #[serde(rename = "write-10")]
    Write10,
    /// write 100 words of 131,072, unread
    #[value(name = "write-100")]
    #[serde(rename = "write-100")]
    Write100,
    /// write 1,000 words of 131,072, unread
    #[value(name = "write-1000")]
    #[serde(rename = "write-1000")]
    Write1000,
    /// write 100,000 words of 131,072, unread
    #[value(name = "write-100000")]
    #[serde(rename = "write-100000")]
    Write100000,
}

impl fmt::Display for EngineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(*self, f)
    }
}

impl fmt::Display for WorkloadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(*self, f)
    }
}

/// Shows the name as it is given on the command line.
fn show(name: impl ValueEnum, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    name.to_possible_value().map_or(Ok(()), |value| f.write_str(value.get_name()))
}

/// Makes a workload on an engine, on an array of `words` words if it does not have a size of its own; nothing if the
/// engine has no way to run it.
#[must_use]
pub fn job(workload: WorkloadName, engine: EngineName, words: usize) -> Option<Box<dyn Job>> {
    match workload {
        WorkloadName::Read1 => on_any::<Read<1>>(engine, words),
        WorkloadName::Read16 => on_any::<Read<16>>(engine, words),
        WorkloadName::Update1 => on_any::<Update<1>>(engine, words),
        WorkloadName::Update4 => on_any::<Update<4>>(engine, words),
        WorkloadName::Mixed => on_any::<Mixed>(engine, words),
        WorkloadName::Counter => on_any::<Counter>(engine, words),
        WorkloadName::Write10 => on_any::<WriteMany<10>>(engine, words),
        WorkloadName::Write100 => on_any::<WriteMany<100>>(engine, words),
        WorkloadName::Write1000 => on_any::<WriteMany<1_000>>(engine, words),
        WorkloadName::Write100000 => on_any::<WriteMany<100_000>>(engine, words),
        WorkloadName::Snapshot64 => on_snapshots::<Look<64>>(engine, words),
        WorkloadName::Load => on_single_words::<Load>(engine, words),
        WorkloadName::Increment => on_single_words::<Increment>(engine, words),
    }
}

/// What runs on the rivals, if they are compiled.
#[cfg(feature = "rivals")]
trait OnRivals: RunOn<FastStm> + RunOn<StmCore> {}
#[cfg(feature = "rivals")]
impl<W: RunOn<FastStm> + RunOn<StmCore>> OnRivals for W {}
#[cfg(not(feature = "rivals"))]
trait OnRivals {}
#[cfg(not(feature = "rivals"))]
impl<W> OnRivals for W {}

fn on_any<W>(engine: EngineName, words: usize) -> Option<Box<dyn Job>>
where
    W: RunOn<Variables> + RunOn<InlineCells> + RunOn<Locked> + RunOn<Bare> + OnRivals + 'static,
{
    match engine {
        EngineName::OptimistTvar => pair::<Variables, W>(words),
        EngineName::OptimistTcell => pair::<InlineCells, W>(words),
        EngineName::Mutex => pair::<Locked, W>(words),
        EngineName::Bare => pair::<Bare, W>(words),
        #[cfg(feature = "rivals")]
        EngineName::FastStm => pair::<FastStm, W>(words),
        #[cfg(feature = "rivals")]
        EngineName::StmCore => pair::<StmCore, W>(words),
        EngineName::Floor => Some(Box::new(Floor::<W>::new(words))),
        EngineName::Atomic => None,
    }
}

fn on_snapshots<W>(engine: EngineName, words: usize) -> Option<Box<dyn Job>>
where
    W: RunOn<Variables> + RunOn<InlineCells> + RunOn<Locked> + RunOn<Bare> + 'static,
{
    match engine {
        EngineName::OptimistTvar => pair::<Variables, W>(words),
        EngineName::OptimistTcell => pair::<InlineCells, W>(words),
        EngineName::Mutex => pair::<Locked, W>(words),
        EngineName::Bare => pair::<Bare, W>(words),
        EngineName::Floor => Some(Box::new(Floor::<W>::new(words))),
        _ => None,
    }
}

fn on_single_words<W>(engine: EngineName, words: usize) -> Option<Box<dyn Job>>
where
    W: RunOn<Variables> + RunOn<InlineCells> + RunOn<Locked> + RunOn<Atomics> + 'static,
{
    match engine {
        EngineName::OptimistTvar => pair::<Variables, W>(words),
        EngineName::OptimistTcell => pair::<InlineCells, W>(words),
        EngineName::Mutex => pair::<Locked, W>(words),
        EngineName::Atomic => pair::<Atomics, W>(words),
        EngineName::Floor => Some(Box::new(Floor::<W>::new(words))),
        _ => None,
    }
}

fn pair<E: Engine + 'static, W: RunOn<E> + 'static>(words: usize) -> Option<Box<dyn Job>> {
    Some(Box::new(Pair::<E, W>::new(words)))
}

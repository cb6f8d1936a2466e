//! All workloads and engines by name, and which pairs of them there are.

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::applications;
#[cfg(feature = "rivals")]
use crate::engine::{AsyncStm, FastStm, KovanStm, StmCore, Xstm};
use crate::engine::{
    Atomics, Bare, Engine, Gil, GlobalMutex, GlobalRwLock, InlineCells, ObjectLocks, Seqlocks, StripedLocks, Variables,
};
use crate::measure::{Floor, Job, Timed, Whole};
use crate::workload::{Program, Workload};
use crate::workloads::array::Array;
use crate::workloads::bank::Bank;
use crate::workloads::boxed::{Boxed, Record};
use crate::workloads::chains::Chains;
use crate::workloads::elder::{Elder, Role};
use crate::workloads::handover::{Buffer, Dining, Ring};
use crate::workloads::pairwise::Pairwise;
use crate::workloads::set::{Set, Structure};
use crate::workloads::single::Single;
use crate::workloads::skip_list::SkipList;
use crate::workloads::swaps::Swaps;
use crate::workloads::tree::Tree;
use crate::workloads::write_many::WriteMany;

/// The name of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum EngineName {
    /// Optimist, a `TVar` for each value
    OptimistTvar,
    /// Optimist, `TCell`s in place, in one `Shared` allocation
    OptimistTcell,
    /// one `parking_lot` mutex, locked for each transaction
    Mutex,
    /// one lock that a thread keeps, and hands over when another has waited for 5 ms, as CPython's
    Gil,
    /// one `parking_lot` reader-writer lock
    RwLock,
    /// a mutex in each cell, taken in the order of addresses
    ObjectLocks,
    /// 1,024 mutexes, taken in the order of addresses
    StripedLocks,
    /// values without any synchronisation; one thread only
    Bare,
    /// `AtomicU64` words, one at a time
    Atomic,
    /// words with a seqlock each, one at a time
    Seqlock,
    /// the crate `fast-stm`
    FastStm,
    /// the crate `stm-core`
    StmCore,
    /// the crate `async-stm`
    AsyncStm,
    /// the crate `xstm`
    Xstm,
    /// the crate `kovan-stm`
    KovanStm,
    /// no transaction at all: the cost of the random choices and of the loop
    Floor,
}

impl EngineName {
    /// Whether it is an STM of somebody else.
    #[must_use]
    pub const fn is_rival(self) -> bool {
        matches!(self, Self::FastStm | Self::StmCore | Self::AsyncStm | Self::Xstm | Self::KovanStm)
    }

    /// All that are compiled.
    #[must_use]
    pub fn compiled() -> Vec<Self> {
        let is_compiled = |engine: &Self| cfg!(feature = "rivals") || !engine.is_rival();
        Self::value_variants().iter().copied().filter(is_compiled).collect()
    }
}

impl fmt::Display for EngineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_possible_value().map_or(Ok(()), |value| f.write_str(value.get_name()))
    }
}

/// A workload that can be put on an engine, or the reason why not.
pub type Pairing = Result<Box<dyn Job>, &'static str>;

/// A workload by name.
pub struct Entry {
    /// What it is called.
    pub name: String,
    /// What it is one of.
    pub group: &'static str,
    /// How many cells a transaction uses, if that is always the same.
    pub cells: Option<usize>,
    /// What a sweep varies, and the value of it here.
    pub point: Option<(&'static str, f64)>,
    /// The fewest threads that make sense.
    pub threads: usize,
    make: Box<dyn Fn(EngineName) -> Pairing>,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("name", &self.name).field("group", &self.group).finish_non_exhaustive()
    }
}

impl Entry {
    /// Makes one of a workload.
    pub fn workload(name: impl Into<String>, group: &'static str, workload: impl Workload) -> Self {
        let make = Box::new(move |engine| on_engine(engine, &workload));
        Self { name: name.into(), group, cells: None, point: None, threads: 1, make }
    }

    /// Makes one of a program.
    pub fn program(name: impl Into<String>, group: &'static str, program: impl Program) -> Self {
        let make = Box::new(move |engine| program_on_engine(engine, &program));
        Self { name: name.into(), group, cells: None, point: None, threads: 1, make }
    }

    /// Says how many cells a transaction uses.
    #[must_use]
    pub fn of_cells(self, cells: usize) -> Self {
        Self { cells: Some(cells), ..self }
    }

    /// Says where in a sweep it stands.
    #[must_use]
    pub fn at(self, what: &'static str, value: f64) -> Self {
        Self { point: Some((what, value)), ..self }
    }

    /// Says that fewer threads make no sense.
    #[must_use]
    pub fn from_threads(self, threads: usize) -> Self {
        Self { threads, ..self }
    }

    /// Puts it on an engine.
    ///
    /// # Errors
    /// Why the engine cannot run it.
    pub fn job(&self, engine: EngineName) -> Pairing {
        (self.make)(engine)
    }

    /// Whether it is meant by a name on the command line: its own, or its group's.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.group == name
    }
}

/// Evaluates an expression with `$engine` naming the type of an engine, or another one if it has none.
macro_rules! with_engine {
    (
        [$($(#[$attribute:meta])? $variant:ident: $type:ty,)*]
        $name:expr, $engine:ident => $result:expr, none => $none:expr
    ) => {
        match $name {
            $(
                $(#[$attribute])?
                EngineName::$variant => {
                    type $engine = $type;
                    $result
                }
            )*
            #[cfg(not(feature = "rivals"))]
            EngineName::FastStm
            | EngineName::StmCore
            | EngineName::AsyncStm
            | EngineName::Xstm
            | EngineName::KovanStm => Err("it is only compiled with `--features rivals`"),
            EngineName::Floor => $none,
        }
    };
    ($name:expr, $engine:ident => $result:expr, none => $none:expr) => {
        with_engine!([
            OptimistTvar: Variables,
            OptimistTcell: InlineCells,
            Mutex: GlobalMutex,
            Gil: Gil,
            RwLock: GlobalRwLock,
            ObjectLocks: ObjectLocks,
            StripedLocks: StripedLocks,
            Bare: Bare,
            Atomic: Atomics,
            Seqlock: Seqlocks,
            #[cfg(feature = "rivals")] FastStm: FastStm,
            #[cfg(feature = "rivals")] StmCore: StmCore,
            #[cfg(feature = "rivals")] AsyncStm: AsyncStm,
            #[cfg(feature = "rivals")] Xstm: Xstm,
            #[cfg(feature = "rivals")] KovanStm: KovanStm,
        ] $name, $engine => $result, none => $none)
    };
}

fn timed<E: Engine, W: Workload>(workload: &W) -> Pairing {
    match E::ABILITIES.lacking(workload.needs()) {
        None => Ok(Box::new(Timed::<E, W>::new(workload.clone()))),
        Some(why) => Err(why),
    }
}

fn whole<E: Engine, P: Program>(program: &P) -> Pairing {
    match E::ABILITIES.lacking(P::NEEDS) {
        None => Ok(Box::new(Whole::<E, P>::new(program.clone()))),
        Some(why) => Err(why),
    }
}

fn floor<W: Workload>(workload: &W) -> Pairing {
    if W::KINDS.len() > 1 || W::NEEDS.waiting {
        return Err("what a thread does depends on more than random choices");
    }
    Ok(Box::new(Floor::new(workload.clone())))
}

fn on_engine<W: Workload>(engine: EngineName, workload: &W) -> Pairing {
    with_engine!(engine, E => timed::<E, W>(workload), none => floor(workload))
}

fn program_on_engine<P: Program>(engine: EngineName, program: &P) -> Pairing {
    with_engine!(engine, E => whole::<E, P>(program), none => Err("it is a program without a floor"))
}

/// All workloads.
#[must_use]
pub fn catalogue() -> Vec<Entry> {
    let mut entries = micro();
    entries.extend(large());
    entries.extend(boxed());
    entries.extend(structures());
    entries.extend(contention());
    entries.extend(sweeps());
    entries.extend(applications::entries());
    entries
}

/// Short transactions on an array of 2^16 words.
fn micro() -> Vec<Entry> {
    let entry = |name: String, array: Array| Entry::workload(name, "micro", array).of_cells(array.used());
    let mut entries = Vec::new();
    entries.extend([1, 4, 16, 64].map(|n| entry(format!("read-{n}"), Array::read(n))));
    entries.extend([1, 4, 16, 64].map(|n| entry(format!("snapshot-{n}"), Array::snapshot(n))));
    entries.extend([1, 2, 4, 16].map(|n| entry(format!("update-{n}"), Array::update(n))));
    entries.push(entry("read-8-update-2".to_string(), Array::mixed()));
    entries.push(entry("counter".to_string(), Array::counter()));
    entries.extend([2, 32, 128].map(|n| Entry::workload(format!("swap-{n}"), "micro", Swaps(n)).of_cells(2 * n)));
    entries.extend(
        [10, 100, 1_000, 100_000].map(|n| Entry::workload(format!("write-{n}"), "micro", WriteMany(n)).of_cells(n)),
    );
    entries.push(Entry::workload("load", "micro", Single::Load).of_cells(1));
    entries.push(Entry::workload("add", "micro", Single::Add).of_cells(1));
    entries
}

/// Some of the same on an array of 2^20 words.
fn large() -> Vec<Entry> {
    let arrays = [
        ("read-1", Array::read(1)),
        ("read-16", Array::read(16)),
        ("snapshot-64", Array::snapshot(64)),
        ("update-1", Array::update(1)),
        ("update-4", Array::update(4)),
        ("update-16", Array::update(16)),
        ("read-8-update-2", Array::mixed()),
    ];
    let entry = |(name, array): (&str, Array)| {
        Entry::workload(format!("{name}-of-1m"), "large", array.of(1 << 20)).of_cells(array.used())
    };
    arrays.map(entry).into()
}

fn boxed() -> Vec<Entry> {
    vec![
        Entry::workload("string-read", "boxed", Boxed::<String>::read()),
        Entry::workload("string-update", "boxed", Boxed::<String>::update()),
        Entry::workload("record-read", "boxed", Boxed::<Record>::read()),
        Entry::workload("record-update", "boxed", Boxed::<Record>::update()),
        Entry::workload("vec-read", "boxed", Boxed::<Vec<u64>>::read()),
        Entry::workload("vec-update", "boxed", Boxed::<Vec<u64>>::update()),
    ]
}

fn structures() -> Vec<Entry> {
    fn at_shares(name: &str, structure: &impl Structure) -> Vec<Entry> {
        let entry = |updates| {
            Entry::workload(format!("{name}-{updates}"), "structures", Set { structure: structure.clone(), updates })
        };
        [0, 20, 100].map(entry).into()
    }
    let mut entries = at_shares("list", &Chains::LIST);
    entries.extend(at_shares("tree", &Tree));
    entries.extend(at_shares("skip-list", &SkipList));
    entries.extend(at_shares("hash", &Chains::HASH));
    entries
}

fn contention() -> Vec<Entry> {
    let mut entries: Vec<_> =
        [0, 10, 50].map(|audits| Entry::workload(format!("bank-{audits}"), "bank", Bank(audits))).into();
    entries.push(Entry::workload("pairwise", "pairs", Pairwise).of_cells(20));
    let elder = |name: &str, cells, role| Entry::workload(name, "elders", Elder { cells, role });
    entries.push(elder("elder", 50_000, Role::Reads));
    entries.push(elder("elder-writes", 50_000, Role::ReadsAndWrites));
    entries.push(elder("snapshot-1m", 1_000_000, Role::Snapshots).from_threads(2));
    entries.push(elder("snapshot-1m-none", 1_000_000, Role::Sleeps).from_threads(2));
    entries.push(Entry::workload("ring", "waiting", Ring).from_threads(2));
    entries.push(Entry::workload("dining", "waiting", Dining).from_threads(2));
    entries.push(Entry::workload("hand-off", "waiting", Buffer(1)).from_threads(2));
    entries.push(Entry::workload("buffer-64", "waiting", Buffer(64)).from_threads(2));
    entries
}

/// One parameter of random transactions varied, and the others kept.
fn sweeps() -> Vec<Entry> {
    let of_ten = Array { updates: 10, ..Array::read(0) };
    let mut entries = Vec::new();
    entries.extend([0.0, 0.1, 0.2, 0.5, 1.0].map(|share| {
        Entry::workload(format!("share-{:.0}", 100.0 * share), "share", Array { share, ..of_ten })
            .at("share of updates", share)
    }));
    entries.extend([1, 4, 16, 64, 256].map(|size| {
        let array = Array { updates: size - size / 2, reads: size / 2, ..of_ten };
        Entry::workload(format!("size-{size}"), "size", array).at("cells in a transaction", size as f64)
    }));
    entries.extend([0.0, 0.5, 0.9, 0.99, 1.2].map(|skew| {
        let array = Array { skew, updates: 2, ..Array::read(8) };
        Entry::workload(format!("skew-{skew}"), "skew", array).at("exponent of Zipf's law", skew)
    }));
    entries
}

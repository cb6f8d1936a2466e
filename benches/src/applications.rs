//! Applications: what the published benchmarks of transactional memory do, written from their descriptions.
//!
//! * **STAMP** (Minh, Chung, Kozyrakis, Olukotun, "STAMP: Stanford transactional applications for multi-processing",
//!   IISWC 2008): [`genome`], [`intruder`], [`kmeans`], [`labyrinth`], [`ssca2`], [`vacation`]. Each has the parameters
//!   that were published for a simulator, which are the ones to use by default, and those for real machines
//!   (`native`), with which a run takes minutes.
//! * **Lee-TM** (Ansari, Kotselidis, Jarvis, Luján, Kirkham, Watson, "Lee-TM: a non-trivial benchmark suite for
//!   transactional memory", ICA3PP 2008): [`lee`].
//! * **YCSB** (Cooper, Silberstein, Tam, Ramakrishnan, Sears, "Benchmarking cloud serving systems with YCSB",
//!   SoCC 2010): [`ycsb`].
//! * **TPC-C** (revision 5.11), two of its transactions, in memory: [`tpcc`].
//!
//! Each makes its input from a seed, outside of the time, and verifies its result.
//!
//! # Shared structures
//! A transaction takes a node from a pool of its thread and gives it back there, by cells like any others: an attempt
//! that aborts leaves nothing behind. A *lane* is the number of the thread whose pool is used.

/// Shows a struct of cells by its name alone: a cell cannot be looked at outside of a transaction.
macro_rules! debug_by_name {
    ($type:ident) => {
        impl<E: $crate::engine::Engine> std::fmt::Debug for $type<E> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($type)).finish_non_exhaustive()
            }
        }
    };
}

pub mod genome;
pub mod intruder;
pub mod kmeans;
pub mod labyrinth;
pub mod lee;
pub mod ssca2;
pub mod tpcc;
pub mod vacation;
pub mod ycsb;

mod grid;
mod pool;
mod queue;
mod routing;
mod tree;

#[cfg(test)]
mod testing;

use crate::catalogue::Entry;
use crate::workload::WrongAnswer;

/// The group of those that take minutes. They are measured only when they are asked for.
pub const NATIVE: &str = "native";

/// All applications by name.
#[must_use]
pub fn entries() -> Vec<Entry> {
    use genome::Genome;
    use intruder::Intruder;
    use kmeans::KMeans;
    use labyrinth::Labyrinth;
    use lee::Lee;
    use ssca2::Ssca2;
    use tpcc::Tpcc;
    use vacation::Vacation;
    use ycsb::Ycsb;

    vec![
        Entry::program("genome", "stamp", Genome::simulator()),
        Entry::program("intruder", "stamp", Intruder::simulator()),
        Entry::program("kmeans-low", "stamp", KMeans::low()),
        Entry::program("kmeans-high", "stamp", KMeans::high()),
        Entry::program("labyrinth", "stamp", Labyrinth::simulator()),
        Entry::program("ssca2", "stamp", Ssca2::simulator()),
        Entry::program("vacation-low", "stamp", Vacation::low()),
        Entry::program("vacation-high", "stamp", Vacation::high()),
        Entry::program("lee-reading", "lee", Lee::<false>::small()),
        Entry::program("lee-releasing", "lee", Lee::<true>::small()),
        Entry::workload("ycsb-a", "ycsb", Ycsb::A),
        Entry::workload("ycsb-b", "ycsb", Ycsb::B),
        Entry::workload("ycsb-c", "ycsb", Ycsb::C),
        Entry::program("tpcc-1", "tpcc", Tpcc::of(1)),
        Entry::program("tpcc-4", "tpcc", Tpcc::of(4)),
        Entry::program("genome-native", NATIVE, Genome::native()),
        Entry::program("intruder-native", NATIVE, Intruder::native()),
        Entry::program("kmeans-low-native", NATIVE, KMeans::low().native()),
        Entry::program("kmeans-high-native", NATIVE, KMeans::high().native()),
        Entry::program("labyrinth-native", NATIVE, Labyrinth::native()),
        Entry::program("ssca2-native", NATIVE, Ssca2::native()),
        Entry::program("vacation-low-native", NATIVE, Vacation::low().native()),
        Entry::program("vacation-high-native", NATIVE, Vacation::high().native()),
        Entry::program("lee-reading-native", NATIVE, Lee::<false>::native()),
        Entry::program("lee-releasing-native", NATIVE, Lee::<true>::native()),
        Entry::program("tpcc-16-native", NATIVE, Tpcc { transactions: 1_000_000, ..Tpcc::of(16) }),
    ]
}

/// The answer of a check that has found that `what` does not hold.
fn broken(what: &str) -> WrongAnswer {
    WrongAnswer::unless(what, false).expect_err("it does not hold")
}

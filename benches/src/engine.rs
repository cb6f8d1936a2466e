//! What an engine is: an array of words of 8 bytes, and a way to use several of them at once.
//!
//! A transaction is a type with a generic body, [`Transaction`]; the engine runs it on its own kind of [`Words`]. Each
//! engine is used as its own documentation recommends.

mod bare;
mod locked;
mod optimist;
#[cfg(feature = "rivals")]
mod rivals;

pub use bare::{Atomics, Bare};
pub use locked::Locked;
pub use optimist::{InlineCells, Variables};
#[cfg(feature = "rivals")]
pub use rivals::{FastStm, StmCore};

/// The words as a transaction may read them.
pub trait ReadWords {
    /// Why the attempt must be run again.
    type Abort;

    /// Reads the word at `index`.
    ///
    /// # Errors
    /// When the attempt must be run again.
    fn read(&mut self, index: usize) -> Result<u64, Self::Abort>;
}

/// The words as a transaction may read and write them.
pub trait Words: ReadWords {
    /// Writes the word at `index`.
    ///
    /// # Errors
    /// When the attempt must be run again.
    fn write(&mut self, index: usize, value: u64) -> Result<(), Self::Abort>;

    /// Reads the word at `index`, adds `amount`, and writes it back.
    ///
    /// # Errors
    /// When the attempt must be run again.
    fn add(&mut self, index: usize, amount: u64) -> Result<(), Self::Abort>;
}

/// The body of a transaction.
pub trait Transaction {
    /// Runs once on `words`, maybe several times until an attempt commits.
    ///
    /// # Errors
    /// What `words` says.
    fn body<W: Words>(&self, words: &mut W) -> Result<u64, W::Abort>;
}

/// The body of a transaction that only reads.
pub trait Query {
    /// Runs once on `words`, maybe several times until an attempt commits.
    ///
    /// # Errors
    /// What `words` says.
    fn body<W: ReadWords>(&self, words: &mut W) -> Result<u64, W::Abort>;
}

/// An array of words that transactions can be run on.
pub trait Engine: Send + Sync {
    /// Whether more than one thread may use it at a time.
    const IS_CONCURRENT: bool = true;

    /// Makes an array of `count` words that all hold `value`.
    fn new(count: usize, value: u64) -> Self;

    /// Runs a transaction until it commits, and returns its result.
    fn run(&self, transaction: &impl Transaction) -> u64;

    /// All words, while nobody else uses them.
    fn values(&self) -> Vec<u64>;

    /// How many attempts have aborted in conflict so far, if the engine counts them.
    fn conflicts() -> Option<u64> {
        None
    }
}

/// An engine that has a way of its own to read many words at one moment.
pub trait Snapshots: Engine {
    /// Runs a query on the words as they are at one moment.
    fn snapshot(&self, query: &impl Query) -> u64;
}

/// An engine that has a way of its own to use a single word.
pub trait SingleWords: Engine {
    /// Reads the word at `index`.
    fn load(&self, index: usize) -> u64;

    /// Adds one to the word at `index`.
    fn increment(&self, index: usize);
}

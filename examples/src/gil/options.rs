//! The command line.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::thread;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use super::index::Engine;

/// Builds an inverted index of a directory of text, with all cores, in three ways: behind one global lock, behind
/// fine-grained locks, and with transactions. Compares how fast they are, and whether they arrive at the same
/// index.
///
/// Each document is one critical section, or one transaction, and two auditors check all the while that no half of
/// a document can be seen. The documents are read into memory before. The exit status is 1 if an index differs or
/// an audit fails, and 2 if there is nothing to index.
#[derive(Clone, Debug, Parser)]
#[command(name = "gil", version)]
pub struct Options {
    /// The numbers of worker threads: a list such as 1,2,8, or the largest of them, such as 4 for 1,2,3,4
    ///
    /// Above 8, a largest number stands for doubling steps. For a single number, repeat it: 4,4. The default is the
    /// number of processors, and at least 2.
    #[arg(long, value_name = "N[,N...]", default_value_t = Threads::default())]
    pub threads: Threads,

    /// The directory to index [default: this repository]
    ///
    /// Files that are hidden, or named by a .gitignore or .ignore in it, are left out; so is what is not text, with a message.
    #[arg(long, value_name = "DIRECTORY", default_value_os_t = repository(), hide_default_value = true)]
    pub dir: PathBuf,

    /// An engine to run; may be given several times
    #[arg(long = "engine", value_name = "ENGINE", value_enum, default_value = "all", value_delimiter = ',')]
    pub engines: Vec<Choice>,

    /// For how long to measure each engine with each number of threads, in seconds
    ///
    /// The corpus is indexed again and again, completely, until the time is over.
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    pub seconds: Duration,

    /// Where to write a chart of throughput over threads, as SVG [default: target/gil.svg of this repository]
    #[arg(long, value_name = "FILE", default_value_os_t = default_chart(), hide_default_value = true)]
    pub chart: PathBuf,
}

/// What can be chosen as an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Choice {
    /// One global lock, held while a document is tokenised and added
    Gil,
    /// Fine-grained locks: one for each part of the vocabulary, taken in order
    Locks,
    /// Transactions
    Optimist,
    /// All of them
    All,
}

impl Options {
    /// The chosen engines, each once, the one to compare with first.
    #[must_use]
    pub fn chosen(&self) -> Vec<Engine> {
        let is_chosen = |engine: &Engine| {
            self.engines.iter().any(|choice| match choice {
                Choice::Gil => *engine == Engine::Gil,
                Choice::Locks => *engine == Engine::Locks,
                Choice::Optimist => *engine == Engine::Optimist,
                Choice::All => true,
            })
        };
        Engine::ALL.into_iter().filter(is_chosen).collect()
    }
}

/// The numbers of threads to measure with, ascending.
///
/// # Examples
/// ```
/// use optimist_examples::gil::options::Threads;
///
/// assert_eq!("3".parse::<Threads>().unwrap().numbers(), [1, 2, 3]);
/// assert_eq!("8,2,2".parse::<Threads>().unwrap().numbers(), [2, 8]);
/// assert!("0".parse::<Threads>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Threads(Vec<usize>);

impl Threads {
    /// More threads than this are taken for a slip of the finger.
    const MOST: usize = 1024;
    /// Up to here, all numbers are measured when a largest one is given.
    const EACH: usize = 8;

    /// The numbers.
    #[must_use]
    pub fn numbers(&self) -> &[usize] {
        &self.0
    }

    fn up_to(most: usize) -> Self {
        let doubled = std::iter::successors(Some(2 * Self::EACH), |threads| Some(2 * threads));
        let mut numbers: Vec<_> =
            (1..=Self::EACH).chain(doubled.take_while(|threads| *threads <= Self::MOST)).collect();
        numbers.retain(|threads| *threads < most);
        numbers.push(most);
        Self(numbers)
    }
}

impl Default for Threads {
    fn default() -> Self {
        Self::up_to(thread::available_parallelism().map_or(2, NonZero::get).clamp(2, Self::MOST))
    }
}

impl FromStr for Threads {
    type Err = String;

    fn from_str(list: &str) -> Result<Self, String> {
        let number = |text: &str| match text.trim().parse() {
            Ok(0) => Err("at least one thread is needed".to_owned()),
            Ok(threads) if threads <= Self::MOST => Ok(threads),
            Ok(_) => Err(format!("more than {} threads are more than make sense", Self::MOST)),
            Err(_) => Err(format!("`{text}` is no number of threads")),
        };
        let mut numbers = list.split(',').map(number).collect::<Result<Vec<usize>, _>>()?;
        if let [most] = numbers[..] {
            return Ok(Self::up_to(most));
        }
        numbers.sort_unstable();
        numbers.dedup();
        Ok(Self(numbers))
    }
}

impl std::fmt::Display for Threads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let numbers: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&numbers.join(","))
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    const MOST: f64 = 86_400.0;
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= MOST => Ok(Duration::from_secs_f64(seconds)),
        Ok(_) => Err(format!("must be more than 0 and at most {MOST}")),
        Err(_) => Err("is no number".to_owned()),
    }
}

/// The root of the repository that this program was built from.
fn repository() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_owned()
}

/// Where charts go that nobody has named a place for: a directory that is not under version control.
fn default_chart() -> PathBuf {
    repository().join("target/gil.svg")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Options::command().debug_assert();
    }

    #[test]
    fn a_largest_number_of_threads_is_reached_in_doubling_steps() {
        assert_eq!(Threads::up_to(1).numbers(), [1]);
        assert_eq!(Threads::up_to(8).numbers(), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(Threads::up_to(40).numbers(), [1, 2, 3, 4, 5, 6, 7, 8, 16, 32, 40]);
    }

    #[test]
    fn seconds_are_positive_and_finite() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for wrong in ["0", "-1", "NaN", "inf", "1e9", "soon"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn engines_are_chosen_once_each() {
        let options = Options::parse_from(["gil", "--engine", "optimist", "--engine", "gil", "--engine", "gil"]);
        assert_eq!(options.chosen(), [Engine::Gil, Engine::Optimist]);
    }
}

//! The checker: is this history what a strictly serializable, opaque memory can do?
//!
//! # Protocol
//! 1. What shows without a graph is looked for in the [index](super::index): dirty and future reads, values that
//!    nobody wrote, values that change under a reader.
//! 2. The graph of all attempts with real time must have no cycle. That is opacity: those that did not commit, all
//!    together, are readers among the others. It implies strict serializability of those that committed.
//! 3. If it has one, smaller graphs tell what is wrong, from the gravest on: committed transactions without real time
//!    (not serializable), all attempts without real time (a zombie), and then each with real time.
//! 4. If it has none, the versions of the runtime must agree with it: the [certificate](super::certificate).

use std::fmt;

use super::History;
use super::certificate;
use super::cycle::{self, Cycle};
use super::graph::{Graph, Scope};
use super::index::Index;
use super::versions::Versions;

/// What is wrong with a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anomaly {
    /// An attempt saw a write that never took effect.
    DirtyRead,
    /// Two transactions replaced the same version.
    LostUpdate,
    /// A transaction saw one part of another's effect, and missed another part.
    ReadSkew,
    /// Two transactions each missed what the other wrote.
    WriteSkew,
    /// A transaction saw two values of one cell.
    NonRepeatableRead,
    /// An attempt that did not commit saw what is not one consistent state.
    Zombie,
    /// There is an order of the transactions, but none that respects real time.
    RealTimeViolation,
    /// An attempt saw a write that had not begun.
    FutureRead,
    /// An attempt saw what nobody wrote.
    UnknownValue,
    /// An attempt did not see what it had written itself.
    OwnWriteMissed,
    /// There is no order of the transactions, for another reason.
    OtherCycle,
    /// Two commits have the same version.
    VersionTwice,
    /// An attempt saw a version that was not the newest at the moment it read or committed at.
    NotNewest,
    /// The order by version is not one that explains what was seen, or contradicts real time.
    VersionOrder,
}

impl Anomaly {
    /// What it means, in a few words.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::DirtyRead => "an attempt saw a write that never took effect",
            Self::LostUpdate => "two transactions replaced the same version",
            Self::ReadSkew => "a transaction saw one part of another's effect, and missed another part",
            Self::WriteSkew => "transactions each missed what another wrote",
            Self::NonRepeatableRead => "a transaction saw two values of one cell",
            Self::Zombie => "an attempt that did not commit saw what is not one consistent state",
            Self::RealTimeViolation => "no order of the transactions respects real time",
            Self::FutureRead => "an attempt saw a write that had not begun",
            Self::UnknownValue => "an attempt saw what nobody wrote",
            Self::OwnWriteMissed => "an attempt did not see what it had written itself",
            Self::OtherCycle => "there is no order of the transactions",
            Self::VersionTwice => "two commits have the same version",
            Self::NotNewest => "an attempt saw a version that was not the newest where it read or committed",
            Self::VersionOrder => "the order by version is not one that explains what was seen",
        }
    }
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DirtyRead => "dirty read",
            Self::LostUpdate => "lost update",
            Self::ReadSkew => "read skew",
            Self::WriteSkew => "write skew",
            Self::NonRepeatableRead => "non-repeatable read",
            Self::Zombie => "zombie",
            Self::RealTimeViolation => "real-time violation",
            Self::FutureRead => "future read",
            Self::UnknownValue => "unknown value",
            Self::OwnWriteMissed => "own write missed",
            Self::OtherCycle => "other cycle",
            Self::VersionTwice => "version twice",
            Self::NotNewest => "not the newest",
            Self::VersionOrder => "version order",
        })
    }
}

/// Why one attempt must come before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// The second saw what the first wrote to this cell.
    WriteRead(usize),
    /// The second replaced what the first wrote to this cell.
    WriteWrite(usize),
    /// The first saw a version of this cell that the second replaced, or one that is known to be older.
    ReadWrite(usize),
    /// The first had ended when `reader` began, which saw what the second wrote to this cell: so that is no older.
    SeenLater {
        /// The cell.
        cell: usize,
        /// The attempt that tells it.
        reader: usize,
    },
    /// The first had ended when the second began.
    RealTime,
}

/// That one attempt must come before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The number of the first.
    pub from: usize,
    /// The number of the second.
    pub to: usize,
    /// Why.
    pub kind: LinkKind,
}

/// An anomaly of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its name.
    pub anomaly: Anomaly,
    /// The attempts in it, by number; the report calls them A, B, ….
    pub members: Vec<usize>,
    /// The cycle, if it is one.
    pub links: Vec<Link>,
    /// What happened, if it is no cycle.
    pub message: Option<String>,
}

/// What a valid history consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// How many transactions committed.
    pub committed: usize,
    /// How many attempts did not.
    pub others: usize,
    /// How many times an attempt saw a cell as another left it.
    pub reads: usize,
    /// How many versions committed transactions made.
    pub versions: usize,
    /// Of how many of them it is not known which one they replaced.
    pub unordered: usize,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { committed, others, reads, versions, unordered } = self;
        write!(f, "{committed} committed and {others} other attempts, {reads} reads, ")?;
        write!(f, "{versions} versions ({unordered} of them blind)")
    }
}

/// Checks that a history is strictly serializable and opaque.
///
/// # Errors
/// The [`Finding`]: the gravest anomaly, with as few attempts as were found to make one.
///
/// # Complexity
/// Linear in the history but for sorting, and for the search for a small cycle, which is limited.
pub fn check(history: &History) -> Result<Summary, Box<Finding>> {
    let index = Index::new(history).map_err(Box::new)?;
    let versions = Versions::new(&index);
    let graph = |(all_attempts, real_time)| Graph::new(&index, &versions, Scope { all_attempts, real_time });
    let everything = graph((true, true));
    if !cycle::is_in(&everything) {
        certificate::check(&index, &versions, &everything).map_err(Box::new)?;
        return Ok(summary(&index, &versions));
    }
    let narrower = [(false, false), (true, false), (false, true)];
    let gravest = narrower.into_iter().find_map(|scope| cycle::smallest(&graph(scope)));
    match gravest.or_else(|| cycle::smallest(&everything)) {
        Some(cycle) => Err(Box::new(name(history, cycle))),
        None => unreachable!("there is a cycle in everything"),
    }
}

fn summary(index: &Index<'_>, versions: &Versions) -> Summary {
    let attempts = index.history.attempts();
    let committed = attempts.iter().filter(|attempt| attempt.is_committed()).count();
    let unordered = versions.blind.iter().map(Vec::len).sum();
    Summary {
        committed,
        others: attempts.len() - committed,
        reads: index.reads.iter().map(Vec::len).sum(),
        versions: versions.replaced.len() + unordered,
        unordered,
    }
}

/// Names a cycle.
fn name(history: &History, cycle: Cycle) -> Finding {
    let members: Vec<usize> = cycle.iter().map(|&(member, _)| member).collect();
    let following = members.iter().cycle().skip(1);
    let links: Vec<Link> = cycle.iter().zip(following).map(|(&(from, kind), &to)| Link { from, to, kind }).collect();
    let is_committed = members.iter().all(|&member| history.attempts()[member].is_committed());
    let is_of_time = |link: &Link| matches!(link.kind, LinkKind::RealTime | LinkKind::SeenLater { .. });
    let anomaly = if links.iter().any(is_of_time) {
        Anomaly::RealTimeViolation
    } else if !is_committed {
        Anomaly::Zombie
    } else {
        name_of_committed(history, &links)
    };
    Finding { anomaly, members, links, message: None }
}

fn name_of_committed(history: &History, links: &[Link]) -> Anomaly {
    let missed = |link: &Link| if let LinkKind::ReadWrite(cell) = link.kind { Some(cell) } else { None };
    let cells: Vec<usize> = links.iter().filter_map(missed).collect();
    let writes = |member: usize, cell: usize| {
        let events = &history.attempts()[member].events;
        events.iter().any(|event| matches!(event, super::Event::Write(written, _) if *written == cell))
    };
    let both_write = |cell: &usize| links.iter().all(|link| writes(link.from, *cell));
    let are_adjacent = |one: &Link, two: &Link| missed(one).is_some() && missed(two).is_some();
    let next = links.iter().cycle().skip(1);
    match cells.len() {
        1.. if links.len() == 2 && cells.iter().any(both_write) => Anomaly::LostUpdate,
        0 => Anomaly::OtherCycle,
        1 => Anomaly::ReadSkew,
        _ if links.iter().zip(next).any(|(one, two)| are_adjacent(one, two)) => Anomaly::WriteSkew,
        _ => Anomaly::OtherCycle,
    }
}

//! A soak: everything the runtime can do, at once, on several threads and tasks, for as long as one likes.
//!
//! # Protocol
//! 1. A `World` is made, and a crew of threads and tasks starts on it (`crew.rs`). Each does one deed after the
//!    other, chosen at random; every deed keeps the invariants, and many look at them.
//! 2. When time is up and the waits are seen to go on, a flag is raised and the world is closed, which ends every wait. The crew is joined.
//! 3. The world is audited and dropped, and then nothing may be left of it (`World::end`).
//!
//! # Invariants
//! * **S1** Money: the sum of the accounts never changes, and an account, of which each part is stored in another
//!   way, is always whole. The same holds for the sum of the field, of which most is read by those who read long.
//! * **S2** Marbles: each is always in exactly one of the stacks.
//! * **S3** Letters: what was received is what was sent, and they arrive to the end: no wake-up is lost.
//! * **S4** Tallies: what was counted by single-cell operations, hooks and transaction-local values is what was done.
//! * **S5** In the end nothing is left: every value was dropped exactly once, nobody waits, nobody is pinned, and nobody
//!   has the token.
//!
//! All counters are relaxed, so that counting does not order the threads: that would hide races from a race detector.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::counted::Census;
use crate::schedule::PATIENCE;

mod bank;
mod crew;
mod deeds;
pub mod gauge;
mod nodes;
mod partners;
mod world;

use crew::Crew;
use gauge::Gauge;
use world::World;

/// How to soak.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Threads that do deeds, beside those that wait for each other, come and go, and run tasks.
    pub threads: usize,
    /// What the random choices begin from.
    pub seed: u64,
    /// For how long.
    pub time: Duration,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// How many deeds were done.
    pub deeds: u64,
    /// How many counted values were made and dropped.
    pub values: usize,
}

/// Soaks once. Calls `every_second` with how long it has gone on.
///
/// # Errors
/// When an invariant is broken, or nothing goes on any more; says which.
pub fn run(plan: Plan, gauge: &Arc<Gauge>, mut every_second: impl FnMut(Duration)) -> Result<Outcome, String> {
    let census = Census::new();
    let wakers = Census::new();
    let world = Arc::new(World::new(&census, &wakers, Arc::clone(gauge)));
    let crew = Crew::start(&world, plan)?;
    let start = Instant::now();
    let mut seconds = 1;
    let mut last = (gauge.deeds(), Instant::now());
    while start.elapsed() < plan.time {
        thread::sleep(Duration::from_millis(20).min(plan.time));
        if crew.has_lost_one() {
            break;
        }
        if gauge.deeds() > last.0 {
            last = (gauge.deeds(), Instant::now());
        } else if last.1.elapsed() > PATIENCE {
            return Err(format!("nothing has gone on for {PATIENCE:?}: the threads hang"));
        }
        if start.elapsed() >= Duration::from_secs(seconds) {
            every_second(start.elapsed());
            seconds += 1;
        }
    }
    let post = if crew.has_lost_one() { Ok(()) } else { world.await_post() };
    world.close();
    crew.join()?;
    post?;
    let world = Arc::try_unwrap(world).map_err(|_| "somebody who has ended still holds the world".to_string())?;
    let deeds = gauge.deeds();
    world.end()?;
    left_over("values", &census)?;
    left_over("wakers", &wakers)?;
    Ok(Outcome { deeds, values: census.made() + wakers.made() })
}

/// Checks that all values of a census were dropped, and none twice.
fn left_over(what: &str, census: &Census) -> Result<(), String> {
    let start = Instant::now();
    while census.alive() > 0 && start.elapsed() < PATIENCE {
        optimist::collect();
        thread::yield_now();
    }
    match census.alive() {
        0 => Ok(()),
        alive if alive > 0 => Err(format!("{alive} of {} {what} were never dropped", census.made())),
        alive => Err(format!("of {} {what}, {} were dropped twice", census.made(), -alive)),
    }
}

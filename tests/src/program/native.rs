//! Running a program on threads of the system, or all on one.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Barrier};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use optimist::collect;

use super::judge::{Tally, judge};
use super::run::{Record, Thread, World};
use super::value::dropped_dead;
use super::{Program, Step};
use crate::counted::Census;

/// Waits that are shorter than this are spun.
const SLEPT_US_MIN: u16 = 60;

/// Runs a program on threads of its own, and judges it.
///
/// # Errors
/// What is wrong, told to a human. When threads do not end within `patience`, they are left behind.
///
/// # Panics
/// When the system gives no threads.
pub fn run(program: &Program, patience: Duration) -> Result<Tally, String> {
    let world = Arc::new(World::new(program.clone(), Some(elsewhere)));
    let crew = Crew::start(&world);
    let records = crew.finish(&world, patience)?;
    conclude(world, records, false)
}

/// Runs a program on one thread, one step of each of its threads after the other, and judges it. What happens does
/// not depend on chance.
///
/// # Errors
/// What is wrong, told to a human. A thread that does not end within `patience` is left behind.
pub fn run_alone(program: &Program, patience: Duration) -> Result<Tally, String> {
    let (sender, done) = mpsc::channel();
    let program = program.clone();
    thread::spawn(move || {
        // Who waits for it may have lost patience.
        _ = sender.send(run_here(program));
    });
    done.recv_timeout(patience).unwrap_or_else(|problem| Err(format!("it does not end: {problem}")))
}

fn run_here(program: Program) -> Result<Tally, String> {
    let world = Arc::new(World::new(program, None));
    let mut threads: Vec<_> = world.program.threads.iter().map(|steps| (Thread::new(&world), steps)).collect();
    // More would be more of the same.
    for _ in 0..world.program.rounds.min(2) {
        let longest = world.program.threads.iter().map(Vec::len).max().unwrap_or(0);
        for number in 0..longest {
            for (thread, steps) in &mut threads {
                steps.get(number).into_iter().for_each(|step| thread.step(step));
            }
        }
    }
    let mut records: Vec<Record> = threads.into_iter().flat_map(|(thread, _)| thread.finish()).collect();
    records.extend(done_by(&world, &world.rescue()));
    conclude(world, records, true)
}

fn done_by(world: &World, steps: &[Step]) -> Vec<Record> {
    let mut thread = Thread::new(world);
    steps.iter().for_each(|step| thread.step(step));
    thread.finish()
}

fn elsewhere(step: &(dyn Fn() + Sync)) {
    thread::scope(|scope| scope.spawn(step).join()).unwrap_or_else(|payload| resume_unwind(payload));
}

/// Judges what was recorded, and then whether all values have been dropped.
///
/// # Errors
/// What is wrong, told to a human.
///
/// # Panics
/// When the last look at the cells leaves no record.
pub fn conclude(world: Arc<World>, mut records: Vec<Record>, is_alone: bool) -> Result<Tally, String> {
    records.extend(world.take_rivals());
    let last = done_by(&world, &world.last_look()).pop().expect("a thread has a record");
    let tally = judge(&world, &records, &last, is_alone)?;
    let census = world.census();
    drop(world);
    check_drops(&census)?;
    Ok(tally)
}

fn check_drops(census: &Census) -> Result<(), String> {
    let begin = Instant::now();
    collect();
    while census.alive() > 0 && begin.elapsed() < Duration::from_secs(2) {
        thread::yield_now();
        collect();
    }
    match (census.alive(), dropped_dead()) {
        (0, 0) => Ok(()),
        (left, dead) => {
            Err(format!("of {} values, {left} are left; {dead} were dropped that were not alive", census.made()))
        }
    }
}

/// The threads of a run.
struct Crew {
    threads: Vec<JoinHandle<()>>,
    done: mpsc::Receiver<(usize, Result<Vec<Record>, String>)>,
    /// How many steps each has begun.
    begun: Arc<Vec<AtomicUsize>>,
}

impl Crew {
    fn start(world: &Arc<World>) -> Self {
        let count = world.program.threads.len() + 1;
        let start = Arc::new(Barrier::new(count));
        let begun: Arc<Vec<AtomicUsize>> = Arc::new((0..count).map(|_| AtomicUsize::new(0)).collect());
        let (sender, done) = mpsc::channel();
        let spawn = |number| {
            let member = Member { number, world: Arc::clone(world), begun: Arc::clone(&begun), sender: sender.clone() };
            let start = Arc::clone(&start);
            thread::spawn(move || member.work(&start))
        };
        Self { threads: (0..count).map(spawn).collect(), done, begun }
    }

    fn finish(self, world: &World, patience: Duration) -> Result<Vec<Record>, String> {
        let deadline = Instant::now() + patience;
        let mut records = Vec::new();
        let mut missing: Vec<usize> = (0..self.threads.len()).collect();
        while !missing.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok((number, result)) = self.done.recv_timeout(left) else { return Err(self.hang(world, &missing)) };
            records.extend(result.map_err(|panic| format!("thread {number} panicked: {panic}"))?);
            missing.retain(|other| *other != number);
        }
        for thread in self.threads {
            thread.join().map_err(|_| "a thread panicked at its end".to_string())?;
        }
        Ok(records)
    }

    fn hang(&self, world: &World, missing: &[usize]) -> String {
        let rescue = world.rescue();
        let step = |number: &usize| {
            let steps = world.program.threads.get(*number).unwrap_or(&rescue);
            // Relaxed: only told to a human.
            let begun = self.begun[*number].load(Ordering::Relaxed);
            let last = begun.checked_sub(1).and_then(|last| steps.get(last % steps.len()));
            format!("thread {number} hangs in {last:?}")
        };
        missing.iter().map(step).collect::<Vec<_>>().join("\n")
    }
}

/// One thread of a run.
struct Member {
    number: usize,
    world: Arc<World>,
    begun: Arc<Vec<AtomicUsize>>,
    sender: Sender<(usize, Result<Vec<Record>, String>)>,
}

impl Member {
    fn work(self, start: &Barrier) {
        let Self { number, world, begun, sender } = self;
        let result = catch_unwind(AssertUnwindSafe(|| {
            let mut thread = Thread::new(&world);
            let rescue = world.rescue();
            start.wait();
            let own = world.program.threads.get(number);
            let (steps, rounds) = own.map_or((&rescue, 1), |steps| (steps, usize::from(world.program.rounds)));
            if own.is_none() {
                pause(world.program.rescue.after_us);
            }
            for step in std::iter::repeat_n(steps, rounds).flatten() {
                // Relaxed: only told to a human.
                begun[number].fetch_add(1, Ordering::Relaxed);
                thread.step(step);
            }
            thread.finish()
        }));
        // The receiver has the cells to itself once all have sent.
        drop(world);
        let result = result.map_err(|payload| match payload.downcast::<String>() {
            Ok(message) => *message,
            Err(payload) => payload.downcast_ref::<&str>().map_or_else(String::new, ToString::to_string),
        });
        _ = sender.send((number, result));
    }
}

fn pause(time_us: u16) {
    let time = Duration::from_micros(time_us.into());
    if time_us >= SLEPT_US_MIN {
        return thread::sleep(time);
    }
    let begin = Instant::now();
    while begin.elapsed() < time {
        std::hint::spin_loop();
    }
}

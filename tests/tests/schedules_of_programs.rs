//! Random programs under random schedules: deterministic, so that what fails can be made small.
//!
//! Method: the programs of `programs.rs` are run by `shuttle`, each under a number of schedules whose seed is fixed, and
//! judged in the same way. Left out is what depends on the time or on the threads of the system: time limits, waits that
//! only those end, tasks, and rivals in the middle of an attempt, as `shuttle` starts no thread for a scope there. `OPTIMIST_TEST_SEED` is the seed of the first program, `OPTIMIST_TEST_SECONDS` says for how
//! long to look.
//!
//! Built with `--cfg optimist_shuttle` alone; run by `.ci/schedules`.
#![cfg(optimist_shuttle)]
#![forbid(unsafe_code)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, UNIX_EPOCH};

use optimist_tests::program::generate::from_seed;
use optimist_tests::program::run::{Record, Thread, World};
use optimist_tests::program::smaller::smallest;
use optimist_tests::program::{Program, Step, native};
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, FailurePersistence, MaxSteps, Runner, thread};

const SECONDS: f64 = 20.0;
const SIMPLIFY: Duration = Duration::from_secs(30);
/// Schedules of each program, half of them by PCT.
const SCHEDULES: usize = 20;
const ROUNDS_MAX: u16 = 2;
const THREADS_MAX: usize = 3;

/// The part of a program that depends on nothing but the schedule.
fn timeless(program: Program) -> Program {
    let steps = |steps: Vec<Step>| {
        let single = steps.into_iter().flat_map(|step| match step {
            Step::Tasks(transactions) => transactions.into_iter().map(Step::Run).collect(),
            other => vec![other],
        });
        let without_time = single.filter_map(|step| match step {
            Step::Run(transaction) if transaction.may_wait_for_ever() => None,
            Step::Run(mut transaction) => {
                transaction.is_timed = false;
                Some(Step::Run(transaction))
            }
            other => Some(other),
        });
        without_time.collect()
    };
    let threads = program.threads.into_iter().take(THREADS_MAX).map(steps).collect();
    Program { threads, rounds: program.rounds.min(ROUNDS_MAX), ..program }
}

fn spawn(world: &Arc<World>, steps: Vec<Step>, rounds: u16) -> thread::JoinHandle<Vec<Record>> {
    let world = Arc::clone(world);
    thread::spawn(move || {
        let mut thread = Thread::new(&world);
        std::iter::repeat_n(&steps, rounds.into()).flatten().for_each(|step| thread.step(step));
        thread.finish()
    })
}

/// Runs a program under the schedule at hand, and says what is wrong.
fn run(program: &Program) -> Result<(), String> {
    let world = Arc::new(World::new(program.clone(), None));
    let mut threads: Vec<_> =
        program.threads.iter().map(|steps| spawn(&world, steps.clone(), program.rounds)).collect();
    threads.push(spawn(&world, world.rescue(), 1));
    let records = threads.into_iter().flat_map(|thread| thread.join().expect("panics are recorded")).collect();
    native::conclude(world, records, false).map(drop)
}

/// What is wrong with a program under some schedule.
fn fails_under(program: &Program, scheduler: impl Scheduler + 'static) -> Option<String> {
    let mut config = Config::default();
    // A program that is told in full needs no schedule beside it.
    config.failure_persistence = FailurePersistence::None;
    config.stack_size = 1 << 18;
    config.max_steps = MaxSteps::FailAfter(5_000_000);
    let problem = Arc::new(Mutex::new(None));
    let (program, told) = (program.clone(), Arc::clone(&problem));
    let explored = catch_unwind(AssertUnwindSafe(|| {
        Runner::new(scheduler, config).run(move || {
            if let Err(wrong) = run(&program) {
                *told.lock().unwrap() = Some(wrong);
                panic!("the program fails");
            }
        })
    }));
    let told = problem.lock().unwrap().take();
    let payload = explored.err()?;
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default();
    // The scheduler insists on this, but a small program may have no need of it.
    (text != "test closure did not exercise any concurrency").then(|| told.unwrap_or(text))
}

fn fails(program: &Program, seed: u64) -> Option<String> {
    fails_under(program, RandomScheduler::new_from_seed(seed, SCHEDULES / 2))
        .or_else(|| fails_under(program, PctScheduler::new_from_seed(seed, 3, SCHEDULES / 2)))
}

fn given(name: &str) -> Option<f64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

#[test]
fn programs_are_right_under_every_schedule() {
    let first = given("OPTIMIST_TEST_SEED").map_or_else(
        || UNIX_EPOCH.elapsed().map_or(0, |elapsed| u64::from(elapsed.subsec_micros())),
        |seed| seed as u64,
    );
    let time = Duration::from_secs_f64(given("OPTIMIST_TEST_SECONDS").unwrap_or(SECONDS));
    println!("OPTIMIST_TEST_SEED={first}");
    let start = Instant::now();
    let mut seed = first;
    while start.elapsed() < time {
        let program = timeless(from_seed(seed));
        if fails(&program, seed).is_some() {
            // What fails on the way is not what is told.
            let hook = std::panic::take_hook();
            std::panic::set_hook(Box::new(|_| {}));
            let (program, problem) = smallest(&program, SIMPLIFY, |program| fails(program, seed)).expect("it fails");
            std::panic::set_hook(hook);
            panic!("OPTIMIST_TEST_SEED={seed} finds it again, and small it is\n{program:#?}\n{problem}");
        }
        seed += 1;
    }
    println!("{} programs under {SCHEDULES} schedules each", seed - first);
}

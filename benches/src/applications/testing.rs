//! Runs of programs and workloads for tests, and what every one of them must do: pass its check on each engine, and
//! fail it when the data is spoilt.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::thread;

use rand::SeedableRng;
use rand::rngs::SmallRng;

use crate::engine::forgetful::Forgetful;
use crate::engine::{Bare, Engine, Gil, GlobalMutex, InlineCells, Thread, Variables};
use crate::workload::{Done, Part, Program, Workload, WrongAnswer};

const SEED: u64 = 7;

/// Runs a program from its beginning to its end, spoils its data, and checks it.
pub(super) fn run<E: Engine, P: Program>(
    program: &P,
    threads: usize,
    spoil: impl FnOnce(&mut Thread<'_, E, P::Data<E>>, &mut Vec<P::Output>),
) -> Result<u64, WrongAnswer> {
    let input = program.input(SEED);
    let world = E::world(program.data::<E>(&input, threads));
    let barrier = Barrier::new(threads);
    let mut outputs = thread::scope(|scope| {
        let handles: Vec<_> = (0..threads)
            .map(|number| {
                let (world, barrier, input) = (&world, &barrier, &input);
                scope.spawn(move || {
                    let part = Part::new(number, threads, SEED, barrier);
                    program.run(input, &part, &mut Thread::<E, _>::enter(world))
                })
            })
            .collect();
        handles.into_iter().map(|handle| handle.join().expect("a thread panicked")).collect()
    });
    let mut thread = Thread::enter(&world);
    spoil(&mut thread, &mut outputs);
    program.check(&input, &mut thread, &outputs)
}

/// Asks for the same number of operations from every engine with discovery.
#[track_caller]
pub(super) fn is_right_everywhere<P: Program>(program: &P, operations: u64) {
    let done = [
        run::<Bare, P>(program, 1, |_, _| {}),
        run::<InlineCells, P>(program, 1, |_, _| {}),
        run::<InlineCells, P>(program, 3, |_, _| {}),
        run::<Variables, P>(program, 2, |_, _| {}),
        run::<GlobalMutex, P>(program, 2, |_, _| {}),
        run::<Gil, P>(program, 2, |_, _| {}),
    ];
    for done in done {
        assert_eq!(done.expect("the answer is right"), operations);
    }
}

/// Asks for the answer to be found wrong when the data, or what the threads say, is spoilt after the run.
#[track_caller]
pub(super) fn is_found<P: Program>(
    program: &P,
    spoil: impl FnOnce(&mut Thread<'_, GlobalMutex, P::Data<GlobalMutex>>, &mut Vec<P::Output>),
    complaint: &str,
) {
    let wrong = run::<GlobalMutex, P>(program, 2, spoil).expect_err("the check finds what was spoilt").to_string();
    assert!(wrong.contains(complaint), "{wrong}");
}

/// Asks for the program not to be content with an engine that loses writes: it fails its check, or meets what cannot be.
/// On one thread, since another one would wait at a barrier for the one that panics.
#[track_caller]
pub(super) fn notices_lost_writes<P: Program>(program: &P) {
    let outcome = catch_unwind(AssertUnwindSafe(|| run::<Forgetful, P>(program, 1, |_, _| {})));
    assert!(!matches!(outcome, Ok(Ok(_))), "lost writes were not found");
}

/// Runs so many transactions of a workload on each of two threads, spoils its data, and checks it.
pub(super) fn run_workload<E: Engine, W: Workload>(
    workload: &W,
    each: usize,
    spoil: impl FnOnce(&mut Thread<'_, E, W::Data<E>>, &mut Vec<Done<W::Worker>>),
) -> Result<(), WrongAnswer> {
    const THREADS: usize = 2;
    let world = E::world(workload.data::<E>(THREADS));
    let mut done = thread::scope(|scope| {
        let handles: Vec<_> = (0..THREADS)
            .map(|number| {
                let world = &world;
                scope.spawn(move || {
                    let mut thread = Thread::<E, _>::enter(world);
                    let mut random = SmallRng::seed_from_u64(SEED + number as u64);
                    let mut done = Done { counts: vec![0; W::KINDS.len()], worker: workload.worker(number, THREADS) };
                    for _ in 0..each {
                        workload.draw(&mut done.worker, &mut random);
                        let kind = workload.run(&mut done.worker, &mut thread).expect("nobody is released");
                        done.counts[kind] += 1;
                    }
                    done
                })
            })
            .collect();
        handles.into_iter().map(|handle| handle.join().expect("a thread panicked")).collect()
    });
    let mut thread = Thread::enter(&world);
    spoil(&mut thread, &mut done);
    workload.check(&mut W::Account::default(), &mut thread, &done)
}

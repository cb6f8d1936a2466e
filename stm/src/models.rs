//! Models: small programs on the real protocols, of which `loom` tries every execution that the memory model allows.
//!
//! Run by `.ci/models`. A model bounds the number of preemptions and nothing else: it ends when all executions within
//! the bound have been tried, and says how many there were.
//!
//! Each model is there for orderings and checks; which one turns red when one of them is weakened is in
//! `tests/mutants.md`, a table that the `mutants` program of the tests makes.

mod cells;
mod commits;
mod handles;
mod reclamation;
mod snapshots;
mod threads;
mod token;
mod waiting;
mod words;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use loom::cell::UnsafeCell;
use loom::thread::JoinHandle;

use crate::domain::DOMAIN;
use crate::participant::{Current, Participant};

/// Ends the process at the first panic, which is how `loom` reports: the runtime lets panics of destructors end where
/// they are, and a model must not take those for nothing.
fn end_at_a_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::abort();
    }));
}

/// Tries all executions with at most so many preemptions.
fn check(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    end_at_a_panic();
    let executions = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&executions);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 100_000;
    builder.check(move || {
        // Relaxed: a count, which is read when all is over.
        counted.fetch_add(1, Ordering::Relaxed);
        model();
        // While the statics are still there.
        Current::give_up();
    });
    // Relaxed: as above.
    println!("complete: {} executions", executions.load(Ordering::Relaxed));
}

/// Shares a value with the threads of an execution. It is never dropped, which no model is about.
fn shared<T: Sync>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

/// A thread to be: it has its participant and some records already, as their making is no part of most models.
struct Prepared(&'static Participant);

fn prepare() -> Prepared {
    let participant = DOMAIN.registry.claim();
    participant.with_garbage(|garbage| garbage.warm(3));
    Prepared(participant)
}

impl Prepared {
    fn spawn<R: 'static>(self, body: impl FnOnce() -> R + 'static) -> JoinHandle<R> {
        spawn(move || {
            Current::take_over(self.0);
            body()
        })
    }
}

/// Starts a thread, which ends its use of the runtime before it is over. In `loom`, unlike `std`, whoever joins a thread
/// does not wait for the end of its locals.
fn spawn<R: 'static>(body: impl FnOnce() -> R + 'static) -> JoinHandle<R> {
    loom::thread::spawn(|| {
        let result = body();
        Current::give_up();
        result
    })
}

/// Runs two bodies side by side.
fn both<A: 'static, B: 'static>(one: impl FnOnce() -> A + 'static, other: impl FnOnce() -> B + 'static) -> (A, B) {
    let (first, second) = (prepare(), prepare());
    let first = first.spawn(one);
    let second = second.spawn(other);
    (first.join().unwrap(), second.join().unwrap())
}

/// A boxed value of which `loom` reports uses that nothing orders behind its making, or before its end.
struct Payload(UnsafeCell<u64>);

// SAFETY: loom checks what is done with the cell.
unsafe impl Sync for Payload {}

impl Payload {
    fn new(value: u64) -> Self {
        Self(UnsafeCell::new(value))
    }

    fn add(&self) {
        // SAFETY: loom checks that nobody else uses it meanwhile.
        self.0.with_mut(|value| unsafe { *value += 1 });
    }

    fn get(&self) -> u64 {
        // SAFETY: loom checks that nobody changes it meanwhile.
        self.0.with(|value| unsafe { *value })
    }
}

impl Clone for Payload {
    fn clone(&self) -> Self {
        Self::new(self.get())
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        // SAFETY: loom checks that nobody looks at it any more.
        self.0.with_mut(|value| unsafe { *value = u64::MAX });
    }
}

//! What cells, versions and threads hold of memory, and what the first transaction of a thread costs.
//!
//! It counts the bytes asked of the allocator, so nothing of what it rounds up to is among them.
#![forbid(unsafe_code)]

use std::alloc::System;
use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use comfy_table::{CellAlignment, Table, presets};
use optimist::{Shared, TCell, TVar, atomically, collect, snapshot};
use optimist_benches::figures::{median, short, time};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const CELLS: usize = 10_000;
const THREADS: usize = 32;
const ROUNDS: usize = 200;

/// Bytes that are held after `make`, and allocations that it took, with what it returns still alive.
fn held<R>(make: impl FnOnce() -> R) -> (f64, f64) {
    let region = Region::new(ALLOCATOR);
    let kept = make();
    let change = region.change();
    drop(black_box(kept));
    (change.bytes_allocated as f64 - change.bytes_deallocated as f64, change.allocations as f64)
}

/// For each of the cells that `make` makes.
fn per_cell<R>(make: impl FnOnce() -> R) -> (f64, f64) {
    let (bytes, allocations) = held(make);
    (bytes / CELLS as f64, allocations / CELLS as f64)
}

fn record(number: u64) -> [u64; 12] {
    [number; 12]
}

/// Bytes that replaced versions of a cell hold while a reader may still ask for them, for each version.
fn per_kept_version<T: Clone + Send + Sync + 'static>(make: fn(u64) -> T) -> f64 {
    let cell = TVar::new(make(0));
    let [begun, ended] = [Barrier::new(2), Barrier::new(2)];
    thread::scope(|scope| {
        scope.spawn(|| {
            snapshot(|tx| {
                let first = cell.read(tx)?;
                begun.wait();
                ended.wait();
                Ok(first)
            })
        });
        begun.wait();
        let (bytes, _) = held(|| (0..CELLS as u64).for_each(|number| cell.store(make(number))));
        ended.wait();
        bytes / CELLS as f64
    })
}

/// Bytes of each thread that has run a transaction and is still there.
fn per_idle_thread() -> f64 {
    let cell = TVar::new(0_u64);
    let of_threads = |does_run: bool| {
        let [ready, ended] = [Barrier::new(THREADS + 1), Barrier::new(THREADS + 1)];
        let region = Region::new(ALLOCATOR);
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    if does_run {
                        atomically(|tx| cell.modify(tx, |value| *value += 1));
                    }
                    ready.wait();
                    ended.wait();
                });
            }
            ready.wait();
            let change = region.change();
            ended.wait();
            change.bytes_allocated as f64 - change.bytes_deallocated as f64
        })
    };
    // The first threads of all set up what later ones use again.
    let idle = of_threads(false);
    (of_threads(true) - idle) / THREADS as f64
}

/// Medians of the time of the first and of the second transaction of a thread.
fn first_and_second() -> [f64; 2] {
    let cell = TVar::new(0_u64);
    let add = || {
        let start = Instant::now();
        atomically(|tx| cell.modify(tx, |value| *value += 1));
        start.elapsed()
    };
    let times: Vec<[Duration; 2]> = (0..ROUNDS)
        .map(|_| thread::scope(|scope| scope.spawn(|| [add(), add()]).join().expect("it cannot panic")))
        .collect();
    [0, 1].map(|nth| median(&times.iter().map(|times| times[nth].as_nanos() as f64).collect::<Vec<_>>()))
}

fn main() {
    // What the main thread needs itself is set up before anything is counted.
    atomically(|tx| TVar::new(0_u64).modify(tx, |value| *value += 1));
    let threads = per_idle_thread();
    let numbers = || (0..CELLS as u64).collect::<Vec<_>>();
    let boxed = per_cell(|| numbers().into_iter().map(record).map(TVar::new).collect::<Vec<_>>());
    let plain = per_cell(|| numbers().into_iter().map(TVar::new).collect::<Vec<_>>());
    let cells = per_cell(|| Shared::new(numbers().into_iter().map(TCell::new).collect::<Box<[_]>>()));
    let shared = per_cell(|| numbers().into_iter().map(Shared::new).collect::<Vec<_>>());
    let kept_numbers = per_kept_version(|number| number);
    let kept_records = per_kept_version(record);
    collect();
    let [first, second] = first_and_second();

    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(["what", "bytes", "allocations"]);
    for (what, (bytes, allocations)) in [
        ("`TVar<u64>`, its handle among it", plain),
        ("`TCell<u64>` in a slice", cells),
        ("`Shared<u64>`, its handle among it", shared),
        ("`TVar` of a record of 96 bytes, its handle among it", boxed),
    ] {
        table.add_row([what.to_string(), short(bytes), short(allocations)]);
    }
    table.add_row(["replaced version of a number that a reader may ask for", &short(kept_numbers), ""]);
    table.add_row(["replaced version of a record of 96 bytes that a reader may ask for", &short(kept_records), ""]);
    table.add_row(["thread that has run a transaction and is idle", &short(threads), ""]);
    table.column_iter_mut().skip(1).for_each(|column| column.set_cell_alignment(CellAlignment::Right));
    println!("{table}\n");
    println!("first transaction of a new thread: {}; second: {}", time(first), time(second));
}

//! Once warm, a transaction on word cells allocates nothing.
//!
//! Method: an allocator that counts the allocations of each thread, and 10,000 runs of each kind of transaction. Here
//! rather than with the other tests, because an allocator is `unsafe`. All in one test: while some other thread may
//! look at what was replaced, the records of it cannot be reused, and new ones are made.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use optimist::{Atomically, Shared, TCell, TVar, atomically, snapshot};

/// The system's allocator, with a count.
struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // A thread may allocate while it ends, when its count is gone.
    _ = COUNT.try_with(|count| count.set(count.get() + 1));
}

// SAFETY: every call is passed on as it is to the system's allocator, which keeps the contract; counting neither
// allocates nor panics.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's duty is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's duty is the same.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's duty is the same.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's duty is the same.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const RUNS: usize = 10_000;

fn allocations(mut run: impl FnMut(usize)) -> u64 {
    let before = COUNT.get();
    (0..RUNS).for_each(&mut run);
    COUNT.get() - before
}

/// Runs it to warm up, and then counts.
#[track_caller]
fn allocates_nothing(what: &str, mut run: impl FnMut(usize)) {
    (0..RUNS).for_each(&mut run);
    assert_eq!(allocations(run), 0, "{what}: allocations in {RUNS} runs");
}

fn cells() -> Vec<TVar<u64>> {
    (0..1_024).map(TVar::new).collect()
}

/// A place somewhere in the cells.
fn place(run: usize, step: usize) -> usize {
    (run * 7 + step * 131) % 1_024
}

#[test]
fn a_warm_transaction_on_word_cells_allocates_nothing() {
    let boxes = allocations(|run| drop(std::hint::black_box(Box::new(run))));
    assert_eq!(boxes, RUNS as u64, "the allocator counts");
    reads_allocate_nothing();
    updates_allocate_nothing();
    a_shared_counter_allocates_nothing();
    small_values_in_slots_allocate_nothing();
    a_word_never_allocates_when_it_is_written();
}

fn reads_allocate_nothing() {
    let cells = cells();
    for count in [1, 16] {
        allocates_nothing("read", |run| {
            let read = |step| cells[place(run, step)].load();
            let sum = atomically(|tx| (0..count).map(|step| cells[place(run, step)].read(tx)).sum::<Result<u64, _>>());
            assert_eq!(sum, (0..count).map(read).sum());
        });
        allocates_nothing("read in place", |run| {
            atomically(|tx| (0..count).try_for_each(|step| cells[place(run, step)].read_ref(tx).map(|_| ())));
        });
        allocates_nothing("snapshot", |run| {
            snapshot(|tx| (0..count).map(|step| cells[place(run, step)].read(tx)).sum::<Result<u64, _>>());
        });
    }
}

fn updates_allocate_nothing() {
    let cells = cells();
    for count in [1, 4] {
        allocates_nothing("update", |run| {
            atomically(|tx| (0..count).try_for_each(|step| cells[place(run, step)].modify(tx, |value| *value += 1)));
        });
    }
    allocates_nothing("8 reads and 2 writes", |run| {
        atomically(|tx| {
            let sum = (0..8).map(|step| cells[place(run, step)].read(tx)).sum::<Result<u64, _>>()?;
            (8..10).try_for_each(|step| cells[place(run, step)].write(tx, sum % 1_000))
        });
    });
    allocates_nothing("blind writes", |run| {
        atomically(|tx| (0..4).try_for_each(|step| cells[place(run, step)].write(tx, 1)));
    });
    allocates_nothing("with options", |run| {
        let run = Atomically::new().label("limited").max_attempts(3).run(|tx| cells[place(run, 0)].replace(tx, 1));
        assert!(run.is_ok());
    });
}

fn a_shared_counter_allocates_nothing() {
    let counter = TVar::new(0_u64);
    allocates_nothing("a counter by `update`", |_| counter.update(|count| *count += 1));
    allocates_nothing("a counter by `atomically`", |_| atomically(|tx| counter.modify(tx, |count| *count += 1)));
    allocates_nothing("`store`, `swap` and `load`", |_| {
        counter.store(counter.load());
        counter.swap(1);
    });
}

fn small_values_in_slots_allocate_nothing() {
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Point {
        x: u16,
        y: u32,
    }
    let (point, choice) = (Shared::new(TCell::new(Point { x: 0, y: 0 })), TVar::new(Some(0_u32)));
    allocates_nothing("`modify` of a small struct", |_| {
        atomically(|tx| {
            point.get(tx).modify(tx, |point| {
                point.x = point.x.wrapping_add(1);
                point.y += 1;
            })
        });
    });
    assert_eq!(point.load(), Point { x: (2 * RUNS) as u16, y: 2 * RUNS as u32 });
    allocates_nothing("writing a small enum", |_| {
        atomically(|tx| choice.replace(tx, None));
        choice.store(Some(1));
    });
}

fn a_word_never_allocates_when_it_is_written() {
    // A fresh cell each time; it is the records and sets that are warm, not the cell.
    let cells: Vec<TVar<u64>> = (0..2 * RUNS as u64).map(TVar::new).collect();
    let mut next = cells.iter();
    allocates_nothing("the first write of a cell", |run| {
        let cell = next.next().expect("there are enough cells");
        if run % 2 == 0 { cell.store(1) } else { atomically(|tx| cell.write(tx, 1)) }
    });
}

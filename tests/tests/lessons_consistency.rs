//! Lessons 1, 2, 5, 9, 11, 12: what a transaction sees is one state, and what commits fits one order.
//!
//! Method: a transaction pauses in the middle of its first attempt while another thread commits; where no schedule can
//! be forced, threads run against each other for a bounded time.
#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use optimist::{Cancel, Shared, TCell, TVar, atomically, snapshot, try_atomically};
use optimist_tests::schedule::{Over, Signal, elsewhere, signal_abort, wait_until, without_hanging};

const STRESS: Duration = Duration::from_millis(300);

#[test]
fn lesson_01_or_else_write_skew() {
    let (x, y, taken) = (TVar::new(0), TVar::new(0), TVar::new(0));
    let attempts = atomically(|tx| {
        tx.or_else(
            |tx| {
                let open = x.read(tx)?;
                tx.check(open == 1)?;
                taken.write(tx, 1)
            },
            |tx| taken.write(tx, 2),
        )?;
        if tx.attempt() == 1 {
            // Whoever commits here comes before us, as it sees `taken` unwritten; so we must not go by the old `x`.
            elsewhere(|| {
                atomically(|tx| {
                    assert_eq!(taken.read(tx)?, 0);
                    x.write(tx, 1)?;
                    y.write(tx, 1)
                });
            });
        }
        Ok(tx.attempt())
    });
    assert_eq!((taken.load(), y.load(), attempts), (1, 1, 2));
}

#[test]
fn lesson_01_a_cancelled_part_is_validated_too() {
    let (x, taken) = (TVar::new(0), TVar::new(0));
    let attempts = atomically(|tx| {
        let outcome = tx.nested(|tx| if x.read(tx)? == 0 { Err(Cancel::new("closed")) } else { Ok(()) })?;
        taken.write(tx, if outcome.is_ok() { 1 } else { 2 })?;
        if tx.attempt() == 1 {
            elsewhere(|| x.store(1));
        }
        Ok(tx.attempt())
    });
    assert_eq!((taken.load(), attempts), (1, 2));
}

#[test]
fn lesson_01_both_branches_are_waited_for() {
    for opened in 0..4 {
        without_hanging(move || {
            let doors: Vec<TVar<bool>> = (0..4).map(|_| TVar::new(false)).collect();
            let asleep = Signal::new();
            let signal = asleep.sender();
            let watched = doors.clone();
            let waiter = thread::spawn(move || {
                let open = |index: usize| {
                    let door = watched[index].clone();
                    move |tx: &mut optimist::Tx<'_>| {
                        let open = door.read(tx)?;
                        tx.check(open)?;
                        Ok(index)
                    }
                };
                atomically(|tx| {
                    signal_abort(tx, &signal);
                    tx.or_else(|tx| tx.or_else(open(0), open(1)), |tx| tx.or_else(open(2), open(3)))
                })
            });
            asleep.wait();
            doors[opened].store(true);
            assert_eq!(waiter.join().unwrap(), opened);
        });
    }
}

/// Commits `a` and `b`, always equal, while a transaction that has read `a` is about to read `b`.
fn changes_between_two_reads(writes_first: bool, is_irrevocable: bool) {
    let (a, b, scratch) = (TVar::new(0_u64), TVar::new(0_u64), TVar::new(0_u64));
    let boxed = TVar::new("0".to_string());
    let outcome = try_atomically(|tx| {
        if writes_first {
            scratch.write(tx, 1)?;
        }
        let seen_a = a.read(tx)?;
        if tx.attempt() == 1 {
            elsewhere(|| {
                atomically(|tx| {
                    a.write(tx, 1)?;
                    b.write(tx, 1)?;
                    boxed.write(tx, "1".to_string())
                });
            });
        }
        if is_irrevocable {
            tx.irrevocable()?;
        }
        let seen_b = b.read(tx)?;
        let text = boxed.read_ref(tx)?;
        if seen_a != seen_b || *text != seen_a.to_string() {
            return Err(Cancel::new(format!("a={seen_a} b={seen_b} text={text}")));
        }
        Ok(())
    });
    assert_eq!(outcome, Ok(()));
}

#[test]
fn lesson_02_no_error_comes_from_a_state_that_never_was() {
    for writes_first in [false, true] {
        for is_irrevocable in [false, true] {
            changes_between_two_reads(writes_first, is_irrevocable);
        }
    }
}

#[test]
fn lesson_02_no_body_runs_on_a_state_that_never_was() {
    without_hanging(reads_equal_cells_beside_a_writer);
}

fn reads_equal_cells_beside_a_writer() {
    let cells = [TVar::new(0_u64), TVar::new(0_u64)];
    let text = TVar::new("0".to_string());
    let over = Over::new();
    thread::scope(|scope| {
        let _over = over.guard();
        scope.spawn(|| {
            let mut value = 0_u64;
            while !over.is_raised() {
                value += 1;
                atomically(|tx| {
                    cells[0].write(tx, value)?;
                    text.write(tx, value.to_string())?;
                    cells[1].write(tx, value)
                });
            }
        });
        let start = Instant::now();
        let scratch = TVar::new(0_u64);
        while start.elapsed() < STRESS {
            let result = try_atomically(|tx| {
                let first = cells[0].read(tx)?;
                scratch.write(tx, first)?;
                let text = text.read_ref(tx)?.clone();
                let second = cells[1].read(tx)?;
                assert_eq!(first, second, "a body saw a state that never was");
                // On a mixed state this would be out of bounds, or go on for ever.
                let mut steps = second - first;
                while steps != 0 {
                    steps -= 1;
                }
                if text == first.to_string() { Ok(()) } else { Err(Cancel::new(text)) }
            });
            assert_eq!(result, Ok(()));
        }
    });
}

/// Two threads that go through rounds in step.
fn in_step(rounds: u64, step: impl Fn(usize, u64) + Sync) {
    let arrived = AtomicU64::new(0);
    let run = |me: usize| {
        for round in 0..rounds {
            arrived.fetch_add(1, Ordering::SeqCst);
            let mut spins = 0;
            while arrived.load(Ordering::SeqCst) < 2 * (round + 1) {
                spins += 1;
                if spins > 200 {
                    thread::yield_now();
                }
            }
            step(me, round);
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| run(1));
        run(0);
    });
}

fn no_store_is_buffered(write_then_read: impl Fn(&TVar<u64>, &TVar<u64>, u64) -> u64 + Sync) {
    const ROUNDS: u64 = 4_000;
    let cells = [TVar::new(0), TVar::new(0)];
    let seen: [Vec<AtomicU64>; 2] = std::array::from_fn(|_| (0..ROUNDS).map(|_| AtomicU64::new(0)).collect());
    in_step(ROUNDS, |me, round| {
        let other = write_then_read(&cells[me], &cells[1 - me], round + 1);
        seen[me][round as usize].store(other, Ordering::Relaxed);
    });
    for round in 0..ROUNDS {
        let [first, second] = [0, 1].map(|me: usize| seen[me][round as usize].load(Ordering::Relaxed));
        assert!(first == round + 1 || second == round + 1, "round {round}: both saw the old value");
    }
}

#[test]
fn lesson_05_store_buffering_is_not_seen_by_transactions() {
    no_store_is_buffered(|mine, other, value| {
        atomically(|tx| {
            mine.write(tx, value)?;
            other.read(tx)
        })
    });
}

#[test]
fn lesson_05_store_buffering_is_not_seen_by_single_cells() {
    no_store_is_buffered(|mine, other, value| {
        mine.store(value);
        other.load()
    });
    no_store_is_buffered(|mine, other, value| {
        mine.update(|mine| *mine = value);
        snapshot(|tx| other.read(tx))
    });
    no_store_is_buffered(|mine, other, value| {
        atomically(|tx| mine.write(tx, value));
        atomically(|tx| other.read(tx))
    });
}

#[test]
fn lesson_09_cells_of_all_threads_are_of_one_clock() {
    without_hanging(|| {
        // Cells from threads that have ended, each of which moved the clock on before and after.
        let cells: Vec<TVar<u64>> = (0..16)
            .map(|index| {
                elsewhere(|| {
                    (0..index).for_each(|_| TVar::new(0).store(1));
                    let cell = TVar::new(0);
                    (0..16 - index).for_each(|_| cell.update(|value| *value += 1));
                    cell.store(0);
                    cell
                })
            })
            .collect();
        let reads_all = |cells: &[TVar<u64>], expected: u64| {
            assert!(cells.iter().all(|cell| cell.load() == expected));
            let by_snapshot = snapshot(|tx| cells.iter().map(|cell| cell.read(tx)).sum::<Result<u64, _>>());
            let by_transaction = atomically(|tx| cells.iter().map(|cell| cell.read(tx)).sum::<Result<u64, _>>());
            assert_eq!([by_snapshot, by_transaction], [16 * expected; 2]);
        };
        for round in 1..=8 {
            elsewhere(|| atomically(|tx| cells.iter().try_for_each(|cell| cell.modify(tx, |value| *value += 1))));
            reads_all(&cells, round);
            elsewhere(|| reads_all(&cells, round));
        }
    });
}

/// Readers of all kinds check the values that two writers put into a cell.
fn is_never_torn<T: Clone + Send + Sync + 'static>(make: fn(u64) -> T, is_whole: fn(&T) -> bool) {
    let var = TVar::new(make(0));
    let inline = Shared::new((TCell::new(make(0)), 0xAA_u8));
    let over = Over::new();
    thread::scope(|scope| {
        let _over = over.guard();
        for seed in [1_u64, 2] {
            let (var, inline, over) = (&var, &inline, &over);
            scope.spawn(move || {
                let mut value = seed;
                while !over.is_raised() {
                    value = value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(seed);
                    var.store(make(value));
                    inline.0.update(|old| *old = make(value));
                    atomically(|tx| var.write(tx, make(!value)));
                }
            });
        }
        let start = Instant::now();
        while start.elapsed() < STRESS / 6 {
            assert!(is_whole(&var.load()), "torn by `load`");
            assert!(is_whole(&inline.0.load()), "torn by `load` of an inline cell");
            assert!(atomically(|tx| Ok(is_whole(var.read_ref(tx)?))), "torn by `read_ref`");
            assert!(snapshot(|tx| Ok(is_whole(&var.read(tx)?))), "torn in a snapshot");
            assert!(atomically(|tx| inline.get(tx).0.modify(tx, |value| is_whole(value))), "torn by `modify`");
        }
    });
    assert_eq!(inline.1, 0xAA);
}

#[derive(Clone, Copy)]
struct Padded(u8, u32);

#[derive(Clone, Copy)]
#[repr(align(64))]
struct Aligned(u64, u8);

#[test]
fn lesson_11_inline_values_are_never_torn() {
    is_never_torn(|value| value << 32 | value & 0xFFFF_FFFF, |value| value >> 32 == value & 0xFFFF_FFFF);
    is_never_torn(|value| (value as u32, !value as u32), |(one, two)| *one == !*two);
    is_never_torn(|value| [value as u8; 8], |bytes| bytes.iter().all(|byte| *byte == bytes[0]));
    is_never_torn(|value| Padded(value as u8, u32::from(value as u8)), |value| u32::from(value.0) == value.1);
    is_never_torn(|value| Some(value as u32 | 1), |value| value.is_some_and(|value| value & 1 == 1));
}

#[test]
fn lesson_11_values_of_any_shape_are_never_torn() {
    is_never_torn(|value| (value, !value), |(one, two)| *one == !*two);
    let is_aligned = |value: &Aligned| std::ptr::from_ref(value).addr().is_multiple_of(64);
    assert!(is_aligned(&Aligned(0, 0)));
    is_never_torn(
        |value| Aligned(value, value as u8),
        |value| value.0 as u8 == value.1 && std::ptr::from_ref(value).addr().is_multiple_of(64),
    );
    is_never_torn(|_| (), |()| true);
    is_never_torn(|value| vec![value; 3], |list| list.len() == 3 && list[0] == list[2]);
}

/// Sums up many cells, of which a writer moves amounts between two at a time. `sum` is given a step to call half-way.
fn sums_up_beside_a_hot_writer(sum: impl Fn(&[TVar<u64>], &dyn Fn()) -> (u64, u64) + Send + 'static) {
    without_hanging(move || sums_up(sum));
}

fn sums_up(sum: impl Fn(&[TVar<u64>], &dyn Fn()) -> (u64, u64)) {
    const CELLS: usize = 50_000;
    let cells: Vec<TVar<u64>> = (0..CELLS).map(|_| TVar::new(1_000)).collect();
    let (over, commits) = (Over::new(), AtomicU64::new(0));
    thread::scope(|scope| {
        let _over = over.guard();
        scope.spawn(|| {
            let mut seed = 1_u64;
            while !over.is_raised() {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let (from, to) = (&cells[seed as usize >> 8 & 0xFF], &cells[CELLS - 1 - (seed as usize >> 16 & 0xFF)]);
                atomically(|tx| {
                    let amount = from.read(tx)?.min(1);
                    from.modify(tx, |value| *value -= amount)?;
                    to.modify(tx, |value| *value += amount)
                });
                commits.fetch_add(1, Ordering::Relaxed);
            }
        });
        for _ in 0..3 {
            let half_way = || {
                let before = commits.load(Ordering::Relaxed);
                wait_until("the writer commits", || commits.load(Ordering::Relaxed) > before + 200);
            };
            let (sum, attempts) = sum(&cells, &half_way);
            assert_eq!((sum, attempts), (1_000 * CELLS as u64, 1));
        }
    });
}

#[test]
fn lesson_12_a_long_reader_finishes_at_its_first_attempt() {
    sums_up_beside_a_hot_writer(|cells, half_way| {
        atomically(|tx| {
            let mut sum = 0;
            for (index, cell) in cells.iter().enumerate() {
                if index == cells.len() / 2 {
                    half_way();
                }
                sum += cell.read(tx)?;
            }
            Ok((sum, tx.attempt()))
        })
    });
}

#[test]
fn lesson_12_a_long_snapshot_sees_one_state() {
    sums_up_beside_a_hot_writer(|cells, half_way| {
        snapshot(|tx| {
            let mut sum = 0;
            for (index, cell) in cells.iter().enumerate() {
                if index == cells.len() / 2 {
                    half_way();
                }
                sum += *cell.read_ref(tx)?;
            }
            Ok((sum, 1))
        })
    });
}

//! Values of any shape, each dropped exactly once, whatever becomes of the cell, the attempt and the thread.
#![forbid(unsafe_code)]

use std::fmt::Debug;
use std::num::NonZero;
use std::sync::Arc;
use std::thread;

use futures::executor::block_on;
use optimist::{Atomically, Cancel, Shared, TCell, TVar, atomically, collect, snapshot, try_atomically};
use optimist_tests::counted::Census;
use optimist_tests::schedule::{Signal, collect_until, elsewhere, panic_of, signal_abort, without_hanging};

/// Puts values through every operation of a cell.
fn goes_through<T: Clone + PartialEq + Debug + Send + Sync + 'static>(values: [T; 3]) {
    let [one, two, three] = values;
    let is_aligned = |value: &T| std::ptr::from_ref(value).addr().is_multiple_of(align_of::<T>());
    let (cell, inline) = (TVar::new(one.clone()), Shared::new((1_u8, TCell::new(one.clone()), 2_u8)));
    assert_eq!(cell.load(), one);
    cell.store(two.clone());
    assert_eq!(cell.swap(three.clone()), two);
    assert_eq!(cell.update(|value| std::mem::replace(value, one.clone())), three);
    atomically(|tx| {
        let lent = cell.read_ref(tx)?;
        assert!(is_aligned(lent));
        assert_eq!(cell.replace(tx, two.clone())?, one);
        cell.modify(tx, |value| {
            assert!(is_aligned(value) && *value == two);
            *value = three.clone();
        })?;
        let buffered = cell.read_ref(tx)?;
        assert!(is_aligned(buffered));
        let outcome = tx.nested(|tx| {
            cell.write(tx, one.clone())?;
            Err::<(), _>(Cancel::new(()))
        })?;
        assert!(outcome.is_err());
        assert_eq!((lent, buffered, &cell.read(tx)?), (&one, &three, &three));
        let inner = &inline.get(tx).1;
        inner.write(tx, two.clone())?;
        inner.swap_with(tx, cell.cell(tx))
    });
    assert_eq!((cell.load(), inline.1.load(), inline.0, inline.2), (two.clone(), three.clone(), 1, 2));
    snapshot(|tx| {
        elsewhere(|| cell.store(one.clone()));
        let old = cell.read_ref(tx)?;
        assert!(is_aligned(old) && *old == two);
        Ok(())
    });
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Empty;

#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(64))]
struct Line(u8);

#[derive(Clone, Debug, PartialEq)]
#[repr(align(4096))]
struct Page(u64, String);

#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(128))]
struct EmptyLine;

#[derive(Clone, Copy, Debug, PartialEq)]
struct Padded(u8, u16, u32);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Choice {
    None,
    Byte(u8),
    Word(u32),
}

#[test]
fn values_of_any_size_and_alignment_go_through() {
    goes_through([(); 3]);
    goes_through([Empty; 3]);
    goes_through([EmptyLine; 3]);
    goes_through([1, 2, 3].map(Line));
    goes_through([1, 2, 3].map(|value| Page(value, value.to_string())));
    goes_through([1, 2, 3].map(|value| Padded(value, 7, u32::MAX)));
    goes_through([Choice::None, Choice::Byte(255), Choice::Word(7)]);
    goes_through([1, 2, 3].map(|value| (value, u128::MAX)));
    goes_through([1, 2, 3].map(|value| Arc::new(vec![value; 1 << 20])));
}

#[test]
fn large_values_go_through() {
    const SIZE: usize = 1 << 20;
    let large = || {
        let is_whole = |value: &[u8; SIZE], expected: u8| value.iter().all(|byte| *byte == expected);
        let cell = TVar::new([1_u8; SIZE]);
        atomically(|tx| {
            let lent = cell.read_ref(tx)?;
            cell.write(tx, [2; SIZE])?;
            cell.modify(tx, |value| value.fill(3))?;
            assert!(is_whole(lent, 1) && is_whole(cell.read_ref(tx)?, 3));
            Ok(())
        });
        assert!(is_whole(&cell.swap([4; SIZE]), 3));
        assert!(snapshot(|tx| Ok(is_whole(cell.read_ref(tx)?, 4))));
    };
    // Such values pass over the stack.
    thread::Builder::new().stack_size(64 << 20).spawn(large).unwrap().join().unwrap();
}

#[test]
fn values_that_are_stored_as_bits_go_through() {
    goes_through([true, false, true]);
    goes_through([None, Some(true), Some(false)]);
    goes_through(['a', '\u{10FFFF}', '\0']);
    goes_through([i8::MIN, 0, i8::MAX]);
    goes_through([i64::MIN, -1, i64::MAX]);
    goes_through([f32::MIN, -0.0, f32::INFINITY]);
    goes_through([f64::MIN, -0.0, f64::INFINITY]);
    goes_through([NonZero::new(1_u64).unwrap(), NonZero::<u64>::MAX, NonZero::<u64>::MIN]);
    goes_through([None, NonZero::new(5_i16), NonZero::new(-5_i16)]);
    goes_through([(1_u32, 2_u32), (u32::MAX, 0), (0, u32::MAX)]);
    goes_through([[1_u16, 2, 3, 4], [0; 4], [u16::MAX; 4]]);
    goes_through(["", "one", "two"]);
}

#[test]
fn a_value_with_interior_mutability_is_one_value() {
    use std::sync::atomic::{AtomicU64, Ordering};
    let cell = TVar::new(AtomicU64::new(0).into_inner());
    let shared = Shared::new(TCell::new(AtomicU64::new(0)));
    atomically(|tx| {
        cell.write(tx, 1)?;
        shared.get(tx).read_ref(tx)?.fetch_add(1, Ordering::Relaxed);
        let again = shared.get(tx).read_ref(tx)?;
        assert_eq!(again.fetch_add(1, Ordering::Relaxed), 1, "a reference, not to a copy");
        Ok(())
    });
    let seen = snapshot(|tx| Ok(shared.get(tx).read_ref(tx)?.load(Ordering::Relaxed)));
    assert_eq!(seen, 2);
}

/// All that can become of a value.
fn lives(census: &Census) {
    let (cell, other) = (TVar::new(census.make(0)), TVar::new(census.make(1)));
    let bait = TVar::new(0);
    for round in 0..40 {
        cell.store(census.make(round));
        drop(cell.swap(census.make(round)));
        cell.update(|value| value.value += 1);
        atomically(|tx| {
            cell.write(tx, census.make(round))?;
            cell.write(tx, census.make(round))?;
            cell.swap_with(tx, &other)?;
            cell.modify(tx, |value| value.value += 1)?;
            let lent = cell.read_ref(tx)?;
            cell.modify(tx, |value| value.value += lent.value)?;
            bait.read(tx)?;
            if tx.attempt() == 1 {
                elsewhere(|| bait.update(|value| *value += 1));
            }
            let outcome = tx.nested(|tx| {
                other.modify(tx, |value| value.value = 9)?;
                cell.write(tx, census.make(9))?;
                TVar::new(census.make(9)).write(tx, census.make(10))?;
                if round % 2 == 0 { Err(Cancel::new(census.make(11))) } else { Ok(census.make(12)) }
            })?;
            tx.or_else(
                |tx| {
                    other.modify(tx, |value| value.value = 8)?;
                    cell.replace(tx, census.make(8))?;
                    tx.retry()
                },
                |tx| other.write(tx, census.make(round)),
            )?;
            let hooked = census.make(13);
            tx.after_commit(move || drop(hooked));
            drop(outcome);
            bait.modify(tx, |value| *value += 1)
        });
        let outcome = try_atomically(|tx| {
            cell.write(tx, census.make(14))?;
            Err::<(), _>(Cancel::new(census.make(15)))
        });
        drop(outcome);
        panic_of(|| atomically(|tx| cell.write(tx, census.make(16)).map(|()| panic!("on purpose"))));
        block_on(Atomically::new().run_async(|tx| cell.write(tx, census.make(17)))).unwrap();
        let stopped = Atomically::new().max_attempts(1).run(|tx| {
            bait.read(tx)?;
            cell.write(tx, census.make(18))?;
            tx.retry::<()>()
        });
        assert!(stopped.is_err());
        drop(snapshot(|tx| cell.read(tx)));
    }
}

#[test]
fn every_value_is_dropped_once() {
    let census = Census::new();
    lives(&census);
    collect_until("all values have been dropped", || census.alive() == 0);
    assert!(census.made() > 40 * 20);
}

#[test]
fn every_value_of_a_thread_that_has_ended_is_dropped_once() {
    let census = Census::new();
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let census = census.clone();
            thread::spawn(move || lives(&census))
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    collect_until("all values have been dropped", || census.alive() == 0);
}

#[test]
fn values_of_shared_nodes_are_dropped_once() {
    struct Node(#[expect(dead_code, reason = "it is only counted")] optimist_tests::counted::Counted, TCell<Link>);
    type Link = Option<Shared<Node>>;
    let census = Census::new();
    let top: TVar<Link> = TVar::new(None);
    let push = |value| {
        atomically(|tx| {
            let next = TCell::new(top.read(tx)?);
            top.write(tx, Some(Shared::new(Node(census.make(value), next))))
        });
    };
    (0..100).for_each(push);
    assert_eq!(census.alive(), 100);
    for _ in 0..50 {
        atomically(|tx| {
            let next = match top.read_ref(tx)? {
                Some(node) => node.get(tx).1.read(tx)?,
                None => None,
            };
            top.write(tx, next)
        });
    }
    collect_until("the nodes that were taken off have been dropped", || census.alive() == 50);
    drop(top);
    collect_until("all nodes have been dropped", || census.alive() == 0);
    assert_eq!(census.made(), 100);
}

#[test]
fn values_do_not_pile_up_behind_a_busy_writer() {
    let census = Census::new();
    let cell = TVar::new(census.make(0));
    // Another test may look at cells for a while, even for a time slice, and then it takes longer.
    let tidied = (0..10_000_000).any(|round| {
        cell.store(census.make(round));
        round > 10_000 && census.alive() < 1000
    });
    assert!(tidied, "{} values are alive", census.alive());
    collect_until("only the last value is left", || census.alive() == 1);
}

#[test]
fn collecting_inside_a_transaction_does_nothing() {
    let census = Census::new();
    let cell = TVar::new(census.make(0));
    cell.store(census.make(1));
    atomically(|tx| {
        collect();
        let lent = cell.read_ref(tx)?;
        elsewhere(|| cell.store(census.make(2)));
        collect();
        assert_eq!(lent.value, 1);
        Ok(())
    });
    collect_until("only the last value is left", || census.alive() == 1);
}

#[test]
fn forgotten_handles_harm_nobody() {
    without_hanging(|| {
        let census = Census::new();
        let cell = TVar::new(census.make(0));
        std::mem::forget(cell.clone());
        let node = Shared::new(TCell::new(census.make(1)));
        std::mem::forget(node.clone());
        // Futures that are never polled again and never dropped: one waits for a change, one for the token.
        let door = TVar::new(false);
        let waits = |tx: &mut optimist::Tx<'_>| {
            let open = door.read(tx)?;
            tx.check(open)
        };
        let mut future = Box::pin(Atomically::new().run_async(waits));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(future.as_mut().poll(&mut context).is_pending());
        std::mem::forget(future);
        let mut future = Box::pin(Atomically::new().timeout(std::time::Duration::from_millis(1)).run_async(waits));
        assert!(future.as_mut().poll(&mut context).is_pending());
        std::mem::forget(future);
        door.store(true);
        atomically(waits);
        cell.store(census.make(2));
        node.store(census.make(3));
        drop((cell, node));
        collect_until("what was replaced has been dropped", || census.alive() == 2);
    });
}

#[test]
fn a_cell_dropped_while_a_task_waits_for_it_harms_nobody() {
    without_hanging(|| {
        let asleep = Signal::new();
        let signal = asleep.sender();
        let (slot, door) = (TVar::new(Some(TVar::new(false))), TVar::new(false));
        let (their_slot, their_door) = (slot.clone(), door.clone());
        let waiter = thread::spawn(move || {
            atomically(|tx| {
                signal_abort(tx, &signal);
                // The last attempt reads the door alone.
                if let Some(inner) = their_slot.read_ref(tx)? {
                    inner.read(tx)?;
                }
                let open = their_door.read(tx)?;
                tx.check(open)
            });
        });
        asleep.wait();
        slot.store(None);
        asleep.wait();
        collect();
        // New cells, some perhaps at the same address.
        (0..100).for_each(|_| TVar::new(false).store(true));
        door.store(true);
        waiter.join().unwrap();
    });
}

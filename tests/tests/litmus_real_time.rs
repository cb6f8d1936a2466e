//! Stale and future reads: what begins after another has returned sees it, and nothing is seen before it is begun.
//!
//! Method: rounds in step for the first; for the second, threads that note what they begin. All ways to write are met by
//! all ways to read.
#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicU64, Ordering};

use optimist::{TVar, atomically};
use optimist_tests::litmus::{Run, litmus, round_of, who};
use optimist_tests::schedule::elsewhere;
use optimist_tests::ways::{Value, reads, replaces, writes};

/// One thread writes and says so, the other begins to read when it has been told.
fn no_stale_read<T: Value>(run: &Run) {
    let cell = TVar::new(T::of(0));
    let (writes, reads) = (writes::<T>(), reads::<T>());
    // SeqCst, twice: it is the real time of which the test speaks.
    let returned = AtomicU64::new(0);
    run.in_step(
        |turn| {
            if turn.thread == 0 {
                let (how, write) = writes[turn.below(writes.len())];
                write(&cell, turn.id());
                returned.store(turn.id(), Ordering::SeqCst);
                (how, 0, 0)
            } else {
                turn.dawdle();
                let before = returned.load(Ordering::SeqCst);
                let (how, read) = reads[turn.below(reads.len())];
                (how, before, read(&cell))
            }
        },
        |round, [(how_written, ..), (how_read, before, seen)]: [(&str, u64, u64); 2]| {
            assert!(
                seen >= before,
                "stale read: in round {round} {how_read} saw {} after {} had returned (by {how_written}, if in this round)",
                who(seen),
                who(before)
            );
        },
    );
}

#[test]
fn stale_read() {
    litmus(|run| {
        no_stale_read::<u64>(&run.part_of(2));
        no_stale_read::<[u64; 4]>(&run.part_of(2));
    });
}

/// The same where it is certain: on one thread after another.
#[test]
fn stale_read_of_what_has_returned() {
    fn check<T: Value>() {
        let cell = TVar::new(T::of(0));
        let mut next = 0;
        let seen_by_all = |how: &str, id: u64| {
            for (read_how, read) in reads::<T>() {
                for seen in [read(&cell), elsewhere(|| read(&cell))] {
                    assert_eq!(seen, id, "stale read: {read_how} after {how}");
                }
            }
        };
        for (how, write) in writes::<T>() {
            next += 1;
            elsewhere(|| write(&cell, next));
            seen_by_all(how, next);
        }
        for (how, replace) in replaces::<T>() {
            assert_eq!(elsewhere(|| replace(&cell, next + 1)), next, "stale read: {how} replaced something else");
            next += 1;
            seen_by_all(how, next);
        }
    }
    litmus(|_| {
        check::<u64>();
        check::<[u64; 4]>();
    });
}

/// A reader that begins when a transaction is in the middle sees nothing of it; one that has seen it sees it ever after.
fn no_future_read<T: Value>(run: &Run) {
    const WRITERS: usize = 2;
    let cells: [TVar<T>; WRITERS] = std::array::from_fn(|_| TVar::new(T::of(0)));
    let (writes, reads) = (writes::<T>(), reads::<T>());
    // SeqCst, everywhere: it is the real time of which the test speaks.
    let begun: [AtomicU64; WRITERS] = std::array::from_fn(|_| AtomicU64::new(0));
    let newest_seen: [AtomicU64; WRITERS] = std::array::from_fn(|_| AtomicU64::new(0));
    run.repeat(4, |turn| {
        if turn.thread < WRITERS {
            begun[turn.thread].store(turn.id(), Ordering::SeqCst);
            writes[turn.below(writes.len())].1(&cells[turn.thread], turn.id());
            return;
        }
        let (cell, (how, read)) = (turn.below(WRITERS), reads[turn.below(reads.len())]);
        let before = newest_seen[cell].load(Ordering::SeqCst);
        let seen = read(&cells[cell]);
        let latest = begun[cell].load(Ordering::SeqCst);
        assert!(seen <= latest, "future read: {how} saw in cell {cell} {}, which has not begun", who(seen));
        assert!(
            seen >= before,
            "a version goes back: {how} saw in cell {cell} {} after {} had been seen",
            who(seen),
            who(before)
        );
        newest_seen[cell].fetch_max(seen, Ordering::SeqCst);
    });
}

#[test]
fn future_read() {
    litmus(|run| {
        no_future_read::<u64>(&run.part_of(2));
        no_future_read::<[u64; 4]>(&run.part_of(2));
    });
}

/// Two cells that one thread writes one after the other: nobody sees the second without the first.
#[test]
fn real_time_order_of_two_transactions_is_kept() {
    litmus(|run| {
        let (first, second) = (TVar::new(0_u64), TVar::new(0_u64));
        let (writes, reads) = (writes::<u64>(), reads::<u64>());
        run.repeat(3, |turn| {
            if turn.thread == 0 {
                writes[turn.below(writes.len())].1(&first, turn.id());
                writes[turn.below(writes.len())].1(&second, turn.id());
                return;
            }
            let together = turn.below(2) == 0;
            let [two, one] = if together {
                atomically(|tx| {
                    let two = second.read(tx)?;
                    turn.dawdle();
                    Ok([two, first.read(tx)?])
                })
            } else {
                [&second, &first].map(|cell| reads[turn.below(reads.len())].1(cell))
            };
            assert!(
                round_of(one) >= round_of(two),
                "stale read: {} was seen in the second cell, then only {} in the first",
                who(two),
                who(one)
            );
        });
    });
}

//! Write skew: of transactions that each read what the next one writes, one sees what another did.
//!
//! Method: rounds in step. In each, a thread writes its own cell if it has not seen that its neighbour has written in
//! this round. If all write, no order explains it. What differs is how the neighbour's cell is read.
#![forbid(unsafe_code)]

use futures::executor::block_on;
use optimist::{Atomically, Cancel, Stm, TVar, TryStm, Tx, atomically, try_atomically};
use optimist_tests::litmus::{Run, Turn, litmus, on_threads, round_of};
use optimist_tests::schedule::elsewhere;

/// What one transaction works on.
struct Place<'a> {
    mine: &'a TVar<u64>,
    neighbour: &'a TVar<u64>,
    /// What some thread writes all the time.
    hot: &'a TVar<u64>,
}

impl Place<'_> {
    /// Whether the neighbour has written in this round.
    fn is_late(&self, tx: &mut Tx<'_>, round: u64) -> Stm<bool> {
        Ok(round_of(self.neighbour.read(tx)?) == Some(round))
    }
}

/// A way to write one's own cell unless the neighbour has written; returns whether it did.
type Way = (&'static str, fn(&Place<'_>, &mut Turn<'_>) -> bool);

fn plain(place: &Place<'_>, turn: &mut Turn<'_>) -> bool {
    atomically(|tx| write_unless_late(tx, place, turn))
}

fn write_unless_late(tx: &mut Tx<'_>, place: &Place<'_>, turn: &mut Turn<'_>) -> Stm<bool> {
    if place.is_late(tx, turn.round)? {
        return Ok(false);
    }
    turn.dawdle();
    place.mine.write(tx, turn.id())?;
    turn.dawdle();
    Ok(true)
}

fn writes_first(place: &Place<'_>, turn: &mut Turn<'_>) -> bool {
    let outcome = try_atomically(|tx| {
        place.mine.write(tx, turn.id())?;
        turn.dawdle();
        if place.is_late(tx, turn.round)? { Err(Cancel::new(())) } else { Ok(()) }
    });
    outcome.is_ok()
}

/// That the first branch could not go on is all that keeps the second from being wrong.
fn through_or_else(place: &Place<'_>, turn: &mut Turn<'_>) -> bool {
    atomically(|tx| {
        let first = |tx: &mut Tx<'_>| {
            let late = place.is_late(tx, turn.round)?;
            tx.check(late)?;
            Ok(false)
        };
        let is_free = tx.or_else(first, |_| Ok(true))?;
        if is_free {
            turn.dawdle();
            place.mine.write(tx, turn.id())?;
        }
        Ok(is_free)
    })
}

/// The neighbour's cell is read in a part that is cancelled.
fn through_nested(place: &Place<'_>, turn: &mut Turn<'_>) -> bool {
    atomically(|tx| {
        let part = |tx: &mut Tx<'_>| -> TryStm<(), ()> {
            if place.is_late(tx, turn.round)? { Ok(()) } else { Err(Cancel::new(())) }
        };
        let is_free = tx.nested(part)?.is_err();
        if is_free {
            turn.dawdle();
            place.mine.write(tx, turn.id())?;
        }
        Ok(is_free)
    })
}

/// What has changed meanwhile sends the transaction into the past, where its snapshot is no ground for a write.
fn after_a_snapshot(place: &Place<'_>, turn: &mut Turn<'_>) -> bool {
    atomically(|tx| {
        place.hot.read(tx)?;
        let late = place.is_late(tx, turn.round)?;
        turn.dawdle();
        place.hot.read(tx)?;
        if !late {
            place.mine.write(tx, turn.id())?;
        }
        Ok(!late)
    })
}

fn irrevocable_before(place: &Place<'_>, turn: &mut Turn<'_>) -> bool {
    atomically(|tx| {
        tx.irrevocable()?;
        write_unless_late(tx, place, turn)
    })
}

fn irrevocable_between(place: &Place<'_>, turn: &mut Turn<'_>) -> bool {
    atomically(|tx| {
        let late = place.is_late(tx, turn.round)?;
        turn.dawdle();
        tx.irrevocable()?;
        turn.dawdle();
        if !late {
            place.mine.write(tx, turn.id())?;
        }
        Ok(!late)
    })
}

fn as_a_task(place: &Place<'_>, turn: &mut Turn<'_>) -> bool {
    block_on(Atomically::new().run_async(|tx| write_unless_late(tx, place, turn))).expect("it has no limits")
}

const WAYS: [Way; 8] = [
    ("plainly", plain),
    ("writing first", writes_first),
    ("through `or_else`", through_or_else),
    ("through `nested`", through_nested),
    ("after a snapshot", after_a_snapshot),
    ("irrevocable", irrevocable_before),
    ("irrevocable between", irrevocable_between),
    ("as a task", as_a_task),
];

/// Runs a ring of `N` threads, each of which goes one of these ways.
fn no_write_skew<const N: usize>(run: &Run, ways: &[Way]) {
    let (cells, hot): ([TVar<u64>; N], _) = (std::array::from_fn(|_| TVar::new(0)), TVar::new(0));
    run.in_step(
        |turn| {
            let place = Place { mine: &cells[turn.thread], neighbour: &cells[(turn.thread + 1) % N], hot: &hot };
            let (how, go) = ways[turn.below(ways.len())];
            let wrote = go(&place, turn);
            // For who is on the way into the past.
            hot.store(turn.id());
            (how, wrote)
        },
        |round, outcomes: [(&str, bool); N]| {
            let hows = outcomes.map(|(how, _)| how);
            assert!(
                !outcomes.iter().all(|(_, wrote)| *wrote),
                "write skew: in round {round} each of {N} threads wrote its cell, having read the next one's before that \
                 was written ({hows:?})"
            );
            assert!(outcomes.iter().any(|(_, wrote)| *wrote), "in round {round} nobody wrote: {hows:?}");
        },
    );
}

#[test]
fn write_skew_plain() {
    litmus(|run| no_write_skew::<2>(run, &WAYS[..1]));
}

#[test]
fn write_skew_plain_having_written_first() {
    litmus(|run| no_write_skew::<2>(run, &WAYS[..2]));
}

#[test]
fn write_skew_through_or_else() {
    litmus(|run| no_write_skew::<2>(run, &WAYS[2..3]));
}

#[test]
fn write_skew_through_nested() {
    litmus(|run| no_write_skew::<2>(run, &WAYS[3..4]));
}

#[test]
fn write_skew_after_a_snapshot() {
    litmus(|run| no_write_skew::<3>(run, &WAYS[4..5]));
}

#[test]
fn write_skew_beside_the_token() {
    litmus(|run| {
        no_write_skew::<2>(&run.part_of(2), &[WAYS[0], WAYS[5], WAYS[6]]);
        no_write_skew::<3>(&run.part_of(2), &[WAYS[0], WAYS[6]]);
    });
}

#[test]
fn write_skew_of_two_or_three_in_all_ways() {
    litmus(|run| {
        no_write_skew::<2>(&run.part_of(2), &WAYS);
        no_write_skew::<3>(&run.part_of(2), &WAYS);
    });
}

/// Commits to one of many cells that were read, when all has been read: wherever it is, it is noticed.
#[test]
fn write_skew_at_any_place_of_the_read_set() {
    litmus(|_| {
        for size in [1, 2, 3, 12, 13, 40] {
            for changed in 0..size {
                let cells: Vec<TVar<u64>> = (0..size).map(|_| TVar::new(0)).collect();
                let (mine, theirs) = (TVar::new(0), TVar::new(0));
                let attempts = atomically(|tx| {
                    let sum = cells.iter().map(|cell| cell.read(tx)).sum::<Stm<u64>>()?;
                    mine.write(tx, 1 + sum)?;
                    if tx.attempt() == 1 {
                        // It has not seen `mine` written, so it comes first.
                        elsewhere(|| {
                            atomically(|tx| {
                                assert_eq!(mine.read(tx)?, 0);
                                theirs.write(tx, 1)?;
                                cells[changed].write(tx, 1)
                            });
                        });
                    }
                    Ok(tx.attempt())
                });
                assert_eq!(
                    (mine.load(), attempts),
                    (2, 2),
                    "write skew: of {size} cells read, a commit to number {changed} was not noticed"
                );
            }
        }
    });
}

/// A read in the past is of a state that is over, so that nothing may be written on its account.
#[test]
fn write_skew_after_a_snapshot_of_what_has_changed() {
    litmus(|_| {
        let [hot, open, mine]: [TVar<u64>; 3] = std::array::from_fn(|_| TVar::new(0));
        let attempts = atomically(|tx| {
            let first = hot.read(tx)?;
            if tx.attempt() == 1 {
                elsewhere(|| {
                    atomically(|tx| {
                        assert_eq!(mine.read(tx)?, 0);
                        hot.write(tx, 1)?;
                        open.write(tx, 1)
                    });
                });
            }
            let seen = open.read(tx)?;
            assert_eq!(first, seen, "read skew: before and after what another wrote");
            mine.write(tx, 1 + seen)?;
            Ok(tx.attempt())
        });
        assert_eq!((mine.load(), attempts), (2, 2), "write skew: a snapshot of the past became a write of the present");
    });
}

/// Two savers may each overdraw alone; a third transaction that only reads must not see what excludes their order.
#[test]
fn read_only_transaction_anomaly() {
    litmus(|run| {
        let cells: [TVar<u64>; 2] = std::array::from_fn(|_| TVar::new(0));
        run.in_step(
            |turn| {
                let (round, id) = (turn.round, turn.id());
                let is_new = |seen: u64| round_of(seen) == Some(round);
                match turn.thread {
                    // Reads both, writes the first.
                    0 => atomically(|tx| {
                        let seen = cells[1].read(tx)?;
                        turn.dawdle();
                        cells[0].write(tx, id)?;
                        Ok([false, is_new(seen)])
                    }),
                    1 => {
                        cells[1].update(|value| *value = id);
                        [false, false]
                    }
                    _ => {
                        let read = |tx: &mut Tx<'_>| {
                            let first = cells[0].read(tx)?;
                            turn.dawdle();
                            Ok([is_new(first), is_new(cells[1].read(tx)?)])
                        };
                        atomically(read)
                    }
                }
            },
            |round, [[_, first_saw_second], _, [first, second]]: [[bool; 2]; 3]| {
                // The reader saw the second write and not the first one; so the first transaction comes after it.
                assert!(
                    first || !second || first_saw_second,
                    "read-only transaction anomaly: in round {round} thread 2 saw what thread 1 wrote and not what thread 0 \
                     wrote, which had not seen what thread 1 wrote"
                );
            },
        );
    });
}

#[test]
fn write_skew_of_a_crowd_on_call() {
    litmus(|run| {
        // Somebody is always on call: who leaves has seen that another one stays.
        let on_call: Vec<TVar<bool>> = (0..4).map(|_| TVar::new(true)).collect();
        run.repeat(4, |turn| {
            let me = turn.thread;
            let left = atomically(|tx| {
                let mut others = 0;
                for (doctor, is_on_call) in on_call.iter().enumerate() {
                    others += u32::from(is_on_call.read(tx)? && doctor != me);
                }
                turn.dawdle();
                on_call[me].write(tx, others == 0)?;
                Ok(others)
            });
            let there = atomically(|tx| on_call.iter().map(|doctor| doctor.read(tx).map(u32::from)).sum::<Stm<u32>>());
            assert!(there > 0, "write skew: nobody is on call in round {}; {left} were when {me} left", turn.round);
            on_call[me].store(true);
        });
        on_threads(1, |_| assert!(on_call.iter().all(TVar::load)));
    });
}

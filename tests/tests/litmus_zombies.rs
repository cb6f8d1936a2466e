//! Zombies: no body, not even of an attempt that is about to lose, runs on a state that never was.
//!
//! Method: writers keep an invariant across cells. Bodies rely on it so that a mixed state would make them loop too long, go
//! out of bounds or divide by zero; they dawdle between their reads, read more than they need, and then commit, cancel,
//! lose or wait.
#![forbid(unsafe_code)]

use optimist::{Atomically, Cancel, ReadTx, Shared, Stm, TCell, TVar, Tx, atomically, snapshot};
use optimist_tests::litmus::{Run, Turn, litmus, who};
use optimist_tests::schedule::elsewhere;

/// Cells of which some thread writes one all the time, so that readers have to extend.
struct Noise(Vec<TVar<u64>>);

impl Noise {
    fn new() -> Self {
        Self((0..3).map(|_| TVar::new(0)).collect())
    }

    fn make(&self, turn: &mut Turn<'_>) {
        self.0[turn.below(3)].store(turn.id());
    }

    /// Dawdles, and may read a cell, which makes the attempt extend, and lose in the end.
    fn hear<'tx>(&self, tx: &mut impl ReadTx<'tx>, turn: &mut Turn<'_>) -> Stm<()> {
        turn.dawdle();
        if turn.below(2) == 0 {
            self.0[turn.below(3)].read(tx)?;
        }
        turn.dawdle();
        Ok(())
    }
}

/// Runs the body in a transaction that ends in one of many ways, often badly.
fn somehow(turn: &mut Turn<'_>, noise: &Noise, body: impl Fn(&mut Tx<'_>, &mut Turn<'_>) -> Stm<()>) {
    let scratch = TVar::new(0_u64);
    let kind = turn.below(6);
    let limited = Atomically::new().max_attempts(3);
    let outcome = limited.try_run(|tx| {
        if kind == 1 {
            scratch.write(tx, 1)?;
        }
        if kind == 2 {
            noise.0[0].read(tx)?;
        }
        if kind == 3 {
            let undone = tx.nested(|tx| {
                body(tx, turn)?;
                Err::<(), _>(Cancel::new(()))
            })?;
            assert!(undone.is_err());
        } else {
            body(tx, turn)?;
        }
        match kind {
            // It has read what changes all the time, so it loses.
            2 => noise.0[1].modify(tx, |value| *value += 1)?,
            4 => return Err(Cancel::new(())),
            5 => {
                let two = |tx: &mut Tx<'_>| body(tx, turn);
                tx.or_else(|tx| tx.retry(), two)?;
            }
            _ => {}
        }
        Ok(())
    });
    // What matters is what the body saw.
    _ = outcome;
}

/// Two threads run bodies, one changes what they rely on, and one makes noise.
fn haunt(
    run: &Run,
    change: impl Fn(&mut Turn<'_>) + Sync,
    body: impl Fn(&mut Tx<'_>, &Noise, &mut Turn<'_>) -> Stm<()> + Sync,
) {
    let noise = Noise::new();
    run.repeat(4, |turn| match turn.thread {
        0 => change(turn),
        1 => noise.make(turn),
        _ => somehow(turn, &noise, |tx, turn| body(tx, &noise, turn)),
    });
}

#[test]
fn zombie_by_unequal_cells() {
    litmus(|run| {
        let cells: [TVar<u64>; 3] = std::array::from_fn(|_| TVar::new(0));
        let change = |turn: &mut Turn<'_>| atomically(|tx| cells.iter().try_for_each(|cell| cell.write(tx, turn.id())));
        haunt(run, change, |tx, noise, turn| {
            let start = turn.below(3);
            let first = cells[start].read(tx)?;
            for step in 1..3 {
                noise.hear(tx, turn)?;
                let place = (start + step) % 3;
                let other = cells[place].read(tx)?;
                assert_eq!(first, other, "zombie: cell {start} held {}, cell {place} {}", who(first), who(other));
            }
            Ok(())
        });
    });
}

#[test]
fn zombie_by_loop_bounds() {
    litmus(|run| {
        const WIDTH: u64 = 5;
        let (low, high) = (TVar::new(0_u64), TVar::new(WIDTH));
        let change = |turn: &mut Turn<'_>| {
            let by = turn.below(1_000) as u64;
            atomically(|tx| {
                low.write(tx, by)?;
                turn.dawdle();
                high.write(tx, by + WIDTH)
            });
        };
        haunt(run, change, |tx, noise, turn| {
            let is_down = turn.below(2) == 0;
            let (mut steps, start) = (0, if is_down { high.read(tx)? } else { low.read(tx)? });
            noise.hear(tx, turn)?;
            let end = if is_down { low.read(tx)? } else { high.read(tx)? };
            let mut at = start;
            while at != end {
                assert!(steps < WIDTH, "zombie: a loop runs away, from {start} to {end}");
                at = if is_down { at.wrapping_sub(1) } else { at + 1 };
                steps += 1;
            }
            Ok(())
        });
    });
}

#[test]
fn zombie_by_an_index_out_of_bounds() {
    litmus(|run| {
        // The place is one of the list, which grows and shrinks.
        let (list, place) = (TVar::new(vec![9_u64; 9]), TVar::new(8_usize));
        let change = |turn: &mut Turn<'_>| {
            let len = 1 + turn.below(9);
            atomically(|tx| {
                list.write(tx, vec![len as u64; len])?;
                place.write(tx, len - 1)
            });
        };
        haunt(run, change, |tx, noise, turn| {
            let at = place.read(tx)?;
            noise.hear(tx, turn)?;
            let list = list.read_ref(tx)?;
            noise.hear(tx, turn)?;
            assert!(at < list.len(), "zombie: index {at} of a list of {}", list.len());
            assert!(list.iter().all(|value| *value == list.len() as u64), "zombie: a mixed list: {list:?}");
            Ok(())
        });
    });
}

#[test]
fn zombie_by_a_division_by_zero() {
    litmus(|run| {
        // Not both are zero.
        let pair = [TVar::new(1_u64), TVar::new(0_u64)];
        let change = |turn: &mut Turn<'_>| {
            atomically(|tx| pair[0].swap_with(tx, &pair[1]));
            turn.dawdle();
        };
        haunt(run, change, |tx, noise, turn| {
            let one = pair[0].read(tx)?;
            noise.hear(tx, turn)?;
            let two = pair[1].read(tx)?;
            let quotient = 1_u64.checked_div(one + two).expect("zombie: both cells held zero");
            assert_eq!(quotient, 1, "zombie: both cells held one");
            Ok(())
        });
    });
}

/// A node that knows its place in the chain.
struct Node {
    number: u64,
    next: TCell<Option<Shared<Node>>>,
}

#[test]
fn zombie_by_a_link_to_nowhere() {
    litmus(|run| {
        // A chain of nodes numbered down to zero, of which the front is replaced.
        let chain = |from: u64, len: u64| {
            (0..len)
                .fold(None, |next, number| Some(Shared::new(Node { number: from + number, next: TCell::new(next) })))
        };
        let (top, len, from) = (TVar::new(chain(0, 4)), TVar::new(4_u64), TVar::new(0_u64));
        let change = |turn: &mut Turn<'_>| {
            let (length, start) = (turn.below(6) as u64, turn.round);
            let new = chain(start, length);
            atomically(|tx| {
                from.write(tx, start)?;
                top.write(tx, new.clone())?;
                turn.dawdle();
                len.write(tx, length)
            });
        };
        haunt(run, change, |tx, noise, turn| {
            let (start, length) = (from.read(tx)?, len.read(tx)?);
            let mut link = top.read_ref(tx)?;
            for number in (start..start + length).rev() {
                noise.hear(tx, turn)?;
                let node = link.as_ref().expect("zombie: a chain ends early").get(tx);
                assert_eq!(node.number, number, "zombie: a node of another chain");
                link = node.next.read_ref(tx)?;
            }
            assert!(link.is_none(), "zombie: a chain goes on");
            Ok(())
        });
    });
}

/// What a snapshot, a plain reader and a writer see at each place where another commits.
#[test]
fn zombie_at_any_step() {
    const CELLS: usize = 6;
    fn walk<'tx>(tx: &mut impl ReadTx<'tx>, cells: &[TVar<u64>], at: usize, commits: &mut u32) -> Stm<()> {
        let mut first = None;
        for (place, cell) in cells.iter().enumerate() {
            if place == at && *commits == 0 {
                *commits += 1;
                elsewhere(|| atomically(|tx| cells.iter().try_for_each(|cell| cell.modify(tx, |value| *value += 1))));
            }
            let seen = cell.read(tx)?;
            let first = *first.get_or_insert(seen);
            assert_eq!(seen, first, "zombie: cell {place}, with a commit before cell {at}");
        }
        Ok(())
    }
    litmus(|_| {
        for at in 0..CELLS {
            let cells: Vec<TVar<u64>> = (0..CELLS).map(|_| TVar::new(0)).collect();
            let walks: [&dyn Fn(&mut u32); 4] = [
                &|commits| snapshot(|tx| walk(tx, &cells, at, commits)),
                &|commits| atomically(|tx| walk(tx, &cells, at, commits)),
                &|commits| {
                    let own = TVar::new(0);
                    atomically(|tx| {
                        own.write(tx, 1)?;
                        walk(tx, &cells, at, commits)
                    });
                },
                &|commits| {
                    atomically(|tx| {
                        walk(tx, &cells, at, commits)?;
                        tx.irrevocable()?;
                        walk(tx, &cells, CELLS, commits)
                    });
                },
            ];
            for walk in walks {
                let mut commits = 0;
                walk(&mut commits);
                assert_eq!(commits, 1);
            }
        }
    });
}

//! Inconsistent snapshots: what only reads sees one state and is never aborted, however busy the writers are and
//! however long ago that state was.
//!
//! A process of its own, as long snapshots keep other tests' values alive.
#![forbid(unsafe_code)]

use std::cell::RefCell;

use optimist::{ReadTx, Stm, TVar, atomically, collect, snapshot};
use optimist_tests::litmus::{Run, Turn, litmus};
use optimist_tests::schedule::elsewhere;

/// A snapshot beside writers that are as busy as can be, over and over.
fn snapshots_are_whole(run: &Run, read: impl Fn(&[TVar<[u64; 4]>], &mut Turn<'_>) -> Vec<u64> + Sync) {
    const CELLS: usize = 8;
    let cells: Vec<TVar<[u64; 4]>> = (0..CELLS).map(|_| TVar::new([0; 4])).collect();
    run.repeat(4, |turn| {
        if turn.thread < 2 {
            // What one loses the other gains.
            let (from, to) = (turn.below(CELLS), turn.below(CELLS));
            atomically(|tx| {
                cells[from].modify(tx, |value| *value = value.map(|value| value.wrapping_sub(1)))?;
                cells[to].modify(tx, |value| *value = value.map(|value| value.wrapping_add(1)))
            });
            return;
        }
        let sum = read(&cells, turn).into_iter().fold(0, u64::wrapping_add);
        assert_eq!(sum, 0, "inconsistent snapshot: in round {} of thread {}", turn.round, turn.thread);
    });
}

fn whole<'tx>(tx: &mut impl ReadTx<'tx>, cells: &[TVar<[u64; 4]>], turn: &mut Turn<'_>) -> Stm<Vec<u64>> {
    let mut seen = Vec::new();
    for cell in cells {
        let value = cell.read_ref(tx)?;
        turn.dawdle();
        assert_eq!(*value, [value[0]; 4], "a torn value in a snapshot");
        seen.push(value[0]);
    }
    Ok(seen)
}

#[test]
fn inconsistent_snapshot_beside_hot_writers() {
    litmus(|run| {
        snapshots_are_whole(&run.part_of(2), |cells, turn| snapshot(|tx| whole(tx, cells, turn)));
        snapshots_are_whole(&run.part_of(2), |cells, turn| {
            atomically(|tx| {
                assert_eq!(tx.attempt(), 1, "a transaction that only reads was aborted");
                whole(tx, cells, turn)
            })
        });
    });
}

/// The words of a snapshot that is older than many commits, so that records of the history are used again meanwhile.
#[test]
fn inconsistent_snapshot_of_long_ago() {
    /// Enough to use records again.
    const COMMITS: u64 = 700;
    litmus(|_| {
        let cells: Vec<TVar<u64>> = (0..20).map(TVar::new).collect();
        let write_much = |from: u64| {
            (from..from + COMMITS).for_each(|round| {
                atomically(|tx| cells[round as usize % 20].write(tx, 1_000 + round));
            });
            collect();
        };
        for kind in 0..3 {
            cells.iter().zip(0..).for_each(|(cell, value)| cell.store(value));
            let check = |at: usize, seen: u64| {
                assert_eq!(seen, at as u64, "inconsistent snapshot: cell {at} is not as it was (kind {kind})");
            };
            let read_all = |step: &dyn Fn(usize) -> Stm<u64>| -> Stm<()> {
                for at in 0..20 {
                    elsewhere(|| write_much(at as u64 * COMMITS));
                    check(at, step(at)?);
                }
                Ok(())
            };
            if kind == 0 {
                snapshot(|tx| {
                    let tx = RefCell::new(tx);
                    read_all(&|at| cells[at].read(&mut **tx.borrow_mut()))
                });
            } else {
                atomically(|tx| {
                    check(0, cells[0].read(tx)?);
                    let tx = RefCell::new(tx);
                    read_all(&|at| cells[at].read(&mut **tx.borrow_mut()))
                });
            }
        }
    });
}

//! Much at once: transactions of very many cells, and structures whose end is long.
#![forbid(unsafe_code)]

use std::thread;

use optimist::{Cancel, Shared, TCell, TVar, atomically};
use optimist_tests::counted::{Census, Counted};
use optimist_tests::schedule::{collect_until, without_hanging};

#[test]
fn a_transaction_of_100_000_cells_is_linear() {
    const CELLS: u64 = 100_000;
    // Were it quadratic, it would hang for minutes.
    without_hanging(|| {
        let cells: Vec<TVar<u64>> = (0..CELLS).map(TVar::new).collect();
        let sum = atomically(|tx| {
            for cell in &cells {
                cell.modify(tx, |value| *value += 1)?;
            }
            for _ in 0..3 {
                let undone = tx.nested(|tx| {
                    cells.iter().step_by(7).try_for_each(|cell| cell.modify(tx, |value| *value *= 2))?;
                    Err::<(), _>(Cancel::new(()))
                })?;
                assert!(undone.is_err());
            }
            cells.iter().rev().map(|cell| cell.read(tx)).sum::<Result<u64, _>>()
        });
        let expected = (1..=CELLS).sum();
        assert_eq!((sum, cells.iter().map(TVar::load).sum()), (expected, expected));
    });
}

#[test]
fn reading_few_cells_very_often_costs_nothing_at_the_end() {
    without_hanging(|| {
        let cells: Vec<TVar<u64>> = (0..8).map(TVar::new).collect();
        let written = TVar::new(0);
        let sum = atomically(|tx| {
            let mut sum = 0;
            for round in 0..500_000 {
                sum += cells[round % 8].read(tx)?;
            }
            written.write(tx, sum)?;
            Ok(sum)
        });
        assert_eq!((sum, written.load()), (500_000 / 8 * 28, sum));
    });
}

#[expect(dead_code, reason = "a node is only there to be dropped")]
struct Node(Counted, TCell<Option<Shared<Node>>>);

#[test]
fn a_long_chain_ends_without_recursion() {
    const NODES: u64 = 100_000;
    let census = Census::new();
    let build = || {
        let mut top = None;
        for index in 0..NODES {
            top = Some(Shared::new(Node(census.make(index), TCell::new(top))));
        }
        top
    };
    // One chain ends with its handle, one when it is replaced, one with its thread.
    drop(build());
    let cell = TVar::new(build());
    cell.store(None);
    thread::scope(|scope| {
        let dropped = scope.spawn(|| TVar::new(build()).store(None));
        dropped.join().unwrap();
    });
    collect_until("all nodes have been dropped", || census.alive() == 0);
    assert_eq!(census.made() as u64, 3 * NODES);
}

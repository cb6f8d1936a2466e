//! Flipper: transactions that flip bits in long ranges of cells leave the state that they would leave one by one.
//!
//! Method: each thread has a bit of its own in each of 4,096 cells, and a program of ranges to flip it in, made from the
//! seed. Flips of different bits commute, so the end is known; and every thread knows at any time what its own bits are,
//! so the first wrong one is noticed and named.
#![forbid(unsafe_code)]

use std::ops::Range;
use std::time::Instant;

use optimist::{ReadTx, Stm, TVar, Tx, atomically, snapshot};
use optimist_tests::litmus::{Run, litmus, on_threads};
use rand::RngExt;

const CELLS: usize = 4_096;
const THREADS: usize = 4;
/// Enough for a short run; a longer one repeats its program, which is the same once more.
const PROGRAM: usize = 60;

fn program(run: &Run, thread: usize) -> Vec<Range<usize>> {
    let mut random = run.random(thread);
    let range = |_| {
        let longest = [8, 64, 700][random.random_range(0..3_usize)];
        let len = random.random_range(1..=longest);
        let start = random.random_range(0..CELLS - len);
        start..start + len
    };
    (0..PROGRAM).map(range).collect()
}

/// The bits of one thread as it leaves them.
struct Bits {
    thread: usize,
    expected: Vec<bool>,
}

impl Bits {
    fn check(&self, cell: usize, value: u64, when: &str) {
        let bit = value >> self.thread & 1 == 1;
        assert_eq!(
            bit, self.expected[cell],
            "flipper: the bit of thread {} in cell {cell} is wrong, {when} (the cell holds {value:#b})",
            self.thread
        );
    }

    fn look<'tx>(&self, tx: &mut impl ReadTx<'tx>, cells: &[TVar<u64>], range: Range<usize>, when: &str) -> Stm<()> {
        for cell in range {
            self.check(cell, cells[cell].read(tx)?, when);
        }
        Ok(())
    }

    fn flip(&self, tx: &mut Tx<'_>, cells: &[TVar<u64>], range: Range<usize>) -> Stm<()> {
        for cell in range {
            let value = cells[cell].modify(tx, |value| {
                let before = *value;
                *value ^= 1 << self.thread;
                before
            })?;
            self.check(cell, value, "in a transaction that flips it");
        }
        Ok(())
    }
}

#[test]
fn flipper_leaves_the_state_of_a_sequential_run() {
    litmus(|run| {
        let cells: Vec<TVar<u64>> = (0..CELLS).map(|_| TVar::new(0)).collect();
        let start = Instant::now();
        let ends: Vec<Bits> = on_threads(THREADS, |thread| {
            let mut bits = Bits { thread, expected: vec![false; CELLS] };
            let program = program(run, thread);
            for pass in 0.. {
                if pass > 0 && start.elapsed() >= run.time() {
                    break;
                }
                for (step, range) in program.iter().enumerate() {
                    atomically(|tx| {
                        if step % 5 == 0 {
                            tx.irrevocable()?;
                        }
                        bits.flip(tx, &cells, range.clone())
                    });
                    range.clone().for_each(|cell| bits.expected[cell] ^= true);
                    if step % 8 == 0 {
                        let after = range.start.saturating_sub(20)..(range.end + 20).min(CELLS);
                        snapshot(|tx| bits.look(tx, &cells, after, "in a snapshot afterwards"));
                    }
                }
            }
            bits
        });
        for (cell, var) in cells.iter().enumerate() {
            let expected: u64 = ends.iter().map(|bits| u64::from(bits.expected[cell]) << bits.thread).sum();
            let value = var.load();
            assert_eq!(value, expected, "flipper: cell {cell} ends with {value:#b} instead of {expected:#b}");
        }
    });
}

//! An attempt that has given up extending goes on in the past, also when nothing it had read before has changed.
//!
//! Method: the body itself has another thread commit, between its reads, until extending would cost more than reading
//! has.
#![forbid(unsafe_code)]

use optimist::{TVar, atomically};
use optimist_tests::schedule::{elsewhere, without_hanging};

/// Cells read before: what each extension looks at.
const BEFORE: usize = 300;
/// Cells that change one after the other, each just before it is read.
const CHANGING: usize = 8;

#[test]
fn a_wait_in_the_past_runs_again_though_nothing_read_before_has_changed() {
    without_hanging(|| {
        let before: Vec<TVar<u64>> = (0..BEFORE).map(|_| TVar::new(0)).collect();
        let changing: Vec<TVar<u64>> = (0..CHANGING).map(|_| TVar::new(0)).collect();
        let mut changed = 0;
        atomically(|tx| {
            for cell in &before {
                cell.read(tx)?;
            }
            for (index, cell) in changing.iter().enumerate() {
                if tx.attempt() == 1 {
                    elsewhere(|| cell.store(1));
                    changed += 1;
                }
                let seen = cell.read(tx)?;
                // Nobody changes the others any more.
                tx.check(seen == 1 || index >= changed)?;
            }
            Ok(())
        });
        assert!(changed < CHANGING, "the first attempt extended each time");
    });
}

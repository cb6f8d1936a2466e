//! The token against commits and against others who want it.

use super::{both, check, shared};
use crate::{TCell, atomically};

/// What the holder owns cannot change before it commits.
#[test]
fn an_irrevocable_transaction_is_not_overtaken() {
    check(2, || {
        let cell = shared(TCell::new(0_u64));
        both(
            || {
                atomically(|tx| {
                    tx.irrevocable()?;
                    let value = cell.read(tx)?;
                    cell.write(tx, value + 1)
                });
            },
            || atomically(|tx| cell.modify(tx, |value| *value += 1)),
        );
        assert_eq!(cell.load(), 2);
    });
}

/// A single-cell operation waits for the owner of its cell.
#[test]
fn a_store_waits_for_the_owner() {
    check(2, || {
        let (x, y) = shared((TCell::new(0_u64), TCell::new(0_u64)));
        both(
            || {
                let pair = atomically(|tx| {
                    tx.irrevocable()?;
                    let first = x.read(tx)?;
                    Ok((first, x.read(tx)?, y.read(tx)?))
                });
                assert_eq!(pair.0, pair.1, "an owned cell changed");
                assert!(pair.2 <= pair.1, "the cells were read at two moments");
            },
            || {
                x.store(1);
                y.store(1);
            },
        );
    });
}

/// Two that want the token: one has it, the other is woken.
#[test]
fn the_token_passes_on() {
    check(2, || {
        let cell = shared(TCell::new(0_u64));
        let add = || {
            atomically(|tx| {
                tx.irrevocable()?;
                cell.modify(tx, |value| *value += 1)
            });
        };
        both(add, add);
        assert_eq!(cell.load(), 2);
    });
}

/// Who becomes irrevocable on the way owns what it has read.
#[test]
fn who_becomes_irrevocable_keeps_what_it_has_read() {
    check(2, || {
        let cell = shared(TCell::new(0_u64));
        both(
            || {
                atomically(|tx| {
                    let first = cell.read(tx)?;
                    tx.irrevocable()?;
                    assert_eq!(cell.read(tx)?, first, "an owned cell changed");
                    Ok(())
                });
            },
            || cell.store(1),
        );
    });
}

/// Who becomes irrevocable on the way owns what it has written, and commits.
#[test]
fn who_becomes_irrevocable_commits_what_it_has_written() {
    check(2, || {
        let cell = shared(TCell::new(0_u64));
        both(
            || {
                let mut passed = 0;
                atomically(|tx| {
                    cell.write(tx, 1)?;
                    tx.irrevocable()?;
                    passed += 1;
                    Ok(())
                });
                assert_eq!(passed, 1, "an irrevocable attempt was lost");
            },
            || atomically(|tx| cell.write(tx, 2)),
        );
    });
}

/// The holder owns what it only writes: no committer can keep it from its locks.
#[test]
fn the_holder_commits_what_it_writes() {
    check(2, || {
        let cell = shared(TCell::new(0_u64));
        both(
            || {
                let mut passed = 0;
                atomically(|tx| {
                    tx.irrevocable()?;
                    passed += 1;
                    cell.write(tx, 1)
                });
                assert_eq!(passed, 1, "an irrevocable attempt was lost");
            },
            || atomically(|tx| cell.write(tx, 2)),
        );
    });
}

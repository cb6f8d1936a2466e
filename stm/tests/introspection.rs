//! Versions tell the order in which transactions took effect.
#![cfg(feature = "introspection")]

use std::cell::Cell;
use std::rc::Rc;
use std::thread;

use futures::executor::block_on;
use optimist::introspection::{last_write_version, read_version};
use optimist::{Atomically, Cancel, TVar, atomically, snapshot, try_atomically};

fn elsewhere(step: impl FnOnce() + Send) {
    thread::scope(|scope| _ = scope.spawn(step));
}

/// The write version of `step`, which writes.
#[track_caller]
fn written(step: impl FnOnce()) -> u64 {
    step();
    last_write_version().expect("it wrote")
}

#[test]
fn each_way_of_writing_tells_a_version_larger_than_the_one_before() {
    let (word, boxed) = (TVar::new(1_u64), TVar::new(String::new()));
    let versions = [
        written(|| atomically(|tx| word.write(tx, 2))),
        written(|| atomically(|tx| boxed.modify(tx, |text| text.push('a')))),
        written(|| word.store(3)),
        written(|| assert_eq!(word.swap(4), 3)),
        written(|| boxed.update(|text| text.push('b'))),
        written(|| {
            atomically(|tx| {
                tx.irrevocable()?;
                word.write(tx, 5)
            });
        }),
        written(|| block_on(Atomically::new().run_async(|tx| word.write(tx, 6))).expect("it has no limit")),
        written(|| {
            // The first attempt loses.
            atomically(|tx| {
                let seen = word.read(tx)?;
                if tx.attempt() == 1 {
                    elsewhere(|| word.store(7));
                }
                word.write(tx, seen + 1)
            });
        }),
    ];
    assert!(versions.is_sorted_by(|one, two| one < two), "{versions:?}");
}

#[test]
fn what_wrote_nothing_has_no_write_version() {
    let cell = TVar::new(1);
    let nothing = |step: &dyn Fn()| {
        cell.store(1);
        assert!(last_write_version().is_some());
        step();
        assert_eq!(last_write_version(), None);
    };
    nothing(&|| assert_eq!(atomically(|tx| cell.read(tx)), 1));
    nothing(&|| assert_eq!(snapshot(|tx| cell.read(tx)), 1));
    nothing(&|| {
        let outcome = try_atomically(|tx| {
            cell.write(tx, 2)?;
            Err::<(), _>(Cancel::new(()))
        });
        assert!(outcome.is_err());
    });
    nothing(&|| {
        // Undone, so that nothing is left to write.
        let outcome = atomically(|tx| {
            tx.nested(|tx| {
                cell.write(tx, 2)?;
                Err::<(), _>(Cancel::new(()))
            })
        });
        assert!(outcome.is_err());
    });
}

#[test]
fn a_load_leaves_the_write_version_alone() {
    let cell = TVar::new(1);
    let stored = written(|| cell.store(2));
    assert_eq!(cell.load(), 2);
    assert_eq!(last_write_version(), Some(stored));
}

#[test]
fn a_hook_is_told_of_the_transaction_that_it_belongs_to() {
    let (cell, seen) = (TVar::new(1), Rc::new(Cell::new(None)));
    atomically(|tx| {
        let seen = Rc::clone(&seen);
        tx.after_commit(move || seen.set(last_write_version()));
        cell.write(tx, 2)
    });
    assert!(seen.get().is_some());
    assert_eq!(seen.get(), last_write_version());
}

#[test]
fn a_reader_of_the_past_reads_below_the_writer_that_it_does_not_see() {
    let (first, second) = (TVar::new(0), TVar::new(0));
    let written = TVar::new(0);
    let version = atomically(|tx| {
        assert_eq!(first.read(tx)?, 0);
        elsewhere(|| {
            atomically(|tx| {
                first.write(tx, 1)?;
                second.write(tx, 1)
            });
            written.store(last_write_version().expect("it wrote"));
        });
        assert_eq!(second.read(tx)?, 0, "it goes on in the past");
        Ok(read_version(tx))
    });
    assert!(version < written.load());
}

#[test]
fn an_attempt_that_holds_the_token_reads_at_or_above_what_it_sees() {
    let cell = TVar::new(0);
    let (stored, seen) = (TVar::new(0), Cell::new(0));
    let version = atomically(|tx| {
        tx.irrevocable()?;
        elsewhere(|| {
            cell.store(1);
            stored.store(last_write_version().expect("it wrote"));
        });
        seen.set(cell.read(tx)?);
        Ok(read_version(tx))
    });
    assert_eq!(seen.get(), 1);
    assert!(version >= stored.load());
}

//! What a panic of user code may not do, wherever it comes from: leave a trace, hold something, end the process.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::executor::block_on;
use optimist::{Atomically, Cancel, TVar, atomically, snapshot, try_atomically};
use optimist_tests::counted::Census;
use optimist_tests::schedule::{collect_until, elsewhere, panic_of};

#[test]
fn a_panic_of_the_body_undoes_all_it_wrote() {
    let census = Census::new();
    let (number, value) = (TVar::new(1), TVar::new(census.make(1)));
    let message = panic_of(|| {
        atomically(|tx| {
            number.write(tx, 2)?;
            value.write(tx, census.make(2))?;
            value.modify(tx, |value| value.value = 3)?;
            if number.read(tx)? == 2 { panic!("half-way") } else { Ok(()) }
        })
    });
    assert_eq!((message.as_str(), number.load(), value.load().value), ("half-way", 1, 1));
    assert_eq!(census.alive(), 1, "what was buffered is gone when the panic has come out");
}

#[test]
fn a_panic_of_a_hook_comes_out_after_all_other_hooks_have_run() {
    let number = TVar::new(0);
    let ran = Rc::new(Cell::new(0));
    let message = panic_of(|| {
        atomically(|tx| {
            for step in 1..=3 {
                let ran = Rc::clone(&ran);
                tx.after_commit(move || {
                    ran.set(ran.get() + step);
                    assert!(step != 1, "the first hook");
                    assert!(step != 2, "the second hook");
                });
            }
            number.write(tx, 1)
        });
    });
    assert_eq!((message.as_str(), ran.get()), ("the first hook", 6));
    assert_eq!(number.load(), 1, "the transaction stays committed");
    atomically(|tx| number.write(tx, 2));
}

#[test]
fn a_panic_of_an_abort_hook_ends_the_transaction() {
    let (read, written) = (TVar::new(0), TVar::new(0));
    let attempts = AtomicUsize::new(0);
    let message = panic_of(|| {
        atomically(|tx| {
            attempts.fetch_add(1, Ordering::Relaxed);
            tx.after_abort(|| panic!("the abort hook"));
            read.read(tx)?;
            elsewhere(|| read.store(1));
            written.write(tx, 1)
        });
    });
    assert_eq!((message.as_str(), attempts.load(Ordering::Relaxed), written.load()), ("the abort hook", 1, 0));
    elsewhere(|| atomically(|tx| written.write(tx, read.load())));
    assert_eq!(written.load(), 1);
}

#[test]
fn a_panic_of_a_hook_while_the_body_panics_does_not_end_the_process() {
    let number = TVar::new(0);
    let message = panic_of(|| {
        atomically(|tx| {
            tx.after_abort(|| panic!("the abort hook"));
            number.write(tx, 1).map(|()| panic!("the body"))
        })
    });
    assert_eq!((message.as_str(), number.load()), ("the body", 0));
}

#[test]
fn a_panic_of_a_change_leaves_the_value() {
    let (number, text) = (TVar::new(1), TVar::new("one".to_string()));
    for in_place in [false, true] {
        let message = panic_of(|| {
            atomically(|tx| {
                if in_place {
                    text.modify(tx, |text| text.push('!'))?;
                }
                text.modify(tx, |text| {
                    text.push('?');
                    panic!("in the change")
                })
            })
        });
        assert_eq!(message, "in the change");
    }
    for _ in 0..3 {
        let update = || {
            text.update(|text| {
                if text.pop().is_some() {
                    panic!("in the update")
                }
            })
        };
        assert_eq!(panic_of(update), "in the update");
        assert_eq!(panic_of(|| number.update(|_| -> u8 { panic!("in the update") })), "in the update");
    }
    assert_eq!((number.load(), text.load().as_str()), (1, "one"));
    elsewhere(|| text.store("two".to_string()));
}

#[test]
fn a_panic_caught_in_a_nested_part_undoes_that_part_alone() {
    let (kept, undone) = (TVar::new(0), TVar::new("old".to_string()));
    atomically(|tx| {
        kept.write(tx, 1)?;
        let caught = catch_unwind(AssertUnwindSafe(|| {
            tx.nested(|tx| -> Result<(), Cancel<()>> {
                undone.write(tx, "new".to_string())?;
                kept.write(tx, 2)?;
                panic!("in the part")
            })
        }));
        assert!(caught.is_err());
        assert_eq!((kept.read(tx)?, undone.read_ref(tx)?.as_str()), (1, "old"));
        Ok(())
    });
    assert_eq!((kept.load(), undone.load().as_str()), (1, "old"));
}

/// A value whose `Clone` panics when it is asked for.
struct Uncloneable(bool, u64);

impl Clone for Uncloneable {
    fn clone(&self) -> Self {
        assert!(!self.0, "in the clone");
        Self(self.0, self.1)
    }
}

#[test]
fn a_panic_of_clone_leaves_everything_usable() {
    let (cell, other) = (TVar::new(Uncloneable(true, 1)), TVar::new(0));
    let runs: [&dyn Fn(); 8] = [
        &|| _ = cell.load(),
        &|| _ = cell.swap(Uncloneable(true, 2)),
        &|| cell.update(|value| value.1 = 2),
        &|| _ = atomically(|tx| cell.read(tx)),
        &|| {
            atomically(|tx| {
                other.write(tx, 9)?;
                cell.modify(tx, |value| value.1 = 2)
            });
        },
        &|| _ = atomically(|tx| cell.replace(tx, Uncloneable(true, 2))),
        &|| _ = snapshot(|tx| cell.read(tx)),
        &|| _ = block_on(Atomically::new().run_async(|tx| cell.read(tx))),
    ];
    for run in runs {
        assert_eq!(panic_of(run), "in the clone");
        assert_eq!(atomically(|tx| Ok(cell.read_ref(tx)?.1)), 1);
        assert_eq!(elsewhere(|| atomically(|tx| other.read(tx))), 0);
    }
    cell.store(Uncloneable(false, 3));
    assert_eq!(cell.load().1, 3);
}

/// A value whose `Drop` panics.
struct Explosive<'a>(&'a AtomicUsize);

impl Drop for Explosive<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
        panic!("in the drop")
    }
}

#[test]
fn a_panic_of_drop_is_swallowed() {
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    let explosive = || Explosive(&DROPS);
    let cell = TVar::new(explosive());
    // Replaced by a commit, overwritten in an attempt, undone by an error.
    cell.store(explosive());
    atomically(|tx| {
        cell.write(tx, explosive())?;
        cell.write(tx, explosive())
    });
    let outcome = try_atomically(|tx| {
        cell.write(tx, explosive())?;
        Err::<(), _>(Cancel::new(1))
    });
    assert_eq!(outcome.unwrap_err().cancelled(), Some(1));
    collect_until("four values have been dropped", || DROPS.load(Ordering::Relaxed) == 4);
    // Undone by a panic: two panics at once would end the process.
    let message = panic_of(|| atomically(|tx| cell.write(tx, explosive()).map(|()| panic!("in the body"))));
    assert_eq!((message.as_str(), DROPS.load(Ordering::Relaxed)), ("in the body", 5));
    drop(cell);
    collect_until("the cell has been dropped", || DROPS.load(Ordering::Relaxed) == 6);
    // Left behind by a thread that ends.
    elsewhere(|| TVar::new(explosive()).store(explosive()));
    collect_until("the thread has ended", || DROPS.load(Ordering::Relaxed) == 8);
    atomically(|tx| TVar::new(0).write(tx, 1));
}

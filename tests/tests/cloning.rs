//! A value that the runtime is just cloning, or showing, stays alive, whatever other threads do to its cell.
//!
//! Method: the `Clone` of the value has another thread replace it and tidy up, and then looks at itself.
#![forbid(unsafe_code)]

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::executor::block_on;
use optimist::{Atomically, TVar, atomically, collect, snapshot};
use optimist_tests::schedule::elsewhere;

type Cell = TVar<Option<Watched>>;

/// The number of values that have been dropped; the numbers of values only grow.
static LAST_DROPPED: AtomicU64 = AtomicU64::new(0);

/// A value with a number, which is replaced by the next one while it is being cloned, up to some number.
struct Watched {
    number: u64,
    last: u64,
    cell: Cell,
}

impl Watched {
    fn is_replaced_now(&self) {
        if self.number < self.last {
            let next = Self { number: self.number + 1, last: self.last, cell: self.cell.clone() };
            elsewhere(|| {
                self.cell.store(Some(next));
                (0..10).for_each(|_| collect());
            });
        }
        assert!(LAST_DROPPED.load(Ordering::SeqCst) < self.number, "{} was dropped while it was in use", self.number);
    }
}

impl Clone for Watched {
    fn clone(&self) -> Self {
        self.is_replaced_now();
        // The copy is not looked at.
        Self { number: 0, last: 0, cell: self.cell.clone() }
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.is_replaced_now();
        write!(f, "{}", self.number)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        LAST_DROPPED.fetch_max(self.number, Ordering::SeqCst);
    }
}

#[test]
fn a_value_in_use_is_not_dropped() {
    let uses: [fn(&Cell); 9] = [
        |cell| drop(cell.load()),
        |cell| drop(cell.swap(None)),
        |cell| cell.update(|value| *value = None),
        |cell| drop(atomically(|tx| cell.read(tx))),
        |cell| drop(atomically(|tx| cell.replace(tx, None))),
        |cell| atomically(|tx| cell.modify(tx, |value| *value = None)),
        |cell| drop(snapshot(|tx| cell.read(tx))),
        |cell| drop(block_on(Atomically::new().run_async(|tx| cell.read(tx)))),
        |cell| assert!(format!("{cell:?}").starts_with("TVar(Some(")),
    ];
    for (index, uses) in (0..).zip(uses) {
        let cell: Cell = TVar::new(None);
        let number = 100 * index + 1;
        // It is replaced twice and then left alone, so that who tries again comes to an end.
        cell.store(Some(Watched { number, last: number + 2, cell: cell.clone() }));
        uses(&cell);
        cell.store(None);
        collect();
    }
    assert!(LAST_DROPPED.load(Ordering::SeqCst) > 800, "the values are dropped in the end");
}

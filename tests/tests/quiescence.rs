//! When no transaction runs, one call of `collect` destroys all that was replaced or dropped.
//!
//! A process of its own with one test, so that nobody else looks at anything.
#![forbid(unsafe_code)]

use std::thread;

use optimist::{Shared, TCell, TVar, atomically, collect};
use optimist_tests::counted::{Census, Counted};
use optimist_tests::schedule::elsewhere;

/// A node whose end is that of another one.
#[expect(dead_code, reason = "a node is only there to be dropped")]
struct Node(Counted, TCell<Option<Shared<Node>>>);

fn chain(census: &Census, nodes: u64) -> Option<Shared<Node>> {
    (0..nodes).fold(None, |next, index| Some(Shared::new(Node(census.make(index), TCell::new(next)))))
}

#[test]
fn one_collect_destroys_all_that_nobody_can_look_at() {
    let census = Census::new();
    let alive_after_collect = || {
        collect();
        census.alive()
    };

    let cell = TVar::new(census.make(0));
    (0..100).for_each(|round| cell.store(census.make(round)));
    assert_eq!(alive_after_collect(), 1, "replaced by this thread");

    drop(cell);
    assert_eq!(alive_after_collect(), 0, "of a cell that was dropped");

    drop(chain(&census, 50));
    assert_eq!(alive_after_collect(), 0, "of a chain that was dropped");

    thread::spawn({
        let nodes = chain(&census, 50);
        move || TVar::new(nodes).store(None)
    })
    .join()
    .unwrap();
    assert_eq!(alive_after_collect(), 0, "of a thread that has ended");

    // While it ends, somebody might still look at what it leaves behind.
    let left_behind = TVar::new(chain(&census, 50));
    atomically(|tx| {
        assert!(left_behind.read_ref(tx)?.is_some());
        elsewhere(|| left_behind.store(None));
        Ok(())
    });
    assert_eq!(alive_after_collect(), 0, "of a thread that ended while somebody looked");
}

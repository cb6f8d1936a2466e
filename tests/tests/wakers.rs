//! A waker is user code: it is called when the commit that woke it has published all, and holds nothing.
//!
//! Method: a waker that reads the very cell whose change it is told of.
#![forbid(unsafe_code)]

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use optimist::{Atomically, TVar, atomically};
use optimist_tests::schedule::without_hanging;

struct Looks {
    cell: TVar<u64>,
    seen: AtomicU64,
}

impl Wake for Looks {
    fn wake(self: Arc<Self>) {
        self.seen.store(self.cell.load(), Ordering::Relaxed);
    }
}

/// Waits for a cell to be one, has `write` make it one, and says what the waker saw.
fn seen_by_waker(write: impl FnOnce(&TVar<u64>)) -> u64 {
    let cell = TVar::new(0);
    let looks = Arc::new(Looks { cell: cell.clone(), seen: AtomicU64::new(u64::MAX) });
    let waker = Waker::from(Arc::clone(&looks));
    let mut context = Context::from_waker(&waker);
    let mut wait = pin!(Atomically::new().run_async(|tx| {
        let value = cell.read(tx)?;
        tx.check(value == 1)
    }));
    assert!(wait.as_mut().poll(&mut context).is_pending());
    write(&cell);
    assert_eq!(wait.as_mut().poll(&mut context), Poll::Ready(Ok(())));
    looks.seen.load(Ordering::Relaxed)
}

#[test]
fn a_waker_sees_what_the_commit_wrote() {
    without_hanging(|| assert_eq!(seen_by_waker(|cell| atomically(|tx| cell.write(tx, 1))), 1));
}

#[test]
fn a_waker_sees_what_a_store_wrote() {
    without_hanging(|| assert_eq!(seen_by_waker(|cell| cell.store(1)), 1));
}

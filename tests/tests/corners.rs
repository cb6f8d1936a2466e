//! Corners in which a review of the runtime once found it wrong: each test tells one of them.
#![forbid(unsafe_code)]

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use futures::executor::block_on;
use optimist::{Atomically, Cancel, TVar, TryStm, Tx, TxLocal, atomically, snapshot, try_atomically};
use optimist_tests::schedule::{Signal, elsewhere, panic_of, without_hanging};

/// What a thread has replaced stays readable for snapshots that need it when the thread ends, and also when
/// another thread takes its place and replaces values of another type.
#[test]
fn history_outlives_the_thread_that_made_it() {
    let text = TVar::new("initial".to_string());
    let numbers: TVar<Vec<u64>> = TVar::new(vec![7; 4]);
    let seen = snapshot(|tx| {
        elsewhere(|| (0..64).for_each(|index| text.store(format!("text {index}"))));
        elsewhere(|| (0..300).for_each(|index| numbers.store(vec![index; 4])));
        Ok((text.read(tx)?, numbers.read(tx)?))
    });
    assert_eq!(seen, ("initial".to_string(), vec![7; 4]));
}

/// The same with many cells and many threads.
#[test]
fn a_snapshot_reads_many_cells_whose_writers_have_ended() {
    let cells: Vec<_> = (0..2000).map(|index| TVar::new(format!("old {index}"))).collect();
    snapshot(|tx| {
        for round in 0..3 {
            elsewhere(|| cells.iter().for_each(|cell| cell.store(format!("round {round}"))));
        }
        for (index, cell) in cells.iter().enumerate() {
            assert_eq!(*cell.read_ref(tx)?, format!("old {index}"));
        }
        Ok(())
    });
}

/// An attempt that got the token and lost nevertheless gives it back before its hooks run, which may ask for it.
#[test]
fn a_hook_after_an_abort_may_become_irrevocable() {
    let cell = TVar::new(0_u64);
    let runs = TVar::new(0);
    let mut first = true;
    atomically(|tx| {
        let seen = cell.read(tx)?;
        let runs = runs.clone();
        tx.after_abort(move || {
            atomically(|tx| {
                tx.irrevocable()?;
                runs.modify(tx, |runs| *runs += 1)
            });
        });
        if std::mem::take(&mut first) {
            elsewhere(|| cell.store(seen + 1));
        }
        tx.irrevocable()
    });
    assert_eq!(runs.load(), 1);
}

/// A task that lost to the holder of the token goes on when the token changes hands, even if it is never free.
#[test]
fn a_task_goes_on_when_the_token_changes_hands() {
    let cell = TVar::new(0_u64);
    let stop = Arc::new(AtomicBool::new(false));
    let others: Vec<_> = (0..3)
        .map(|_| {
            let stop = Arc::clone(&stop);
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    atomically(|tx| {
                        tx.irrevocable()?;
                        thread::sleep(Duration::from_millis(1));
                        Ok(())
                    });
                }
            })
        })
        .collect();
    let owned = Signal::new();
    let owns = owned.sender();
    let owner = {
        let cell = cell.clone();
        thread::spawn(move || {
            atomically(|tx| {
                tx.irrevocable()?;
                cell.read(tx)?;
                owns.send(()).unwrap();
                thread::sleep(Duration::from_millis(20));
                Ok(())
            });
        })
    };
    owned.wait();
    let patient = Atomically::new().timeout(Duration::from_secs(20));
    let outcome = block_on(patient.run_async(|tx| cell.modify(tx, |count| *count += 1)));
    stop.store(true, Ordering::Relaxed);
    owner.join().unwrap();
    others.into_iter().for_each(|other| other.join().unwrap());
    assert_eq!(outcome, Ok(()));
}

/// Whether a wait is without end is decided after the hooks of the attempt, which may have ended it.
#[test]
fn a_wait_that_a_hook_ends_is_not_abandoned() {
    let cell = TVar::new(0);
    let outcome = Atomically::new().shared_by_handle().run(|tx| {
        let now = cell.read(tx)?;
        let again = cell.clone();
        tx.after_abort(move || again.store(1));
        tx.check(now == 1)
    });
    assert_eq!(outcome, Ok(()));
}

#[test]
fn an_update_that_writes_its_own_cell_is_told_so() {
    let cell = TVar::new(0);
    let message = panic_of(|| {
        cell.update(|count| {
            cell.store(5);
            *count += 1;
        });
    });
    assert!(message.contains("wrote the very cell"), "{message}");
    let message = panic_of(|| cell.update(|_| atomically(|tx| cell.modify(tx, |count| *count += 1))));
    assert!(message.contains("wrote the very cell"), "{message}");
    let other = TVar::new(0);
    let message = panic_of(|| {
        cell.update(|_| {
            cell.update(|count| *count += 0);
            other.store(1);
        });
    });
    assert!(message.contains("wrote the very cell"), "{message}");
    assert_eq!(cell.load(), 6);
}

#[test]
fn an_update_may_use_other_cells() {
    let (left, right) = (TVar::new(1), TVar::new(10));
    let sum = left.update(|left| {
        *left += 1;
        atomically(|tx| right.modify(tx, |right| *right += 1));
        *left + right.load()
    });
    assert_eq!((sum, left.load(), right.load()), (13, 2, 11));
}

#[test]
fn a_branch_that_became_irrevocable_may_not_retry() {
    let cell = TVar::new(0);
    let message = panic_of(|| {
        atomically(|tx| {
            tx.or_else(
                |tx: &mut Tx<'_>| {
                    cell.read(tx)?;
                    tx.irrevocable()?;
                    tx.retry()
                },
                |_| Ok(()),
            )
        });
    });
    assert!(message.contains("irrevocable"), "{message}");
    // The token has been given back.
    atomically(|tx| tx.irrevocable());
}

#[test]
fn a_future_that_has_ended_may_not_be_polled_again() {
    let mut future = pin!(Atomically::new().run_async(|_| Ok(1)));
    let mut context = Context::from_waker(Waker::noop());
    assert!(future.as_mut().poll(&mut context).is_ready());
    let again = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        _ = future.as_mut().poll(&mut context);
    }));
    assert!(again.is_err());
}

/// A blind write is no reason to wait.
#[test]
fn a_wait_after_nothing_but_writes_is_refused() {
    let cell = TVar::new(0);
    let message = panic_of(|| {
        atomically(|tx| {
            cell.write(tx, 1)?;
            tx.retry::<()>()
        });
    });
    assert!(message.contains("without having read"), "{message}");
}

/// A value whose end becomes irrevocable, outside of transactions.
struct Solemn;

impl Drop for Solemn {
    fn drop(&mut self) {
        if !optimist::is_running() {
            atomically(|tx| tx.irrevocable());
        }
    }
}

/// Runs a transaction that asks to be irrevocable at its first attempt after what it has read was changed.
fn irrevocable_too_late<R: 'static>(mut body: impl FnMut(&mut Tx<'_>, bool) -> TryStm<R, Solemn>) {
    let cell = TVar::new(0_u64);
    let mut first = true;
    let outcome = try_atomically(|tx| {
        let seen = cell.read(tx)?;
        let is_first = std::mem::take(&mut first);
        if is_first {
            elsewhere(|| cell.store(seen + 1));
        }
        body(tx, is_first)
    });
    assert!(outcome.is_ok());
}

/// Destructors run when a thread tidies up, or of what an attempt returned that lost, may ask for the token.
#[test]
fn a_destructor_after_a_lost_attempt_may_become_irrevocable() {
    without_hanging(|| {
        irrevocable_too_late(|tx, is_first| {
            if is_first {
                (0..200).for_each(|_| drop(TVar::new(Solemn)));
            }
            Ok(tx.irrevocable()?)
        });
        irrevocable_too_late(|tx, _| {
            let result = Solemn;
            _ = tx.irrevocable();
            Ok(result)
        });
        irrevocable_too_late(|tx, _| tx.irrevocable().map_err(|_| Cancel::new(Solemn)));
    });
}

/// The result of a body is dropped after its attempt has ended, also when a hook panics in between.
#[test]
fn the_end_of_a_result_may_use_cells_when_a_hook_panics() {
    static HOOK: TxLocal<()> = TxLocal::new(|| ()).before_commit(|_, ()| panic!("the hook panics"));

    struct Stores(TVar<u32>);
    impl Drop for Stores {
        fn drop(&mut self) {
            self.0.store(1);
        }
    }

    let cell = TVar::new(0);
    let message = panic_of(|| {
        atomically(|tx| {
            HOOK.with(tx, |()| ());
            Ok(Stores(cell.clone()))
        });
    });
    assert_eq!((message.as_str(), cell.load()), ("the hook panics", 1));
}

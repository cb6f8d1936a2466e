//! Hooks and transaction-local values: each runs once, at its time, in its order.
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex};
use std::thread;

use futures::executor::block_on;
use optimist::{Atomically, Cancel, TVar, Tx, TxLocal, atomically, snapshot, try_atomically};
use optimist_tests::schedule::{elsewhere, panic_of};

/// What happened, in order.
#[derive(Clone, Default)]
struct Diary(Rc<RefCell<Vec<&'static str>>>);

impl Diary {
    fn on_commit(&self, tx: &mut Tx<'_>, entry: &'static str) {
        let diary = self.clone();
        tx.after_commit(move || diary.0.borrow_mut().push(entry));
    }

    fn on_abort(&self, tx: &mut Tx<'_>, entry: &'static str) {
        let diary = self.clone();
        tx.after_abort(move || diary.0.borrow_mut().push(entry));
    }

    fn take(&self) -> Vec<&'static str> {
        assert_eq!(Rc::strong_count(&self.0), 1, "every hook is dropped when all is over");
        self.0.take()
    }
}

#[test]
fn commit_hooks_run_in_order_and_abort_hooks_in_reverse() {
    let diary = Diary::default();
    let (read, written) = (TVar::new(0), TVar::new(0));
    atomically(|tx| {
        let first = tx.attempt() == 1;
        diary.on_commit(tx, "commit 1");
        diary.on_abort(tx, if first { "abort 1" } else { "wrong" });
        read.read(tx)?;
        if first {
            elsewhere(|| read.store(1));
        }
        diary.on_abort(tx, if first { "abort 2" } else { "wrong" });
        diary.on_commit(tx, "commit 2");
        written.write(tx, 1)
    });
    assert_eq!(diary.take(), ["abort 2", "abort 1", "commit 1", "commit 2"]);
}

#[test]
fn abort_hooks_of_an_undone_part_run_and_its_commit_hooks_do_not() {
    let diary = Diary::default();
    let cell = TVar::new(0);
    atomically(|tx| {
        diary.on_commit(tx, "outer");
        tx.or_else(
            |tx| {
                diary.on_commit(tx, "undone branch");
                diary.on_abort(tx, "undo of the branch");
                cell.read(tx)?;
                tx.retry()
            },
            |tx| {
                diary.on_commit(tx, "other branch");
                diary.on_abort(tx, "wrong: the other branch is kept");
                Ok(())
            },
        )?;
        let cancelled = tx.nested(|tx| {
            diary.on_commit(tx, "cancelled part");
            diary.on_abort(tx, "undo of the part");
            let kept = tx.nested(|tx| {
                diary.on_commit(tx, "part of a cancelled part");
                diary.on_abort(tx, "undo of the inner part");
                Ok::<_, Cancel<()>>(())
            })?;
            assert!(kept.is_ok());
            Err::<(), _>(Cancel::new("no"))
        })?;
        assert_eq!(cancelled, Err("no"));
        let kept = tx.nested(|tx| {
            diary.on_commit(tx, "kept part");
            Ok::<_, Cancel<()>>(())
        })?;
        assert!(kept.is_ok());
        cell.write(tx, 1)
    });
    assert_eq!(
        diary.take(),
        ["outer", "undo of the branch", "other branch", "undo of the part", "undo of the inner part", "kept part"]
    );
}

#[test]
fn hooks_run_once_however_the_transaction_ends() {
    let diary = Diary::default();
    let cell = TVar::new(0);
    let register = |tx: &mut Tx<'_>| {
        diary.on_commit(tx, "commit");
        diary.on_abort(tx, "abort");
        cell.modify(tx, |value| *value += 1)
    };
    atomically(register);
    assert_eq!(diary.take(), ["commit"]);
    atomically(|tx| {
        diary.on_commit(tx, "commit");
        cell.read(tx)
    });
    assert_eq!(diary.take(), ["commit"], "also of a transaction that only reads");
    block_on(Atomically::new().run_async(register)).unwrap();
    assert_eq!(diary.take(), ["commit"]);
    atomically(|tx| tx.irrevocable().and_then(|()| register(tx)));
    assert_eq!(diary.take(), ["commit"]);
    let outcome = try_atomically(|tx| {
        register(tx)?;
        Err::<(), _>(Cancel::new("no"))
    });
    assert!(outcome.is_err());
    assert_eq!(diary.take(), ["abort"]);
    panic_of(|| atomically(|tx| register(tx).map(|()| panic!("on purpose"))));
    assert_eq!(diary.take(), ["abort"]);
    let stopped = Atomically::new().max_attempts(1).run(|tx| register(tx).and_then(|()| tx.retry::<()>()));
    assert!(stopped.is_err());
    assert_eq!(diary.take(), ["abort"]);
    assert_eq!(cell.load(), 3);
}

#[test]
fn hooks_run_transactions() {
    let (cell, log) = (TVar::new(0), TVar::new(Vec::new()));
    atomically(|tx| {
        let (cell_after, log_after) = (cell.clone(), log.clone());
        tx.after_commit(move || {
            let seen = snapshot(|tx| cell_after.read(tx));
            atomically(|tx| {
                // A hook of a hook.
                let log_at_last = log_after.clone();
                tx.after_commit(move || log_at_last.update(|log| log.push(99)));
                log_after.modify(tx, |log| log.push(seen))
            });
            cell_after.store(7);
        });
        cell.write(tx, 5)
    });
    assert_eq!((cell.load(), log.load()), (7, vec![5, 99]));
}

#[test]
fn an_abort_hook_can_end_the_wait_of_its_own_transaction() {
    let door = TVar::new(false);
    let attempts = atomically(|tx| {
        let opens = door.clone();
        tx.after_abort(move || opens.store(true));
        let open = door.read(tx)?;
        tx.check(open)?;
        Ok(tx.attempt())
    });
    assert_eq!(attempts, 2);
}

static ENDED: Mutex<Vec<(&str, Vec<u64>)>> = Mutex::new(Vec::new());
static STEPS: TxLocal<Vec<u64>> = TxLocal::new(Vec::new)
    .after_commit(|steps| ENDED.lock().unwrap().push(("commit", steps)))
    .after_abort(|steps| ENDED.lock().unwrap().push(("abort", steps)));

#[test]
fn a_local_value_is_of_one_attempt() {
    let (read, written) = (TVar::new(0), TVar::new(0));
    atomically(|tx| {
        STEPS.with(tx, |steps| {
            assert!(steps.is_empty(), "nothing is carried over");
            steps.push(1);
        });
        let seen = read.read(tx)?;
        if tx.attempt() == 1 {
            elsewhere(|| read.store(10));
        }
        tx.or_else(
            |tx| {
                STEPS.with(tx, |steps| steps.push(2));
                tx.retry()
            },
            |tx| {
                let kept = tx.nested(|tx| {
                    STEPS.with(tx, |steps| steps.push(3 + seen));
                    Ok::<_, Cancel<()>>(())
                })?;
                assert!(kept.is_ok());
                Ok(())
            },
        )?;
        written.write(tx, 1)
    });
    let outcome = try_atomically(|tx| {
        STEPS.with(tx, |steps| steps.push(9));
        Err::<(), _>(Cancel::new("no"))
    });
    assert!(outcome.is_err());
    let ended = ENDED.lock().unwrap().clone();
    assert_eq!(ended, [("abort", vec![1, 2, 3]), ("commit", vec![1, 2, 13]), ("abort", vec![9])]);
}

static TOTAL: LazyLock<TVar<u64>> = LazyLock::new(|| TVar::new(0));
static PARTS: TxLocal<u64> = TxLocal::new(|| 0).before_commit(|tx, sum| {
    DEPENDENT.with(tx, |runs| *runs += 1);
    TOTAL.modify(tx, |total| *total += *sum)
});
static DEPENDENT_RUNS: AtomicUsize = AtomicUsize::new(0);
static DEPENDENT: TxLocal<usize> = TxLocal::new(|| 0)
    .before_commit(|tx, runs| {
        // Sees what the hook before it wrote, and is made by that.
        let total = TOTAL.read(tx)?;
        tx.check(total > 0)?;
        DEPENDENT_RUNS.fetch_add(*runs, Ordering::Relaxed);
        Ok(())
    })
    .after_commit(|_| _ = DEPENDENT_RUNS.fetch_add(1_000, Ordering::Relaxed));

#[test]
fn a_hook_before_the_commit_is_part_of_the_attempt() {
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..100 {
                    atomically(|tx| {
                        PARTS.with(tx, |sum| *sum += 1);
                        PARTS.with(tx, |sum| *sum += 2);
                        Ok(())
                    });
                }
            });
        }
    });
    assert_eq!(TOTAL.load(), 600);
    let runs = DEPENDENT_RUNS.load(Ordering::Relaxed);
    assert_eq!(runs / 1_000, 200, "the hook after the commit runs once for each");
    assert!(runs % 1_000 >= 200, "the hook before the commit runs in every attempt");
}

static CANCELLED: LazyLock<TVar<u64>> = LazyLock::new(|| TVar::new(0));
static PANICS: TxLocal<()> = TxLocal::new(|| ()).before_commit(|tx, ()| {
    CANCELLED.write(tx, 1)?;
    panic!("before the commit")
});

#[test]
fn a_panic_of_a_hook_before_the_commit_undoes_the_transaction() {
    let cell = TVar::new(0);
    let message = panic_of(|| {
        atomically(|tx| {
            PANICS.with(tx, |()| ());
            cell.write(tx, 1)
        });
    });
    assert_eq!((message.as_str(), cell.load(), CANCELLED.load()), ("before the commit", 0, 0));
    atomically(|tx| cell.write(tx, 2));
}

static REENTERED: TxLocal<u32> = TxLocal::new(|| 0);
static FROM_ITS_HOOK: TxLocal<u32> = TxLocal::new(|| 0).before_commit(|tx, _| {
    FROM_ITS_HOOK.with(tx, |_| ());
    Ok(())
});

#[test]
fn a_local_value_used_from_within_itself_is_refused() {
    let message = panic_of(|| {
        atomically(|tx| {
            FROM_ITS_HOOK.with(tx, |_| ());
            Ok(())
        });
    });
    assert!(message.contains("a `TxLocal` was used from within"), "{message}");
    // The closure of `with` cannot reach `tx`; a panic in it leaves the value in place.
    atomically(|tx| {
        REENTERED.with(tx, |value| *value = 1);
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| REENTERED.with(tx, |_| panic!("in it"))));
        assert!(caught.is_err());
        assert_eq!(REENTERED.with(tx, |value| *value), 1);
        Ok(())
    });
}

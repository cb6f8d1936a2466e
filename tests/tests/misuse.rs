//! What a program does wrong is refused, by a panic that says where and what to do instead.
#![forbid(unsafe_code)]

use std::cell::Cell;

use futures::executor::block_on;
use optimist::{Abort, Atomically, Cancel, TVar, atomically, snapshot, try_atomically};
use optimist_tests::schedule::{elsewhere, panic_of};

/// How many places in this file a message names.
fn places(message: &str) -> usize {
    message.matches("misuse.rs:").count()
}

#[test]
fn a_transaction_inside_a_transaction_names_both_places() {
    let cell = TVar::new(1);
    let inner: [&dyn Fn(); 5] = [
        &|| atomically(|tx| cell.write(tx, 2)),
        &|| _ = try_atomically(|tx| Ok::<_, Cancel<()>>(cell.write(tx, 2)?)),
        &|| _ = snapshot(|tx| cell.read(tx)),
        &|| _ = Atomically::new().run(|tx| cell.write(tx, 2)),
        &|| _ = block_on(Atomically::new().run_async(|tx| cell.write(tx, 2))),
    ];
    for inner in inner {
        let messages = [
            panic_of(|| atomically(|tx| cell.write(tx, 3).map(|()| inner()))),
            panic_of(|| {
                snapshot(|_| {
                    inner();
                    Ok(())
                });
            }),
        ];
        for message in messages {
            assert!(message.contains("was started inside the transaction"), "{message}");
            assert!(message.contains("pass `tx` on"), "{message}");
            assert_eq!(places(&message), 2, "{message}");
        }
    }
    assert_eq!(cell.load(), 1);
}

#[test]
fn a_single_cell_write_inside_a_transaction_says_what_to_call() {
    let cell = TVar::new(1);
    let text = TVar::new(String::new());
    let cases: [(&str, &str, &dyn Fn()); 4] = [
        ("store", "write", &|| cell.store(2)),
        ("swap", "replace", &|| _ = text.swap("new".to_string())),
        ("update", "modify", &|| cell.update(|value| *value += 1)),
        ("store", "write", &|| text.store("new".to_string())),
    ];
    for (name, instead, write) in cases {
        for message in [
            panic_of(|| atomically(|tx| cell.read(tx).map(|_| write()))),
            panic_of(|| snapshot(|tx| cell.read(tx).map(|_| write()))),
        ] {
            assert!(message.starts_with(&format!("`{name}` at ")), "{message}");
            assert!(message.contains(&format!("call `{instead}(tx, ..)` instead")), "{message}");
            assert_eq!(places(&message), 2, "{message}");
        }
    }
    assert_eq!((cell.load(), text.load().as_str()), (1, ""));
    atomically(|tx| {
        cell.write(tx, 5)?;
        assert_eq!(cell.load(), 1, "`load` is allowed, and reads beside the transaction");
        Ok(())
    });
}

#[test]
fn a_swallowed_abort_does_not_commit() {
    let (read, other, written) = (TVar::new(0), TVar::new(0), TVar::new(0));
    let runs = Cell::new(0);
    let value = atomically(|tx| {
        runs.set(runs.get() + 1);
        written.modify(tx, |value| *value += 1)?;
        read.read(tx)?;
        if tx.attempt() == 1 {
            elsewhere(|| {
                atomically(|tx| {
                    read.write(tx, 1)?;
                    other.write(tx, 1)
                });
            });
        }
        let swallowed = other.read(tx).is_err();
        if swallowed {
            // Nothing is read or written any more.
            assert!(written.write(tx, 100).is_err() && read.read(tx).is_err() && written.read_ref(tx).is_err());
            assert!(tx.irrevocable().is_err());
            assert!(tx.or_else(|_| Ok::<_, Abort>(1), |_| Ok(2)).is_err());
            assert!(tx.nested(|_| Ok::<_, Cancel<()>>(1)).is_err());
        }
        Ok(runs.get())
    });
    assert_eq!((value, written.load()), (2, 1));
}

#[test]
fn a_swallowed_retry_waits_all_the_same() {
    let door = TVar::new(false);
    let attempts = atomically(|tx| {
        if !door.read(tx)? {
            elsewhere(|| door.store(true));
            _ = tx.retry::<()>();
            _ = tx.check(true);
        }
        Ok(tx.attempt())
    });
    assert_eq!(attempts, 2);
}

#[test]
fn an_error_returned_by_a_lost_attempt_is_not_believed() {
    let (a, b, scratch) = (TVar::new(0), TVar::new(0), TVar::new(0));
    let outcome = try_atomically(|tx| {
        scratch.write(tx, 1)?;
        let first = a.read(tx)?;
        if tx.attempt() == 1 {
            elsewhere(|| {
                atomically(|tx| {
                    a.write(tx, 1)?;
                    b.write(tx, 1)
                });
            });
        }
        match b.read(tx) {
            Ok(second) => Ok((first, second)),
            Err(_) => Err(Cancel::new("made up by a lost attempt")),
        }
    });
    assert_eq!(outcome, Ok((1, 1)));
}

/// Gets an `Abort` out of a transaction.
fn stolen() -> Abort {
    let stolen = Cell::new(None);
    let stopped = Atomically::new().max_attempts(1).run(|tx| {
        TVar::new(0).read(tx)?;
        stolen.set(tx.retry::<()>().err());
        Ok(())
    });
    assert!(stopped.is_err());
    stolen.take().unwrap()
}

#[test]
fn an_abort_of_another_transaction_is_refused() {
    let cell = TVar::new(0);
    let messages = [
        panic_of(|| {
            let mut abort = Some(stolen());
            atomically(|tx| {
                cell.write(tx, 1)?;
                Err::<(), _>(abort.take().unwrap())
            });
        }),
        panic_of(|| {
            let mut abort = Some(stolen());
            try_atomically(|_| Err::<(), Cancel<u8>>(abort.take().unwrap().into()))
        }),
        panic_of(|| {
            let mut abort = Some(stolen());
            block_on(Atomically::new().run_async(|_| Err::<(), _>(abort.take().unwrap())))
        }),
        panic_of(|| {
            let mut abort = Some(stolen());
            atomically(|tx| {
                tx.nested(|tx| {
                    cell.write(tx, 2)?;
                    Err::<(), Cancel<u8>>(abort.take().unwrap().into())
                })
            })
        }),
    ];
    for message in messages {
        assert!(message.contains("returned an `Abort` that this attempt did not give it"), "{message}");
        assert_eq!(places(&message), 1, "{message}");
    }
    let abort = stolen();
    let message = panic_of(|| snapshot(|_| Err::<(), _>(abort)));
    assert!(message.contains("which no snapshot gives out") && places(&message) == 1, "{message}");
    assert_eq!(cell.load(), 0);
}

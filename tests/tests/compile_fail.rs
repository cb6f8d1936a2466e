//! Lesson 10: what the types refuse, each with a program that must not compile; and what they promise.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::future::Future;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::rc::Rc;
use std::sync::MutexGuard;

use optimist::{
    Abort, Atomically, Cancel, Limit, Priority, Shared, Snapshot, Stats, Stm, Stopped, TCell, TVar, TryError, Tx,
    TxLocal,
};
use static_assertions::{assert_impl_all, assert_not_impl_any};

/// The compiler whose words are in the `.stderr` files; others say the same in other words.
const COMPILER: &str = "rustc 1.95.";

#[test]
fn lesson_10_misuse_does_not_compile() {
    let compiler = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_string());
    let version = std::process::Command::new(compiler).arg("--version").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    if !version.starts_with(COMPILER) {
        println!("not compared with the words of {version}");
        return;
    }
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}

assert_impl_all!(TVar<u64>: Send, Sync, UnwindSafe, RefUnwindSafe, Clone, Default, From<u64>);
assert_impl_all!(TVar<String>: Send, Sync, UnwindSafe, RefUnwindSafe, Clone, Default, From<String>);
assert_impl_all!(TCell<u64>: Send, Sync, UnwindSafe, RefUnwindSafe, Default, From<u64>);
assert_impl_all!(TCell<Vec<u8>>: Send, Sync);
assert_impl_all!(Shared<TCell<u64>>: Send, Sync, UnwindSafe, RefUnwindSafe, Clone, Default);
assert_impl_all!(Atomically: Send, Sync, Copy, Default);
assert_impl_all!(TxLocal<Vec<u8>>: Send, Sync);
assert_impl_all!(Abort: Send, Sync);
assert_impl_all!(Cancel<u8>: Send, Sync, From<Abort>);
assert_impl_all!(TryError<std::fmt::Error>: Send, Sync, std::error::Error);
assert_impl_all!(Stopped: Send, Sync, std::error::Error, Clone);
assert_impl_all!(Limit: Send, Sync, Copy);
assert_impl_all!(Priority: Send, Sync, Copy, Ord);
assert_impl_all!(Stats: Send, Sync, Copy);

// A `TCell` needs both of its value: it hands references to any thread, and drops it on any thread.
assert_not_impl_any!(TCell<Cell<u8>>: Send, Sync);
assert_not_impl_any!(TCell<Rc<u8>>: Send, Sync);
assert_not_impl_any!(TCell<MutexGuard<'static, u8>>: Send, Sync);
assert_not_impl_any!(Tx<'static>: Send, Sync, Clone);
assert_not_impl_any!(Snapshot<'static>: Send, Sync, Clone);
assert_not_impl_any!(TCell<u64>: Clone);

fn is_send<F: Future + Send>(future: F) -> F {
    future
}

#[test]
fn a_future_is_send_when_its_body_is() {
    let cell = TVar::new(1);
    let (mine, theirs) = (cell.clone(), cell.clone());
    let read = is_send(Atomically::new().run_async(move |tx| mine.read(tx)));
    let write = is_send(Atomically::new().timeout(std::time::Duration::from_secs(9)).try_run_async(move |tx| {
        theirs.write(tx, 2)?;
        Ok::<_, Cancel<String>>(())
    }));
    let seen = std::thread::spawn(move || {
        futures::executor::block_on(async move {
            write.await.unwrap();
            read.await.unwrap()
        })
    });
    assert_eq!(seen.join().unwrap(), 2);
}

/// A function that can be called from a transaction and a snapshot alike.
fn twice<'tx>(tx: &mut impl optimist::ReadTx<'tx>, cell: &TVar<u64>) -> Stm<u64> {
    Ok(2 * *cell.read_ref(tx)?)
}

#[test]
fn what_reads_serves_transactions_and_snapshots() {
    let cell = TVar::new(4);
    assert_eq!(optimist::atomically(|tx| twice(tx, &cell)), optimist::snapshot(|tx| twice(tx, &cell)));
}

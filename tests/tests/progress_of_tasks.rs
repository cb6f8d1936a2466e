//! The token and tasks: a task that does not run keeps nobody from the token.
//!
//! Method: tasks are polled by hand. The tests take turns, as there is one token and each looks at who holds it.
#![forbid(unsafe_code)]

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use futures::executor::block_on;
use futures::future::FutureExt;
use optimist::{Atomically, Cancel, TVar, atomically};
use optimist_tests::schedule::elsewhere;

static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Becomes irrevocable, or fails because somebody else keeps the token.
#[track_caller]
fn the_token_is_to_be_had() {
    let next = Atomically::new().timeout(Duration::from_secs(2)).run(|tx| tx.irrevocable());
    assert_eq!(next, Ok(()), "the token is kept by somebody who does not run");
}

#[test]
fn a_task_that_ran_out_of_time_while_the_token_was_held_is_over() {
    let _turn = turn();
    let limited = Atomically::new().timeout(Duration::from_millis(10));
    let mut task = Box::pin(limited.try_run_async(|tx| Ok::<_, Cancel<()>>(tx.irrevocable()?)));
    atomically(|tx| {
        tx.irrevocable()?;
        elsewhere(|| {
            let mut context = Context::from_waker(Waker::noop());
            assert!(task.poll_unpin(&mut context).is_pending());
            thread::sleep(Duration::from_millis(20));
            assert!(task.poll_unpin(&mut context).is_ready());
        });
        Ok(())
    });
    // Over, though not dropped yet.
    the_token_is_to_be_had();
    drop(task);
}

#[test]
fn a_task_stopped_by_a_limit_gives_the_token_back() {
    let _turn = turn();
    let read = TVar::new(0);
    let mut task = Box::pin(Atomically::new().max_attempts(1).try_run_async(|tx| {
        read.read(tx)?;
        elsewhere(|| read.update(|value| *value += 1));
        // The token is free, but what was read has changed: one more attempt would be needed.
        Ok::<_, Cancel<()>>(tx.irrevocable()?)
    }));
    assert!(task.poll_unpin(&mut Context::from_waker(Waker::noop())).is_ready());
    elsewhere(the_token_is_to_be_had);
    drop(task);
}

#[test]
fn a_task_that_is_not_polled_does_not_keep_the_token() {
    let _turn = turn();
    let mut task = Box::pin(Atomically::new().run_async(|tx| tx.irrevocable()));
    atomically(|tx| {
        tx.irrevocable()?;
        elsewhere(|| assert!(task.poll_unpin(&mut Context::from_waker(Waker::noop())).is_pending()));
        Ok(())
    });
    // A task may be forgotten, or its executor busy: perhaps with this very thread.
    the_token_is_to_be_had();
    assert_eq!(block_on(task), Ok(()));
}

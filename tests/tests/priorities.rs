//! Priorities: in which order the token is granted.
//!
//! Method: threads queue for the token in a known order while another thread holds it. This file is a process of its own
//! with one test, so that the number of each grant is known, and the counters are those of its transactions alone.
#![forbid(unsafe_code)]

use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use optimist::{Atomically, Priority, atomically, stats};
use optimist_tests::schedule::Signal;

/// Waits until one more attempt has found the token taken, and has had time to queue for it.
fn until_queued(before: u64) {
    while stats().aborted_token == before {
        thread::yield_now();
    }
    thread::sleep(Duration::from_millis(20));
}

/// Queues transactions of these priorities for the token, one after the other, and says in which order they were granted
/// it.
fn order_of_grants(priorities: &[i8]) -> Vec<usize> {
    let (holds, waits) = (Signal::new(), Signal::new());
    let (held, go_on) = (holds.sender(), waits.sender());
    let holder = thread::spawn(move || {
        atomically(|tx| {
            tx.irrevocable()?;
            held.send(()).unwrap();
            waits.wait();
            Ok(())
        });
    });
    holds.wait();
    let order = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for (index, level) in priorities.iter().enumerate() {
            let order = &order;
            let before = stats().aborted_token;
            scope.spawn(move || {
                Atomically::new()
                    .priority(Priority::new(*level))
                    .run(|tx| {
                        tx.irrevocable()?;
                        order.lock().unwrap().push(index);
                        Ok(())
                    })
                    .unwrap();
            });
            until_queued(before);
        }
        go_on.send(()).unwrap();
    });
    holder.join().unwrap();
    order.into_inner().unwrap()
}

#[test]
fn priority_orders_the_grants_then_age_and_each_fourth_goes_to_the_oldest() {
    // The holder has the first grant; the fourth goes to the oldest, whatever its priority.
    assert_eq!(order_of_grants(&[-1, 0, 5, 0, 5, 0]), [2, 4, 0, 1, 3, 5]);
    // The holder has the eighth grant, the twelfth goes to the oldest: a low priority is not starved.
    assert_eq!(order_of_grants(&[-100, 100, 100, 100, 100, 100, 100, 100]), [1, 2, 3, 0, 4, 5, 6, 7]);
}

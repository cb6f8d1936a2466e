//! Alarms: waking a task at a moment.
//!
//! A thread that sleeps needs none of this. A task has no clock that every executor would offer, so one thread of
//! ours wakes tasks whose transactions have a time limit; it exists only while there are alarms.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Instant;

use crate::wait;

static TIMER: Timer = Timer { alarms: Mutex::new(Alarms::NONE), changed: Condvar::new() };

struct Timer {
    alarms: Mutex<Alarms>,
    changed: Condvar,
}

struct Alarms {
    by_time: BTreeMap<(Instant, u64), Waker>,
    last_id: u64,
    has_thread: bool,
}

impl Alarms {
    const NONE: Self = Self { by_time: BTreeMap::new(), last_id: 0, has_thread: false };
}

/// The alarms of the process. No model waits for a moment, so this lock is always that of `std`.
fn alarms() -> MutexGuard<'static, Alarms> {
    TIMER.alarms.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A task that will be woken; no longer when dropped.
#[derive(Debug)]
pub(crate) struct Alarm((Instant, u64));

impl Drop for Alarm {
    fn drop(&mut self) {
        let waker = alarms().by_time.remove(&self.0);
        drop(waker);
        // The thread may have nothing left to wait for.
        TIMER.changed.notify_one();
    }
}

/// Has `waker` woken at `moment`, or at once if no thread can be had to do it later.
pub(crate) fn wake_at(moment: Instant, waker: Waker) -> Alarm {
    let mut alarms = self::alarms();
    alarms.last_id += 1;
    let key = (moment, alarms.last_id);
    alarms.by_time.insert(key, waker);
    if !alarms.has_thread {
        let spawned = std::thread::Builder::new().name("optimist-timer".into()).spawn(run);
        alarms.has_thread = spawned.is_ok();
        if spawned.is_err() {
            let waker = alarms.by_time.remove(&key);
            drop(alarms);
            waker.into_iter().for_each(wait::wake);
            return Alarm(key);
        }
    }
    drop(alarms);
    TIMER.changed.notify_one();
    Alarm(key)
}

/// Wakes whose time has come, until there are no alarms left.
fn run() {
    let mut alarms = self::alarms();
    while let Some(next) = alarms.by_time.first_entry() {
        let left = next.key().0.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let waker = next.remove();
            drop(alarms);
            wait::wake(waker);
            alarms = self::alarms();
        } else {
            alarms = TIMER.changed.wait_timeout(alarms, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
    alarms.has_thread = false;
}

//! Making threads do things in a given order, and noticing when they do not go on.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use optimist::{Tx, collect};

/// Longer than anything takes that does not hang, also on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Runs `test` and returns its result.
///
/// # Panics
/// When it takes longer than [`PATIENCE`], and when it panics.
pub fn without_hanging<R: Send + 'static>(test: impl FnOnce() -> R + Send + 'static) -> R {
    ends_within(PATIENCE, String::new, test)
}

/// Runs `test` and returns its result; if it takes longer than `limit`, `state` is asked for what it was doing.
///
/// # Panics
/// When it takes longer, and when it panics.
pub fn ends_within<R: Send + 'static>(
    limit: Duration,
    state: impl FnOnce() -> String,
    test: impl FnOnce() -> R + Send + 'static,
) -> R {
    let (sender, result) = mpsc::channel();
    let runner = thread::spawn(move || {
        let outcome = catch_unwind(AssertUnwindSafe(test));
        _ = sender.send(outcome);
    });
    match result.recv_timeout(limit) {
        Ok(Ok(result)) => {
            runner.join().expect("the outcome was sent");
            result
        }
        Ok(Err(payload)) => resume_unwind(payload),
        Err(error) => panic!("the test hangs: {error}{}", state()),
    }
}

/// Runs `step` on another thread and waits for it. Called in the middle of a transaction, it is a thread that commits there.
///
/// # Panics
/// When `step` panics.
pub fn elsewhere<R: Send>(step: impl FnOnce() -> R + Send) -> R {
    thread::scope(|scope| scope.spawn(step).join()).unwrap_or_else(|payload| resume_unwind(payload))
}

/// Runs `step`, which panics, and returns the message.
///
/// # Panics
/// When `step` does not panic, or panics without a message.
pub fn panic_of<R>(step: impl FnOnce() -> R) -> String {
    match catch_unwind(AssertUnwindSafe(step)) {
        Ok(_) => panic!("a panic was expected"),
        Err(payload) => message(&*payload).expect("the panic has a message"),
    }
}

fn message(payload: &(dyn Any + Send)) -> Option<String> {
    let fixed = payload.downcast_ref::<&str>().map(ToString::to_string);
    fixed.or_else(|| payload.downcast_ref::<String>().cloned())
}

/// A signal from one thread to another.
#[derive(Debug)]
pub struct Signal {
    sender: Sender<()>,
    receiver: Receiver<()>,
}

impl Default for Signal {
    fn default() -> Self {
        Self::new()
    }
}

impl Signal {
    /// Makes a signal.
    #[must_use]
    pub fn new() -> Self {
        let (sender, receiver) = mpsc::channel();
        Self { sender, receiver }
    }

    /// What gives the signal.
    #[must_use]
    pub fn sender(&self) -> Sender<()> {
        self.sender.clone()
    }

    /// Waits until the signal has been given once more.
    ///
    /// # Panics
    /// When it does not come within [`PATIENCE`].
    pub fn wait(&self) {
        self.receiver.recv_timeout(PATIENCE).expect("the signal comes");
    }

    /// Whether the signal is given within `time`.
    #[must_use]
    pub fn comes_within(&self, time: Duration) -> bool {
        match self.receiver.recv_timeout(time) {
            Ok(()) => true,
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => unreachable!("we hold a sender"),
        }
    }
}

/// Has `signal` given when this attempt has ended without effect. If it retried, it is registered by then: whatever changes
/// from then on must wake it.
pub fn signal_abort(tx: &mut Tx<'_>, signal: &Sender<()>) {
    let signal = signal.clone();
    tx.after_abort(move || _ = signal.send(()));
}

/// A flag that threads look at to know when to stop. The test raises it by dropping the guard, hence also when it fails.
#[derive(Debug, Default)]
pub struct Over(AtomicBool);

impl Over {
    /// Makes a flag that is not raised.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether it is time to stop.
    pub fn is_raised(&self) -> bool {
        // Relaxed: nothing is read on its account.
        self.0.load(Ordering::Relaxed)
    }

    /// Raises the flag when the guard is dropped.
    #[must_use = "the flag is raised when the guard is dropped"]
    pub fn guard(&self) -> impl Drop + '_ {
        Raise(self)
    }
}

struct Raise<'a>(&'a Over);

impl Drop for Raise<'_> {
    fn drop(&mut self) {
        // Relaxed: as above.
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// Tidies up until `condition` holds. Other tests of the process may look at what is to be destroyed for a while.
///
/// # Panics
/// When it does not hold within [`PATIENCE`].
pub fn collect_until(what: &str, condition: impl Fn() -> bool) {
    wait_until(what, || {
        collect();
        condition()
    });
}

/// Waits until `condition` holds.
///
/// # Panics
/// When it does not hold within [`PATIENCE`].
pub fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "still not: {what}");
        thread::yield_now();
    }
}

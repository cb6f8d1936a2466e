//! Running a transaction: the entry points, the builder, and the loop that makes a blocked thread of it.

use std::panic::Location;
use std::time::{Duration, Instant};

use crate::attempt::{self, Aborted, Ended, Next, Options, Progress, Terms};
use crate::domain::DOMAIN;
use crate::error::{Cancel, Cause, Limit, Stm, Stopped, TryError, TxError};
use crate::participant::{Current, Participant};
use crate::snapshot::{self, Snapshot};
use crate::token::Priority;
use crate::tx::Tx;

/// Runs `body` as one transaction: it takes effect as a whole, at one moment, or not at all.
///
/// The body may be run several times, until an attempt commits; only that one has an effect. It should
/// do nothing but use cells; for anything else there are [`after_commit`](Tx::after_commit) and
/// [`irrevocable`](Tx::irrevocable).
///
/// # Blocks
/// While the body [retries](Tx::retry), until a cell that it has read changes.
///
/// # Panics
/// * When called inside another transaction on the same thread: pass `tx` on instead.
/// * When the body retries without having read anything, or waits although no other thread exists that could end it.
/// * When the body panics; what it wrote is undone, and nothing is poisoned.
///
/// # Examples
/// ```
/// use optimist::{TVar, atomically};
///
/// let from = TVar::new(100_u64);
/// let to = TVar::new(0_u64);
/// atomically(|tx| {
///     let balance = from.read(tx)?;
///     tx.check(balance >= 30)?;
///     from.write(tx, balance - 30)?;
///     to.modify(tx, |balance| *balance += 30)
/// });
/// assert_eq!((from.load(), to.load()), (70, 30));
/// ```
#[track_caller]
pub fn atomically<R>(body: impl for<'tx> FnMut(&mut Tx<'tx>) -> Stm<R>) -> R {
    match drive(&Atomically::DEFAULT, Location::caller(), body) {
        Ok(result) => result,
        Err(TryError::Stopped(stopped)) => never_ends(&stopped, Location::caller()),
        Err(TryError::Cancelled(never)) => match never {},
    }
}

#[cold]
fn never_ends(stopped: &Stopped, at: &Location<'_>) -> ! {
    panic!("the transaction at {at} can never go on: {stopped}")
}

/// Runs `body` as one transaction that it may cancel with an error of its own, which undoes all that it did.
///
/// # Blocks
/// As [`atomically`].
///
/// # Errors
/// [`TryError::Cancelled`] with the error of the body; [`TryError::Stopped`] when it waits and nobody could ever wake
/// it.
///
/// # Panics
/// As [`atomically`].
///
/// # Examples
/// ```
/// use optimist::{Cancel, TVar, TryError, try_atomically};
///
/// #[derive(Debug, PartialEq)]
/// struct Overdrawn(u64);
///
/// let balance = TVar::new(20_u64);
/// let outcome = try_atomically(|tx| {
///     let left = balance.replace(tx, 0)?;
///     if left < 30 {
///         return Err(Cancel::new(Overdrawn(30 - left)));
///     }
///     Ok(())
/// });
/// assert_eq!(outcome, Err(TryError::Cancelled(Overdrawn(10))));
/// assert_eq!(balance.load(), 20);
/// ```
#[track_caller]
pub fn try_atomically<R, E>(body: impl for<'tx> FnMut(&mut Tx<'tx>) -> Result<R, Cancel<E>>) -> Result<R, TryError<E>> {
    drive(&Atomically::DEFAULT, Location::caller(), body)
}

/// Runs `body` on a snapshot: all that it reads is the state at one moment, and it cannot write.
///
/// A snapshot runs once, however long it takes and whatever writers do meanwhile; and it keeps no record of
/// what it reads, which makes it the cheapest way to read many cells.
///
/// # Panics
/// When called inside a transaction on the same thread: read through its `tx` instead. When the body panics.
///
/// # Examples
/// ```
/// use optimist::{TVar, snapshot};
///
/// let cells: Vec<_> = (1..=100).map(TVar::new).collect();
/// let sum = snapshot(|tx| {
///     let mut sum = 0;
///     for cell in &cells {
///         sum += cell.read(tx)?;
///     }
///     Ok(sum)
/// });
/// assert_eq!(sum, 5050);
/// ```
#[track_caller]
pub fn snapshot<R>(body: impl for<'tx> FnOnce(&mut Snapshot<'tx>) -> Stm<R>) -> R {
    snapshot::run(Location::caller(), body)
}

/// How a transaction is to be run: a label, a priority, and limits.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use optimist::{Atomically, Limit, Priority, TVar};
///
/// let door = TVar::new(false);
/// let stopped = Atomically::new()
///     .label("enter")
///     .priority(Priority::HIGH)
///     .timeout(Duration::from_millis(10))
///     .run(|tx| {
///         let open = door.read(tx)?;
///         tx.check(open)
///     })
///     .unwrap_err();
/// assert_eq!(stopped.limit(), Limit::Time);
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "a transaction does nothing until it is run"]
pub struct Atomically {
    pub(crate) options: Options,
}

impl Default for Atomically {
    fn default() -> Self {
        Self::new()
    }
}

impl Atomically {
    const DEFAULT: Options = Options {
        label: None,
        priority: Priority::NORMAL,
        timeout: None,
        deadline: None,
        max_attempts: None,
        shared_by_handle: false,
    };

    /// A transaction without a label or limits, of normal priority.
    ///
    /// # Examples
    /// ```
    /// use optimist::Atomically;
    ///
    /// const PLAIN: Atomically = Atomically::new();
    /// assert_eq!(PLAIN.run(|_| Ok(1)), Ok(1));
    /// ```
    pub const fn new() -> Self {
        Self { options: Self::DEFAULT }
    }

    /// Names the transaction in errors.
    ///
    /// # Examples
    /// ```
    /// use optimist::{Atomically, TVar};
    ///
    /// let door = TVar::new(false);
    /// let stopped = Atomically::new().label("enter").max_attempts(1).run(|tx| {
    ///     let open = door.read(tx)?;
    ///     tx.check(open)
    /// });
    /// assert_eq!(stopped.unwrap_err().label(), Some("enter"));
    /// ```
    pub const fn label(mut self, label: &'static str) -> Self {
        self.options.label = Some(label);
        self
    }

    /// Says who goes first among transactions that are irrevocable or keep losing.
    ///
    /// # Examples
    /// ```
    /// use optimist::{Atomically, Priority};
    ///
    /// let audit = Atomically::new().priority(Priority::LOW).run(|tx| tx.irrevocable());
    /// assert!(audit.is_ok());
    /// ```
    pub const fn priority(mut self, priority: Priority) -> Self {
        self.options.priority = priority;
        self
    }

    /// Stops the transaction when it has gone on for so long.
    ///
    /// Time is looked at between attempts and while waiting; a running body is not interrupted.
    ///
    /// # Examples
    /// See [`Atomically`].
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = Some(timeout);
        self
    }

    /// Stops the transaction at this moment. With a timeout as well, what comes first counts.
    ///
    /// # Examples
    /// ```
    /// use std::time::Instant;
    /// use optimist::{Atomically, Limit, TVar};
    ///
    /// let never = TVar::new(());
    /// let stopped = Atomically::new()
    ///     .deadline(Instant::now())
    ///     .run(|tx| {
    ///         never.read(tx)?;
    ///         tx.retry::<()>()
    ///     })
    ///     .unwrap_err();
    /// assert_eq!(stopped.limit(), Limit::Time);
    /// ```
    pub const fn deadline(mut self, deadline: Instant) -> Self {
        self.options.deadline = Some(deadline);
        self
    }

    /// Stops the transaction when so many attempts have not committed, for whatever reason: conflicts count like
    /// retries. At least one attempt is made.
    ///
    /// # Examples
    /// ```
    /// use optimist::{Atomically, Limit, TVar};
    ///
    /// let stock = TVar::new(0);
    /// let stopped = Atomically::new()
    ///     .max_attempts(1)
    ///     .run(|tx| {
    ///         let left = stock.read(tx)?;
    ///         tx.check(left > 0)
    ///     })
    ///     .unwrap_err();
    /// assert_eq!(stopped.limit(), Limit::Attempts(1));
    /// assert_eq!(stopped.aborts().retry, 1);
    /// ```
    pub const fn max_attempts(mut self, attempts: u32) -> Self {
        self.options.max_attempts = Some(attempts);
        self
    }

    /// Promises that other threads reach the cells it waits for through handles of their own alone, not through
    /// references to this thread's.
    ///
    /// Then a wait is known to be without end as soon as every cell it waits for is a [`TVar`](crate::TVar) of which
    /// no other handle is left, and the transaction stops with [`Limit::Abandoned`] instead of hanging. Without
    /// the promise this cannot be known, as a single handle may be shared by reference; then a wait ends so only
    /// when the waiting thread is the only one of the process.
    ///
    /// Keep a handle for as long as you use its cell, also inside a transaction: one that drops its last handle and
    /// then writes the cell may be too late.
    ///
    /// # Examples
    /// ```
    /// use optimist::{Atomically, Limit, TVar};
    /// use std::thread;
    ///
    /// let mine = TVar::new(false);
    /// let theirs = mine.clone();
    /// let waiter = thread::spawn(move || {
    ///     Atomically::new().shared_by_handle().run(|tx| {
    ///         let open = theirs.read(tx)?;
    ///         tx.check(open)
    ///     })
    /// });
    /// drop(mine);
    /// assert_eq!(waiter.join().unwrap().unwrap_err().limit(), Limit::Abandoned);
    /// ```
    pub const fn shared_by_handle(mut self) -> Self {
        self.options.shared_by_handle = true;
        self
    }

    /// Runs `body` as one transaction, within the limits.
    ///
    /// # Blocks
    /// As [`atomically`].
    ///
    /// # Errors
    /// [`Stopped`] when a limit is reached; it says which, after how many attempts, and why they aborted.
    ///
    /// # Panics
    /// As [`atomically`], except that a wait without end is an error.
    ///
    /// # Examples
    /// See [`Atomically`].
    #[track_caller]
    pub fn run<R>(&self, body: impl for<'tx> FnMut(&mut Tx<'tx>) -> Stm<R>) -> Result<R, Stopped> {
        drive(&self.options, Location::caller(), body).map_err(|error| match error {
            TryError::Stopped(stopped) => stopped,
            TryError::Cancelled(never) => match never {},
        })
    }

    /// Runs `body` as one transaction, within the limits; the body may cancel it.
    ///
    /// # Blocks
    /// As [`atomically`].
    ///
    /// # Errors
    /// As [`run`](Self::run) and [`try_atomically`].
    ///
    /// # Panics
    /// As [`run`](Self::run).
    ///
    /// # Examples
    /// ```
    /// use optimist::{Atomically, Cancel, TryError};
    ///
    /// let outcome = Atomically::new().label("pay").try_run(|_| Err::<(), _>(Cancel::new("no")));
    /// assert_eq!(outcome, Err(TryError::Cancelled("no")));
    /// ```
    #[track_caller]
    pub fn try_run<R, E>(
        &self,
        body: impl for<'tx> FnMut(&mut Tx<'tx>) -> Result<R, Cancel<E>>,
    ) -> Result<R, TryError<E>> {
        drive(&self.options, Location::caller(), body)
    }

    /// Runs `body` on a snapshot, as [`snapshot`] does. It takes one attempt, so that no limit applies.
    ///
    /// # Panics
    /// As [`snapshot`].
    ///
    /// # Examples
    /// ```
    /// use optimist::{Atomically, TVar};
    ///
    /// let cell = TVar::new(1);
    /// assert_eq!(Atomically::new().snapshot(|tx| cell.read(tx)), 1);
    /// ```
    #[track_caller]
    pub fn snapshot<R>(&self, body: impl for<'tx> FnOnce(&mut Snapshot<'tx>) -> Stm<R>) -> R {
        snapshot::run(Location::caller(), body)
    }
}

/// Runs attempts until one commits, on a thread that may block.
#[inline]
fn drive<R, X: TxError>(
    options: &Options,
    at: &'static Location<'static>,
    mut body: impl for<'tx> FnMut(&mut Tx<'tx>) -> Result<R, X>,
) -> Result<R, TryError<X::Error>> {
    let current = Current::get();
    let participant = current.participant();
    // The clock of a time limit starts before the first attempt.
    let progress = options.is_timed().then(|| Progress::new(*options));
    let result = match attempt::run_first(participant, at, &mut body) {
        Ok(value) if attempt::end_if_only_read(participant) || attempt::end_if_plain(participant) => return Ok(value),
        result => result,
    };
    let terms = Terms { options, at, task: None };
    match attempt::finish(participant, &terms, result) {
        Ended::Committed(result) => Ok(result),
        Ended::Cancelled(error) => Err(TryError::Cancelled(error)),
        Ended::Aborted(aborted) => {
            let progress = progress.unwrap_or_else(|| Progress::new(*options));
            drive_on(participant, &terms, progress, aborted, &mut body)
        }
    }
}

/// Runs further attempts after the first.
#[cold]
#[inline(never)]
fn drive_on<R, X: TxError>(
    participant: &'static Participant,
    terms: &Terms<'_>,
    mut progress: Progress,
    mut aborted: Aborted,
    body: &mut impl for<'tx> FnMut(&mut Tx<'tx>) -> Result<R, X>,
) -> Result<R, TryError<X::Error>> {
    loop {
        go_on(&mut progress, participant, aborted).map_err(TryError::Stopped)?;
        match attempt::run_again(participant, terms, progress.next_start(), body) {
            Ended::Committed(result) => return Ok(result),
            Ended::Cancelled(error) => return Err(TryError::Cancelled(error)),
            Ended::Aborted(again) => aborted = again,
        }
    }
}

/// Waits until the next attempt may begin.
fn go_on(progress: &mut Progress, participant: &Participant, aborted: Aborted) -> Result<(), Stopped> {
    let deadline = progress.deadline();
    let in_time = match aborted {
        Aborted::Abandoned => {
            progress.aborted(Cause::Retry)?;
            return Err(progress.stopped(Limit::Abandoned));
        }
        Aborted::Retried(waiting) => {
            progress.aborted(Cause::Retry)?;
            // Without a registration something has changed already.
            match waiting {
                None => {
                    progress.back_off(participant);
                    true
                }
                Some(waiting) => {
                    participant.counters.waited();
                    waiting.sleep(deadline)
                }
            }
        }
        Aborted::Lost(lost) => {
            let cause = lost.cause;
            progress.lost(lost)?;
            match progress.next(cause, participant) {
                Next::Again => true,
                Next::LooksOn => DOMAIN.token.wait_while_held(deadline),
                Next::NeedsToken => {
                    let ticket = DOMAIN.token.take(progress.priority(), deadline);
                    let granted = ticket.is_some();
                    ticket.into_iter().for_each(|ticket| progress.hold(ticket, participant));
                    granted
                }
            }
        }
    };
    if in_time { Ok(()) } else { Err(progress.stopped(Limit::Time)) }
}

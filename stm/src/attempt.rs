//! One attempt, from its begin to its end, whoever drives it: a blocked thread or a task.
//!
//! # Protocol
//! 1. **Begin**: refuse if a transaction runs on this thread, pin for history, sample the `read_version`.
//! 2. **Run** the body.
//! 3. **Decide**: commit, or find out why not. An attempt that retried registers for its wait now, while what it has read
//!    is known and kept alive.
//! 4. **End**: forget everything, unpin; then give the token back, wake, destroy, run hooks.
//!
//! # Invariants
//! * **E1** Every attempt is ended, also by a panic of the body: [`Attempt`] ends it when dropped.
//! * **E2** A ticket goes from [`Progress`] to the attempt and back; it is dropped when the transaction commits, is
//!   cancelled, panics, or goes to wait.

use std::fmt::Display;
use std::panic::Location;
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::abandoned;
use crate::backoff::Backoff;
use crate::domain::DOMAIN;
use crate::error::{Aborts, Cause, Limit, Stopped, TxError};
use crate::local;
use crate::participant::Participant;
use crate::token::{Priority, Ticket};
use crate::transaction::{Mode, Start, State, Tx};
use crate::wait::Waiting;

/// What a transaction may do; set by the builder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub(crate) label: Option<&'static str>,
    pub(crate) priority: Priority,
    pub(crate) timeout: Option<Duration>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) max_attempts: Option<u32>,
    pub(crate) shared_by_handle: bool,
}

/// What a transaction remembers from one attempt to the next.
#[derive(Debug)]
pub(crate) struct Progress {
    options: Options,
    at: &'static Location<'static>,
    /// When it began and when it must be over, if it has a time limit.
    times: Option<(Instant, Instant)>,
    attempts: u64,
    aborts: Aborts,
    /// Attempts lost since the last wait.
    losses: u32,
    must_stay_present: bool,
    must_escalate: bool,
    ticket: Option<Ticket>,
    backoff: Option<Backoff>,
}

/// How a transaction goes on after an attempt that was lost.
#[derive(Debug)]
pub(crate) enum Next {
    /// It holds the token, or may try once more after a short wait.
    Again,
    /// It waits for the token.
    NeedsToken,
    /// It waits for whoever holds the token.
    LooksOn,
}

impl Progress {
    /// After so many lost attempts, a transaction asks for the token.
    const ESCALATE_AFTER: u32 = 24;

    #[inline]
    pub(crate) fn new(options: Options, at: &'static Location<'static>) -> Self {
        let mut progress = Self {
            options,
            at,
            times: None,
            attempts: 0,
            aborts: Aborts::default(),
            losses: 0,
            must_stay_present: false,
            must_escalate: false,
            ticket: None,
            backoff: None,
        };
        if options.timeout.is_some() || options.deadline.is_some() {
            progress.start_clock();
        }
        progress
    }

    #[cold]
    fn start_clock(&mut self) {
        let now = Instant::now();
        // A timeout beyond the end of time is none.
        let from_timeout = self.options.timeout.and_then(|timeout| now.checked_add(timeout));
        let first = from_timeout.into_iter().chain(self.options.deadline).min();
        self.times = first.map(|deadline| (now, deadline));
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.times.map(|(_, deadline)| deadline)
    }

    pub(crate) fn priority(&self) -> Priority {
        self.options.priority
    }

    pub(crate) fn stopped(&self, limit: Limit) -> Stopped {
        Stopped {
            label: self.options.label,
            limit,
            attempts: self.attempts,
            aborts: self.aborts,
            elapsed: self.times.map_or(Duration::ZERO, |(start, _)| start.elapsed()),
        }
    }

    /// Takes the token that was granted.
    pub(crate) fn hold(&mut self, ticket: Ticket, participant: &Participant) {
        self.ticket = Some(ticket);
        participant.counters.escalated();
    }

    /// Notes an attempt that was aborted.
    ///
    /// # Errors
    /// When a limit is reached.
    pub(crate) fn aborted(&mut self, cause: Cause) -> Result<(), Stopped> {
        self.aborts.count(cause);
        self.losses = if cause == Cause::Retry { 0 } else { self.losses + 1 };
        if let Some(most) = self.options.max_attempts
            && self.attempts >= u64::from(most)
        {
            return Err(self.stopped(Limit::Attempts(most)));
        }
        if self.is_late() { Err(self.stopped(Limit::Time)) } else { Ok(()) }
    }

    /// Whether the time limit is over.
    pub(crate) fn is_late(&self) -> bool {
        self.deadline().is_some_and(|deadline| deadline <= Instant::now())
    }

    /// Says how to go on after an attempt was lost, having waited a little if that is all there is to do.
    pub(crate) fn next(&mut self, cause: Cause, participant: &Participant) -> Next {
        if self.ticket.is_some() {
            return Next::Again;
        }
        if self.must_escalate || self.losses >= Self::ESCALATE_AFTER {
            return Next::NeedsToken;
        }
        if cause == Cause::Token {
            return Next::LooksOn;
        }
        let seed = u64::from(participant.id()) << 32 ^ DOMAIN.clock.at_least().get();
        self.backoff.get_or_insert_with(|| Backoff::new(seed)).wait();
        Next::Again
    }
}

/// Why an attempt had no effect, if its body did not want that.
#[derive(Debug)]
pub(crate) enum Aborted {
    Lost(Cause),
    /// Sleep on the registration; without one, something has changed already.
    Retried(Option<Waiting>),
    /// Nobody could ever end the wait.
    Abandoned,
}

/// How an attempt ended, with what its body returned.
#[derive(Debug)]
pub(crate) enum Ended<R, E> {
    Committed(R),
    Cancelled(E),
    Aborted(Aborted),
}

/// Runs one attempt, of a task or else of this thread.
#[inline]
pub(crate) fn run<R, X: TxError>(
    participant: &'static Participant,
    progress: &mut Progress,
    task: Option<&Waker>,
    body: &mut impl for<'tx> FnMut(&mut Tx<'tx>) -> Result<R, X>,
) -> Ended<R, X::Error> {
    let mut attempt = Attempt::begin(participant, progress, task);
    let result = body(attempt.tx());
    let (value, error) = match result {
        Ok(value) => (Some(value), None),
        Err(error) => (None, error.into_error()),
    };
    let ending = attempt.finish(value.is_some(), error.is_some());
    match (ending, value, error) {
        (Ending::Committed, Some(value), _) => Ended::Committed(value),
        (Ending::Cancelled, _, Some(error)) => Ended::Cancelled(error),
        (Ending::Aborted(aborted), ..) => Ended::Aborted(aborted),
        (Ending::Committed | Ending::Cancelled, ..) => unreachable!("an ending fits what the body returned"),
    }
}

/// [`Ended`] without the values.
enum Ending {
    Committed,
    Cancelled,
    Aborted(Aborted),
}

/// An attempt that runs.
struct Attempt<'a> {
    participant: &'static Participant,
    progress: &'a mut Progress,
    task: Option<&'a Waker>,
    over: bool,
}

impl<'a> Attempt<'a> {
    #[inline]
    fn begin(participant: &'static Participant, progress: &'a mut Progress, task: Option<&'a Waker>) -> Self {
        enter(participant, progress.at);
        progress.attempts += 1;
        let start = Start {
            attempt: progress.attempts,
            must_stay_present: progress.must_stay_present,
            ticket: progress.ticket.take(),
        };
        let mut attempt = Self { participant, progress, task, over: false };
        attempt.state().begin(participant, start);
        attempt
    }

    #[inline]
    fn tx(&mut self) -> &mut Tx<'_> {
        // SAFETY: the state is this thread's (P1), this attempt runs on it alone, and we borrow the attempt.
        unsafe { Tx::over(self.participant.state()) }
    }

    #[inline]
    fn state(&mut self) -> &mut State {
        &mut self.tx().state
    }

    /// Decides and ends the attempt.
    #[inline]
    fn finish(mut self, returned: bool, cancelled: bool) -> Ending {
        let hooked = !self.state().hooks.is_empty();
        let returned = returned && (!hooked || self.run_local_hooks());
        let (participant, at) = (self.participant, self.progress.at);
        let state = self.state();
        if let Some(cause) = state.doomed() {
            return self.lose(cause);
        }
        if returned {
            if state.writes.is_empty() {
                participant.counters.read_only();
            } else if let Err(cause) = state.commit(participant) {
                return self.lose(cause);
            } else {
                participant.counters.committed();
            }
            self.close(true, true);
            return Ending::Committed;
        }
        assert!(
            cancelled,
            "the body of the transaction at {at} returned an `Abort` that this attempt did not give it; return an \
             `Abort` only right after it came out of a method of `tx` or of a cell"
        );
        participant.counters.cancelled();
        self.close(false, true);
        Ending::Cancelled
    }

    #[cold]
    fn run_local_hooks(&mut self) -> bool {
        let doomed = self.state().doomed().is_some();
        !doomed && local::before_commit(self.tx()).is_ok()
    }

    #[cold]
    fn lose(mut self, cause: Cause) -> Ending {
        self.participant.counters.aborted(cause);
        self.progress.must_stay_present = self.state().must_stay_present();
        self.progress.must_escalate |= self.state().must_escalate();
        if cause != Cause::Retry {
            self.close(false, false);
            return Ending::Aborted(Aborted::Lost(cause));
        }
        let at = self.progress.at;
        if let Some(since) = self.state().irrevocable() {
            panic!(
                "the transaction at {at} retried after it had become irrevocable at {since}; decide whether to wait \
                 before calling `irrevocable`"
            );
        }
        assert!(
            self.state().reads.len() > 0,
            "the transaction at {at} retried without having read a cell, so no change could ever wake it; read what \
             it waits for first"
        );
        let aborted = self.register();
        self.close(false, true);
        Ending::Aborted(aborted)
    }

    /// Prepares the wait of an attempt that retried.
    fn register(&mut self) -> Aborted {
        let may_sleep_alone = self.task.is_some() || self.progress.times.is_some();
        let by_handle = self.progress.options.shared_by_handle;
        let may_wait = self.progress.options.max_attempts.is_none_or(|most| self.progress.attempts < u64::from(most));
        let (participant, task) = (self.participant, self.task);
        let state = self.state();
        // In the past, some cell is known to have changed since.
        if state.mode() == Mode::Past || !may_wait {
            return Aborted::Retried(None);
        }
        let watch = by_handle.then(abandoned::Watch::new);
        let waiting = DOMAIN.waiters.register(&state.reads, state.read_limit(), task, watch);
        let Some(waiting) = waiting else { return Aborted::Retried(None) };
        let is_abandoned = (by_handle && abandoned::are_all_last_handles(&state.reads))
            || (!may_sleep_alone && abandoned::is_only_thread(participant));
        // Who is gone by now may have gone after changing a cell.
        if is_abandoned && waiting.is_undisturbed() { Aborted::Abandoned } else { Aborted::Retried(Some(waiting)) }
    }

    /// Ends the attempt (E1), and with `done` what the transaction holds beyond it (E2).
    #[inline]
    fn close(&mut self, committed: bool, done: bool) {
        self.over = true;
        let participant = self.participant;
        let state = self.state();
        let aftermath = state.end(participant, committed);
        let ticket = state.ticket.take();
        if done {
            drop(ticket);
        } else {
            self.progress.ticket = ticket;
        }
        if let Some(aftermath) = aftermath {
            aftermath.run();
        }
        participant.collect_if_due();
    }
}

impl Drop for Attempt<'_> {
    #[inline]
    fn drop(&mut self) {
        if !self.over {
            self.participant.counters.panicked();
            self.close(false, true);
        }
    }
}

/// Says that a transaction begins on this thread, and pins for history.
///
/// # Panics
/// If one runs already.
#[inline]
pub(crate) fn enter(participant: &Participant, at: &'static Location<'static>) {
    if let Some(outer) = participant.running() {
        refuse_nesting(at, outer);
    }
    participant.set_running(Some(at));
    participant.pin_for_history();
}

#[cold]
fn refuse_nesting(at: &dyn Display, outer: &dyn Display) -> ! {
    panic!(
        "the transaction at {at} was started inside the transaction that was started at {outer}; pass `tx` on to what \
         shall take part in it, or use `tx.nested` for a part that can be undone alone"
    );
}

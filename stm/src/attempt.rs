//! One attempt, from its begin to its end, whoever drives it: a blocked thread or a task.
//!
//! # Protocol
//! 1. **Begin**: refuse if a transaction runs on this thread, pin for history, sample the `read_version`.
//! 2. **Run** the body.
//! 3. **Decide**: commit, or find out why not. An attempt that retried registers for its wait now, while what it has
//!    read is known and kept alive.
//! 4. **End**: forget everything, unpin; then give the token back, wake, destroy, run hooks.
//!
//! # Invariants
//! * **E1** Every attempt is ended, also by a panic of the body: [`EndOnPanic`] ends it when dropped.
//! * **E2** A ticket goes from [`Progress`] to the attempt that it was granted for, and is dropped when that ends: no
//!   user code runs while its own thread holds the token outside of an attempt, since it might ask for it.

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
use crate::transaction::{Activity, Mode, Start, State};
use crate::tx::Tx;
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

/// What stays the same for all attempts of a transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms<'a> {
    pub(crate) options: &'a Options,
    /// Where it was started.
    pub(crate) at: &'static Location<'static>,
    /// The task that it is part of, unless a thread waits for it.
    pub(crate) task: Option<&'a Waker>,
}

/// What a transaction remembers from one attempt to the next.
#[derive(Debug)]
pub(crate) struct Progress {
    options: Options,
    /// When it began and when it must be over, if it has a time limit.
    times: Option<(Instant, Instant)>,
    attempts: u64,
    aborts: Aborts,
    /// Attempts lost since the last wait.
    losses: u32,
    /// Cells that they had read or written: what was done for nothing.
    lost_work: usize,
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
    /// And after this many, if so many cells were read or written in vain: a large one costs too much to lose often.
    const ESCALATE_LARGE_AFTER: (u32, usize) = (2, 1 << 14);

    /// The progress of a transaction whose first attempt is made now.
    pub(crate) fn new(options: Options) -> Self {
        let mut progress = Self {
            options,
            times: None,
            attempts: 1,
            aborts: Aborts::default(),
            losses: 0,
            lost_work: 0,
            must_stay_present: false,
            must_escalate: false,
            ticket: None,
            backoff: None,
        };
        if options.is_timed() {
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

    /// Whether the next attempt holds the token.
    pub(crate) fn holds_token(&self) -> bool {
        self.ticket.is_some()
    }

    /// Gives the token back, if the transaction ends between two attempts.
    pub(crate) fn give_back_token(&mut self) {
        self.ticket = None;
    }

    /// Takes the token that was granted.
    pub(crate) fn hold(&mut self, ticket: Ticket, participant: &Participant) {
        self.ticket = Some(ticket);
        participant.counters.escalated();
    }

    /// What the next attempt starts with.
    pub(crate) fn next_start(&mut self) -> Start {
        self.attempts += 1;
        Start { attempt: self.attempts, must_stay_present: self.must_stay_present, ticket: self.ticket.take() }
    }

    /// Notes an attempt that was lost, with what it left behind.
    ///
    /// # Errors
    /// When a limit is reached.
    pub(crate) fn lost(&mut self, lost: Lost) -> Result<(), Stopped> {
        self.must_stay_present |= lost.must_stay_present;
        self.must_escalate |= lost.must_escalate;
        self.lost_work += lost.work;
        self.aborted(lost.cause)
    }

    /// Notes an attempt that was aborted.
    ///
    /// # Errors
    /// When a limit is reached.
    pub(crate) fn aborted(&mut self, cause: Cause) -> Result<(), Stopped> {
        self.aborts.count(cause);
        if cause == Cause::Retry {
            (self.losses, self.lost_work) = (0, 0);
        } else {
            self.losses += 1;
        }
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
        if self.must_escalate || self.has_lost_enough() {
            return Next::NeedsToken;
        }
        if cause == Cause::Token {
            return Next::LooksOn;
        }
        self.back_off(participant);
        Next::Again
    }

    fn has_lost_enough(&self) -> bool {
        let (losses, work) = Self::ESCALATE_LARGE_AFTER;
        self.losses >= Self::ESCALATE_AFTER || (self.losses >= losses && self.lost_work >= work)
    }

    /// Waits a random while.
    pub(crate) fn back_off(&mut self, participant: &Participant) {
        let seed = u64::from(participant.id()) << 32 ^ DOMAIN.clock.at_least().get();
        self.backoff.get_or_insert_with(|| Backoff::new(seed)).wait();
    }
}

/// An attempt that lost against another transaction, and what the next one must know of it.
#[derive(Debug)]
pub(crate) struct Lost {
    pub(crate) cause: Cause,
    must_stay_present: bool,
    must_escalate: bool,
    /// Cells that it had read or written.
    work: usize,
}

/// Why an attempt had no effect, if its body did not want that.
#[derive(Debug)]
pub(crate) enum Aborted {
    Lost(Lost),
    /// Sleep on the registration; without one, something has changed already.
    Retried(Option<Waiting>),
    /// Nobody could ever end the wait.
    Abandoned,
}

impl Options {
    /// Whether there is a time limit.
    #[inline]
    pub(crate) const fn is_timed(&self) -> bool {
        self.timeout.is_some() || self.deadline.is_some()
    }
}

/// How an attempt ended, with what its body returned.
#[derive(Debug)]
pub(crate) enum Ended<R, E> {
    Committed(R),
    Cancelled(E),
    Aborted(Aborted),
}

/// Runs the body of a first attempt. Then [`end_if_only_read`], [`end_if_plain`] or
/// [`finish`] must end it.
#[inline]
pub(crate) fn run_first<R, X: TxError>(
    participant: &'static Participant,
    at: &'static Location<'static>,
    body: &mut impl for<'tx> FnMut(&mut Tx<'tx>) -> Result<R, X>,
) -> Result<R, X> {
    enter(participant, at);
    participant.counters.started();
    run_body(participant, State::begin, body)
}

/// Runs a later attempt.
pub(crate) fn run_again<R, X: TxError>(
    participant: &'static Participant,
    terms: &Terms<'_>,
    start: Start,
    body: &mut impl for<'tx> FnMut(&mut Tx<'tx>) -> Result<R, X>,
) -> Ended<R, X::Error> {
    enter(participant, terms.at);
    let result = run_body(participant, |state| state.begin_again(start), body);
    finish(participant, terms, result)
}

#[inline]
fn run_body<R, X: TxError>(
    participant: &'static Participant,
    begin: impl FnOnce(&mut State),
    body: &mut impl for<'tx> FnMut(&mut Tx<'tx>) -> Result<R, X>,
) -> Result<R, X> {
    let on_panic = EndOnPanic(participant);
    // SAFETY: the state is this thread's (P1), and this attempt is the only one that runs on it.
    let tx = unsafe { Tx::over(participant.state()) };
    begin(&mut tx.state);
    let result = body(tx);
    std::mem::forget(on_panic);
    result
}

/// Ends an attempt whose body panics (E1).
struct EndOnPanic(&'static Participant);

impl Drop for EndOnPanic {
    #[cold]
    fn drop(&mut self) {
        self.0.counters.panicked();
        close(self.0);
    }
}

/// Commits and ends an attempt whose body has returned `Ok` and has done nothing but read, at the present. False if
/// it has done more, and is still to be finished.
#[inline(always)]
pub(crate) fn end_if_only_read(participant: &'static Participant) -> bool {
    // SAFETY: the state is this thread's (P1), and the body, which used it, has returned.
    let state = unsafe { participant.state().as_mut() };
    let only_read = state.activity() == Activity::Reads;
    if only_read {
        participant.counters.read_only();
        state.end_reads(participant);
        participant.collect_if_due();
    }
    only_read
}

/// Commits and ends an attempt whose body has returned `Ok` and has done nothing but read and write. False if it has done
/// more, or could not commit, and is still to be finished.
#[inline(never)]
pub(crate) fn end_if_plain(participant: &'static Participant) -> bool {
    // SAFETY: the state is this thread's (P1), and the body, which used it, has returned.
    let state = unsafe { participant.state().as_mut() };
    if state.activity() != Activity::Writes {
        return false;
    }
    if let Err(cause) = state.commit(participant) {
        _ = state.doom(cause);
        return false;
    }
    participant.counters.committed();
    if let Some(aftermath) = state.end_committed(participant) {
        aftermath.run();
    }
    participant.collect_if_due();
    true
}

/// Commits or aborts an attempt whose body has returned, and ends it.
#[inline(never)]
pub(crate) fn finish<R, X: TxError>(
    participant: &'static Participant,
    terms: &Terms<'_>,
    result: Result<R, X>,
) -> Ended<R, X::Error> {
    let (value, error) = match result {
        Ok(value) => (Some(value), None),
        Err(error) => (None, error.into_error()),
    };
    // Ends before the values do, also by a panic: their destructors may use transactions.
    let mut attempt = Attempt { participant, terms, over: false };
    if value.is_some() {
        if let Err(cause) = attempt.commit() {
            return Ended::Aborted(attempt.abort(cause));
        }
    } else if let Some(aborted) = attempt.fail(error.is_some()) {
        return Ended::Aborted(aborted);
    }
    match (value, error) {
        (Some(value), _) => Ended::Committed(value),
        (None, Some(error)) => Ended::Cancelled(error),
        (None, None) => unreachable!("an attempt without a result or an error has aborted"),
    }
}

/// An attempt whose body has returned.
struct Attempt<'a> {
    participant: &'static Participant,
    terms: &'a Terms<'a>,
    over: bool,
}

impl Attempt<'_> {
    #[inline]
    fn tx(&mut self) -> &mut Tx<'_> {
        // SAFETY: the state is this thread's (P1), this attempt runs on it alone, and we borrow the attempt.
        unsafe { Tx::over(self.participant.state()) }
    }

    #[inline]
    fn state(&mut self) -> &mut State {
        &mut self.tx().state
    }

    /// Commits and ends an attempt whose body has returned `Ok`. If it cannot commit, it is still to be aborted.
    fn commit(&mut self) -> Result<(), Cause> {
        let participant = self.participant;
        self.run_local_hooks();
        let state = self.state();
        if let Some(cause) = state.doomed() {
            return Err(cause);
        }
        if state.writes.is_empty() {
            participant.counters.read_only();
        } else {
            state.commit(participant)?;
            participant.counters.committed();
        }
        let aftermath = state.end_committed(participant);
        self.over = true;
        if let Some(aftermath) = aftermath {
            aftermath.run();
        }
        participant.collect_if_due();
        Ok(())
    }

    #[cold]
    fn run_local_hooks(&mut self) {
        // A hook that fails has doomed the attempt.
        if self.state().doomed().is_none() && local::before_commit(self.tx()).is_err() {
            assert!(self.state().doomed().is_some(), "{}", self.foreign_abort());
        }
    }

    /// Ends an attempt whose body has failed; nothing if that was its wish.
    #[cold]
    fn fail(&mut self, cancelled: bool) -> Option<Aborted> {
        if let Some(cause) = self.state().doomed() {
            return Some(self.abort(cause));
        }
        assert!(cancelled, "{}", self.foreign_abort());
        self.participant.counters.cancelled();
        self.over = true;
        close(self.participant);
        None
    }

    fn foreign_abort(&self) -> String {
        format!(
            "the body of the transaction at {} returned an `Abort` that this attempt did not give it; return an \
             `Abort` only right after it came out of a method of `tx` or of a cell",
            self.terms.at
        )
    }

    /// Ends an attempt that is doomed or could not commit.
    #[cold]
    fn abort(&mut self, cause: Cause) -> Aborted {
        let participant = self.participant;
        participant.counters.aborted(cause);
        if cause == Cause::Retry {
            let waits = self.prepare_wait();
            self.over = true;
            close(participant);
            return self.decide_wait(waits);
        }
        self.over = true;
        let state = self.state();
        let must_stay_present = state.must_stay_present();
        let must_escalate = state.must_escalate();
        let work = state.reads.len() + state.writes.entries().len();
        close(participant);
        Aborted::Lost(Lost { cause, must_stay_present, must_escalate, work })
    }

    /// Registers the wait of an attempt that retried; nothing if some cell has changed since.
    ///
    /// # Panics
    /// If it cannot wait.
    fn prepare_wait(&mut self) -> Option<Wait> {
        let Terms { options, at, task } = *self.terms;
        let state = self.state();
        if let Some(since) = state.irrevocable() {
            panic!(
                "the transaction at {at} retried after it had become irrevocable at {since}; decide whether to wait \
                 before calling `irrevocable`"
            );
        }
        assert!(
            state.has_read(),
            "the transaction at {at} retried without having read a cell, so no change could ever wake it; read what \
             it waits for first"
        );
        let is_last = options.max_attempts.is_some_and(|most| state.attempt() >= u64::from(most));
        // In the past, some cell is known to have changed since.
        if state.mode() == Mode::Past || is_last {
            return None;
        }
        let watch = options.shared_by_handle.then(abandoned::Watch::new);
        let waiting = DOMAIN.waiters.register(&state.reads, state.read_limit(), task, watch)?;
        let no_handles = options.shared_by_handle && abandoned::are_all_last_handles(&state.reads);
        Some(Wait { waiting, no_handles })
    }

    /// Decides whether anybody can end the wait, now that the attempt and its hooks are over.
    fn decide_wait(&self, wait: Option<Wait>) -> Aborted {
        let Terms { options, task, .. } = *self.terms;
        let Some(Wait { waiting, no_handles }) = wait else { return Aborted::Retried(None) };
        let sleeps_for_ever = task.is_none() && !options.is_timed();
        let is_abandoned = no_handles || (sleeps_for_ever && abandoned::is_only_thread(self.participant));
        // Who is gone by now may have gone after changing a cell.
        if is_abandoned && waiting.is_undisturbed() { Aborted::Abandoned } else { Aborted::Retried(Some(waiting)) }
    }
}

impl Drop for Attempt<'_> {
    #[inline]
    fn drop(&mut self) {
        if !self.over {
            drop(EndOnPanic(self.participant));
        }
    }
}

/// Ends an attempt without effect (E1), and what the transaction holds beyond it (E2).
#[cold]
fn close(participant: &'static Participant) {
    // SAFETY: the state is this thread's (P1), and the body, which used it, is over.
    let state = unsafe { participant.state().as_mut() };
    state.end_aborted(participant).run();
    participant.collect_if_due();
}

/// A wait that is registered.
struct Wait {
    waiting: Waiting,
    /// Whether the transaction promised handles, and nobody else has one.
    no_handles: bool,
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
    participant.begin_transaction(at);
}

#[cold]
fn refuse_nesting(at: &dyn Display, outer: &dyn Display) -> ! {
    panic!(
        "the transaction at {at} was started inside the transaction that was started at {outer}; pass `tx` on to what \
         shall take part in it, or use `tx.nested` for a part that can be undone alone"
    );
}

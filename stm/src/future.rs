//! Running a transaction as a future: the loop of `atomically.rs`, with a task in place of a blocked thread.
//!
//! # Invariants
//! * **F1** An attempt begins and ends within one poll: a task never sleeps inside a transaction.
//! * **F2** A poll runs a bounded number of attempts and then lets other tasks run.
//! * **F3** When the transaction ends, and when the future is dropped, all registrations are taken back: for a wait,
//!   for the token, for its hand-over, for the time.
//! * **F4** A task holds the token only while it is polled: it claims it in the poll that then commits.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::atomically::Atomically;
use crate::attempt::{self, Aborted, Ended, Next, Options, Progress, Terms};
use crate::domain::DOMAIN;
use crate::error::{Cause, Limit, Stm, Stopped, TryError, TxError};
use crate::participant::{Participant, with_current};
use crate::timer::{self, Alarm};
use crate::token::{Onlooker, Ticket};
use crate::tx::Tx;
use crate::wait::Waiting;

/// Attempts that one poll makes before it lets other tasks run (F2).
const ATTEMPTS_PER_POLL: u32 = 8;

/// What a task waits for.
#[derive(Debug)]
enum Pause {
    None,
    Change { _registration: Waiting },
    Token(Ticket),
    HandOver(Onlooker),
}

/// The future of a transaction.
struct Transaction<F> {
    body: F,
    options: Options,
    at: &'static Location<'static>,
    progress: Progress,
    pause: Pause,
    alarm: Option<Alarm>,
    started: bool,
    finished: bool,
}

// The body is never pinned: it is called by mutable reference.
impl<F> Unpin for Transaction<F> {}

impl<F> Transaction<F> {
    /// Whether the pause is over; otherwise the task is registered to be woken.
    fn is_ready(&mut self, waker: &Waker, participant: &Participant) -> bool {
        match std::mem::replace(&mut self.pause, Pause::None) {
            // A wait that is polled again runs again: who polled may have had another reason, which costs an attempt.
            Pause::None | Pause::Change { .. } => true,
            Pause::Token(ticket) => {
                let granted = ticket.claim(waker.clone());
                if granted {
                    self.progress.hold(ticket, participant);
                } else {
                    self.pause = Pause::Token(ticket);
                }
                granted
            }
            Pause::HandOver(onlooker) => {
                let over = onlooker.is_over_or_wakes(waker.clone());
                if !over {
                    self.pause = Pause::HandOver(onlooker);
                }
                over
            }
        }
    }

    fn look_on(&mut self, waker: &Waker) -> bool {
        match DOMAIN.token.look_on(waker.clone()) {
            None => true,
            Some(onlooker) => {
                self.pause = Pause::HandOver(onlooker);
                false
            }
        }
    }

    /// What to do after an attempt that had no effect: true to run again at once.
    fn go_on(&mut self, aborted: Aborted, waker: &Waker, participant: &Participant) -> Result<bool, Stopped> {
        match aborted {
            Aborted::Abandoned => {
                self.progress.aborted(Cause::Retry)?;
                Err(self.progress.stopped(Limit::Abandoned))
            }
            Aborted::Retried(waiting) => {
                self.progress.aborted(Cause::Retry)?;
                let Some(waiting) = waiting else { return Ok(true) };
                participant.counters.waited();
                self.pause = Pause::Change { _registration: waiting };
                Ok(false)
            }
            Aborted::Lost(lost) => {
                let cause = lost.cause;
                self.progress.lost(lost)?;
                match self.progress.next(cause, participant) {
                    Next::Again => Ok(true),
                    Next::LooksOn => Ok(self.look_on(waker)),
                    Next::NeedsToken => {
                        self.pause = Pause::Token(DOMAIN.token.request_for_task(self.progress.priority()));
                        Ok(self.is_ready(waker, participant))
                    }
                }
            }
        }
    }

    /// Has the task woken at the deadline as well.
    fn set_alarm(&mut self, waker: &Waker) {
        if let Some(deadline) = self.progress.deadline() {
            self.alarm = Some(timer::wake_at(deadline, waker.clone()));
        }
    }
}

impl<R, X: TxError, F: for<'tx> FnMut(&mut Tx<'tx>) -> Result<R, X>> Transaction<F> {
    /// Runs attempts until the transaction ends or has to wait.
    fn run(&mut self, waker: &Waker, participant: &'static Participant) -> Poll<Result<R, TryError<X::Error>>> {
        let mut ready = self.is_ready(waker, participant);
        if !ready && self.progress.is_late() {
            return Poll::Ready(Err(TryError::Stopped(self.progress.stopped(Limit::Time))));
        }
        let mut attempts = 0;
        // Who holds the token commits in this poll (F2, F4).
        while ready && (attempts < ATTEMPTS_PER_POLL || self.progress.holds_token()) {
            attempts += 1;
            let terms = Terms { options: &self.options, at: self.at, task: Some(waker) };
            let ended = if std::mem::replace(&mut self.started, true) {
                attempt::run_again(participant, &terms, self.progress.next_start(), &mut self.body)
            } else {
                let result = attempt::run_first(participant, self.at, &mut self.body);
                attempt::finish(participant, &terms, result)
            };
            let aborted = match ended {
                Ended::Committed(result) => return Poll::Ready(Ok(result)),
                Ended::Cancelled(error) => return Poll::Ready(Err(TryError::Cancelled(error))),
                Ended::Aborted(aborted) => aborted,
            };
            match self.go_on(aborted, waker, participant) {
                Ok(again) => ready = again,
                Err(stopped) => return Poll::Ready(Err(TryError::Stopped(stopped))),
            }
        }
        if ready {
            waker.wake_by_ref();
        }
        Poll::Pending
    }
}

impl<R, X: TxError, F: for<'tx> FnMut(&mut Tx<'tx>) -> Result<R, X>> Future for Transaction<F> {
    type Output = Result<R, TryError<X::Error>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let waker = context.waker();
        assert!(!this.finished, "the transaction at {} was polled after it had ended", this.at);
        // Until it says otherwise: a panic of the body ends it, too.
        this.finished = true;
        this.alarm = None;
        let outcome = with_current(|participant| this.run(waker, participant));
        if outcome.is_pending() {
            this.finished = false;
            this.set_alarm(waker);
        } else {
            // Whoever keeps the future keeps nothing of the runtime (F3).
            this.pause = Pause::None;
            this.progress.give_back_token();
        }
        outcome
    }
}

impl Atomically {
    /// Runs `body` as one transaction of a task: where a thread would block, the task is woken later. Works with any
    /// executor.
    ///
    /// Every attempt runs within one poll, so the body is a plain closure that does not `await`. A poll makes a few
    /// attempts at most and then lets other tasks run. A timeout begins with this call.
    ///
    /// # Cancel safety
    /// Dropping the future before it is ready leaves no effect and no registration behind.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    ///
    /// # Panics
    /// As [`run`](Self::run), when polled.
    ///
    /// # Examples
    /// ```
    /// use futures::executor::block_on;
    /// use futures::future::join;
    /// use optimist::{Atomically, TVar};
    ///
    /// let mailbox = TVar::new(None);
    /// let receive = Atomically::new().run_async(|tx| match mailbox.replace(tx, None)? {
    ///     Some(message) => Ok(message),
    ///     None => tx.retry(),
    /// });
    /// let send = async { mailbox.store(Some("hello")) };
    /// let (message, ()) = block_on(join(receive, send));
    /// assert_eq!(message, Ok("hello"));
    /// ```
    #[track_caller]
    pub fn run_async<R>(
        self,
        body: impl for<'tx> FnMut(&mut Tx<'tx>) -> Stm<R>,
    ) -> impl Future<Output = Result<R, Stopped>> {
        let transaction = self.future(Location::caller(), body);
        async move {
            transaction.await.map_err(|error| match error {
                TryError::Stopped(stopped) => stopped,
                TryError::Cancelled(never) => match never {},
            })
        }
    }

    /// Runs `body` as one transaction of a task, which the body may cancel.
    ///
    /// # Cancel safety
    /// As [`run_async`](Self::run_async).
    ///
    /// # Errors
    /// As [`try_run`](Self::try_run).
    ///
    /// # Panics
    /// As [`try_run`](Self::try_run), when polled.
    ///
    /// # Examples
    /// ```
    /// use futures::executor::block_on;
    /// use optimist::{Atomically, Cancel, TryError};
    ///
    /// let outcome = block_on(Atomically::new().try_run_async(|_| Err::<(), _>(Cancel::new("no"))));
    /// assert_eq!(outcome, Err(TryError::Cancelled("no")));
    /// ```
    #[track_caller]
    pub fn try_run_async<R, E>(
        self,
        body: impl for<'tx> FnMut(&mut Tx<'tx>) -> Result<R, crate::Cancel<E>>,
    ) -> impl Future<Output = Result<R, TryError<E>>> {
        self.future(Location::caller(), body)
    }

    fn future<F>(self, at: &'static Location<'static>, body: F) -> Transaction<F> {
        let progress = Progress::new(self.options);
        Transaction {
            body,
            options: self.options,
            at,
            progress,
            pause: Pause::None,
            alarm: None,
            started: false,
            finished: false,
        }
    }
}

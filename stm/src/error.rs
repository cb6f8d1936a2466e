//! How an attempt ends without effect, and how a transaction does.
//!
//! [`Abort`] carries nothing: what ended the attempt is kept in the transaction itself, so that an `Abort` that
//! user code swallows or keeps for later cannot turn one outcome into another.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::time::Duration;

/// What a step of a transaction returns: its result, or the word that the attempt is over.
pub type Stm<R> = Result<R, Abort>;

/// What a step of a transaction returns that can be cancelled with an error of type `E`.
pub type TryStm<R, E> = Result<R, Cancel<E>>;

/// The attempt is over; pass it on with `?`.
///
/// An `Abort` comes from the methods that take a transaction. The attempt it belongs to has no effect any more,
/// whatever its body goes on to return: it is run again, or waits, as the runtime sees fit.
#[derive(Debug)]
#[must_use = "an aborted attempt has no effect: pass the `Abort` on with `?`"]
pub struct Abort(());

impl Abort {
    pub(crate) const fn new() -> Self {
        Self(())
    }
}

impl fmt::Display for Abort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the attempt is over; pass this on with `?` so that the transaction can run again")
    }
}

/// Why a body that can be cancelled ended: an [`Abort`], or an error of the user's own.
///
/// `?` makes it out of an [`Abort`], and out of any `E` that is an [`Error`]; [`Cancel::new`] out of any `E` at all.
///
/// # Examples
/// ```
/// use optimist::{Cancel, TVar, TryError, try_atomically};
///
/// let stock = TVar::new(3_u32);
/// let sold = try_atomically(|tx| {
///     let left = stock.read(tx)?;
///     if left < 5 {
///         return Err(Cancel::new(format!("only {left} left")));
///     }
///     stock.write(tx, left - 5)?;
///     Ok(())
/// });
/// assert_eq!(sold, Err(TryError::Cancelled("only 3 left".to_string())));
/// ```
#[derive(Debug)]
#[must_use = "a cancelled transaction has no effect: return the `Cancel` from the body"]
pub struct Cancel<E>(Reason<E>);

#[derive(Debug)]
enum Reason<E> {
    Abort,
    Error(E),
}

impl<E> Cancel<E> {
    /// Cancels with `error`.
    ///
    /// # Examples
    /// ```
    /// use optimist::{Cancel, TryError, try_atomically};
    ///
    /// let outcome = try_atomically(|_| Err::<(), _>(Cancel::new("no")));
    /// assert_eq!(outcome, Err(TryError::Cancelled("no")));
    /// ```
    pub const fn new(error: E) -> Self {
        Self(Reason::Error(error))
    }
}

impl<E> From<Abort> for Cancel<E> {
    fn from(_: Abort) -> Self {
        Self(Reason::Abort)
    }
}

impl<E: Error> From<E> for Cancel<E> {
    fn from(error: E) -> Self {
        Self::new(error)
    }
}

pub(crate) mod sealed {
    /// Keeps [`TxError`](super::TxError) to the types of this crate.
    pub trait Sealed<E> {
        /// The user's error, if there is one.
        fn into_error(self) -> Option<E>;
    }
}

/// The error type of a transaction's body: [`Abort`], or [`Cancel`] with an error of one's own.
///
/// Implemented by these two alone; it lets [`Tx::or_else`](crate::Tx::or_else) and
/// [`Tx::nested`](crate::Tx::nested) serve both.
pub trait TxError: From<Abort> + sealed::Sealed<Self::Error> {
    /// The user's error; nothing for [`Abort`].
    type Error;
}

impl TxError for Abort {
    type Error = Infallible;
}

impl sealed::Sealed<Infallible> for Abort {
    fn into_error(self) -> Option<Infallible> {
        None
    }
}

impl<E> TxError for Cancel<E> {
    type Error = E;
}

impl<E> sealed::Sealed<E> for Cancel<E> {
    fn into_error(self) -> Option<E> {
        match self.0 {
            Reason::Abort => None,
            Reason::Error(error) => Some(error),
        }
    }
}

/// Why an attempt aborted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// A cell it had read was changed.
    Read,
    /// A cell it writes was being written.
    Write,
    /// A cell belongs to the token holder.
    Token,
    /// It asked to wait.
    Retry,
}

/// How the attempts of one transaction ended that did not commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Aborts {
    /// A cell that the attempt had read was changed by another transaction.
    pub read: u64,
    /// A cell that the attempt writes was just being written by another transaction.
    pub write: u64,
    /// A cell belonged to a transaction that was escalated or irrevocable.
    pub token: u64,
    /// The attempt called [`retry`](crate::Tx::retry) or a [`check`](crate::Tx::check) failed.
    pub retry: u64,
}

impl Aborts {
    pub(crate) fn count(&mut self, cause: Cause) {
        match cause {
            Cause::Read => self.read += 1,
            Cause::Write => self.write += 1,
            Cause::Token => self.token += 1,
            Cause::Retry => self.retry += 1,
        }
    }

    /// All but the retries: the attempts that lost against another transaction.
    ///
    /// # Examples
    /// ```
    /// use optimist::Aborts;
    ///
    /// let aborts = Aborts { read: 1, write: 2, token: 3, retry: 4 };
    /// assert_eq!(aborts.conflicts(), 6);
    /// ```
    #[must_use]
    pub const fn conflicts(&self) -> u64 {
        self.read + self.write + self.token
    }
}

impl fmt::Display for Aborts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.read, "lost because a cell it had read changed"),
            (self.write, "lost because a cell it writes was being written"),
            (self.token, "lost to an escalated or irrevocable transaction"),
            (self.retry, "waited for a change"),
        ];
        let mut separator = "";
        for (count, what) in parts.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, "{separator}{count} {what}")?;
            separator = ", ";
        }
        if separator.is_empty() { f.write_str("none aborted") } else { Ok(()) }
    }
}

/// What ended a transaction that did not commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limit {
    /// The time given by [`timeout`](crate::Atomically::timeout) or [`deadline`](crate::Atomically::deadline) is
    /// over.
    Time,
    /// The number of attempts given by [`max_attempts`](crate::Atomically::max_attempts) is used up.
    Attempts(u32),
    /// It waits for cells that nobody else can reach, so nobody can ever wake it.
    Abandoned,
}

/// A transaction ended without effect because it reached one of its limits.
///
/// # Examples
/// ```
/// use optimist::{Atomically, Limit, TVar};
///
/// let door = TVar::new(false);
/// let stopped = Atomically::new()
///     .label("enter")
///     .max_attempts(1)
///     .run(|tx| {
///         let open = door.read(tx)?;
///         tx.check(open)
///     })
///     .unwrap_err();
/// assert_eq!(stopped.limit(), Limit::Attempts(1));
/// assert_eq!(
///     stopped.to_string(),
///     "transaction `enter` reached its limit of 1 attempt (1 waited for a change)"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    pub(crate) label: Option<&'static str>,
    pub(crate) limit: Limit,
    pub(crate) attempts: u64,
    pub(crate) aborts: Aborts,
    pub(crate) elapsed: Duration,
}

impl Stopped {
    /// Which limit was reached.
    #[must_use]
    pub const fn limit(&self) -> Limit {
        self.limit
    }

    /// How many attempts had been made.
    #[must_use]
    pub const fn attempts(&self) -> u64 {
        self.attempts
    }

    /// Why the attempts aborted.
    #[must_use]
    pub const fn aborts(&self) -> Aborts {
        self.aborts
    }

    /// The label given to the transaction.
    #[must_use]
    pub const fn label(&self) -> Option<&'static str> {
        self.label
    }

    /// How long the transaction had been going on; zero if it has no time limit, since then nobody looked at the
    /// time.
    #[must_use]
    pub const fn elapsed(&self) -> Duration {
        self.elapsed
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.label {
            Some(label) => write!(f, "transaction `{label}` ")?,
            None => f.write_str("a transaction ")?,
        }
        let plural = |count: u64| if count == 1 { "" } else { "s" };
        match self.limit {
            Limit::Time => {
                let (attempts, s) = (self.attempts, plural(self.attempts));
                write!(f, "ran out of time after {:.1?} and {attempts} attempt{s}", self.elapsed)?;
            }
            Limit::Attempts(limit) => {
                write!(f, "reached its limit of {limit} attempt{}", plural(limit.into()))?;
            }
            Limit::Abandoned => {
                let (attempts, s) = (self.attempts, plural(self.attempts));
                write!(f, "waits for cells that nobody else can reach, after {attempts} attempt{s}")?;
            }
        }
        write!(f, " ({})", self.aborts)
    }
}

impl Error for Stopped {}

/// A transaction that can be cancelled ended without effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TryError<E> {
    /// Its body cancelled it with this error.
    Cancelled(E),
    /// It reached one of its limits.
    Stopped(Stopped),
}

impl<E> TryError<E> {
    /// The error that the body cancelled with.
    ///
    /// # Examples
    /// ```
    /// use optimist::{Cancel, try_atomically};
    ///
    /// let outcome = try_atomically(|_| Err::<(), _>(Cancel::new("no")));
    /// assert_eq!(outcome.unwrap_err().cancelled(), Some("no"));
    /// ```
    pub fn cancelled(self) -> Option<E> {
        match self {
            Self::Cancelled(error) => Some(error),
            Self::Stopped(_) => None,
        }
    }
}

impl<E: fmt::Display> fmt::Display for TryError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled(error) => write!(f, "the transaction was cancelled: {error}"),
            Self::Stopped(stopped) => stopped.fmt(f),
        }
    }
}

impl<E: Error + 'static> Error for TryError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Cancelled(error) => Some(error),
            Self::Stopped(stopped) => Some(stopped),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_transaction_says_which_limit_after_how_many_attempts_and_why() {
        let stopped = Stopped {
            label: None,
            limit: Limit::Time,
            attempts: 3,
            aborts: Aborts { read: 1, write: 0, token: 0, retry: 2 },
            elapsed: Duration::from_millis(1500),
        };
        assert_eq!(
            stopped.to_string(),
            "a transaction ran out of time after 1.5s and 3 attempts \
             (1 lost because a cell it had read changed, 2 waited for a change)"
        );
    }
}

//! The token: what lets one transaction at a time be sure to commit.
//!
//! Escalation, irrevocability and priority are this one mechanism. Its holder marks every cell it reads or writes as
//! owned, so nobody can overtake it; transactions on other cells go on beside it.
//!
//! # Protocol
//! 1. Somebody who wants the token takes a [`Ticket`] and waits until it is granted.
//! 2. Whoever gives the token back grants it to the best ticket: the highest priority, and among equals the oldest.
//!    Every [`OLDEST_EVERY`]th grant goes to the oldest ticket of all, so that a low priority waits for a bounded
//!    number of grants and not for ever.
//! 3. Who lost against an owned cell waits until the token changes hands ([`Token::look_on`]).
//!
//! # Invariants
//! * **T1** At most one ticket is granted, and a granted ticket stays so until it is dropped.
//! * **T2** While a ticket waits, some ticket is granted: nobody waits for a token that lies about.
//! * **T3** Wakers are called, and dropped, after the lock is released.

use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::Instant;

use crate::domain::DOMAIN;
use crate::sync::lock;
use crate::wait::{self, ThreadWaker};

/// Who goes first among transactions that are [irrevocable](crate::Tx::irrevocable) or keep losing.
///
/// A priority never makes a transaction wait that conflicts with nobody: it orders who gets the one token that makes
/// a transaction unable to lose. Among equals the one that asked first goes first, and every fourth grant goes to
/// the one that has waited longest, whatever its priority.
///
/// # Examples
/// ```
/// use optimist::{Atomically, Priority, TVar};
///
/// let urgent = TVar::new(0);
/// let result = Atomically::new().priority(Priority::HIGH).run(|tx| urgent.modify(tx, |count| *count += 1));
/// assert!(result.is_ok());
/// assert!(Priority::HIGH > Priority::NORMAL && Priority::new(7) > Priority::HIGH);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(i8);

impl Priority {
    /// Below normal.
    pub const LOW: Self = Self(-1);
    /// What transactions have that say nothing.
    pub const NORMAL: Self = Self(0);
    /// Above normal.
    pub const HIGH: Self = Self(1);

    /// Makes a priority; larger goes first.
    ///
    /// # Examples
    /// ```
    /// use optimist::Priority;
    ///
    /// assert_eq!(Priority::new(0), Priority::NORMAL);
    /// ```
    #[must_use]
    pub const fn new(level: i8) -> Self {
        Self(level)
    }

    /// The number the priority was made from.
    ///
    /// # Examples
    /// ```
    /// use optimist::Priority;
    ///
    /// assert_eq!(Priority::new(5).level(), 5);
    /// ```
    #[must_use]
    pub const fn level(self) -> i8 {
        self.0
    }
}

/// Each grant whose number is divisible by this goes to the oldest ticket.
const OLDEST_EVERY: u64 = 4;

/// The token, and who waits for it.
#[derive(Debug)]
pub(crate) struct Token(Mutex<Queue>);

#[derive(Debug)]
struct Queue {
    holder: Option<u64>,
    last_id: u64,
    grants: u64,
    /// In the order of their ids, hence of their age.
    waiting: Vec<Applicant>,
    onlookers: Vec<(u64, Waker)>,
}

#[derive(Debug)]
struct Applicant {
    id: u64,
    priority: Priority,
    waker: Waker,
}

impl Queue {
    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Grants the free token to the next applicant, who is to be woken.
    fn grant_next(&mut self) -> Option<Waker> {
        debug_assert!(self.holder.is_none());
        if self.waiting.is_empty() {
            return None;
        }
        self.grants += 1;
        let next = if self.grants.is_multiple_of(OLDEST_EVERY) {
            0
        } else {
            let best = |(index, applicant): (usize, &Applicant)| (applicant.priority, std::cmp::Reverse(index));
            (0..self.waiting.len()).max_by_key(|index| best((*index, &self.waiting[*index])))?
        };
        let applicant = self.waiting.remove(next);
        self.holder = Some(applicant.id);
        Some(applicant.waker)
    }
}

impl Token {
    pub(crate) const fn new() -> Self {
        let queue = Queue { holder: None, last_id: 0, grants: 0, waiting: Vec::new(), onlookers: Vec::new() };
        Self(Mutex::new(queue))
    }

    /// Asks for the token; `waker` is woken when it is granted.
    pub(crate) fn request(&self, priority: Priority, waker: Waker) -> Ticket {
        let mut queue = lock(&self.0);
        let id = queue.next_id();
        if queue.holder.is_none() {
            queue.holder = Some(id);
            queue.grants += 1;
        } else {
            queue.waiting.push(Applicant { id, priority, waker });
        }
        Ticket { id }
    }

    /// Takes the token if nobody has it.
    pub(crate) fn try_take(&self) -> Option<Ticket> {
        let mut queue = lock(&self.0);
        if queue.holder.is_some() {
            return None;
        }
        let id = queue.next_id();
        queue.holder = Some(id);
        queue.grants += 1;
        Some(Ticket { id })
    }

    /// Has `waker` woken when the token changes hands; nothing if nobody holds it.
    pub(crate) fn look_on(&self, waker: Waker) -> Option<Onlooker> {
        let mut queue = lock(&self.0);
        queue.holder?;
        let id = queue.next_id();
        queue.onlookers.push((id, waker));
        Some(Onlooker { id })
    }

    /// Blocks until the token changes hands, true, or the deadline is over, false.
    #[cold]
    pub(crate) fn wait_while_held(&self, deadline: Option<Instant>) -> bool {
        let sleeper = ThreadWaker::new();
        let onlooker = self.look_on(Waker::from(Arc::clone(&sleeper)));
        onlooker.is_none_or(|onlooker| sleeper.sleep_until(deadline, || onlooker.is_over()))
    }

    /// Blocks until the token is granted; nothing if the deadline is over first.
    #[cold]
    pub(crate) fn take(&self, priority: Priority, deadline: Option<Instant>) -> Option<Ticket> {
        let sleeper = ThreadWaker::new();
        let ticket = self.request(priority, Waker::from(Arc::clone(&sleeper)));
        sleeper.sleep_until(deadline, || ticket.is_granted()).then_some(ticket)
    }
}

/// A place in the queue for the token, or the token itself; given back when dropped.
#[derive(Debug)]
pub(crate) struct Ticket {
    id: u64,
}

impl Ticket {
    /// Whether this ticket holds the token.
    pub(crate) fn is_granted(&self) -> bool {
        lock(&DOMAIN.token.0).holder == Some(self.id)
    }

    /// Whom to wake from now on when the token is granted.
    pub(crate) fn set_waker(&self, waker: &Waker) {
        let old = {
            let mut queue = lock(&DOMAIN.token.0);
            let applicant = queue.waiting.iter_mut().find(|applicant| applicant.id == self.id);
            applicant.map(|applicant| std::mem::replace(&mut applicant.waker, waker.clone()))
        };
        drop(old);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut queue = lock(&DOMAIN.token.0);
        if queue.holder != Some(self.id) {
            let place = queue.waiting.iter().position(|applicant| applicant.id == self.id);
            let applicant = place.map(|place| queue.waiting.remove(place));
            drop(queue);
            drop(applicant);
            return;
        }
        queue.holder = None;
        let next = queue.grant_next();
        let onlookers = std::mem::take(&mut queue.onlookers);
        drop(queue);
        next.into_iter().chain(onlookers.into_iter().map(|(_, waker)| waker)).for_each(wait::wake);
    }
}

/// Somebody who waits for the token to change hands; no longer when dropped.
#[derive(Debug)]
pub(crate) struct Onlooker {
    id: u64,
}

impl Onlooker {
    /// Whether the token has changed hands.
    pub(crate) fn is_over(&self) -> bool {
        lock(&DOMAIN.token.0).onlookers.iter().all(|(id, _)| *id != self.id)
    }
}

impl Drop for Onlooker {
    fn drop(&mut self) {
        let mut queue = lock(&DOMAIN.token.0);
        let place = queue.onlookers.iter().position(|(id, _)| *id == self.id);
        let onlooker = place.map(|place| queue.onlookers.swap_remove(place));
        drop(queue);
        drop(onlooker);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applicant(id: u64, priority: i8) -> Applicant {
        Applicant { id, priority: Priority::new(priority), waker: Waker::noop().clone() }
    }

    /// Grants until nobody waits, and says in which order.
    fn order(waiting: Vec<Applicant>) -> Vec<u64> {
        let last_id = waiting.len() as u64;
        let mut queue = Queue { holder: None, last_id, grants: 0, waiting, onlookers: Vec::new() };
        let mut order = Vec::new();
        while queue.grant_next().is_some() {
            order.extend(queue.holder.take());
        }
        order
    }

    #[test]
    fn priority_goes_first_and_age_breaks_ties() {
        assert_eq!(order(vec![applicant(1, 0), applicant(2, 1), applicant(3, 1)]), [2, 3, 1]);
    }

    #[test]
    fn a_low_priority_is_not_starved() {
        let mut waiting = vec![applicant(1, -1)];
        waiting.extend((2..20).map(|id| applicant(id, 1)));
        let order = order(waiting);
        let turn = order.iter().position(|id| *id == 1).unwrap();
        assert!(turn < OLDEST_EVERY as usize, "the oldest came {turn} turns late");
    }
}

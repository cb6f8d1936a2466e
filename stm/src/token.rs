//! The token: what lets one transaction at a time be sure to commit.
//!
//! Escalation, irrevocability and priority are this one mechanism. Its holder marks every cell it reads or writes as
//! owned, so nobody can overtake it; transactions on other cells go on beside it.
//!
//! # Protocol
//! 1. Somebody who wants the token takes a [`Ticket`] and waits until it can be claimed ([`Ticket::claim`]).
//! 2. Whoever gives the token back looks for the best ticket: the highest priority, and among equals the oldest.
//!    Every [`OLDEST_EVERY`]th time it is the oldest of all, so that a low priority waits for a bounded number of
//!    grants and not for ever.
//! 3. If the best is a thread, which sleeps and will go on, the token is granted to it. A task may never be polled
//!    again; so if the best is one, the token is left free, all tasks are woken, the best first, and the best thread
//!    as well, and whoever claims it first has it.
//! 4. Who lost against an owned cell waits until the token changes hands ([`Token::look_on`]).
//!
//! # Invariants
//! * **T1** At most one ticket is granted, and a granted ticket stays so until it is dropped.
//! * **T2** While a ticket waits, some ticket is granted, or every waiting task and the best thread have been woken
//!   since the token became free: nobody waits for a token that lies about.
//! * **T3** Wakers are called, cloned and dropped while the lock is not held.

use std::cmp::Reverse;
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use crate::chaos;
use crate::domain::DOMAIN;
use crate::sync::{Mutex, const_fn, lock};
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Thread,
    Task,
}

#[derive(Debug)]
struct Applicant {
    id: u64,
    priority: Priority,
    kind: Kind,
    /// Absent once it has been woken.
    waker: Option<Waker>,
}

impl Applicant {
    fn is_there(&self) -> bool {
        self.kind == Kind::Thread || self.waker.is_some()
    }
}

impl Queue {
    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    fn grant(&mut self, id: u64) {
        self.holder = Some(id);
        self.grants += 1;
    }

    /// The place of the best of the applicants that are `wanted`.
    fn best(&self, wanted: impl Fn(&Applicant) -> bool) -> Option<usize> {
        let takes_oldest = (self.grants + 1).is_multiple_of(OLDEST_EVERY);
        let rank = |place: usize| {
            let priority = if takes_oldest { Priority::NORMAL } else { self.waiting[place].priority };
            (priority, Reverse(place))
        };
        (0..self.waiting.len()).filter(|place| wanted(&self.waiting[*place])).max_by_key(|place| rank(*place))
    }

    /// Grants or offers the free token; those returned are to be woken, in this order.
    fn pass_on(&mut self) -> Vec<Waker> {
        debug_assert!(self.holder.is_none());
        // A task that was woken and did not come has lost its turn until it asks again.
        let Some(best) = self.best(Applicant::is_there) else { return Vec::new() };
        if self.waiting[best].kind == Kind::Thread {
            let applicant = self.waiting.remove(best);
            self.grant(applicant.id);
            return applicant.waker.into_iter().collect();
        }
        let mut woken = Vec::new();
        while let Some(task) = self.best(|applicant| applicant.kind == Kind::Task && applicant.is_there()) {
            woken.extend(self.waiting[task].waker.take());
        }
        if let Some(thread) = self.best(|applicant| applicant.kind == Kind::Thread) {
            woken.extend(self.waiting[thread].waker.take());
        }
        woken
    }
}

impl Token {
    const_fn! {
        pub(crate) fn new() -> Self {
            let queue = Queue { holder: None, last_id: 0, grants: 0, waiting: Vec::new(), onlookers: Vec::new() };
            Self(Mutex::new(queue))
        }
    }

    fn request(&self, priority: Priority, kind: Kind) -> Ticket {
        let mut queue = lock(&self.0);
        let id = queue.next_id();
        queue.waiting.push(Applicant { id, priority, kind, waker: None });
        Ticket { id }
    }

    /// Asks for the token on behalf of a task.
    pub(crate) fn request_for_task(&self, priority: Priority) -> Ticket {
        self.request(priority, Kind::Task)
    }

    /// Blocks until the token is granted; nothing if the deadline is over first.
    #[cold]
    pub(crate) fn take(&self, priority: Priority, deadline: Option<Instant>) -> Option<Ticket> {
        let sleeper = ThreadWaker::new();
        let ticket = self.request(priority, Kind::Thread);
        let is_granted = || {
            chaos::point();
            ticket.claim(Waker::from(Arc::clone(&sleeper)))
        };
        sleeper.sleep_until(deadline, is_granted).then_some(ticket)
    }

    /// Takes the token if nobody has it.
    pub(crate) fn try_take(&self) -> Option<Ticket> {
        let mut queue = lock(&self.0);
        if queue.holder.is_some() {
            return None;
        }
        let id = queue.next_id();
        queue.grant(id);
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
        chaos::point();
        onlooker.is_none_or(|onlooker| sleeper.sleep_until(deadline, || onlooker.is_over()))
    }
}

/// A place in the queue for the token, or the token itself; given back when dropped.
#[derive(Debug)]
pub(crate) struct Ticket {
    id: u64,
}

impl Ticket {
    /// Whether this ticket holds the token, having taken it if it was free. Otherwise `waker` is woken when it is
    /// worth asking again.
    pub(crate) fn claim(&self, waker: Waker) -> bool {
        let mut queue = lock(&DOMAIN.token.0);
        if queue.holder == Some(self.id) {
            return true;
        }
        let place = queue.waiting.iter().position(|applicant| applicant.id == self.id);
        let place = place.expect("who does not hold the token waits for it");
        if queue.holder.is_none() {
            let applicant = queue.waiting.remove(place);
            queue.grant(self.id);
            drop(queue);
            drop(applicant);
            return true;
        }
        let before = queue.waiting[place].waker.replace(waker);
        drop(queue);
        drop(before);
        false
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        chaos::point();
        let mut queue = lock(&DOMAIN.token.0);
        if queue.holder != Some(self.id) {
            let place = queue.waiting.iter().position(|applicant| applicant.id == self.id);
            let applicant = place.map(|place| queue.waiting.remove(place));
            // It may have been woken to take the token, which others then wait for.
            let next = if queue.holder.is_none() { queue.pass_on() } else { Vec::new() };
            drop(queue);
            drop(applicant);
            next.into_iter().for_each(wait::wake);
            return;
        }
        queue.holder = None;
        let next = queue.pass_on();
        let onlookers = std::mem::take(&mut queue.onlookers);
        drop(queue);
        chaos::point();
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

    /// Whether the token has changed hands; otherwise `waker` is woken when it does.
    pub(crate) fn is_over_or_wakes(&self, waker: Waker) -> bool {
        let mut queue = lock(&DOMAIN.token.0);
        let Some(onlooker) = queue.onlookers.iter_mut().find(|(id, _)| *id == self.id) else { return true };
        let before = std::mem::replace(&mut onlooker.1, waker);
        drop(queue);
        drop(before);
        false
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

    fn applicant(id: u64, priority: i8, kind: Kind) -> Applicant {
        Applicant { id, priority: Priority::new(priority), kind, waker: Some(Waker::noop().clone()) }
    }

    fn queue(waiting: Vec<Applicant>) -> Queue {
        Queue { holder: None, last_id: waiting.len() as u64, grants: 0, waiting, onlookers: Vec::new() }
    }

    /// Grants until nobody waits, and says in which order.
    fn order(waiting: Vec<Applicant>) -> Vec<u64> {
        let mut queue = queue(waiting);
        let mut order = Vec::new();
        while !queue.pass_on().is_empty() {
            order.extend(queue.holder.take());
        }
        order
    }

    #[test]
    fn priority_goes_first_and_age_breaks_ties() {
        let waiting = vec![applicant(1, 0, Kind::Thread), applicant(2, 1, Kind::Thread), applicant(3, 1, Kind::Thread)];
        assert_eq!(order(waiting), [2, 3, 1]);
    }

    #[test]
    fn a_low_priority_is_not_starved() {
        let mut waiting = vec![applicant(1, -1, Kind::Thread)];
        waiting.extend((2..20).map(|id| applicant(id, 1, Kind::Thread)));
        let order = order(waiting);
        let turn = order.iter().position(|id| *id == 1).unwrap();
        assert!(turn < OLDEST_EVERY as usize, "the oldest came {turn} turns late");
    }

    #[test]
    fn a_task_that_did_not_come_is_passed_over() {
        let mut queue = queue(vec![applicant(1, 1, Kind::Task), applicant(2, 0, Kind::Thread)]);
        assert_eq!(queue.pass_on().len(), 2);
        assert_eq!(queue.holder, None, "it is offered to the task first");
        assert!(queue.pass_on().is_empty());
        assert_eq!(queue.holder, Some(2), "the thread has been woken, and now has it");
    }

    #[test]
    fn a_task_is_woken_but_not_granted_what_it_may_never_use() {
        let waiting = vec![applicant(1, 1, Kind::Task), applicant(2, 0, Kind::Thread), applicant(3, 0, Kind::Task)];
        let mut queue = queue(waiting);
        assert_eq!(queue.pass_on().len(), 3);
        assert_eq!(queue.holder, None);
    }

    #[test]
    fn a_place_that_is_given_up_is_passed_on() {
        // The token of the process, which no other test in this program uses.
        let token = &DOMAIN.token;
        let holder = token.try_take().unwrap();
        let task = token.request(Priority::HIGH, Kind::Task);
        let threads = [token.request(Priority::NORMAL, Kind::Thread), token.request(Priority::NORMAL, Kind::Thread)];
        for ticket in threads.iter().chain([&task]) {
            assert!(!ticket.claim(Waker::noop().clone()));
        }
        drop(holder);
        assert_eq!(lock(&token.0).holder, None, "it was offered to the task, and to the first thread");
        let [first, second] = threads;
        drop(first);
        assert_eq!(lock(&token.0).holder, Some(second.id), "the task may never come");
    }
}

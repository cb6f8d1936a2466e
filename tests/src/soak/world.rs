//! What the deeds are done to, and the look at it when all is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use optimist::{Atomically, Cancel, TVar, TryError, TxLocal, atomically, collect, snapshot};

use super::bank::Bank;
use super::gauge::Gauge;
use super::nodes::Nodes;
use super::partners::Mailbox;
use crate::counted::Census;
use crate::schedule::{Over, PATIENCE};

/// What is counted beside the cells. Relaxed throughout; see `soak.rs`.
#[derive(Debug, Default)]
pub(super) struct Tally(AtomicU64);

impl Tally {
    pub(super) fn add(&self, count: u64) {
        // Relaxed: see `soak.rs`.
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        // Relaxed: the threads have been joined.
        self.0.load(Ordering::Relaxed)
    }
}

/// What the values of transactions add up to; static, as those of `TxLocal` are.
static LOCAL: TxLocal<(u64, Option<TVar<u64>>)> = TxLocal::new(|| (0, None)).before_commit(|tx, (sum, total)| {
    let total = total.as_ref().expect("it was set with the sum");
    total.modify(tx, |total| *total += *sum)
});

/// Everything that the crew works on.
pub(super) struct World {
    pub(super) bank: Bank,
    pub(super) nodes: Nodes,
    pub(super) thread_mail: Mailbox,
    pub(super) task_mail: Mailbox,
    pub(super) scratch: TVar<u64>,
    /// What is counted by single-cell operations, and how often.
    counter: TVar<u64>,
    counted: Tally,
    /// What goes from hand to hand by `swap`; and all that was brought and taken away.
    passed: TVar<u64>,
    pub(super) brought: Tally,
    pub(super) taken_away: Tally,
    pub(super) attempts: Arc<Tally>,
    pub(super) hooks_run: Arc<Tally>,
    local_total: TVar<u64>,
    locals: Tally,
    /// Whether an irrevocable transaction runs.
    is_irrevocable: AtomicBool,
    pub(super) over: Over,
    pub(super) gauge: Arc<Gauge>,
    /// Those that are woken in tasks which are dropped while they wait.
    pub(super) wakers: Census,
}

impl World {
    pub(super) fn new(census: &Census, wakers: &Census, gauge: Arc<Gauge>) -> Self {
        Self {
            bank: Bank::new(census),
            nodes: Nodes::new(census),
            thread_mail: Mailbox::new(census),
            task_mail: Mailbox::new(census),
            scratch: TVar::new(0),
            counter: TVar::new(0),
            counted: Tally::default(),
            passed: TVar::new(0),
            brought: Tally::default(),
            taken_away: Tally::default(),
            attempts: Arc::default(),
            hooks_run: Arc::default(),
            local_total: TVar::new(0),
            locals: Tally::default(),
            is_irrevocable: AtomicBool::new(false),
            over: Over::new(),
            gauge,
            wakers: wakers.clone(),
        }
    }

    /// Counts by single-cell operations.
    pub(super) fn count(&self, by: u64) {
        self.counter.update(|count| *count += by);
        self.counted.add(by);
        assert!(self.counter.load() >= by, "what this thread has counted is there (S4)");
    }

    /// Exchanges what a hand holds.
    pub(super) fn pass(&self, held: u64) -> u64 {
        self.passed.swap(held)
    }

    /// Adds to a sum by a value of the transaction.
    pub(super) fn add_locally(&self, by: u64) {
        atomically(|tx| {
            for _ in 0..by {
                LOCAL.with(tx, |(sum, total)| {
                    *sum += 1;
                    total.get_or_insert_with(|| self.local_total.clone());
                });
            }
            self.scratch.modify(tx, |value| *value += by)
        });
        self.locals.add(by);
    }

    /// Runs `act`, which nobody else may be running. A flag says so, since a lock would order the threads.
    pub(super) fn alone(&self, act: impl FnOnce()) {
        // Relaxed, twice: see `soak.rs`.
        assert!(!self.is_irrevocable.swap(true, Ordering::Relaxed), "one transaction at a time is irrevocable");
        act();
        self.is_irrevocable.store(false, Ordering::Relaxed);
    }

    /// Waits until one more letter arrives in each mailbox: whoever missed a wake-up sleeps for ever (S3).
    pub(super) fn await_post(&self) -> Result<(), String> {
        let deliveries = || [self.thread_mail.deliveries(), self.task_mail.deliveries()];
        let (before, start) = (deliveries(), Instant::now());
        while deliveries().iter().zip(before).any(|(now, then)| *now == then) {
            if start.elapsed() > PATIENCE {
                return Err("letters do not arrive any more: a wake-up was lost (S3)".to_string());
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Says that it is over, and ends all waits.
    pub(super) fn close(&self) {
        drop(self.over.guard());
        self.thread_mail.close();
        self.task_mail.close();
    }

    /// Looks at everything once more when nobody else is there, and leaves nothing behind (S5).
    pub(super) fn end(self) -> Result<(), String> {
        self.nodes.audit();
        self.thread_mail.end()?;
        self.task_mail.end()?;
        let sums = snapshot(|tx| Ok((self.bank.sum(tx)?, self.bank.sum_of_field(tx)?)));
        let pairs = [
            ("money (S1)", sums.0, Bank::TOTAL),
            ("the field (S1)", sums.1, Bank::FIELD_TOTAL),
            ("single-cell counts (S4)", self.counter.load(), self.counted.get()),
            ("what was passed on (S4)", self.passed.load() + self.taken_away.get(), self.brought.get()),
            ("hooks (S4)", self.hooks_run.get(), self.attempts.get()),
            ("values of transactions (S4)", self.local_total.load(), self.locals.get()),
        ];
        for (what, is, should) in pairs {
            if is != should {
                return Err(format!("{what}: {is}, and should be {should}"));
            }
        }
        self.nobody_is_there()
    }

    /// Nobody has the token, is pinned, or owns or waits for a cell (S5).
    fn nobody_is_there(self) -> Result<(), String> {
        let limited = Atomically::new().timeout(Duration::from_secs(5));
        let everything = limited.try_run(|tx| {
            tx.irrevocable()?;
            for account in &self.bank.accounts {
                account.get(tx).add(tx, 1)?;
            }
            Err::<(), _>(Cancel::new("undone"))
        });
        if everything != Err(TryError::Cancelled("undone")) {
            return Err(format!("somebody who has ended still has the token: {everything:?}"));
        }
        // A store to an owned cell would wait; a value that somebody may look at would not be destroyed.
        for account in &self.bank.accounts {
            account.word.store(0);
        }
        let witness = Census::new();
        let cell = TVar::new(witness.make(0));
        cell.store(witness.make(1));
        collect();
        if witness.alive() == 1 { Ok(()) } else { Err("somebody who has ended is still pinned".to_string()) }
    }
}

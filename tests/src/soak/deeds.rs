//! The deeds: each is one or a few transactions of some kind, which keep the invariants and often look at them.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

use futures::executor::block_on;
use optimist::{Atomically, Cancel, Limit, Priority, Stm, TVar, TryError, Tx, atomically, snapshot, try_atomically};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::bank::{Bank, Order};
use super::nodes::NUMBERS;
use super::world::World;
use crate::counted::Counted;

/// Who does deeds: a thread or a task.
pub(super) struct Hand {
    world: Arc<World>,
    random: SmallRng,
    /// What it goes about with; see [`World::pass`].
    held: u64,
}

impl Drop for Hand {
    fn drop(&mut self) {
        self.world.taken_away.add(self.held);
    }
}

/// All deeds.
const DEEDS: [fn(&mut Hand); 20] = [
    Hand::transfer_or_give_up,
    Hand::transfer_as_task,
    Hand::transfer_irrevocably,
    Hand::transfer_and_cancel,
    Hand::transfer_or_else,
    Hand::transfer_after_undoing,
    Hand::transfer_in_few_attempts,
    Hand::panic_in_the_middle,
    Hand::exchange,
    Hand::stir,
    Hand::audit,
    Hand::audit_and_write,
    Hand::read_long,
    Hand::use_single_cells,
    Hand::hook,
    Hand::add_locally,
    Hand::roll,
    Hand::relink,
    Hand::wait_in_vain,
    Hand::drop_a_waiting_task,
];

impl Hand {
    pub(super) fn new(world: &Arc<World>, seed: u64) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        let held = random.random_range(1..1_000);
        world.brought.add(held);
        Self { world: Arc::clone(world), random, held }
    }

    /// Does a random deed.
    pub(super) fn act(&mut self) {
        let world = Arc::clone(&self.world);
        let _time = world.gauge.deed();
        let deed = self.random.random_range(0..DEEDS.len());
        DEEDS[deed](self);
    }

    /// A transfer within limits, for those who run it elsewhere.
    pub(super) fn order(&mut self) -> (Atomically, Order) {
        (self.limited(), Order::random(&mut self.random))
    }

    fn limited(&mut self) -> Atomically {
        let priority = Priority::new(self.random.random_range(-2..3));
        let time = Duration::from_micros(self.random.random_range(0..3_000));
        Atomically::new().label("soak").timeout(time).priority(priority)
    }

    fn transfer_or_give_up(&mut self) {
        let (limited, order) = self.order();
        let world = &self.world;
        _ = limited.run(|tx| {
            let _time = world.gauge.attempt();
            world.bank.transfer(tx, order)
        });
    }

    fn transfer_as_task(&mut self) {
        let (limited, order) = self.order();
        _ = block_on(limited.run_async(|tx| self.world.bank.transfer(tx, order)));
    }

    fn transfer_irrevocably(&mut self) {
        let (_, order) = self.order();
        let priority = Priority::new(self.random.random_range(-1..2));
        let world = &self.world;
        let outcome = Atomically::new().priority(priority).run(|tx| {
            if world.bank.accounts[order.from].get(tx).read(tx)? < order.amount {
                return Ok(());
            }
            tx.irrevocable()?;
            let mut outcome = Ok(());
            world.alone(|| {
                thread::yield_now();
                outcome = world.bank.transfer(tx, order);
            });
            outcome
        });
        assert_eq!(outcome, Ok(()));
    }

    fn transfer_and_cancel(&mut self) {
        let (limited, order) = self.order();
        let world = &self.world;
        let outcome = limited.try_run(|tx| {
            world.bank.accounts[order.from].get(tx).add(tx, 77)?;
            let outcome = tx.nested(|tx| Ok::<_, Cancel<()>>(world.bank.transfer(tx, order)?))?;
            assert_eq!(outcome, Ok(()));
            Err::<(), _>(Cancel::new("never mind"))
        });
        assert!(matches!(outcome, Err(TryError::Cancelled("never mind") | TryError::Stopped(_))));
    }

    fn transfer_or_else(&mut self) {
        let (_, order) = self.order();
        let bank = &self.world.bank;
        let larger = Order { amount: order.amount + 500, ..order };
        atomically(|tx| {
            tx.or_else(
                |tx| {
                    bank.accounts[order.to].get(tx).add(tx, 5)?;
                    bank.transfer(tx, larger)?;
                    bank.accounts[order.to].get(tx).add(tx, -5)
                },
                |tx| tx.or_else(|tx| bank.transfer(tx, order), |_| Ok(())),
            )
        });
    }

    fn transfer_after_undoing(&mut self) {
        let (_, order) = self.order();
        let world = &self.world;
        atomically(|tx| {
            let _time = world.gauge.attempt();
            let outcome = tx.nested(|tx| {
                world.bank.accounts[order.from].get(tx).add(tx, 1)?;
                let inner = tx.nested(|tx| Ok::<_, Cancel<()>>(world.bank.stir(tx, order.to, 15)?))?;
                assert_eq!(inner, Ok(()));
                Err::<(), _>(Cancel::new("undone"))
            })?;
            assert_eq!(outcome, Err("undone"));
            let left = world.bank.accounts[order.from].get(tx).read(tx)?.min(order.amount);
            world.bank.transfer(tx, Order { amount: left, ..order })
        });
    }

    fn transfer_in_few_attempts(&mut self) {
        let (limited, order) = self.order();
        let most = self.random.random_range(1..4);
        // Beside the limit of time: nobody may change an account any more.
        let outcome = limited.max_attempts(most).run(|tx| self.world.bank.transfer(tx, order));
        let is_expected = |limit: Limit| limit == Limit::Attempts(most) || limit == Limit::Time;
        assert!(outcome.map_or_else(|stopped| is_expected(stopped.limit()), |()| true));
    }

    fn panic_in_the_middle(&mut self) {
        let (_, order) = self.order();
        let bank = &self.world.bank;
        // A panic that has been reported before, so to speak: the panic hook is not called.
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            atomically(|tx| -> Stm<()> {
                bank.accounts[order.from].get(tx).add(tx, 1)?;
                if order.amount % 4 == 0 {
                    tx.irrevocable()?;
                }
                assert_eq!(bank.sum(tx)?, Bank::TOTAL + 1);
                resume_unwind(Box::new("on purpose"))
            })
        }));
        let payload = outcome.expect_err("it panics");
        if payload.downcast_ref() != Some(&"on purpose") {
            resume_unwind(payload);
        }
    }

    fn exchange(&mut self) {
        let (_, order) = self.order();
        let accounts = &self.world.bank.accounts;
        atomically(|tx| accounts[order.from].get(tx).swap_with(tx, accounts[order.to].get(tx)));
    }

    fn stir(&mut self) {
        // Beyond a dozen writes the write set has an index.
        let (start, steps) = (self.random.random_range(0..1_000), self.random.random_range(1..40));
        let world = &self.world;
        atomically(|tx| {
            let _time = world.gauge.attempt();
            world.bank.stir(tx, start, steps)
        });
    }

    fn audit(&mut self) {
        let bank = &self.world.bank;
        assert_eq!(snapshot(|tx| bank.sum(tx)), Bank::TOTAL, "S1, by a snapshot");
        assert_eq!(atomically(|tx| bank.sum(tx)), Bank::TOTAL, "S1, by a transaction that reads");
        self.world.nodes.audit();
    }

    fn audit_and_write(&mut self) {
        let world = &self.world;
        let sum = atomically(|tx| {
            let before = world.bank.sum(tx)?;
            world.scratch.modify(tx, |value| *value += 1)?;
            assert_eq!(world.bank.sum(tx)?, before, "an attempt sees one state");
            Ok(before)
        });
        assert_eq!(sum, Bank::TOTAL, "S1, by a transaction that writes");
    }

    fn read_long(&mut self) {
        let world = &self.world;
        let sum = if self.random.random_range(0..2) == 0 {
            snapshot(|tx| world.bank.sum_of_field(tx))
        } else {
            atomically(|tx| {
                let _time = world.gauge.attempt();
                assert_eq!(tx.attempt(), 1, "who only reads is never aborted");
                world.bank.sum_of_field(tx)
            })
        };
        assert_eq!(sum, Bank::FIELD_TOTAL, "S1, by a long reader");
    }

    fn use_single_cells(&mut self) {
        self.world.count(self.random.random_range(1..5));
        self.held = self.world.pass(self.held);
        self.world.scratch.store(self.held);
    }

    fn hook(&mut self) {
        let (limited, order) = self.order();
        let world = &self.world;
        _ = limited.try_run(|tx| {
            world.attempts.add(1);
            let (on_commit, on_abort) = (Arc::clone(&world.hooks_run), Arc::clone(&world.hooks_run));
            tx.after_commit(move || on_commit.add(1));
            tx.after_abort(move || on_abort.add(1));
            world.bank.transfer(tx, order)?;
            if order.amount % 3 == 0 { Err(Cancel::new(())) } else { Ok(()) }
        });
    }

    fn add_locally(&mut self) {
        self.world.add_locally(self.random.random_range(1..4));
    }

    fn roll(&mut self) {
        let (from, to) = (self.random.random_range(0..4), self.random.random_range(1..4));
        self.world.nodes.roll(from, from + to, self.random.random_range(0..8) == 0);
    }

    fn relink(&mut self) {
        let number = self.random.random_range(0..NUMBERS);
        self.world.nodes.relink(number);
        self.world.nodes.look();
        self.world.nodes.renew(number);
    }

    /// Waits for cells that nobody changes: in time, and knowing that it is in vain.
    fn wait_in_vain(&mut self) {
        let (limited, _) = self.order();
        let never = TVar::new(false);
        let wait = |tx: &mut Tx<'_>| {
            let open = never.read(tx)?;
            tx.check(open)
        };
        let stopped = limited.run(wait).expect_err("nobody opens it");
        assert_eq!(stopped.limit(), Limit::Time);
        let stopped = Atomically::new().shared_by_handle().run(wait).expect_err("nobody can open it");
        assert_eq!(stopped.limit(), Limit::Abandoned);
        let cancelled = try_atomically(|tx| match never.read(tx)? {
            true => Ok(()),
            false => Err(Cancel::new("closed")),
        });
        assert_eq!(cancelled, Err(TryError::Cancelled("closed")));
    }

    /// Drops a task while it waits: for a change, and perhaps for the token.
    fn drop_a_waiting_task(&mut self) {
        let waker = Waker::from(Arc::new(CountedWaker(self.world.wakers.make(0))));
        let mut context = Context::from_waker(&waker);
        let (mailbox, never) = (&self.world.thread_mail, TVar::new(0_u64));
        let waiting = pin!(Atomically::new().run_async(|tx| {
            let value = never.read(tx)?;
            let is_closed = mailbox.is_closed(tx)?;
            tx.check(value > 0 || is_closed)
        }));
        _ = waiting.poll(&mut context);
        let applying = pin!(Atomically::new().run_async(|tx| tx.irrevocable()));
        _ = applying.poll(&mut context);
    }
}

/// A waker that does nothing but be counted.
struct CountedWaker(#[expect(dead_code, reason = "it is there to be dropped")] Counted);

impl Wake for CountedWaker {
    fn wake(self: Arc<Self>) {}
}

//! Who works on the world: threads that stay, threads that come and go, partners that wait for each other, and tasks.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use futures::executor::{ThreadPool, block_on};
use futures::future::{RemoteHandle, join_all};
use futures::task::SpawnExt;
use optimist::Atomically;

use super::Plan;
use super::deeds::Hand;
use super::world::World;
use crate::schedule::PATIENCE;

/// Threads of the executor.
const POOL: usize = 2;
/// Tasks that do one deed after the other.
const TASKS: u64 = 6;
/// Deeds of a thread that comes and goes.
const SHORT_LIFE: u32 = 12;

/// The threads and tasks of a soak.
pub(super) struct Crew {
    threads: Vec<JoinHandle<()>>,
    tasks: Vec<RemoteHandle<()>>,
    pool: ThreadPool,
    threads_before: Option<usize>,
}

impl Crew {
    pub(super) fn start(world: &Arc<World>, plan: Plan) -> Result<Self, String> {
        start_timer();
        let threads_before = threads_of_process();
        let pool = ThreadPool::builder().pool_size(POOL).create().map_err(|error| error.to_string())?;
        let mut crew = Self { threads: Vec::new(), tasks: Vec::new(), pool, threads_before };
        for number in 0..plan.threads as u64 {
            crew.thread(world, move |world| work(&world, plan.seed ^ number));
        }
        crew.thread(world, move |world| bring_up(&world, plan.seed ^ 1 << 32));
        crew.thread(world, move |world| send(&world, plan.seed ^ 1 << 33));
        for _ in 0..2 {
            crew.thread(world, |world| while world.thread_mail.receive() {});
        }
        for number in 0..TASKS {
            let (world, seed) = (Arc::clone(world), plan.seed ^ number << 40);
            crew.task(work_as_task(world, seed))?;
        }
        crew.task(send_as_task(Arc::clone(world), plan.seed ^ 1 << 34))?;
        let world = Arc::clone(world);
        crew.task(async move { while world.task_mail.receive_async().await {} })?;
        Ok(crew)
    }

    fn thread(&mut self, world: &Arc<World>, work: impl FnOnce(Arc<World>) + Send + 'static) {
        let world = Arc::clone(world);
        self.threads.push(thread::spawn(move || work(world)));
    }

    fn task(&mut self, task: impl Future<Output = ()> + Send + 'static) -> Result<(), String> {
        let handle = self.pool.spawn_with_handle(task).map_err(|error| error.to_string())?;
        self.tasks.push(handle);
        Ok(())
    }

    /// Whether a thread has ended before its time, by a panic.
    pub(super) fn has_lost_one(&self) -> bool {
        self.threads.iter().any(JoinHandle::is_finished)
    }

    /// Waits for all to end, after the world was closed.
    pub(super) fn join(self) -> Result<(), String> {
        let start = Instant::now();
        while !self.threads.iter().all(JoinHandle::is_finished) {
            if start.elapsed() > PATIENCE {
                let left = self.threads.iter().filter(|thread| !thread.is_finished()).count();
                return Err(format!("{left} threads do not end when it is over: they hang"));
            }
            thread::sleep(Duration::from_millis(1));
        }
        let outcomes: Vec<_> = self.threads.into_iter().map(JoinHandle::join).collect();
        if outcomes.iter().any(Result::is_err) {
            return Err("a thread panicked, as reported above".to_string());
        }
        // A panic of a task comes out here.
        block_on(join_all(self.tasks));
        drop(self.pool);
        // The threads of the pool end on their own.
        while threads_of_process() > self.threads_before {
            if start.elapsed() > PATIENCE {
                let problem = "something keeps the executor and its threads, such as the registration of a wait";
                return Err(problem.to_string());
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

/// Has the runtime start its own thread, which then stays.
fn start_timer() {
    let never = optimist::TVar::new(false);
    let limited = Atomically::new().timeout(Duration::from_millis(1));
    let outcome = block_on(limited.run_async(|tx| {
        let open = never.read(tx)?;
        tx.check(open)
    }));
    assert!(outcome.is_err(), "nobody opens it");
}

/// How many threads there are; nothing where the system does not tell.
fn threads_of_process() -> Option<usize> {
    std::fs::read_dir("/proc/self/task").ok().map(Iterator::count)
}

fn work(world: &Arc<World>, seed: u64) {
    let mut hand = Hand::new(world, seed);
    while !world.over.is_raised() {
        hand.act();
    }
}

/// Starts threads that do a few deeds and end, two at a time.
fn bring_up(world: &Arc<World>, seed: u64) {
    let mut older: Option<JoinHandle<()>> = None;
    for number in 0.. {
        if world.over.is_raised() {
            break;
        }
        let (world, seed) = (Arc::clone(world), seed ^ number);
        let younger = thread::spawn(move || {
            let mut hand = Hand::new(&world, seed);
            (0..SHORT_LIFE).for_each(|_| hand.act());
        });
        if let Some(older) = older.replace(younger) {
            older.join().expect("a thread that came and went was well");
        }
    }
    older.into_iter().for_each(|older| older.join().expect("the last one was well"));
}

/// Sends letters, and does a deed before each, so that there is time for others.
fn send(world: &Arc<World>, seed: u64) {
    let mut hand = Hand::new(world, seed);
    let mut number = 0;
    while world.thread_mail.send(number % 1_000) {
        hand.act();
        number += 1;
    }
}

async fn send_as_task(world: Arc<World>, seed: u64) {
    let mut hand = Hand::new(&world, seed);
    let mut number = 0;
    while world.task_mail.send_async(number % 1_000).await {
        act_as_task(&world, &mut hand).await;
        number += 1;
    }
}

async fn work_as_task(world: Arc<World>, seed: u64) {
    let mut hand = Hand::new(&world, seed);
    while !world.over.is_raised() {
        act_as_task(&world, &mut hand).await;
    }
}

/// Waits, as a task can, for money to transfer, and then lets other tasks run.
async fn act_as_task(world: &Arc<World>, hand: &mut Hand) {
    {
        let _time = world.gauge.deed();
        let (limited, order) = hand.order();
        _ = limited.run_async(|tx| world.bank.transfer(tx, order)).await;
    }
    yield_now().await;
}

/// Lets other tasks run.
async fn yield_now() {
    let mut has_yielded = false;
    std::future::poll_fn(|context| {
        if has_yielded {
            return std::task::Poll::Ready(());
        }
        has_yielded = true;
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

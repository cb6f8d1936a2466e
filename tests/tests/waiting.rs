//! Waiting: who waits sleeps, wakes when there is reason to, and in time; and is told when there never will be.
#![forbid(unsafe_code)]

use std::process::{Command, Output};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use futures::executor::block_on;
use optimist::{Atomically, Cancel, Limit, Shared, Stm, Stopped, TCell, TVar, TryError, Tx, atomically};
use optimist_tests::schedule::{Signal, elsewhere, signal_abort, without_hanging};

/// Longer than it takes to wake a thread, also on a busy machine.
const LATE: Duration = Duration::from_secs(5);

fn wait_for(door: &TVar<bool>) -> impl Fn(&mut Tx<'_>) -> Stm<u64> {
    move |tx| {
        let open = door.read(tx)?;
        tx.check(open)?;
        Ok(tx.attempt())
    }
}

#[test]
fn a_waiting_transaction_runs_only_when_something_changed() {
    without_hanging(|| {
        let cells: Arc<Vec<TVar<u64>>> = Arc::new((0..1_000).map(|_| TVar::new(0)).collect());
        let asleep = Signal::new();
        let (watched, signal) = (Arc::clone(&cells), asleep.sender());
        let waiter = thread::spawn(move || {
            atomically(|tx| {
                signal_abort(tx, &signal);
                let sum: u64 = watched.iter().map(|cell| cell.read(tx)).sum::<Stm<u64>>()?;
                tx.check(sum >= 3)?;
                Ok(tx.attempt())
            })
        });
        for changed in [999, 0, 500] {
            asleep.wait();
            // Writes that are none of its business do not wake it.
            (0..100).for_each(|_| TVar::new(0).store(1));
            assert!(!asleep.comes_within(Duration::from_millis(30)), "it ran though nothing had changed");
            cells[changed].store(1);
        }
        assert_eq!(waiter.join().unwrap(), 4);
    });
}

#[test]
fn a_waiting_thread_uses_no_processor_time() {
    /// The processor time of this thread in ticks of a hundredth of a second.
    fn ticks() -> u64 {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        // The name of the thread, in parentheses, may hold spaces.
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }
    if !cfg!(target_os = "linux") {
        return;
    }
    let never = TVar::new(false);
    let before = ticks();
    let stopped = Atomically::new().timeout(Duration::from_millis(300)).run(wait_for(&never)).unwrap_err();
    assert!(ticks() - before <= 2, "it used {} hundredths of a second", ticks() - before);
    assert_eq!((stopped.limit(), stopped.attempts()), (Limit::Time, 1));
}

type Run = fn(Atomically, &TVar<bool>) -> Result<u64, Stopped>;

/// The ways to run a transaction within limits.
const RUNS: [Run; 3] = [
    |limited, door| limited.run(wait_for(door)),
    |limited, door| block_on(limited.run_async(wait_for(door))),
    |limited, door| {
        limited.try_run(|tx| Ok::<_, Cancel<()>>(wait_for(door)(tx)?)).map_err(|error| match error {
            TryError::Stopped(stopped) => stopped,
            TryError::Cancelled(()) => unreachable!("nothing cancels it"),
        })
    },
];

#[test]
fn a_time_limit_ends_a_wait_in_time() {
    let never = TVar::new(false);
    let limit = Duration::from_millis(60);
    let start = Instant::now();
    let limits = [
        Atomically::new().timeout(limit),
        Atomically::new().deadline(start + limit),
        Atomically::new().timeout(limit).deadline(start + 1_000 * limit),
        Atomically::new().timeout(1_000 * limit).deadline(start + limit),
        Atomically::new().timeout(Duration::MAX).deadline(start + limit),
    ];
    for limited in limits {
        for run in RUNS {
            let begin = Instant::now();
            let stopped = run(limited.label("late"), &never).unwrap_err();
            assert_eq!((stopped.limit(), stopped.label()), (Limit::Time, Some("late")));
            // A task that is polled again looks once more.
            assert!((1..=2).contains(&stopped.aborts().retry) && stopped.attempts() == stopped.aborts().retry);
            // A deadline of an earlier round is over already.
            assert!(start.elapsed() >= limit, "too early");
            assert!(begin.elapsed() < limit + LATE, "too late, by {:?}", begin.elapsed());
            assert!(stopped.elapsed() <= begin.elapsed());
        }
    }
}

#[test]
fn a_time_limit_is_no_hindrance() {
    let open = TVar::new(true);
    for limited in [Atomically::new().timeout(Duration::ZERO), Atomically::new().deadline(Instant::now())] {
        assert_eq!(limited.run(wait_for(&open)), Ok(1), "one attempt is always made");
        assert_eq!(block_on(limited.run_async(wait_for(&open))), Ok(1));
    }
    assert_eq!(Atomically::new().timeout(Duration::MAX).run(wait_for(&open)), Ok(1));
}

#[test]
fn a_wake_up_and_a_time_limit_race_and_one_wins() {
    without_hanging(|| {
        let (mut woken, mut late) = (0, 0);
        for round in 0..300_u64 {
            let door = TVar::new(false);
            let opens = door.clone();
            let limit = Duration::from_micros(100 + round);
            let opener = thread::spawn(move || {
                thread::sleep(limit);
                opens.store(true);
            });
            let limited = Atomically::new().timeout(limit);
            let outcome = if round % 2 == 0 {
                limited.run(wait_for(&door))
            } else {
                block_on(limited.run_async(wait_for(&door)))
            };
            match outcome {
                Ok(_) => woken += 1,
                Err(stopped) => late += u64::from(stopped.limit() == Limit::Time),
            }
            opener.join().unwrap();
            assert_eq!(atomically(wait_for(&door)), 1, "the cell works as before");
        }
        assert_eq!(woken + late, 300);
    });
}

#[test]
fn many_waits_with_and_without_a_limit_end_together() {
    without_hanging(|| {
        let door = TVar::new(false);
        let asleep = Signal::new();
        let waiters: Vec<_> = (0..60)
            .map(|index| {
                let (door, signal) = (door.clone(), asleep.sender());
                thread::spawn(move || {
                    let limited = match index % 3 {
                        0 => Atomically::new(),
                        1 => Atomically::new().timeout(Duration::from_secs(600)),
                        _ => Atomically::new().timeout(Duration::from_millis(1)),
                    };
                    limited.run(|tx| {
                        signal_abort(tx, &signal);
                        wait_for(&door)(tx)
                    })
                })
            })
            .collect();
        waiters.iter().for_each(|_| asleep.wait());
        thread::sleep(Duration::from_millis(20));
        door.store(true);
        for (index, waiter) in waiters.into_iter().enumerate() {
            match waiter.join().unwrap() {
                Ok(attempts) => assert_eq!(attempts, 2),
                Err(stopped) => assert_eq!((index % 3, stopped.limit()), (2, Limit::Time)),
            }
        }
    });
}

#[test]
fn a_wait_is_abandoned_when_the_other_handles_are_gone_before() {
    let (first, second) = (TVar::new(false), TVar::new(false));
    drop((first.clone(), second.clone()));
    let both = |tx: &mut Tx<'_>| {
        let open = first.read(tx)? && second.read(tx)?;
        let other = second.read(tx)?;
        tx.check(open || other)
    };
    let promised = Atomically::new().shared_by_handle();
    let stopped = promised.label("lonely").run(both).unwrap_err();
    assert_eq!((stopped.limit(), stopped.attempts(), stopped.aborts().retry), (Limit::Abandoned, 1, 1));
    assert!(stopped.to_string().contains("waits for cells that nobody else can reach"), "{stopped}");
    let outcome = promised.try_run(|tx| Ok::<_, Cancel<()>>(both(tx)?));
    assert!(matches!(outcome, Err(TryError::Stopped(stopped)) if stopped.limit() == Limit::Abandoned));
    assert_eq!(block_on(promised.run_async(both)).unwrap_err().limit(), Limit::Abandoned);
}

#[test]
fn a_wait_is_abandoned_when_the_last_other_handle_goes_meanwhile() {
    for is_task in [false, true] {
        without_hanging(move || {
            let (first, second) = (TVar::new(false), TVar::new(0_u64));
            let asleep = Signal::new();
            let (their_first, their_second, signal) = (first.clone(), second.clone(), asleep.sender());
            let waiter = thread::spawn(move || {
                let promised = Atomically::new().shared_by_handle();
                let wait = |tx: &mut Tx<'_>| {
                    signal_abort(tx, &signal);
                    let open = their_first.read(tx)?;
                    let count = their_second.read(tx)?;
                    tx.check(open || count > 0)
                };
                if is_task { block_on(promised.run_async(wait)) } else { promised.run(wait) }
            });
            asleep.wait();
            drop(first);
            // One of the two can still be changed.
            assert_eq!(second.load(), 0);
            asleep.wait();
            assert!(!asleep.comes_within(Duration::from_millis(30)), "one handle is left");
            drop(second);
            let stopped = waiter.join().unwrap().unwrap_err();
            assert_eq!((stopped.limit(), stopped.aborts().retry), (Limit::Abandoned, stopped.attempts()));
        });
    }
}

#[test]
fn a_change_made_before_the_last_handle_went_is_seen() {
    without_hanging(|| {
        for _ in 0..200 {
            let door = TVar::new(false);
            let theirs = door.clone();
            let waiter = thread::spawn(move || Atomically::new().shared_by_handle().run(wait_for(&theirs)).map(|_| ()));
            door.store(true);
            drop(door);
            assert_eq!(waiter.join().unwrap(), Ok(()));
        }
    });
}

#[test]
fn a_wait_is_not_abandoned_without_the_promise() {
    without_hanging(|| {
        // One handle, shared by reference.
        let door = TVar::new(false);
        let asleep = Signal::new();
        let signal = asleep.sender();
        thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                Atomically::new().run(|tx| {
                    signal_abort(tx, &signal);
                    wait_for(&door)(tx)
                })
            });
            asleep.wait();
            assert!(!asleep.comes_within(Duration::from_millis(30)));
            door.store(true);
            assert_eq!(waiter.join().unwrap(), Ok(2));
        });
    });
}

#[test]
fn a_wait_for_inline_cells_is_not_abandoned() {
    without_hanging(|| {
        let node = Shared::new(TCell::new(false));
        let limited = Atomically::new().shared_by_handle().timeout(Duration::from_millis(30));
        let stopped = limited.run(|tx| {
            let open = node.get(tx).read(tx)?;
            tx.check(open)
        });
        assert_eq!(stopped.unwrap_err().limit(), Limit::Time, "of a node nobody knows who else holds it");
    });
}

fn waits_alone(how: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_waits-alone")).arg(how).output().unwrap()
}

#[test]
fn the_only_thread_of_a_process_is_told_that_nobody_can_wake_it() {
    if !cfg!(target_os = "linux") {
        return;
    }
    for how in ["try", "run"] {
        let output = without_hanging(move || waits_alone(how));
        assert!(output.status.success(), "{output:?}");
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "Abandoned\n");
    }
    let output = without_hanging(|| waits_alone("panic"));
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(101), "{message}");
    assert!(message.contains("can never go on"), "{message}");
    assert!(message.contains("waits-alone.rs:"), "names the call: {message}");
}

#[test]
fn the_only_thread_of_a_process_may_wait_for_its_time_limit() {
    let output = without_hanging(|| waits_alone("timed"));
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "Time\n");
}

#[test]
fn a_wait_in_the_past_goes_on_with_what_has_changed() {
    let (a, b) = (TVar::new(0), TVar::new(0));
    let attempts = without_hanging(move || {
        atomically(|tx| {
            let first = a.read(tx)?;
            if tx.attempt() == 1 {
                elsewhere(|| atomically(|tx| a.write(tx, 1).and_then(|()| b.write(tx, 1))));
            }
            // Of the first attempt this is the state before, to which nothing will happen any more.
            let second = b.read(tx)?;
            assert_eq!(first, second);
            tx.check(second == 1)?;
            Ok(tx.attempt())
        })
    });
    assert_eq!(attempts, 2);
}

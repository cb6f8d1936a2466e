//! Concurrent runs of the runtime are strictly serializable and opaque.
//!
//! Method: threads run random transactions of all kinds on few cells, recorded; the checker finds no anomaly. The seed
//! is printed; `OPTIMIST_SEED` sets it. A history that fails is left in a file for `check-history`.
#![forbid(unsafe_code)]

use std::fs::File;
use std::hint::spin_loop;
use std::io::BufWriter;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

use futures::executor::block_on;
use optimist::{Atomically, Cancel, Stm, TryStm, Tx};
use optimist_tests::history::recorder::{Log, Ordered, Recorder, Worker};
use optimist_tests::history::{Attempt, History, Outcome, Summary, check, json};
use optimist_tests::schedule::without_hanging;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

const TIME: Duration = Duration::from_millis(150);
/// Keeps the check short on a fast machine.
const TRANSACTIONS_MAX: usize = 10_000;

/// One operation on a cell in a transaction, and how long to dawdle after it.
#[derive(Clone, Copy)]
struct Step {
    kind: u8,
    cell: usize,
    pause: u32,
}

fn steps(random: &mut SmallRng, cells: &[usize]) -> Vec<Step> {
    let length = random.random_range(1..6);
    let step = |_| Step {
        kind: random.random_range(0..8),
        cell: cells[random.random_range(0..cells.len())],
        pause: if random.random_range(0..3) == 0 { random.random_range(0..400) } else { 0 },
    };
    (0..length).map(step).collect()
}

fn dawdle(pause: u32) {
    if pause > 390 {
        thread::yield_now();
    }
    (0..pause).for_each(|_| spin_loop());
}

fn act(log: &Log<'_>, tx: &mut Tx<'_>, steps: &[Step]) -> Stm<()> {
    for step in steps {
        match step.kind {
            0..=3 => _ = log.read(tx, step.cell)?,
            4 | 5 => log.write(tx, step.cell)?,
            6 => log.modify(tx, step.cell)?,
            _ => log.replace(tx, step.cell)?,
        }
        dawdle(step.pause);
    }
    Ok(())
}

/// A whole transaction of one of the kinds that take a body.
fn body(log: &Log<'_>, tx: &mut Tx<'_>, kind: u8, one: &[Step], two: &[Step]) -> TryStm<(), ()> {
    match kind {
        0 => {
            log.or_else(
                tx,
                |tx| {
                    act(log, tx, one)?;
                    log.retry(tx)
                },
                |tx| act(log, tx, two),
            )?;
        }
        1 => {
            let part = |tx: &mut Tx<'_>| {
                act(log, tx, one)?;
                Err::<(), _>(Cancel::new(()))
            };
            assert_eq!(log.nested(tx, part)?, Err(()));
            act(log, tx, two)?;
        }
        2 => {
            act(log, tx, two)?;
            let kept = log.nested(tx, |tx| Ok::<(), Cancel<()>>(act(log, tx, one)?))?;
            assert_eq!(kept, Ok(()));
        }
        3 => {
            act(log, tx, one)?;
            tx.irrevocable()?;
            act(log, tx, two)?;
        }
        4 => {
            act(log, tx, one)?;
            return Err(Cancel::new(()));
        }
        5 => {
            let seen = log.read(tx, 0)?;
            act(log, tx, one)?;
            if seen.is_multiple_of(2) {
                log.retry(tx)?;
            }
        }
        6 => {
            act(log, tx, one)?;
            log.note_read_version(tx);
            // Unlike `panic!`, it prints nothing.
            resume_unwind(Box::new("on purpose"));
        }
        _ => act(log, tx, one)?,
    }
    Ok(())
}

/// Runs one random transaction, or operation on a single cell.
fn run(worker: &mut Worker<'_>, recorder: &Recorder, random: &mut SmallRng) {
    let cells = recorder.own_cells();
    let (one, two) = (steps(random, &cells), steps(random, &cells));
    let cell = cells[random.random_range(0..cells.len())];
    let is_free = recorder.is_free(cell);
    match random.random_range(0..24) {
        0 => worker.load(cell),
        1 if is_free => worker.store(cell),
        2 if is_free => worker.swap(cell),
        3 if is_free => worker.update(cell),
        4 | 5 => worker.snapshot(|tx, log| {
            for cell in 0..recorder.cells() {
                log.read(tx, cell)?;
                dawdle(one[0].pause);
            }
            Ok(())
        }),
        6 => {
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                _ = worker.run(Atomically::new().max_attempts(3), |tx, log| body(log, tx, 6, &one, &two));
            }));
            _ = outcome;
        }
        drawn => {
            let limited = Atomically::new().timeout(Duration::from_millis(1));
            // A plain transaction has no limits, so that it takes the shortest ways through the runtime.
            let options = if drawn < 13 { limited } else { Atomically::new() };
            let kind = if (7..13).contains(&drawn) { drawn - 7 } else { u8::MAX };
            let body = |tx: &mut Tx<'_>, log: &Log<'_>| body(log, tx, kind, &one, &two);
            if random.random_range(0..4) == 0 {
                _ = block_on(worker.run_async(options, body));
            } else {
                _ = worker.run(options, body);
            }
        }
    }
}

/// What one thread does.
fn work(recorder: &Recorder, start: &Barrier, seed: u64) -> Vec<Attempt> {
    let mut random = SmallRng::seed_from_u64(seed);
    let mut worker = recorder.worker();
    start.wait();
    let begin = Instant::now();
    for _ in 0..TRANSACTIONS_MAX {
        if begin.elapsed() > TIME {
            break;
        }
        run(&mut worker, recorder, &mut random);
    }
    worker.finish()
}

/// Records what `threads` threads do for a while, and then the state that they leave.
fn record(seed: u64, threads: u64, order: &[Ordered]) -> History {
    let recorder = Recorder::new(order);
    let start = Barrier::new(threads as usize);
    let (shared, start) = (&recorder, &start);
    let mut recorded: Vec<Vec<Attempt>> = thread::scope(|scope| {
        let workers: Vec<_> =
            (0..threads).map(|number| scope.spawn(move || work(shared, start, seed ^ number << 32))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or_else(|payload| resume_unwind(payload))).collect()
    });
    let mut last = recorder.worker();
    (0..recorder.cells()).for_each(|cell| last.load(cell));
    recorded.push(last.finish());
    recorder.history(recorded).expect("what is recorded is well-formed")
}

/// Where a history of this test is kept.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn keep(history: &History, file: &Path) {
    let mut to = BufWriter::new(File::create(file).expect("the folder is there"));
    json::write(history, &mut to).expect("there is room");
}

#[track_caller]
fn checked(history: &History, seed: u64, threads: u64) -> Summary {
    check(history).unwrap_or_else(|finding| {
        let file = file(&format!("anomaly-{seed}-{threads}.jsonl"));
        keep(history, &file);
        panic!("OPTIMIST_SEED={seed}, {threads} threads: {}\nSee {}", finding.report(history), file.display())
    })
}

fn seed() -> u64 {
    let given = std::env::var("OPTIMIST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_nanos() as u64));
    println!("OPTIMIST_SEED={seed}");
    seed
}

#[test]
fn recorded_runs_have_no_anomaly() {
    let seed = seed();
    let outcomes = without_hanging(move || {
        let (free, guarded) = (Ordered::ByItself, Ordered::ByGuard);
        let rounds = [
            (2, vec![free, free]),
            (2, vec![guarded, free, free]),
            (3, vec![free, free, free]),
            (4, vec![guarded, guarded]),
            (4, vec![free, free, free, free, guarded]),
            (8, vec![free, guarded, free]),
        ];
        let (mut outcomes, mut certified) = (Vec::new(), 0);
        for (threads, order) in rounds {
            let history = record(seed, threads, &order);
            let summary = checked(&history, seed, threads);
            println!("{threads} threads: {summary}");
            assert!(summary.committed > 0 && summary.others > 0, "{summary}");
            certified += history.attempts().iter().filter(|attempt| attempt.write_version.is_some()).count();
            outcomes.extend(history.attempts().iter().map(|attempt| attempt.outcome));
        }
        assert!(certified > 0, "no commit tells its version");
        outcomes
    });
    for outcome in [Outcome::Committed, Outcome::Aborted, Outcome::Cancelled, Outcome::Retried, Outcome::Unfinished] {
        let count = outcomes.iter().filter(|&&other| other == outcome).count();
        println!("{outcome:?}: {count}");
        assert!(count > 0, "no attempt of the outcome {outcome:?}");
    }
}

/// Runs `check-history` on a file of these lines; its exit status, and what it prints.
fn check_history(name: &str, lines: &[&str]) -> (Option<i32>, String) {
    let file = file(name);
    std::fs::write(&file, lines.join("\n")).expect("there is room");
    run_check_history(&file)
}

fn run_check_history(file: &Path) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_check-history")).arg(file).output().expect("it is built");
    let printed = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(printed).expect("it prints text"))
}

const HEADER: &str = r#"{"cells":1,"guards":[]}"#;
const WRITER: &str = r#"{"thread":0,"begin":0,"end":0,"outcome":"committed","events":[{"write":[0,7]}]}"#;
const READER: &str = r#"{"thread":1,"begin":1,"end":1,"outcome":"aborted","events":[{"read":[0,0]}]}"#;

#[test]
fn check_history_accepts_a_recorded_run() {
    let seed = seed();
    let file = file("valid.jsonl");
    keep(&without_hanging(move || record(seed, 2, &[Ordered::ByItself, Ordered::ByGuard])), &file);
    let (status, printed) = run_check_history(&file);
    assert!(status == Some(0) && printed.starts_with("valid: "), "{status:?}: {printed}");
}

#[test]
fn check_history_reports_an_anomaly() {
    let (status, printed) = check_history("stale.jsonl", &[HEADER, WRITER, READER]);
    assert_eq!(status, Some(1), "{printed}");
    assert!(printed.starts_with("real-time violation: "), "{printed}");
}

#[test]
fn check_history_names_the_line_that_is_bad() {
    let (status, printed) = check_history("bad.jsonl", &[HEADER, WRITER, "", WRITER]);
    assert_eq!(status, Some(2), "{printed}");
    assert!(printed.ends_with("bad.jsonl: line 4: event 0: the write id 7 has been used before\n"), "{printed}");
    let (status, printed) = run_check_history(&file("no such file"));
    assert!(status == Some(2) && printed.contains("no such file: No such file"), "{status:?}: {printed}");
}

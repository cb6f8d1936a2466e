//! Random programs of transactions do what the same transactions do one after the other.
//!
//! Method: `run-program` hunts for a program that does not, in a process of its own, as a wrong runtime may hang or
//! crash. What it finds is made as simple as can be, kept in a file and printed with the command that runs it again.
//!
//! | variable | says |
//! | --- | --- |
//! | `OPTIMIST_TEST_SECONDS` | for how long to hunt |
//! | `OPTIMIST_TEST_SEED` | the seed of the first program; it is printed |
//! | `OPTIMIST_TEST_SIMPLIFY_SECONDS` | for how long to make a program simpler |
//! | `OPTIMIST_TEST_PROGRAM` | the file of a program for `reproduce` |
#![forbid(unsafe_code)]

use std::env;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, UNIX_EPOCH};

use optimist_tests::program::generate::from_seed;
use optimist_tests::program::outside::Outside;

const SECONDS: f64 = 10.0;
/// Within this time, everything happens.
const SECONDS_FOR_ALL: f64 = 60.0;
const SIMPLIFY_SECONDS: f64 = 60.0;

fn given<T: FromStr>(name: &str) -> Option<T> {
    env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no such number")))
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
}

fn outside() -> Outside {
    Outside::new(env!("CARGO_BIN_EXE_run-program"), folder())
}

#[test]
fn programs_do_what_they_do_one_after_the_other() {
    let seed = given("OPTIMIST_TEST_SEED");
    let seed = seed.unwrap_or_else(|| UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_nanos() as u64));
    let seconds = given("OPTIMIST_TEST_SECONDS").unwrap_or(SECONDS);
    println!("OPTIMIST_TEST_SEED={seed} OPTIMIST_TEST_SECONDS={seconds}");
    let simplify = given("OPTIMIST_TEST_SIMPLIFY_SECONDS").unwrap_or(SIMPLIFY_SECONDS);
    let hunted = outside().hunt(seed, Duration::from_secs_f64(seconds), Duration::from_secs_f64(simplify));
    let tally = hunted.unwrap_or_else(|failure| panic!("{failure}"));
    println!("{tally}");
    assert!(tally.committed > 0, "{tally}");
    // In a shorter time, and on a busy machine, some of it may be missing.
    if seconds >= SECONDS_FOR_ALL {
        let others = [tally.aborted, tally.cancelled, tally.retried, tally.panicked, tally.stopped, tally.escalated];
        assert!(others.iter().all(|count| *count > 0) && tally.hooks > 0, "{tally}");
    }
}

#[test]
fn reproduce() {
    let file = env::var_os("OPTIMIST_TEST_PROGRAM").map_or_else(
        || {
            let file = folder().join("sample.json");
            let text = serde_json::to_string(&from_seed(1)).expect("a program is JSON");
            std::fs::write(&file, text).expect("there is room");
            file
        },
        PathBuf::from,
    );
    if let Some(problem) = outside().check(&file) {
        panic!("{}: {problem}", file.display());
    }
}

#[test]
fn a_file_without_a_program_is_refused() {
    let file = folder().join("no-program.json");
    for (text, expected) in [("{}", "missing field `cells`"), ("nonsense", "expected ident")] {
        std::fs::write(&file, text).expect("there is room");
        let problem = outside().check(&file).expect("it is refused");
        assert!(problem.contains("no-program.json") && problem.contains(expected), "{problem}");
    }
    assert!(outside().check(Path::new("no-such-file")).is_some_and(|problem| problem.contains("No such file")));
}

//! The soak, for two seconds; and what it says to arguments that make no sense.
#![forbid(unsafe_code)]

use std::process::{Command, Output};

fn soak(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_soak")).args(arguments).output().expect("the program runs")
}

#[test]
fn everything_at_once_leaves_nothing_behind() {
    let output = soak(&["--seconds", "2", "--threads", "3"]);
    let (text, problem) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}\n{problem}");
    let line = text.lines().find(|line| line.contains("tx/s")).expect("there is a line each second");
    for what in ["aborts: read", "write", "token", "retry", "resident", "longest attempt"] {
        assert!(line.contains(what), "{what} in {line}");
    }
    assert!(text.lines().any(|line| line.starts_with("all is well after")), "{text}");
}

#[test]
fn arguments_that_make_no_sense_are_refused() {
    let cases: [(&[&str], &str); 5] = [
        (&["--seconds", "0"], "0 is not in 1..=1000000"),
        (&["--minutes", "1", "--seconds", "1"], "cannot be used with"),
        (&["--threads", "65"], "65 is not in 1..=64"),
        (&["--minutes", "many"], "invalid digit found in string"),
        (&["--hours", "1"], "unexpected argument '--hours'"),
    ];
    for (arguments, expected) in cases {
        let output = soak(arguments);
        let problem = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {problem}");
        assert!(problem.contains(expected), "{arguments:?}: {problem}");
    }
}

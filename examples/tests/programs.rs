//! The example programs, run as a user runs them.

use std::fs;
use std::path::PathBuf;

use assert_cmd::Command;
use tempfile::TempDir;

/// The built example `name`. Cargo builds the examples of a package for its tests, beside the directory of the tests.
fn program(name: &str) -> Command {
    let mut path: PathBuf = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.extend(["examples", name]);
    path.set_extension(std::env::consts::EXE_EXTENSION);
    assert!(
        path.is_file(),
        "{} is not built; use `cargo test` without `--test`, or `cargo build --examples`",
        path.display()
    );
    Command::new(path)
}

/// `gil` on `directory`, with the chart beside it.
fn gil(directory: &TempDir) -> Command {
    let mut command = program("gil");
    command.arg("--dir").arg(directory.path().join("text"));
    command.arg("--chart").arg(directory.path().join("charts/gil.svg"));
    command
}

/// A directory with an empty directory `text`.
fn directory() -> TempDir {
    let directory = TempDir::new().unwrap();
    fs::create_dir(directory.path().join("text")).unwrap();
    directory
}

fn standard_error(command: &mut Command, status: i32) -> String {
    let output = command.assert().code(status).get_output().stderr.clone();
    String::from_utf8(output).unwrap()
}

#[test]
fn gil_measures_and_draws() {
    let directory = directory();
    fs::write(directory.path().join("text/a.txt"), "The cat and the dog.").unwrap();
    fs::write(directory.path().join("text/b.txt"), b"caf\xe9").unwrap();
    let assert = gil(&directory).args(["--threads", "1,3", "--seconds", "0.05"]).assert().success();
    let (out, err) = (&assert.get_output().stdout, &assert.get_output().stderr);
    let (out, err) = (String::from_utf8_lossy(out), String::from_utf8_lossy(err));
    for engine in ["gil", "locks", "optimist"] {
        assert!(out.contains(&format!("│ {engine}")), "{out}");
    }
    assert!(err.contains("1 file is not indexed") && err.contains("b.txt: not UTF-8 text"), "{err}");
    let chart = fs::read_to_string(directory.path().join("charts/gil.svg")).unwrap();
    assert!(chart.starts_with("<svg") && chart.contains("optimist"));
}

#[test]
fn gil_names_a_directory_that_does_not_exist() {
    let directory = TempDir::new().unwrap();
    let err = standard_error(&mut gil(&directory), 2);
    assert!(err.contains(&*directory.path().join("text").to_string_lossy()), "{err}");
    assert!(!directory.path().join("charts").exists());
}

#[test]
fn gil_says_that_there_is_no_text() {
    let directory = directory();
    let err = standard_error(&mut gil(&directory), 2);
    assert!(err.contains("there is no text in"), "{err}");

    fs::write(directory.path().join("text/zero.bin"), b"a\0b").unwrap();
    let err = standard_error(&mut gil(&directory), 2);
    assert!(err.contains("zero.bin: not UTF-8 text"), "{err}");
}

#[test]
fn gil_refuses_numbers_that_make_no_sense() {
    let directory = directory();
    for (option, value) in
        [("--threads", "0"), ("--threads", "2,x"), ("--seconds", "0"), ("--seconds", "-1"), ("--engine", "magic")]
    {
        let err = standard_error(gil(&directory).arg(format!("{option}={value}")), 2);
        assert!(err.contains(option), "{err}");
    }
}

#[test]
fn gil_says_when_the_chart_cannot_be_written() {
    let directory = directory();
    fs::write(directory.path().join("text/a.txt"), "The cat and the dog.").unwrap();
    fs::write(directory.path().join("charts"), "not a directory").unwrap();
    let err = standard_error(&mut gil(&directory), 2);
    assert!(err.contains("cannot write the chart"), "{err}");
}

#[test]
fn the_bank_loses_no_money() {
    program("bank").assert().success();
}

#[test]
fn the_philosophers_all_eat() {
    program("philosophers").assert().success();
}

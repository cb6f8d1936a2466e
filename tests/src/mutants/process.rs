//! Runs a test program with a time limit, and says which of its tests turned red.

use std::fs::File;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::plant::SWITCH;

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All is well.
    Green,
    /// With the test, and how it failed.
    Red(String, &'static str),
    /// With the test that did not end.
    Late(String),
}

/// What is run.
#[derive(Clone, Debug)]
pub struct Run<'a> {
    /// The test program.
    pub program: &'a Path,
    /// What it is told, beside how many tests to run at once.
    pub arguments: Vec<String>,
    /// The switch that is on.
    pub mutant: Option<usize>,
    /// When it is ended.
    pub limit: Duration,
    /// Where its output goes.
    pub log: &'a Path,
    /// Where it is run.
    pub folder: &'a Path,
}

/// Some faults eat memory without end.
const MEMORY_KIB: u64 = 6 << 20;

impl Run<'_> {
    /// Runs it to its end, or to that of its time; tests run one after the other, so that the one at fault is known.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn run(&self) -> Result<Outcome, String> {
        let log = File::create(self.log).map_err(|error| format!("{}: {error}", self.log.display()))?;
        let errors = log.try_clone().map_err(|error| error.to_string())?;
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -v {MEMORY_KIB}; ulimit -c 0; exec \"$0\" \"$@\"")]).arg(self.program);
        command.args(&self.arguments).args(["--test-threads", "1"]);
        command.env("RUST_BACKTRACE", "0").current_dir(self.folder);
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        match self.mutant {
            Some(number) => command.env(SWITCH, number.to_string()),
            None => command.env_remove(SWITCH),
        };
        let mut child = command.spawn().map_err(|error| format!("{}: {error}", self.program.display()))?;
        let deadline = Instant::now() + self.limit;
        let status = loop {
            if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
                break Some(status);
            }
            if Instant::now() >= deadline {
                // It may just have ended by itself.
                _ = child.kill();
                _ = child.wait();
                break None;
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        let output = std::fs::read(self.log).map_err(|error| error.to_string())?;
        Ok(judge(status, &String::from_utf8_lossy(&output)))
    }
}

/// The test that was running when the output ended.
fn last_started(output: &str) -> String {
    let tests = output.lines().rev().filter(|line| !line.starts_with("test result: "));
    let mut started = tests.filter_map(|line| line.strip_prefix("test "));
    started.next().and_then(|line| line.split(" ...").next()).unwrap_or("before any test").to_string()
}

fn judge(status: Option<ExitStatus>, output: &str) -> Outcome {
    match status {
        None => Outcome::Late(last_started(output)),
        Some(status) if status.success() => Outcome::Green,
        Some(_) => {
            let failed = output.lines().find_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"));
            match failed {
                Some(test) => Outcome::Red(test.trim_end_matches(" - should panic").to_string(), "fails"),
                None => Outcome::Red(last_started(output), "crashes"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(script: &str) -> Outcome {
        let folder = std::env::temp_dir();
        let log = folder.join(format!("optimist-mutants-{}-{}.log", std::process::id(), script.len()));
        let arguments = vec!["-c".to_string(), script.to_string()];
        let limit = Duration::from_millis(500);
        let run = Run { program: Path::new("/bin/sh"), arguments, mutant: None, limit, log: &log, folder: &folder };
        let outcome = run.run().unwrap();
        std::fs::remove_file(&log).unwrap();
        outcome
    }

    #[test]
    fn the_test_at_fault_is_named() {
        assert_eq!(run("echo test a ... ok"), Outcome::Green);
        assert_eq!(run("echo test a ... ok; echo test b ... FAILED; exit 101"), Outcome::Red("b".to_string(), "fails"));
        assert_eq!(run("printf 'test a ... ok\\ntest b ... '; kill -9 $$"), Outcome::Red("b".to_string(), "crashes"));
        let failed = run("echo test a ...; echo FAILED; echo test result: FAILED; exit 101");
        assert_eq!(failed, Outcome::Red("a".to_string(), "crashes"));
        assert_eq!(run("printf 'test a ... '; exec sleep 5"), Outcome::Late("a".to_string()));
    }
}

//! Running programs in other processes, which may hang or crash without taking the test with them.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::Program;
use super::generate::from_seed;
use super::hunt::PATIENCE;
use super::judge::Tally;
use super::smaller::smallest;

/// How often a program runs while it is made simpler, at least, if it failed at once.
const TIMES_MIN: usize = 30;
/// How often a program runs to see whether it fails again.
const TIMES_MAX: usize = 3000;
/// How much more often than it took to fail.
const TIMES_FACTOR: usize = 6;
/// For how long, at most.
const CHECK_SECONDS: f64 = 8.0;
/// After how long a run hangs while a program is made simpler.
const SHORT_PATIENCE: Duration = Duration::from_secs(3);
/// A process that says nothing for so much longer than a run may take is ended.
const SILENCE: Duration = Duration::from_secs(20);

/// Runs programs by the executable `run-program`.
#[derive(Clone, Debug)]
pub struct Outside {
    executable: PathBuf,
    folder: PathBuf,
}

/// A program that failed, as simple as could be.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed that it comes from.
    pub seed: u64,
    /// What went wrong first.
    pub first: String,
    /// The simplest program that fails.
    pub program: Program,
    /// What went wrong with that.
    pub problem: String,
    /// Where that is kept.
    pub file: PathBuf,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, first, program, problem, file } = self;
        let file = file.display();
        writeln!(f, "the program with the seed {seed} failed: {first}\n")?;
        writeln!(f, "the simplest that fails, of {} operations: {program:#?}\n\n{problem}\n", program.size())?;
        writeln!(f, "To run it again:")?;
        writeln!(f, "OPTIMIST_TEST_PROGRAM={file} cargo test -p optimist-tests --test programs reproduce")?;
        write!(f, "To hunt from there:\nOPTIMIST_TEST_SEED={seed} cargo test -p optimist-tests --test programs")
    }
}

/// How a process ended.
struct Ended {
    lines: Vec<String>,
    is_valid: bool,
    status: String,
}

impl Ended {
    /// All but the seeds.
    fn report(&self) -> String {
        let told = self.lines.iter().filter(|line| !line.starts_with("seed "));
        let mut report: Vec<&str> = told.map(String::as_str).collect();
        if report.is_empty() {
            report.push(&self.status);
        }
        report.join("\n")
    }

    fn last_seed(&self) -> Option<u64> {
        self.lines.iter().rev().find_map(|line| line.strip_prefix("seed ")?.parse().ok())
    }
}

impl Outside {
    /// Runs programs by this executable, and keeps those that fail in this folder.
    #[must_use]
    pub fn new(executable: impl Into<PathBuf>, folder: impl Into<PathBuf>) -> Self {
        Self { executable: executable.into(), folder: folder.into() }
    }

    /// Hunts for a program that fails, and then makes it simpler, for `simplify` at most. Returns what happened how often.
    ///
    /// # Errors
    /// The program.
    ///
    /// # Panics
    /// When there is no such executable, or no room for files, or the executable fails without having run a program.
    pub fn hunt(&self, seed: u64, time: Duration, simplify: Duration) -> Result<Tally, Box<Failure>> {
        let arguments = ["hunt".to_string(), format!("--seed={seed}"), format!("--seconds={}", time.as_secs_f64())];
        let ended = self.run(&arguments, PATIENCE + SILENCE);
        let tally = ended.lines.iter().find_map(|line| serde_json::from_str(line.strip_prefix("tally ")?).ok());
        if let Some(tally) = tally.filter(|_| ended.is_valid) {
            return Ok(tally);
        }
        let first = ended.report();
        let seed = ended.last_seed().unwrap_or_else(|| panic!("no program was run: {first}"));
        Err(Box::new(self.simplified(seed, first, simplify)))
    }

    fn simplified(&self, seed: u64, first: String, time: Duration) -> Failure {
        let file = self.folder.join(format!("program-{seed}.json"));
        let mut times = TIMES_MAX;
        let mut patience = PATIENCE;
        let program = from_seed(seed);
        let found = smallest(&program, time, |program| {
            let ended = self.check_in(&file, program, times, patience);
            if ended.is_valid {
                return None;
            }
            if times == TIMES_MAX {
                // How rarely it fails tells how long to try the others.
                let run = ended.lines.iter().find_map(|line| line.strip_prefix("run ")?.parse::<usize>().ok());
                times = run.map_or(TIMES_MIN, |run| (run * TIMES_FACTOR).clamp(TIMES_MIN, TIMES_MAX - 1));
                patience = SHORT_PATIENCE;
            }
            Some(ended.report())
        });
        let (program, problem) = found.unwrap_or_else(|| {
            let problem = format!("It did not fail again in {TIMES_MAX} runs, so that it was not made simpler.");
            (program.clone(), problem)
        });
        write(&file, &program);
        Failure { seed, first, program, problem, file }
    }

    fn check_in(&self, file: &Path, program: &Program, times: usize, patience: Duration) -> Ended {
        write(file, program);
        let path = file.to_str().expect("a folder of tests has a name in Unicode");
        let (times, seconds) = (format!("--times={times}"), format!("--seconds={CHECK_SECONDS}"));
        let patience = format!("--patience={}", patience.as_secs_f64());
        self.run(&["check".to_string(), path.to_string(), times, seconds, patience], PATIENCE + SILENCE)
    }

    /// Runs the program in a file; what is wrong with it, if something is.
    ///
    /// # Panics
    /// As [`hunt`](Self::hunt).
    #[must_use]
    pub fn check(&self, file: &Path) -> Option<String> {
        let file = file.to_str().expect("the file has a name in Unicode");
        let ended = self.run(&["check".to_string(), file.to_string()], PATIENCE + SILENCE);
        (!ended.is_valid).then(|| ended.report())
    }

    /// Runs the executable until it ends; kills it when it says nothing for `silence`.
    fn run(&self, arguments: &[String], silence: Duration) -> Ended {
        let mut command = Command::new(&self.executable);
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the executable is built with the tests");
        let (sender, receiver) = mpsc::channel();
        let stdout = child.stdout.take().expect("it is piped");
        let stderr = child.stderr.take().expect("it is piped");
        let to = sender.clone();
        let readers = [thread::spawn(move || forward(stdout, &to)), thread::spawn(move || forward(stderr, &sender))];
        let mut lines = Vec::new();
        let mut status = None;
        loop {
            match receiver.recv_timeout(silence) {
                Ok(line) => lines.push(line),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    status = Some(format!("the process hung for {silence:?}"));
                    end(&mut child);
                }
            }
        }
        readers.into_iter().for_each(|reader| reader.join().expect("it reads until the end"));
        let exit = child.wait().expect("it has been started");
        let status = status.unwrap_or_else(|| format!("the process ended with {exit}"));
        Ended { lines, is_valid: exit.success(), status }
    }
}

fn end(child: &mut Child) {
    // It may have ended by itself meanwhile.
    _ = child.kill();
}

fn forward(from: impl Read, to: &mpsc::Sender<String>) {
    for line in BufReader::new(from).lines() {
        let text = line.unwrap_or_else(|error: io::Error| error.to_string());
        if to.send(text).is_err() {
            return;
        }
    }
}

fn write(file: &Path, program: &Program) {
    let text = serde_json::to_string_pretty(program).expect("a program is JSON");
    std::fs::write(file, text + "\n").expect("there is room");
}

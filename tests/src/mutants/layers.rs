//! The layers of verification: how each is built, and what runs it has, from the cheapest to the dearest.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::Kind;
use super::plant::SWITCH;
use super::process::{Outcome, Run};

/// A layer of verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Layer {
    /// Each model of `stm/src/models` in a process of its own.
    Models,
    /// The tests.
    Tests,
    /// The tests with random pauses at the steps of the protocols.
    Chaos,
}

impl Layer {
    /// The layers that are asked about a kind of fault, in this order.
    ///
    /// On most machines the hardware hides a weak ordering, so only a model shows it.
    #[must_use]
    pub fn of(kind: Kind) -> &'static [Self] {
        match kind {
            Kind::Ordering => &[Self::Models],
            Kind::Check => &[Self::Tests, Self::Models, Self::Chaos],
        }
    }

    /// What it is called in the table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Models => "model",
            Self::Tests => "test",
            Self::Chaos => "chaos",
        }
    }
}

/// One program with what it is to run.
#[derive(Clone, Debug)]
pub struct Step {
    /// A test program, or a model.
    pub name: String,
    /// What is run for it.
    pub program: PathBuf,
    /// The one test of the program that is run, as every model is.
    only: Option<String>,
}

/// A layer that is built.
#[derive(Clone, Debug)]
pub struct Built {
    /// Which one it is.
    pub layer: Layer,
    /// In the order in which they are run.
    pub steps: Vec<Step>,
    /// Where its programs are run.
    folder: PathBuf,
    logs: PathBuf,
}

/// The folders that builds go to.
#[derive(Clone, Debug)]
pub struct Places {
    /// The root of the workspace.
    pub root: PathBuf,
    /// Below which everything is made.
    pub work: PathBuf,
}

impl Places {
    /// The copy of the tree for a layer. That of the models is built against a copy of `loom`, which changes its lock
    /// file.
    #[must_use]
    pub fn tree(&self, layer: Layer) -> PathBuf {
        self.work.join(if layer == Layer::Models { "models-tree" } else { "tests-tree" })
    }
}

/// The standard output of a command that succeeds.
fn output(command: &mut Command) -> Result<String, String> {
    let output = command.stderr(Stdio::inherit()).output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("{command:?}: {}\n{}", output.status, messages(&String::from_utf8_lossy(&output.stdout))))
    }
}

/// What the compiler has to say, out of its messages.
fn messages(output: &str) -> String {
    let messages = output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let rendered = messages.filter(|message| message["message"]["level"] == "error");
    rendered.filter_map(|message| message["message"]["rendered"].as_str().map(str::to_string)).collect()
}

/// The test programs that a build has made, with their names.
fn programs(output: &str) -> Vec<(String, PathBuf)> {
    let messages = output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    messages
        .filter(|message| message["profile"]["test"] == true)
        .filter_map(|message| {
            let name = message["target"]["name"].as_str()?.to_string();
            Some((name, PathBuf::from(message["executable"].as_str()?)))
        })
        .collect()
}

fn cargo(places: &Places, layer: Layer, flags: &str, target: &str) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(places.tree(layer)).env("CARGO_TARGET_DIR", places.work.join(target));
    // Nobody looks into these programs.
    command.env("CARGO_PROFILE_DEV_DEBUG", "0").env("CARGO_PROFILE_RELEASE_DEBUG", "0");
    if !flags.is_empty() {
        command.env("RUSTFLAGS", flags);
    }
    command
}

const JSON: &str = "--message-format=json";

fn build_models(places: &Places) -> Result<Vec<Step>, String> {
    let mut prepare = Command::new("bash");
    prepare.arg(places.root.join(".ci/patched-loom")).arg(&places.work).current_dir(&places.root);
    let loom = output(&mut prepare)?;
    let mut command = cargo(places, Layer::Models, "--cfg optimist_loom", "models-target");
    command.args(["--config", &format!("patch.crates-io.loom.path='{}'", loom.trim())]);
    command.args(["test", "--release", "--no-run", JSON, "-p", "optimist", "--lib"]);
    let built = programs(&output(&mut command)?);
    let (_, program) = built.into_iter().next().ok_or("no program of models was built")?;
    let list = output(Command::new(&program).args(["models::", "--list"]))?;
    let models = list.lines().filter_map(|line| line.strip_suffix(": test"));
    Ok(models.map(|model| Step::new(model, &program, Some(model.to_string()))).collect())
}

fn build_tests(places: &Places, layer: Layer, tests: &[String]) -> Result<Vec<Step>, String> {
    let (flags, target) =
        if layer == Layer::Chaos { ("--cfg optimist_chaos", "chaos-target") } else { ("", "tests-target") };
    let mut steps = Vec::new();
    if layer == Layer::Tests {
        let mut command = cargo(places, layer, flags, target);
        command.args(["test", "--no-run", JSON, "-p", "optimist", "--lib"]);
        steps.extend(programs(&output(&mut command)?).iter().map(|(_, program)| Step::new("unit", program, None)));
    }
    let mut command = cargo(places, layer, flags, target);
    command.args(["test", "--no-run", JSON, "-p", "optimist-tests"]);
    command.args(tests.iter().flat_map(|test| ["--test", test]));
    let built = programs(&output(&mut command)?);
    for test in tests {
        let (name, program) = built.iter().find(|(name, _)| name == test).ok_or(format!("{test} was not built"))?;
        steps.push(Step::new(name, program, None));
    }
    Ok(steps)
}

impl Step {
    fn new(name: &str, program: &Path, only: Option<String>) -> Self {
        Self { name: name.to_string(), program: program.to_path_buf(), only }
    }
}

impl Built {
    /// Builds a layer from its copy of the tree.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn new(places: &Places, layer: Layer, tests: &[String]) -> Result<Self, String> {
        let steps = if layer == Layer::Models { build_models(places)? } else { build_tests(places, layer, tests)? };
        for step in &steps {
            let program = std::fs::read(&step.program).map_err(|error| error.to_string())?;
            // A build of another copy into the same folder may have got in between.
            if !program.windows(SWITCH.len()).any(|window| window == SWITCH.as_bytes()) {
                return Err(format!("{} was built without the faults", step.program.display()));
            }
        }
        let logs = places.work.join("logs");
        std::fs::create_dir_all(&logs).map_err(|error| error.to_string())?;
        // The tests of a package are run in its folder.
        let folder = places.tree(layer).join(if layer == Layer::Models { "stm" } else { "tests" });
        Ok(Self { layer, steps, folder, logs })
    }

    /// Runs one step with the switch of a mutant on, or with none.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn run(&self, step: &Step, mutant: Option<usize>, limit: Duration) -> Result<Outcome, String> {
        let number = mutant.map_or_else(|| "none".to_string(), |number| number.to_string());
        let file = format!("{number}-{}-{}.log", self.layer.name(), step.name.replace("::", "-"));
        let log = self.logs.join(file);
        let arguments = match &step.only {
            Some(model) => vec!["--exact".to_string(), model.clone(), "--nocapture".to_string()],
            None => Vec::new(),
        };
        let outcome =
            Run { program: &step.program, arguments, mutant, limit, log: &log, folder: &self.folder }.run()?;
        let output = std::fs::read(&log).map_err(|error| error.to_string())?;
        if outcome == Outcome::Green && !String::from_utf8_lossy(&output).contains("test result: ok.") {
            return Err(format!("{} says nothing of its tests; see {}", step.name, log.display()));
        }
        if outcome == Outcome::Green && step.only.is_some() && !String::from_utf8_lossy(&output).contains(" 1 passed;")
        {
            return Err(format!("{:?} was not run; see {}", step.only, log.display()));
        }
        Ok(outcome)
    }

    /// Whether a test that turned red did so on account of the fault, and not of a busy machine: by itself, it is red
    /// with the fault once more, and green without.
    fn is_real(&self, step: &Step, test: &str, mutant: usize, limit: Duration) -> Result<bool, String> {
        // Chance is part of many tests, so the fault is given a few tries. It is of no model.
        const TRIES: u32 = 3;
        let alone = Step { only: Some(test.to_string()), ..step.clone() };
        for _ in 0..TRIES {
            if self.layer == Layer::Models || self.run(&alone, Some(mutant), limit)? != Outcome::Green {
                return Ok(self.run(&alone, None, limit)? == Outcome::Green);
            }
        }
        Ok(false)
    }

    /// Looks for a step that turns red with the fault `mutant`, first among those that the `hints` name, and takes
    /// at most `limit` for one. What it returns goes into the table.
    ///
    /// # Errors
    /// When a step cannot be run.
    pub fn catch(&self, mutant: usize, hints: &[String], limit: Duration) -> Result<Option<String>, String> {
        let mut steps: Vec<&Step> = self.steps.iter().collect();
        steps.sort_by_key(|step| !hints.iter().any(|hint| hint.contains(&step.name) || step.name.contains(hint)));
        for step in steps {
            let layer = self.layer.name();
            let (test, how) = match self.run(step, Some(mutant), limit)? {
                Outcome::Red(test, how) => (test, how),
                // A model that takes longer has only more executions.
                Outcome::Late(test) if self.layer != Layer::Models => (test, "hangs"),
                Outcome::Green | Outcome::Late(_) => continue,
            };
            if !self.is_real(step, &test, mutant, limit)? {
                continue;
            }
            let name = if step.only.is_some() { step.name.clone() } else { format!("{}::{test}", step.name) };
            return Ok(Some(if step.only.is_some() || how == "fails" {
                format!("{layer} `{name}`")
            } else {
                format!("{layer} `{name}` {how}")
            }));
        }
        Ok(None)
    }
}

//! Where and from what figures come: machine, commit and date.

use std::process::Command;
use std::thread::available_parallelism;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

/// Where and from what figures come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// When they were measured.
    pub date: String,
    /// What was measured; empty outside of a clone.
    pub commit: String,
    /// The model of the processor, if it is known.
    pub processor: String,
    /// How many threads it runs at once.
    pub cores: usize,
    /// The operating system and the architecture.
    pub system: String,
    /// The version of this package.
    pub version: String,
}

impl Origin {
    /// Here and now.
    #[must_use]
    pub fn here() -> Self {
        Self {
            date: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            commit: commit(),
            processor: processor(),
            cores: available_parallelism().map_or(1, usize::from),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            version: env!("CARGO_PKG_VERSION").to_string(),
        }
    }

    /// A name for a file of these figures: date and commit.
    #[must_use]
    pub fn file_stem(&self) -> String {
        let date = self.date.split('T').next().unwrap_or_default();
        format!("{date}-{}", if self.commit.is_empty() { "unknown" } else { &self.commit })
    }
}

fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_string())
    };
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else { return String::new() };
    let is_changed = git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|changes| !changes.is_empty());
    if is_changed { format!("{commit}-changed") } else { commit }
}

fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name"));
    model.map_or_else(|| "unknown".to_string(), |model| model.trim_start_matches([' ', '\t', ':']).to_string())
}

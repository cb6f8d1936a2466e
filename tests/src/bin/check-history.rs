//! Checks a recorded history: is it strictly serializable and opaque?
//!
//! Exits with 0 if it is, with 1 and a report of the smallest anomaly if not, and with 2 if there is no history in the
//! file.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use optimist_tests::history::{History, check, json};

/// Checks that a recorded history is strictly serializable and opaque.
///
/// Exit status: 0 valid, 1 an anomaly (reported on standard output), 2 a bad file.
#[derive(Parser)]
struct Arguments {
    /// The history, as JSON lines.
    file: PathBuf,
}

fn read(file: &Path) -> Result<History, String> {
    let open = File::open(file).map_err(|error| error.to_string())?;
    json::read(BufReader::new(open)).map_err(|error| error.to_string())
}

fn main() -> ExitCode {
    let Arguments { file } = Arguments::parse();
    let history = match read(&file) {
        Ok(history) => history,
        Err(problem) => {
            eprintln!("{}: {problem}", file.display());
            return ExitCode::from(2);
        }
    };
    match check(&history) {
        Ok(summary) => {
            println!("valid: {summary}");
            ExitCode::SUCCESS
        }
        Err(finding) => {
            print!("{}", finding.report(&history));
            ExitCode::FAILURE
        }
    }
}

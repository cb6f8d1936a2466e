//! What the lints cannot check: the rules of the house for the source itself.
//!
//! Method: the text of every source file is read line by line. Each rule reports all its offenders at once.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

const LONGEST_FILE: usize = 800;
/// A comment stands within so many lines above the ordering it explains.
const COMMENT_WITHIN: usize = 4;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a package is in the workspace").to_path_buf()
}

/// A file of source, by its path from the root.
struct Source {
    path: String,
    lines: Vec<String>,
}

impl Source {
    /// The numbered lines before the test module.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let tests = self.lines.iter().position(|line| line.trim() == "#[cfg(test)]" && !line.starts_with(' '));
        let end = tests.unwrap_or(self.lines.len());
        self.lines[..end].iter().enumerate().map(|(index, line)| (index + 1, line.as_str()))
    }
}

fn add_sources(folder: &Path, sources: &mut Vec<Source>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            add_sources(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let path = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
            sources.push(Source { path, lines: text.lines().map(str::to_string).collect() });
        }
    }
}

fn sources(folders: &[&str]) -> Vec<Source> {
    let mut sources = Vec::new();
    folders.iter().for_each(|folder| add_sources(&root().join(folder), &mut sources));
    assert!(!sources.is_empty(), "no source in {folders:?}");
    sources.sort_by(|one, two| one.path.cmp(&two.path));
    sources
}

/// What users run; models are tests of it.
fn runtime() -> Vec<Source> {
    let all = sources(&["stm/src", "collections/src"]).into_iter();
    all.filter(|source| !source.path.contains("/models")).collect()
}

fn everything() -> Vec<Source> {
    sources(&["stm", "collections", "tests", "benches", "examples"])
}

/// The part of a line that is code.
fn without_comment(line: &str) -> &str {
    line.split("//").next().unwrap_or(line)
}

#[track_caller]
fn none(offenders: &[String], rule: &str) {
    assert!(offenders.is_empty(), "{rule}:\n{}", offenders.join("\n"));
}

#[test]
fn atomics_come_from_the_shim_alone() {
    let mut offenders = Vec::new();
    // The models are programs of `loom`'s.
    let through_the_shim = |source: &&Source| {
        !["/sync.rs", "/sync/", "/models.rs", "/models/"].iter().any(|part| source.path.contains(part))
    };
    for source in runtime().iter().filter(through_the_shim) {
        for (number, line) in source.code() {
            let code = without_comment(line);
            if ["sync::atomic", "compiler_fence", "core::sync", "AtomicCell", "loom::", "shuttle::"]
                .iter()
                .any(|name| code.contains(name))
            {
                offenders.push(format!("{}:{number}: {line}", source.path));
            }
        }
    }
    none(&offenders, "atomics and fences are imported from `sync.rs`");
}

#[test]
fn every_ordering_has_a_comment() {
    let mut offenders = Vec::new();
    for source in runtime() {
        let lines: Vec<(usize, &str)> = source.code().collect();
        for (index, (number, line)) in lines.iter().enumerate() {
            let code = without_comment(line);
            let names_ordering = ["Relaxed", "Acquire", "Release", "AcqRel", "SeqCst"]
                .iter()
                .any(|ordering| code.contains(&format!("Ordering::{ordering}")));
            let above = &lines[index.saturating_sub(COMMENT_WITHIN)..index];
            // What a function is for, in its documentation, is no reason for an ordering in it.
            let explains = |line: &str| {
                let comment = line.find("//").map(|start| &line[start..]);
                comment.is_some_and(|comment| !comment.starts_with("///") && !comment.starts_with("//!"))
            };
            let has_comment = explains(line) || above.iter().any(|(_, line)| explains(line));
            if names_ordering && !has_comment {
                offenders.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    none(&offenders, "a comment says why each ordering is enough");
}

#[test]
fn no_file_is_too_long() {
    let long = everything().into_iter().filter(|source| source.lines.len() > LONGEST_FILE);
    let offenders: Vec<String> = long.map(|source| format!("{}: {} lines", source.path, source.lines.len())).collect();
    none(&offenders, "a file past 800 lines is split");
}

/// An invariant label at the start of `text`: capital letters and a number.
fn label(text: &str) -> Option<&str> {
    let letters = text.bytes().take_while(u8::is_ascii_uppercase).count();
    let digits = text[letters..].bytes().take_while(u8::is_ascii_digit).count();
    (letters == 1 && (1..=2).contains(&digits)).then(|| &text[..letters + digits])
}

/// The labels cited in a comment: `(R1)`, `(R1, R2)`, `(L3 of ..)`, `(D1 and W1)`.
fn citations(comment: &str) -> Vec<&str> {
    let mut cited = Vec::new();
    for (start, _) in comment.match_indices('(') {
        let inside = comment[start + 1..].split(')').next().unwrap_or_default();
        if label(inside).is_none() {
            continue;
        }
        let words = inside.split(|symbol: char| !symbol.is_alphanumeric());
        cited.extend(words.filter_map(|word| label(word).filter(|label| label.len() == word.len())));
    }
    // Also `R1 of ..` and `by R1` without parentheses.
    let words: Vec<&str> = comment.split_whitespace().collect();
    for pair in words.windows(2) {
        let bare = pair[0].trim_matches(|symbol: char| !symbol.is_alphanumeric());
        let is_label = label(bare).is_some_and(|label| label.len() == bare.len());
        if is_label && pair[1] == "of" {
            cited.push(bare);
        }
    }
    cited
}

#[test]
fn citations_are_recognised() {
    assert_eq!(
        citations("// SAFETY: kept (R1, R2); the rest (L3 of `versioned_lock.rs`) is"),
        ["R1", "R2", "L3", "L3"]
    );
    assert_eq!(citations("/// as R1 of `reclaim.rs` says, and (E2)."), ["E2", "R1"]);
    assert!(citations("// nothing (TL2) or (2^32) or (UTF8) is one").is_empty());
}

#[test]
fn every_invariant_that_is_cited_exists() {
    let sources = runtime();
    let comments = |source: &Source| -> Vec<(usize, String)> {
        let numbered = source.lines.iter().enumerate();
        numbered.filter_map(|(index, line)| Some((index + 1, line[line.find("//")?..].to_string()))).collect()
    };
    let mut defined = BTreeSet::new();
    for source in &sources {
        for (_, comment) in comments(source) {
            for (start, _) in comment.match_indices("**") {
                let rest = &comment[start + 2..];
                if let Some(label) = label(rest).filter(|label| rest[label.len()..].starts_with("**")) {
                    defined.insert(label.to_string());
                }
            }
        }
    }
    assert!(defined.len() > 20, "the labels are not found any more: {defined:?}");
    let mut offenders = Vec::new();
    for source in &sources {
        for (number, comment) in comments(source) {
            for cited in citations(&comment) {
                if !defined.contains(cited) {
                    offenders.push(format!("{}:{number}: {cited} in {comment}", source.path));
                }
            }
        }
    }
    none(&offenders, "an invariant that is cited is defined as `**R1**`");
}

#[test]
fn nothing_is_left_to_do() {
    // Put together here, so that this file is not an offender.
    let marks = [["TO", "DO"], ["FIX", "ME"], ["XX", "X:"], ["dbg", "!("], ["todo", "!("], ["unimplemented", "!("]];
    let marks = marks.map(|parts| parts.concat());
    let mut offenders = Vec::new();
    for source in everything() {
        for (index, line) in source.lines.iter().enumerate() {
            if marks.iter().any(|mark| line.contains(mark.as_str())) {
                offenders.push(format!("{}:{}: {}", source.path, index + 1, line.trim()));
            }
        }
    }
    none(&offenders, "what is to be done is done, or said elsewhere");
}

#[test]
fn unsafe_code_is_in_the_runtime_alone() {
    let packages = ["collections/src", "tests", "benches", "examples"];
    let offenders: Vec<String> = sources(&packages)
        .iter()
        .flat_map(|source| {
            let is_unsafe = |(_, line): &(usize, &str)| {
                let code = without_comment(line);
                ["unsafe {", "unsafe fn", "unsafe impl"].iter().any(|word| code.contains(word)) && !code.contains('"')
            };
            source.code().filter(is_unsafe).map(|(number, _)| format!("{}:{number}", source.path)).collect::<Vec<_>>()
        })
        .collect();
    none(&offenders, "all `unsafe` is in `stm/`");
}

#[test]
fn no_tracked_file_names_a_place_of_one_machine() {
    let mut list_files = Command::new("git");
    list_files.args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"]).current_dir(root());
    let Ok(output) = list_files.output() else { return };
    if !output.status.success() {
        // Not a clone but an unpacked archive.
        return;
    }
    let marks =
        [["/ho", "me/"], ["/wo", "rk/"], ["/ro", "ot/"], ["/Use", "rs/"], ["/tm", "p/"]].map(|parts| parts.concat());
    let list = String::from_utf8(output.stdout).unwrap();
    let mut offenders = Vec::new();
    for path in list.split('\0').filter(|path| !path.is_empty()) {
        // Binary files, and files that are tracked and gone, have no text.
        let Ok(text) = std::fs::read_to_string(root().join(path)) else { continue };
        for (index, line) in text.lines().enumerate() {
            // The start of an absolute path, not the middle of a relative one.
            let names_place = marks.iter().any(|mark| {
                line.match_indices(mark.as_str()).any(|(at, _)| {
                    let before = line[..at].chars().next_back();
                    before.is_none_or(|before| !before.is_alphanumeric() && !"._-*}~".contains(before))
                })
            });
            if names_place {
                offenders.push(format!("{path}:{}: {}", index + 1, line.trim()));
            }
        }
    }
    none(&offenders, "a path of one machine means nothing on another");
}

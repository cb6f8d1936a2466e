//! Finds every ordering and every fence of the runtime, and what weaker ones there are.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use super::{Kind, Mutant, function_at};

/// What an ordering is the ordering of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    /// Also the failure of a compare-exchange.
    Load,
    Store,
    ReadModifyWrite,
    Fence,
    /// A call of `fence_after_exchange`, which names no ordering.
    FenceAfterExchange,
}

/// A place in the source where an ordering is named.
#[derive(Clone, Debug)]
pub struct Site {
    /// Below `stm/src`.
    pub file: String,
    /// The function it is in.
    pub function: String,
    /// The line of code.
    pub line: String,
    /// The ordering that is named; of `fence_after_exchange`, the one that it means.
    pub ordering: String,
    /// The place among those of the function.
    number: usize,
    operation: Operation,
    span: Range<usize>,
}

const ORDERINGS: [&str; 5] = ["Relaxed", "Acquire", "Release", "AcqRel", "SeqCst"];

impl Operation {
    fn weaker(self, ordering: &str) -> &'static [&'static str] {
        match (self, ordering) {
            (Self::Load, "SeqCst") => &["Acquire", "Relaxed"],
            (Self::Store, "SeqCst") => &["Release", "Relaxed"],
            (Self::ReadModifyWrite, "SeqCst") => &["AcqRel", "Relaxed"],
            (Self::ReadModifyWrite, "AcqRel") => &["Acquire", "Release"],
            (Self::Load, "Acquire") | (Self::Store, "Release") | (Self::ReadModifyWrite, "Acquire" | "Release") => {
                &["Relaxed"]
            }
            (Self::Fence, "SeqCst") => &["AcqRel", "none"],
            (Self::Fence | Self::FenceAfterExchange, _) => &["none"],
            _ => &[],
        }
    }

    /// The operation whose argument stands behind `before`, and whose ordering that is.
    fn of(before: &str) -> Option<Self> {
        let calls = [
            (".load(", Self::Load),
            (".store(", Self::Store),
            (".swap(", Self::ReadModifyWrite),
            (".fetch_", Self::ReadModifyWrite),
            (".compare_exchange", Self::ReadModifyWrite),
            ("fence(", Self::Fence),
        ];
        let (start, operation) = calls
            .iter()
            .filter_map(|(call, operation)| Some((before.rfind(call)?, *operation)))
            .max_by_key(|(at, _)| *at)?;
        let is_failure = before[start..].contains("compare_exchange") && before[start..].contains("Ordering::");
        Some(if is_failure { Self::Load } else { operation })
    }
}

impl Site {
    /// What names the site in the table.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}::{}#{}", self.file, self.function, self.number)
    }

    /// Whether nothing is weaker.
    #[must_use]
    pub fn is_weakest(&self) -> bool {
        self.operation.weaker(&self.ordering).is_empty()
    }

    /// The site with each weaker ordering that is valid there.
    #[must_use]
    pub fn mutants(&self) -> Vec<Mutant> {
        let weaker = self.operation.weaker(&self.ordering).iter();
        weaker
            .map(|weaker| {
                let from = &self.ordering;
                let replacement = match (self.operation, *weaker) {
                    (_, "none") => "()".to_string(),
                    (Operation::Fence, weaker) => format!("fence(Ordering::{weaker})"),
                    (_, weaker) => format!("Ordering::{weaker}"),
                };
                Mutant {
                    name: format!("{} {from} to {weaker}", self.name()),
                    kind: Kind::Ordering,
                    file: self.file.clone(),
                    function: self.function.clone(),
                    code: self.line.clone(),
                    change: format!("{from} to {weaker}"),
                    span: self.span.clone(),
                    replacement,
                    binds: None,
                    first: Vec::new(),
                }
            })
            .collect()
    }
}

/// The part of a file before its tests.
fn code_of(text: &str) -> &str {
    text.find("\n#[cfg(test)]\nmod ").map_or(text, |end| &text[..end])
}

/// The sites in one file.
fn find_in(file: &str, text: &str) -> Vec<Site> {
    let code = code_of(text);
    let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
    let mut sites = Vec::new();
    let mut line_start = 0;
    for line in code.split_inclusive('\n') {
        let live = line.split("//").next().unwrap_or_default();
        let mut add = |ordering: &str, operation: Operation, span: Range<usize>| {
            let function = function_at(text, line_start);
            let number = numbers.entry(function.clone()).or_default();
            *number += 1;
            sites.push(Site {
                file: file.to_string(),
                function,
                line: line.trim().to_string(),
                ordering: ordering.to_string(),
                number: *number,
                operation,
                span,
            });
        };
        for (at, call) in live.match_indices("fence_after_exchange()") {
            if !live[..at].trim_end().ends_with("fn") {
                add("SeqCst", Operation::FenceAfterExchange, line_start + at..line_start + at + call.len());
            }
        }
        for (at, prefix) in live.match_indices("Ordering::") {
            let rest = &live[at + prefix.len()..];
            let Some(ordering) = ORDERINGS.iter().find(|ordering| rest.starts_with(**ordering)) else { continue };
            let start = line_start + at;
            let Some(operation) = Operation::of(&code[start.saturating_sub(300)..start]) else { continue };
            let end = start + prefix.len() + ordering.len();
            if operation == Operation::Fence {
                add(ordering, operation, start - "fence(".len()..end + 1);
            } else {
                add(ordering, operation, start..end);
            }
        }
        line_start += line.len();
    }
    sites
}

/// All sites of the runtime's code at `root`: not of its tests and models, nor of the shim that they go through.
///
/// # Errors
/// When a file cannot be read.
pub fn find(root: &Path) -> Result<Vec<Site>, String> {
    let folder = root.join("stm/src");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))? {
        let name = entry.map_err(|error| error.to_string())?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".rs") && !["sync.rs", "models.rs"].contains(&name.as_str()) {
            files.push(name);
        }
    }
    files.sort();
    let mut sites = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(folder.join(&file)).map_err(|error| format!("{file}: {error}"))?;
        sites.extend(find_in(&file, &text));
    }
    Ok(sites)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(text: &str) -> Vec<String> {
        find_in("file.rs", text).iter().flat_map(Site::mutants).map(|mutant| mutant.name).collect()
    }

    #[test]
    fn each_operation_has_the_weaker_orderings_that_are_valid_for_it() {
        let text = "fn one() {\n    a.load(Ordering::Acquire);\n    a.store(1, Ordering::Release);\n}\n\
                    fn two() {\n    a.fetch_add(1, Ordering::AcqRel);\n    // Ordering::SeqCst\n}\n";
        let expected = [
            "file.rs::one#1 Acquire to Relaxed",
            "file.rs::one#2 Release to Relaxed",
            "file.rs::two#1 AcqRel to Acquire",
            "file.rs::two#1 AcqRel to Release",
        ];
        assert_eq!(changes(text), expected);
    }

    #[test]
    fn the_failure_of_an_exchange_is_a_load() {
        let text = "fn one() {\n    a.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed);\n}\n";
        assert_eq!(changes(text), ["file.rs::one#1 Acquire to Relaxed"]);
        assert_eq!(find_in("file.rs", text).len(), 2);
    }

    #[test]
    fn fences_are_left_out_as_a_whole() {
        let text = "fn one() {\n    fence(Ordering::SeqCst);\n    fence_after_exchange();\n}\n";
        let sites = find_in("file.rs", text);
        let spans: Vec<&str> = sites.iter().map(|site| &text[site.span.clone()]).collect();
        assert_eq!(spans, ["fence(Ordering::SeqCst)", "fence_after_exchange()"]);
        let expected =
            ["file.rs::one#1 SeqCst to AcqRel", "file.rs::one#1 SeqCst to none", "file.rs::one#2 SeqCst to none"];
        assert_eq!(changes(text), expected);
    }

    #[test]
    fn tests_are_no_sites() {
        assert!(changes("fn one() {}\n\n#[cfg(test)]\nmod tests {\n    a.load(Ordering::Acquire);\n}\n").is_empty());
    }
}

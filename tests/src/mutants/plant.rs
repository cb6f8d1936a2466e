//! Plants faults into a copy of the tree, each behind a switch of its own.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::Mutant;

/// The environment variable that says which switch is on.
pub const SWITCH: &str = "OPTIMIST_MUTANT";

/// What decides at run time whether a fault is there.
const MODULE: &str = "//! Which fault is there.
pub(crate) fn is(number: u32) -> bool {
    static NUMBER: std::sync::OnceLock<Option<u32>> = std::sync::OnceLock::new();
    *NUMBER.get_or_init(|| std::env::var(\"OPTIMIST_MUTANT\").ok()?.parse().ok()) == Some(number)
}
";

/// The file of that module.
const SWITCHES: &str = "mutant.rs";

/// What of the tree is copied.
const PARTS: [&str; 8] =
    ["Cargo.toml", "Cargo.lock", "clippy.toml", "stm", "collections", "tests", "benches", "examples"];

/// Parts the mutants, given by their numbers, into batches of which no two mutants overlap, unless they are at the
/// very same place.
#[must_use]
pub fn batches(mutants: &[Mutant]) -> Vec<Vec<usize>> {
    let mut batches: Vec<Vec<usize>> = Vec::new();
    for (number, mutant) in mutants.iter().enumerate() {
        let fits = |batch: &Vec<usize>| {
            batch.iter().map(|other| &mutants[*other]).all(|other| {
                let apart = mutant.span.end <= other.span.start || other.span.end <= mutant.span.start;
                other.file != mutant.file || other.span == mutant.span || apart
            })
        };
        match batches.iter_mut().find(|batch| fits(batch)) {
            Some(batch) => batch.push(number),
            None => batches.push(vec![number]),
        }
    }
    batches
}

/// The code at one place: the original, and the faults behind their switches.
fn switch(original: &str, faults: &[(usize, &Mutant)]) -> String {
    let binds = faults[0].1.binds.as_deref();
    let value = binds.unwrap_or_default();
    let mut switch = String::new();
    for (number, mutant) in faults {
        let replacement = &mutant.replacement;
        write!(switch, "if crate::mutant::is({number}) {{ {replacement} {value} }} else ").expect("it is memory");
    }
    write!(switch, "{{ {original} {value} }}").expect("it is memory");
    match binds {
        Some(pattern) => format!("let {pattern} = {switch};"),
        None if original.ends_with([';', '}']) => switch,
        None => format!("({switch})"),
    }
}

/// Where the function that the place is in says that it is `const`, which one with a switch is not.
fn constness(text: &str, place: usize) -> Option<(usize, usize)> {
    let function = text[..place].rfind("fn ")?;
    let start = function.checked_sub("const ".len())?;
    text[start..].starts_with("const fn ").then_some((start, function))
}

/// The text of a file with the faults behind their switches.
fn with_switches(text: &str, faults: &[(usize, &Mutant)]) -> String {
    let mut places: BTreeMap<(usize, usize), Vec<(usize, &Mutant)>> = BTreeMap::new();
    for (number, mutant) in faults {
        places.entry((mutant.span.start, mutant.span.end)).or_default().push((*number, mutant));
    }
    let mut edits: BTreeMap<(usize, usize), String> = BTreeMap::new();
    for ((start, end), faults) in places {
        edits.insert((start, end), switch(&text[start..end], &faults));
        edits.extend(constness(text, start).map(|place| (place, String::new())));
    }
    let mut planted = String::new();
    let mut copied = 0;
    for ((start, end), edit) in edits {
        planted.push_str(&text[copied..start]);
        planted.push_str(&edit);
        copied = end;
    }
    planted.push_str(&text[copied..]);
    planted
}

fn write_if_changed(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    // What has not changed keeps its time, so that it is not built again.
    if fs::read(path).is_ok_and(|present| present == bytes) {
        return Ok(());
    }
    fs::create_dir_all(path.parent().expect("a file is in a folder"))?;
    fs::write(path, bytes)
}

/// Removes from the folder `to` the files that are not in `from` any more.
fn remove_what_is_gone(from: &Path, to: &Path) -> std::io::Result<()> {
    let Ok(entries) = fs::read_dir(to) else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_file() && !from.join(entry.file_name()).exists() && entry.file_name() != SWITCHES {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path, edit: &dyn Fn(&Path, Vec<u8>) -> Vec<u8>) -> std::io::Result<()> {
    if from.is_dir() {
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            if entry.file_name() != "target" {
                copy(&entry.path(), &to.join(entry.file_name()), edit)?;
            }
        }
        remove_what_is_gone(from, to)
    } else {
        write_if_changed(to, &edit(from, fs::read(from)?))
    }
}

/// Makes `tree` a copy of the tree at `root` with the `batch` of the mutants in it.
///
/// # Errors
/// When a file cannot be copied.
///
/// # Panics
/// When a file of source is no text.
pub fn plant(root: &Path, tree: &Path, mutants: &[Mutant], batch: &[usize]) -> std::io::Result<()> {
    let source = root.join("stm/src");
    let edit = |path: &Path, bytes: Vec<u8>| {
        let Ok(file) = path.strip_prefix(&source) else { return bytes };
        let file = file.to_string_lossy();
        let faults: Vec<(usize, &Mutant)> =
            batch.iter().map(|number| (*number, &mutants[*number])).filter(|(_, mutant)| mutant.file == file).collect();
        let mut text = String::from_utf8(bytes).expect("source is text");
        text = with_switches(&text, &faults);
        if file == "lib.rs" {
            text = text.replacen("\nmod abandoned;", "\nmod mutant;\nmod abandoned;", 1);
        }
        text.into_bytes()
    };
    for part in PARTS {
        let from = root.join(part);
        // The lock file of the copy may have been changed by its build.
        if from.exists() && !(part == "Cargo.lock" && tree.join(part).exists()) {
            copy(&from, &tree.join(part), &edit)?;
        }
    }
    write_if_changed(&tree.join("stm/src").join(SWITCHES), MODULE.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;
    use std::ops::Range;

    fn mutant(span: Range<usize>, replacement: &str) -> Mutant {
        Mutant {
            name: String::new(),
            kind: Kind::Check,
            file: "file.rs".to_string(),
            function: String::new(),
            code: String::new(),
            change: String::new(),
            span,
            replacement: replacement.to_string(),
            binds: None,
            first: Vec::new(),
        }
    }

    #[test]
    fn overlapping_faults_are_in_different_batches() {
        let mutants = [mutant(0..5, ""), mutant(0..5, ""), mutant(4..6, ""), mutant(5..6, "")];
        assert_eq!(batches(&mutants), [vec![0, 1, 3], vec![2]]);
    }

    #[test]
    fn a_fault_is_behind_its_switch() {
        let text = "a = b + c; d();";
        let (one, two) = (mutant(4..5, "x"), mutant(11..15, ""));
        let planted = with_switches(text, &[(7, &one), (8, &one), (9, &two)]);
        let expected = "a = (if crate::mutant::is(7) { x  } else if crate::mutant::is(8) { x  } else { b  }) + c; \
                        if crate::mutant::is(9) {   } else { d();  }";
        assert_eq!(planted, expected);
    }

    #[test]
    fn what_the_code_binds_is_bound_by_the_switch() {
        let text = "const fn f() { let a = b; }";
        let fault = Mutant { binds: Some("a".to_string()), ..mutant(15..25, "let a = c;") };
        let expected = "fn f() { let a = if crate::mutant::is(1) { let a = c; a } else { let a = b; a }; }";
        assert_eq!(with_switches(text, &[(1, &fault)]), expected);
    }

    #[test]
    fn the_switch_is_the_variable_that_the_module_reads() {
        assert!(MODULE.contains(SWITCH));
    }
}

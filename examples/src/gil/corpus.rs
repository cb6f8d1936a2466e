//! The input: all text files below a directory, in memory.
//!
//! Files are read before any measurement, so that an engine is measured and not the disk.

use std::fmt;
use std::path::{Path, PathBuf};
use std::{fs, io};

use ignore::{DirEntry, WalkBuilder};

use super::words::WordCounts;

/// One text file.
#[derive(Debug)]
pub struct Document {
    /// The number under which the index knows it.
    pub number: usize,
    /// Where it was read.
    pub path: PathBuf,
    /// What it says.
    pub text: String,
}

/// The text files of a directory, and what was left out.
#[derive(Debug)]
pub struct Corpus {
    documents: Vec<Document>,
    skipped: Vec<Skipped>,
}

/// A file or directory that is not in the index.
#[derive(Debug)]
pub struct Skipped {
    /// Which.
    pub path: PathBuf,
    /// Why.
    pub reason: Reason,
}

/// Why a file was left out.
#[derive(Debug)]
pub enum Reason {
    /// Its bytes are no UTF-8, or contain a zero.
    NotText,
    /// It is a symbolic link, a pipe, or the like.
    NotRegular,
    /// The system does not let us read it.
    Unreadable(String),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotText => f.write_str("not UTF-8 text"),
            Self::NotRegular => f.write_str("not a regular file"),
            Self::Unreadable(why) => write!(f, "cannot be read: {why}"),
        }
    }
}

/// Why there is nothing to index.
#[derive(Debug)]
pub enum NoCorpus {
    /// The directory cannot be used: it does not exist, say.
    Directory(PathBuf, io::Error),
    /// There is no word in it; this is what was skipped.
    NoText(PathBuf, Vec<Skipped>),
}

impl fmt::Display for NoCorpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path, error) => write!(f, "cannot use the directory {}: {error}", path.display()),
            Self::NoText(path, skipped) => {
                write!(f, "there is no text in {}: ", path.display())?;
                match skipped.len() {
                    0 => f.write_str("no file has a word in it"),
                    skipped => write!(f, "no file has a word in it, but for {skipped} that cannot be used"),
                }
            }
        }
    }
}

impl std::error::Error for NoCorpus {}

impl Corpus {
    /// Reads all text files below `directory`, but for hidden ones and those that a `.gitignore` or `.ignore` there names.
    ///
    /// The largest document comes first, so that near the end of a pass no thread is left alone with a large one.
    ///
    /// # Errors
    /// When the directory cannot be read, or no file has a word in it. A file that cannot be read is no error; it
    /// is among the [`skipped`](Self::skipped).
    pub fn read(directory: &Path) -> Result<Self, NoCorpus> {
        fs::read_dir(directory).map_err(|error| NoCorpus::Directory(directory.to_owned(), error))?;
        let mut documents = Vec::new();
        let mut skipped = Vec::new();
        for entry in walk(directory) {
            match entry {
                Ok(entry) if entry.file_type().is_some_and(|kind| kind.is_dir()) => {}
                Ok(entry) => match read_text(&entry) {
                    Ok(text) => documents.push(Document { number: 0, path: entry.into_path(), text }),
                    Err(reason) => skipped.push(Skipped { path: entry.into_path(), reason }),
                },
                Err(error) => skipped.push(unwalkable(directory, &error)),
            }
        }
        if documents.iter().all(|document| WordCounts::of(&document.text).total() == 0) {
            return Err(NoCorpus::NoText(directory.to_owned(), skipped));
        }
        documents.sort_by(|a, b| b.text.len().cmp(&a.text.len()).then_with(|| a.path.cmp(&b.path)));
        for (number, document) in documents.iter_mut().enumerate() {
            document.number = number;
        }
        Ok(Self { documents, skipped })
    }

    /// The documents; each stands at its number.
    #[must_use]
    pub fn documents(&self) -> &[Document] {
        &self.documents
    }

    /// What was left out, and why.
    #[must_use]
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// The size of all documents.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.documents.iter().map(|document| document.text.len()).sum()
    }
}

/// Walks `directory` by its own rules only, so that what is found does not depend on where it lies and who looks.
fn walk(directory: &Path) -> ignore::Walk {
    WalkBuilder::new(directory).parents(false).git_global(false).require_git(false).build()
}

fn read_text(entry: &DirEntry) -> Result<String, Reason> {
    if !entry.file_type().is_some_and(|kind| kind.is_file()) {
        return Err(Reason::NotRegular);
    }
    let bytes = fs::read(entry.path()).map_err(|error| Reason::Unreadable(error.to_string()))?;
    if bytes.contains(&0) {
        return Err(Reason::NotText);
    }
    String::from_utf8(bytes).map_err(|_| Reason::NotText)
}

/// What the walker could not enter.
fn unwalkable(directory: &Path, error: &ignore::Error) -> Skipped {
    let path = match error {
        ignore::Error::WithPath { path, .. } => path.clone(),
        ignore::Error::WithDepth { err, .. } => return unwalkable(directory, err),
        _ => directory.to_owned(),
    };
    let why = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
    Skipped { path, reason: Reason::Unreadable(why) }
}

//! Hooks: what runs once an attempt is over, and the values that live as long as it.
//!
//! # Invariants
//! * **H1** Hooks run, and are dropped, when the attempt has ended and holds nothing; they may use transactions.
//! * **H2** A hook that panics keeps no other from running; the first panic is passed on.

use std::any::Any;
use std::panic::resume_unwind;

use crate::error::Stm;
use crate::swallow::{caught, discard};
use crate::tx::Tx;

/// When a hook runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    Commit,
    Abort,
    /// Registered to run after an abort, in a part of the attempt that has been undone.
    Always,
    /// Registered to run after a commit, in a part that has been undone; only to be dropped.
    Never,
}

impl When {
    fn applies(self, committed: bool) -> bool {
        match self {
            Self::Commit => committed,
            Self::Abort => !committed,
            Self::Always => true,
            Self::Never => false,
        }
    }

    fn undone(self) -> Self {
        match self {
            Self::Commit | Self::Never => Self::Never,
            Self::Abort | Self::Always => Self::Always,
        }
    }
}

struct Hook {
    when: When,
    run: Box<dyn FnOnce()>,
}

/// A transaction-local value, with what is to happen to it.
pub(crate) trait LocalValue: Any {
    /// Acts on the value as part of the attempt.
    fn before_commit(&mut self, tx: &mut Tx<'_>) -> Stm<()>;

    /// Acts on the value after the attempt.
    fn end(self: Box<Self>, committed: bool);
}

struct Local {
    key: usize,
    /// Absent while its own hook works on it.
    value: Option<Box<dyn LocalValue>>,
}

/// The hooks and local values of an attempt.
#[derive(Default)]
pub(crate) struct Hooks {
    hooks: Vec<Hook>,
    locals: Vec<Local>,
}

impl std::fmt::Debug for Hooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hooks").field("hooks", &self.hooks.len()).field("locals", &self.locals.len()).finish()
    }
}

impl Hooks {
    pub(crate) const fn new() -> Self {
        Self { hooks: Vec::new(), locals: Vec::new() }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.hooks.is_empty() && self.locals.is_empty()
    }

    pub(crate) fn add(&mut self, when: When, run: Box<dyn FnOnce()>) {
        self.hooks.push(Hook { when, run });
    }

    /// How many hooks there are; for [`undo_since`](Self::undo_since).
    pub(crate) fn len(&self) -> usize {
        self.hooks.len()
    }

    /// Undoes the part of the attempt since there were `len` hooks.
    pub(crate) fn undo_since(&mut self, len: usize) {
        for hook in &mut self.hooks[len..] {
            hook.when = hook.when.undone();
        }
    }

    /// The place of the local value with this key.
    pub(crate) fn local_index(&self, key: usize) -> Option<usize> {
        self.locals.iter().position(|local| local.key == key)
    }

    /// Adds a local value and returns its place.
    pub(crate) fn add_local(&mut self, key: usize, value: Box<dyn LocalValue>) -> usize {
        self.locals.push(Local { key, value: Some(value) });
        self.locals.len() - 1
    }

    /// Takes a local value out for a while; nothing if it is out already.
    pub(crate) fn take_local(&mut self, index: usize) -> Option<Box<dyn LocalValue>> {
        self.locals.get_mut(index).and_then(|local| local.value.take())
    }

    /// Puts a local value back.
    pub(crate) fn put_local(&mut self, index: usize, value: Box<dyn LocalValue>) {
        self.locals[index].value = Some(value);
    }

    pub(crate) fn locals(&self) -> usize {
        self.locals.len()
    }

    /// Runs what is to run: after a commit in the order of registration, after an abort in reverse.
    pub(crate) fn run(mut self, committed: bool) {
        if !committed {
            self.hooks.reverse();
            self.locals.reverse();
        }
        let mut panic = None;
        for hook in self.hooks {
            note(&mut panic, || if hook.when.applies(committed) { (hook.run)() } else { drop(hook.run) });
        }
        for value in self.locals.into_iter().filter_map(|local| local.value) {
            note(&mut panic, || value.end(committed));
        }
        match panic {
            // While another panic unwinds, a second one would end the process.
            Some(panic) if !std::thread::panicking() => resume_unwind(panic),
            other => other.into_iter().for_each(discard),
        }
    }
}

/// Runs `step`, and keeps its panic if it is the first (H2).
fn note(first: &mut Option<Box<dyn Any + Send>>, step: impl FnOnce()) {
    if let Some(payload) = caught(step) {
        match first {
            None => *first = Some(payload),
            Some(_) => discard(payload),
        }
    }
}

//! Random programs for one thread, read from any bytes.
//!
//! # Language
//! A byte is an instruction; bytes that are not in the table stand for one that is. Its operands are the bytes that follow,
//! where a cell is a digit or a small letter (base 36). So the inputs of the corpus can be read and written by hand.
//!
//! | between transactions | | in a transaction | |
//! | --- | --- | --- | --- |
//! | `{ … }` | a transaction | `r` cell, `R` cell | read, by value or in place |
//! | `l` cell | load | `w` cell value | write |
//! | `s` cell value | store | `m` cell value | modify |
//! | `x` cell value | swap | `p` cell value | replace |
//! | `u` cell value | update | `X` cell cell | exchange with another cell of that kind |
//! | `S` | a snapshot of all | `W` value | write all cells |
//! | `c` cell | clone the handle | `t` value | make a cell, use and drop it |
//! | `d` cell | drop a clone | `a` | read all |
//! | `n` cell value | a new cell in its place | `h` | hooks |
//! | | | `i` | become irrevocable (not in a part) |
//! | | | `( … )`, `( … ]` | a nested part; undone |
//! | | | `[ … ]` | a nested part that panics; the panic is caught |
//! | | | `< … > … }` | `or_else`; `~` ends a branch that retries |
//! | | | `?` | cancel |
//! | | | `!` | panic |
//!
//! A part that is not closed is closed by the end of the input.

use super::pool::CELLS;

/// Parts within parts, at most.
const DEPTH: usize = 6;

/// The number of a cell in the pool.
pub type Place = usize;

/// What is done between transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the table above says what they do")]
pub enum Item {
    Transaction(Vec<Step>),
    Load(Place),
    Store(Place, u8),
    Swap(Place, u8),
    Update(Place, u8),
    Snapshot,
    Clone(Place),
    Drop(Place),
    New(Place, u8),
}

/// What is done in a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the table above says what they do")]
pub enum Step {
    Read(Place),
    ReadRef(Place),
    Write(Place, u8),
    Modify(Place, u8),
    Replace(Place, u8),
    Exchange(Place, Place),
    WriteAll(u8),
    Temporary(u8),
    ReadAll,
    Hooks,
    Irrevocable,
    Nested { part: Vec<Step>, undo: bool },
    Caught(Vec<Step>),
    OrElse { first: Vec<Step>, retries: bool, second: Vec<Step> },
    Cancel,
    Panic,
}

/// Reads a program; any bytes are one.
#[must_use]
pub fn parse(bytes: &[u8]) -> Vec<Item> {
    let mut parser = Parser { bytes, depth: 0 };
    let mut items = Vec::new();
    while let Some(item) = parser.item() {
        items.push(item);
    }
    items
}

struct Parser<'a> {
    bytes: &'a [u8],
    depth: usize,
}

const ITEMS: &[u8] = b"{lsxuScdn";
const STEPS: &[u8] = b"rRwmpXWtahi([<?!)]>~}";

impl Parser<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    /// The next instruction of this table. White space is none.
    fn instruction(&mut self, table: &[u8]) -> Option<u8> {
        let byte = std::iter::from_fn(|| self.next()).find(|byte| !byte.is_ascii_whitespace())?;
        if table.contains(&byte) { Some(byte) } else { Some(table[usize::from(byte) % table.len()]) }
    }

    fn value(&mut self) -> u8 {
        self.next().unwrap_or_default()
    }

    fn place(&mut self) -> Place {
        let place = match self.value() {
            digit @ b'0'..=b'9' => digit - b'0',
            letter @ b'a'..=b'z' => letter - b'a' + 10,
            other => other,
        };
        usize::from(place) % CELLS
    }

    fn item(&mut self) -> Option<Item> {
        Some(match self.instruction(ITEMS)? {
            b'{' => Item::Transaction(self.part().0),
            b'l' => Item::Load(self.place()),
            b's' => Item::Store(self.place(), self.value()),
            b'x' => Item::Swap(self.place(), self.value()),
            b'u' => Item::Update(self.place(), self.value()),
            b'c' => Item::Clone(self.place()),
            b'd' => Item::Drop(self.place()),
            b'n' => Item::New(self.place(), self.value()),
            _ => Item::Snapshot,
        })
    }

    /// The steps of a part, and what closed it.
    fn part(&mut self) -> (Vec<Step>, u8) {
        self.depth += 1;
        let mut steps = Vec::new();
        let end = loop {
            match self.instruction(STEPS) {
                None => break b'}',
                Some(end @ (b')' | b']' | b'>' | b'~' | b'}')) => break end,
                Some(instruction) => steps.push(self.step(instruction)),
            }
        };
        self.depth -= 1;
        (steps, end)
    }

    fn step(&mut self, instruction: u8) -> Step {
        match instruction {
            b'R' => Step::ReadRef(self.place()),
            b'w' => Step::Write(self.place(), self.value()),
            b'm' => Step::Modify(self.place(), self.value()),
            b'p' => Step::Replace(self.place(), self.value()),
            b'X' => Step::Exchange(self.place(), self.place()),
            b'W' => Step::WriteAll(self.value()),
            b't' => Step::Temporary(self.value()),
            b'a' => Step::ReadAll,
            b'h' => Step::Hooks,
            b'?' => Step::Cancel,
            b'!' => Step::Panic,
            // Who becomes irrevocable in a part cannot undo it.
            b'i' if self.depth == 1 => Step::Irrevocable,
            b'(' if self.depth < DEPTH => {
                let (part, end) = self.part();
                Step::Nested { part, undo: end == b']' }
            }
            b'[' if self.depth < DEPTH => Step::Caught(self.part().0),
            b'<' if self.depth < DEPTH => {
                let (first, end) = self.part();
                let (second, _) = self.part();
                Step::OrElse { first, retries: end == b'~', second }
            }
            _ => Step::Read(self.place()),
        }
    }
}

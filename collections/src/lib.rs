//! Transactional data structures on the cells of [`optimist`].
//!
//! Every operation takes `tx`, so that any number of them, on any number of structures, are one step.
//!
//! | structure | is |
//! | --- | --- |
//! | [`TStack`] | last in, first out; unbounded |
//!
//! # Examples
//! ```
//! use optimist::atomically;
//! use optimist_collections::TStack;
//!
//! let (todo, done) = (TStack::new(), TStack::new());
//! atomically(|tx| todo.push(tx, "write"));
//!
//! // Moves one, and waits for one if there is none; nobody ever sees it in neither or in both.
//! atomically(|tx| {
//!     let task = todo.pop(tx)?;
//!     done.push(tx, task)
//! });
//! assert_eq!(atomically(|tx| done.peek(tx)), Some("write"));
//! ```
#![forbid(unsafe_code)]

pub mod stack;

pub use stack::TStack;

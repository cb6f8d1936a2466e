//! How do we live without the GIL? One program, three engines.
//!
//! The program builds an inverted index of a directory of text: which word occurs in which file, and how often. All
//! threads add documents to the same index, and each document appears in it as a whole or not at all. What differs
//! is only the [engine](index::Engine) that makes it so:
//!
//! | engine | a document is | while it is tokenised |
//! | --- | --- | --- |
//! | [`gil`](global_lock) | a critical section of the one lock there is | it holds the lock, as an interpreter would |
//! | [`locks`](striped_locks) | a critical section of all stripes that its words fall into | it holds nothing |
//! | [`optimist`](transactional) | a transaction | it holds nothing |
//!
//! The workers are the same code for all three, and so are the two auditors, who check again and again that the
//! index is whole: the counts of all words, the totals of all documents and the grand total are kept in different
//! places, and add up to the same number at every moment.
//!
//! # Reading order
//! [`words`] and [`corpus`] are the input. [`index`] says what an engine has to do. [`plain`] is an index for one
//! thread, which the two engines with locks are built from. [`transactional`] with [`postings`] is the one to learn
//! from. [`run`] has the workers and auditors; [`options`], [`report`] and [`chart`] face the user.

pub mod chart;
pub mod corpus;
pub mod global_lock;
pub mod index;
pub mod options;
pub mod plain;
pub mod postings;
pub mod report;
pub mod run;
pub mod striped_locks;
pub mod transactional;
pub mod words;

//! What it costs, and why.
//!
//! # Memory
//! | what | bytes |
//! | --- | --- |
//! | [`TCell<T>`](crate::TCell) of a number | 24, in place |
//! | [`TVar<T>`](crate::TVar) of a number | 8 for the handle, 32 on the heap |
//! | of another type | as much, and one allocation per version |
//! | a replaced word, until no reader needs it | 40, reused |
//!
//! # Operations
//! | what | locked instructions | shared lines written |
//! | --- | --- | --- |
//! | read-only transaction, snapshot | 1, to announce the version | none |
//! | transaction that writes *n* cells | 2 + *n* | the clock, and the *n* cells |
//! | [`load`](crate::TVar::load) of a number | none | none |
//! | [`store`](crate::TVar::store), [`update`](crate::TVar::update) | 2 | the clock and the cell |
//!
//! A warm transaction on numbers allocates nothing; a test with a counting allocator keeps it so.
//!
//! # How to be fast
//! * Put cells that are used together into one struct ([`TCell`](crate::TCell) in [`Shared`](crate::Shared)).
//! * Use [`read_ref`](crate::TVar::read_ref) for values that are costly to clone.
//! * Use [`snapshot`](crate::snapshot()) for what only reads: it keeps no read set.
//! * Split what every transaction writes, such as a total, into a cell per thread, and add up when reading.
//! * Watch [`stats`](crate::stats()): many conflicts mean that transactions touch more than they need.
//!
//! # What was tried
//! | tried | outcome |
//! | --- | --- |
//! | state of later attempts made only once the first has lost | a transaction on one counter: 74 to 34 ns |
//! | records in chunks used in turn, instead of linked lists and a pool | fewer loads per commit, and half the code |
//! | nothing to clear after a transaction that has only read | 194 to 143 instructions for reading one cell |
//! | the kernel's `membarrier` call instead of a fence at each pin | no gain: the fence costs 3 ns here, while the call takes some 35 µs when two threads run on a virtual machine |

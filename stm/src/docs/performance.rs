//! What it costs, and why.
//!
//! # Memory
//! | what | bytes |
//! | --- | --- |
//! | [`TCell<T>`](crate::TCell) of a number | 24, in place |
//! | [`TVar<T>`](crate::TVar) of a number | 8 for the handle, and one allocation of 24 |
//! | of another type | as much, and per version a slot of 8 that is reused, or an allocation |
//! | a replaced word, until no reader needs it | 32, reused |
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
//! # What limits it
//! A transaction on cells that are in the cache costs what its instructions cost: some 100 for one that reads a
//! number, some 300 for one that adds to it, among them three locked ones. On cells that are not, it costs the
//! misses; the processor overlaps those of several transactions as far as its window of instructions reaches. So
//! fewer instructions and smaller cells help twice.
//!
//! # What was tried
//! Instructions are counted by callgrind, for one thread, with choosing the cell at random; times are of a virtual
//! machine with two cores and vary.
//!
//! | tried | outcome |
//! | --- | --- |
//! | what later attempts need is set up only once the first has lost | a transaction on one counter: 74 to 34 ns |
//! | nothing to clear after a transaction that has only read; its end inlined; nothing moved through memory | reading one cell: 194 to 110 instructions |
//! | clearing by what the attempt has done; records recycled by the chunk; one function from the body's end to the commit's | adding to one cell: 463 to 311 instructions |
//! | records in chunks used in turn, instead of linked lists and a pool | half the code, fewer loads per commit |
//! | a history of half a word, and the handles in the other half | a `TVar` in 24 bytes instead of 32: reading one of 65,536 at random 39 to 25 ns |
//! | the kernel's `membarrier` call instead of a fence at each pin | no gain: the fence costs 3 ns, the call some 35 µs when two threads run |
//! | no fence at all, as an experiment | no gain for random cells: their misses hide it |

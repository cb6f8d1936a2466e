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
//! | entries of the write set in 40 bytes instead of 48, and a push to a small one that calls nothing | adding to one cell: 311 to 292 instructions |
//! | the frame of an `update` on the stack instead of in a vector | `update` of a number: 106 to 77 instructions |
//!
//! # Against others
//! `cargo run --release -p optimist-benches --features rivals -- targets`, medians of 5 rounds of 20 ms, on a virtual machine
//! with two cores, one run of the state before large transactions were escalated sooner; ratios of throughput with cells in
//! one array (`TCell`), by which we are faster, as geometric means over 23 workloads on 65,536 words and 6 on boxed values.
//!
//! | than | words, 1 / 2 threads | boxed, 1 / 2 threads |
//! | --- | --- | --- |
//! | `fast-stm` | 12.7 / 11.0 | 4.1 / 3.3 |
//! | `stm-core` | 13.3 / 11.4 | 4.0 / 3.1 |
//! | `async-stm` | 16.5 / 13.4 | 3.1 / 2.7 |
//! | `kovan-stm` | 15.3 / 11.8 | 5.6 / 4.8 |
//! | `xstm`, for `Copy` words alone, which it reads while others write them | 2.8 / 2.4 | cannot hold them |
//!
//! With a [`TVar`](crate::TVar) for each word it is 7 to 9 times instead of 13 to 16, as a word is then a line of its own.
//! What is not good yet: transactions that write more than some dozen cells, at 45 to 65 ns a cell; two at once that write the
//! same thousand cells; and values of a thousand elements, whose every version is copied.
//!
//! | ratio | measured | wanted |
//! | --- | --- | --- |
//! | read 16 cells, to bare words | 2.0 | at most 3 |
//! | a snapshot of 64, to a seqlock per cell | 1.3 | at most 1.5 |
//! | update of one cell, to an uncontended mutex | 3.1 | at most 3 |
//! | `load`, to a load of an `AtomicU64` | 2.0 | at most 2 |
//! | `update`, to a `fetch_add` | 2.5 | at most 2.5 |
//! | 100,000 writes, per write, to 100 | 1.8 | at most 2 |
//! | writers beside a snapshot of 1,000,000 cells, to without | 1.05 | at least 0.85 |
//! | latency P99.9 to P50, 8 threads on 20 counters | 8.7 | at most 20 |
//! | a reader of 50,000 cells beside writers, to its time alone | 1.2 | at most 2 |
//! | 8 threads to 2, on two cores, the least | 1.09 | at least 0.9 |
//!
//! # On many cores
//! What grows with the number of cores is the traffic on lines that several of them write. Per transaction that is:
//!
//! | line | written by | read by |
//! | --- | --- | --- |
//! | the clock, alone on its line | each commit that writes, once; each single-cell write, once | the begin of each attempt, each extension |
//! | the cells written | their writers | their readers |
//! | what a thread announces, on a line of its own | that thread, three times a transaction | who collects: each 128 commits or 64 values of a thread |
//! | the counters, on a line of their own | that thread | [`stats`](crate::stats()) alone |
//! | a part of the table of waiters, one of 64 | who goes to sleep, and who wakes | |
//! | the token's lock | who is escalated or irrevocable, and who waits for one | |
//!
//! So transactions that only read write no line that another core needs, and scale with the cores. A transaction that
//! writes moves one line beyond its own cells: the clock. A line goes from core to core in some 50 to 100 ns; hence
//! commits of all cores together cannot be more than 10 to 20 million a second, which 64 cores reach when each of their
//! transactions is shorter than some 3 to 6 µs. That is the first limit that will be met.
//!
//! It could be raised by drawing one version for several commits: a committer that finds the clock moved while it drew
//! takes the version that another drew, as GV4 of TL2 does, or it leaves the clock to its readers, as GV5 does. Neither is
//! done, as both give up what is promised here and costs nothing below that limit: that a version names one commit, by
//! which histories are ordered and checked, and that a reader meets no version newer than the clock, by which a
//! transaction that begins after a commit never has to extend on its account.
//!
//! The second limit is the scan of what the threads announce. It reads one line of each thread and is done once for 128
//! commits, so 64 threads cost each commit half a line. The allocator is met for boxed values alone, and memory of a
//! value is given back by the thread whose commit replaced it; allocators that keep lists per thread serve that well.

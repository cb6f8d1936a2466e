//! The algorithm: how a transaction reads, writes, commits, waits, and is sure to end.
//!
//! It is TL2 (1) with extension (2), a history per cell for readers of the past, one token for progress, and blocking
//! `retry` and `or_else` after Haskell's (3).
//!
//! # The parts
//! * The **version clock** is one counter. A commit that writes draws the next version from it.
//! * A **cell** is three words: a *versioned lock*, the *word* that holds or points to the value, and the *history*,
//!   a list of the words before with their versions.
//! * An **attempt** has a *read version*, a *read set* (the cells it has read) and a *write set* (the values it will
//!   write).
//!
//! The versioned lock is one word: the version of the value with two marks, or, while a commit publishes, who does
//! it.
//!
//! # Reading
//! 1. A cell that the attempt has written gives the buffered value. A small filter makes it free to see that it has
//!    not.
//! 2. Otherwise: load the lock, load the word, load the lock again. If the lock is free, unchanged, and its version
//!    is at most the read version, that is the value; the cell joins the read set.
//! 3. If the version is newer, the attempt **extends**: if no cell read so far has changed, what it has read is also
//!    the state of now, and the read version is raised to now.
//! 4. If one has, and the attempt has not written, it goes on **in the past**: it keeps its read version, and takes
//!    from each cell the newest value that is not newer, from the history if need be. So a transaction that only
//!    reads never aborts. Extensions are also given up in favour of the past when they would look at more cells than
//!    twice what was read, so that reading stays linear however busy writers are.
//! 5. If the attempt has written, it has lost and runs again.
//!
//! At every moment all that was read is the state at one version. That is opacity: no user code ever runs on a mixed
//! state, also in attempts that are about to lose.
//!
//! # Writing
//! A write is buffered. Up to twelve cells are searched one by one, more through a hash index, so that large
//! transactions stay linear. A *savepoint* (`or_else`, `nested`) remembers how far the write set had got, and what it
//! overwrites; undoing one takes the writes back and keeps the reads, since the decision to undo was made on them.
//!
//! # Committing
//! 1. **Lock** each written cell. A lock that is held is waited for only briefly, then all are given back and the
//!    attempt has lost: nobody who holds a lock waits for long, so there is no deadlock.
//! 2. **Draw** the write version.
//! 3. **Validate**: no cell read has changed since. If the write version follows the read version directly, nobody
//!    has committed in between, and there is nothing to check.
//! 4. **Publish**: put each old word into the history, the new one into the cell, and unlock with the write version.
//!
//! A transaction that has written nothing has nothing to do. It has changed no shared cache line, either.
//!
//! # Keeping and freeing
//! A thread that runs a transaction announces a version of the clock not newer than its read version (it is
//! *pinned*). A replaced value is stamped with the last version at which it was current. It is destroyed, and its
//! history record used again, once no thread announces a version that old. The same rule keeps
//! [`Shared`](crate::Shared) nodes alive for the transactions that walk over them. Unlike epochs, versions say
//! exactly which reader may need which value; and unlike a history that is only kept while a snapshot is registered,
//! it lets any reader turn to the past at any time.
//!
//! # Small values
//! Numbers and their like stand in the cell's word itself. Other types that fit a word, such as links, stand in
//! slots that a thread reuses. Everything else stands in a box of its own. The language cannot tell for a generic
//! type whether it has padding, which may not be read as a number, or interior mutability, which may not be copied;
//! so the first kind is a closed list.
//!
//! # Waiting
//! An attempt that retries registers in a table, by the addresses of the cells it has read, and marks each of them. A
//! commit that finds the mark on a cell that it writes wakes who is registered there. Threads and tasks wait the same
//! way: both are wakers.
//!
//! # Progress
//! A transaction that has lost waits a random while that grows, and tries again. One that has lost two dozen times
//! asks for the **token**. Its holder marks every cell it reads or writes as *owned*: from then on others can read it
//! but not write it, so the holder cannot lose. [`irrevocable`](crate::Tx::irrevocable) is the same, at the user's
//! wish. Who wants to write an owned cell waits until the token is given back; all others go on.
//!
//! # Single cells
//! [`load`](crate::TVar::load) is the read of one cell, and [`store`](crate::TVar::store),
//! [`swap`](crate::TVar::swap) and [`update`](crate::TVar::update) are commits of one write, with nothing else around
//! them.
//!
//! # References
//! 1. D. Dice, O. Shalev, N. Shavit. *Transactional Locking II.* DISC 2006.
//! 2. T. Riegel, P. Felber, C. Fetzer. *A Lazy Snapshot Algorithm with Eager Validation.* DISC 2006.
//! 3. T. Harris, S. Marlow, S. Peyton Jones, M. Herlihy. *Composable Memory Transactions.* PPoPP 2005.
//! 4. R. Guerraoui, M. Kapałka. *On the Correctness of Transactional Memory.* PPoPP 2008. (Opacity.)

//! Why each ordering is needed: the arguments, step by step.
//!
//! The code cites the steps by the names given here. "A *pairs with* B" means that B's acquire sees what was done
//! before A's release, when B reads what A wrote or something later.
//!
//! Each argument names the models (`stm/src/models`) that turn red when an ordering or a fence of it is weakened; which
//! one it is for each of them is in `tests/mutants.md`.
//!
//! # Reading a cell
//! Reader: **R1** load the lock (Acquire), **R2** load the word (Acquire), **R3** load the lock again (Relaxed).
//! Committer: **W1** lock by compare-exchange (Acquire), **W2** store the history (Release), **W3** store the word
//! (Release), **W4** store the lock with the new version (Release).
//!
//! *The word belongs to the version.*
//! * It is not older: W4 pairs with R1, so R2 sees W3 of the commit that made the version, or something later.
//! * It is not newer: if R2 saw the W3 of a later committer, W3 pairs with R2, so R3 comes after that committer's W1
//!   and does not find the lock as R1 did. Versions only grow, so no later unlock brings the old lock word back.
//!
//! R3 may be Relaxed because R2's Acquire keeps it behind R2. Were R2 Relaxed, R3 could be done first.
//!
//! *Models.* `models::words::a_version_brings_what_came_before_it` (R1, W4),
//! `models::cells::a_word_belongs_to_its_version` (R2, R3, W3),
//! `models::cells::a_value_is_complete_when_it_is_seen` (the value behind the word),
//! `models::words::a_lock_that_is_given_back_is_handed_over` (W1, and giving a lock back).
//!
//! # Reading the past
//! A reader whose R1 finds a version newer than it wants goes to the history: **R4** load the history (Acquire). W4
//! pairs with R1, so R4 sees the W2 of that commit or a later one; W2 pairs with R4, so the record is filled in. All
//! records behind it were seen by its committer, who held the lock before (W4 of one committer pairs with W1 of the
//! next), so they are visible through it.
//!
//! Records are found by their numbers through a table, which needs no ordering of its own: all that was done to put a
//! record's chunk there happened before W2 (B3 of `chunk.rs`).
//!
//! *Models.* `models::cells::a_history_is_complete_when_it_is_followed` (R4, W2),
//! `models::threads::chunks_are_found_by_who_sees_their_numbers`.
//!
//! # Commits against each other
//! Committer: **C1** lock all written cells, **C2** tick the clock (AcqRel), **C3** validate what was read.
//!
//! Let A and B be committers of which each has read a cell that the other writes. C2 is a read-modify-write of one
//! word, so one comes first, say A's. A's C2 releases A's C1; B's C2 acquires it, because every tick reads what the
//! tick before it wrote. B's C3 comes after B's C2, so it sees A's cells locked or newer, and B aborts. There is no
//! store-load gap to fence between locking and validating, as the tick is both.
//!
//! *Skipping C3* is right if the write version directly follows the read version: every other committer that has
//! drawn has a version that is at most the read version, whose locks the reader's sampling of the clock acquired; or
//! has not drawn yet, and will see ours.
//!
//! *Models.* `models::words::the_clock_brings_what_came_before_its_ticks` (C2),
//! `models::commits::of_two_that_read_what_the_other_writes_one_sees_it` (C1 before C2 before C3).
//!
//! # Beginning against commits
//! **B1** load the clock (Acquire); that is the read version. A commit with a version at most that did its C1 before
//! its C2, which B1 acquires. So the reader sees each of its cells locked, and waits or extends, or newer with the
//! new value: never the old value unlocked.
//!
//! *Models.* `models::words::the_clock_brings_what_came_before_its_ticks` (B1),
//! `models::commits::a_reader_sees_all_of_a_commit_or_nothing`.
//!
//! # Single cells
//! [`store`](crate::TVar::store), [`swap`](crate::TVar::swap) and [`update`](crate::TVar::update) are commits of one
//! write: C1, C2, and no C3, as they lock from the very sample that they have read. [`load`](crate::TVar::load) is R1 to
//! R3, and waits while the cell is locked; it does not look at the clock. They are linearizable, each alone and mixed
//! with transactions, although no fence says so. In the shapes that tell memory models apart:
//! * *Store buffering*: A stores x and loads y, B stores y and loads x. One C2 comes first, say A's. B's C2 acquires
//!   A's C1, so B's load, which comes after it, finds x locked, and waits, or new.
//! * *Load buffering*: R1 and R2 are Acquire, and C1 comes after them. What is loaded was stored before.
//! * *Message passing*: W4 of the flag releases what its writer did before, and pairs with R1.
//! * *Independent reads of independent writes*: A stores x, B stores y; let A's C2 come first. Who has seen y new
//!   acquires by that B's C2, hence A's C1, and then finds x locked or new. So nobody sees y new and then x old. Nobody
//!   who sees the opposite order contradicts that.
//!
//! Two loads are not one moment: between them others may commit. That is what [`snapshot`](crate::snapshot()) is for.
//! The tests in `litmus_memory.rs` look for each of these.
//!
//! *Models.* `models::commits::a_store_is_seen_by_who_commits_later`, `models::cells::single_updates_are_not_lost`,
//! `models::words::a_version_brings_what_came_before_it`.
//!
//! # Pinning against collecting
//! Reader: **P1** announce a version (exchange, SeqCst), **P2** fence, **P3** sample the clock and look at cells.
//! Collector: **G1** has replaced values before, **G2** fence, **G3** looks at all announcements (Acquire).
//!
//! Both fences are sequentially consistent, hence ordered.
//! * *P2 before G2.* G3 sees P1, or a later announcement of the same thread. What the reader may look at has stamps
//!   that are at least what it announced: G keeps it.
//! * *G2 before P2.* P3 sees all that came before G2: the new words in the cells and a clock that is at least their
//!   versions. The reader takes those; it does not reach what was replaced.
//!
//! On x86 the exchange of P1 is a full barrier itself, so only the compiler is kept from reordering. Unpinning is a
//! Release store, which G3 acquires: what was read under the pin was read before it is destroyed. Renouncing the
//! history is the same for records.
//!
//! *The version announced may be older than the clock*, as it is loaded before P2 and Relaxed: an older one only
//! keeps more.
//!
//! *The exchange of P1 releases nothing that it has to.* An announcement follows the Release store that ended the one
//! before, and a read-modify-write goes on with what that released. It is sequentially consistent for x86's sake: a
//! compiler may make a plain store of an exchange whose result nobody uses, if it is Relaxed or Release; and a store is
//! no barrier. No model can show that. Unpinning and renouncing are plain stores, which release what was read since.
//!
//! *Models.* `models::reclamation::a_value_is_not_destroyed_under_a_single_read` (P2, G2, unpinning, G3),
//! `models::reclamation::a_record_is_not_reused_under_its_reader` (the same for records),
//! `models::reclamation::who_renounces_has_read_before` (renouncing).
//!
//! # Participants from thread to thread
//! Who ends gives its participant up by a Release store; who claims it, does so by a compare-exchange with Acquire.
//! What a participant holds is not atomic, and is the owner's alone. A participant is linked into the list with
//! Release, and found there with Acquire: its fields are complete.
//!
//! *Models.* `models::words::a_participant_is_handed_over`, `models::threads::participants_are_found_complete`.
//!
//! # Sleeping against waking
//! Waiter: **S1** put the waker in the table (under its lock), **S2** mark the cell (AcqRel), and look at the version
//! it was marked at. Committer: **K1** lock the cell by compare-exchange (Acquire) from a sample, **K2** publish,
//! **K3** if the sample was marked, take the wakers out of the table and wake.
//!
//! S2 and K1 are read-modify-writes of one word.
//! * *S2 before K1*: the sample is marked; S2's release is acquired by K1, so K3 finds the waker that S1 put there.
//! * *K1 before S2*: S2 finds the cell locked, waits and marks again, or finds it newer; then the waiter does not
//!   sleep.
//!
//! Waking a thread is a Release store that the thread acquires, beside what parking does: it goes on from what its
//! waker saw, also if it had not yet gone to sleep.
//!
//! *Models.* `models::words::a_mark_is_a_message_both_ways` (S2), `models::words::who_is_woken_sees_why`,
//! `models::waiting::a_wait_is_ended_by_a_commit`.
//!
//! # Owning against committing
//! The token holder marks a cell as owned by a compare-exchange from an unlocked sample. A committer locks by a
//! compare-exchange from a sample that is not owned. One word again: one of them fails and looks again. A committer
//! that locked first finishes, as it waits for nobody; one that comes later waits for the token.
//!
//! Giving up ownership is a Release operation: the holder's reads come before what the next committer writes.
//!
//! *Models.* `models::words::ownership_is_handed_over`, `models::words::a_committer_comes_after_the_owner`,
//! `models::token::an_irrevocable_transaction_is_not_overtaken`.
//!
//! # The last handle
//! Dropping a handle of a [`Shared`](crate::Shared) is AcqRel, as for an `Arc`: who drops the last one sees all that
//! others did with the value. The stamp under which the value is retired is a load of the clock after that, so it is
//! not older than what anybody announced who still looks at the value: they announced before the last handle went,
//! and announcements are older than the clock.
//!
//! A transaction that waits [for handles to go](crate::Atomically::shared_by_handle): **V1** count the watch, **V2**
//! fence, **V3** register, **V4** look at the numbers of handles (Acquire). Who drops: **D1** lower the number,
//! **D2** fence, **D3** look at the watches, and wake.
//! * *D2 before V2*: V4 sees D1.
//! * *V2 before D2*: D3 sees V1 and goes to wake. Either it finds the waker, or it held the lock of the table before
//!   V3 took it, and V4 sees D1.
//!
//! *Models.* `models::handles::the_last_handle_destroys` (counting off),
//! `models::words::the_number_of_handles_brings_what_came_before_it_fell` (V4),
//! `models::waiting::a_wait_that_nobody_can_end_is_noticed` (V2, D2).

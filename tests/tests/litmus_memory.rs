//! The shapes that tell memory models apart: store buffering, load buffering, message passing, independent reads of
//! independent writes. None of their odd outcomes is seen, whether the accesses are transactions or single-cell
//! operations, and however they are mixed.
//!
//! Method: rounds in step; every access goes one of all ways there are to do it, at random. See "Single cells" in
//! `stm/src/docs/orderings.rs` for what is promised.
#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicU64, Ordering};

use optimist::{Cancel, Shared, TCell, TVar, Tx, atomically, snapshot, try_atomically};
use optimist_tests::litmus::{Run, Turn, id, litmus, round_of, who};
use optimist_tests::schedule::collect_until;
use optimist_tests::ways::{Read, Value, Write, reads, replaces, writes};

/// The ways in which the accesses of a test are done.
#[derive(Clone)]
struct Accesses<T: Value> {
    writes: Vec<Write<T>>,
    reads: Vec<Read<T>>,
}

impl<T: Value> Accesses<T> {
    /// All ways there are.
    fn mixed() -> Self {
        let replaces = replaces::<T>().into_iter().filter_map(|(how, _)| match how {
            "swap" => Some(("swap", (|cell, id| _ = cell.swap(T::of(id))) as fn(&TVar<T>, u64))),
            "update" => Some(("update", (|cell, id| cell.update(|value| *value = T::of(id))) as fn(&TVar<T>, u64))),
            _ => None,
        });
        Self { writes: writes::<T>().into_iter().chain(replaces).collect(), reads: reads() }
    }

    /// Single-cell operations alone.
    fn of_single_cells() -> Self {
        let mut all = Self::mixed();
        all.writes.retain(|(how, _)| ["store", "swap", "update"].contains(how));
        all.reads.retain(|(how, _)| *how == "load");
        all
    }

    /// Transactions alone.
    fn of_transactions() -> Self {
        let mut all = Self::mixed();
        all.writes.retain(|(how, _)| !["store", "swap", "update"].contains(how));
        all.reads.retain(|(how, _)| *how != "load");
        all
    }

    fn write(&self, turn: &mut Turn<'_>, cell: &TVar<T>) -> &'static str {
        let (how, write) = self.writes[turn.below(self.writes.len())];
        write(cell, turn.id());
        how
    }

    /// Whether the cell has been written in this round, and how that was found out.
    fn read(&self, turn: &mut Turn<'_>, cell: &TVar<T>) -> (bool, &'static str) {
        let (how, read) = self.reads[turn.below(self.reads.len())];
        (round_of(read(cell)) == Some(turn.round), how)
    }
}

/// What one thread did in a round.
type Did = (bool, [&'static str; 2]);

/// Each of `N` threads writes its cell and then reads the next one's: at least one sees the other's write.
fn no_store_buffering<T: Value, const N: usize>(run: &Run, accesses: &Accesses<T>) {
    let cells: [TVar<T>; N] = std::array::from_fn(|_| TVar::new(T::of(0)));
    run.in_step(
        |turn| {
            let wrote = accesses.write(turn, &cells[turn.thread]);
            let (new, read) = accesses.read(turn, &cells[(turn.thread + 1) % N]);
            (new, [wrote, read])
        },
        |round, outcomes: [Did; N]| {
            let hows = outcomes.map(|(_, hows)| hows);
            assert!(
                outcomes.iter().any(|(new, _)| *new),
                "store buffering: in round {round} each of {N} threads wrote its cell and then saw the next one's as before \
                 ({hows:?})"
            );
        },
    );
}

#[test]
fn store_buffering_of_single_cells() {
    litmus(|run| {
        no_store_buffering::<u64, 2>(&run.part_of(2), &Accesses::of_single_cells());
        no_store_buffering::<[u64; 4], 2>(&run.part_of(2), &Accesses::of_single_cells());
    });
}

#[test]
fn store_buffering_of_transactions() {
    litmus(|run| no_store_buffering::<u64, 2>(run, &Accesses::of_transactions()));
}

#[test]
fn store_buffering_of_all_kinds() {
    litmus(|run| {
        no_store_buffering::<u64, 2>(&run.part_of(2), &Accesses::mixed());
        no_store_buffering::<[u64; 4], 3>(&run.part_of(2), &Accesses::mixed());
    });
}

#[test]
fn store_buffering_inside_a_transaction() {
    litmus(|run| {
        // Both cells in one transaction each; the write may come first or last in the body.
        let cells: [TVar<u64>; 2] = std::array::from_fn(|_| TVar::new(0));
        run.in_step(
            |turn| {
                let (mine, other, writes_first) = (&cells[turn.thread], &cells[1 - turn.thread], turn.below(2) == 0);
                let seen = atomically(|tx| {
                    if writes_first {
                        mine.write(tx, turn.id())?;
                    }
                    let seen = other.read(tx)?;
                    turn.dawdle();
                    mine.write(tx, turn.id())?;
                    Ok(seen)
                });
                round_of(seen) == Some(turn.round)
            },
            |round, new: [bool; 2]| {
                assert_ne!(
                    new, [false; 2],
                    "store buffering: in round {round} neither transaction saw the other's write"
                );
                assert_ne!(new, [true; 2], "load buffering: in round {round} each transaction saw the other's write");
            },
        );
    });
}

/// Each of `N` threads reads the next one's cell and then writes its own: at least one sees nothing new.
fn no_load_buffering<T: Value, const N: usize>(run: &Run, accesses: &Accesses<T>) {
    let cells: [TVar<T>; N] = std::array::from_fn(|_| TVar::new(T::of(0)));
    run.in_step(
        |turn| {
            let (new, read) = accesses.read(turn, &cells[(turn.thread + 1) % N]);
            (new, [read, accesses.write(turn, &cells[turn.thread])])
        },
        |round, outcomes: [Did; N]| {
            let hows = outcomes.map(|(_, hows)| hows);
            assert!(
                outcomes.iter().any(|(new, _)| !*new),
                "load buffering: in round {round} each of {N} threads saw what the next one wrote only afterwards ({hows:?})"
            );
        },
    );
}

#[test]
fn load_buffering() {
    litmus(|run| {
        no_load_buffering::<u64, 2>(&run.part_of(3), &Accesses::of_single_cells());
        no_load_buffering::<u64, 2>(&run.part_of(3), &Accesses::mixed());
        no_load_buffering::<[u64; 4], 3>(&run.part_of(3), &Accesses::mixed());
    });
}

/// Two threads write a cell each, two read both, in opposite order: they agree on what was written first.
fn no_iriw<T: Value>(run: &Run, accesses: &Accesses<T>) {
    let cells: [TVar<T>; 2] = std::array::from_fn(|_| TVar::new(T::of(0)));
    run.in_step(
        |turn| {
            if turn.thread < 2 {
                return ([false; 2], [accesses.write(turn, &cells[turn.thread]), ""]);
            }
            let (first, second) = (&cells[turn.thread - 2], &cells[3 - turn.thread]);
            if turn.below(4) == 0 {
                let seen = snapshot(|tx| {
                    let first = first.read(tx)?.id();
                    turn.dawdle();
                    Ok([first, second.read(tx)?.id()])
                });
                return (seen.map(|seen| round_of(seen) == Some(turn.round)), ["one snapshot", ""]);
            }
            let (first, first_how) = accesses.read(turn, first);
            let (second, second_how) = accesses.read(turn, second);
            ([first, second], [first_how, second_how])
        },
        |round, [_, _, (one, one_hows), (two, two_hows)]: [([bool; 2], [&str; 2]); 4]| {
            assert!(
                one != [true, false] || two != [true, false],
                "independent reads of independent writes: in round {round} thread 2 saw cell 0 written and then cell 1 not yet \
                 ({one_hows:?}), thread 3 saw cell 1 written and then cell 0 not yet ({two_hows:?})"
            );
        },
    );
}

#[test]
fn iriw_of_single_cells() {
    litmus(|run| {
        no_iriw::<u64>(&run.part_of(2), &Accesses::of_single_cells());
        no_iriw::<[u64; 4]>(&run.part_of(2), &Accesses::of_single_cells());
    });
}

#[test]
fn iriw_of_all_kinds() {
    litmus(|run| {
        no_iriw::<u64>(&run.part_of(2), &Accesses::mixed());
        no_iriw::<[u64; 4]>(&run.part_of(2), &Accesses::mixed());
    });
}

/// One thread writes data and then a flag; who sees the flag sees the data, also data that is no cell.
#[test]
fn message_passing() {
    fn check<T: Value>(run: &Run) {
        let (data, flag, accesses) = (TVar::new(T::of(0)), TVar::new(T::of(0)), Accesses::<T>::mixed());
        let bare = AtomicU64::new(0);
        run.in_step(
            |turn| {
                if turn.thread == 0 {
                    // Relaxed: the flag alone passes it on.
                    bare.store(turn.id(), Ordering::Relaxed);
                    let data_how = accesses.write(turn, &data);
                    return ([false; 3], [data_how, accesses.write(turn, &flag)]);
                }
                turn.dawdle();
                let (flagged, flag_how) = accesses.read(turn, &flag);
                let (arrived, data_how) = accesses.read(turn, &data);
                // Relaxed: as above.
                let bare = bare.load(Ordering::Relaxed) == id(0, turn.round);
                ([flagged, arrived, bare], [flag_how, data_how])
            },
            |round, [(_, wrote), (seen, read)]: [([bool; 3], [&str; 2]); 2]| {
                let [flagged, arrived, bare] = seen;
                assert!(
                    !flagged || arrived && bare,
                    "message passing: in round {round} the flag had come and not the data (cell: {arrived}, bare: {bare}; \
                     written by {wrote:?}, read by {read:?})"
                );
            },
        );
    }
    litmus(|run| {
        check::<u64>(&run.part_of(2));
        check::<[u64; 4]>(&run.part_of(2));
    });
}

/// An object of which the immutable parts belong to the id.
struct Object {
    id: u64,
    copies: [u64; 6],
    bare: AtomicU64,
    cell: TCell<u64>,
}

impl Object {
    fn new(id: u64) -> Shared<Self> {
        let object = Self { id, copies: [0; 6], bare: AtomicU64::new(0), cell: TCell::new(0) };
        // Relaxed: nobody else has it yet.
        object.bare.store(id, Ordering::Relaxed);
        object.cell.store(id);
        Shared::new(Self { copies: [id; 6], ..object })
    }

    #[track_caller]
    fn assert_whole(&self, how: &str, cell: u64) {
        let whole = self.copies == [self.id; 6] && cell == self.id;
        // Relaxed: what passes it on is the cell that the object was found in.
        assert!(
            whole && self.bare.load(Ordering::Relaxed) == self.id,
            "publication: {how} found an object that was not complete, of {}",
            who(self.id)
        );
    }
}

#[test]
fn publication() {
    litmus(|run| {
        let place: TVar<Option<Shared<Object>>> = TVar::new(None);
        run.repeat(3, |turn| {
            let kind = turn.below(4);
            if turn.thread == 0 {
                let object = Object::new(turn.id());
                match kind {
                    0 => place.store(Some(object)),
                    1 => _ = place.swap(Some(object)),
                    _ => atomically(|tx| place.write(tx, Some(object.clone()))),
                }
                return;
            }
            match kind {
                0 | 1 => {
                    let Some(object) = place.load() else { return };
                    object.assert_whole("`load`", object.cell.load());
                }
                2 => atomically(|tx| {
                    let Some(object) = place.read_ref(tx)? else { return Ok(()) };
                    let cell = object.get(tx).cell.read(tx)?;
                    object.assert_whole("a transaction", cell);
                    Ok(())
                }),
                _ => {
                    let Some(object) = snapshot(|tx| place.read(tx)) else { return };
                    object.assert_whole("who came after a snapshot", object.cell.load());
                }
            }
        });
    });
}

/// A node that its owner has unlinked is changed by nobody else any more; and who still finds it linked sees it as it was.
#[test]
fn privatisation() {
    const PRIVATE: u64 = u64::MAX;
    litmus(|run| {
        let link: TVar<Option<Shared<TCell<u64>>>> = TVar::new(None);
        run.repeat(4, |turn| {
            if turn.thread == 0 {
                link.store(Some(Shared::new(TCell::new(turn.id()))));
                turn.dawdle();
                let node = match turn.below(2) {
                    0 => link.swap(None),
                    _ => atomically(|tx| link.replace(tx, None)),
                };
                let node = node.expect("nobody else unlinks it");
                let before = node.load();
                turn.dawdle();
                let after = node.load();
                assert_eq!(before, after, "privatisation: a late write to an unlinked node, of {}", who(after));
                node.store(PRIVATE);
                turn.dawdle();
                assert_eq!(node.load(), PRIVATE, "privatisation: a late write to a node that its owner has changed");
                return;
            }
            let look = |tx: &mut Tx<'_>, turn: &mut Turn<'_>| {
                let Some(node) = link.read_ref(tx)? else { return Ok(()) };
                turn.dawdle();
                let seen = node.get(tx).read(tx)?;
                assert_ne!(
                    seen, PRIVATE,
                    "privatisation: a transaction in which the node is linked sees what its owner made"
                );
                if turn.thread > 1 {
                    node.get(tx).write(tx, turn.id())?;
                    turn.dawdle();
                }
                Ok(())
            };
            match turn.below(4) {
                0 => snapshot(|tx| {
                    let Some(node) = link.read_ref(tx)? else { return Ok(()) };
                    turn.dawdle();
                    assert_ne!(node.get(tx).read(tx)?, PRIVATE, "privatisation: in a snapshot");
                    Ok(())
                }),
                1 => {
                    let cancels = |tx: &mut Tx<'_>| {
                        look(tx, turn)?;
                        Err::<(), _>(Cancel::new(()))
                    };
                    assert!(try_atomically(cancels).is_err());
                }
                _ => atomically(|tx| look(tx, turn)),
            }
        });
    });
}

#[test]
fn privatisation_leaves_the_only_handle_to_the_owner() {
    litmus(|_| {
        let link = TVar::new(Some(Shared::new(TCell::new(1))));
        let node = atomically(|tx| link.replace(tx, None)).expect("it is linked");
        collect_until("the cell gives up its handle of what it does not hold any more", || Shared::handles(&node) == 1);
        node.store(2);
        assert_eq!(node.load(), 2);
    });
}

//! Phantoms and ABA: what a transaction found in a range stays so for it, and a value that went and came back is told
//! from one that stayed where it matters.
#![forbid(unsafe_code)]

use std::sync::Mutex;

use optimist::{ReadTx, Shared, Stm, TCell, TVar, Tx, atomically, collect, snapshot};
use optimist_tests::litmus::{litmus, who};
use optimist_tests::schedule::elsewhere;

type Link = Option<Shared<Node>>;

struct Node {
    key: u64,
    next: TCell<Link>,
}

/// A sorted list.
struct List(TVar<Link>);

/// The link that leads to the first key of at least `key`.
fn find<'tx>(tx: &mut impl ReadTx<'tx>, list: &List, key: u64) -> Stm<&'tx TCell<Link>> {
    let mut link = list.0.cell(tx);
    while let Some(node) = link.read_ref(tx)? {
        let node = node.get(tx);
        if node.key >= key {
            break;
        }
        link = &node.next;
    }
    Ok(link)
}

fn insert<'tx>(tx: &mut Tx<'tx>, list: &List, key: u64) -> Stm<()> {
    let link = find(tx, list, key)?;
    let next = TCell::new(link.read(tx)?);
    link.write(tx, Some(Shared::new(Node { key, next })))
}

/// Removes the first key that is at least this; false if there is none.
fn remove<'tx>(tx: &mut Tx<'tx>, list: &List, key: u64) -> Stm<bool> {
    let link = find(tx, list, key)?;
    let Some(node) = link.read_ref(tx)? else { return Ok(false) };
    let next = node.get(tx).next.read(tx)?;
    link.write(tx, next)?;
    Ok(true)
}

/// How many keys are in a range.
fn count<'tx>(tx: &mut impl ReadTx<'tx>, list: &List, from: u64, to: u64, mut pause: impl FnMut()) -> Stm<u64> {
    let (mut count, mut link) = (0, find(tx, list, from)?.read_ref(tx)?);
    while let Some(node) = link {
        let node = node.get(tx);
        if node.key >= to {
            break;
        }
        count += 1;
        pause();
        link = node.next.read_ref(tx)?;
    }
    Ok(count)
}

#[test]
fn phantom_in_a_range_that_is_counted() {
    litmus(|run| {
        let list = List(TVar::new(None));
        run.repeat(4, |turn| {
            if turn.thread < 2 {
                // Two at a time, so that the number is even.
                let keys = [turn.below(20) as u64, turn.below(20) as u64];
                atomically(|tx| {
                    if count(tx, &list, 0, u64::MAX, || ())? < 12 {
                        keys.iter().try_for_each(|key| insert(tx, &list, *key))
                    } else {
                        (0..2).try_for_each(|_| remove(tx, &list, 0).map(|found| assert!(found)))
                    }
                });
                return;
            }
            let written = TVar::new(0);
            let kind = turn.below(3);
            let counts = if kind == 0 {
                snapshot(|tx| Ok([(); 2].map(|()| count(tx, &list, 0, 30, || turn.dawdle()))))
            } else {
                atomically(|tx| {
                    if kind == 1 {
                        written.write(tx, 1)?;
                    }
                    Ok([(); 2].map(|()| count(tx, &list, 0, 30, || turn.dawdle())))
                })
            };
            // What aborts in between is not counted.
            if let [Ok(first), Ok(second)] = counts {
                assert_eq!(first, second, "phantom: the same range, counted twice in one transaction");
                assert!(first.is_multiple_of(2), "phantom: half of a transaction's keys, {first} in the range");
            }
        });
    });
}

#[test]
fn phantom_in_a_range_that_was_empty() {
    litmus(|run| {
        // Who finds the range empty inserts a key of its own, which is at another place of the list.
        let list = List(TVar::new(None));
        atomically(|tx| [0, 10, 20, 30].iter().try_for_each(|key| insert(tx, &list, 10 * key)));
        let done = Mutex::new(0_u64);
        run.in_step(
            |turn| {
                let key = [101, 150, 199][turn.thread];
                let inserted = atomically(|tx| {
                    let found = count(tx, &list, 101, 200, || ())?;
                    turn.dawdle();
                    if found == 0 {
                        insert(tx, &list, key)?;
                    }
                    Ok(found == 0)
                });
                // The last one clears the range for the next round.
                let mut done = done.lock().unwrap();
                *done += 1;
                if (*done).is_multiple_of(3) {
                    let left = atomically(|tx| count(tx, &list, 101, 200, || ()));
                    assert_eq!(left, 1, "phantom: {left} transactions found the range empty and inserted into it");
                    atomically(|tx| remove(tx, &list, 101));
                }
                inserted
            },
            |round, inserted: [bool; 3]| {
                let inserted = inserted.iter().filter(|inserted| **inserted).count();
                assert_eq!(inserted, 1, "phantom: in round {round} {inserted} found the range empty");
            },
        );
    });
}

#[test]
fn aba_of_a_value_between_two_reads() {
    litmus(|run| {
        // `flag` is zero whenever `count` is even; who sees zero sees an even count, whatever happened in between.
        let (flag, count) = (TVar::new(0_u64), TVar::new(0_u64));
        run.repeat(3, |turn| {
            if turn.thread == 0 {
                for value in [1, 0] {
                    atomically(|tx| {
                        flag.write(tx, value)?;
                        count.modify(tx, |count| *count += 1)
                    });
                }
                return;
            }
            let writes = turn.below(2) == 0;
            let own = TVar::new(0);
            let (before, middle, after) = atomically(|tx| {
                if writes {
                    own.write(tx, 1)?;
                }
                let before = flag.read(tx)?;
                turn.dawdle();
                let middle = count.read(tx)?;
                turn.dawdle();
                Ok((before, middle, flag.read(tx)?))
            });
            assert!(
                before == after && middle % 2 == before,
                "ABA: the flag was {before}, the count {middle}, the flag {after}"
            );
        });
    });
}

#[test]
fn aba_of_a_stack() {
    litmus(|run| {
        // Nodes are popped and pushed again, so that a top that was seen is often the top again over another node.
        const NODES: u64 = 5;
        let top: TVar<Link> = TVar::new(None);
        let push = |tx: &mut Tx<'_>, node: &Shared<Node>| {
            let next = top.read(tx)?;
            node.get(tx).next.write(tx, next)?;
            top.write(tx, Some(node.clone()))
        };
        let nodes: Vec<Shared<Node>> =
            (0..NODES).map(|key| Shared::new(Node { key, next: TCell::new(None) })).collect();
        atomically(|tx| nodes.iter().try_for_each(|node| push(tx, node)));
        run.repeat(4, |turn| {
            let wanted = 1 + turn.below(3);
            let mut popped: Vec<Shared<Node>> = Vec::new();
            for _ in 0..wanted {
                let node = atomically(|tx| {
                    let Some(node) = top.read(tx)? else { return Ok(None) };
                    let next = node.get(tx).next.read(tx)?;
                    turn.dawdle();
                    top.write(tx, next)?;
                    Ok(Some(node))
                });
                popped.extend(node);
            }
            turn.dawdle();
            popped.iter().for_each(|node| atomically(|tx| push(tx, node)));
        });
        let mut keys = Vec::new();
        let mut link = top.load();
        while let Some(node) = link {
            keys.push(node.key);
            assert!(keys.len() <= NODES as usize, "ABA: the stack goes round: {keys:?}");
            link = node.next.load();
        }
        keys.sort_unstable();
        assert_eq!(keys, (0..NODES).collect::<Vec<_>>(), "ABA: nodes were lost or are there twice");
        nodes.iter().for_each(|node| node.next.store(None));
    });
}

#[test]
fn aba_of_a_cell_at_the_same_address() {
    litmus(|run| {
        // A cell is dropped and another one made, likely at its address; each holds the id that `current` says.
        let (holder, current) = (TVar::new(TVar::new(0_u64)), TVar::new(0_u64));
        run.repeat(3, |turn| {
            if turn.thread == 0 {
                let id = turn.id();
                atomically(|tx| {
                    // Made, written and dropped within the attempt, at an address that is then free.
                    TVar::new(0).write(tx, u64::MAX)?;
                    let cell = TVar::new(id);
                    turn.dawdle();
                    cell.write(tx, id)?;
                    holder.write(tx, cell)?;
                    current.write(tx, id)
                });
                collect();
                return;
            }
            let kind = turn.below(3);
            let (expected, seen) = atomically(|tx| {
                if kind == 0 {
                    let cell = holder.read(tx)?;
                    turn.dawdle();
                    let seen = cell.read(tx)?;
                    return Ok((current.read(tx)?, seen));
                }
                let expected = current.read(tx)?;
                turn.dawdle();
                let cell = holder.read_ref(tx)?;
                turn.dawdle();
                let seen = cell.read(tx)?;
                if kind == 1 {
                    cell.write(tx, seen)?;
                }
                Ok((expected, seen))
            });
            assert_eq!(
                seen,
                expected,
                "ABA: in the cell of {} was {}, perhaps of a cell at the same address",
                who(expected),
                who(seen)
            );
        });
    });
}

#[test]
fn aba_of_a_cell_that_is_replaced_while_it_is_used() {
    litmus(|_| {
        for _ in 0..200 {
            let holder = TVar::new(TVar::new(1_u64));
            let attempts = atomically(|tx| {
                let cell = holder.read_ref(tx)?;
                let seen = cell.read(tx)?;
                assert_eq!(seen, tx.attempt());
                if seen == 1 {
                    elsewhere(|| {
                        holder.store(TVar::new(2));
                        collect();
                        // Wherever the old cell was, another one may be by now.
                        drop((0..20).map(|_| TVar::new(9_u64)).collect::<Vec<_>>());
                    });
                }
                cell.write(tx, seen + 10)?;
                Ok(tx.attempt())
            });
            assert_eq!((attempts, holder.load().load()), (2, 12), "ABA: a write went to a cell that is gone");
        }
    });
}

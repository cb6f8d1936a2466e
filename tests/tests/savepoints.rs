//! `or_else` and `nested`: what is undone is undone fully, and nothing else is.
#![forbid(unsafe_code)]

use optimist::{Abort, Cancel, Stm, TVar, TryError, TryStm, Tx, atomically, try_atomically};
use optimist_tests::counted::Census;
use optimist_tests::schedule::elsewhere;

/// Cells of each kind of storage, with a value that says how often they were changed.
struct Cells {
    word: TVar<u64>,
    slot: TVar<Option<u32>>,
    text: TVar<String>,
}

impl Cells {
    fn new() -> Self {
        Self { word: TVar::new(0), slot: TVar::new(Some(0)), text: TVar::new("0".to_string()) }
    }

    fn set(&self, tx: &mut Tx<'_>, value: u32) -> Stm<()> {
        self.word.write(tx, u64::from(value))?;
        self.slot.write(tx, Some(value))?;
        self.text.write(tx, value.to_string())
    }

    fn edit(&self, tx: &mut Tx<'_>, value: u32) -> Stm<()> {
        self.word.modify(tx, |word| *word = u64::from(value))?;
        self.slot.modify(tx, |slot| *slot = Some(value))?;
        self.text.modify(tx, |text| {
            text.clear();
            text.push_str(&value.to_string());
        })
    }

    fn get(&self, tx: &mut Tx<'_>) -> Stm<u32> {
        let value = self.slot.read(tx)?.expect("never empty");
        assert_eq!(self.word.read(tx)?, u64::from(value));
        assert_eq!(*self.text.read_ref(tx)?, value.to_string());
        Ok(value)
    }

    fn load(&self) -> u32 {
        atomically(|tx| self.get(tx))
    }
}

fn cancel<R>(step: Stm<R>) -> TryStm<R, &'static str> {
    step?;
    Err(Cancel::new("no"))
}

#[test]
fn a_cancelled_part_gives_back_the_values_before_it() {
    for in_place in [false, true] {
        let cells = Cells::new();
        let change = |tx: &mut Tx<'_>, value| if in_place { cells.edit(tx, value) } else { cells.set(tx, value) };
        let fresh = Cells::new();
        atomically(|tx| {
            change(tx, 1)?;
            change(tx, 2)?;
            let outcome = tx.nested(|tx| {
                change(tx, 3)?;
                change(tx, 4)?;
                fresh.set(tx, 4)?;
                let inner = tx.nested(|tx| cancel(change(tx, 5).and_then(|()| fresh.edit(tx, 5))))?;
                assert_eq!((inner, cells.get(tx)?, fresh.get(tx)?), (Err("no"), 4, 4));
                let inner = tx.nested(|tx| Ok::<_, Cancel<()>>(change(tx, 6)?))?;
                assert_eq!((inner, cells.get(tx)?), (Ok(()), 6));
                change(tx, 7)?;
                cancel(Ok(()))
            })?;
            assert_eq!((outcome, cells.get(tx)?, fresh.get(tx)?), (Err("no"), 2, 0), "the write before it is back");
            change(tx, 8)?;
            fresh.set(tx, 8)
        });
        assert_eq!((cells.load(), fresh.load()), (8, 8));
    }
}

#[test]
fn parts_nest_to_any_depth() {
    const DEPTH: u32 = 100;
    fn deeper(tx: &mut Tx<'_>, cells: &Cells, level: u32, cancels_at: u32) -> TryStm<u32, u32> {
        cells.edit(tx, level)?;
        if level == DEPTH {
            return Ok(level);
        }
        let inner = tx.nested(|tx| deeper(tx, cells, level + 1, cancels_at))?;
        match inner {
            Err(error) => assert_eq!((cells.get(tx)?, error), (level, level + 1), "undone exactly to here"),
            Ok(_) => assert_eq!(cells.get(tx)?, if level < cancels_at { cancels_at - 1 } else { DEPTH }),
        }
        if level == cancels_at { Err(Cancel::new(level)) } else { Ok(level) }
    }
    for cancels_at in [2, 50, 99] {
        let cells = Cells::new();
        let outcome = try_atomically(|tx| {
            let outcome = tx.nested(|tx| deeper(tx, &cells, 1, cancels_at))?;
            Ok::<_, Cancel<()>>((outcome, cells.get(tx)?))
        });
        assert_eq!(outcome, Ok((Ok(1), cancels_at - 1)));
        assert_eq!(cells.load(), cancels_at - 1);
    }
}

#[test]
fn alternatives_nest_to_any_depth() {
    fn pick(tx: &mut Tx<'_>, cells: &Cells, doors: &[TVar<bool>], index: u32) -> Stm<u32> {
        let Some((door, others)) = doors.split_first() else { return tx.retry() };
        tx.or_else(
            |tx| {
                cells.set(tx, 1_000 + index)?;
                let open = door.read(tx)?;
                tx.check(open)?;
                Ok(index)
            },
            |tx| {
                assert_eq!(cells.get(tx)?, 7, "the branch before is undone");
                pick(tx, cells, others, index + 1)
            },
        )
    }
    let doors: Vec<TVar<bool>> = (0..100).map(|_| TVar::new(false)).collect();
    for opened in [99_u32, 60, 0] {
        doors[opened as usize].store(true);
        let cells = Cells::new();
        let picked = atomically(|tx| {
            cells.set(tx, 7)?;
            pick(tx, &cells, &doors, 0)
        });
        assert_eq!((picked, cells.load()), (opened, 1_000 + opened));
    }
}

#[test]
fn alternatives_work_with_typed_errors() {
    let cells = Cells::new();
    let outcome: Result<u32, TryError<&str>> = try_atomically(|tx| {
        tx.or_else(
            |tx| tx.or_else(|tx| Ok(tx.retry()?), |tx| Ok(cells.set(tx, 1).and_then(|()| tx.retry())?)),
            |tx| {
                assert_eq!(cells.get(tx)?, 0);
                cells.set(tx, 2)?;
                cells.get(tx).map_err(Cancel::from)
            },
        )
    });
    assert_eq!((outcome, cells.load()), (Ok(2), 2));
    // An error of the first branch is no retry.
    let outcome = try_atomically(|tx| {
        tx.or_else(|tx| cancel::<()>(cells.set(tx, 3)), |_| panic!("the second branch is not tried"))
    });
    assert_eq!((outcome, cells.load()), (Err(TryError::Cancelled("no")), 2));
    let outcome = try_atomically(|tx| tx.or_else(|tx| Ok(tx.retry::<()>()?), |tx| cancel(cells.set(tx, 4))));
    assert_eq!((outcome, cells.load()), (Err(TryError::Cancelled("no")), 2));
    // Nor is a conflict: the whole transaction runs again.
    let (a, b) = (TVar::new(0), TVar::new(0));
    let attempts = atomically(|tx| {
        a.read(tx)?;
        cells.set(tx, 5)?;
        tx.or_else(
            |tx| {
                if tx.attempt() == 1 {
                    elsewhere(|| atomically(|tx| a.write(tx, 1).and_then(|()| b.write(tx, 1))));
                }
                b.read(tx)?;
                Ok::<_, Abort>(tx.attempt())
            },
            |_| panic!("the second branch is not tried"),
        )
    });
    assert_eq!(attempts, 2);
}

#[test]
fn a_part_that_retries_makes_the_whole_transaction_wait() {
    let (door, cells) = (TVar::new(false), Cells::new());
    let attempts = atomically(|tx| {
        cells.set(tx, 1)?;
        let first = tx.attempt() == 1;
        let outcome = tx.nested(|tx| {
            let open = door.read(tx)?;
            if first {
                elsewhere(|| door.store(true));
            }
            tx.check(open)?;
            Ok::<_, Cancel<()>>(())
        })?;
        assert!(outcome.is_ok() && !first);
        Ok(tx.attempt())
    });
    assert_eq!((attempts, cells.load()), (2, 1));
}

#[test]
fn a_large_part_is_undone_and_done_again() {
    const CELLS: u64 = 2_000;
    let words: Vec<TVar<u64>> = (0..CELLS).map(|_| TVar::new(0)).collect();
    let texts: Vec<TVar<String>> = (0..CELLS / 10).map(|_| TVar::new(String::new())).collect();
    atomically(|tx| {
        for word in &words[..50] {
            word.write(tx, 1)?;
        }
        for round in 2..5 {
            let outcome = tx.nested(|tx| {
                words.iter().try_for_each(|word| word.modify(tx, |word| *word += round))?;
                texts.iter().try_for_each(|text| text.modify(tx, |text| text.push('x')))?;
                cancel(Ok(()))
            })?;
            assert_eq!(outcome, Err("no"));
            for (index, word) in words.iter().enumerate() {
                assert_eq!(word.read(tx)?, u64::from(index < 50), "cell {index}");
            }
        }
        words.iter().try_for_each(|word| word.modify(tx, |word| *word += 10))?;
        texts[3].write(tx, "kept".to_string())
    });
    assert!(words[..50].iter().all(|word| word.load() == 11) && words[50..].iter().all(|word| word.load() == 10));
    assert_eq!(texts.iter().map(|text| text.load().len()).sum::<usize>(), 4);
}

#[test]
fn a_reference_stays_valid_whatever_happens_to_the_cell() {
    let census = Census::new();
    let (boxed, word) = (TVar::new(census.make(1)), TVar::new(1_u64));
    let slot = TVar::new(Some(1_u32));
    atomically(|tx| {
        let committed = (boxed.read_ref(tx)?, word.read_ref(tx)?, slot.read_ref(tx)?);
        boxed.write(tx, census.make(2))?;
        word.write(tx, 2)?;
        slot.write(tx, Some(2))?;
        let buffered = (boxed.read_ref(tx)?, word.read_ref(tx)?, slot.read_ref(tx)?);
        boxed.modify(tx, |value| value.value = 3)?;
        word.modify(tx, |value| *value = 3)?;
        slot.modify(tx, |value| *value = Some(3))?;
        let mut undone = None;
        let outcome = tx.nested(|tx| {
            boxed.modify(tx, |value| value.value = 4)?;
            word.write(tx, 4)?;
            slot.write(tx, Some(4))?;
            undone = Some((boxed.read_ref(tx)?, word.read_ref(tx)?, slot.read_ref(tx)?));
            cancel(Ok(()))
        })?;
        assert_eq!(outcome, Err("no"));
        let restored = (boxed.read_ref(tx)?, word.read_ref(tx)?, slot.read_ref(tx)?);
        boxed.write(tx, census.make(5))?;
        word.write(tx, 5)?;
        slot.write(tx, Some(5))?;
        // Room for whatever might take the place of a value that had been given back.
        let others: Vec<TVar<Vec<u8>>> = (0..100).map(|index| TVar::new(vec![index; 32])).collect();
        others.iter().try_for_each(|other| other.write(tx, vec![0; 32]))?;
        let seen = [committed, buffered, undone.unwrap(), restored];
        for (lent, expected) in seen.into_iter().zip([1_u64, 2, 4, 3]) {
            assert_eq!((lent.0.value, *lent.1, lent.2.map(u64::from)), (expected, expected, Some(expected)));
        }
        Ok(())
    });
    assert_eq!((boxed.load().value, word.load(), slot.load()), (5, 5, Some(5)));
}

#[test]
fn a_reference_outlives_the_branch_that_lent_it() {
    let text = TVar::new("committed".to_string());
    atomically(|tx| {
        let mut lent = Vec::new();
        tx.or_else(
            |tx| {
                text.write(tx, "first branch".to_string())?;
                lent.push(text.read_ref(tx)?);
                tx.retry()
            },
            |tx| text.modify(tx, |text| text.push_str(", second branch")),
        )?;
        lent.push(text.read_ref(tx)?);
        text.write(tx, "last".to_string())?;
        assert_eq!(lent, ["first branch", "committed, second branch"]);
        Ok(())
    });
    assert_eq!(text.load(), "last");
}

#[test]
fn a_reference_stays_valid_when_other_threads_overwrite_the_cell() {
    let census = Census::new();
    let cell = TVar::new(census.make(0));
    let seen = atomically(|tx| {
        let lent = cell.read_ref(tx)?;
        for round in 1..=100 {
            elsewhere(|| {
                cell.store(census.make(round));
                optimist::collect();
            });
        }
        assert!(census.alive() >= 2, "the value lent out is alive");
        Ok(lent.value)
    });
    assert_eq!((seen, cell.load().value), (0, 100));
}

#[test]
fn modifying_in_place_clones_once() {
    let census = Census::new();
    let cell = TVar::new(census.make(0));
    atomically(|tx| (0..1_000).try_for_each(|_| cell.modify(tx, |value| value.value += 1)));
    assert_eq!((cell.load().value, census.made()), (1_000, 3), "the first, its copy, and what `load` gives out");
}

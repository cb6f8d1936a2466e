//! Lessons 3, 6, 7: cells, values and threads that end at an awkward moment.
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use futures::executor::block_on;
use optimist::{Atomically, Cancel, Shared, TCell, TVar, atomically, collect, snapshot, try_atomically};
use optimist_tests::counted::{Census, Counted};
use optimist_tests::schedule::{collect_until, elsewhere, panic_of, without_hanging};

/// Makes cells of several types and the same size, so that later ones get the addresses of earlier ones.
fn make_and_drop(round: u64) {
    let kept = atomically(|tx| {
        let word = TVar::new(round);
        word.write(tx, round + 1)?;
        drop(word);
        let text = TVar::new(String::from("new"));
        assert_eq!(*text.read_ref(tx)?, "new");
        text.modify(tx, |text| text.push_str(" and changed"))?;
        let lent = text.read_ref(tx)?;
        drop(text);
        let list = Shared::new(TCell::new(vec![round; 3]));
        let cell = list.get(tx);
        drop(list);
        cell.write(tx, vec![round; 4])?;
        assert_eq!(cell.read_ref(tx)?.len(), 4);
        assert_eq!(lent, "new and changed");
        let again = TVar::new(round);
        assert_eq!(again.read(tx)?, round, "a new cell has the value it was made with");
        again.write(tx, round + 2)?;
        Ok(again)
    });
    assert_eq!(kept.load(), round + 2);
    drop(kept);
    let other_type = TVar::new(f64::from(round as u32));
    assert_eq!(other_type.swap(0.5).to_bits(), f64::from(round as u32).to_bits());
}

#[test]
fn lesson_03_cells_made_and_dropped_inside_a_transaction() {
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..3_000).for_each(make_and_drop));
        }
    });
}

#[test]
fn lesson_03_a_cell_whose_last_handle_goes_between_two_attempts() {
    let slot = TVar::new(Some(TVar::new(1_u64)));
    let attempts = atomically(|tx| {
        let inner = slot.read_ref(tx)?;
        let value = match inner {
            Some(inner) => inner.replace(tx, 5)?,
            None => 0,
        };
        if tx.attempt() == 1 {
            elsewhere(|| {
                slot.store(None);
                (0..100).for_each(|_| TVar::new(0).store(1));
                collect();
            });
            // The old cell is still there for us, with what we have buffered for it.
            assert_eq!(value, 1);
            assert_eq!(inner.as_ref().map(|inner| inner.read(tx)).transpose()?, Some(5));
        }
        Ok(tx.attempt())
    });
    assert_eq!(attempts, 2);
}

#[test]
fn lesson_03_a_list_is_cut_while_it_is_walked() {
    struct Node {
        value: u64,
        next: TCell<Option<Shared<Node>>>,
    }
    let node = |value, next| Shared::new(Node { value, next: TCell::new(next) });
    let first = TVar::new(Some(node(1, Some(node(2, Some(node(3, None)))))));
    let seen = atomically(|tx| {
        let mut seen = Vec::new();
        let mut link = first.read_ref(tx)?;
        if tx.attempt() == 1 {
            elsewhere(|| {
                first.store(None);
                (0..200).for_each(|_| drop(TVar::new(vec![7; 9])));
                collect();
            });
        }
        while let Some(node) = link {
            let node = node.get(tx);
            seen.push(node.value);
            link = node.next.read_ref(tx)?;
        }
        Ok(seen)
    });
    assert_eq!(seen, [1, 2, 3], "a reader goes on with the list as it was");
}

/// A value whose end uses the cells that are written together with the cell it is in.
struct Nosy {
    ends: TVar<u64>,
    text: TVar<String>,
}

impl Drop for Nosy {
    fn drop(&mut self) {
        let seen = snapshot(|tx| self.ends.read(tx));
        atomically(|tx| {
            self.ends.modify(tx, |ends| *ends += 1)?;
            self.text.write(tx, format!("after {seen}"))
        });
        self.text.update(|text| text.push('!'));
        assert!(!self.text.load().is_empty());
    }
}

#[test]
fn lesson_06_a_drop_uses_cells_of_the_same_write_set() {
    without_hanging(|| {
        let (ends, text) = (TVar::new(0_u64), TVar::new(String::new()));
        let nosy = || Arc::new(Nosy { ends: ends.clone(), text: text.clone() });
        let slot = TVar::new(nosy());
        atomically(|tx| {
            slot.write(tx, nosy())?;
            // Overwritten before it was ever committed.
            slot.write(tx, nosy())?;
            ends.modify(tx, |ends| *ends += 100)?;
            text.write(tx, "committed".to_string())
        });
        collect_until("both values have ended", || ends.load() == 102);
        assert_eq!(text.load().matches('!').count(), 1);
        // Undone by a cancellation, and by a panic.
        _ = try_atomically(|tx| {
            ends.write(tx, 0)?;
            slot.write(tx, nosy())?;
            Err::<(), _>(Cancel::new("no"))
        });
        assert_eq!(ends.load(), 103);
        let message = panic_of(|| {
            atomically(|tx| {
                ends.write(tx, 0)?;
                slot.write(tx, nosy())?;
                if ends.read(tx)? == 0 { panic!("on purpose") } else { Ok(()) }
            })
        });
        assert_eq!((message.as_str(), ends.load()), ("on purpose", 104));
        drop(slot);
        collect_until("all values have ended", || ends.load() == 105);
    });
}

#[test]
fn lesson_06_a_drop_meets_threads_that_write_the_same_cells() {
    without_hanging(|| {
        let (ends, text) = (TVar::new(0_u64), TVar::new(String::new()));
        let slot = TVar::new(Arc::new(Nosy { ends: ends.clone(), text: text.clone() }));
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let (ends, text, slot) = (ends.clone(), text.clone(), slot.clone());
                thread::spawn(move || {
                    for _ in 0..300 {
                        atomically(|tx| {
                            ends.modify(tx, |ends| *ends += 1)?;
                            slot.write(tx, Arc::new(Nosy { ends: ends.clone(), text: text.clone() }))
                        });
                    }
                    collect();
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        drop(slot);
        // Every transaction adds one, and so does every value at its end; undone values of lost attempts have ended, too.
        collect_until("all values have ended", || ends.load() > 1_200);
    });
}

#[test]
fn lesson_06_a_clone_reads_cells() {
    #[derive(Debug)]
    struct Curious(TVar<u64>, u64);
    impl Clone for Curious {
        fn clone(&self) -> Self {
            Self(self.0.clone(), self.0.load())
        }
    }
    let seen = TVar::new(7);
    let slot = TVar::new(Curious(seen.clone(), 0));
    atomically(|tx| {
        seen.write(tx, 8)?;
        let copy = slot.read(tx)?;
        assert_eq!(copy.1, 7, "`load` reads beside the transaction");
        slot.modify(tx, |value| assert_eq!(value.1, 7))
    });
    // Outside of a transaction, user code may run whole transactions.
    let change = slot.update(|value| atomically(|tx| value.0.replace(tx, 9)));
    assert_eq!((change, seen.load()), (8, 9));
}

/// Runs a transaction when its thread ends.
struct AtExit(TVar<u64>, TVar<String>);

impl Drop for AtExit {
    fn drop(&mut self) {
        atomically(|tx| {
            self.0.modify(tx, |ends| *ends += 1)?;
            self.1.modify(tx, |text| text.push('x'))
        });
        self.0.update(|ends| *ends += 1);
        assert_eq!(snapshot(|tx| Ok(2 * self.1.read_ref(tx)?.len() as u64)), self.0.load());
    }
}

thread_local! {
    static FIRST: RefCell<Option<AtExit>> = const { RefCell::new(None) };
    static SECOND: RefCell<Option<AtExit>> = const { RefCell::new(None) };
}

#[test]
fn lesson_06_thread_local_destructors_run_transactions() {
    let (ends, text) = (TVar::new(0), TVar::new(String::new()));
    for uses_cells_first in [false, true] {
        // `elsewhere` waits until the thread itself has ended, its destructors included.
        elsewhere(|| {
            // Destructors run in the order in which the values were first used, or the reverse of it; one of the two
            // comes after the runtime's own.
            FIRST.with(|place| *place.borrow_mut() = uses_cells_first.then(|| AtExit(ends.clone(), text.clone())));
            atomically(|tx| ends.modify(tx, |_| ()));
            text.store(text.load());
            SECOND.with(|place| *place.borrow_mut() = Some(AtExit(ends.clone(), text.clone())));
            FIRST.with(|place| *place.borrow_mut() = Some(AtExit(ends.clone(), text.clone())));
        });
    }
    // Two threads with two values each, and one value that was replaced; each adds two.
    collect_until("all threads have ended", || ends.load() == 10);
    assert_eq!(text.load().len(), 5);
}

/// A way to run a transaction, by its name.
type Kind<'a> = (&'static str, Box<dyn Fn() + 'a>);

#[test]
fn lesson_07_a_panic_leaves_the_thread_usable() {
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    fn boom<R>() -> R {
        PANICS.fetch_add(1, Ordering::Relaxed);
        panic!("boom")
    }
    let (number, text) = (TVar::new(1_u64), TVar::new("one".to_string()));
    let prepare = |tx: &mut optimist::Tx<'_>| {
        number.modify(tx, |number| *number += 1)?;
        text.modify(tx, |text| text.push('?'))
    };
    let blocking = Atomically::new().max_attempts(5);
    let kinds: Vec<Kind<'_>> = vec![
        ("atomically", Box::new(|| atomically(|tx| prepare(tx).map(|()| boom())))),
        ("try_atomically", Box::new(|| _ = try_atomically(|tx| Ok::<(), Cancel<()>>(prepare(tx).map(|()| boom())?)))),
        ("nothing read", Box::new(|| atomically(|_| boom()))),
        ("snapshot", Box::new(|| snapshot(|tx| number.read(tx).map(|_| boom())))),
        ("with limits", Box::new(|| _ = blocking.run(|tx| prepare(tx).map(|()| boom::<()>())))),
        ("async", Box::new(|| _ = block_on(blocking.run_async(|tx| prepare(tx).map(|()| boom::<()>()))))),
        (
            "irrevocable",
            Box::new(|| {
                atomically(|tx| {
                    tx.irrevocable()?;
                    prepare(tx).map(|()| boom())
                })
            }),
        ),
        (
            "nested",
            Box::new(|| {
                _ = atomically(|tx| {
                    prepare(tx)?;
                    tx.nested(|tx| -> Result<(), Cancel<()>> {
                        prepare(tx).map(|()| boom())?;
                        Ok(())
                    })
                })
            }),
        ),
        (
            "or_else",
            Box::new(|| {
                atomically(|tx| {
                    prepare(tx)?;
                    tx.or_else(|tx| tx.retry(), |tx| prepare(tx).map(|()| boom()))
                })
            }),
        ),
        ("modify", Box::new(|| atomically(|tx| text.modify(tx, |_| boom())))),
        ("update", Box::new(|| text.update(|_| boom()))),
        ("update of an inline value", Box::new(|| number.update(|_| boom()))),
    ];
    for (index, (name, kind)) in kinds.iter().enumerate() {
        assert_eq!(panic_of(kind), "boom", "{name}");
        assert_eq!(PANICS.load(Ordering::Relaxed), index + 1, "{name}: the body runs once");
        let (before, length) = (1 + 2 * index as u64, 3 + 2 * index);
        assert_eq!((number.load(), text.load().len()), (before, length), "{name}: nothing is left of it");
        atomically(prepare);
        elsewhere(|| atomically(prepare));
        assert_eq!((number.load(), text.load().len()), (before + 2, length + 2), "{name}: both threads go on");
    }
}

/// Replaces the value of a cell when it is dropped, while another thread looks at it.
struct Replaces {
    cell: TVar<Counted>,
    by: Option<Counted>,
    reader: Arc<dyn Fn() + Send + Sync>,
}

impl Drop for Replaces {
    fn drop(&mut self) {
        (self.reader)();
        self.cell.store(self.by.take().expect("dropped once"));
    }
}

#[test]
fn lesson_06_what_a_drop_replaces_is_kept_for_who_looks_at_it() {
    without_hanging(|| {
        let census = Census::new();
        let cell = TVar::new(census.make(1));
        let (looks, goes_on) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
        let reader = thread::spawn({
            let (cell, looks, goes_on) = (cell.clone(), Arc::clone(&looks), Arc::clone(&goes_on));
            move || {
                // Begins when the other thread has already looked who else runs, and found nobody.
                looks.wait();
                atomically(|tx| {
                    let lent = cell.read_ref(tx)?;
                    looks.wait();
                    goes_on.wait();
                    Ok(lent.value)
                })
            }
        });
        let meets_reader = Arc::new(move || {
            looks.wait();
            looks.wait();
        });
        let replaces = Replaces { cell: cell.clone(), by: Some(census.make(2)), reader: meets_reader };
        let trigger = TVar::new(Some(Arc::new(replaces)));
        trigger.store(None);
        collect_until("the value that replaces another one is dropped", || cell.load().value == 2);
        collect();
        // The second value is in the cell; the first one is looked at.
        assert_eq!(census.alive(), 2);
        goes_on.wait();
        assert_eq!(reader.join().unwrap(), 1);
        collect_until("the first value is dropped", || census.alive() == 1);
    });
}

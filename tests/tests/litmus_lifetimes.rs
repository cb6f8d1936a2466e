//! Use after free and double free: values are destroyed once, and not while somebody looks at them.
//!
//! Method: every value has a number in a register that says how often it was destroyed, so that one that is looked at too
//! late is found out though its memory may still look well.
#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use optimist::{Cancel, ReadTx, Shared, Stm, TCell, TVar, Tx, atomically, collect, snapshot, try_atomically};
use optimist_tests::litmus::{Turn, litmus};
use optimist_tests::schedule::{collect_until, elsewhere};

/// How often each value was destroyed.
struct Register {
    ends: Vec<AtomicU32>,
    next: AtomicUsize,
}

impl Register {
    /// More values are not made by one test.
    const MOST: usize = 1 << 20;

    fn new() -> Arc<Self> {
        let ends = (0..Self::MOST).map(|_| AtomicU32::new(0)).collect();
        Arc::new(Self { ends, next: AtomicUsize::new(0) })
    }

    fn make(self: &Arc<Self>) -> Canary {
        // SeqCst, here and below: what is counted is no concern of the runtime.
        Canary { number: self.next.fetch_add(1, Ordering::SeqCst), register: Arc::clone(self) }
    }

    fn is_full(&self) -> bool {
        self.next.load(Ordering::SeqCst) > Self::MOST - 1_000
    }

    fn made(&self) -> usize {
        self.next.load(Ordering::SeqCst)
    }

    /// Waits until each value has been destroyed, once.
    #[track_caller]
    fn assert_all_ended(&self) {
        let ends = || self.ends[..self.made()].iter().map(|ends| ends.load(Ordering::SeqCst));
        collect_until("every value has been destroyed", || ends().all(|ends| ends > 0));
        let twice = ends().position(|ends| ends > 1);
        assert_eq!(twice, None, "double free: this value was destroyed more than once");
    }
}

/// A value with a number. Not a field of it is copied but by `clone`, which looks whether it is still there.
struct Canary {
    number: usize,
    register: Arc<Register>,
}

impl Canary {
    #[track_caller]
    fn assert_alive(&self, how: &str) {
        let ends = self.register.ends[self.number].load(Ordering::SeqCst);
        assert_eq!(ends, 0, "use after free: {how} looks at value {}, which was destroyed", self.number);
    }
}

impl Clone for Canary {
    fn clone(&self) -> Self {
        self.assert_alive("the begin of `clone`");
        std::thread::yield_now();
        self.assert_alive("`clone`");
        self.register.make()
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        let ends = self.register.ends[self.number].fetch_add(1, Ordering::SeqCst);
        if ends > 0 && !std::thread::panicking() {
            panic!("double free: value {} is destroyed for the second time", self.number);
        }
    }
}

/// A canary in a node that is linked.
struct Node {
    canary: Canary,
    next: TCell<Option<Shared<Node>>>,
}

/// Cells of each kind that holds a value to destroy.
struct Cells {
    plain: TVar<Canary>,
    linked: TVar<Option<Shared<Node>>>,
}

impl Cells {
    fn new(register: &Arc<Register>) -> Self {
        Self { plain: TVar::new(register.make()), linked: TVar::new(None) }
    }

    fn chain(register: &Arc<Register>) -> Option<Shared<Node>> {
        (0..3).fold(None, |next, _| Some(Shared::new(Node { canary: register.make(), next: TCell::new(next) })))
    }

    fn look<'tx>(&self, tx: &mut impl ReadTx<'tx>, how: &str, mut pause: impl FnMut()) -> Stm<()> {
        let canary = self.plain.read_ref(tx)?;
        let mut link = self.linked.read_ref(tx)?;
        pause();
        canary.assert_alive(how);
        while let Some(node) = link {
            let node = node.get(tx);
            pause();
            node.canary.assert_alive(how);
            link = node.next.read_ref(tx)?;
        }
        canary.assert_alive(how);
        Ok(())
    }

    fn replace(&self, turn: &mut Turn<'_>, register: &Arc<Register>) {
        match turn.below(7) {
            0 => self.plain.store(register.make()),
            1 => drop(self.plain.swap(register.make())),
            2 => self.plain.update(|canary| canary.assert_alive("`update`")),
            3 => atomically(|tx| self.linked.write(tx, Self::chain(register))),
            4 => {
                let undone = |tx: &mut Tx<'_>| {
                    self.plain.write(tx, register.make())?;
                    self.plain.modify(tx, |canary| canary.assert_alive("`modify`"))?;
                    self.linked.write(tx, Self::chain(register))?;
                    Err::<(), _>(Cancel::new(()))
                };
                assert!(try_atomically(undone).is_err());
            }
            5 => atomically(|tx| {
                let undone = |tx: &mut Tx<'_>| {
                    self.plain.write(tx, register.make())?;
                    tx.retry()
                };
                tx.or_else(undone, |tx| self.plain.write(tx, register.make()))
            }),
            _ => self.linked.store(Self::chain(register)),
        }
    }
}

#[test]
fn use_after_free_or_double_free() {
    litmus(|run| {
        let register = Register::new();
        let cells = Cells::new(&register);
        run.repeat(4, |turn| {
            if register.is_full() {
                return;
            }
            if turn.thread < 2 {
                cells.replace(turn, &register);
                if turn.below(4) == 0 {
                    collect();
                }
                return;
            }
            match turn.below(4) {
                0 => snapshot(|tx| cells.look(tx, "a snapshot", || turn.dawdle())),
                1 => cells.plain.load().assert_alive("who has loaded"),
                2 => atomically(|tx| cells.look(tx, "a transaction", || turn.dawdle())),
                _ => {
                    let own = TVar::new(0);
                    atomically(|tx| {
                        own.write(tx, 1)?;
                        cells.look(tx, "a transaction that writes", || turn.dawdle())
                    });
                }
            }
        });
        drop(cells);
        register.assert_all_ended();
    });
}

/// One thread is in the middle of reading when others replace, and collect as often as they can.
#[test]
fn use_after_free_of_what_is_lent() {
    type Look = fn(&Cells, &mut dyn FnMut());
    let looks: [(&str, Look); 4] = [
        ("a transaction", |cells, pause| atomically(|tx| cells.look(tx, "a transaction", &mut *pause))),
        ("a snapshot", |cells, pause| snapshot(|tx| cells.look(tx, "a snapshot", &mut *pause))),
        ("a transaction that has written", |cells, pause| {
            let own = TVar::new(0);
            atomically(|tx| {
                own.write(tx, 1)?;
                cells.look(tx, "a transaction that has written", &mut *pause)
            });
        }),
        ("who has read what is then written", |cells, pause| {
            atomically(|tx| {
                let canary = cells.plain.read_ref(tx)?;
                let copy = canary.clone();
                cells.plain.write(tx, copy)?;
                pause();
                canary.assert_alive("who has read what is then written");
                Ok(())
            });
        }),
    ];
    litmus(move |_| {
        let register = Register::new();
        for (_, look) in looks {
            let cells = Cells::new(&register);
            cells.linked.store(Cells::chain(&register));
            let mut pauses = 0;
            look(&cells, &mut || {
                pauses += 1;
                if pauses > 2 {
                    return;
                }
                elsewhere(|| {
                    cells.plain.store(register.make());
                    cells.linked.store(None);
                    // What is retired in one round may go in the next.
                    (0..4).for_each(|_| collect());
                });
            });
        }
        register.assert_all_ended();
    });
}

/// The last handle goes while a transaction that got the value through it is in the middle.
#[test]
fn use_after_free_of_a_value_whose_last_handle_goes() {
    litmus(|_| {
        let register = Register::new();
        for kind in 0..3 {
            let handle = Mutex::new(Some(Shared::new(Node { canary: register.make(), next: TCell::new(None) })));
            let look = |node: &Node| {
                elsewhere(|| {
                    drop(handle.lock().unwrap().take());
                    (0..4).for_each(|_| collect());
                });
                node.canary.assert_alive("who got a value before its last handle went");
            };
            let own = TVar::new(0);
            match kind {
                0 => snapshot(|tx| {
                    let node = handle.lock().unwrap().as_ref().expect("it is there").get(tx);
                    look(node);
                    Ok(())
                }),
                _ => atomically(|tx| {
                    if kind == 2 {
                        own.write(tx, 1)?;
                    }
                    let node = handle.lock().unwrap().as_ref().expect("it is there").get(tx);
                    look(node);
                    assert!(node.next.read_ref(tx)?.is_none());
                    Ok(())
                }),
            }
        }
        register.assert_all_ended();
    });
}

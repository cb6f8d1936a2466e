//! Marbles in stacks of linked nodes (S2), and cells that are made and dropped all the time.

use optimist::{ReadTx, Shared, Stm, TCell, TVar, Tx, atomically, snapshot};
use optimist_collections::TStack;

use crate::counted::{Census, Counted};

const STACKS: usize = 4;
const MARBLES: u64 = 64;
/// Nodes have smaller numbers than this.
pub(super) const NUMBERS: u64 = 1_000;

/// A node that is replaced all the time.
pub(super) struct Node {
    marble: Counted,
    cell: TCell<Counted>,
}

/// What is linked.
pub(super) struct Nodes {
    stacks: Vec<TStack<Counted>>,
    /// A node of which readers hold on to what it was.
    head: TVar<Option<Shared<Node>>>,
    /// A cell in a cell.
    inner: TVar<TVar<Counted>>,
    /// The last node's number, which is used without transactions.
    last: TVar<Counted>,
    census: Census,
}

impl Nodes {
    pub(super) fn new(census: &Census) -> Self {
        let stacks: Vec<_> = (0..STACKS).map(|_| TStack::new()).collect();
        for number in 0..MARBLES {
            let marble = census.make(number);
            atomically(|tx| stacks[number as usize % STACKS].push(tx, marble.clone()));
        }
        let inner = TVar::new(TVar::new(census.make(0)));
        let last = TVar::new(census.make(0));
        Self { stacks, head: TVar::new(None), inner, last, census: census.clone() }
    }

    /// Every marble is in one of the stacks, and in one only (S2).
    pub(super) fn audit(&self) {
        let seen = snapshot(|tx| self.numbers(tx));
        assert_eq!(seen, u64::MAX, "each marble is in one stack (S2)");
    }

    /// The set of all marbles.
    fn numbers<'tx>(&self, tx: &mut impl ReadTx<'tx>) -> Stm<u64> {
        let mut seen = 0_u64;
        for stack in &self.stacks {
            for marble in stack.iter(tx)? {
                let marble = 1 << marble.value;
                assert_eq!(seen & marble, 0, "a marble is in two stacks (S2)");
                seen |= marble;
            }
        }
        Ok(seen)
    }

    /// Moves one marble, or all of a stack.
    pub(super) fn roll(&self, from: usize, to: usize, all: bool) {
        let (from, to) = (&self.stacks[from % STACKS], &self.stacks[to % STACKS]);
        atomically(|tx| {
            if all {
                for marble in from.take_all(tx)?.into_iter().rev() {
                    to.push(tx, marble)?;
                }
            } else if let Some(marble) = from.try_pop(tx)? {
                to.push(tx, marble)?;
            }
            Ok(())
        });
    }

    /// Puts a new node where another one was, or takes it away.
    pub(super) fn relink(&self, number: u64) {
        let node =
            || Shared::new(Node { marble: self.census.make(number), cell: TCell::new(self.census.make(number)) });
        match number % 3 {
            0 => self.head.store(Some(node())),
            1 => self.head.store(None),
            _ => atomically(|tx| self.head.write(tx, Some(node()))),
        }
        let before = self.last.swap(self.census.make(number));
        assert!(before.value < NUMBERS, "it is a number that was put there");
        self.last.update(|last| last.value = number);
        // The cells of a node that is on its way out may still be written.
        atomically(|tx| match self.head.read_ref(tx)? {
            Some(node) => {
                let node = node.get(tx);
                node.cell.modify(tx, |marble| marble.value = node.marble.value)
            }
            None => Ok(()),
        });
    }

    /// Looks at the node for a while.
    pub(super) fn look(&self) {
        assert!(self.last.load().value < NUMBERS, "it is a number that was put there");
        let (one, two) = snapshot(|tx| {
            let Some(node) = self.head.read_ref(tx)? else { return Ok((0, 0)) };
            let node = node.get(tx);
            std::thread::yield_now();
            Ok((node.marble.value, node.cell.read_ref(tx)?.value))
        });
        assert_eq!(one, two, "a node says one thing");
    }

    /// Makes cells inside a transaction; one of them replaces another that somebody may be using.
    pub(super) fn renew(&self, number: u64) {
        atomically(|tx| {
            let cell = TVar::new(self.census.make(number));
            let dropped = TVar::new(self.census.make(number));
            dropped.modify(tx, |value| value.value += 1)?;
            drop(dropped);
            cell.modify(tx, |value| value.value += 1)?;
            self.inner.write(tx, cell)
        });
        let after = atomically(|tx| self.through(tx));
        assert!(after > 0, "the cell was written before it was shared");
    }

    fn through(&self, tx: &mut Tx<'_>) -> Stm<u64> {
        let cell = self.inner.read(tx)?;
        cell.modify(tx, |value| value.value += 1)?;
        Ok(cell.read_ref(tx)?.value)
    }
}

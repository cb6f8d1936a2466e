//! An ordered map from keys to numbers: a treap.
//!
//! A tree that is sorted by key from left to right, and by priority from the root down; the priority is a hash of the
//! key (Seidel and Aragon, "Randomized search trees", 1996). It is as deep as a balanced tree but for a factor, has no
//! marks that would have to be kept true, and an insertion or a removal writes two links on average, wherever the key
//! is. STAMP has red-black trees in its place. A node stays the same for as long as its key is in the map, so arrays
//! beside the map may hold more about it.

use super::pool::{NIL, Pool};
use crate::engine::{Engine, Tx, View};

/// No tree is this deep: expected is about twice the logarithm of the size.
const DEEPEST: usize = 1_024;

/// An ordered map.
pub(super) struct Tree<E: Engine> {
    root: E::Cell<u32>,
    /// Its links are those to the left.
    pool: Pool<E>,
    right: Box<[E::Cell<u32>]>,
    keys: Box<[E::Cell<u64>]>,
    values: Box<[E::Cell<u32>]>,
}

debug_by_name!(Tree);

/// All keys with their nodes, sorted, or what is wrong with the tree.
pub(super) type All = Result<Vec<(u64, u32)>, &'static str>;

/// The priority of a key. No two keys have the same one: each step can be undone.
const fn priority(key: u64) -> u64 {
    // The finalizer of splitmix64.
    let key = (key ^ (key >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let key = (key ^ (key >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    key ^ (key >> 31)
}

impl<E: Engine> Tree<E> {
    /// Makes a map with these keys, which are sorted, and room for so many more. The value of a key is at first the
    /// same for all; its node is its index.
    pub(super) fn new(sorted: &[u64], value: u32, free: usize, lanes: usize) -> Self {
        let (mut left, mut right) = (vec![NIL; sorted.len()], vec![NIL; sorted.len()]);
        // The way from the root to the last key, always to the right.
        let mut spine: Vec<u32> = Vec::new();
        for (node, &key) in sorted.iter().enumerate() {
            debug_assert!(node == 0 || sorted[node - 1] < key, "keys are sorted");
            let mut below = NIL;
            while let Some(last) = spine.pop_if(|last| priority(sorted[*last as usize]) < priority(key)) {
                below = last;
            }
            left[node] = below;
            if let Some(&above) = spine.last() {
                right[above as usize] = node as u32;
            }
            spine.push(node as u32);
        }
        Self {
            root: E::cell(spine.first().copied().unwrap_or(NIL)),
            pool: Pool::new(left, free, lanes),
            right: right.into_iter().chain((0..free).map(|_| NIL)).map(|link| E::cell(link)).collect(),
            keys: sorted.iter().copied().chain((0..free).map(|_| 0)).map(|key| E::cell(key)).collect(),
            values: (0..sorted.len() + free).map(|_| E::cell(value)).collect(),
        }
    }

    fn left(&self, node: u32) -> &E::Cell<u32> {
        self.pool.link(node)
    }

    fn right(&self, node: u32) -> &E::Cell<u32> {
        &self.right[node as usize]
    }

    fn key<'tx>(&'tx self, tx: &mut impl View<'tx, E>, node: u32) -> Result<u64, E::Abort> {
        tx.read(&self.keys[node as usize])
    }

    /// The value of a node.
    pub(super) fn value(&self, node: u32) -> &E::Cell<u32> {
        &self.values[node as usize]
    }

    /// Goes down to the key, or to the first node of a lower priority than the given one. Returns the link that leads
    /// there and the node, which may be none.
    fn descend<'tx>(
        &'tx self,
        tx: &mut impl View<'tx, E>,
        key: u64,
        lowest: u64,
    ) -> Result<(&'tx E::Cell<u32>, u32), E::Abort> {
        let mut link = &self.root;
        for _ in 0..DEEPEST {
            let node = tx.read(link)?;
            if node == NIL {
                return Ok((link, NIL));
            }
            let found = self.key(tx, node)?;
            if found == key || priority(found) < lowest {
                return Ok((link, node));
            }
            link = if found < key { self.right(node) } else { self.left(node) };
        }
        tx.torn()
    }

    /// The node of a key.
    pub(super) fn find<'tx>(&'tx self, tx: &mut impl View<'tx, E>, key: u64) -> Result<Option<u32>, E::Abort> {
        let (_, node) = self.descend(tx, key, 0)?;
        Ok((node != NIL).then_some(node))
    }

    /// Inserts a key that is not in the map, and returns its node.
    pub(super) fn insert<'tx>(
        &'tx self,
        tx: &mut impl Tx<'tx, E>,
        lane: usize,
        key: u64,
        value: u32,
    ) -> Result<u32, E::Abort> {
        let new = self.pool.take(tx, lane)?;
        let (link, mut node) = self.descend(tx, key, priority(key))?;
        tx.write(&self.keys[new as usize], key)?;
        tx.write(self.value(new), value)?;
        tx.write(link, new)?;
        // What was there is split: what is less than the key comes to its left, the rest to its right.
        let (mut less, mut more) = (self.left(new), self.right(new));
        for _ in 0..DEEPEST {
            if node == NIL {
                tx.write(less, NIL)?;
                tx.write(more, NIL)?;
                return Ok(new);
            }
            let found = self.key(tx, node)?;
            if found == key {
                break;
            }
            if found < key {
                tx.write(less, node)?;
                less = self.right(node);
                node = tx.read(less)?;
            } else {
                tx.write(more, node)?;
                more = self.left(node);
                node = tx.read(more)?;
            }
        }
        tx.torn()
    }

    /// Removes a key that is in the map.
    pub(super) fn remove<'tx>(&'tx self, tx: &mut impl Tx<'tx, E>, lane: usize, key: u64) -> Result<(), E::Abort> {
        let (mut link, node) = self.descend(tx, key, 0)?;
        if node == NIL {
            return tx.torn();
        }
        // Its two parts are merged in its place.
        let (mut less, mut more) = (tx.read(self.left(node))?, tx.read(self.right(node))?);
        for _ in 0..DEEPEST {
            if less == NIL || more == NIL {
                tx.write(link, if less == NIL { more } else { less })?;
                return self.pool.give(tx, lane, node);
            }
            let (one, other) = (self.key(tx, less)?, self.key(tx, more)?);
            if priority(one) > priority(other) {
                tx.write(link, less)?;
                link = self.right(less);
                less = tx.read(link)?;
            } else {
                tx.write(link, more)?;
                link = self.left(more);
                more = tx.read(link)?;
            }
        }
        tx.torn()
    }

    /// All keys with their nodes, sorted, or what is wrong with the tree.
    pub(super) fn all<'tx>(&'tx self, tx: &mut impl View<'tx, E>) -> Result<All, E::Abort> {
        let mut all = Vec::new();
        let mut above = Vec::new();
        let mut node = tx.read(&self.root)?;
        while node != NIL || !above.is_empty() {
            while node != NIL {
                let key = self.key(tx, node)?;
                if above.last().is_some_and(|&(over, _)| priority(over) < priority(key)) || above.len() == DEEPEST {
                    return Ok(Err("that a tree is sorted by priority"));
                }
                above.push((key, node));
                node = tx.read(self.left(node))?;
            }
            let Some((key, next)) = above.pop() else { break };
            if all.last().is_some_and(|&(before, _)| before >= key) {
                return Ok(Err("that a tree is sorted by key"));
            }
            all.push((key, next));
            node = tx.read(self.right(next))?;
        }
        Ok(Ok(all))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    use super::*;
    use crate::engine::{Bare, InlineCells, Thread};
    use crate::workload::index;

    /// Random insertions and removals, against the map of the standard library.
    fn is_as_the_standard_one<E: Engine>() {
        const KEYS: usize = 64;
        let first: Vec<u64> = (0..KEYS as u64).step_by(2).collect();
        let world = E::world(Tree::<E>::new(&first, 7, KEYS / 2, 2));
        let mut model: BTreeSet<u64> = first.into_iter().collect();
        let mut thread = Thread::<E, _>::enter(&world);
        let mut random = SmallRng::seed_from_u64(1);
        for _ in 0..4_000 {
            let (key, lane) = (index(&mut random, KEYS) as u64, index(&mut random, 2));
            let was_there = thread.atomically(|tx, tree| {
                let node = tree.find(tx, key)?;
                match node {
                    Some(_) => tree.remove(tx, lane, key)?,
                    None => _ = tree.insert(tx, lane, key, 1)?,
                }
                Ok(node.is_some())
            });
            assert_eq!(was_there, !model.insert(key));
            if was_there {
                model.remove(&key);
            }
            let all = thread.snapshot(|tx, tree| tree.all(tx)).expect("the tree is sorted");
            assert!(all.iter().map(|&(key, _)| key).eq(model.iter().copied()));
        }
    }

    #[test]
    fn a_tree_is_a_map() {
        is_as_the_standard_one::<Bare>();
        is_as_the_standard_one::<InlineCells>();
    }
}

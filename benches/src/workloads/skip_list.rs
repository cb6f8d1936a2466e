//! A skip list. How high a node is depends on its index alone, in the usual proportion, so that it is no cell.

use super::set::{NIL, Structure, Walk};
use crate::engine::{Engine, Tx, View};

const LEVELS: usize = 16;
const HEAD: u32 = 0;

/// A skip list of keys below 2^16.
#[derive(Clone, Copy, Debug)]
pub struct SkipList;

/// The cells.
pub struct Nodes<E: Engine> {
    keys: Box<[E::Cell<u64>]>,
    /// The links of all nodes; those of node *n* begin at `first[n]` and end before `first[n + 1]`.
    links: Box<[E::Cell<u32>]>,
    first: Box<[u32]>,
}

impl<E: Engine> std::fmt::Debug for Nodes<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nodes").field("keys", &self.keys.len()).field("links", &self.links.len()).finish()
    }
}

/// The nodes before and after a key, on each level.
struct Path {
    before: [u32; LEVELS],
    after: [u32; LEVELS],
    is_there: bool,
}

fn height(node: u32) -> usize {
    if node == HEAD {
        return LEVELS;
    }
    // Mixed, so that neighbours in the array have nothing in common; half of all nodes are one higher each.
    let mixed = (u64::from(node) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 24;
    (1 + mixed.trailing_ones() as usize).min(LEVELS)
}

impl<E: Engine> Nodes<E> {
    #[inline]
    fn height(&self, node: u32) -> usize {
        (self.first[node as usize + 1] - self.first[node as usize]) as usize
    }

    #[inline]
    fn link(&self, node: u32, level: usize) -> &E::Cell<u32> {
        &self.links[self.first[node as usize] as usize + level]
    }

    #[inline]
    fn find<'tx>(&'tx self, tx: &mut impl View<'tx, E>, key: u64) -> Result<Path, E::Abort> {
        let mut path = Path { before: [HEAD; LEVELS], after: [NIL; LEVELS], is_there: false };
        let mut at = HEAD;
        let mut last = None;
        for level in (0..LEVELS).rev() {
            loop {
                if level >= self.height(at) {
                    return tx.torn();
                }
                let next = tx.read(self.link(at, level))?;
                let found = if next == NIL { u64::MAX } else { tx.read(&self.keys[next as usize])? };
                if found >= key {
                    (path.before[level], path.after[level]) = (at, next);
                    path.is_there = found == key;
                    break;
                }
                if last >= Some(found) {
                    return tx.torn();
                }
                last = Some(found);
                at = next;
            }
        }
        Ok(path)
    }
}

impl Structure for SkipList {
    type Nodes<E: Engine> = Nodes<E>;

    fn range(&self) -> usize {
        1 << 16
    }

    fn nodes<E: Engine>(&self, capacity: usize) -> Nodes<E> {
        let mut first = Vec::with_capacity(capacity + 1);
        first.push(0);
        for node in 0..capacity as u32 {
            first.push(first[node as usize] + height(node) as u32);
        }
        let links = first[capacity] as usize;
        Nodes {
            keys: (0..capacity).map(|_| E::cell(0)).collect(),
            links: (0..links).map(|_| E::cell(NIL)).collect(),
            first: first.into(),
        }
    }

    #[inline]
    fn contains<'tx, E: Engine>(tx: &mut impl View<'tx, E>, nodes: &'tx Nodes<E>, key: u64) -> Result<bool, E::Abort> {
        Ok(nodes.find(tx, key)?.is_there)
    }

    #[inline]
    fn insert<'tx, E: Engine>(
        tx: &mut impl Tx<'tx, E>,
        nodes: &'tx Nodes<E>,
        key: u64,
        free: u32,
    ) -> Result<bool, E::Abort> {
        let path = nodes.find(tx, key)?;
        if !path.is_there {
            tx.write(&nodes.keys[free as usize], key)?;
            for level in 0..nodes.height(free) {
                tx.write(nodes.link(free, level), path.after[level])?;
                tx.write(nodes.link(path.before[level], level), free)?;
            }
        }
        Ok(!path.is_there)
    }

    #[inline]
    fn remove<'tx, E: Engine>(
        tx: &mut impl Tx<'tx, E>,
        nodes: &'tx Nodes<E>,
        key: u64,
    ) -> Result<Option<u32>, E::Abort> {
        let path = nodes.find(tx, key)?;
        if !path.is_there {
            return Ok(None);
        }
        let node = path.after[0];
        for level in 0..nodes.height(node) {
            if path.after[level] != node {
                return tx.torn();
            }
            let next = tx.read(nodes.link(node, level))?;
            tx.write(nodes.link(path.before[level], level), next)?;
        }
        Ok(Some(node))
    }

    fn walk<'tx, E: Engine>(tx: &mut impl View<'tx, E>, nodes: &'tx Nodes<E>) -> Result<Walk, E::Abort> {
        let mut lowest = Vec::new();
        for level in 0..LEVELS {
            let mut found: Vec<(u32, u64)> = Vec::new();
            let mut node = tx.read(nodes.link(HEAD, level))?;
            while node != NIL {
                let key = tx.read(&nodes.keys[node as usize])?;
                if found.last().is_some_and(|&(_, last)| last >= key) || nodes.height(node) <= level {
                    return Ok(Err("that a level is sorted, of nodes high enough"));
                }
                found.push((node, key));
                node = tx.read(nodes.link(node, level))?;
            }
            if level == 0 {
                lowest = found;
            } else if !found.iter().eq(lowest.iter().filter(|&&(node, _)| nodes.height(node) > level)) {
                return Ok(Err("that a level has all nodes that are high enough"));
            }
        }
        Ok(Ok(lowest))
    }
}

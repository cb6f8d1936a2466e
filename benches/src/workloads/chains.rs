//! Sorted chains: one of them is a sorted list, many are a hash set.

use super::set::{NIL, Structure, Walk};
use crate::engine::{Engine, Tx, View};

/// A hash set of sorted chains.
#[derive(Clone, Copy, Debug)]
pub struct Chains {
    /// How many there are; a power of two.
    pub buckets: usize,
    /// Keys are below this.
    pub range: usize,
}

impl Chains {
    /// A single sorted list of keys below 1,024.
    pub const LIST: Self = Self { buckets: 1, range: 1_024 };
    /// A hash set of keys below 2^16, with a bucket for each that is in it on average.
    pub const HASH: Self = Self { buckets: 1 << 15, range: 1 << 16 };
}

struct Node<E: Engine> {
    key: E::Cell<u64>,
    next: E::Cell<u32>,
}

/// The cells.
pub struct Nodes<E: Engine> {
    heads: Box<[E::Cell<u32>]>,
    nodes: Box<[Node<E>]>,
}

impl<E: Engine> std::fmt::Debug for Nodes<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nodes").field("heads", &self.heads.len()).field("nodes", &self.nodes.len()).finish()
    }
}

/// Where a key is, or would be.
struct Place<'tx, E: Engine> {
    link: &'tx E::Cell<u32>,
    node: u32,
    is_there: bool,
}

impl<E: Engine> Nodes<E> {
    #[inline]
    fn head(&self, key: u64) -> &E::Cell<u32> {
        // Fibonacci hashing; the upper bits are the good ones.
        let hash = key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        &self.heads[hash as usize & (self.heads.len() - 1)]
    }

    #[inline]
    fn find<'tx>(&'tx self, tx: &mut impl View<'tx, E>, key: u64) -> Result<Place<'tx, E>, E::Abort> {
        let mut link = self.head(key);
        let mut last = None;
        loop {
            let node = tx.read(link)?;
            if node == NIL {
                return Ok(Place { link, node, is_there: false });
            }
            let found = tx.read(&self.nodes[node as usize].key)?;
            if found >= key {
                return Ok(Place { link, node, is_there: found == key });
            }
            if last >= Some(found) {
                return tx.torn();
            }
            last = Some(found);
            link = &self.nodes[node as usize].next;
        }
    }
}

impl Structure for Chains {
    type Nodes<E: Engine> = Nodes<E>;

    fn range(&self) -> usize {
        self.range
    }

    fn nodes<E: Engine>(&self, capacity: usize) -> Nodes<E> {
        Nodes {
            heads: (0..self.buckets).map(|_| E::cell(NIL)).collect(),
            nodes: (0..capacity).map(|_| Node { key: E::cell(0), next: E::cell(NIL) }).collect(),
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
        let place = nodes.find(tx, key)?;
        if !place.is_there {
            let node = &nodes.nodes[free as usize];
            tx.write(&node.key, key)?;
            tx.write(&node.next, place.node)?;
            tx.write(place.link, free)?;
        }
        Ok(!place.is_there)
    }

    #[inline]
    fn remove<'tx, E: Engine>(
        tx: &mut impl Tx<'tx, E>,
        nodes: &'tx Nodes<E>,
        key: u64,
    ) -> Result<Option<u32>, E::Abort> {
        let place = nodes.find(tx, key)?;
        if !place.is_there {
            return Ok(None);
        }
        let next = tx.read(&nodes.nodes[place.node as usize].next)?;
        tx.write(place.link, next)?;
        Ok(Some(place.node))
    }

    fn walk<'tx, E: Engine>(tx: &mut impl View<'tx, E>, nodes: &'tx Nodes<E>) -> Result<Walk, E::Abort> {
        let mut found = Vec::new();
        for head in &nodes.heads {
            let mut last = None;
            let mut node = tx.read(head)?;
            while node != NIL {
                let key = tx.read(&nodes.nodes[node as usize].key)?;
                if last >= Some(key) {
                    return Ok(Err("that a chain is sorted"));
                }
                if !std::ptr::eq(nodes.head(key), head) {
                    return Ok(Err("that a key is in its chain"));
                }
                last = Some(key);
                found.push((node, key));
                node = tx.read(&nodes.nodes[node as usize].next)?;
            }
        }
        Ok(Ok(found))
    }
}

//! A relaxed AVL tree: balanced again after an insertion, and not after a removal (Sen and Tarjan, "Deletion without
//! rebalancing in balanced binary trees", SODA 2010). Its height is logarithmic in the number of insertions.
//!
//! # Invariants
//! The rank of a node is larger than that of its children; that of a missing child is -1.

use super::set::{NIL, Structure, Walk};
use crate::engine::{Engine, Tx, View};

/// The longest way down. The rank of the root is at most 1.44 times the logarithm of the insertions.
const DEEPEST: usize = 96;

/// A relaxed AVL tree of keys below 2^16.
#[derive(Clone, Copy, Debug)]
pub struct Tree;

struct Node<E: Engine> {
    key: E::Cell<u64>,
    children: [E::Cell<u32>; 2],
    rank: E::Cell<i32>,
}

/// The cells.
pub struct Nodes<E: Engine> {
    root: E::Cell<u32>,
    nodes: Box<[Node<E>]>,
}

impl<E: Engine> std::fmt::Debug for Nodes<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nodes").field("nodes", &self.nodes.len()).finish_non_exhaustive()
    }
}

/// The way down from the root: each node with the side on which it was left.
struct Path {
    steps: [(u32, usize); DEEPEST],
    depth: usize,
}

impl Path {
    fn step(&self, depth: usize) -> (u32, usize) {
        self.steps[depth]
    }
}

impl<E: Engine> Nodes<E> {
    fn node(&self, node: u32) -> &Node<E> {
        &self.nodes[node as usize]
    }

    fn rank<'tx>(&'tx self, tx: &mut impl View<'tx, E>, node: u32) -> Result<i32, E::Abort> {
        if node == NIL { Ok(-1) } else { tx.read(&self.node(node).rank) }
    }

    fn child<'tx>(&'tx self, tx: &mut impl View<'tx, E>, node: u32, side: usize) -> Result<u32, E::Abort> {
        tx.read(&self.node(node).children[side])
    }

    /// The link that leads to the node at this depth of the path.
    fn link(&self, path: &Path, depth: usize) -> &E::Cell<u32> {
        match depth.checked_sub(1).map(|above| path.step(above)) {
            None => &self.root,
            Some((parent, side)) => &self.node(parent).children[side],
        }
    }

    /// Goes down to the key, and returns its node, or `NIL` where it would be.
    #[inline]
    fn find<'tx>(&'tx self, tx: &mut impl View<'tx, E>, key: u64) -> Result<(Path, u32), E::Abort> {
        let mut path = Path { steps: [(NIL, 0); DEEPEST], depth: 0 };
        let mut node = tx.read(&self.root)?;
        while node != NIL {
            let found = tx.read(&self.node(node).key)?;
            if found == key {
                break;
            }
            let side = usize::from(found < key);
            node = self.descend(tx, &mut path, node, side)?;
        }
        Ok((path, node))
    }

    /// Goes one step down, and returns the child.
    #[inline]
    fn descend<'tx>(
        &'tx self,
        tx: &mut impl View<'tx, E>,
        path: &mut Path,
        node: u32,
        side: usize,
    ) -> Result<u32, E::Abort> {
        if path.depth == DEEPEST {
            return tx.torn();
        }
        path.steps[path.depth] = (node, side);
        path.depth += 1;
        self.child(tx, node, side)
    }

    /// Restores the invariant above `node`, which has just come to the end of the path with rank 0.
    fn rebalance<'tx>(&'tx self, tx: &mut impl Tx<'tx, E>, path: &Path, mut node: u32) -> Result<(), E::Abort> {
        let mut rank = 0;
        for depth in (0..path.depth).rev() {
            let (parent, side) = path.step(depth);
            let parent_rank = self.rank(tx, parent)?;
            if parent_rank > rank {
                break;
            }
            let sibling = self.child(tx, parent, 1 - side)?;
            if parent_rank - self.rank(tx, sibling)? > 1 {
                return self.rotate(tx, self.link(path, depth), parent, node, side);
            }
            rank = parent_rank + 1;
            tx.write(&self.node(parent).rank, rank)?;
            node = parent;
        }
        Ok(())
    }

    /// Ends a rebalancing: `node`, or its inner child, takes the place of `parent`.
    fn rotate<'tx>(
        &'tx self,
        tx: &mut impl Tx<'tx, E>,
        link: &'tx E::Cell<u32>,
        parent: u32,
        node: u32,
        side: usize,
    ) -> Result<(), E::Abort> {
        let inner = self.child(tx, node, 1 - side)?;
        let rank = self.rank(tx, node)?;
        if rank - self.rank(tx, inner)? > 1 {
            tx.write(&self.node(parent).children[side], inner)?;
            tx.write(&self.node(node).children[1 - side], parent)?;
            tx.write(&self.node(parent).rank, rank - 1)?;
            return tx.write(link, node);
        }
        if inner == NIL {
            return tx.torn();
        }
        let [near, far] = [self.child(tx, inner, side)?, self.child(tx, inner, 1 - side)?];
        tx.write(&self.node(node).children[1 - side], near)?;
        tx.write(&self.node(parent).children[side], far)?;
        tx.write(&self.node(inner).children[side], node)?;
        tx.write(&self.node(inner).children[1 - side], parent)?;
        tx.write(&self.node(inner).rank, rank)?;
        tx.write(&self.node(node).rank, rank - 1)?;
        tx.write(&self.node(parent).rank, rank - 1)?;
        tx.write(link, inner)
    }
}

impl Structure for Tree {
    type Nodes<E: Engine> = Nodes<E>;

    fn range(&self) -> usize {
        1 << 16
    }

    fn nodes<E: Engine>(&self, capacity: usize) -> Nodes<E> {
        let node = |_| Node { key: E::cell(0), children: [E::cell(NIL), E::cell(NIL)], rank: E::cell(0) };
        Nodes { root: E::cell(NIL), nodes: (0..capacity).map(node).collect() }
    }

    #[inline]
    fn contains<'tx, E: Engine>(tx: &mut impl View<'tx, E>, nodes: &'tx Nodes<E>, key: u64) -> Result<bool, E::Abort> {
        let mut node = tx.read(&nodes.root)?;
        for _ in 0..DEEPEST {
            if node == NIL {
                return Ok(false);
            }
            let found = tx.read(&nodes.node(node).key)?;
            if found == key {
                return Ok(true);
            }
            node = nodes.child(tx, node, usize::from(found < key))?;
        }
        tx.torn()
    }

    #[inline]
    fn insert<'tx, E: Engine>(
        tx: &mut impl Tx<'tx, E>,
        nodes: &'tx Nodes<E>,
        key: u64,
        free: u32,
    ) -> Result<bool, E::Abort> {
        let (path, found) = nodes.find(tx, key)?;
        if found != NIL {
            return Ok(false);
        }
        let node = nodes.node(free);
        tx.write(&node.key, key)?;
        tx.write(&node.rank, 0)?;
        tx.write(&node.children[0], NIL)?;
        tx.write(&node.children[1], NIL)?;
        tx.write(nodes.link(&path, path.depth), free)?;
        nodes.rebalance(tx, &path, free)?;
        Ok(true)
    }

    #[inline]
    fn remove<'tx, E: Engine>(
        tx: &mut impl Tx<'tx, E>,
        nodes: &'tx Nodes<E>,
        key: u64,
    ) -> Result<Option<u32>, E::Abort> {
        let (mut path, found) = nodes.find(tx, key)?;
        if found == NIL {
            return Ok(None);
        }
        let children = [nodes.child(tx, found, 0)?, nodes.child(tx, found, 1)?];
        let mut gone = found;
        let mut child = if children[0] == NIL { children[1] } else { children[0] };
        if !children.contains(&NIL) {
            // The next key takes its place, and the node of that one goes, which has no left child.
            gone = nodes.descend(tx, &mut path, found, 1)?;
            loop {
                let left = nodes.child(tx, gone, 0)?;
                if left == NIL {
                    break;
                }
                gone = nodes.descend(tx, &mut path, gone, 0)?;
            }
            let next = tx.read(&nodes.node(gone).key)?;
            tx.write(&nodes.node(found).key, next)?;
            child = nodes.child(tx, gone, 1)?;
        }
        tx.write(nodes.link(&path, path.depth), child)?;
        Ok(Some(gone))
    }

    fn walk<'tx, E: Engine>(tx: &mut impl View<'tx, E>, nodes: &'tx Nodes<E>) -> Result<Walk, E::Abort> {
        let mut found = Vec::new();
        let mut last = None;
        let mut above = Vec::new();
        let mut node = tx.read(&nodes.root)?;
        while node != NIL || !above.is_empty() {
            while node != NIL {
                if above.len() == DEEPEST {
                    return Ok(Err("that the tree is balanced"));
                }
                above.push(node);
                let rank = nodes.rank(tx, node)?;
                for side in 0..2 {
                    let child = nodes.child(tx, node, side)?;
                    if nodes.rank(tx, child)? >= rank {
                        return Ok(Err("that a rank is larger than those below"));
                    }
                }
                node = nodes.child(tx, node, 0)?;
            }
            let Some(next) = above.pop() else { break };
            let key = tx.read(&nodes.node(next).key)?;
            if last >= Some(key) {
                return Ok(Err("that the tree is sorted"));
            }
            last = Some(key);
            found.push((next, key));
            node = nodes.child(tx, next, 1)?;
        }
        Ok(Ok(found))
    }
}

//! Nodes that transactions take and give back.

use crossbeam_utils::CachePadded;

use crate::engine::{Engine, Tx};

/// No node.
pub(super) const NIL: u32 = u32::MAX;

/// The nodes that are in no structure, a part of them for each thread. A node is a number: what it holds is in arrays
/// of whoever uses it, but for one link, which a free node needs itself.
pub(super) struct Pool<E: Engine> {
    links: Box<[E::Cell<u32>]>,
    lanes: Box<[CachePadded<Lane<E>>]>,
}

/// The nodes of one thread: those that were given back, and those from `fresh` to `end`, which were never used.
struct Lane<E: Engine> {
    free: E::Cell<u32>,
    fresh: E::Cell<u32>,
    end: u32,
}

debug_by_name!(Pool);

impl<E: Engine> Pool<E> {
    /// Makes nodes in use, with these links, and so many free ones.
    pub(super) fn new(used: Vec<u32>, free: usize, lanes: usize) -> Self {
        let first_free = used.len();
        let border =
            |lane: usize| u32::try_from(first_free + free * lane / lanes).expect("a node is a number of 32 bits");
        let lane = |lane| Lane { free: E::cell(NIL), fresh: E::cell(border(lane)), end: border(lane + 1) };
        Self {
            lanes: (0..lanes).map(|number| CachePadded::new(lane(number))).collect(),
            links: used.into_iter().chain((0..free).map(|_| NIL)).map(|link| E::cell(link)).collect(),
        }
    }

    /// The link of a node. While the node is taken, it is the taker's to use.
    pub(super) fn link(&self, node: u32) -> &E::Cell<u32> {
        &self.links[node as usize]
    }

    /// Takes a node: one of this lane, or of another one if it has none.
    pub(super) fn take<'tx>(&'tx self, tx: &mut impl Tx<'tx, E>, lane: usize) -> Result<u32, E::Abort> {
        for nth in 0..self.lanes.len() {
            let lane = &self.lanes[(lane + nth) % self.lanes.len()];
            let free = tx.read(&lane.free)?;
            if free != NIL {
                let next = tx.read(self.link(free))?;
                tx.write(&lane.free, next)?;
                return Ok(free);
            }
            let fresh = tx.read(&lane.fresh)?;
            if fresh < lane.end {
                tx.write(&lane.fresh, fresh + 1)?;
                return Ok(fresh);
            }
        }
        // There are as many as can be in use at once.
        tx.torn()
    }

    /// Gives a node back.
    pub(super) fn give<'tx>(&'tx self, tx: &mut impl Tx<'tx, E>, lane: usize, node: u32) -> Result<(), E::Abort> {
        let lane = &self.lanes[lane];
        let next = tx.read(&lane.free)?;
        tx.write(self.link(node), next)?;
        tx.write(&lane.free, node)
    }
}

//! Finding the smallest cycle of a graph.
//!
//! # Protocol
//! 1. Tarjan's algorithm gives the strongly connected components, without recursion. A graph without a component of
//!    more than one node has no cycle; that is the common case, and linear.
//! 2. Within the others, a breadth-first search from each attempt in turn finds the shortest way back to it. An attempt
//!    costs one and a barrier nothing.
//! 3. The searches stop at a cycle of two, or when they have looked at [`SEARCH_MAX`] edges; the first search always ends, and so finds a cycle.
//!
//! R. E. Tarjan, *Depth-First Search and Linear Graph Algorithms*, SIAM Journal on Computing 1(2), 1972.

use std::collections::VecDeque;

use super::check::LinkKind;
use super::graph::Graph;

/// How many edges the searches may look at in all.
const SEARCH_MAX: usize = 3_000_000;

const UNSEEN: usize = usize::MAX;

/// The attempts of a cycle, each with the kind of edge to the next; the last leads back to the first.
pub(super) type Cycle = Vec<(usize, LinkKind)>;

/// Whether there is a cycle.
pub(super) fn is_in(graph: &Graph) -> bool {
    Components::of(graph).sizes.iter().any(|&size| size > 1)
}

/// Finds a cycle with as few attempts as can be.
pub(super) fn smallest(graph: &Graph) -> Option<Cycle> {
    let components = Components::of(graph);
    let mut search = Search::new(graph, &components.of_node);
    let mut best: Option<Cycle> = None;
    for start in (0..graph.attempts).filter(|&node| components.sizes[components.of_node[node]] > 1) {
        let is_smallest = best.as_ref().is_some_and(|cycle| cycle.len() == 2);
        if is_smallest || best.is_some() && search.looked_at > SEARCH_MAX {
            break;
        }
        let shorter_than = best.as_ref().map_or(usize::MAX, Vec::len);
        if let Some(cycle) = search.back_to(start, shorter_than) {
            best = Some(cycle);
        }
    }
    best
}

struct Components {
    of_node: Vec<usize>,
    sizes: Vec<usize>,
}

/// A node being visited by Tarjan's algorithm.
struct Visit {
    node: usize,
    next_edge: usize,
}

impl Components {
    fn of(graph: &Graph) -> Self {
        let nodes = graph.edges.len();
        let mut components = Self { of_node: vec![UNSEEN; nodes], sizes: Vec::new() };
        let (mut order, mut lowest) = (vec![UNSEEN; nodes], vec![UNSEEN; nodes]);
        let (mut open, mut visits, mut count) = (Vec::new(), Vec::new(), 0);
        for root in 0..nodes {
            if order[root] != UNSEEN {
                continue;
            }
            visits.push(Visit { node: root, next_edge: 0 });
            while let Some(visit) = visits.last_mut() {
                let node = visit.node;
                if visit.next_edge == 0 && order[node] == UNSEEN {
                    (order[node], lowest[node]) = (count, count);
                    count += 1;
                    open.push(node);
                }
                if let Some(edge) = graph.edges[node].get(visit.next_edge) {
                    visit.next_edge += 1;
                    if order[edge.to] == UNSEEN {
                        visits.push(Visit { node: edge.to, next_edge: 0 });
                    } else if components.of_node[edge.to] == UNSEEN {
                        lowest[node] = lowest[node].min(order[edge.to]);
                    }
                    continue;
                }
                visits.pop();
                if let Some(parent) = visits.last() {
                    lowest[parent.node] = lowest[parent.node].min(lowest[node]);
                }
                if lowest[node] == order[node] {
                    components.close(&mut open, node);
                }
            }
        }
        components
    }

    /// Makes a component of what was opened since `root`.
    fn close(&mut self, open: &mut Vec<usize>, root: usize) {
        let mut size = 0;
        while let Some(node) = open.pop() {
            self.of_node[node] = self.sizes.len();
            size += 1;
            if node == root {
                break;
            }
        }
        self.sizes.push(size);
    }
}

/// Breadth-first searches that share their memory.
struct Search<'a> {
    graph: &'a Graph,
    components: &'a [usize],
    /// The search that last reached a node, with how far it was and where it was reached from.
    reached: Vec<Reached>,
    searches: usize,
    looked_at: usize,
}

#[derive(Clone, Copy, Default)]
struct Reached {
    search: usize,
    cost: usize,
    from: usize,
    kind: Option<LinkKind>,
}

impl<'a> Search<'a> {
    fn new(graph: &'a Graph, components: &'a [usize]) -> Self {
        let reached = vec![Reached::default(); graph.edges.len()];
        Self { graph, components, reached, searches: 0, looked_at: 0 }
    }

    /// The shortest cycle through `start` with fewer attempts than `shorter_than`.
    fn back_to(&mut self, start: usize, shorter_than: usize) -> Option<Cycle> {
        self.searches += 1;
        let mut queue = VecDeque::from([(start, 0)]);
        while let Some((node, cost)) = queue.pop_front() {
            if node == start && cost > 0 {
                return Some(self.way_back(start));
            }
            let is_outdated = node != start && self.reached[node].cost < cost;
            if is_outdated {
                continue;
            }
            for edge in &self.graph.edges[node] {
                self.looked_at += 1;
                let step = usize::from(edge.to < self.graph.attempts);
                let cost = cost + step;
                let reached = &mut self.reached[edge.to];
                let is_news = reached.search != self.searches || cost < reached.cost;
                if self.components[edge.to] != self.components[start] || cost >= shorter_than || !is_news {
                    continue;
                }
                *reached = Reached { search: self.searches, cost, from: node, kind: edge.kind };
                if step == 0 { queue.push_front((edge.to, cost)) } else { queue.push_back((edge.to, cost)) }
            }
        }
        None
    }

    /// Follows the search back; barriers vanish, and the kind that a chain carries stays.
    fn way_back(&self, start: usize) -> Cycle {
        let mut cycle = Vec::new();
        let (mut node, mut kind) = (start, None);
        loop {
            let reached = self.reached[node];
            kind = kind.or(reached.kind);
            node = reached.from;
            if node < self.graph.attempts {
                cycle.push((node, kind.take().expect("each way between two attempts has a kind")));
            }
            if node == start {
                cycle.reverse();
                return cycle;
            }
        }
    }
}

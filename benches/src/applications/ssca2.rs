//! SSCA2, of STAMP: the first kernel of the Scalable Synthetic Compact Applications 2 (Bader and Madduri, 2005), which
//! makes arrays of neighbours from a list of the edges of a large directed multigraph.
//!
//! # Protocol
//! 1. Count the edges from and to each vertex: a transaction for each edge.
//! 2. One thread turns the counts into the places where the neighbours of each vertex begin.
//! 3. Put each edge into both arrays: a transaction for each edge.
//!
//! Transactions are small, and rarely of the same vertices.
//!
//! # The graph
//! Vertices are in cliques of random sizes. Two vertices of a clique are joined by one or more parallel edges; cliques
//! are joined at distances of powers of two, the less probably the farther. The path length (`-l`) is for another kernel.

use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;

use crate::engine::{Abilities, Engine, Thread, Tx, View};
use crate::workload::{Part, Program, WrongAnswer, index};

/// The program.
#[derive(Clone, Copy, Debug)]
pub struct Ssca2 {
    /// The logarithm of the number of vertices (`-s`).
    pub scale: u32,
    /// How probably neighbouring cliques are joined (`-i`).
    pub between: f64,
    /// How probably there are edges in one direction only (`-u`).
    pub one_way: f64,
    /// How many parallel edges there are at most (`-p`).
    pub parallel: usize,
}

impl Ssca2 {
    /// For a simulator: `-s13 -i1.0 -u1.0 -l3 -p3`.
    #[must_use]
    pub const fn simulator() -> Self {
        Self { scale: 13, between: 1.0, one_way: 1.0, parallel: 3 }
    }

    /// For real machines: `-s20 -i1.0 -u1.0 -l3 -p3`.
    #[must_use]
    pub const fn native() -> Self {
        Self { scale: 20, ..Self::simulator() }
    }

    const fn vertices(&self) -> usize {
        1 << self.scale
    }
}

/// An edge: from, to, and weight.
type Edge = (u32, u32, u32);

/// The arrays for one direction.
struct Neighbours<E: Engine> {
    /// How many each vertex has; then, where its next one is to be put.
    places: Box<[E::Cell<u32>]>,
    /// The neighbours, by vertex, with the weights of the edges.
    vertices: Box<[E::Cell<u32>]>,
    weights: Box<[E::Cell<u32>]>,
}

impl<E: Engine> Neighbours<E> {
    fn new(vertices: usize, edges: usize) -> Self {
        let zeros = |count| (0..count).map(|_| E::cell(0)).collect();
        Self { places: zeros(vertices), vertices: zeros(edges), weights: zeros(edges) }
    }

    fn put<'tx>(&'tx self, tx: &mut impl Tx<'tx, E>, vertex: u32, other: u32, weight: u32) -> Result<(), E::Abort> {
        let place = tx.read(&self.places[vertex as usize])?;
        if place as usize >= self.vertices.len() {
            return tx.torn();
        }
        tx.write(&self.places[vertex as usize], place + 1)?;
        tx.write(&self.vertices[place as usize], other)?;
        tx.write(&self.weights[place as usize], weight)
    }

    /// Turns the counts into places. After all edges were put, each place is where the next vertex begins.
    fn lay_out<'tx>(&'tx self, tx: &mut impl Tx<'tx, E>) -> Result<(), E::Abort> {
        let mut next = 0;
        for place in &self.places {
            let count = tx.read(place)?;
            tx.write(place, next)?;
            next += count;
        }
        Ok(())
    }
}

/// The graph.
pub struct Graph<E: Engine> {
    from: Neighbours<E>,
    to: Neighbours<E>,
}

debug_by_name!(Graph);

impl Ssca2 {
    /// Adds parallel edges between two vertices.
    fn join(&self, edges: &mut Vec<Edge>, random: &mut SmallRng, one: u32, other: u32) {
        let fraction = |random: &mut SmallRng| index(random, 1 << 20) as f64 / f64::from(1 << 20);
        let is_one_way = fraction(random) < self.one_way;
        let is_forward = index(random, 2) == 0;
        for _ in 0..=index(random, self.parallel) {
            let weight = index(random, self.vertices()) as u32 + 1;
            if !is_one_way || is_forward {
                edges.push((one, other, weight));
            }
            if !is_one_way || !is_forward {
                edges.push((other, one, weight));
            }
        }
    }

    /// The first vertices of cliques, which are of random sizes, and the number of vertices at the end.
    fn cliques(&self, random: &mut SmallRng) -> Vec<usize> {
        let largest = (self.vertices() as f64).cbrt() as usize;
        let mut borders = vec![0];
        while let Some(&first) = borders.last()
            && first < self.vertices()
        {
            borders.push((first + 1 + index(random, largest)).min(self.vertices()));
        }
        borders
    }
}

impl Program for Ssca2 {
    const NEEDS: Abilities = Abilities { atomicity: true, discovery: true, ..Abilities::NONE };

    type Input = Vec<Edge>;
    type Data<E: Engine> = Graph<E>;
    type Output = ();

    fn input(&self, seed: u64) -> Vec<Edge> {
        let mut random = SmallRng::seed_from_u64(seed);
        let random = &mut random;
        let mut names: Vec<u32> = (0..self.vertices() as u32).collect();
        names.shuffle(random);
        let borders = self.cliques(random);
        let cliques: Vec<&[u32]> = borders.windows(2).map(|border| &names[border[0]..border[1]]).collect();
        let mut edges = Vec::new();
        for (number, clique) in cliques.iter().enumerate() {
            for (nth, &one) in clique.iter().enumerate() {
                for &other in &clique[..nth] {
                    self.join(&mut edges, random, one, other);
                }
                let mut chance = self.between;
                let mut distance = 1;
                while distance < cliques.len() {
                    if (index(random, 1 << 20) as f64) < chance * f64::from(1 << 20) {
                        let far = cliques[(number + distance) % cliques.len()];
                        let other = far[index(random, far.len())];
                        self.join(&mut edges, random, one, other);
                    }
                    chance /= 2.0;
                    distance *= 2;
                }
            }
        }
        edges.shuffle(random);
        edges
    }

    fn data<E: Engine>(&self, input: &Vec<Edge>, _threads: usize) -> Graph<E> {
        let neighbours = || Neighbours::new(self.vertices(), input.len());
        Graph { from: neighbours(), to: neighbours() }
    }

    fn run<E: Engine>(&self, input: &Vec<Edge>, part: &Part<'_>, thread: &mut Thread<'_, E, Graph<E>>) {
        let share = &input[part.share(input.len())];
        for &(from, to, _) in share {
            thread.atomically(|tx, graph| {
                tx.modify(&graph.from.places[from as usize], |count| *count += 1)?;
                tx.modify(&graph.to.places[to as usize], |count| *count += 1)
            });
        }
        part.barrier(thread);
        if part.thread == 0 {
            thread.atomically(|tx, graph| graph.from.lay_out(tx));
            thread.atomically(|tx, graph| graph.to.lay_out(tx));
        }
        part.barrier(thread);
        for &(from, to, weight) in share {
            thread.atomically(|tx, graph| {
                graph.from.put(tx, from, to, weight)?;
                graph.to.put(tx, to, from, weight)
            });
        }
    }

    /// The edges of both arrays are those of the list.
    fn check<E: Engine>(
        &self,
        input: &Vec<Edge>,
        thread: &mut Thread<'_, E, Graph<E>>,
        _outputs: &[()],
    ) -> Result<u64, WrongAnswer> {
        let mut expected = input.clone();
        expected.sort_unstable();
        for is_forward in [true, false] {
            let mut found = Vec::with_capacity(expected.len());
            let mut place = 0;
            for vertex in 0..self.vertices() {
                let edges = thread.snapshot(|tx, graph| {
                    let neighbours = if is_forward { &graph.from } else { &graph.to };
                    let end = tx.read(&neighbours.places[vertex])? as usize;
                    (place..end.min(input.len()))
                        .map(|place| Ok((tx.read(&neighbours.vertices[place])?, tx.read(&neighbours.weights[place])?)))
                        .collect::<Result<Vec<_>, E::Abort>>()
                });
                place += edges.len();
                let vertex = vertex as u32;
                found.extend(
                    edges.into_iter().map(
                        |(other, weight)| {
                            if is_forward { (vertex, other, weight) } else { (other, vertex, weight) }
                        },
                    ),
                );
            }
            found.sort_unstable();
            WrongAnswer::unless("whether the arrays have all edges", found == expected)?;
        }
        Ok(input.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{is_found, is_right_everywhere, notices_lost_writes};
    use super::*;

    const SMALL: Ssca2 = Ssca2 { scale: 7, ..Ssca2::simulator() };

    #[test]
    fn every_engine_makes_the_same_graph() {
        let both_ways = Ssca2 { one_way: 0.5, ..SMALL };
        for program in [SMALL, both_ways] {
            is_right_everywhere(&program, program.input(7).len() as u64);
        }
    }

    #[test]
    fn every_vertex_has_an_edge() {
        let program = Ssca2::simulator();
        let mut has_edge = vec![false; program.vertices()];
        for (from, to, _) in program.input(1) {
            has_edge[from as usize] = true;
            has_edge[to as usize] = true;
        }
        assert!(has_edge.into_iter().all(|has| has));
    }

    #[test]
    fn a_wrong_weight_is_found() {
        is_found(
            &SMALL,
            |thread, _| thread.atomically(|tx, graph| tx.modify(&graph.to.weights[5], |weight| *weight += 1)),
            "all edges",
        );
    }

    #[test]
    fn a_lost_edge_is_found() {
        is_found(
            &SMALL,
            |thread, _| thread.atomically(|tx, graph| tx.modify(&graph.from.places[9], |place| *place -= 1)),
            "all edges",
        );
    }

    #[test]
    fn lost_writes_are_found() {
        notices_lost_writes(&SMALL);
    }
}

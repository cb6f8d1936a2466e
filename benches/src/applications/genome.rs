//! Genome, of STAMP: a gene is put together from many overlapping segments of it.
//!
//! # Protocol
//! 1. Each thread adds its share of the segments to a hash set, so that each is there once: a transaction for
//!    `CHUNK` segments.
//! 2. Each unique segment is entered by its first `j` nucleotides into a table, for each `j` less than its length: a
//!    transaction for each entry.
//! 3. For each length of overlap from the longest to the shortest, each segment that has no successor looks for one
//!    that has no predecessor and begins as it ends: a transaction for each segment. All threads are done with a length
//!    before the next one begins.
//! 4. One thread follows the successors.
//!
//! # The gene
//! No half of a segment is twice in it, and each segment begins within half a segment's length of another one, so that
//! there is one answer.

use std::ops::Range;

use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;

use super::pool::{NIL, Pool};
use crate::engine::{Abilities, Engine, Thread, Tx, View};
use crate::workload::{Part, Program, WrongAnswer, index};

/// How many segments one transaction adds to the set.
const CHUNK: usize = 12;

/// The program.
#[derive(Clone, Copy, Debug)]
pub struct Genome {
    /// Nucleotides of the gene (`-g`).
    pub gene: usize,
    /// Nucleotides of a segment (`-s`), at most 64.
    pub segment: usize,
    /// Segments (`-n`), besides those that are added so that the gene is covered.
    pub segments: usize,
}

impl Genome {
    /// For a simulator: `-g256 -s16 -n16384`.
    #[must_use]
    pub const fn simulator() -> Self {
        Self { gene: 256, segment: 16, segments: 16_384 }
    }

    /// For real machines: `-g16384 -s64 -n16777216`.
    #[must_use]
    pub const fn native() -> Self {
        Self { gene: 16_384, segment: 64, segments: 16_777_216 }
    }
}

/// The segments.
#[derive(Debug)]
pub struct Sequencer {
    gene: Vec<u8>,
    /// What stands at each place of the gene, two bits for a nucleotide, the last one lowest.
    windows: Vec<u128>,
    /// The segments, each the number of a window. A window may be there many times.
    segments: Vec<u32>,
}

/// A table of nodes by a hash, in chains.
struct Table<E: Engine> {
    heads: Box<[E::Cell<u32>]>,
}

impl<E: Engine> Table<E> {
    fn new(entries: usize) -> Self {
        Self { heads: (0..entries.next_power_of_two()).map(|_| E::cell(NIL)).collect() }
    }

    fn head(&self, nucleotides: u128) -> &E::Cell<u32> {
        let folded = (nucleotides as u64) ^ ((nucleotides >> 64) as u64).rotate_left(29);
        // Fibonacci hashing; the upper bits are the good ones.
        let hash = folded.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        &self.heads[hash as usize & (self.heads.len() - 1)]
    }
}

/// A unique segment on its way into the gene.
struct Node<E: Engine> {
    window: E::Cell<u32>,
    successor: E::Cell<u32>,
    has_predecessor: E::Cell<bool>,
    /// How much it has in common with its successor.
    overlap: E::Cell<u32>,
    /// Of the first one of a run of linked segments, the last one, and the other way around.
    other_end: E::Cell<u32>,
    /// The next one in the table for each length of the beginning.
    links: Box<[E::Cell<u32>]>,
}

impl<E: Engine> Node<E> {
    fn new(segment: usize) -> Self {
        Self {
            window: E::cell(NIL),
            successor: E::cell(NIL),
            has_predecessor: E::cell(false),
            overlap: E::cell(0),
            other_end: E::cell(NIL),
            links: (0..segment).map(|_| E::cell(NIL)).collect(),
        }
    }
}

/// What threads share.
pub struct Segments<E: Engine> {
    unique: Table<E>,
    /// By the length of the beginning.
    beginnings: Box<[Table<E>]>,
    /// Its links are those of the chains of `unique`.
    pool: Pool<E>,
    nodes: Box<[Node<E>]>,
}

debug_by_name!(Segments);

impl<E: Engine> Segments<E> {
    fn node(&self, node: u32) -> &Node<E> {
        &self.nodes[node as usize]
    }

    /// Adds a segment unless it is there.
    fn add<'tx>(
        &'tx self,
        tx: &mut impl Tx<'tx, E>,
        input: &Sequencer,
        lane: usize,
        window: u32,
    ) -> Result<(), E::Abort> {
        let nucleotides = input.windows[window as usize];
        let head = self.unique.head(nucleotides);
        let first = tx.read(head)?;
        let mut next = first;
        for _ in 0..=self.nodes.len() {
            if next == NIL {
                let new = self.pool.take(tx, lane)?;
                tx.write(&self.node(new).window, window)?;
                tx.write(&self.node(new).other_end, new)?;
                tx.write(self.pool.link(new), first)?;
                return tx.write(head, new);
            }
            if input.windows[tx.read(&self.node(next).window)? as usize] == nucleotides {
                return Ok(());
            }
            next = tx.read(self.pool.link(next))?;
        }
        tx.torn()
    }

    /// The unique segments in some buckets, with their windows.
    fn unique<'tx>(&'tx self, tx: &mut impl View<'tx, E>, buckets: Range<usize>) -> Result<Vec<(u32, u32)>, E::Abort> {
        let mut found = Vec::new();
        for head in &self.unique.heads[buckets] {
            let mut next = tx.read(head)?;
            while next != NIL {
                if found.len() == self.nodes.len() {
                    return tx.torn();
                }
                found.push((next, tx.read(&self.node(next).window)?));
                next = tx.read(self.pool.link(next))?;
            }
        }
        Ok(found)
    }

    /// Looks for a successor of `last` that begins with `ending`, and links it. A segment that is the beginning of the
    /// run which `last` ends cannot be it.
    fn link<'tx>(
        &'tx self,
        tx: &mut impl Tx<'tx, E>,
        input: &Sequencer,
        last: u32,
        ending: Ending,
    ) -> Result<bool, E::Abort> {
        let first = tx.read(&self.node(last).other_end)?;
        let mut next = tx.read(self.beginnings[ending.length].head(ending.nucleotides))?;
        for _ in 0..=self.nodes.len() {
            if next == NIL {
                return Ok(false);
            }
            let candidate = self.node(next);
            let begins = input.windows[tx.read(&candidate.window)? as usize] >> ending.rest_bits;
            if begins == ending.nucleotides && next != first && !tx.read(&candidate.has_predecessor)? {
                let end = tx.read(&candidate.other_end)?;
                tx.write(&candidate.has_predecessor, true)?;
                tx.write(&self.node(last).successor, next)?;
                tx.write(&self.node(last).overlap, ending.length as u32)?;
                tx.write(&self.node(first).other_end, end)?;
                tx.write(&self.node(end).other_end, first)?;
                return Ok(true);
            }
            next = tx.read(&candidate.links[ending.length])?;
        }
        tx.torn()
    }

    /// The gene, from the segments that have no predecessor on.
    fn gene<'tx>(
        &'tx self,
        tx: &mut impl View<'tx, E>,
        input: &Sequencer,
        segment: usize,
    ) -> Result<Vec<u8>, E::Abort> {
        let mut gene = Vec::new();
        for (mut node, _) in self.unique(tx, 0..self.unique.heads.len())? {
            if tx.read(&self.node(node).has_predecessor)? {
                continue;
            }
            let mut overlap = 0;
            // A circle of segments would not end.
            while node != NIL && gene.len() < input.gene.len() + segment {
                let window = tx.read(&self.node(node).window)? as usize;
                gene.extend_from_slice(&input.gene[window..][overlap as usize..segment]);
                overlap = tx.read(&self.node(node).overlap)?;
                node = tx.read(&self.node(node).successor)?;
            }
        }
        Ok(gene)
    }
}

/// The last nucleotides of a segment.
#[derive(Clone, Copy)]
struct Ending {
    length: usize,
    nucleotides: u128,
    /// The bits of the nucleotides of a segment that are not at its beginning of the same length.
    rest_bits: usize,
}

fn windows(gene: &[u8], length: usize) -> Vec<u128> {
    gene.windows(length).map(|window| window.iter().fold(0, |bits, &one| bits << 2 | u128::from(one))).collect()
}

impl Genome {
    fn gene(&self, random: &mut SmallRng) -> Vec<u8> {
        loop {
            let gene: Vec<u8> = (0..self.gene).map(|_| index(random, 4) as u8).collect();
            let mut halves = windows(&gene, self.segment / 2);
            halves.sort_unstable();
            if halves.array_windows().all(|[one, other]| one != other) {
                return gene;
            }
        }
    }

    /// Random windows, with others between those that are too far from each other.
    fn cover(&self, random: &mut SmallRng) -> Vec<u32> {
        let last = self.gene - self.segment;
        let mut segments: Vec<u32> = (0..self.segments).map(|_| index(random, last + 1) as u32).collect();
        let mut is_there = vec![false; last + 1];
        segments.iter().for_each(|&window| is_there[window as usize] = true);
        let mut before = None;
        for (window, is_there) in is_there.iter().enumerate() {
            let is_needed = match before {
                None => true,
                Some(before) => window == last || window - before == self.segment / 2,
            };
            if is_needed && !is_there {
                segments.push(window as u32);
            }
            if is_needed || *is_there {
                before = Some(window);
            }
        }
        segments
    }

    fn ending(&self, window: u128, length: usize) -> Ending {
        let nucleotides = window & ((1 << (2 * length)) - 1);
        Ending { length, nucleotides, rest_bits: 2 * (self.segment - length) }
    }

    /// Finds a successor for each of this thread's segments, the longest overlaps first.
    fn link_all<E: Engine>(
        &self,
        input: &Sequencer,
        part: &Part<'_>,
        thread: &mut Thread<'_, E, Segments<E>>,
        mut unlinked: Vec<(u32, u32)>,
    ) {
        for length in (1..self.segment).rev() {
            unlinked.retain(|&(node, window)| {
                let ending = self.ending(input.windows[window as usize], length);
                !thread.atomically(|tx, segments| segments.link(tx, input, node, ending))
            });
            part.barrier(thread);
        }
    }
}

impl Program for Genome {
    const NEEDS: Abilities = Abilities { atomicity: true, discovery: true, ..Abilities::NONE };

    type Input = Sequencer;
    type Data<E: Engine> = Segments<E>;
    type Output = Vec<u8>;

    fn input(&self, seed: u64) -> Sequencer {
        let mut random = SmallRng::seed_from_u64(seed);
        let gene = self.gene(&mut random);
        let mut segments = self.cover(&mut random);
        segments.shuffle(&mut random);
        Sequencer { windows: windows(&gene, self.segment), gene, segments }
    }

    fn data<E: Engine>(&self, input: &Sequencer, threads: usize) -> Segments<E> {
        let most = input.windows.len();
        Segments {
            unique: Table::new(most),
            beginnings: (0..self.segment).map(|_| Table::new(most)).collect(),
            pool: Pool::new(Vec::new(), most, threads),
            nodes: (0..most).map(|_| Node::new(self.segment)).collect(),
        }
    }

    fn run<E: Engine>(&self, input: &Sequencer, part: &Part<'_>, thread: &mut Thread<'_, E, Segments<E>>) -> Vec<u8> {
        for chunk in input.segments[part.share(input.segments.len())].chunks(CHUNK) {
            thread.atomically(|tx, segments| {
                chunk.iter().try_for_each(|&window| segments.add(tx, input, part.thread, window))
            });
        }
        part.barrier(thread);
        let mine = thread.snapshot(|tx, segments| segments.unique(tx, part.share(segments.unique.heads.len())));
        for &(node, window) in &mine {
            for length in 1..self.segment {
                let beginning = input.windows[window as usize] >> (2 * (self.segment - length));
                thread.atomically(|tx, segments| {
                    let head = segments.beginnings[length].head(beginning);
                    let next = tx.read(head)?;
                    tx.write(&segments.node(node).links[length], next)?;
                    tx.write(head, node)
                });
            }
        }
        part.barrier(thread);
        self.link_all(input, part, thread, mine);
        if part.thread > 0 {
            return Vec::new();
        }
        thread.snapshot(|tx, segments| segments.gene(tx, input, self.segment))
    }

    /// The gene is the one that the segments are from.
    fn check<E: Engine>(
        &self,
        input: &Sequencer,
        _thread: &mut Thread<'_, E, Segments<E>>,
        outputs: &[Vec<u8>],
    ) -> Result<u64, WrongAnswer> {
        WrongAnswer::unless_equal("the length of the gene", input.gene.len(), outputs[0].len())?;
        let wrong = input.gene.iter().zip(&outputs[0]).filter(|(one, other)| one != other).count();
        WrongAnswer::unless_equal("the wrong nucleotides", 0, wrong)?;
        Ok(input.segments.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{is_found, is_right_everywhere, notices_lost_writes};
    use super::*;

    /// Few segments, so that overlaps are short.
    const SPARSE: Genome = Genome { gene: 600, segment: 24, segments: 40 };

    #[test]
    fn every_engine_finds_the_gene() {
        for program in [SPARSE, Genome { segments: 2_000, ..Genome::simulator() }] {
            is_right_everywhere(&program, program.input(7).segments.len() as u64);
        }
    }

    #[test]
    fn the_gene_is_covered() {
        let mut segments = SPARSE.input(7).segments;
        segments.sort_unstable();
        assert_eq!((segments[0], segments[segments.len() - 1]), (0, 600 - 24));
        let farthest = segments.array_windows().map(|[one, other]| other - one).max();
        assert!((2..=12).contains(&farthest.expect("there are some")), "{farthest:?}");
    }

    #[test]
    fn a_wrong_nucleotide_is_found() {
        is_found(&SPARSE, |_, outputs| outputs[0][77] ^= 1, "wrong nucleotides");
    }

    #[test]
    fn a_lost_nucleotide_is_found() {
        is_found(&SPARSE, |_, outputs| _ = outputs[0].pop(), "length");
    }

    #[test]
    fn lost_writes_are_found() {
        notices_lost_writes(&SPARSE);
    }
}

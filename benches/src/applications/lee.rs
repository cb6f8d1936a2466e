//! Lee-TM: the layout of a circuit board of two layers by Lee's algorithm.
//!
//! Tracks are laid the shortest first. In one layer it is cheap to go along rows, in the other one along columns; a
//! change of layers costs, too. The transactions of the original read all points that the search comes to. With *early
//! release*, the second version of the paper, a transaction is rid of the points that its track does not use; here, the
//! search is then done on a copy.
//!
//! # The board
//! It is generated: buses of eight parallel tracks, as on a memory board, and single tracks as on a main board, most
//! of them short. The published boards have 600 rows and columns, and 1,506 (main) or 3,101 tracks (memory).

use rand::SeedableRng;
use rand::rngs::SmallRng;

use super::grid::{Ends, Grid, Tracks, check, lay_by_copy, lay_by_reading, take};
use super::routing::{Costs, Router, Size};
use crate::engine::{Abilities, Engine, Thread};
use crate::workload::{Part, Program, WrongAnswer, index};

const COSTS: Costs = [1, 3, 4];
const BUS: usize = 8;

/// The program, with or without early release.
#[derive(Clone, Copy, Debug)]
pub struct Lee<const RELEASES: bool> {
    /// Rows and columns of the board.
    pub side: usize,
    /// Tracks.
    pub tracks: usize,
}

impl<const RELEASES: bool> Lee<RELEASES> {
    /// A quarter of a side of the main board, with as many tracks by the area.
    #[must_use]
    pub const fn small() -> Self {
        Self { side: 150, tracks: 94 }
    }

    /// As large as the main board.
    #[must_use]
    pub const fn native() -> Self {
        Self { side: 600, tracks: 1_506 }
    }

    const fn size(&self) -> Size {
        Size { width: self.side, height: self.side, layers: 2 }
    }

    /// Adds so many parallel tracks, with a free row or column between them, unless there is no room for them.
    fn add_bus(&self, random: &mut SmallRng, is_taken: &mut [bool], tracks: &mut Vec<Ends>, count: usize) {
        let size = self.size();
        let span = 2 * count;
        // The smaller of two, so that most are short.
        let length = 4 + index(random, self.side / 2).min(index(random, self.side / 2));
        let shift = index(random, length);
        let (along, across) = (index(random, self.side - length), index(random, self.side - span - shift));
        let is_row = index(random, 2) == 0;
        let ends: Vec<Ends> = (0..count)
            .map(|nth| {
                let point = |along, across| {
                    if is_row { size.point(along, across, 0) } else { size.point(across, along, 0) }
                };
                (point(along, across + 2 * nth), point(along + length, across + shift + 2 * nth))
            })
            .collect();
        if ends.iter().any(|&(from, to)| is_taken[from as usize] || is_taken[to as usize]) {
            return;
        }
        for &(from, to) in &ends {
            is_taken[from as usize] = true;
            is_taken[to as usize] = true;
        }
        tracks.extend(ends);
    }
}

impl<const RELEASES: bool> Program for Lee<RELEASES> {
    const NEEDS: Abilities = Abilities { atomicity: true, discovery: !RELEASES, ..Abilities::NONE };

    type Input = Vec<Ends>;
    type Data<E: Engine> = Grid<E>;
    type Output = Tracks;

    fn input(&self, seed: u64) -> Vec<Ends> {
        let mut random = SmallRng::seed_from_u64(seed);
        let mut is_taken = vec![false; self.size().points()];
        let mut tracks = Vec::with_capacity(self.tracks);
        while tracks.len() < self.tracks {
            let count = if tracks.len() < self.tracks / 2 { BUS.min(self.tracks - tracks.len()) } else { 1 };
            self.add_bus(&mut random, &mut is_taken, &mut tracks, count);
        }
        tracks.sort_by_key(|&(from, to)| self.size().distance(from, to));
        tracks
    }

    fn data<E: Engine>(&self, input: &Vec<Ends>, _threads: usize) -> Grid<E> {
        Grid::new(self.size(), input)
    }

    fn run<E: Engine>(&self, input: &Vec<Ends>, _part: &Part<'_>, thread: &mut Thread<'_, E, Grid<E>>) -> Tracks {
        let mut router = Router::new(self.size(), COSTS);
        let mut tracks = Vec::new();
        while let Some(number) = take(thread, input.len()) {
            let track;
            if RELEASES {
                track = lay_by_copy(thread, &mut router, number, input[number]);
            } else {
                (track, router) = lay_by_reading(thread, router, number, input[number]);
            }
            tracks.extend(track.map(|track| (number, track)));
        }
        tracks
    }

    fn check<E: Engine>(
        &self,
        input: &Vec<Ends>,
        thread: &mut Thread<'_, E, Grid<E>>,
        outputs: &[Tracks],
    ) -> Result<u64, WrongAnswer> {
        check(thread, Router::new(self.size(), COSTS), self.size(), input, outputs)
    }
}

#[cfg(test)]
mod tests {
    use super::super::grid::spoiling;
    use super::super::testing::{is_found, is_right_everywhere, notices_lost_writes, run};
    use super::*;
    use crate::engine::{InlineCells, ObjectLocks};

    const READING: Lee<false> = Lee { side: 40, tracks: 20 };
    const RELEASING: Lee<true> = Lee { side: 40, tracks: 20 };

    #[test]
    fn every_engine_lays_tracks() {
        is_right_everywhere(&READING, 20);
        is_right_everywhere(&RELEASING, 20);
        run::<ObjectLocks, _>(&RELEASING, 2, |_, _| {}).expect("a lock for each cell is enough");
    }

    #[test]
    fn most_tracks_are_laid() {
        let mut laid = 0;
        run::<InlineCells, _>(&Lee::<true>::small(), 2, |_, outputs| laid = outputs.iter().flatten().count())
            .expect("the tracks are right");
        assert!(laid > 85, "{laid} of 94");
    }

    #[test]
    fn what_is_spoilt_is_found() {
        for (spoil, complaint) in spoiling::ALL {
            is_found(&READING, spoil, complaint);
            is_found(&RELEASING, spoil, complaint);
        }
    }

    #[test]
    fn lost_writes_are_found() {
        notices_lost_writes(&READING);
        notices_lost_writes(&RELEASING);
    }
}

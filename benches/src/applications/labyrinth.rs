//! Labyrinth, of STAMP: paths through a grid of three dimensions that do not touch.
//!
//! A thread takes two ends from the list, copies the grid, looks for the shortest path on the copy, and lays it down
//! in a transaction that verifies that its points are still free. The original copies the grid by plain reads inside
//! the transaction, which its engine does not track; here the copy is a snapshot before it.

use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;

use super::grid::{Ends, Grid, Tracks, check, lay_by_copy, take};
use super::routing::{Costs, Router, Size};
use crate::engine::{Abilities, Engine, Thread};
use crate::workload::{Part, Program, WrongAnswer};

const COSTS: Costs = [1, 1, 1];

/// The program.
#[derive(Clone, Copy, Debug)]
pub struct Labyrinth {
    /// The size of the grid.
    pub size: Size,
    /// Paths.
    pub paths: usize,
}

impl Labyrinth {
    /// For a simulator: `random-x32-y32-z3-n96`.
    #[must_use]
    pub const fn simulator() -> Self {
        Self { size: Size { width: 32, height: 32, layers: 3 }, paths: 96 }
    }

    /// For real machines: `random-x512-y512-z7-n512`.
    #[must_use]
    pub const fn native() -> Self {
        Self { size: Size { width: 512, height: 512, layers: 7 }, paths: 512 }
    }
}

impl Program for Labyrinth {
    const NEEDS: Abilities = Abilities { atomicity: true, ..Abilities::NONE };

    type Input = Vec<Ends>;
    type Data<E: Engine> = Grid<E>;
    type Output = Tracks;

    fn input(&self, seed: u64) -> Vec<Ends> {
        let mut points: Vec<u32> = (0..self.size.points() as u32).collect();
        let (ends, _) = points.partial_shuffle(&mut SmallRng::seed_from_u64(seed), 2 * self.paths);
        ends.chunks_exact(2).map(|ends| (ends[0], ends[1])).collect()
    }

    fn data<E: Engine>(&self, input: &Vec<Ends>, _threads: usize) -> Grid<E> {
        Grid::new(self.size, input)
    }

    fn run<E: Engine>(&self, input: &Vec<Ends>, _part: &Part<'_>, thread: &mut Thread<'_, E, Grid<E>>) -> Tracks {
        let mut router = Router::new(self.size, COSTS);
        let mut tracks = Vec::new();
        while let Some(number) = take(thread, input.len()) {
            if let Some(track) = lay_by_copy(thread, &mut router, number, input[number]) {
                tracks.push((number, track));
            }
        }
        tracks
    }

    fn check<E: Engine>(
        &self,
        input: &Vec<Ends>,
        thread: &mut Thread<'_, E, Grid<E>>,
        outputs: &[Tracks],
    ) -> Result<u64, WrongAnswer> {
        check(thread, Router::new(self.size, COSTS), self.size, input, outputs)
    }
}

#[cfg(test)]
mod tests {
    use super::super::grid::spoiling;
    use super::super::testing::{is_found, is_right_everywhere, notices_lost_writes, run};
    use super::*;
    use crate::engine::{InlineCells, ObjectLocks, StripedLocks};

    const SMALL: Labyrinth = Labyrinth { size: Size { width: 8, height: 8, layers: 3 }, paths: 20 };

    #[test]
    fn every_engine_lays_paths() {
        is_right_everywhere(&SMALL, 20);
        is_right_everywhere(&Labyrinth::simulator(), 96);
        run::<ObjectLocks, _>(&SMALL, 2, |_, _| {}).expect("a lock for each cell is enough");
        run::<StripedLocks, _>(&SMALL, 2, |_, _| {}).expect("a lock for some cells is enough");
    }

    #[test]
    fn half_of_the_paths_are_laid() {
        let mut laid = 0;
        run::<InlineCells, _>(&Labyrinth::simulator(), 2, |_, outputs| laid = outputs.iter().flatten().count())
            .expect("the paths are right");
        assert!((48..96).contains(&laid), "{laid} of 96");
    }

    #[test]
    fn what_is_spoilt_is_found() {
        for (spoil, complaint) in spoiling::ALL {
            is_found(&SMALL, spoil, complaint);
        }
    }

    #[test]
    fn lost_writes_are_found() {
        notices_lost_writes(&SMALL);
    }
}

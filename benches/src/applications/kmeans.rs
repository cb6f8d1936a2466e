//! K-means, of STAMP: points are assigned to the nearest of some centres, which move to the middle of their points,
//! until few points change sides.
//!
//! A transaction adds a point to the sums of its new centre. Threads take points by threes, by a shared counter.
//!
//! Numbers are in fixed point, where STAMP's are floating: sums do not depend on the order of the additions, so that
//! the result is the same as that of a plain program, to the last bit.

use std::sync::OnceLock;

use rand::SeedableRng;
use rand::rngs::SmallRng;

use crate::engine::{Abilities, Engine, Thread, Tx, View};
use crate::workload::{Part, Program, WrongAnswer, index};

/// The one of fixed point.
const ONE: f64 = (1_u64 << 20) as f64;
/// How many points a thread takes at a time.
const CHUNK: usize = 3;
const MOST_ROUNDS: usize = 500;
/// A point that has no centre yet.
const NONE: u32 = u32::MAX;

/// The program.
#[derive(Clone, Copy, Debug)]
pub struct KMeans {
    /// How many centres are asked for (`-m`, `-n`).
    pub centres: usize,
    /// Ends when at most this part of the points changes sides (`-t`).
    pub threshold: f64,
    /// Points.
    pub points: usize,
    /// Dimensions of a point.
    pub dimensions: usize,
    /// How many heaps the points are drawn around.
    pub heaps: usize,
}

impl KMeans {
    /// With low contention: `-m40 -n40 -t0.05 -i random-n2048-d16-c16`.
    #[must_use]
    pub const fn low() -> Self {
        Self { centres: 40, threshold: 0.05, points: 2_048, dimensions: 16, heaps: 16 }
    }

    /// With high contention: `-m15 -n15`.
    #[must_use]
    pub const fn high() -> Self {
        Self { centres: 15, ..Self::low() }
    }

    /// For real machines: `-t0.00001 -i random-n65536-d32-c16`.
    #[must_use]
    pub const fn native(self) -> Self {
        Self { threshold: 0.00001, points: 65_536, dimensions: 32, ..self }
    }
}

/// The points.
#[derive(Debug)]
pub struct Points {
    /// One after the other, of mean zero and deviation one in each dimension.
    coordinates: Vec<i64>,
    /// What a plain program finds.
    expected: OnceLock<Expected>,
}

/// The result.
#[derive(Debug)]
pub struct Found {
    /// The centres, one after the other.
    centres: Vec<i64>,
    rounds: usize,
}

/// What a plain program finds: also the sums of the last round.
#[derive(Debug)]
struct Expected {
    found: Found,
    counts: Vec<u64>,
    sums: Vec<i64>,
}

/// The sums of the points of one centre.
struct Sums<E: Engine> {
    points: E::Cell<u64>,
    coordinates: Box<[E::Cell<i64>]>,
}

/// What threads share.
pub struct Shared<E: Engine> {
    sums: Box<[Sums<E>]>,
    /// How many points were taken in this round.
    taken: E::Cell<u64>,
    /// How many points have changed sides in this round.
    changed: E::Cell<u64>,
    /// The centre of each point.
    sides: Box<[E::Cell<u32>]>,
}

debug_by_name!(Shared);

impl KMeans {
    fn nearest(&self, centres: &[i64], point: &[i64]) -> usize {
        let distance =
            |centre: &[i64]| -> i64 { centre.iter().zip(point).map(|(one, other)| (one - other).pow(2)).sum() };
        let centres = centres.chunks_exact(self.dimensions).map(distance).enumerate();
        centres.min_by_key(|&(_, distance)| distance).expect("there is a centre").0
    }

    /// Where a centre moves to.
    fn middle(centre: &mut [i64], points: u64, sums: impl Iterator<Item = i64>) {
        if points > 0 {
            centre.iter_mut().zip(sums).for_each(|(coordinate, sum)| *coordinate = sum / points as i64);
        }
    }

    fn is_over(&self, changed: u64, rounds: usize) -> bool {
        changed as f64 / self.points as f64 <= self.threshold || rounds == MOST_ROUNDS
    }

    /// What a program without threads finds.
    fn plainly(&self, points: &Points) -> Expected {
        let mut found = Found { centres: points.coordinates[..self.centres * self.dimensions].to_vec(), rounds: 0 };
        let mut sides = vec![NONE; self.points];
        loop {
            let mut sums = vec![0; found.centres.len()];
            let mut counts = vec![0; self.centres];
            let mut changed = 0;
            for (point, side) in points.coordinates.chunks_exact(self.dimensions).zip(&mut sides) {
                let nearest = self.nearest(&found.centres, point);
                changed += u64::from(*side != nearest as u32);
                *side = nearest as u32;
                counts[nearest] += 1;
                sums[nearest * self.dimensions..].iter_mut().zip(point).for_each(|(sum, add)| *sum += add);
            }
            let centres = found.centres.chunks_exact_mut(self.dimensions);
            for ((centre, sums), &points) in centres.zip(sums.chunks_exact(self.dimensions)).zip(&counts) {
                Self::middle(centre, points, sums.iter().copied());
            }
            found.rounds += 1;
            if self.is_over(changed, found.rounds) {
                return Expected { found, counts, sums };
            }
        }
    }

    /// Assigns points until none is left. Returns how many have changed sides.
    fn assign<E: Engine>(&self, points: &Points, centres: &[i64], thread: &mut Thread<'_, E, Shared<E>>) -> u64 {
        let mut changed = 0;
        loop {
            let first = thread.atomically_on(
                |locks, shared| locks.add(&shared.taken),
                |tx, shared| {
                    let taken = tx.read(&shared.taken)?;
                    tx.write(&shared.taken, taken + CHUNK as u64)?;
                    Ok(taken as usize)
                },
            );
            if first >= self.points {
                return changed;
            }
            for number in first..(first + CHUNK).min(self.points) {
                let point = &points.coordinates[number * self.dimensions..][..self.dimensions];
                let nearest = self.nearest(centres, point);
                let has_changed = thread.atomically_on(
                    |locks, shared| {
                        let sums = &shared.sums[nearest];
                        locks.add(&shared.sides[number]);
                        locks.add(&sums.points);
                        sums.coordinates.iter().for_each(|sum| locks.add(sum));
                    },
                    |tx, shared| {
                        let sums = &shared.sums[nearest];
                        tx.modify(&sums.points, |points| *points += 1)?;
                        for (sum, add) in sums.coordinates.iter().zip(point) {
                            tx.modify(sum, |sum| *sum += add)?;
                        }
                        let has_changed = tx.read(&shared.sides[number])? != nearest as u32;
                        if has_changed {
                            tx.write(&shared.sides[number], nearest as u32)?;
                        }
                        Ok(has_changed)
                    },
                );
                changed += u64::from(has_changed);
            }
        }
    }

    /// How many points a centre has, and their sums.
    fn sums<E: Engine>(thread: &mut Thread<'_, E, Shared<E>>, centre: usize) -> (u64, Vec<i64>) {
        thread.snapshot_on(
            |locks, shared| {
                locks.add(&shared.sums[centre].points);
                shared.sums[centre].coordinates.iter().for_each(|sum| locks.add(sum));
            },
            |tx, shared| {
                let sums = &shared.sums[centre];
                let coordinates = sums.coordinates.iter().map(|sum| tx.read(sum)).collect::<Result<_, _>>()?;
                Ok((tx.read(&sums.points)?, coordinates))
            },
        )
    }

    /// Moves the centres by the sums, and returns how many points have changed sides.
    fn move_centres<E: Engine>(&self, centres: &mut [i64], thread: &mut Thread<'_, E, Shared<E>>) -> u64 {
        for (number, centre) in centres.chunks_exact_mut(self.dimensions).enumerate() {
            let (points, sums) = Self::sums(thread, number);
            Self::middle(centre, points, sums.into_iter());
        }
        thread.load(|shared| &shared.changed)
    }

    /// Sets everything that is counted in a round to zero.
    fn reset<E: Engine>(&self, thread: &mut Thread<'_, E, Shared<E>>) {
        for number in 0..self.centres {
            thread.atomically_on(
                |locks, shared| {
                    locks.add(&shared.sums[number].points);
                    shared.sums[number].coordinates.iter().for_each(|sum| locks.add(sum));
                },
                |tx, shared| {
                    tx.write(&shared.sums[number].points, 0)?;
                    shared.sums[number].coordinates.iter().try_for_each(|sum| tx.write(sum, 0))
                },
            );
        }
        thread.atomically_on(
            |locks, shared| {
                locks.add(&shared.taken);
                locks.add(&shared.changed);
            },
            |tx, shared| {
                tx.write(&shared.taken, 0)?;
                tx.write(&shared.changed, 0)
            },
        );
    }
}

/// Moves and stretches each dimension to mean zero and deviation one, and makes it fixed point.
fn normalize(coordinates: &[f64], dimensions: usize) -> Vec<i64> {
    let count = (coordinates.len() / dimensions) as f64;
    let mut fixed = vec![0; coordinates.len()];
    for dimension in 0..dimensions {
        let of_dimension = || coordinates[dimension..].iter().step_by(dimensions);
        let mean = of_dimension().sum::<f64>() / count;
        let deviation = (of_dimension().map(|one| (one - mean).powi(2)).sum::<f64>() / count).sqrt();
        for (one, fixed) in of_dimension().zip(fixed[dimension..].iter_mut().step_by(dimensions)) {
            *fixed = ((one - mean) / deviation * ONE) as i64;
        }
    }
    fixed
}

impl Program for KMeans {
    const NEEDS: Abilities = Abilities { atomicity: true, ..Abilities::NONE };

    type Input = Points;
    type Data<E: Engine> = Shared<E>;
    type Output = Found;

    fn input(&self, seed: u64) -> Points {
        let mut random = SmallRng::seed_from_u64(seed);
        let mut fraction = || index(&mut random, 1 << 20) as f64 / f64::from(1 << 20);
        let heaps: Vec<f64> = (0..self.heaps * self.dimensions).map(|_| fraction()).collect();
        let mut coordinates = Vec::with_capacity(self.points * self.dimensions);
        for _ in 0..self.points {
            let heap = (fraction() * self.heaps as f64) as usize;
            // The sum of three even distributions is near enough to a normal one.
            let noise = |center: f64| center + (fraction() + fraction() + fraction() - 1.5) / 5.0;
            coordinates.extend(heaps[heap * self.dimensions..][..self.dimensions].iter().copied().map(noise));
        }
        Points { coordinates: normalize(&coordinates, self.dimensions), expected: OnceLock::new() }
    }

    fn data<E: Engine>(&self, _input: &Points, _threads: usize) -> Shared<E> {
        let sums = |_| Sums { points: E::cell(0), coordinates: (0..self.dimensions).map(|_| E::cell(0)).collect() };
        Shared {
            sums: (0..self.centres).map(sums).collect(),
            taken: E::cell(0),
            changed: E::cell(0),
            sides: (0..self.points).map(|_| E::cell(NONE)).collect(),
        }
    }

    fn run<E: Engine>(&self, input: &Points, part: &Part<'_>, thread: &mut Thread<'_, E, Shared<E>>) -> Found {
        let mut found = Found { centres: input.coordinates[..self.centres * self.dimensions].to_vec(), rounds: 0 };
        loop {
            let changed = self.assign(input, &found.centres, thread);
            thread.add(|shared| &shared.changed, changed);
            part.barrier(thread);
            let changed = self.move_centres(&mut found.centres, thread);
            found.rounds += 1;
            if self.is_over(changed, found.rounds) {
                return found;
            }
            part.barrier(thread);
            if part.thread == 0 {
                self.reset(thread);
            }
            part.barrier(thread);
        }
    }

    /// Each thread has found what a plain program finds, from the same sums.
    fn check<E: Engine>(
        &self,
        input: &Points,
        thread: &mut Thread<'_, E, Shared<E>>,
        outputs: &[Found],
    ) -> Result<u64, WrongAnswer> {
        let Expected { found: expected, counts, sums } = input.expected.get_or_init(|| self.plainly(input));
        for found in outputs {
            WrongAnswer::unless_equal("the rounds", expected.rounds, found.rounds)?;
            let far = expected.centres.iter().zip(&found.centres).filter(|(one, other)| one != other).count();
            WrongAnswer::unless_equal("the coordinates of centres that are not as a plain program's", 0, far)?;
        }
        for (centre, (&count, sums)) in counts.iter().zip(sums.chunks_exact(self.dimensions)).enumerate() {
            let (points, found) = Self::sums(thread, centre);
            WrongAnswer::unless_equal("the points of a centre", count, points)?;
            WrongAnswer::unless("whether the sums are a plain program's", found == sums)?;
        }
        Ok((expected.rounds * self.points) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{is_found, is_right_everywhere, notices_lost_writes, run};
    use super::*;
    use crate::engine::{ObjectLocks, StripedLocks};

    const SMALL: KMeans = KMeans { centres: 5, points: 300, dimensions: 3, heaps: 7, threshold: 0.0 };

    #[test]
    fn every_engine_finds_the_same_centres() {
        let input = SMALL.input(7);
        let rounds = SMALL.plainly(&input).found.rounds;
        assert!((3..MOST_ROUNDS).contains(&rounds), "{rounds} rounds");
        is_right_everywhere(&SMALL, (rounds * SMALL.points) as u64);
        run::<ObjectLocks, _>(&SMALL, 2, |_, _| {}).expect("a lock for each cell is enough");
        run::<StripedLocks, _>(&SMALL, 2, |_, _| {}).expect("a lock for some cells is enough");
    }

    #[test]
    fn points_are_normalized() {
        let points = KMeans::low().input(1).coordinates;
        let sum: i64 = points.iter().sum();
        assert!((sum as f64 / ONE).abs() < 1.0, "the mean is zero");
        let squares: f64 = points.iter().map(|&one| (one as f64 / ONE).powi(2)).sum();
        assert!((squares / points.len() as f64 - 1.0).abs() < 0.01, "the deviation is one");
    }

    #[test]
    fn a_centre_that_is_off_is_found() {
        is_found(&SMALL, |_, outputs| outputs[1].centres[0] += 1, "plain program");
    }

    #[test]
    fn a_sum_that_is_off_is_found() {
        is_found(
            &SMALL,
            |thread, _| thread.atomically(|tx, shared| tx.modify(&shared.sums[2].coordinates[1], |sum| *sum += 1)),
            "sums",
        );
    }

    #[test]
    fn lost_writes_are_found() {
        notices_lost_writes(&SMALL);
    }
}

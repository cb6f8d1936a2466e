//! A grid that threads lay tracks on: what labyrinth and Lee-TM have in common.

use super::routing::{Point, Router, Size, fault};
use crate::engine::{Engine, Thread, Tx, View};
use crate::workload::WrongAnswer;

/// Nothing is here.
const FREE: u32 = 0;
/// Here is an end of a track, laid or not.
const END: u32 = 1;

/// The ends of a track.
pub(super) type Ends = (Point, Point);

/// The tracks that a thread has laid, by their number.
pub(super) type Tracks = Vec<(usize, Vec<Point>)>;

/// The points of a grid.
pub struct Grid<E: Engine> {
    /// What is at each point: nothing, an end, or the number of a track and two.
    points: Box<[E::Cell<u32>]>,
    /// How many tracks were taken to be laid.
    taken: E::Cell<u64>,
}

debug_by_name!(Grid);

fn mark(number: usize) -> u32 {
    number as u32 + END + 1
}

/// The points of a track without its ends.
fn inner(track: &[Point]) -> &[Point] {
    &track[1..track.len() - 1]
}

impl<E: Engine> Grid<E> {
    /// Makes a grid with the ends of all tracks.
    pub(super) fn new(size: Size, ends: &[Ends]) -> Self {
        let mut points = vec![FREE; size.points()];
        for &(from, to) in ends {
            points[from as usize] = END;
            points[to as usize] = END;
        }
        Self { points: points.into_iter().map(|point| E::cell(point)).collect(), taken: E::cell(0) }
    }

    fn is_free<'tx>(&'tx self, tx: &mut impl View<'tx, E>, point: Point) -> Result<bool, E::Abort> {
        Ok(tx.read(&self.points[point as usize])? == FREE)
    }

    fn lay<'tx>(&'tx self, tx: &mut impl Tx<'tx, E>, number: usize, track: &[Point]) -> Result<(), E::Abort> {
        inner(track).iter().try_for_each(|&point| tx.write(&self.points[point as usize], mark(number)))
    }
}

/// Takes the number of the next track to lay.
pub(super) fn take<E: Engine>(thread: &mut Thread<'_, E, Grid<E>>, count: usize) -> Option<usize> {
    let taken = thread.atomically_on(
        |locks, grid| locks.add(&grid.taken),
        |tx, grid| {
            let taken = tx.read(&grid.taken)? as usize;
            if taken < count {
                tx.write(&grid.taken, taken as u64 + 1)?;
            }
            Ok(taken)
        },
    );
    (taken < count).then_some(taken)
}

/// Lays a track that is found on a copy of the grid.
///
/// The copy is the engine's own snapshot of all points. The transaction then reads only the points of the track:
/// if all of them are still free, the track is as good as if it had been found now. If not, all is done again.
pub(super) fn lay_by_copy<E: Engine>(
    thread: &mut Thread<'_, E, Grid<E>>,
    router: &mut Router,
    number: usize,
    (from, to): Ends,
) -> Option<Vec<Point>> {
    loop {
        let copy = thread.snapshot_on(
            |locks, grid| grid.points.iter().for_each(|point| locks.add(point)),
            |tx, grid| {
                grid.points.iter().map(|point| Ok(tx.read(point)? == FREE)).collect::<Result<Vec<_>, E::Abort>>()
            },
        );
        let Ok(track) = router.route(from, to, |point| Ok::<_, std::convert::Infallible>(copy[point as usize]));
        let track = track?;
        let is_laid = thread.atomically_on(
            |locks, grid| track.iter().for_each(|&point| locks.add(&grid.points[point as usize])),
            |tx, grid| {
                for &point in inner(&track) {
                    if !grid.is_free(tx, point)? {
                        return Ok(false);
                    }
                }
                grid.lay(tx, number, &track)?;
                Ok(true)
            },
        );
        if is_laid {
            return Some(track);
        }
    }
}

/// Lays a track that is found by the transaction itself, which reads every point that the search comes to.
pub(super) fn lay_by_reading<E: Engine>(
    thread: &mut Thread<'_, E, Grid<E>>,
    router: Router,
    number: usize,
    (from, to): Ends,
) -> (Option<Vec<Point>>, Router) {
    // A body may run more than once, so it cannot hold on to the router by itself.
    let router = std::cell::RefCell::new(router);
    let track = thread.atomically(|tx, grid| {
        let track = router.borrow_mut().route(from, to, |point| grid.is_free(tx, point))?;
        if let Some(track) = &track {
            grid.lay(tx, number, track)?;
        }
        Ok(track)
    });
    (track, router.into_inner())
}

/// Verifies that all tracks are whole and on the grid, that they do not overlap, that nothing else is on the grid, and
/// that there is no way for those that were not laid.
pub(super) fn check<E: Engine>(
    thread: &mut Thread<'_, E, Grid<E>>,
    mut router: Router,
    size: Size,
    ends: &[Ends],
    outputs: &[Tracks],
) -> Result<u64, WrongAnswer> {
    let mut expected = vec![FREE; size.points()];
    let mut is_laid = vec![false; ends.len()];
    for &(from, to) in ends {
        expected[from as usize] = END;
        expected[to as usize] = END;
    }
    for (number, track) in outputs.iter().flatten() {
        let (from, to) = ends[*number];
        fault(size, from, to, track).map_or(Ok(()), |fault| WrongAnswer::unless(fault, false))?;
        WrongAnswer::unless("whether a track is laid once", !std::mem::replace(&mut is_laid[*number], true))?;
        for &point in inner(track) {
            WrongAnswer::unless_equal("what a track is laid on", FREE, expected[point as usize])?;
            expected[point as usize] = mark(*number);
        }
    }
    let found: Vec<u32> = thread.snapshot_on(
        |locks, grid| grid.points.iter().for_each(|point| locks.add(point)),
        |tx, grid| grid.points.iter().map(|point| tx.read(point)).collect::<Result<_, _>>(),
    );
    let wrong = found.iter().zip(&expected).filter(|(one, other)| one != other).count();
    WrongAnswer::unless_equal("the points that are not as the tracks say", 0, wrong)?;
    for (&(from, to), _) in ends.iter().zip(&is_laid).filter(|(_, is_laid)| !**is_laid) {
        let Ok(way) = router.route(from, to, |point| Ok::<_, std::convert::Infallible>(found[point as usize] == FREE));
        WrongAnswer::unless("whether a track was not laid that has a way", way.is_none())?;
    }
    Ok(ends.len() as u64)
}

/// What spoils a result, and how the check complains: for tests of the programs that lay tracks.
#[cfg(test)]
pub(super) mod spoiling {
    use super::*;
    use crate::engine::GlobalMutex;

    type Spoil = fn(&mut Thread<'_, GlobalMutex, Grid<GlobalMutex>>, &mut Vec<Tracks>);

    fn longest(outputs: &mut [Tracks]) -> &mut (usize, Vec<Point>) {
        outputs.iter_mut().flatten().max_by_key(|(_, track)| track.len()).expect("a track is laid")
    }

    fn set(thread: &mut Thread<'_, GlobalMutex, Grid<GlobalMutex>>, point: Point, value: u32) {
        thread.atomically(|tx, grid| tx.write(&grid.points[point as usize], value));
    }

    pub(in super::super) const ALL: [(Spoil, &str); 6] = [
        (|_, outputs| _ = longest(outputs).1.remove(2), "no gaps"),
        (|_, outputs| _ = longest(outputs).1.pop(), "joins its ends"),
        (
            |_, outputs| {
                let twice = longest(outputs).clone();
                outputs[0].push(twice);
            },
            "laid once",
        ),
        (
            |thread, outputs| {
                let point = longest(outputs).1[1];
                set(thread, point, FREE);
            },
            "points that are not",
        ),
        (
            |thread, outputs| {
                // A track that was forgotten, with its points.
                let forgotten = longest(outputs).clone();
                outputs.iter_mut().for_each(|tracks| tracks.retain(|(number, _)| *number != forgotten.0));
                inner(&forgotten.1).iter().for_each(|&point| set(thread, point, FREE));
            },
            "not laid that has a way",
        ),
        (
            |_, outputs| {
                // A track that goes over a point of its own again.
                let track = &mut longest(outputs).1;
                let again = [track[1], track[2]];
                track.splice(3..3, again);
            },
            "laid on",
        ),
    ];
}

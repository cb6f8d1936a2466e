//! Laying tracks on a grid of points in layers: the search for the cheapest way, and the check of what was laid.
//!
//! # Protocol
//! Lee's algorithm ("An algorithm for path connections and its applications", 1961), with costs:
//! 1. Expansion: waves go out from the first point over free points, the nearest first, until the last point is
//!    reached. Each point gets its distance.
//! 2. Backtracking: from the last point, always to a neighbour from which the distance is explained, to the first one.

/// The size of a grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Points in a row.
    pub width: usize,
    /// Rows in a layer.
    pub height: usize,
    /// Layers.
    pub layers: usize,
}

/// A point, by its number: rows follow each other, then layers.
pub(super) type Point = u32;

/// What a step along a row, along a column and between layers costs, in even layers; in odd layers, the first two are
/// the other way around.
pub(super) type Costs = [u32; 3];

/// No step costs more.
const MOST: u32 = 15;
/// A point that no wave has reached.
const FAR: u32 = u32::MAX;
/// A point that was asked and is not free.
const WALL: u32 = FAR - 1;

impl Size {
    /// How many points there are.
    #[must_use]
    pub const fn points(&self) -> usize {
        self.width * self.height * self.layers
    }

    /// The number of a point.
    pub(super) const fn point(&self, column: usize, row: usize, layer: usize) -> Point {
        ((layer * self.height + row) * self.width + column) as Point
    }

    const fn place(&self, point: Point) -> [usize; 3] {
        let point = point as usize;
        [point % self.width, point / self.width % self.height, point / (self.width * self.height)]
    }

    /// The neighbours of a point, with the axis that they are on.
    fn neighbours(&self, point: Point) -> impl Iterator<Item = (Point, usize)> + use<> {
        let place = self.place(point);
        let sizes = [self.width, self.height, self.layers];
        let strides = [1, self.width, self.width * self.height].map(|stride| stride as Point);
        (0..3).flat_map(move |axis| {
            let less = (place[axis] > 0).then(|| (point - strides[axis], axis));
            let more = (place[axis] + 1 < sizes[axis]).then(|| (point + strides[axis], axis));
            [less, more].into_iter().flatten()
        })
    }

    /// How far two points are from each other, along the axes.
    pub(super) fn distance(&self, one: Point, other: Point) -> usize {
        self.place(one).into_iter().zip(self.place(other)).map(|(one, other)| one.abs_diff(other)).sum()
    }
}

/// A thread's own memory for the search.
#[derive(Debug)]
pub(super) struct Router {
    size: Size,
    costs: Costs,
    distances: Vec<u32>,
    /// Points that were reached, by their distance modulo the number of waves.
    waves: Vec<Vec<Point>>,
}

impl Router {
    pub(super) fn new(size: Size, costs: Costs) -> Self {
        assert!(costs.iter().all(|cost| (1..=MOST).contains(cost)), "a step costs from 1 to {MOST}");
        let waves = vec![Vec::new(); MOST as usize + 1];
        Self { size, costs, distances: vec![FAR; size.points()], waves }
    }

    fn cost(&self, point: Point, axis: usize) -> u32 {
        let is_odd = !self.size.place(point)[2].is_multiple_of(2);
        match axis {
            2 => self.costs[2],
            _ => self.costs[axis ^ usize::from(is_odd)],
        }
    }

    /// Looks for the cheapest way from one point to another over points that are free, neither end asked. Returns
    /// all points of the way, the ends among them, or none if there is no way.
    pub(super) fn route<A>(
        &mut self,
        from: Point,
        to: Point,
        is_free: impl FnMut(Point) -> Result<bool, A>,
    ) -> Result<Option<Vec<Point>>, A> {
        let is_reached = self.expand(from, to, is_free)?;
        Ok(is_reached.then(|| self.backtrack(from, to)))
    }

    fn expand<A>(
        &mut self,
        from: Point,
        to: Point,
        mut is_free: impl FnMut(Point) -> Result<bool, A>,
    ) -> Result<bool, A> {
        self.distances.fill(FAR);
        self.waves.iter_mut().for_each(Vec::clear);
        self.distances[from as usize] = 0;
        self.waves[0].push(from);
        let mut distance = 0;
        let mut empty_waves = 0;
        while empty_waves <= MOST {
            let slot = (distance % (MOST + 1)) as usize;
            empty_waves += 1;
            while let Some(point) = self.waves[slot].pop() {
                empty_waves = 0;
                if self.distances[point as usize] != distance {
                    // It was reached on a cheaper way.
                    continue;
                }
                if point == to {
                    return Ok(true);
                }
                for (next, axis) in self.size.neighbours(point) {
                    let reached = distance + self.cost(point, axis);
                    let before = self.distances[next as usize];
                    if before == FAR && next != to && !is_free(next)? {
                        self.distances[next as usize] = WALL;
                    } else if reached < before && before != WALL {
                        self.distances[next as usize] = reached;
                        self.waves[(reached % (MOST + 1)) as usize].push(next);
                    }
                }
            }
            distance += 1;
        }
        Ok(false)
    }

    fn backtrack(&self, from: Point, to: Point) -> Vec<Point> {
        let mut way = vec![to];
        let mut point = to;
        while point != from {
            let distance = self.distances[point as usize];
            let is_before = |&(before, axis): &(Point, usize)| {
                let reached = self.distances[before as usize];
                reached < WALL && reached + self.cost(before, axis) == distance
            };
            point = self.size.neighbours(point).find(is_before).expect("a distance comes from a neighbour").0;
            way.push(point);
        }
        way.reverse();
        way
    }
}

/// What is wrong with a track from one point to another, if anything.
pub(super) fn fault(size: Size, from: Point, to: Point, track: &[Point]) -> Option<&'static str> {
    let are_neighbours = |[one, other]: &[Point; 2]| size.distance(*one, *other) == 1;
    if track.first() != Some(&from) || track.last() != Some(&to) {
        return Some("that a track joins its ends");
    }
    if track.iter().any(|&point| point as usize >= size.points()) || !track.array_windows().all(are_neighbours) {
        return Some("that a track has no gaps");
    }
    None
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    const SIZE: Size = Size { width: 5, height: 4, layers: 2 };

    fn route(router: &mut Router, from: Point, to: Point, walls: &[Point]) -> Option<Vec<Point>> {
        let Ok(way) = router.route(from, to, |point| Ok::<_, Infallible>(!walls.contains(&point)));
        way
    }

    #[test]
    fn the_way_is_the_shortest() {
        let mut router = Router::new(SIZE, [1, 1, 1]);
        let (from, to) = (SIZE.point(0, 0, 0), SIZE.point(4, 3, 1));
        let way = route(&mut router, from, to, &[]).expect("nothing is in the way");
        assert_eq!(way.len(), SIZE.distance(from, to) + 1);
        assert_eq!(fault(SIZE, from, to, &way), None);
    }

    #[test]
    fn a_wall_is_gone_around_by_the_other_layer() {
        let mut router = Router::new(SIZE, [1, 1, 1]);
        let wall: Vec<Point> = (0..4).map(|row| SIZE.point(2, row, 0)).collect();
        let (from, to) = (SIZE.point(0, 1, 0), SIZE.point(4, 1, 0));
        let way = route(&mut router, from, to, &wall).expect("the other layer is free");
        assert_eq!(way.len(), SIZE.distance(from, to) + 1 + 2);
        let both: Vec<Point> = (0..4).flat_map(|row| [SIZE.point(2, row, 0), SIZE.point(2, row, 1)]).collect();
        assert_eq!(route(&mut router, from, to, &both), None);
    }

    #[test]
    fn a_layer_is_for_rows_and_one_for_columns() {
        let mut router = Router::new(SIZE, [1, 8, 2]);
        let layers = |way: Vec<Point>| way.iter().map(|&point| SIZE.place(point)[2]).collect::<Vec<_>>();
        let row = route(&mut router, SIZE.point(0, 0, 0), SIZE.point(4, 0, 0), &[]).expect("it is free");
        assert_eq!(layers(row), [0; 5]);
        let column = route(&mut router, SIZE.point(0, 0, 0), SIZE.point(0, 3, 0), &[]).expect("it is free");
        assert_eq!(layers(column), [0, 1, 1, 1, 1, 0]);
    }

    #[test]
    fn faults_are_found() {
        let (from, to) = (SIZE.point(0, 0, 0), SIZE.point(2, 0, 0));
        let track = [from, SIZE.point(1, 0, 0), to];
        assert_eq!(fault(SIZE, from, to, &track), None);
        assert!(fault(SIZE, from, to, &track[..2]).is_some_and(|fault| fault.contains("ends")));
        assert!(fault(SIZE, from, to, &[from, to]).is_some_and(|fault| fault.contains("gaps")));
        // The end of a row is no neighbour of the beginning of the next one.
        let (from, to) = (SIZE.point(4, 0, 0), SIZE.point(0, 1, 0));
        assert!(fault(SIZE, from, to, &[from, to]).is_some_and(|fault| fault.contains("gaps")));
    }
}

//! From samples to figures: medians and how far the rounds spread.

use crate::catalogue::EngineName;
use crate::measure::Latency;
use crate::rounds::Row;

/// The middle of some numbers, and half the distance between the smallest and the largest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Middle {
    /// The median.
    pub median: f64,
    /// Half the distance.
    pub spread: f64,
}

impl Middle {
    /// Of at least one number.
    #[must_use]
    pub fn of(numbers: &[f64]) -> Self {
        let least = numbers.iter().copied().fold(f64::INFINITY, f64::min);
        let most = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Self { median: median(numbers), spread: (most - least) / 2.0 }
    }

    /// The spread in percent of the median.
    #[must_use]
    pub fn percent(&self) -> f64 {
        100.0 * self.spread / self.median
    }
}

/// The middle number, or between the two in the middle.
#[must_use]
pub fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
}

/// The geometric mean.
#[must_use]
pub fn geometric_mean(numbers: &[f64]) -> f64 {
    (numbers.iter().map(|number| number.ln()).sum::<f64>() / numbers.len() as f64).exp()
}

impl Row {
    /// Transactions of a kind in a second, of all threads together.
    #[must_use]
    pub fn throughput(&self, kind: usize) -> Middle {
        let of_rounds: Vec<_> = self.samples.iter().map(|sample| sample.kinds[kind].throughput).collect();
        Middle::of(&of_rounds)
    }

    /// Nanoseconds of a transaction of a kind as its thread sees it.
    #[must_use]
    pub fn nanoseconds(&self, kind: usize) -> f64 {
        1e9 * self.threads as f64 / self.throughput(kind).median
    }

    /// Nanoseconds on a processor for a transaction of any kind, if that was measured.
    #[must_use]
    pub fn processor_time(&self) -> Option<f64> {
        let of_rounds: Vec<_> = self.samples.iter().filter_map(|sample| sample.processor_time).collect();
        (!of_rounds.is_empty()).then(|| median(&of_rounds))
    }

    /// The medians of the latencies of all rounds, if they were measured.
    #[must_use]
    pub fn latency(&self, kind: usize) -> Option<Latency> {
        let of_rounds: Vec<_> = self.samples.iter().filter_map(|sample| sample.kinds[kind].latency).collect();
        let of = |quantile: fn(&Latency) -> u64| {
            let numbers: Vec<_> = of_rounds.iter().map(|latency| quantile(latency) as f64).collect();
            median(&numbers) as u64
        };
        (!of_rounds.is_empty()).then(|| Latency {
            p50: of(|latency| latency.p50),
            p99: of(|latency| latency.p99),
            p999: of(|latency| latency.p999),
            max: of(|latency| latency.max),
        })
    }

    /// Attempts that aborted in conflict for 1,000 transactions, if the engine counts them.
    #[must_use]
    pub fn aborts_per_1000(&self) -> Option<f64> {
        let conflicts: Option<u64> = self.samples.iter().map(|sample| sample.conflicts).sum();
        let transactions: u64 = self.samples.iter().map(|sample| sample.transactions).sum();
        conflicts.map(|conflicts| 1e3 * conflicts as f64 / transactions.max(1) as f64)
    }

    /// Whether another row is the same but for the engine.
    #[must_use]
    pub fn is_beside(&self, other: &Self) -> bool {
        (&self.workload, self.threads) == (&other.workload, other.threads)
    }

    /// Throughput over that under one mutex, which stands for the GIL.
    #[must_use]
    pub fn over_lock(&self, kind: usize, rows: &[Self]) -> Option<f64> {
        let lock = rows.iter().find(|other| other.engine == EngineName::Mutex && other.is_beside(self))?;
        let (this, that) = (self.throughput(kind).median, lock.throughput(kind).median);
        (that > 0.0).then(|| this / that)
    }
}

/// Three digits, or all before the point.
#[must_use]
pub fn short(number: f64) -> String {
    match number {
        0.0 => "0".to_string(),
        ..0.01 => format!("{number:.4}"),
        ..10.0 => format!("{number:.2}"),
        ..100.0 => format!("{number:.1}"),
        _ => format!("{number:.0}"),
    }
}

/// A number with a unit of thousands: `12.3 M`.
#[must_use]
pub fn scaled(number: f64) -> String {
    match number {
        ..1e3 => short(number),
        ..1e6 => format!("{} k", short(number / 1e3)),
        _ => format!("{} M", short(number / 1e6)),
    }
}

/// Nanoseconds with the unit that suits them.
#[must_use]
pub fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        ..1e3 => format!("{} ns", short(nanoseconds)),
        ..1e6 => format!("{} µs", short(nanoseconds / 1e3)),
        ..1e9 => format!("{} ms", short(nanoseconds / 1e6)),
        _ => format!("{} s", short(nanoseconds / 1e9)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_two_middles() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn the_spread_is_half_of_all() {
        assert_eq!(Middle::of(&[1.0, 4.0, 2.0]), Middle { median: 2.0, spread: 1.5 });
        assert_eq!(Middle::of(&[1.0, 4.0, 2.0]).percent(), 75.0);
    }

    #[test]
    fn the_geometric_mean_of_a_number_and_its_inverse_is_one() {
        assert!((geometric_mean(&[8.0, 0.125]) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn numbers_are_shown_with_three_digits() {
        assert_eq!([0.0, 0.001, 1.234, 12.34, 1234.5].map(short), ["0", "0.0010", "1.23", "12.3", "1234"]);
        assert_eq!([12.0, 1_234.0, 12_345_678.0].map(scaled), ["12.0", "1.23 k", "12.3 M"]);
        assert_eq!([12.0, 1_234.0, 12_345_678.0].map(time), ["12.0 ns", "1.23 µs", "12.3 ms"]);
    }
}

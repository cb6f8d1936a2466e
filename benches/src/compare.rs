//! What has moved between two measurements, beyond what their rounds spread.

use comfy_table::{CellAlignment, Table, presets};

use crate::figures::{Middle, scaled};
use crate::report::Report;
use crate::rounds::Row;

/// A change smaller than this is not worth a word, however little the rounds spread.
const SMALLEST: f64 = 0.03;

/// One throughput, before and after.
#[derive(Clone, Debug)]
pub struct Change {
    /// Workload, engine, threads and kind.
    pub what: [String; 4],
    /// Before.
    pub before: Middle,
    /// After.
    pub after: Middle,
}

impl Change {
    /// After over before.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.after.median / self.before.median
    }

    /// Whether the medians are further from each other than the rounds of both explain.
    #[must_use]
    pub fn is_beyond_noise(&self) -> bool {
        let distance = (self.after.median - self.before.median).abs();
        distance > self.before.spread + self.after.spread && distance > SMALLEST * self.before.median
    }
}

/// All throughputs that both have, if there were any before.
#[must_use]
pub fn changes(before: &Report, after: &Report) -> Vec<Change> {
    let same = |one: &Row, other: &Row| one.is_beside(other) && one.engine == other.engine && one.kinds == other.kinds;
    let pairs = after.rows.iter().filter_map(|new| Some((before.rows.iter().find(|old| same(old, new))?, new)));
    pairs
        .flat_map(|(old, new)| {
            new.kinds.iter().enumerate().map(|(kind, name)| Change {
                what: [new.workload.clone(), new.engine.to_string(), new.threads.to_string(), name.clone()],
                before: old.throughput(kind),
                after: new.throughput(kind),
            })
        })
        // A kind that did not occur has no ratio.
        .filter(|change| change.before.median > 0.0)
        .collect()
}

/// Those beyond noise as a table, the largest losses first.
#[must_use]
pub fn table(changes: &[Change]) -> Table {
    let mut moved: Vec<_> = changes.iter().filter(|change| change.is_beyond_noise()).collect();
    moved.sort_by(|one, other| one.ratio().total_cmp(&other.ratio()));
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(["workload", "engine", "threads", "what", "before", "±%", "after", "±%", "ratio"]);
    for change in moved {
        let mut cells = change.what.to_vec();
        for middle in [change.before, change.after] {
            cells.push(scaled(middle.median));
            cells.push(format!("{:.0}", middle.percent()));
        }
        cells.push(format!("{:.2}", change.ratio()));
        table.add_row(cells);
    }
    table.column_iter_mut().skip(4).for_each(|column| column.set_cell_alignment(CellAlignment::Right));
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(before: &[f64], after: &[f64]) -> Change {
        let what = ["", "", "", ""].map(str::to_string);
        Change { what, before: Middle::of(before), after: Middle::of(after) }
    }

    #[test]
    fn rounds_that_overlap_have_not_moved() {
        assert!(!change(&[90.0, 100.0, 110.0], &[95.0, 112.0, 115.0]).is_beyond_noise());
    }

    #[test]
    fn rounds_far_from_each_other_have_moved() {
        assert!(change(&[90.0, 100.0, 110.0], &[130.0, 140.0, 150.0]).is_beyond_noise());
        assert!(change(&[130.0, 140.0, 150.0], &[90.0, 100.0, 110.0]).is_beyond_noise());
    }

    #[test]
    fn a_tiny_change_has_not_moved() {
        assert!(!change(&[100.0], &[102.0]).is_beyond_noise());
    }
}

//! A chart with a line for each engine, as an SVG drawing.

use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;

use crate::catalogue::EngineName;
use crate::figures::{scaled, short};

/// Why a chart could not be drawn.
pub(super) type Error = Box<dyn std::error::Error>;

const SIZE: (u32, u32) = (400, 270);

/// What a chart shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chart<'a> {
    pub(super) title: &'a str,
    pub(super) x: &'a str,
    /// Whether the upper half of the chart is a multiple of the lower one.
    pub(super) is_log: bool,
    /// Names of the whole numbers on the x axis, if they have some.
    pub(super) labels: &'a [&'a str],
}

/// The line of an engine.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) engine: EngineName,
    pub(super) points: Vec<(f64, f64)>,
}

impl Chart<'_> {
    /// Draws it; nothing, if there are no points.
    pub(super) fn draw(&self, series: &[Series]) -> Result<String, Error> {
        let points = || series.iter().flat_map(|series| &series.points);
        if points().next().is_none() {
            return Ok(String::new());
        }
        let most_x = points().map(|point| point.0).fold(0.0, f64::max);
        let most = points().map(|point| point.1).fold(0.0, f64::max);
        let least = points().map(|point| point.1).filter(|&y| y > 0.0).fold(most.max(1.0), f64::min);
        let x = -0.04 * most_x.max(1.0)..1.06 * most_x.max(0.5);
        if self.is_log {
            self.draw_with(series, x, (least / 1.5..1.5 * most.max(1.0)).log_scale())
        } else {
            self.draw_with(series, x, 0.0..1.1 * if most > 0.0 { most } else { 1.0 })
        }
    }

    fn draw_with<Y>(&self, series: &[Series], x: std::ops::Range<f64>, y: Y) -> Result<String, Error>
    where
        Y: AsRangedCoord<Value = f64>,
        Y::CoordDescType: ValueFormatter<f64>,
    {
        let mut svg = String::new();
        {
            let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
            area.fill(&WHITE)?;
            let mut chart = ChartBuilder::on(&area)
                .caption(self.title, ("sans-serif", 14))
                .margin(8)
                .x_label_area_size(if self.x.is_empty() { 22 } else { 36 })
                .y_label_area_size(58)
                .build_cartesian_2d(x, y)?;
            let name = |x: &f64| match self.labels.get(x.round().max(0.0) as usize) {
                _ if self.labels.is_empty() && *x < 0.0 => String::new(),
                _ if self.labels.is_empty() => short_number(*x),
                Some(label) if (x - x.round()).abs() < 0.01 => (*label).to_string(),
                _ => String::new(),
            };
            chart
                .configure_mesh()
                .light_line_style(TRANSPARENT)
                .bold_line_style(RGBColor(230, 230, 230))
                .x_desc(self.x)
                .x_labels(if self.labels.is_empty() { 9 } else { 2 * self.labels.len() })
                .x_label_formatter(&name)
                .y_label_formatter(&|y| scaled(*y))
                .draw()?;
            for line in series {
                let (red, green, blue) = colour(line.engine);
                let style = RGBColor(red, green, blue).stroke_width(if is_ours(line.engine) { 3 } else { 2 });
                chart.draw_series(LineSeries::new(line.points.iter().copied(), style))?;
                let title = RGBColor(red, green, blue).filled();
                chart.draw_series(line.points.iter().map(|point| Circle::new(*point, 3, title)))?;
            }
            area.present()?;
        }
        Ok(svg)
    }
}

/// Without digits after the point where there are none.
fn short_number(number: f64) -> String {
    if (number - number.round()).abs() < 1e-9 { format!("{number:.0}") } else { short(number) }
}

fn is_ours(engine: EngineName) -> bool {
    matches!(engine, EngineName::OptimistTvar | EngineName::OptimistTcell)
}

/// Of an engine, in red, green and blue. Ours are green, locks warm, single words grey, rivals blue.
pub(super) fn colour(engine: EngineName) -> (u8, u8, u8) {
    match engine {
        EngineName::OptimistTvar => (0, 128, 92),
        EngineName::OptimistTcell => (80, 190, 120),
        EngineName::Mutex => (213, 94, 0),
        EngineName::Gil => (160, 40, 30),
        EngineName::RwLock => (230, 159, 0),
        EngineName::ObjectLocks => (190, 110, 160),
        EngineName::StripedLocks => (120, 60, 120),
        EngineName::Bare => (20, 20, 20),
        EngineName::Atomic => (110, 110, 110),
        EngineName::Seqlock => (150, 150, 150),
        EngineName::FastStm => (0, 90, 180),
        EngineName::StmCore => (86, 180, 233),
        EngineName::AsyncStm => (60, 60, 200),
        EngineName::Xstm => (0, 150, 170),
        EngineName::KovanStm => (120, 150, 220),
        EngineName::Floor => (200, 200, 200),
    }
}

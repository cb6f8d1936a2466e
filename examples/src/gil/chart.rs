//! A chart of throughput over threads.

use std::error::Error;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use plotters::prelude::*;

use super::index::Engine;
use super::run::Outcome;

/// Makes sure that a chart can be written to `path`, before the work is done that it is to show.
///
/// # Errors
/// When it cannot.
pub fn prepare(path: &Path) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    File::options().append(true).create(true).open(path).map(drop)
}

/// Draws throughput over threads, a line for each engine.
///
/// # Errors
/// When the file cannot be written.
pub fn draw(path: &Path, outcomes: &[Outcome]) -> Result<(), Box<dyn Error>> {
    let drawing = SVGBackend::new(path, (800, 500));
    let area = drawing.into_drawing_area();
    area.fill(&WHITE)?;
    let threads = outcomes.iter().map(|outcome| outcome.plan.threads).max().unwrap_or(1);
    let fastest = outcomes.iter().map(Outcome::throughput).fold(1.0, f64::max);
    let mut chart = ChartBuilder::on(&area)
        .caption("Documents indexed per second", ("sans-serif", 22))
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(76)
        .build_cartesian_2d(0..threads + 1, 0.0..1.15 * fastest)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_desc("threads")
        .y_desc("documents per second")
        .x_labels((threads + 2).min(20))
        .x_label_formatter(&|threads| if *threads == 0 { String::new() } else { threads.to_string() })
        .y_label_formatter(&|documents| format!("{documents:.0}"))
        .draw()?;
    for engine in Engine::ALL {
        let points: Vec<_> = outcomes
            .iter()
            .filter(|outcome| outcome.plan.engine == engine)
            .map(|outcome| (outcome.plan.threads, outcome.throughput()))
            .collect();
        if points.is_empty() {
            continue;
        }
        let colour = colour_of(engine);
        chart
            .draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(3)))?
            .label(engine.name())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], colour.stroke_width(3)));
        chart.draw_series(points.iter().map(|point| Circle::new(*point, 5, colour.filled())))?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE)
        .border_style(RGBColor(200, 200, 200))
        .draw()?;
    area.present()?;
    Ok(())
}

/// Colours that the colour-blind can tell apart.
fn colour_of(engine: Engine) -> RGBColor {
    match engine {
        Engine::Gil => RGBColor(213, 94, 0),
        Engine::Locks => RGBColor(0, 114, 178),
        Engine::Optimist => RGBColor(0, 158, 115),
    }
}

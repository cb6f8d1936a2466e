//! One page with all figures and charts, which needs nothing else: the charts are drawings in it.

mod chart;

use std::collections::BTreeSet;
use std::fmt::Write;

use self::chart::{Chart, Error, Series};
use crate::catalogue::EngineName;
use crate::figures::{scaled, short, time};
use crate::report::Report;
use crate::rounds::Row;

const STYLE: &str = "
body { font: 15px/1.45 system-ui, sans-serif; color: #222; max-width: 1240px; margin: 2em auto; padding: 0 1em }
h1 { font-size: 1.6em } h2 { margin-top: 2em; border-bottom: 1px solid #ddd } h3 { margin: 1.6em 0 .4em }
table { border-collapse: collapse; font-size: 13px } th, td { padding: 2px 9px; border-bottom: 1px solid #eee }
th { text-align: left; background: #f6f6f6 } td.n { text-align: right; font-variant-numeric: tabular-nums }
.charts { display: flex; flex-wrap: wrap; gap: 12px } .charts svg { border: 1px solid #eee }
.key { margin: .5em 0 } .key span { display: inline-block; margin-right: 1.2em }
.key i { display: inline-block; width: 1.4em; height: .3em; margin-right: .4em; vertical-align: middle }
details { margin: .6em 0 } summary { cursor: pointer; color: #456 } nav a { margin-right: 1em }
.better { background: #e3f4ec } .worse { background: #fbe7df } .small { color: #666; font-size: 13px }
";

/// The page.
///
/// # Errors
/// When a chart cannot be drawn.
pub fn page(report: &Report) -> Result<String, Box<dyn std::error::Error>> {
    let mut page = String::new();
    let workloads = workloads(report);
    let groups: BTreeSet<_> = report.rows.iter().map(|row| row.group.as_str()).collect();
    page.push_str("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Optimist: benchmarks</title>");
    _ = write!(page, "<style>{STYLE}</style></head><body><h1>Optimist: benchmarks</h1>{}", origin(report));
    page.push_str(&key(report));
    page.push_str("<nav>");
    for group in &groups {
        _ = write!(page, "<a href=\"#{group}\">{group}</a>");
    }
    page.push_str("</nav>");
    page.push_str(&overview(report, &workloads));
    for group in groups {
        _ = write!(page, "<h2 id=\"{group}\">{group}</h2>");
        page.push_str(&sweep(report, group)?);
        for workload in &workloads {
            let rows: Vec<_> =
                report.rows.iter().filter(|row| row.group == group && row.workload == *workload).collect();
            if !rows.is_empty() {
                page.push_str(&section(report, workload, &rows)?);
            }
        }
    }
    page.push_str(&left_out(report));
    page.push_str("</body></html>\n");
    Ok(page)
}

/// Replaces what HTML would take for its own.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// In the order in which they were run.
fn workloads(report: &Report) -> Vec<String> {
    let mut workloads: Vec<String> = Vec::new();
    for row in &report.rows {
        if !workloads.contains(&row.workload) {
            workloads.push(row.workload.clone());
        }
    }
    workloads
}

fn origin(report: &Report) -> String {
    let origin = &report.origin;
    format!(
        "<p>{}; commit {}; {}, {} cores, {}.<br>Medians of {} rounds of {} s each; all engines in turn in each round, on the \
         same random choices (seed {}). Every run has checked its answer.</p><p class=\"small\">Throughput is of all threads \
         together. <b>× mutex</b> is throughput over that under one mutex, which stands for the GIL, with as many threads: \
         above 1 is faster. Latencies are of single transactions, attempts that lost included. Aborts are for 1,000 \
         transactions, where the engine counts them.</p>",
        escape(&origin.date),
        escape(&origin.commit),
        escape(&origin.processor),
        origin.cores,
        escape(&origin.system),
        report.rounds,
        report.seconds,
        report.seed,
    )
}

fn key(report: &Report) -> String {
    let engines: BTreeSet<_> = report.rows.iter().map(|row| row.engine).collect();
    let mut key = "<p class=\"key\">".to_string();
    for engine in engines {
        let (red, green, blue) = chart::colour(engine);
        _ = write!(key, "<span><i style=\"background: rgb({red},{green},{blue})\"></i>{engine}</span>");
    }
    key + "</p>"
}

/// Throughput over that under one mutex, a column for each engine, at the most threads measured.
fn overview(report: &Report, workloads: &[String]) -> String {
    let engines: BTreeSet<_> = report.rows.iter().map(|row| row.engine).collect();
    let threads: BTreeSet<_> = report.rows.iter().map(|row| row.threads).collect();
    let mut text = String::new();
    for threads in threads {
        _ = write!(
            text,
            "<details open><summary>× mutex with {}</summary><table><tr><th>workload</th><th></th>",
            count(threads)
        );
        engines.iter().for_each(|engine| _ = write!(text, "<th>{engine}</th>"));
        text.push_str("</tr>");
        for workload in workloads {
            let rows: Vec<_> =
                report.rows.iter().filter(|row| row.workload == *workload && row.threads == threads).collect();
            let kinds = rows.first().map(|row| row.kinds.clone()).unwrap_or_default();
            for (kind, name) in kinds.iter().enumerate().filter(|&(kind, _)| does_occur(&rows, kind)) {
                _ = write!(text, "<tr><td>{}</td><td>{}</td>", escape(workload), escape(name));
                for engine in &engines {
                    let row = rows.iter().find(|row| row.engine == *engine);
                    let ratio = row.and_then(|row| row.over_lock(kind, &report.rows));
                    let class = match ratio {
                        Some(1.1..) => "n better",
                        Some(..0.9) => "n worse",
                        _ => "n",
                    };
                    _ = write!(text, "<td class=\"{class}\">{}</td>", ratio.map(short).unwrap_or_default());
                }
                text.push_str("</tr>");
            }
        }
        text.push_str("</table></details>");
    }
    text
}

fn count(threads: usize) -> String {
    if threads == 1 { "1 thread".to_string() } else { format!("{threads} threads") }
}

/// Whether there were transactions of the kind at all.
fn does_occur(rows: &[&Row], kind: usize) -> bool {
    rows.iter().any(|row| row.throughput(kind).median > 0.0)
}

/// The charts and the table of one workload.
fn section(report: &Report, workload: &str, rows: &[&Row]) -> Result<String, Error> {
    let mut text = format!("<h3>{}</h3><div class=\"charts\">", escape(workload));
    let kinds = rows[0].kinds.iter().enumerate().filter(|&(kind, _)| does_occur(rows, kind));
    for (kind, name) in kinds {
        text.push_str(&over_threads(rows, &format!("{name} per second"), |row| Some(row.throughput(kind).median))?);
        text.push_str(&over_threads(rows, &format!("{name}: × mutex"), |row| row.over_lock(kind, &report.rows))?);
        text.push_str(&latencies(rows, kind, name)?);
    }
    text.push_str(&over_threads(rows, "aborts for 1,000 transactions", Row::aborts_per_1000)?);
    text.push_str("</div><details><summary>figures</summary><table><tr>");
    for name in
        ["engine", "threads", "what", "per second", "±%", "time", "× mutex", "aborts ‰", "P50", "P99", "P99.9", "max"]
    {
        _ = write!(text, "<th>{name}</th>");
    }
    text.push_str("</tr>");
    for row in rows {
        for (kind, name) in row.kinds.iter().enumerate() {
            text.push_str(&figures(report, row, kind, name));
        }
    }
    Ok(text + "</table></details>")
}

fn figures(report: &Report, row: &Row, kind: usize, name: &str) -> String {
    let throughput = row.throughput(kind);
    let latency = row.latency(kind);
    let quantiles = latency.map_or_else(Default::default, |latency| {
        [latency.p50, latency.p99, latency.p999, latency.max].map(|nanoseconds| time(nanoseconds as f64))
    });
    let mut text = format!("<tr><td>{}</td><td class=\"n\">{}</td><td>{}</td>", row.engine, row.threads, escape(name));
    let cells = [
        scaled(throughput.median),
        short(throughput.percent()),
        time(row.nanoseconds(kind)),
        row.over_lock(kind, &report.rows).map(short).unwrap_or_default(),
        row.aborts_per_1000().map(short).unwrap_or_default(),
    ];
    cells.iter().chain(&quantiles).for_each(|cell| _ = write!(text, "<td class=\"n\">{cell}</td>"));
    text + "</tr>"
}

/// A line for each engine, over the number of threads. Nothing, if there is nothing to show.
fn over_threads(rows: &[&Row], title: &str, value: impl Fn(&Row) -> Option<f64>) -> Result<String, Error> {
    let series = series(rows, |row| Some((row.threads as f64, value(row)?)));
    Chart { title, x: "threads", is_log: false, labels: &[] }.draw(&series)
}

/// The quantiles of each engine at the most threads.
fn latencies(rows: &[&Row], kind: usize, name: &str) -> Result<String, Error> {
    let most = rows.iter().map(|row| row.threads).max().unwrap_or(1);
    let quantiles = |row: &Row| {
        let latency = row.latency(kind)?;
        let values = [latency.p50, latency.p99, latency.p999, latency.max];
        let points = values.iter().enumerate().map(|(at, &value)| (at as f64, value as f64)).collect();
        Some(Series { engine: row.engine, points })
    };
    let is_shown = |row: &&&Row| row.threads == most && row.engine != EngineName::Floor;
    let series: Vec<_> = rows.iter().filter(is_shown).filter_map(|row| quantiles(row)).collect();
    let title = format!("{name}: latency in ns, {}", count(most));
    Chart { title: &title, x: "", is_log: true, labels: &["P50", "P99", "P99.9", "max"] }.draw(&series)
}

/// What a sweep varies, on the other axis.
fn sweep(report: &Report, group: &str) -> Result<String, Error> {
    let rows: Vec<_> = report.rows.iter().filter(|row| row.group == group && row.point.is_some()).collect();
    let Some((what, _)) = rows.first().and_then(|row| row.point.clone()) else { return Ok(String::new()) };
    let threads: BTreeSet<_> = rows.iter().map(|row| row.threads).collect();
    let mut text = "<div class=\"charts\">".to_string();
    for threads in threads {
        let rows: Vec<_> = rows.iter().copied().filter(|row| row.threads == threads).collect();
        let mut add = |title: &str, value: &dyn Fn(&Row) -> Option<f64>| -> Result<(), Error> {
            let series = series(&rows, |row| Some((row.point.as_ref()?.1, value(row)?)));
            let title = format!("{title}, {}", count(threads));
            text.push_str(&Chart { title: &title, x: &what, is_log: false, labels: &[] }.draw(&series)?);
            Ok(())
        };
        add("transactions per second", &|row| Some(row.throughput(0).median))?;
        add("× mutex", &|row| row.over_lock(0, &report.rows))?;
        add("aborts for 1,000 transactions", &Row::aborts_per_1000)?;
    }
    Ok(text + "</div>")
}

fn series(rows: &[&Row], point: impl Fn(&Row) -> Option<(f64, f64)>) -> Vec<Series> {
    // The floor does nothing: its line would only press the others together.
    let engines: BTreeSet<EngineName> =
        rows.iter().map(|row| row.engine).filter(|&engine| engine != EngineName::Floor).collect();
    let of_engine = |engine| Series {
        engine,
        points: rows.iter().filter(|row| row.engine == engine).filter_map(|row| point(row)).collect(),
    };
    engines.into_iter().map(of_engine).filter(|series| !series.points.is_empty()).collect()
}

fn left_out(report: &Report) -> String {
    if report.skipped.is_empty() {
        return String::new();
    }
    let mut text = "<h2>left out</h2><ul>".to_string();
    report.left_out().iter().for_each(|line| _ = write!(text, "<li>{}</li>", escape(line)));
    text + "</ul>"
}

//! Tables in plain text.

use crate::measure::{DRIVER, Run};
use comfy_table::presets::ASCII_FULL_CONDENSED;
use comfy_table::{CellAlignment, ContentArrangement, Table};

/// A table with a header; all columns but the first are numbers.
#[must_use]
pub fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table.load_style(ASCII_FULL_CONDENSED);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header);
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.trim_fmt()
}

/// Throughput, latency and what each saga cost.
#[must_use]
pub fn runs(runs: &[Run]) -> String {
    let header = [
        "workload",
        "sagas/s",
        "mean ms",
        "p50",
        "p99",
        "p99.9",
        "CPU µs/saga",
        "driver µs",
        "cores",
        "fsyncs",
        "flushes",
        "commits",
        "statements",
        "messages",
        "KiB written",
        "peak MiB",
    ];
    let rows: Vec<Vec<String>> = runs
        .iter()
        .map(|run| {
            let optional = |figure: Option<f64>| figure.map_or("-".to_owned(), small);
            let written: f64 = run.written.iter().filter(|(name, _)| *name != DRIVER).map(|(_, bytes)| bytes).sum();
            let peak: f64 = run.peak_mib.iter().filter(|(name, _)| *name != DRIVER).map(|(_, mib)| mib).sum();
            vec![
                run.workload.clone(),
                format!("{:.0}", run.rate),
                ms(run.latency.mean),
                ms(run.latency.p50),
                ms(run.latency.p99),
                ms(run.latency.p999),
                format!("{:.0}", run.cpu_without_driver()),
                format!("{:.0}", run.cpu_us.get(DRIVER).copied().unwrap_or(0.0)),
                format!("{:.2}", run.cores_busy),
                optional(run.database_fsyncs),
                small(run.disk_flushes),
                optional(run.commits),
                optional(run.statements),
                optional(run.messages),
                format!("{:.1}", written / 1024.0),
                format!("{peak:.0}"),
            ]
        })
        .collect();
    table(&header, &rows)
}

/// CPU by process.
#[must_use]
pub fn cpu(runs: &[Run]) -> String {
    let mut names: Vec<&String> = Vec::new();
    for name in runs.iter().flat_map(|run| run.cpu_us.keys()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let header: Vec<&str> = ["CPU µs per saga"].into_iter().chain(names.iter().map(|name| name.as_str())).collect();
    let row = |run: &Run| {
        let figures = names.iter().map(|name| run.cpu_us.get(*name).map_or("-".to_owned(), |us| format!("{us:.0}")));
        [run.workload.clone()].into_iter().chain(figures).collect()
    };
    table(&header, &runs.iter().map(row).collect::<Vec<_>>())
}

/// Milliseconds with as many digits as mean something.
#[must_use]
pub fn ms(ms: f64) -> String {
    if ms < 10.0 { format!("{ms:.2}") } else { format!("{ms:.1}") }
}

/// A count per saga.
fn small(figure: f64) -> String {
    if figure < 1.0 { format!("{figure:.3}") } else { format!("{figure:.1}") }
}

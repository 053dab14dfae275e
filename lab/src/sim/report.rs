//! What people read: tables of a campaign and of a matrix, the story of a failing seed, the line of a record.

use super::campaign::Totals;
use super::matrix::{Matrix, cases};
use super::run::RunOutcome;
use super::shrink::{Shrunk, command};
use super::swarm::KINDS;
use comfy_table::presets::ASCII_FULL_CONDENSED;
use comfy_table::{CellAlignment, ContentArrangement, Table};
use saga_core::definition::Definition;
use serde_json::{Value, json};

/// Lines of a story shown at most, from its end: what broke stands there.
const STORY: usize = 400;

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_FULL_CONDENSED);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.to_vec());
    table
}

fn right(table: &mut Table, columns: impl IntoIterator<Item = usize>) {
    for column in columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// A campaign's totals.
#[must_use]
pub fn totals(totals: &Totals) -> String {
    let mut sums = table(&["campaign", "count"]);
    let mut row = |name: &str, value: String| {
        sums.add_row([name.to_owned(), value]);
    };
    row("seeds", totals.seeds.to_string());
    row("seeds that failed", totals.failed.to_string());
    row("simulated hours", format!("{:.1}", totals.hours()));
    row("sagas", totals.all_sagas().to_string());
    for (state, count) in &totals.sagas {
        row(&format!("  {state}"), count.to_string());
    }
    row("commits", totals.commits.to_string());
    row("longest healing", format!("{:.1} s", totals.longest_healing as f64 / 1e6));
    row("wall time", format!("{:.1} s on {} threads", totals.elapsed.as_secs_f64(), totals.jobs));
    row("sagas per second and thread", format!("{:.0}", totals.sagas_per_second()));
    right(&mut sums, [1]);
    let mut faults = table(&["fault", "struck"]);
    for kind in KINDS {
        let struck = totals.faults.get(kind.name).copied().unwrap_or(0);
        faults.add_row([kind.name.to_owned(), struck.to_string()]);
    }
    right(&mut faults, [1]);
    format!("{}\n\n{}", faults.trim_fmt(), sums.trim_fmt())
}

/// The same for machines.
#[must_use]
pub fn totals_json(totals: &Totals) -> Value {
    json!({
        "seeds": totals.seeds,
        "failed": totals.failed,
        "simulated_hours": totals.hours(),
        "sagas": totals.sagas,
        "faults": totals.faults,
        "commits": totals.commits,
        "longest_healing_seconds": totals.longest_healing as f64 / 1e6,
        "seconds": totals.elapsed.as_secs_f64(),
        "jobs": totals.jobs,
        "sagas_per_second_and_thread": totals.sagas_per_second(),
        "failures": totals.failures.iter().map(failure_json).collect::<Vec<_>>(),
    })
}

fn failure_json(outcome: &RunOutcome) -> Value {
    let broken = outcome.failures.iter().map(|one| json!({"invariant": one.invariant, "what": one.what}));
    json!({"seed": outcome.seed, "broken": broken.collect::<Vec<_>>(), "replay": format!("baton-lab sim --seed {}", outcome.seed)})
}

/// One run in a few lines.
#[must_use]
pub fn outcome(outcome: &RunOutcome) -> String {
    let sagas: Vec<String> = outcome.sagas.iter().map(|(state, count)| format!("{count} {state}")).collect();
    let mut text = format!(
        "seed {}: {} orders, {} orchestrators, participants {:?}; {}; lived {:.1} s, at rest {:.1} s after the heal; digest {:016x}",
        outcome.seed,
        outcome.orders,
        outcome.processes.0,
        outcome.processes.1,
        sagas.join(", "),
        outcome.lived as f64 / 1e6,
        outcome.healing as f64 / 1e6,
        outcome.digest,
    );
    let struck: Vec<String> =
        outcome.faults.iter().filter(|(_, count)| **count > 0).map(|(kind, count)| format!("{kind} {count}")).collect();
    text.push_str(&format!("\nfaults: {}", if struck.is_empty() { "none".to_owned() } else { struck.join(", ") }));
    for violation in &outcome.failures {
        text.push_str(&format!("\nBROKEN {}: {}", violation.invariant, violation.what));
    }
    text
}

/// The story of a failing seed.
#[must_use]
pub fn story(shrunk: &Shrunk) -> String {
    let mut text = format!("{}\n", outcome(&shrunk.outcome));
    let lines = &shrunk.outcome.lines;
    let skipped = lines.len().saturating_sub(STORY);
    if skipped > 0 {
        text.push_str(&format!("({skipped} lines before; all of them with --trace)\n"));
    }
    for line in &lines[skipped..] {
        text.push_str(line);
        text.push('\n');
    }
    text.push_str(&format!(
        "shrunk in {} runs; replay with:\n  {}\n",
        shrunk.runs,
        command(shrunk.outcome.seed, &shrunk.limits)
    ));
    text
}

/// The header of the committed record.
pub const RECORD_HEADER: &str = "commit,first_seed,seeds,failed,simulated_hours,sagas,faults,commits,faults_by_kind";

/// One line of the committed record; faults by kind are `kind:times`, with spaces between.
#[must_use]
pub fn record(totals: &Totals, first_seed: u64, commit: &str) -> String {
    let faults: u64 = totals.faults.values().sum();
    let by_kind: Vec<String> = totals.faults.iter().map(|(kind, struck)| format!("{kind}:{struck}")).collect();
    format!(
        "{commit},{first_seed},{},{},{:.2},{},{faults},{},{}",
        totals.seeds,
        totals.failed,
        totals.hours(),
        totals.all_sagas(),
        totals.commits,
        by_kind.join(" "),
    )
}

/// A matrix.
#[must_use]
pub fn matrix(definition: &Definition, matrix: &Matrix) -> String {
    let mut all = table(&["step", "direction", "outcome", "cases", "boundary reached", "failed"]);
    for ((step, direction, outcome), count) in &matrix.counts {
        let name = definition.step(*step).map_or("", |step| step.name.as_str());
        all.add_row([
            format!("{step} {name}"),
            direction.as_str().to_owned(),
            outcome.name().to_owned(),
            count.run.to_string(),
            count.reached.to_string(),
            count.failed.to_string(),
        ]);
    }
    let total = matrix.total();
    all.add_row(["all", "", "", &total.run.to_string(), &total.reached.to_string(), &total.failed.to_string()]);
    right(&mut all, [3, 4, 5]);
    let mut boundaries = table(&["process dies", "reached"]);
    for (boundary, reached) in &matrix.boundaries {
        boundaries.add_row([boundary_name(*boundary), reached.to_string()]);
    }
    right(&mut boundaries, [1]);
    let mut text = format!("{}\n\n{}", all.trim_fmt(), boundaries.trim_fmt());
    for failed in &matrix.failed {
        text.push_str(&format!("\nFAILED {:?}", failed.case));
        for violation in &failed.violations {
            text.push_str(&format!("\n  {}: {}", violation.invariant, violation.what));
        }
        for line in &failed.lines {
            text.push_str(&format!("\n    {line}"));
        }
    }
    text
}

/// A matrix for machines.
#[must_use]
pub fn matrix_json(definition: &Definition, matrix: &Matrix) -> Value {
    let total = matrix.total();
    let failed = matrix.failed.iter().map(|failed| {
        let broken = failed.violations.iter().map(|one| json!({"invariant": one.invariant, "what": one.what}));
        json!({"case": format!("{:?}", failed.case), "broken": broken.collect::<Vec<_>>()})
    });
    json!({
        "saga": definition.id().to_string(),
        "cases": total.run,
        "boundary_reached": total.reached,
        "failed": total.failed,
        "failures": failed.collect::<Vec<_>>(),
    })
}

fn boundary_name(boundary: cases::Boundary) -> String {
    use cases::{Boundary, Side};
    let (who, what, side) = match boundary {
        Boundary::None => return "nobody".to_owned(),
        Boundary::OrderCommit(side) => ("orchestrator", "ordering commit", side),
        Boundary::CommandSend(side) => ("orchestrator", "command's sending", side),
        Boundary::EffectCommit(side) => ("participant", "effect's commit", side),
        Boundary::ReplySend(side) => ("participant", "reply's sending", side),
        Boundary::CommandAck(side) => ("participant", "command's ack", side),
        Boundary::ApplyCommit(side) => ("orchestrator", "applying commit", side),
        Boundary::ReplyAck(side) => ("orchestrator", "reply's ack", side),
    };
    let side = if side == Side::Before { "before" } else { "after" };
    format!("{who}, {side} the {what}")
}

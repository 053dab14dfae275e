//! What Baton is to reach, and whether it did.
//!
//! Figures of other engines and the design's own ceiling were taken on a two-core machine, whose raw figures are here as
//! well: a figure per second is scaled by how many durable one-row transactions this machine commits beside that one.
//! docs/performance.md says where they come from.

use crate::machine::raw::Raw;
use crate::measure::Run;
use crate::report::table::{ms, table};
use crate::weather::{CALM, Weather};
use serde::Serialize;
use std::collections::BTreeMap;

/// One-row transactions per second on eight connections of the machine that the figures below are from.
const REFERENCE_COMMITS: f64 = 16_211.0;

/// Callers and sagas per second of a bare prototype of Baton's design: no gRPC, no compensation, no tracing, no metrics.
const CEILING: [(usize, f64); 3] = [(64, 4_136.0), (256, 9_145.0), (1_024, 12_563.0)];
/// Share of it that is to be reached.
const SHARE: f64 = 0.6;

/// Restate 1.7 with its best tuning: mean of the burst in ms, sagas per second at 64, median one at a time in ms.
const RESTATE: (f64, f64, f64) = (785.0, 738.0, 9.0);
/// DBOS on PostgreSQL at 64 callers.
const DBOS: f64 = 450.0;
/// No engine at all, the participants' transactions one after the other: mean of the burst in ms, sagas/s at 64.
const NO_ENGINE: (f64, f64) = (323.0, 3_341.0);

/// One line of the table.
#[derive(Clone, Debug, Serialize)]
pub struct Judged {
    /// What is judged.
    pub what: String,
    /// What was to be reached.
    pub target: String,
    /// What was.
    pub measured: String,
    /// Whether it was; nothing if this run did not tell.
    pub met: Option<bool>,
}

/// Names of the workloads that targets speak of.
pub mod name {
    /// 1,000 orders of one item at once.
    pub const BURST: &str = "burst of 1,000";
    /// One caller.
    pub const ALONE: &str = "one at a time";
    /// 256 callers, one item.
    pub const HOT: &str = "256 callers, 1 item";
    /// 256 callers, 10,000 items.
    pub const WIDE: &str = "256 callers, 10,000 items";
    /// 256 callers, two orchestrators.
    pub const TWO: &str = "256 callers, 2 orchestrators";
    /// 256 callers, embedded.
    pub const EMBEDDED: &str = "256 callers, embedded";
    /// One caller, embedded.
    pub const EMBEDDED_ALONE: &str = "one at a time, embedded";

    /// So many callers over 100 items.
    #[must_use]
    pub fn callers(callers: usize) -> String {
        format!("{callers} callers, 100 items")
    }
}

/// Judges what was measured.
#[must_use]
pub fn judge(runs: &[Run], raw: &Raw, weather: Option<&Weather>) -> Vec<Judged> {
    let by_name: BTreeMap<&str, &Run> = runs.iter().map(|run| (run.workload.as_str(), run)).collect();
    let speed = raw.commits_grouped / REFERENCE_COMMITS;
    let mut judged = Vec::new();
    if let Some(run) = by_name.get(name::BURST) {
        let what = "burst of 1,000, mean";
        judged.push(at_most(what, "1/5 of Restate's", RESTATE.0 / speed / 5.0, run.latency.mean));
        judged.push(at_most(what, "half of no engine's", NO_ENGINE.0 / speed / 2.0, run.latency.mean));
    }
    for (callers, ceiling) in CEILING {
        if let Some(run) = by_name.get(name::callers(callers).as_str()) {
            let what = format!("sagas/s, {callers} callers");
            judged.push(at_least(&what, "60 % of the ceiling", ceiling * SHARE * speed, run.rate));
        }
    }
    if let Some(run) = by_name.get(name::callers(64).as_str()) {
        let what = "sagas/s, 64 callers";
        judged.push(at_least(what, "4 x Restate", RESTATE.1 * 4.0 * speed, run.rate));
        judged.push(at_least(what, "6 x DBOS", DBOS * 6.0 * speed, run.rate));
        judged.push(at_least(what, "no engine", NO_ENGINE.1 * speed, run.rate));
    }
    if let Some(run) = by_name.get(name::ALONE) {
        judged.push(at_most("one at a time, p50", "Restate", RESTATE.2, run.latency.p50));
    }
    if let Some(run) = by_name.get(name::EMBEDDED_ALONE) {
        judged.push(at_most("one at a time embedded, p50", "", 4.0, run.latency.p50));
    }
    let base = by_name.get(name::callers(256).as_str()).copied();
    if let Some(base) = base {
        let (target, cpu) = ("350 µs".to_owned(), base.cpu_without_driver());
        let (what, measured) = ("CPU per saga, 256 callers".to_owned(), format!("{cpu:.0} µs"));
        judged.push(Judged { what, target: format!("at most {target}"), measured, met: Some(cpu <= 350.0) });
    }
    let pairs = [
        ("embedded against real, 256", name::EMBEDDED, base, 2.0),
        ("1,024 callers against 256", &name::callers(1_024), base, 1.0),
        ("two orchestrators against one", name::TWO, base, 1.0),
        ("1 item against 10,000", name::HOT, by_name.get(name::WIDE).copied(), 1.0),
    ];
    for (what, of, to, least) in pairs {
        if let (Some(of), Some(to)) = (by_name.get(of), to) {
            judged.push(ratio(what, least, of.rate / to.rate));
        }
    }
    if let Some(rollbacks) = by_name.get(name::TWO).and_then(|run| run.rollbacks) {
        let measured = format!("{:.2} %", rollbacks * 100.0);
        let (what, target) = ("two orchestrators, rollbacks".to_owned(), "at most 1 %".to_owned());
        judged.push(Judged { what, target, measured, met: Some(rollbacks <= 0.01) });
    }
    judged.extend(weather.map(of_weather).into_iter().flatten());
    judged
}

/// What a storm must not do. Noise is granted 5 %.
fn of_weather(weather: &Weather) -> Vec<Judged> {
    let line = |what: &str, target: String, measured: String, met| Judged {
        what: what.to_owned(),
        target,
        measured,
        met: Some(met),
    };
    // All that may wait in front of the engine, at the rate at which it is carried, and as much again under way.
    let bound_ms = 2.0 * 8_192.0 / weather.capacity * 1000.0;
    vec![
        line(
            "150 %: ended per second",
            format!("capacity, {:.0}", weather.capacity),
            format!("{:.0}", weather.storm_ended),
            weather.storm_ended >= weather.capacity * 0.95,
        ),
        line(
            "150 %: refused, with a time",
            "the excess".to_owned(),
            format!("{:.0} %", weather.refused_share * 100.0),
            weather.refused_share > 0.0,
        ),
        line(
            "150 %: p99 of the accepted",
            format!("at most {} ms", ms(bound_ms)),
            format!("{} ms", ms(weather.accepted.p99)),
            weather.accepted.p99 <= bound_ms,
        ),
        line(
            "80 % after it: ended per second",
            format!("arrivals, {:.0}", weather.capacity * CALM),
            format!("{:.0}", weather.calm_ended),
            weather.calm_ended >= weather.calm_rate * 0.95,
        ),
        line("80 % after it: refused", "0".to_owned(), weather.calm_refused.to_string(), weather.calm_refused == 0),
    ]
}

fn at_most(what: &str, of: &str, most: f64, found: f64) -> Judged {
    let of = if of.is_empty() { String::new() } else { format!(" ({of})") };
    let target = format!("at most {} ms{of}", ms(most));
    Judged { what: what.to_owned(), target, measured: format!("{} ms", ms(found)), met: Some(found <= most) }
}

fn at_least(what: &str, of: &str, least: f64, found: f64) -> Judged {
    let target = format!("at least {least:.0} ({of})");
    Judged { what: what.to_owned(), target, measured: format!("{found:.0}"), met: Some(found >= least) }
}

fn ratio(what: &str, least: f64, found: f64) -> Judged {
    let target = format!("at least {least:.1} x");
    // Two runs of one workload differ by this much.
    let met = Some(found >= least * 0.97);
    Judged { what: what.to_owned(), target, measured: format!("{found:.2} x"), met }
}

/// As a table.
#[must_use]
pub fn print(judged: &[Judged]) -> String {
    let row = |one: &Judged| {
        let met = match one.met {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => "not told",
        };
        vec![one.what.clone(), one.target.clone(), one.measured.clone(), met.to_owned()]
    };
    table(&["target", "to reach", "measured", ""], &judged.iter().map(row).collect::<Vec<_>>())
}

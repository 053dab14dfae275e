//! What Baton is to reach, and whether it did: ratios only, of figures of one run. A figure per second says more about the machine than
//! about Baton; no engine at all, and raw commits, measured beside it say what it costs.

use crate::machine::raw::Raw;
use crate::measure::Run;
use crate::report::table::table;
use crate::weather::Weather;
use serde::Serialize;
use std::collections::BTreeMap;

/// Two runs of one workload differ by this much.
const NOISE: f64 = 0.03;

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
    /// What stands before the names of runs without an engine.
    pub const BARE: &str = "no engine: ";
    /// And before those over streams.
    pub const GRPC: &str = "gRPC: ";

    /// So many callers over 100 items.
    #[must_use]
    pub fn callers(callers: usize) -> String {
        format!("{callers} callers, 100 items")
    }
}

/// The bounds of one courier.
struct Bounds {
    title: &'static str,
    prefix: &'static str,
    over_bare: f64,
    over_commits: [(usize, f64); 3],
    alone: f64,
    burst: f64,
    cpu: f64,
    two: f64,
}

const BOUNDS: [Bounds; 2] = [
    Bounds {
        title: "RabbitMQ",
        prefix: "",
        over_bare: 1.0,
        over_commits: [(64, 0.20), (256, 0.35), (1_024, 0.45)],
        alone: 6.0,
        burst: 0.35,
        cpu: 0.8,
        two: 0.95,
    },
    Bounds {
        title: "gRPC",
        prefix: name::GRPC,
        over_bare: 1.5,
        over_commits: [(64, 0.28), (256, 0.45), (1_024, 0.55)],
        alone: 4.0,
        burst: 0.30,
        cpu: 0.55,
        two: 0.95,
    },
];

/// Embedded against real over gRPC, 256 callers.
const EMBEDDED: f64 = 2.5;
/// 150 % of capacity: ended per second over it.
const STORM: f64 = 0.9;

/// Runs by name; of runs of one name the mean.
struct Runs<'a>(BTreeMap<&'a str, Vec<&'a Run>>);

impl Runs<'_> {
    fn mean(&self, name: &str, of: impl Fn(&Run) -> f64) -> Option<f64> {
        let runs = self.0.get(name)?;
        Some(runs.iter().map(|run| of(run)).sum::<f64>() / runs.len() as f64)
    }

    fn over(&self, name: &str, other: &str, of: impl Fn(&Run) -> f64 + Copy) -> Option<f64> {
        Some(self.mean(name, of)? / self.mean(other, of)?)
    }
}

/// Judges what was measured.
#[must_use]
pub fn judge(runs: &[Run], raw: &Raw, weather: Option<&Weather>) -> Vec<Judged> {
    let mut by_name: BTreeMap<&str, Vec<&Run>> = BTreeMap::new();
    for run in runs {
        by_name.entry(&run.workload).or_default().push(run);
    }
    let runs = Runs(by_name);
    let rate = |run: &Run| run.rate;
    let bare = |of: &str| format!("{}{of}", name::BARE);
    let callers = name::callers;
    let mut judged = Vec::new();
    for bounds in &BOUNDS {
        let own = |of: &str| format!("{}{of}", bounds.prefix);
        let title = |what: &str| format!("{what}, {}", bounds.title);
        let sixty_four = own(&callers(64));
        let over_bare = runs.over(&sixty_four, &bare(&callers(64)), rate);
        judged.push(at_least(title("64 callers, sagas/s over no engine's"), bounds.over_bare, over_bare));
        for (count, least) in bounds.over_commits {
            let ratio = runs.mean(&own(&callers(count)), rate).map(|rate| rate / raw.commits_grouped);
            judged.push(at_least(title(&format!("{count} callers, over raw commits on 8 connections")), least, ratio));
        }
        let alone = runs.over(&own(name::ALONE), &bare(name::ALONE), |run| run.latency.p50);
        judged.push(at_most(title("one at a time, p50 over no engine's"), bounds.alone, alone));
        let burst = runs.over(&own(name::BURST), &bare(name::BURST), |run| run.latency.mean);
        judged.push(at_most(title("burst of 1,000, warm, mean over no engine's"), bounds.burst, burst));
        let cpu = runs.over(&sixty_four, &bare(&callers(64)), Run::cpu_without_driver);
        judged.push(at_most(title("64 callers, CPU per saga over no engine's"), bounds.cpu, cpu));
        let two = runs.over(&own(name::TWO), &own(&callers(256)), rate);
        judged.push(at_least(title("two orchestrators over one, 256 callers"), bounds.two, two));
    }
    let hot = runs.over(name::HOT, name::WIDE, rate);
    judged.push(at_least("1 item over 10,000 items, RabbitMQ".to_owned(), 1.0, hot));
    let embedded = runs.over(name::EMBEDDED, &format!("{}{}", name::GRPC, callers(256)), rate);
    judged.push(at_least("embedded over real (gRPC), 256 callers".to_owned(), EMBEDDED, embedded));
    judged.extend(weather.map(of_weather).into_iter().flatten());
    judged
}

/// What a storm must not do.
fn of_weather(weather: &Weather) -> Vec<Judged> {
    let refused = weather.calm_refused;
    vec![
        at_least(
            "150 % of capacity: ended per second over it".to_owned(),
            STORM,
            Some(weather.storm_ended / weather.capacity),
        ),
        Judged {
            what: "80 % after it: refused".to_owned(),
            target: "0".to_owned(),
            measured: refused.to_string(),
            met: Some(refused == 0),
        },
    ]
}

fn at_least(what: String, least: f64, found: Option<f64>) -> Judged {
    let met = found.map(|found| found >= least * (1.0 - NOISE));
    Judged { what, target: format!("at least {least:.2}"), measured: told(found), met }
}

fn at_most(what: String, most: f64, found: Option<f64>) -> Judged {
    let met = found.map(|found| found <= most * (1.0 + NOISE));
    Judged { what, target: format!("at most {most:.2}"), measured: told(found), met }
}

fn told(found: Option<f64>) -> String {
    found.map_or_else(|| "-".to_owned(), |found| format!("{found:.2}"))
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
    table(&["ratio", "to reach", "measured", ""], &judged.iter().map(row).collect::<Vec<_>>())
}

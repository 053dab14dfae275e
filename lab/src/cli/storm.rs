//! `baton-lab storm`: real processes under load and faults, an audit after each, and a report.

use super::StormArgs;
use crate::report::html;
use crate::report::model::{Campaign, Figure, NemesisReport, Verdict};
use crate::storm::catalogue::{catalogue, full, named, short};
use crate::storm::courier::Courier;
use crate::storm::nemesis::Nemesis;
use crate::storm::recovery;
use crate::storm::run::{Settings, Storm};
use crate::storm::voice::Voice;
use baton::failure::Failure;
use baton::show::{Printer, table};
use baton::signals;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Seconds of load per nemesis: in a short storm, and in a full one.
const SECONDS: (u64, u64) = (45, 180);

/// Runs the storm; `set` are configuration keys for its processes. Ctrl-C ends it; every process it started ends with it.
///
/// # Errors
/// If a name is unknown, nothing can be started, or anything was found wrong.
pub async fn run(args: &StormArgs, set: Vec<(String, String)>, printer: Printer) -> Result<(), Failure> {
    if args.list {
        return list(args.courier, printer);
    }
    let nemeses = chosen(args)?;
    let stop = signals::stopping()?;
    tokio::select! {
        done = storm(args, nemeses, set, printer) => done,
        () = stop.cancelled() => Err(Failure::Interrupted),
    }
}

fn list(courier: Courier, printer: Printer) -> Result<(), Failure> {
    if printer.json() {
        let rows = catalogue().into_iter().map(|it| serde_json::json!({ "name": it.name, "what": it.what() }));
        printer.value(&rows.collect());
        return Ok(());
    }
    let mut rows = table();
    rows.set_header(["nemesis", "what it does", "in"]);
    let long = full();
    for nemesis in catalogue() {
        let storms = match (short(courier).contains(&nemesis.name.as_str()), long.contains(&nemesis.name)) {
            (true, _) => "--ci, --full",
            (false, true) => "--full",
            (false, false) => "--all",
        };
        let what = nemesis.what();
        rows.add_row([nemesis.name, what, storms.to_owned()]);
    }
    printer.text(&rows.trim_fmt());
    Ok(())
}

fn chosen(args: &StormArgs) -> Result<Vec<Nemesis>, Failure> {
    let names: Vec<String> = if args.all {
        catalogue().into_iter().map(|nemesis| nemesis.name).collect()
    } else if args.full {
        full()
    } else if !args.nemesis.is_empty() {
        args.nemesis.clone()
    } else if args.recovery && !args.ci {
        Vec::new()
    } else {
        short(args.courier).iter().map(|name| (*name).to_owned()).collect()
    };
    let unknown =
        |name: &str| Failure::Usage(format!("no nemesis is called {name:?}; `baton-lab storm --list` lists them"));
    let nemeses = names.iter().map(|name| named(name).ok_or_else(|| unknown(name))).collect::<Result<Vec<_>, _>>()?;
    // Left out with a line they were missed by nobody, for as long as the build forgot them.
    match nemeses.iter().find(|nemesis| nemesis.needs_crash_points() && !baton_crash_point::BUILT_IN) {
        Some(nemesis) => Err(Failure::Usage(format!(
            "{} needs crash points, which this binary was built without: build it with --features crash-points",
            nemesis.name
        ))),
        None => Ok(nemeses),
    }
}

async fn storm(
    args: &StormArgs,
    nemeses: Vec<Nemesis>,
    set: Vec<(String, String)>,
    printer: Printer,
) -> Result<(), Failure> {
    let seed = args.seed.unwrap_or_else(|| u64::from(uuid::Uuid::new_v4().as_fields().0));
    let seconds = args.seconds.unwrap_or(if args.full { SECONDS.1 } else { SECONDS.0 });
    let temporary = match &args.dir {
        Some(_) => None,
        None => Some(tempfile::Builder::new().prefix("baton-storm-").tempdir()?),
    };
    let dir = args.dir.clone().or_else(|| temporary.as_ref().map(|dir| dir.path().to_owned())).unwrap_or_default();
    let baton = args.baton.clone().map_or_else(beside_us, Ok)?;
    let courier = args.courier;
    let settings = Settings { baton, dir, seconds, rate: args.rate, seed, courier, set };
    let voice = Voice::new(printer.quiet());
    let (count, over) = (nemeses.len(), courier.name());
    voice.say(&format!("seed {seed}, {count} nemeses of {seconds} s over {over}, {} orders/s", args.rate));
    let mut campaign = Campaign {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        seed,
        courier,
        seconds,
        rate: args.rate,
        began: jiff::Timestamp::now().to_string(),
        nemeses: Vec::new(),
        recovery: Vec::new(),
    };
    let mut storm = Storm::new(settings, voice);
    let trouble = |error: anyhow::Error| Failure::Other(format!("{error:#}"));
    let began = Instant::now();
    for (done, nemesis) in nemeses.iter().enumerate() {
        voice.say(&place(done, nemeses.len(), began.elapsed()));
        campaign.nemeses.push(storm.run(nemesis).await.map_err(trouble)?);
        // Written after each: a long storm that is interrupted has a report of what it did.
        if let Some(path) = &args.report {
            write(path, &campaign)?;
        }
    }
    if args.recovery {
        let cluster = storm.cluster().await.map_err(trouble)?;
        campaign.recovery = recovery::measure(&cluster, seed, voice).await.map_err(trouble)?;
    }
    if let Some(path) = &args.report {
        write(path, &campaign)?;
        printer.say(&format!("report: {}", path.display()));
    }
    show(&campaign, printer);
    if campaign.passed() {
        return Ok(());
    }
    if let Some(temporary) = temporary {
        printer.say(&format!("data and logs are kept in {}", temporary.keep().display()));
    }
    Err(Failure::Verdict("the storm found something"))
}

/// The binary under test, where a build leaves it.
fn beside_us() -> Result<PathBuf, Failure> {
    let baton = std::env::current_exe()?.with_file_name("baton");
    if baton.is_file() {
        return Ok(baton);
    }
    let (path, help) = (baton.display(), "`make storm` builds it, --baton names another");
    Err(Failure::Usage(format!("there is no binary to test at {path}: {help}")))
}

/// Which nemesis comes next, and how long the rest will take at this pace.
fn place(done: usize, all: usize, gone: Duration) -> String {
    let minutes = |time: Duration| time.as_secs().div_ceil(60);
    let number = done + 1;
    match (u32::try_from(done), u32::try_from(all - done)) {
        (Ok(done @ 1..), Ok(left)) => {
            format!("[{number}/{all}] {} min gone, about {} min left", minutes(gone), minutes(gone / done * left))
        }
        _ => format!("[{number}/{all}]"),
    }
}

fn write(path: &Path, campaign: &Campaign) -> Result<(), Failure> {
    std::fs::write(path, html::page(campaign))?;
    let json: PathBuf = path.with_extension("json");
    let text = serde_json::to_string_pretty(campaign).map_err(|error| Failure::other(&error))?;
    Ok(std::fs::write(json, text)?)
}

fn show(campaign: &Campaign, printer: Printer) {
    if printer.json() {
        // A campaign has string keys only, so it always encodes.
        return printer.value(&serde_json::to_value(campaign).unwrap_or_default());
    }
    if !campaign.nemeses.is_empty() {
        let mut rows = table();
        rows.set_header(["nemesis", "verdict", "fired", "orders", "unknown calls", "healed s", "at rest s", "checks"]);
        campaign.nemeses.iter().for_each(|nemesis| {
            rows.add_row(row(nemesis));
        });
        printer.text(&rows.trim_fmt());
        let [passed, failed] = [Verdict::Passed, Verdict::Failed].map(|verdict| campaign.count(&verdict));
        let orders: u64 = campaign.nemeses.iter().map(|nemesis| nemesis.orders).sum();
        let not_run = campaign.nemeses.len() - passed - failed;
        printer.text(&format!(
            "\n{passed} passed, {failed} failed, {not_run} not run; {orders} orders over {}; seed {}",
            campaign.courier.name(),
            campaign.seed
        ));
        campaign.failures().iter().for_each(|line| printer.text(line));
    }
    if !campaign.recovery.is_empty() {
        let mut rows = table();
        rows.set_header(["recovery", "samples", "p50", "p99", "max", "target p99", "verdict"]);
        campaign.recovery.iter().for_each(|figure| {
            rows.add_row(figure_row(figure));
        });
        printer.text(&rows.trim_fmt());
    }
}

fn row(nemesis: &NemesisReport) -> [String; 8] {
    let verdict = match &nemesis.verdict {
        Verdict::Passed => "passed",
        Verdict::Failed => "FAILED",
        Verdict::NotRun(_) => "not run",
    };
    let fired: u64 = nemesis.fired.iter().map(|fired| fired.times).sum();
    let seconds = |ms: u64| format!("{}.{}", ms / 1000, ms % 1000 / 100);
    [
        nemesis.name.clone(),
        verdict.to_owned(),
        fired.to_string(),
        nemesis.orders.to_string(),
        nemesis.unknown_calls.to_string(),
        nemesis.heal_ms.map_or_else(|| "-".to_owned(), seconds),
        seconds(nemesis.rested_ms.saturating_sub(nemesis.load_to_ms)),
        nemesis.invariants.len().to_string(),
    ]
}

fn figure_row(figure: &Figure) -> [String; 7] {
    let value = |value: f64| format!("{value:.2} {}", figure.unit);
    [
        figure.what.clone(),
        figure.samples.to_string(),
        value(figure.p50),
        value(figure.p99),
        value(figure.max),
        value(figure.target),
        if figure.is_met() { "met" } else { "MISSED" }.to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storm_says_how_long_it_will_take() {
        assert_eq!(place(0, 44, Duration::ZERO), "[1/44]");
        assert_eq!(place(11, 44, Duration::from_secs(11 * 240)), "[12/44] 44 min gone, about 132 min left");
    }
}

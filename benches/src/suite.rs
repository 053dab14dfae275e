//! `baton-bench all`, `run` and `weather`: installations, workloads, and what is told of them.

use crate::audit::{self, Installation};
use crate::cli::{All, Courier, RunOne, Shape, WeatherArguments};
use crate::document::design::{self, Design, Installed};
use crate::load::call::Follow;
use crate::machine::raw::Raw;
use crate::measure;
use crate::measure::Run;
use crate::report::plot::{Bar, bars};
use crate::report::{self, table};
use crate::shop::Mix;
use crate::site::{Embedded, Site};
use crate::targets::{self, Judged, name};
use crate::weather::Weather;
use crate::workload::{Load, Workload};
use anyhow::{Result, ensure};
use baton_supervisor::stack::{Stack, StackOptions};
use serde::Serialize;
use std::path::Path;
use std::time::Duration;

/// Bursts are short, so that one figure is the median of several.
const BURSTS: usize = 5;

/// A run is at most this much faster than the fastest before it: four times the callers brought 2.2 times the sagas.
const GROWTH: f64 = 2.5;

/// Seconds of the capacity's measurement.
const CAPACITY_SECONDS: u64 = 6;

/// Callers that find the capacity.
const CAPACITY_CALLERS: usize = 1_024;

/// Everything that `all` found.
#[derive(Debug, Serialize)]
struct Findings {
    raw: Raw,
    runs: Vec<Run>,
    weather: Option<Weather>,
    targets: Vec<Judged>,
    failed: Vec<String>,
}

/// Runs that succeeded, and why others did not.
#[derive(Debug, Default)]
struct Series {
    runs: Vec<Run>,
    failed: Vec<String>,
}

impl Series {
    /// Runs and audits workloads, one line each.
    async fn add(&mut self, site: &Site<'_>, databases: &Installation, workloads: &[Workload]) {
        for workload in workloads {
            let workload = &self.paid(workload);
            match audited(site, databases, workload).await {
                Ok(run) => {
                    println!("{}", line(&run));
                    self.runs.push(run);
                }
                Err(error) => {
                    println!("{:<32} no figure: {error:#}", workload.name);
                    self.failed.push(format!("{}: {error:#}", workload.name));
                }
            }
        }
    }

    /// Orders that are paid for and never placed make every later audit longer: no more than what earlier runs let expect.
    fn paid(&self, workload: &Workload) -> Workload {
        let closed = |run: &&Run| matches!(run.load, Load::Closed { callers, .. } if callers > 1);
        let fastest = self.runs.iter().filter(closed).map(|run| run.rate).fold(0.0, f64::max);
        match workload.load {
            Load::Closed { callers, paid_per_second, .. } if callers > 1 && fastest > 0.0 => {
                workload.clone().paid(paid_per_second.min((fastest * GROWTH) as usize))
            }
            _ => workload.clone(),
        }
    }

    /// The same workload several times; the run with the median of the means stands for all.
    async fn add_median(&mut self, site: &Site<'_>, databases: &Installation, workload: &Workload) {
        let mut all = Self::default();
        let same = vec![workload.clone(); BURSTS];
        all.add(site, databases, &same).await;
        all.runs.sort_by(|a, b| a.latency.mean.total_cmp(&b.latency.mean));
        let middle = all.runs.len() / 2;
        self.runs.extend(all.runs.into_iter().nth(middle));
        self.failed.extend(all.failed);
    }
}

async fn audited(site: &Site<'_>, databases: &Installation, workload: &Workload) -> Result<Run> {
    let mut run = measure::run(site, workload).await?;
    run.audited = Some(audit::pass(databases).await?);
    Ok(run)
}

/// Carries out `baton-bench all`: no engine before, between and after what is compared with it.
pub async fn all(arguments: &All) -> Result<()> {
    let baton = arguments.binary.path("baton")?;
    let mut series = Series::default();
    let raw = bare(arguments, &mut series).await?;
    let mut weather = None;
    let dir = tempfile::tempdir()?;
    let stack = start(dir.path(), &baton, 1).await?;
    let (site, databases) = (Site::real(&stack).await?, audit::of_stack(dir.path(), &stack).await?);
    series.add(&site, &databases, &compared("", arguments.seconds)).await;
    series.add_median(&site, &databases, &Workload::burst(name::BURST, 1_000)).await;
    series.add(&site, &databases, &others(arguments.seconds)).await;
    let capacity = series.runs.iter().find(|run| run.workload == name::callers(CAPACITY_CALLERS));
    if let (Some(capacity), true) = (capacity.map(|run| run.rate), arguments.storm > 0) {
        match storm(&site, &databases, capacity, arguments.storm, arguments.storm / 3, &arguments.out).await {
            Ok(found) => weather = Some(found),
            Err(error) => series.failed.push(format!("bad weather: {error:#}")),
        }
    }
    stack.stop()?;
    two(&baton, Courier::Rabbitmq, "", arguments.seconds, &mut series).await?;
    bare(arguments, &mut series).await?;
    let dir = tempfile::tempdir()?;
    let stack = start_with(dir.path(), &baton, 1, Courier::Grpc).await?;
    let (site, databases) = (Site::real(&stack).await?, audit::of_stack(dir.path(), &stack).await?);
    series.add(&site, &databases, &compared(name::GRPC, arguments.seconds)).await;
    let burst = Workload::burst(&format!("{}{}", name::GRPC, name::BURST), 1_000);
    series.add_median(&site, &databases, &burst).await;
    stack.stop()?;
    two(&baton, Courier::Grpc, name::GRPC, arguments.seconds, &mut series).await?;
    let dir = tempfile::tempdir()?;
    let embedded = Embedded::start(dir.path(), &baton).await?;
    let databases = audit::of_directory(&embedded.data).await?;
    let workload = Workload::closed(name::EMBEDDED, 256, 100, arguments.seconds);
    series.add(&embedded.site()?, &databases, &[workload]).await;
    embedded.stop()?;
    bare(arguments, &mut series).await?;
    conclude(&arguments.out, raw, series, weather)
}

/// No engine at all, and the machine's raw figures beside it.
async fn bare(arguments: &All, series: &mut Series) -> Result<Raw> {
    let (baton, document) = (arguments.binary.path("baton")?, arguments.binary.path("baton-document")?);
    let dir = tempfile::tempdir()?;
    let stack = start(dir.path(), &baton, 1).await?;
    let raw = Raw::measure(dir.path(), &stack.mariadb, &stack.rabbitmq).await?;
    println!("{}\n", raw.line());
    design::prepare(&stack, &document)?;
    let bare = Installed::start(Design::Bare, dir.path(), &stack, &document).await?;
    let named = |of: &str| format!("{}{of}", name::BARE);
    let workloads = [
        Workload::closed(&named(&name::callers(64)), 64, 100, arguments.seconds),
        Workload::closed(&named(name::ALONE), 1, 100, 4),
        Workload::burst(&named(name::BURST), 1_000),
    ];
    for workload in &workloads {
        let run = measure::run(&bare.site().await?, &series.paid(workload)).await?;
        println!("{}", line(&run));
        series.runs.push(run);
    }
    bare.stop()?;
    stack.stop()?;
    Ok(raw)
}

/// Two orchestrators over one database.
async fn two(baton: &Path, courier: Courier, prefix: &str, seconds: u64, series: &mut Series) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let stack = start_with(dir.path(), baton, 2, courier).await?;
    let (site, databases) = (Site::real(&stack).await?, audit::of_stack(dir.path(), &stack).await?);
    series.add(&site, &databases, &[Workload::closed(&format!("{prefix}{}", name::TWO), 256, 100, seconds)]).await;
    stack.stop()
}

/// What is compared with no engine and with raw commits.
fn compared(prefix: &str, seconds: u64) -> Vec<Workload> {
    let callers = |count| Workload::closed(&format!("{prefix}{}", name::callers(count)), count, 100, seconds);
    vec![callers(64), callers(256), callers(1_024), Workload::closed(&format!("{prefix}{}", name::ALONE), 1, 100, 4)]
}

/// The other workloads of one orchestrator.
fn others(seconds: u64) -> Vec<Workload> {
    let scarce = Workload { stock: 500, mix: Mix { scarce: true, ..Mix::GOOD }, ..Workload::burst("", 1_000) };
    let common = |name: &str| Workload::closed(name, 256, 100, seconds);
    vec![
        Workload { name: "burst of 1,000, half the stock".to_owned(), ..scarce },
        Workload::closed(name::HOT, 256, 1, seconds),
        Workload::closed(name::WIDE, 256, 10_000, seconds),
        Workload { mix: Mix::FAILURES, ..common("256 callers, 5 % + 5 % fail") },
        Workload { mix: Mix { lines: 3, ..Mix::GOOD }, ..common("256 callers, 3 lines") },
        Workload { follow: Follow::Watch, ..common("256 callers, watching") },
    ]
}

async fn storm(
    site: &Site<'_>,
    databases: &Installation,
    capacity: f64,
    storm: u64,
    calm: u64,
    out: &Path,
) -> Result<Weather> {
    let (storm, calm) = (Duration::from_secs(storm), Duration::from_secs(calm.max(5)));
    let (weather, picture) = crate::weather::run(site, capacity, storm, calm).await?;
    audit::pass(databases).await?;
    report::text(out, "weather.svg", &picture)?;
    println!(
        "bad weather: {:.0}/s arrive, {:.0}/s end, {:.0} % refused, p99 {} ms; then {:.0}/s arrive, {:.0}/s end, p99 {} ms",
        weather.storm_rate,
        weather.storm_ended,
        weather.refused_share * 100.0,
        table::ms(weather.accepted.p99),
        weather.calm_rate,
        weather.calm_ended,
        table::ms(weather.calm_p99_ms)
    );
    Ok(weather)
}

fn conclude(out: &Path, raw: Raw, series: Series, weather: Option<Weather>) -> Result<()> {
    let Series { runs, failed } = series;
    let targets = targets::judge(&runs, &raw, weather.as_ref());
    let text =
        format!("{}\n\n{}\n\n{}\n\n{}", raw.line(), table::runs(&runs), table::cpu(&runs), targets::print(&targets));
    println!("\n{text}");
    report::text(out, "bench.txt", &text)?;
    report::text(
        out,
        "throughput.svg",
        &picture("Sagas per second", &runs, |run| (run.rate, format!("{:.0}/s", run.rate))),
    )?;
    let mean = |run: &Run| {
        (run.latency.mean, format!("{} ms, p99 {}", table::ms(run.latency.mean), table::ms(run.latency.p99)))
    };
    report::text(out, "latency.svg", &picture("Mean latency in milliseconds", &runs, mean))?;
    let cpu = |run: &Run| (run.cpu_without_driver(), format!("{:.0} µs", run.cpu_without_driver()));
    report::text(out, "cpu.svg", &picture("CPU per saga, all processes but the driver", &runs, cpu))?;
    let findings = Findings { raw, runs, weather, targets, failed };
    report::json(out, "bench.json", &findings)?;
    println!("\ntables, JSON and pictures are in {}", out.display());
    ensure!(findings.failed.is_empty(), "without a figure:\n{}", findings.failed.join("\n"));
    Ok(())
}

fn picture(title: &str, runs: &[Run], of: impl Fn(&Run) -> (f64, String)) -> String {
    let bar = |run: &Run| {
        let (value, figure) = of(run);
        Bar { name: run.workload.clone(), value, figure, ours: true }
    };
    bars(title, &runs.iter().map(bar).collect::<Vec<_>>())
}

/// Carries out `baton-bench run`.
pub async fn one(arguments: &RunOne) -> Result<()> {
    let baton = arguments.binary.path("baton")?;
    let dir = tempfile::tempdir()?;
    let workload = workload(arguments)?;
    let mut series = Series::default();
    let workloads = vec![workload; usize::try_from(arguments.repeats)?];
    match arguments.shape {
        Shape::Real => {
            let stack = start_with(dir.path(), &baton, usize::from(arguments.orchestrators), arguments.courier).await?;
            let databases = audit::of_stack(dir.path(), &stack).await?;
            if !arguments.json {
                println!("{}", Raw::measure(dir.path(), &stack.mariadb, &stack.rabbitmq).await?.line());
            }
            series.add(&Site::real(&stack).await?, &databases, &workloads).await;
            stack.stop()?;
        }
        Shape::Bare => {
            let stack = start(dir.path(), &baton, 1).await?;
            let document = arguments.binary.path("baton-document")?;
            design::prepare(&stack, &document)?;
            let bare = Installed::start(Design::Bare, dir.path(), &stack, &document).await?;
            for workload in &workloads {
                let run = measure::run(&bare.site().await?, workload).await?;
                println!("{}", line(&run));
                series.runs.push(run);
            }
            bare.stop()?;
            stack.stop()?;
        }
        Shape::Embedded => {
            let embedded = Embedded::start(dir.path(), &baton).await?;
            let databases = audit::of_directory(&embedded.data).await?;
            series.add(&embedded.site()?, &databases, &workloads).await;
            embedded.stop()?;
        }
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&series.runs)?);
    } else {
        println!("\n{}\n\n{}", table::runs(&series.runs), table::cpu(&series.runs));
    }
    ensure!(series.failed.is_empty(), "without a figure:\n{}", series.failed.join("\n"));
    Ok(())
}

fn workload(arguments: &RunOne) -> Result<Workload> {
    let callers = usize::try_from(arguments.concurrency)?;
    let base = match (arguments.burst, arguments.rate) {
        (Some(orders), _) => Workload::burst("burst", usize::try_from(orders)?),
        (None, Some(rate)) => Workload::open("open loop", f64::from(rate), arguments.items, arguments.seconds),
        (None, None) => Workload::closed("closed loop", callers, arguments.items, arguments.seconds),
    };
    let failures = if arguments.failures { Mix::FAILURES } else { Mix::GOOD };
    let mix = Mix { lines: usize::from(arguments.lines), scarce: arguments.stock.is_some(), ..failures };
    let items = if arguments.burst.is_some() { u32::from(arguments.lines) } else { arguments.items };
    ensure!(items >= u32::from(arguments.lines), "an order's lines are on different items");
    Ok(Workload { mix, items, stock: arguments.stock.unwrap_or(base.stock), follow: arguments.follow, ..base })
}

/// Carries out `baton-bench weather`.
pub async fn weather(arguments: &WeatherArguments) -> Result<()> {
    let baton = arguments.binary.path("baton")?;
    let dir = tempfile::tempdir()?;
    let stack = start(dir.path(), &baton, 1).await?;
    let (site, databases) = (Site::real(&stack).await?, audit::of_stack(dir.path(), &stack).await?);
    let capacity = Workload::closed("capacity", CAPACITY_CALLERS, 100, CAPACITY_SECONDS);
    let capacity = audited(&site, &databases, &capacity).await?;
    println!("{}", line(&capacity));
    let weather = storm(&site, &databases, capacity.rate, arguments.storm, arguments.calm, &arguments.out).await?;
    println!("{}", serde_json::to_string_pretty(&weather)?);
    stack.stop()
}

/// A fresh real shape over a courier.
async fn start_with(dir: &Path, baton: &Path, orchestrators: usize, courier: Courier) -> Result<Stack> {
    let mut options = StackOptions { orchestrators, ..StackOptions::new(baton) };
    if courier == Courier::Grpc {
        let key = |name: &String| format!("BATON_PARTICIPANTS__{}__COURIER", name.to_uppercase());
        options.environment = options.participants.iter().map(|name| (key(name), "grpc".to_owned())).collect();
    }
    Stack::start(dir, &options).await
}

/// A fresh real shape.
pub async fn start(dir: &Path, baton: &Path, orchestrators: usize) -> Result<Stack> {
    Stack::start(dir, &StackOptions { orchestrators, ..StackOptions::new(baton) }).await
}

/// What a run tells as soon as it is over.
fn line(run: &Run) -> String {
    format!(
        "{:<32} {:>7.0} sagas/s  mean {:>7} ms  p50 {:>7}  p99 {:>7}  p99.9 {:>7}  CPU {:>5.0} µs/saga  {} sagas",
        run.workload,
        run.rate,
        table::ms(run.latency.mean),
        table::ms(run.latency.p50),
        table::ms(run.latency.p99),
        table::ms(run.latency.p999),
        run.cpu_without_driver(),
        run.sagas
    )
}

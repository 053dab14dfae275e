//! `baton demo`: many orders for few units at once, then an audit of every order, unit and won.

pub mod drive;
pub mod plan;
pub mod retry;
pub mod tally;

use crate::config::Config;
use crate::embedded::ChaosAccess;
use crate::failure::Failure;
use crate::shop::cli::Demo;
use crate::shop::config::ShopConfig;
use crate::shop::embedded::EmbeddedShop;
use crate::show::Printer;
use crate::{signals, telemetry};
use baton_orchestrator::sagas::Registry;
use baton_verify::history::Call;
use baton_verify::report::Report;
use baton_verify::tally::audit;
use drive::{Driver, scope};
use plan::Plan;
use shop_audit::laws;
use std::net::SocketAddr;
use std::time::Duration;
use tally::Tally;
use tokio::time::Instant;

/// `baton demo`: against running processes, or all in here, in a temporary directory that is removed afterwards.
///
/// # Errors
/// As [`run`], or if nothing can be started here.
pub async fn start(args: &Demo, mut config: Config, shop: ShopConfig, printer: Printer) -> Result<(), Failure> {
    // Only what is wrong is worth a line between progress bars, unless somebody asks for more.
    if config.telemetry.level == "info" {
        config.telemetry.level = "warn".to_owned();
    }
    let telemetry = telemetry::start(&config.telemetry, "baton-demo", !printer.no_colour())?;
    let stop = signals::stopping()?;
    let work = async {
        match &args.target {
            Some(target) => {
                let provider = args.provider.as_ref().unwrap_or(&shop.provider.base_url);
                run(args, target, provider, printer).await
            }
            None => embedded(args, config, shop, printer).await,
        }
    };
    let done = tokio::select! {
        done = work => done,
        () = stop.cancelled() => Err(Failure::Interrupted),
    };
    telemetry.close().await;
    done
}

/// The same code as `baton dev`, on free ports.
async fn embedded(args: &Demo, mut config: Config, mut shop: ShopConfig, printer: Printer) -> Result<(), Failure> {
    let directory = tempfile::Builder::new().prefix("baton-demo-").tempdir()?;
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    (config.server.listen, config.server.admin_listen, shop.provider.listen) = (any, any, any);
    // Whoever pays here has paid before the order is placed: what is not there then never comes.
    shop.provider.patience = Duration::from_secs(1);
    let embedded = EmbeddedShop::start(&config, &shop, directory.path(), ChaosAccess::No).await?;
    printer.say(&format!("one process, SQLite with synchronous=FULL, in {}", directory.path().display()));
    let done = run(args, &embedded.address().to_string(), &embedded.provider, printer).await;
    embedded.stop().await;
    done
}

/// Runs the demo against an address and a provider.
///
/// # Errors
/// If anything is refused, away for too long, or found wrong by the audit.
pub async fn run(args: &Demo, target: &str, provider: &str, printer: Printer) -> Result<(), Failure> {
    let plan = Plan::draw(args)?;
    let until = Instant::now() + Duration::from_secs(args.settle);
    let driver = Driver::new(target, provider, until, printer.quiet())?;
    let orders = driver.prepare(&plan).await?;
    let begun = Instant::now();
    let placed = driver.place(&plan, &orders, args.concurrency as usize).await;
    let tally = Tally::of(&placed, begun.elapsed());
    let answers: Vec<Call> = placed.into_iter().flat_map(|order| order.answers).collect();
    driver.settle(&answers).await?;
    let gathered = driver.services().gather(scope(&plan, answers)).await;
    let gathered = gathered.map_err(|error| Failure::Unreachable(error.to_string()))?;
    let mut report = audit(gathered, &Registry::default(), &laws::invariants());
    // What only databases tell is not this audit's: `baton verify` looks at them.
    report.findings.retain(|finding| finding.unchecked.is_none());
    report.findings.insert(0, tally.finding(plan.expected()));
    show(&tally, &report, printer);
    if report.passed() { Ok(()) } else { Err(Failure::Verdict("the audit found broken promises")) }
}

fn show(tally: &Tally, report: &Report, printer: Printer) {
    if !printer.json() {
        printer.text(&format!("\n{}\n\n{}", tally.table(), report.table()));
        return;
    }
    let findings = report.findings.iter().map(|finding| {
        serde_json::json!({
            "id": finding.id, "promise": finding.name, "counted": finding.counted,
            "passed": finding.passed(), "broken": finding.broken, "offenders": finding.offenders,
        })
    });
    printer.value(&serde_json::json!({ "run": tally.json(), "audit": findings.collect::<serde_json::Value>() }));
}

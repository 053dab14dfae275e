//! `baton verify`: audits an installation by its databases and its broker, running or at rest. Changes nothing.

use crate::cli::Verify;
use crate::config::{BusKind, Config, StoreConfig, StoreUrl};
use crate::failure::Failure;
use crate::linked::{Linked, LinkedParticipant};
use crate::shop::config::Provider;
use crate::show::Printer;
use crate::{databases, output, signals, wiring};
use baton_courier::bus::CommandBus as _;
use baton_orchestrator::sagas::Registry;
use baton_orchestrator::store::audit::hex;
use baton_sql::database::{Database, DatabaseConfig};
use baton_sql::error::SqlError;
use baton_verify::acts::Acts;
use baton_verify::broker::{self, Held};
use baton_verify::coverage::Mode;
use baton_verify::databases::acts;
use baton_verify::databases::{Databases, ReadError};
use baton_verify::history;
use baton_verify::logs;
use baton_verify::report::Report;
use baton_verify::verify::{Extras, verify};
use secrecy::ExposeSecret as _;
use shop_audit::databases::Shop;
use shop_audit::provider::copy;
use std::io::BufReader;
use std::path::Path;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tonic::Status;

/// Where a `baton dev` keeps what the configuration knows nothing of.
const DEV: &str = "what `baton dev` keeps is read with --data-dir DIR";

/// Pause between two lines of progress.
const PROGRESS: Duration = Duration::from_secs(2);

/// Time limit of one call to the provider.
const CALL: Duration = Duration::from_secs(30);

/// Carries out `baton verify`.
///
/// # Errors
/// If anything cannot be read, or a promise is broken.
pub async fn run(
    args: &Verify,
    config: &Config,
    linked: &Linked,
    provider: &Provider,
    printer: Printer,
) -> Result<(), Failure> {
    let stop = signals::stopping()?;
    let work = async {
        if args.audit {
            let store = orchestrators(args, config, &stop, printer).await?;
            let found = acts::acts(&store, args.head).await.map_err(failed)?;
            return show_acts(&found, printer);
        }
        let (databases, shop) = open(args, config, (linked, provider), &stop, printer).await?;
        let extras = with_broker(extras(args, config, provider)?, args, config, &linked.sagas).await?;
        let mode = if args.live { Mode::Live } else { Mode::AtRest };
        let mut progress = ProgressLine::new(printer.quiet());
        let mut reached = |sagas| progress.reached(sagas);
        let report = verify(&databases, &[&shop], &linked.sagas, mode, extras, &mut reached).await;
        show(&report.map_err(failed)?, mode, printer)
    };
    tokio::select! {
        done = work => done,
        () = stop.cancelled() => Err(Failure::Interrupted),
    }
}

/// The databases of a data directory, or those of the configuration.
async fn open(
    args: &Verify,
    config: &Config,
    (linked, provider): (&Linked, &Provider),
    stop: &CancellationToken,
    printer: Printer,
) -> Result<(Databases, Shop), Failure> {
    let (found, mut ledger) = match &args.data_dir {
        Some(directory) => data_directory(directory, linked).await?,
        None => configured(config, (linked, provider), stop, printer).await?,
    };
    if let Some(url) = &args.provider {
        let http = reqwest::Client::builder().timeout(CALL).build().map_err(|error| Failure::other(&error))?;
        let copied = copy(&http, url).await.map_err(|error| Failure::Unreachable(error.to_string()))?;
        ledger = Some(copied);
    }
    let shop = Shop::of(&found, ledger);
    Ok((found, shop))
}

/// The orchestrator's alone.
async fn orchestrators(
    args: &Verify,
    config: &Config,
    stop: &CancellationToken,
    printer: Printer,
) -> Result<Database, Failure> {
    match &args.data_dir {
        Some(directory) => existing(&directory.join("orchestrator.db")).await,
        None => store(&config.store, "store", stop, printer).await,
    }
}

/// What `baton dev` keeps in its directory.
async fn data_directory(directory: &Path, linked: &Linked) -> Result<(Databases, Option<Database>), Failure> {
    let file = async |name: &str| existing(&directory.join(format!("{name}.db"))).await;
    let mut found = Databases { orchestrator: Some(file("orchestrator").await?), ..Databases::default() };
    for participant in &linked.participants {
        found.participants.insert(participant.name.to_owned(), file(participant.name).await?);
    }
    let ledger = file("sandbox").await?;
    Ok((found, Some(ledger)))
}

async fn configured(
    config: &Config,
    (linked, provider): (&Linked, &Provider),
    stop: &CancellationToken,
    printer: Printer,
) -> Result<(Databases, Option<Database>), Failure> {
    let mut found =
        Databases { orchestrator: Some(store(&config.store, "store", stop, printer).await?), ..Databases::default() };
    for LinkedParticipant { name, .. } in &linked.participants {
        let named = config.store_of(name).map_err(Failure::Usage)?;
        found.participants.insert((*name).to_owned(), store(named, name, stop, printer).await?);
    }
    // The sandbox's ledger is a file of this machine, if it is one at all: a real provider has none.
    let ledger = &provider.ledger;
    let ledger = if ledger.is_file() { Some(existing(ledger).await?) } else { None };
    Ok((found, ledger))
}

async fn store(
    store: &StoreConfig,
    what: &str,
    stop: &CancellationToken,
    printer: Printer,
) -> Result<Database, Failure> {
    let database = match store.parsed().map_err(Failure::Usage)? {
        StoreUrl::Sqlite(path) => return existing(&path).await,
        StoreUrl::MariaDb(_) => wiring::database(store)?,
    };
    // Whoever meant `baton dev` shall not wait for what will never come.
    match Database::open(database.clone()).await {
        Ok(opened) => return Ok(opened),
        Err(error @ SqlError::Unavailable(_)) => printer.say(&format!("{what}: {error}; waiting for it. {DEV}")),
        Err(_) => {}
    }
    databases::open(&database, what, stop).await.map_err(|failure| match failure {
        Failure::Unreachable(why) => Failure::Unreachable(format!("{why}; {DEV}")),
        other => other,
    })
}

/// A SQLite file that is there: opening one that is missing would create it.
async fn existing(path: &Path) -> Result<Database, Failure> {
    if !path.is_file() {
        return Err(Status::not_found(format!("no database at {}", path.display())).into());
    }
    Database::open(DatabaseConfig::sqlite(path))
        .await
        .map_err(|error| Failure::Other(format!("{}: {error}", path.display())))
}

fn extras(args: &Verify, config: &Config, provider: &Provider) -> Result<Extras, Failure> {
    let named = |path: &Path, error: &dyn std::fmt::Display| Failure::Usage(format!("{}: {error}", path.display()));
    let history = args.history.as_ref().map(|path| {
        let file = std::fs::File::open(path).map_err(|error| named(path, &error))?;
        history::read(BufReader::new(file)).map_err(|error| named(path, &error))
    });
    let logs = args
        .logs
        .as_ref()
        .map(|path| logs::scan(path, &secrets(config, provider)).map_err(|error| named(path, &error)));
    Ok(Extras { history: history.transpose()?, logs: logs.transpose()?, ..Extras::default() })
}

/// Adds what the configuration's broker holds. `baton dev` has none: its messages are rows of its databases.
async fn with_broker(extras: Extras, args: &Verify, config: &Config, sagas: &Registry) -> Result<Extras, Failure> {
    if args.data_dir.is_some() || config.bus.kind != BusKind::Rabbitmq {
        return Ok(extras);
    }
    let bus = wiring::rabbitmq(&config.bus, "baton-verify")?;
    let held = broker::held(&bus, &sagas.participants()).await;
    bus.close().await;
    let Held { queues, letters } = held.map_err(|error| Failure::Unreachable(format!("the broker: {error}")))?;
    Ok(Extras { queues: Some(queues), dead_letters: Some(letters), ..extras })
}

/// What must not stand in a log: the provider's secret and the passwords in URLs.
fn secrets(config: &Config, provider: &Provider) -> Vec<String> {
    let stores = config.participants.values().filter_map(|participant| participant.store.as_ref());
    let urls =
        [&config.store.url, &config.bus.url, &config.coord.url].into_iter().chain(stores.map(|store| &store.url));
    let password = |url: &str| {
        let (_, rest) = url.split_once("://")?;
        let (user, _) = rest.rsplit_once('@')?;
        user.split_once(':').map(|(_, password)| password.to_owned())
    };
    let passwords = urls.filter_map(|url| password(url.expose_secret()));
    passwords.chain([provider.secret.expose_secret().to_owned()]).filter(|secret| !secret.is_empty()).collect()
}

fn failed(error: ReadError) -> Failure {
    match &error {
        ReadError::Database { error: SqlError::Unavailable(_), .. } => Failure::Unreachable(error.to_string()),
        ReadError::Database { .. } | ReadError::TooMany { .. } => Failure::Other(error.to_string()),
    }
}

fn show(report: &Report, mode: Mode, printer: Printer) -> Result<(), Failure> {
    let (checked, all) = (report.checked(), report.findings.len());
    let how = match mode {
        Mode::AtRest | Mode::Finished => "at rest",
        Mode::Live => "live",
    };
    if printer.json() {
        let findings = report.findings.iter().map(|finding| {
            serde_json::json!({
                "id": finding.id, "promise": finding.name, "counted": finding.counted, "verdict": finding.verdict(),
                "broken": finding.broken, "offenders": finding.offenders, "unchecked": finding.unchecked,
            })
        });
        printer.value(&serde_json::json!({
            "mode": how, "passed": report.passed(), "checked": checked,
            "findings": findings.collect::<serde_json::Value>(),
        }));
    } else {
        printer.text(&format!("{}\n\n{checked} of {all} checks looked at something, {how}.", report.table()));
    }
    if report.passed() { Ok(()) } else { Err(Failure::Verdict("promises are broken")) }
}

fn show_acts(acts: &Acts, printer: Printer) -> Result<(), Failure> {
    let head = acts.head.map(|head| hex(&head.hash));
    if printer.json() {
        printer.value(&serde_json::json!({
            "passed": acts.passed(), "entries": acts.entries, "head": head, "forgotten": acts.forgotten,
            "older": acts.older, "flawed": acts.flawed, "flaws": acts.flaws,
        }));
    } else {
        let mut lines = acts.flaws.clone();
        let unnamed = acts.flawed.saturating_sub(acts.flaws.len());
        lines.extend((unnamed > 0).then(|| format!("and {unnamed} more")));
        lines.extend((!lines.is_empty()).then(String::new));
        lines.push(format!("{} entries, {} flaws", acts.entries, acts.flawed));
        lines.extend((acts.forgotten > 0).then(|| {
            format!(
                "{} of them are about sagas that retention has deleted: their journals are not compared",
                acts.forgotten
            )
        }));
        lines.extend((acts.older > 0).then(|| format!("{} actions are older than the first entry", acts.older)));
        lines.extend(head.map(|head| format!("head {head}")));
        printer.text(&lines.join("\n"));
    }
    if acts.passed() { Ok(()) } else { Err(Failure::Verdict("the audit is not what was written")) }
}

/// A line on standard error now and then, for installations that take long to read.
struct ProgressLine {
    quiet: bool,
    next: std::time::Instant,
}

impl ProgressLine {
    fn new(quiet: bool) -> Self {
        Self { quiet, next: std::time::Instant::now() + PROGRESS }
    }

    fn reached(&mut self, sagas: u64) {
        if !self.quiet && std::time::Instant::now() >= self.next {
            output::talk(&format!("{sagas} sagas looked at"));
            self.next = std::time::Instant::now() + PROGRESS;
        }
    }
}

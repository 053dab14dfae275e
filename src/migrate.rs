//! `baton migrate`: brings schemas up to date, or says how far they are.

use crate::cli::{ALL, Migrate};
use crate::config::Config;
use crate::failure::Failure;
use crate::linked::Linked;
use crate::show::{Printer, Record};
use crate::{databases, signals, telemetry, wiring};
use serde_json::{Value, json};

/// One migration of one service.
#[derive(Debug)]
struct Row {
    service: &'static str,
    id: &'static str,
    state: String,
}

impl Record for Row {
    const COLUMNS: &'static [&'static str] = &["service", "migration", "state"];
    fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![("service", json!(self.service)), ("migration", json!(self.id)), ("state", json!(self.state))]
    }
}

/// Carries out `baton migrate`.
///
/// # Errors
/// If a database is away or refuses; what was applied before stays applied.
pub async fn run(command: Migrate, config: &Config, linked: &Linked, printer: Printer) -> Result<(), Failure> {
    let stop = signals::stopping()?;
    // What a migration waits for is a person's to end, and is told while it waits.
    let telemetry = telemetry::start(&config.telemetry, "baton-migrate", !printer.no_colour())?;
    let (Migrate::Up { service: wanted } | Migrate::Status { service: wanted }) = &command;
    let mut rows = Vec::new();
    for service in linked.services().filter(|service| wanted == ALL || wanted == service.name) {
        let name = service.name;
        let database = databases::open(&wiring::database(service.store(config)?)?, name, &stop).await?;
        let migrations = service.migrations(&database)?;
        let failed = |error: baton_sql::error::SqlError| Failure::Other(format!("{name}: {error}"));
        let applied = match command {
            Migrate::Up { .. } => tokio::select! {
                applied = database.migrate(&migrations) => applied.map_err(failed)?,
                () = stop.cancelled() => return Err(stopped(name)),
            },
            Migrate::Status { .. } => Vec::new(),
        };
        for status in database.migration_status(&migrations).await.map_err(failed)? {
            let state = match (status.applied_at, status.changed) {
                _ if applied.contains(&status.id) => "applied now",
                (Some(_), true) => "applied with another text",
                (Some(_), false) => "applied",
                (None, _) => "missing",
            };
            rows.push(Row { service: name, id: status.id, state: state.to_owned() });
        }
    }
    printer.records(&rows);
    telemetry.close().await;
    Ok(())
}

/// The server gives up the statement of a connection that is gone; each migration may be run again.
fn stopped(name: &str) -> Failure {
    Failure::Other(format!(
        "{name}: stopped by a signal; what was applied stays, and `baton migrate up` goes on with the rest"
    ))
}

//! `baton migrate`: brings schemas up to date, or says how far they are.

use crate::cli::{Migrate, Service};
use crate::config::{Config, Store};
use crate::failure::Failure;
use crate::show::{Printer, Record};
use crate::{databases, signals, wiring};
use baton_orchestrator::store::migrations::MIGRATIONS;
use baton_sql::database::Database;
use baton_sql::migration::Migration;
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
pub async fn run(command: Migrate, config: &Config, printer: Printer) -> Result<(), Failure> {
    let stop = signals::stopping()?;
    let (Migrate::Up { service: wanted } | Migrate::Status { service: wanted }) = command;
    let stores = [
        (Service::Orchestrator, "orchestrator", &config.store),
        (Service::Order, "order", &config.participants.order.store),
        (Service::Payment, "payment", &config.participants.payment.store),
        (Service::Stock, "stock", &config.participants.stock.store),
    ];
    let mut rows = Vec::new();
    for (service, name, store) in stores.into_iter().filter(|(service, ..)| [*service, Service::All].contains(&wanted))
    {
        let (database, migrations) = open(service, name, store, config, &stop).await?;
        let failed = |error: baton_sql::error::SqlError| Failure::Other(format!("{name}: {error}"));
        let applied = match command {
            Migrate::Up { .. } => database.migrate(&migrations).await.map_err(failed)?,
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
    printer.list(&rows);
    Ok(())
}

async fn open(
    service: Service,
    name: &str,
    store: &Store,
    config: &Config,
    stop: &tokio_util::sync::CancellationToken,
) -> Result<(Database, Vec<Migration>), Failure> {
    let database = databases::open(&wiring::database(store)?, name, stop).await?;
    let migrations = match service {
        Service::All | Service::Orchestrator => MIGRATIONS.to_vec(),
        Service::Order => wiring::order(database.clone(), &config.shop.currencies).migrations,
        Service::Payment => wiring::payment(database.clone(), &config.provider)?.migrations,
        Service::Stock => wiring::stock(database.clone(), &config.shop.currencies).migrations,
    };
    Ok((database, migrations))
}

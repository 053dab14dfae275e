//! The end of every run: all at rest, and the whole audit over the databases. A run that fails it has no figure.

use anyhow::{Result, bail, ensure};
use baton_shop::saga::registry;
use baton_sql::database::{Database, DatabaseConfig};
use baton_supervisor::stack::Stack;
use baton_verify::coverage::Mode;
use baton_verify::databases::Databases;
use baton_verify::verify::{Extras, verify};
use shop_audit::databases::Shop;
use shop_audit::{ORDER, PAYMENT, STOCK};
use std::path::Path;
use std::time::{Duration, Instant};

/// After the last answer: orders that nobody waited for still move.
const REST_WITHIN: Duration = Duration::from_secs(60);

/// Between two looks; nothing is measured any more.
const PAUSE: Duration = Duration::from_millis(100);

/// Every database of an installation.
#[derive(Clone, Debug)]
pub struct Installation {
    engine: Databases,
    shop: Shop,
}

/// The databases of a real shape.
pub async fn of_stack(dir: &Path, stack: &Stack) -> Result<Installation> {
    let open = async |name: &str| {
        Database::open(DatabaseConfig::mariadb(stack.mariadb.root_url(&format!("baton_{name}")))).await
    };
    let mut engine = Databases { orchestrator: Some(open("orchestrator").await?), ..Databases::default() };
    for name in [ORDER, PAYMENT, STOCK] {
        engine.participants.insert(name.to_owned(), open(name).await?);
    }
    let shop = Shop::of(&engine, Some(file(&dir.join("sandbox-ledger.db")).await?));
    Ok(Installation { engine, shop })
}

/// The databases of an embedded Baton.
pub async fn of_directory(data: &Path) -> Result<Installation> {
    let open = async |name: &str| file(&data.join(format!("{name}.db"))).await;
    let mut engine = Databases { orchestrator: Some(open("orchestrator").await?), ..Databases::default() };
    for name in [ORDER, PAYMENT, STOCK] {
        engine.participants.insert(name.to_owned(), open(name).await?);
    }
    let shop = Shop::of(&engine, Some(open("sandbox").await?));
    Ok(Installation { engine, shop })
}

/// Waits until nothing moves any more.
pub async fn rest(installation: &Installation) -> Result<()> {
    let Some(store) = &installation.engine.orchestrator else { return Ok(()) };
    let until = Instant::now() + REST_WITHIN;
    loop {
        let moving = count(store, "SELECT COUNT(*) FROM saga WHERE wake_at IS NOT NULL").await?;
        if moving == 0 {
            return Ok(());
        }
        ensure!(Instant::now() < until, "not at rest: {moving} sagas move");
        tokio::time::sleep(PAUSE).await;
    }
}

/// Audits everything that was ever written; returns how many checks looked at something.
pub async fn pass(installation: &Installation) -> Result<usize> {
    rest(installation).await?;
    let Installation { engine, shop } = installation;
    let (registry, extras) = (registry(), Extras::default());
    let report = verify(engine, &[shop], &registry, Mode::AtRest, extras, &mut |_| {}).await?;
    if !report.passed() {
        bail!("the audit failed, so this run reports no figure:\n{}", report.table());
    }
    Ok(report.checked())
}

async fn count(database: &Database, sql: &str) -> Result<i64> {
    let rows = database.query(sql, Vec::new()).await?;
    Ok(rows.first().map_or(Ok(0), |row| row.int(0))?)
}

async fn file(path: &Path) -> Result<Database> {
    ensure!(path.is_file(), "no database at {}", path.display());
    Ok(Database::open(DatabaseConfig::sqlite(path)).await?)
}

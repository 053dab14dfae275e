//! Operators' questions to a table of a million sagas: every preset, every field an index serves, and those none does.

mod sample;

use crate::cli::SearchArguments;
use crate::measure::Latency;
use crate::report::table;
use anyhow::{Context as _, Result};
use baton_orchestrator::search::Search;
use baton_orchestrator::store::SagaStore as _;
use baton_orchestrator::store::query::{SagaQuery as _, SearchQuery};
use baton_orchestrator::store::sql::SqlStore;
use baton_query::filter::{Expr, Preset, parse};
use baton_query::sort::{Cursor, OrderBy};
use baton_shop::saga::registry;
use baton_sql::database::DatabaseConfig;
use baton_supervisor::MariaDb;
use hdrhistogram::Histogram;
use std::time::Instant;

/// Sagas on a page, rows a call reads at most, and how far is counted: as the service asks.
const PAGE: u32 = 50;
const MAX_ROWS: u32 = 10_000;
const MAX_COUNT: u32 = 100_000;

/// What an answer should take at most, milliseconds, 99 times of 100.
const TARGET: f64 = 100.0;

/// Sagas of one step of the index: more than the orchestrator's own, which gives way to the rest.
const INDEXED_AT_ONCE: u32 = 5_000;

/// A question that takes longer than so many seconds altogether is asked no more.
const PATIENCE: u64 = 20;

/// Filters beside the presets: what is asked, in which order, and whether an index serves it.
const FILTERS: [(&str, &str, bool); 20] = [
    ("", "", true),
    ("state = stuck AND reason = PAYMENT_REFUND_REFUSED", "", true),
    ("wait = backoff AND state = compensating AND reason = TIMEOUT", "", true),
    ("state = stuck AND age > 1h", "", true),
    ("state = paused", "", true),
    ("state = compensated", "", true),
    ("state = running AND step = stock.reserve", "", true),
    ("(state = running OR state = compensating) AND age > 10m", "", true),
    ("state = running AND customer = customer-77", "", true),
    ("key = ORDER-0500000", "", true),
    ("state = running", "wake_time", true),
    ("", "wake_time", true),
    ("state = stuck", "update_time", true),
    ("customer = customer-77", "", true),
    ("payment = imp_500000", "", true),
    ("item = item-7", "", true),
    ("item = item-70 AND state = compensated", "", true),
    ("trace_id = 0000000000000000000000000007a120", "", true),
    ("reason = OUT_OF_STOCK", "", false),
    ("customer != customer-77 AND payment:imp_50000", "", false),
];

/// Carries out `baton-bench search`.
pub async fn run(arguments: &SearchArguments) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let sqlite = SqlStore::open(DatabaseConfig::sqlite(dir.path().join("search.db"))).await?;
    measured("SQLite", &sqlite, arguments).await?;
    drop(sqlite);
    let server = MariaDb::start(dir.path()).await?;
    server.create_schema("search")?;
    let mariadb = SqlStore::open(DatabaseConfig::mariadb(server.root_url("search"))).await?;
    measured("MariaDB", &mariadb, arguments).await?;
    drop(mariadb);
    server.stop()
}

async fn measured(name: &str, store: &SqlStore, arguments: &SearchArguments) -> Result<()> {
    store.migrate().await?;
    let from = Instant::now();
    sample::fill(store, arguments.sagas).await.with_context(|| format!("fill {name}"))?;
    println!("\n{name}: {} sagas in {:.0} s", arguments.sagas, from.elapsed().as_secs_f64());
    let from = Instant::now();
    while store.index(&registry(), INDEXED_AT_ONCE).await?.is_some_and(|step| step.more) {}
    println!("their attributes in {:.0} s", from.elapsed().as_secs_f64());
    let mut rows = Vec::new();
    let mut slow = 0;
    for (question, expr, order, is_indexed) in questions()? {
        let (page, count) = asked(store, &expr, order, arguments.times).await?;
        let is_slow = is_indexed && (page.p99 > TARGET || count.as_ref().is_some_and(|it| it.latency.p99 > TARGET));
        slow += u32::from(is_slow);
        let mark = match (is_indexed, is_slow) {
            (false, _) => "no index",
            (true, true) => "SLOW",
            (true, false) => "",
        };
        rows.push(row(&question, &page, count.as_ref(), mark));
    }
    let header = ["question", "page p50 ms", "p99", "count p50 ms", "p99", "counted", ""];
    println!("{}", table::table(&header, &rows));
    println!("{slow} questions that an index serves took longer than {TARGET:.0} ms (p99)");
    Ok(())
}

/// Name, filter, order, whether an index serves it.
fn questions() -> Result<Vec<(String, Expr, OrderBy, bool)>> {
    let registry = registry();
    let presets = Preset::ALL.map(|preset| (preset.name().to_owned(), preset.expr(), OrderBy::default(), true));
    let filters = FILTERS.iter().map(|(filter, order, is_indexed)| {
        let name = match (*filter, *order) {
            ("", "") => "everything".to_owned(),
            (filter, "") => filter.to_owned(),
            (filter, order) => format!("{filter} by {order}"),
        };
        anyhow::Ok((name, parse(filter, &registry.attribute_names())?, OrderBy::parse(order)?, *is_indexed))
    });
    presets.into_iter().map(Ok).chain(filters).collect()
}

/// How long a count takes, and what it says.
struct Count {
    latency: Latency,
    says: String,
}

async fn asked(store: &SqlStore, expr: &Expr, order: OrderBy, times: u32) -> Result<(Latency, Option<Count>)> {
    let search = || Search::new(expr.clone(), registry(), store.now());
    let (mut pages, mut counts) = (Histogram::<u64>::new(3)?, Histogram::<u64>::new(3)?);
    let mut after: Option<Cursor> = None;
    let from = Instant::now();
    for _ in 0..times {
        let asked = Instant::now();
        let query = SearchQuery { search: search(), order, after, limit: PAGE, max_rows: MAX_ROWS };
        let found = store.search(query).await?;
        pages.record(u64::try_from(asked.elapsed().as_micros())?)?;
        // Page after page, from the first again at the end: deep ones must be as quick.
        after = found.next;
        if from.elapsed().as_secs() > PATIENCE {
            break;
        }
    }
    if order != OrderBy::default() {
        return Ok((Latency::of(&pages), None));
    }
    let mut says = String::new();
    let from = Instant::now();
    for _ in 0..times {
        let asked = Instant::now();
        let counted = store.count(search(), MAX_COUNT, MAX_ROWS).await?;
        counts.record(u64::try_from(asked.elapsed().as_micros())?)?;
        says = format!("{}{}", if counted.exact { "" } else { ">= " }, counted.count);
        if from.elapsed().as_secs() > PATIENCE {
            break;
        }
    }
    Ok((Latency::of(&pages), Some(Count { latency: Latency::of(&counts), says })))
}

fn row(question: &str, page: &Latency, count: Option<&Count>, mark: &str) -> Vec<String> {
    let ms = |value: f64| format!("{value:.1}");
    let counted = match count {
        Some(count) => [ms(count.latency.p50), ms(count.latency.p99), count.says.clone()],
        None => ["-".to_owned(), "-".to_owned(), "-".to_owned()],
    };
    let head = [question.to_owned(), ms(page.p50), ms(page.p99)];
    head.into_iter().chain(counted).chain([mark.to_owned()]).collect()
}

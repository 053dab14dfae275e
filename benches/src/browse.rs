//! Operators at work while orders pour in: how long the page and the lists take at a given load, and what they cost it.

use crate::cli::{Browse, Shape};
use crate::load::call::Follow;
use crate::load::open::{self, Pool};
use crate::measure::Latency;
use crate::report::table;
use crate::shop::{self, Items, Mix, PLENTY};
use crate::site::{Embedded, Site};
use crate::suite;
use anyhow::{Context as _, Result, bail, ensure};
use hdrhistogram::Histogram;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Items the orders are spread over.
const ITEMS: u32 = 100;

/// Pause of an operator between two looks; a page that is open looks again as often.
const PAUSE: Duration = Duration::from_millis(500);

/// What operators look at, by turns.
const LOOKS: [(&str, &str); 7] = [
    ("page: overview", "/"),
    ("page: list", "/sagas"),
    ("page: list, in flight", "/sagas?preset=in-flight"),
    ("page: list, stuck", "/sagas?preset=stuck"),
    ("HTTP: list", "/api/v1/sagas"),
    ("HTTP: list, by age", "/api/v1/sagas?filter=state%20%3D%20running%20AND%20age%20%3E%201s"),
    ("HTTP: count, in flight", "/api/v1/sagas:count?preset=in-flight"),
];

/// Carries out `baton-bench browse`.
pub async fn run(arguments: &Browse) -> Result<()> {
    let baton = arguments.binary.path("baton")?;
    let dir = tempfile::tempdir()?;
    match arguments.shape {
        Shape::Real => {
            let stack = suite::start(dir.path(), &baton, 1).await?;
            let (_, admin) = stack.endpoints.orchestrators.first().copied().context("an orchestrator")?;
            look(&Site::real(&stack).await?, admin, arguments).await?;
            stack.stop()
        }
        Shape::Bare => bail!("nobody looks at no engine"),
        Shape::Embedded => {
            let embedded = Embedded::start(dir.path(), &baton).await?;
            look(&embedded.site()?, embedded.admin, arguments).await?;
            embedded.stop()
        }
    }
}

async fn look(site: &Site<'_>, admin: u16, arguments: &Browse) -> Result<()> {
    let (rate, duration) = (f64::from(arguments.rate), Duration::from_secs(arguments.seconds));
    let channels = site.channels()?;
    let items = Items::named(ITEMS);
    site.shelve(&channels[0], &items, PLENTY).await?;
    let all = (rate * duration.as_secs_f64()) as usize;
    let orders = items.orders(2 * all + all / 10, Mix::GOOD);
    shop::pay(&site.provider, &orders).await?;
    let pool: Pool = Arc::new(Mutex::new(orders));
    println!("the page is at http://127.0.0.1:{admin}/ while orders come");

    let alone = open::run(&channels, &pool, rate, duration, Follow::Wait).await?;
    let operators = (0..arguments.operators).map(|_| operator(admin, Instant::now() + duration));
    let (watched, looks) = tokio::join!(
        open::run(&channels, &pool, rate, duration, Follow::Wait),
        futures_util::future::join_all(operators)
    );
    let watched = watched?;
    ensure!(alone.tally.wrong_count + watched.tally.wrong_count == 0, "orders went wrong: {:?}", watched.tally.wrong);

    let mut rows = Vec::new();
    for (name, course) in [("orders, nobody looks", &alone), ("orders, operators look", &watched)] {
        let ended = course.tally.ended as f64 / duration.as_secs_f64();
        rows.push(row(&format!("{name} ({ended:.0}/s)"), &course.tally.latency));
    }
    let looks: Vec<Vec<Histogram<u64>>> = looks.into_iter().collect::<Result<_>>()?;
    for (index, (name, _)) in LOOKS.iter().enumerate() {
        let mut all = Histogram::new(3)?;
        for one in &looks {
            all.add(&one[index])?;
        }
        rows.push(row(name, &all));
    }
    println!("{}", table::table(&["", "times", "p50 ms", "p99 ms", "longest ms"], &rows));
    Ok(())
}

fn row(name: &str, histogram: &Histogram<u64>) -> Vec<String> {
    let latency = Latency::of(histogram);
    let ms = |value: f64| format!("{value:.1}");
    vec![name.to_owned(), histogram.len().to_string(), ms(latency.p50), ms(latency.p99), ms(latency.max)]
}

/// Looks at everything by turns until the time is up; microseconds by look.
async fn operator(admin: u16, until: Instant) -> Result<Vec<Histogram<u64>>> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(30)).build()?;
    let mut seen = LOOKS.iter().map(|_| Histogram::new(3)).collect::<Result<Vec<Histogram<u64>>, _>>()?;
    while Instant::now() < until {
        for ((name, path), histogram) in LOOKS.iter().zip(&mut seen) {
            let from = Instant::now();
            let answer = client.get(format!("http://127.0.0.1:{admin}{path}")).send().await?;
            let status = answer.status();
            let text = answer.text().await?;
            ensure!(status.is_success(), "{name}: {status}: {text}");
            histogram.record(u64::try_from(from.elapsed().as_micros())?)?;
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(seen)
}

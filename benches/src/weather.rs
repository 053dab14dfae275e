//! Bad weather: more orders than can be carried for a minute, then fewer. What is too much must be refused with a time to
//! try again, what is accepted must end in bounded time, and all must be well at once when the weather clears.

use crate::load::call::Follow;
use crate::load::open::{self, Course, Pool};
use crate::measure::Latency;
use crate::report::plot::{Line, lines};
use crate::shop::{self, Items, Mix, PLENTY};
use crate::site::Site;
use anyhow::{Result, bail};
use hdrhistogram::Histogram;
use serde::Serialize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Items the orders are spread over.
const ITEMS: u32 = 100;

/// Connections of the driver. The server works at 256 calls of a connection at once: these are enough for what the driver
/// keeps under way, so that admission decides and not the number of connections.
const CHANNELS: usize = 128;

/// Share of the capacity that arrives while it storms, and after.
pub const STORM: f64 = 1.5;
/// See [`STORM`].
pub const CALM: f64 = 0.8;

/// Seconds after the storm in which things may settle; the latency of what comes later is judged.
const SETTLING: usize = 2;

/// Orders paid for beyond what can be carried: those that wait when the storm ends.
const RESERVE: usize = 40_000;

/// What the weather brought.
#[derive(Clone, Debug, Serialize)]
pub struct Weather {
    /// Sagas per second that a closed loop reached.
    pub capacity: f64,
    /// Arrivals per second during the storm.
    pub storm_rate: f64,
    /// Sagas per second that ended during the storm.
    pub storm_ended: f64,
    /// Arrivals of the storm that were refused, as a share.
    pub refused_share: f64,
    /// Latency of what was accepted during the storm.
    pub accepted: Latency,
    /// Arrivals per second after the storm.
    pub calm_rate: f64,
    /// Sagas per second that ended after it, from its third second on.
    pub calm_ended: f64,
    /// Refused after its second second.
    pub calm_refused: u64,
    /// Median latency after it, from its third second on, in milliseconds.
    pub calm_p50_ms: f64,
    /// The 99th percentile of the same.
    pub calm_p99_ms: f64,
    /// Peak memory of the site's processes in MiB.
    pub peak_mib: f64,
    /// Arrivals that the driver itself could not send.
    pub unsent: u64,
}

/// Lets it storm over a site whose capacity is known.
pub async fn run(site: &Site<'_>, capacity: f64, storm: Duration, calm: Duration) -> Result<(Weather, String)> {
    let channels = site.channels_of(CHANNELS)?;
    let items = Items::named(ITEMS);
    site.shelve(&channels[0], &items, PLENTY).await?;
    let carried = capacity * (storm.as_secs_f64() * 1.1 + calm.as_secs_f64() * CALM);
    let orders = items.orders(carried as usize + RESERVE, Mix::GOOD);
    shop::pay(&site.provider, &orders).await?;
    let pool: Pool = Arc::new(Mutex::new(orders));
    crate::machine::processes::forget_peaks(&site.processes);
    let (storm_rate, calm_rate) = (capacity * STORM, capacity * CALM);
    // The calm begins while orders of the storm are still under way: that is what it has to recover from.
    let begun = std::time::Instant::now();
    let storming = open::run(&channels, &pool, storm_rate, storm, Follow::Wait);
    let calming = async {
        tokio::time::sleep_until((begun + storm).into()).await;
        open::run(&channels, &pool, calm_rate, calm, Follow::Wait).await
    };
    let (stormy, calmer) = tokio::try_join!(storming, calming)?;
    for course in [&stormy, &calmer] {
        if course.tally.wrong_count > 0 {
            let words = course.tally.wrong.join("\n");
            bail!("bad weather: {} orders went wrong; the first:\n{words}", course.tally.wrong_count);
        }
    }
    let used = crate::machine::processes::read(&site.processes);
    let peak = used.values().map(|used| used.peak as f64).sum::<f64>() / f64::from(1 << 20);
    let weather = judge(capacity, storm, calm, &stormy, &calmer, peak)?;
    Ok((weather, picture(&stormy, &calmer, storm)))
}

fn judge(
    capacity: f64,
    storm: Duration,
    calm: Duration,
    stormy: &Course,
    calmer: &Course,
    peak_mib: f64,
) -> Result<Weather> {
    let seconds = usize::try_from(storm.as_secs())?;
    let in_storm: u64 = stormy.tally.seconds.iter().take(seconds).map(|second| second.ended).sum();
    let settled = || calmer.tally.seconds.iter().take(usize::try_from(calm.as_secs()).unwrap_or(0)).skip(SETTLING);
    let mut latency = Histogram::<u64>::new(2)?;
    for second in settled() {
        latency.add(&second.latency)?;
    }
    let arrived = (stormy.tally.ended + stormy.tally.refused).max(1) as f64;
    let settled_seconds = settled().count().max(1) as f64;
    Ok(Weather {
        capacity,
        storm_rate: capacity * STORM,
        storm_ended: in_storm as f64 / storm.as_secs_f64(),
        refused_share: stormy.tally.refused as f64 / arrived,
        accepted: Latency::of(&stormy.tally.latency),
        calm_rate: capacity * CALM,
        calm_ended: settled().map(|second| second.ended as f64).sum::<f64>() / settled_seconds,
        calm_refused: settled().map(|second| second.refused).sum(),
        calm_p50_ms: latency.value_at_quantile(0.5) as f64 / 1000.0,
        calm_p99_ms: latency.value_at_quantile(0.99) as f64 / 1000.0,
        peak_mib,
        unsent: stormy.unsent + calmer.unsent,
    })
}

/// Ended, refused and p99, second by second, across the change of the weather.
fn picture(stormy: &Course, calmer: &Course, storm: Duration) -> String {
    let from = usize::try_from(storm.as_secs()).unwrap_or(0);
    let mut ended = vec![0.0; from];
    let (mut refused, mut p99) = (ended.clone(), ended.clone());
    for (offset, course) in [(0, stormy), (from, calmer)] {
        for (index, second) in course.tally.seconds.iter().enumerate() {
            let at = offset + index;
            for line in [&mut ended, &mut refused, &mut p99] {
                line.resize(line.len().max(at + 1), 0.0);
            }
            ended[at] += second.ended as f64;
            refused[at] += second.refused as f64;
            p99[at] = f64::max(p99[at], second.latency.value_at_quantile(0.99) as f64 / 1000.0);
        }
    }
    let line = |name: &str, values: Vec<f64>| Line { name: name.to_owned(), values };
    let all = [line("ended per second", ended), line("refused per second", refused), line("p99 in ms", p99)];
    let marks = [(from as f64, format!("{:.0} % → {:.0} %", STORM * 100.0, CALM * 100.0))];
    lines("Bad weather: orders arrive at 150 %, then at 80 % of what can be carried", &all, &marks)
}

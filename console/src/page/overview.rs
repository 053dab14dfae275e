//! `/`: how the installation is doing, at a glance.

use crate::page::chart::{self, Chart, Series};
use crate::page::datetime::{self, Moment, micros, of_duration};
use crate::page::error_view::Trouble;
use crate::page::label::{self, Label};
use crate::page::layout::{Frame, Part, html};
use crate::page::link;
use crate::page::row::Row;
use crate::page::services::{Services, call};
use crate::page::text::{Text, cell, words};
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use baton_proto::baton::saga::v1 as wire;
use wire::{ConcernKind, GetOverviewRequest, GetOverviewResponse, OverviewSample, StateCount};

/// How often it asks again, milliseconds: as often as there is a new sample.
const REFRESH_MS: u32 = 2_000;

/// A state and how many are in it.
#[derive(Debug)]
struct Tile {
    state: Label,
    none: bool,
    count: String,
    link: String,
}

/// Something that needs somebody.
#[derive(Debug)]
struct Concern {
    sentence: Text,
    message: Text,
    /// What it is about.
    link: String,
    /// What can be done, with where.
    act: Option<(&'static str, String)>,
}

impl Concern {
    fn new(concern: &wire::OverviewConcern) -> Self {
        let filter = [("filter", concern.filter.as_str())];
        let (link, act) = match concern.kind() {
            ConcernKind::Stuck if concern.count == 1 && !concern.subject.is_empty() => {
                (link::page(&concern.subject), None)
            }
            ConcernKind::Stuck => {
                let all = ("Act on all of these…", link::with("/jobs/new", &filter));
                (link::with("/sagas", &[filter[0], ("order_by", "update_time")]), Some(all))
            }
            ConcernKind::Hold => ("/holds".to_owned(), Some(("Release…", "/holds".to_owned()))),
            ConcernKind::DeadLetters => ("/dead-letters?state=waiting".to_owned(), None),
            ConcernKind::Away | ConcernKind::Unspecified => ("#components".to_owned(), None),
        };
        Self { sentence: words(&concern.sentence), message: words(&concern.message), link, act }
    }
}

#[derive(Debug)]
struct Component {
    name: Text,
    kind: Text,
    healthy: bool,
    seen: Moment,
    version: Text,
    trouble: Text,
}

#[derive(Debug)]
struct Overview {
    concerns: Vec<Concern>,
    tiles: Vec<Tile>,
    charts: Vec<Chart>,
    oldest: Option<Row>,
    incidents: String,
    any_incident: bool,
    oldest_incident: Option<Row>,
    queues: Vec<(Text, String, bool)>,
    empty_queues: Vec<Text>,
    components: Vec<Component>,
    troubles: Vec<Text>,
}

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    frame: Frame,
    shown: Option<Overview>,
    trouble: Option<Trouble>,
    left: f64,
    width: f64,
    height: f64,
}

/// `GET /`.
pub async fn page(State(services): State<Services>) -> Response {
    let frame = Frame::new(&services, Part::Overview, "Overview").await.every(REFRESH_MS);
    let (shown, trouble) = match call(services.admin().get_overview(GetOverviewRequest {})).await {
        // Read after the answer: who was asked for it was heard of just now, not in the future.
        Ok(overview) => (Some(shown(&overview, datetime::now())), None),
        Err(trouble) => (None, Some(trouble)),
    };
    let needs = shown.as_ref().map_or(0, |shown: &Overview| shown.concerns.len());
    let frame = if needs > 0 { Frame { title: format!("({needs}) {}", frame.title), ..frame } } else { frame };
    let status = trouble.as_ref().map_or(StatusCode::OK, Trouble::status);
    html(status, &OverviewPage { frame, shown, trouble, left: chart::LEFT, width: chart::WIDTH, height: chart::HEIGHT })
}

fn shown(overview: &GetOverviewResponse, now: i64) -> Overview {
    let incidents = overview.incidents.unwrap_or_default();
    let tile = |state: &StateCount| {
        let label = label::state(state.state);
        let filter = format!("state = {}", label.word);
        Tile {
            state: label,
            none: state.count == 0,
            count: label::count(state.count, state.exact),
            link: link::with("/sagas", &[("filter", &filter)]),
        }
    };
    // What needs somebody stands first.
    let (stuck, others): (Vec<&StateCount>, Vec<&StateCount>) =
        overview.states.iter().partition(|state| state.state() == wire::SagaState::Stuck);
    let skipped = Tile {
        state: label::SKIPPED,
        none: overview.skipped == 0,
        count: label::count(overview.skipped, overview.skipped_exact),
        link: link::with("/sagas", &[("preset", "skipped")]),
    };
    let component = |it: &wire::Component| Component {
        name: cell(&it.component),
        kind: cell(&it.kind),
        healthy: it.healthy,
        seen: Moment::new(it.seen_time.as_ref(), now),
        version: cell(&it.version),
        trouble: words(&it.trouble),
    };
    let (empty, waiting): (Vec<&wire::QueueDepth>, Vec<&wire::QueueDepth>) =
        overview.queues.iter().partition(|queue| queue.messages == 0);
    let queue = |it: &&wire::QueueDepth| (cell(&it.queue), label::grouped(it.messages), it.dead_letters);
    Overview {
        concerns: overview.concerns.iter().map(Concern::new).collect(),
        tiles: stuck.into_iter().chain(others).map(tile).chain([skipped]).collect(),
        charts: charts(&overview.samples),
        oldest: overview.oldest.as_ref().map(|saga| Row::new(saga, now)),
        incidents: label::count(incidents.count, incidents.exact),
        any_incident: incidents.count > 0,
        oldest_incident: overview.oldest_incident.as_ref().map(|saga| Row::new(saga, now)),
        queues: waiting.iter().map(queue).collect(),
        empty_queues: empty.iter().map(|it| cell(&it.queue)).collect(),
        components: overview.components.iter().map(component).collect(),
        troubles: overview.troubles.iter().map(words).collect(),
    }
}

fn charts(samples: &[OverviewSample]) -> Vec<Chart> {
    let series = |name, class, value: fn(&OverviewSample) -> Option<f64>| {
        let point = |sample: &OverviewSample| Some((micros(sample.sample_time.as_ref()?), value(sample)));
        Series { name, class, points: samples.iter().filter_map(point).collect() }
    };
    let rates = [
        series("started", "first", |sample| Some(sample.started_rate)),
        series("ended", "second", |sample| Some(sample.ended_rate)),
        series("got stuck", "third", |sample| Some(sample.stuck_rate)),
    ];
    let latencies = [
        series("median", "first", |sample| sample.latency_p50.as_ref().map(|it| of_duration(it) as f64)),
        series("99th percentile", "second", |sample| sample.latency_p99.as_ref().map(|it| of_duration(it) as f64)),
    ];
    let under_way = [series("under way", "first", |sample| Some(sample.under_way as f64))];
    vec![
        chart::chart("Sagas a second", &rates, chart::plain),
        chart::chart("From start to end", &latencies, chart::time),
        chart::chart("Under way", &under_way, chart::plain),
    ]
}

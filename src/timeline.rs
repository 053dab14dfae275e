//! `baton sagas timeline`: a saga over time and what its messages said, over gRPC.

use crate::client::Client;
use crate::failure::Failure;
use crate::find;
use crate::records::{saga_verb, time};
use crate::show::Printer;
use baton_proto::baton::saga::v1::{
    GetSagaTimelineRequest, GetSagaTimelineResponse, LaneOutcome, SagaPayload, SpanActivity, SpanEnd, TimelineLane,
    TimelineSpan,
};
use baton_query::datetime::spoken;
use prost_types::Timestamp;
use std::time::Duration;

/// `baton sagas timeline`.
///
/// # Errors
/// What the server refused.
pub async fn run(client: &Client, saga: &str, printer: Printer) -> Result<(), Failure> {
    let name = find::saga(client, saga, printer).await?;
    let request = GetSagaTimelineRequest { name: name.clone() };
    let answer = client.admin().get_saga_timeline(client.request(request)).await?.into_inner();
    printer.answer(&answer, || as_text(&name, &answer))
}

fn as_text(id: &str, answer: &GetSagaTimelineResponse) -> String {
    let start = answer.start_time.as_ref();
    let mut lines = vec![format!("{id}, version {}, started {}", answer.version, time(start))];
    for lane in &answer.lanes {
        lines.extend([String::new(), heading(lane)]);
        lines.extend(lane.spans.iter().map(|span| format!("  {}", line(start, span))));
    }
    if !answer.actions.is_empty() {
        lines.extend([String::new(), "Operators:".to_owned()]);
    }
    lines.extend(answer.actions.iter().map(|action| {
        let at = after(start, action.event_time.as_ref());
        format!("  {at} {} by {}: {}", saga_verb(action.verb()), action.actor, action.reason)
    }));
    if !answer.gap.is_empty() {
        lines.extend([String::new(), answer.gap.clone()]);
    }
    lines.extend(
        answer.entries.iter().map(|entry| format!("  {} {}", after(start, entry.event_time.as_ref()), entry.sentence)),
    );
    for payload in &answer.payloads {
        lines.extend([String::new(), about(payload)]);
        lines.extend(Some(payload.json.clone()).filter(|json| !json.is_empty()));
    }
    lines.join("\n")
}

fn heading(lane: &TimelineLane) -> String {
    let undo = if lane.direction == "undo" { " undo" } else { "" };
    let outcome = word(lane.outcome().as_str_name(), "LANE_OUTCOME_");
    let outcome = match (lane.outcome(), lane.spans.last().map(TimelineSpan::activity)) {
        (LaneOutcome::Unspecified, Some(SpanActivity::Paused)) => "paused".to_owned(),
        (LaneOutcome::Unspecified, Some(SpanActivity::Stuck)) => "stuck".to_owned(),
        (LaneOutcome::Unspecified, _) => "under way".to_owned(),
        _ => outcome,
    };
    let reason = if lane.reason.is_empty() { String::new() } else { format!(" {}", lane.reason) };
    format!("{}{undo} at {}: {outcome}{reason}", lane.step, lane.participant)
}

fn line(start: Option<&Timestamp>, span: &TimelineSpan) -> String {
    let what = match span.activity() {
        SpanActivity::Attempt => format!("attempt {}", span.attempt),
        SpanActivity::Backoff => format!("pauses after attempt {}", span.attempt),
        SpanActivity::Stuck => "stuck".to_owned(),
        SpanActivity::Paused => "paused".to_owned(),
        SpanActivity::Unspecified => String::new(),
    };
    let end = match span.end() {
        SpanEnd::Unspecified => "goes on".to_owned(),
        end => word(end.as_str_name(), "SPAN_END_"),
    };
    let reason = if span.reason.is_empty() { String::new() } else { format!(" {}", span.reason) };
    let (from, to) = (after(start, span.start_time.as_ref()), after(start, span.end_time.as_ref()));
    format!("{from} to {to} {what}: {end}{reason}")
}

fn about(payload: &SagaPayload) -> String {
    let kind = if payload.r#type.is_empty() { "of an unknown type" } else { payload.r#type.as_str() };
    format!("{} ({kind}, {} bytes)", payload.title, payload.size_bytes)
}

/// `+12 s`: how long after the start.
fn after(start: Option<&Timestamp>, at: Option<&Timestamp>) -> String {
    let nanos = |stamp: &Timestamp| i128::from(stamp.seconds) * 1_000_000_000 + i128::from(stamp.nanos);
    let (Some(start), Some(at)) = (start, at) else { return "+?".to_owned() };
    let passed = u64::try_from((nanos(at) - nanos(start)).max(0)).unwrap_or(u64::MAX);
    format!("+{}", spoken(Duration::from_nanos(passed)))
}

/// `SPAN_END_TIMED_OUT` as `timed out`.
fn word(name: &str, prefix: &str) -> String {
    name.trim_start_matches(prefix).to_lowercase().replace('_', " ")
}

//! A saga over time, as numbers for a template: a lane for each step and undo, a bar for each span, a mark for each action.

use crate::page::datetime::{exact, micros, span};
use crate::page::label;
use crate::page::text::cut;
use baton_proto::baton::saga::v1::{
    GetSagaTimelineResponse, LaneOutcome, SpanActivity, SpanEnd, TimelineLane, TimelineSpan,
};

/// Width of the drawing, in its own units.
pub const WIDTH: f64 = 1_000.0;
/// Room for the names of the lanes.
const LEFT: f64 = 190.0;
/// Room for how each lane ended.
const RIGHT: f64 = 130.0;
const TOP: f64 = 30.0;
const ROW: f64 = 26.0;

/// Lanes drawn at most; a definition has at most 64 steps, each with an undo.
const MAX_LANES: usize = 128;
/// Bars drawn at most in one lane; of more, the newest.
const MAX_SPANS: usize = 200;
/// How near two moments below may stand.
const TICK_GAP: f64 = 74.0;
/// Share of the width that follows the clock. The rest is dealt out evenly between what happened, so that ten milliseconds
/// beside two hours can still be seen.
const BY_CLOCK: f64 = 0.45;

/// A bar.
#[derive(Clone, Debug)]
pub struct Bar {
    /// Where it begins.
    pub x: f64,
    /// How long it is.
    pub width: f64,
    /// What goes on, as a class.
    pub class: &'static str,
    /// What it says to the pointer.
    pub title: String,
}

/// A lane.
#[derive(Clone, Debug)]
pub struct Lane {
    /// Where it is.
    pub y: f64,
    /// Whose it is.
    pub name: String,
    /// The whole name, who carries it out.
    pub title: String,
    /// True for an undo.
    pub undo: bool,
    /// Its bars.
    pub bars: Vec<Bar>,
    /// How the saga left it.
    pub outcome: String,
    /// The same as a class.
    pub class: &'static str,
}

/// An operator's action.
#[derive(Clone, Debug)]
pub struct Mark {
    /// When.
    pub x: f64,
    /// What, by whom, why.
    pub title: String,
}

/// The drawing.
#[derive(Clone, Debug)]
pub struct Gantt {
    /// Its height.
    pub height: f64,
    /// Its lanes.
    pub lanes: Vec<Lane>,
    /// Operators' actions.
    pub marks: Vec<Mark>,
    /// Moments above, with what they say.
    pub ticks: Vec<(f64, String)>,
    /// What it shows, for those who do not see it.
    pub summary: String,
}

/// Where moments stand.
struct Scale {
    moments: Vec<i64>,
}

impl Scale {
    fn new(timeline: &GetSagaTimelineResponse) -> Self {
        let spans = timeline.lanes.iter().flat_map(|lane| &lane.spans);
        let ends = spans.flat_map(|span| [span.start_time.as_ref(), span.end_time.as_ref()]);
        let actions = timeline.actions.iter().map(|action| action.event_time.as_ref());
        let outer = [timeline.start_time.as_ref(), timeline.end_time.as_ref()];
        let mut moments: Vec<i64> = ends.chain(actions).chain(outer).flatten().map(micros).collect();
        moments.sort_unstable();
        moments.dedup();
        Self { moments }
    }

    fn x(&self, at: i64) -> f64 {
        let (first, last) = (self.moments.first().copied().unwrap_or(at), self.moments.last().copied().unwrap_or(at));
        let clock = at.saturating_sub(first) as f64 / last.saturating_sub(first).max(1) as f64;
        let rank = self.moments.partition_point(|moment| *moment < at) as f64;
        let even = rank / self.moments.len().saturating_sub(1).max(1) as f64;
        LEFT + (WIDTH - LEFT - RIGHT) * (BY_CLOCK * clock + (1.0 - BY_CLOCK) * even).clamp(0.0, 1.0)
    }

    fn ticks(&self) -> Vec<(f64, String)> {
        let Some(first) = self.moments.first() else { return Vec::new() };
        let mut ticks: Vec<(f64, String)> = Vec::new();
        for at in &self.moments {
            let x = self.x(*at);
            if ticks.last().is_none_or(|(before, _)| x - before >= TICK_GAP) {
                ticks.push((x, format!("+{}", span(at.saturating_sub(*first)))));
            }
        }
        ticks
    }
}

/// Draws a timeline.
#[must_use]
pub fn gantt(timeline: &GetSagaTimelineResponse) -> Gantt {
    let scale = Scale::new(timeline);
    let shown = timeline.lanes.iter().take(MAX_LANES);
    let lanes: Vec<Lane> = shown.enumerate().map(|(row, lane)| drawn(&scale, row, lane)).collect();
    let marks = timeline.actions.iter().filter_map(|action| {
        let at = micros(action.event_time.as_ref()?);
        let title = format!(
            "{}: {} by {}: {}",
            exact(at),
            label::verb(action.verb),
            cut(&action.actor, 128),
            cut(&action.reason, 300)
        );
        Some(Mark { x: scale.x(at), title })
    });
    let summary = format!("{} steps and undos over time, {} actions of operators", lanes.len(), timeline.actions.len());
    Gantt { height: TOP + ROW * lanes.len() as f64 + 8.0, marks: marks.collect(), ticks: scale.ticks(), summary, lanes }
}

fn drawn(scale: &Scale, row: usize, lane: &TimelineLane) -> Lane {
    let kept = lane.spans.len().saturating_sub(MAX_SPANS);
    let bars = lane.spans.iter().skip(kept).filter_map(|span| bar(scale, span));
    let undo = lane.direction == "undo";
    let attempts = if lane.attempts > 1 { format!(" ×{}", lane.attempts) } else { String::new() };
    let (word, class) = outcome(lane.outcome(), lane.spans.last().map(TimelineSpan::activity));
    let title = format!("{} of {}, carried out by {}", lane.direction, lane.step, lane.participant);
    Lane {
        y: TOP + ROW * row as f64,
        name: format!("{}{}{attempts}", if undo { "↩ " } else { "" }, cut(&lane.step, 22)),
        title: if lane.reason.is_empty() { title } else { format!("{title}: {}", cut(&lane.reason, 64)) },
        undo,
        bars: bars.collect(),
        outcome: word.to_owned(),
        class,
    }
}

fn bar(scale: &Scale, span: &TimelineSpan) -> Option<Bar> {
    let (start, end) = (micros(span.start_time.as_ref()?), micros(span.end_time.as_ref()?));
    let (x, until) = (scale.x(start), scale.x(end));
    let what = match span.activity() {
        SpanActivity::Attempt => format!("attempt {}", span.attempt),
        SpanActivity::Backoff => "pause".to_owned(),
        SpanActivity::Stuck => "stuck".to_owned(),
        SpanActivity::Paused => "paused by an operator".to_owned(),
        SpanActivity::Unspecified => "unknown".to_owned(),
    };
    let why = if span.reason.is_empty() { String::new() } else { format!(" ({})", cut(&span.reason, 64)) };
    let title = format!("{what}, {}, {}{why}", self::span_of(start, end), ended(span.end()));
    Some(Bar { x, width: (until - x).max(2.0), class: class(span.activity(), span.end()), title })
}

fn span_of(start: i64, end: i64) -> String {
    span(end.saturating_sub(start))
}

fn class(activity: SpanActivity, end: SpanEnd) -> &'static str {
    match (activity, end) {
        (SpanActivity::Backoff, _) => "backoff",
        (SpanActivity::Stuck, _) => "stuck",
        (SpanActivity::Paused, _) => "paused",
        (SpanActivity::Unspecified, _) => "unknown",
        (SpanActivity::Attempt, SpanEnd::Succeeded) => "good",
        (SpanActivity::Attempt, SpanEnd::Unspecified) => "open",
        (SpanActivity::Attempt, SpanEnd::Rejected) => "refused",
        // An action cuts it off; what came of it stands in the next span.
        (SpanActivity::Attempt, SpanEnd::Operator) => "open",
        (SpanActivity::Attempt, _) => "vain",
    }
}

fn ended(end: SpanEnd) -> &'static str {
    match end {
        SpanEnd::Unspecified => "going on",
        SpanEnd::Succeeded => "answered: done",
        SpanEnd::Rejected => "answered: refused",
        SpanEnd::Unavailable => "the participant could not answer",
        SpanEnd::TimedOut => "no answer in time",
        SpanEnd::SentAgain => "then sent again",
        SpanEnd::Deadline => "the saga's deadline passed",
        SpanEnd::Operator => "ended by an operator",
    }
}

fn outcome(outcome: LaneOutcome, doing: Option<SpanActivity>) -> (&'static str, &'static str) {
    match outcome {
        LaneOutcome::Unspecified => match doing {
            Some(SpanActivity::Paused) => ("paused", "open"),
            Some(SpanActivity::Stuck) => ("stuck", "open"),
            Some(SpanActivity::Attempt | SpanActivity::Backoff | SpanActivity::Unspecified) | None => {
                ("at work", "open")
            }
        },
        LaneOutcome::Done => ("done", "good"),
        LaneOutcome::Refused => ("refused", "refused"),
        LaneOutcome::GivenUp => ("given up", "vain"),
        LaneOutcome::Deadline => ("deadline passed", "vain"),
        LaneOutcome::Cancelled => ("cancelled", "vain"),
        LaneOutcome::ByHand => ("done by hand", "good"),
        LaneOutcome::Skipped => ("skipped", "skipped"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use baton_proto::baton::saga::v1::{SagaVerb, TimelineAction};
    use prost_types::Timestamp;

    fn at(seconds: i64) -> Option<Timestamp> {
        Some(Timestamp { seconds, nanos: 0 })
    }

    fn span(start: i64, end: i64, activity: SpanActivity, ended: SpanEnd) -> TimelineSpan {
        let (start_time, end_time) = (at(start), at(end));
        TimelineSpan {
            start_time,
            end_time,
            activity: activity.into(),
            attempt: 1,
            end: ended.into(),
            reason: String::new(),
        }
    }

    #[test]
    fn what_happened_is_drawn_in_order_and_nothing_vanishes() {
        let lane = |step: &str, spans| TimelineLane {
            step: step.to_owned(),
            direction: "action".to_owned(),
            spans,
            ..Default::default()
        };
        let timeline = GetSagaTimelineResponse {
            start_time: at(0),
            end_time: at(100_000),
            lanes: vec![
                lane("a", vec![span(0, 1, SpanActivity::Attempt, SpanEnd::Succeeded)]),
                lane(
                    "b",
                    vec![
                        span(1, 2, SpanActivity::Attempt, SpanEnd::TimedOut),
                        span(2, 100_000, SpanActivity::Stuck, SpanEnd::Unspecified),
                    ],
                ),
            ],
            actions: vec![TimelineAction {
                event_time: at(50_000),
                verb: SagaVerb::Retry.into(),
                actor: "ada".to_owned(),
                reason: "r".to_owned(),
                ..Default::default()
            }],
            ..Default::default()
        };
        let drawn = gantt(&timeline);
        let bars: Vec<&Bar> = drawn.lanes.iter().flat_map(|lane| &lane.bars).collect();
        assert_eq!(bars.iter().map(|bar| bar.class).collect::<Vec<_>>(), ["good", "vain", "stuck"]);
        for pair in bars.windows(2) {
            assert!((pair[0].x + pair[0].width - pair[1].x).abs() < 0.01, "no gap: {pair:?}");
            assert!(pair[0].width > 20.0, "a second beside a day is seen: {pair:?}");
        }
        assert!(drawn.marks[0].x > bars[2].x && drawn.marks[0].x < WIDTH - RIGHT);
        assert!(drawn.marks[0].title.contains("retry by ada: r"));
        assert!(drawn.ticks.windows(2).all(|pair| pair[1].0 - pair[0].0 >= TICK_GAP));
    }

    #[test]
    fn an_empty_timeline_is_no_defect() {
        let drawn = gantt(&GetSagaTimelineResponse::default());
        assert!(drawn.lanes.is_empty() && drawn.ticks.is_empty());
    }
}

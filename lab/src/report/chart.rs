//! Pictures as inline SVG: one run second by second, and all runs beside each other.

use super::model::{Campaign, NemesisReport, Verdict};
use baton_query::svg::{Svg, round_up, through};

/// Size of a run's picture, and of its margins, in pixels.
const WIDTH: f64 = 1_040.0;
const HEIGHT: f64 = 230.0;
const LEFT: f64 = 48.0;
const RIGHT: f64 = 56.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 44.0;

/// Events drawn of one run; more would be a black bar.
const EVENTS: usize = 80;

/// Height of a row in the overview.
const ROW: f64 = 22.0;

/// Linear from seconds to pixels.
struct Across {
    seconds: f64,
}

impl Across {
    fn at(&self, seconds: f64) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * (seconds / self.seconds).clamp(0.0, 1.0)
    }
}

/// Linear from a value to pixels from the top.
fn down(value: f64, most: f64) -> f64 {
    let room = HEIGHT - TOP - BOTTOM;
    TOP + room * (1.0 - (value / most).clamp(0.0, 1.0))
}

/// Orders ended and calls unanswered in each second as bars, p99 latency as a line, the fault as a band, events as marks.
pub(super) fn run(report: &NemesisReport) -> String {
    let seconds = report.seconds.len().max(1);
    let across = Across { seconds: whole(seconds as u64) };
    let most_ended = report.seconds.iter().map(|second| second.ended).max().unwrap_or(0).max(1);
    let most_ended = nice(whole(most_ended));
    let most_ms = nice(whole(report.seconds.iter().map(|second| second.p99_ms).max().unwrap_or(0).max(10)));
    let mut svg = Svg::new("", (WIDTH, HEIGHT), &report.name);
    band(&mut svg, &across, ms(report.fault_from_ms), ms(report.fault_to_ms), "fault", "fault");
    band(&mut svg, &across, ms(report.load_to_ms), across.seconds, "rest", "no new orders");
    axes(&mut svg, &across, most_ended, most_ms);
    bars(&mut svg, report, &across, most_ended);
    line(&mut svg, report, &across, most_ms);
    if report.baseline > 0.0 {
        let y = down(report.baseline, most_ended);
        svg.line("class=\"calm\"", (LEFT, y), (WIDTH - RIGHT, y), "");
    }
    if let Some(heal) = report.heal_ms {
        let x = across.at(ms(report.fault_to_ms + heal));
        let title = format!("healed after {:.1} s", ms(heal));
        svg.line("class=\"healed\"", (x, TOP), (x, HEIGHT - BOTTOM), &title);
    }
    for event in report.events.iter().take(EVENTS) {
        let (x, y) = (across.at(ms(event.at_ms)), HEIGHT - BOTTOM + 24.0);
        let title = format!("{:.1} s: {}", ms(event.at_ms), event.what);
        svg.path("class=\"event\"", &format!("M{x:.1} {y:.1}l-3.5 7h7z"), &title);
    }
    svg.done()
}

fn band(svg: &mut Svg, across: &Across, from: f64, to: f64, class: &str, text: &str) {
    if to <= from {
        return;
    }
    let (x, width) = (across.at(from), across.at(to) - across.at(from));
    svg.rect(&format!("class=\"{class}\""), (x, TOP), (width, HEIGHT - TOP - BOTTOM), "");
    if width > 40.0 {
        svg.text("class=\"name\"", (x + 5.0, TOP - 8.0), text);
    }
}

fn axes(svg: &mut Svg, across: &Across, most_ended: f64, most_ms: f64) {
    for step in 0..=4 {
        let share = f64::from(step) / 4.0;
        let y = down(share, 1.0);
        svg.line("class=\"grid\"", (LEFT, y), (WIDTH - RIGHT, y), "");
        svg.text("class=\"left\"", (LEFT - 6.0, y + 4.0), &short(share * most_ended));
        svg.text("class=\"right\"", (WIDTH - RIGHT + 6.0, y + 4.0), &latency(share * most_ms));
    }
    below(svg, across.seconds, nice(across.seconds / 10.0), HEIGHT - BOTTOM + 16.0, |at| across.at(at));
}

/// Seconds from 0 to `end`, so far apart.
fn below(svg: &mut Svg, end: f64, step: f64, y: f64, x: impl Fn(f64) -> f64) {
    let mut at = 0.0;
    while at <= end {
        svg.text("class=\"below\"", (x(at), y), &format!("{at:.0} s"));
        at += step.max(1.0);
    }
}

fn bars(svg: &mut Svg, report: &NemesisReport, across: &Across, most: f64) {
    let bottom = HEIGHT - BOTTOM;
    for (index, second) in report.seconds.iter().enumerate() {
        let (from, to) = (across.at(whole(index as u64)), across.at(whole(index as u64 + 1)));
        let width = ((to - from) * 0.8).max(0.5);
        for (count, class, width) in [(second.ended, "ended", width), (second.unknown, "unknown", width * 0.45)] {
            if count > 0 {
                let y = down(whole(count), most);
                let title = format!("{index} s: {count} {class}");
                svg.rect(&format!("class=\"{class}\""), (from, y), (width, bottom - y), &title);
            }
        }
    }
}

/// Seconds in which nothing ended have no latency, and break the line.
fn line(svg: &mut Svg, report: &NemesisReport, across: &Across, most: f64) {
    let points = report.seconds.iter().enumerate().map(|(index, second)| {
        let point = || (across.at(whole(index as u64) + 0.4), down(whole(second.p99_ms), most));
        (second.ended > 0).then(point)
    });
    svg.path("class=\"p99\"", &through(points), "");
}

/// Every nemesis in a row: how long the fault lasted, and how long after it all was as before.
pub(super) fn overview(campaign: &Campaign) -> String {
    let ran: Vec<_> = campaign.nemeses.iter().filter(|report| !matches!(report.verdict, Verdict::NotRun(_))).collect();
    let longest = ran.iter().map(|report| report.rested_ms).max().unwrap_or(1).max(1);
    let (names, figures) = (300.0, 90.0);
    let across = |at: u64| names + (WIDTH - names - figures) * ms(at) / ms(longest);
    let height = ROW * whole(ran.len() as u64) + 24.0;
    let mut svg = Svg::new("", (WIDTH, height), "all nemeses");
    for (index, report) in ran.iter().enumerate() {
        let y = ROW * whole(index as u64) + 4.0;
        let class = if report.verdict == Verdict::Passed { "good" } else { "bad" };
        svg.text(&format!("class=\"row {class}\""), (names - 10.0, y + 12.0), &report.name);
        let healed = report.heal_ms.map(|heal| report.fault_to_ms + heal);
        let parts = [
            ("calm-bar", 0, report.fault_from_ms),
            ("fault-bar", report.fault_from_ms, report.fault_to_ms),
            ("heal-bar", report.fault_to_ms, healed.unwrap_or(report.load_to_ms)),
            ("calm-bar", healed.unwrap_or(report.load_to_ms), report.load_to_ms),
            ("rest-bar", report.load_to_ms, report.rested_ms),
        ];
        for (class, from, to) in parts.into_iter().filter(|(_, from, to)| to > from) {
            let size = (across(to) - across(from), ROW - 7.0);
            svg.rect(&format!("class=\"{class}\""), (across(from), y), size, &format!("{:.1} s", ms(to - from)));
        }
        let text = report.heal_ms.map_or_else(|| "-".to_owned(), |heal| format!("{:.1} s", ms(heal)));
        svg.text("class=\"right\"", (WIDTH - figures + 8.0, y + 12.0), &text);
    }
    let x = |at: f64| names + (WIDTH - names - figures) * at / ms(longest);
    below(&mut svg, ms(longest), nice(ms(longest) / 8.0), height - 6.0, x);
    svg.done()
}

/// The next of 1, 2, 4, 5, 10, 20 … at or above the value, so that its quarters are readable.
fn nice(value: f64) -> f64 {
    round_up(value, &[1.0, 2.0, 4.0, 5.0])
}

fn short(value: f64) -> String {
    if value.fract() < 0.05 { format!("{value:.0}") } else { format!("{value:.1}") }
}

fn latency(value_ms: f64) -> String {
    if value_ms >= 1_000.0 { format!("{} s", short(value_ms / 1_000.0)) } else { format!("{value_ms:.0} ms") }
}

fn ms(value: u64) -> f64 {
    whole(value) / 1_000.0
}

#[allow(clippy::cast_precision_loss)]
fn whole(value: u64) -> f64 {
    value as f64
}

//! Pictures as inline SVG: one run second by second, and all runs beside each other.

use super::model::{Campaign, NemesisReport, Verdict};
use std::fmt::Write as _;

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
    let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">", report.name);
    band(&mut svg, &across, ms(report.fault_from_ms), ms(report.fault_to_ms), "fault", "fault");
    band(&mut svg, &across, ms(report.load_to_ms), across.seconds, "rest", "no new orders");
    axes(&mut svg, &across, most_ended, most_ms);
    bars(&mut svg, report, &across, most_ended);
    line(&mut svg, report, &across, most_ms);
    if report.baseline > 0.0 {
        let y = down(report.baseline, most_ended);
        let (from, to) = (LEFT, WIDTH - RIGHT);
        let _ = write!(svg, "<line class=\"calm\" x1=\"{from}\" x2=\"{to}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>");
    }
    if let Some(heal) = report.heal_ms {
        let x = across.at(ms(report.fault_to_ms + heal));
        let _ = write!(
            svg,
            "<line class=\"healed\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{:.1}\"><title>healed after {:.1} s</title></line>",
            HEIGHT - BOTTOM,
            ms(heal)
        );
    }
    for event in report.events.iter().take(EVENTS) {
        let (x, y) = (across.at(ms(event.at_ms)), HEIGHT - BOTTOM + 24.0);
        let _ = write!(
            svg,
            "<path class=\"event\" d=\"M{x:.1} {y:.1}l-3.5 7h7z\"><title>{:.1} s: {}</title></path>",
            ms(event.at_ms),
            super::html::escape(&event.what)
        );
    }
    svg.push_str("</svg>");
    svg
}

fn band(svg: &mut String, across: &Across, from: f64, to: f64, class: &str, text: &str) {
    if to <= from {
        return;
    }
    let (x, width) = (across.at(from), across.at(to) - across.at(from));
    let height = HEIGHT - TOP - BOTTOM;
    let _ = write!(svg, "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{TOP}\" width=\"{width:.1}\" height=\"{height}\"/>");
    if width > 40.0 {
        let _ = write!(svg, "<text class=\"name\" x=\"{:.1}\" y=\"{}\">{text}</text>", x + 5.0, TOP - 8.0);
    }
}

fn axes(svg: &mut String, across: &Across, most_ended: f64, most_ms: f64) {
    let bottom = HEIGHT - BOTTOM;
    for step in 0..=4 {
        let share = f64::from(step) / 4.0;
        let y = down(share, 1.0);
        let (from, to) = (LEFT, WIDTH - RIGHT);
        let _ = write!(svg, "<line class=\"grid\" x1=\"{from}\" x2=\"{to}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>");
        let _ = write!(
            svg,
            "<text class=\"left\" x=\"{}\" y=\"{:.1}\">{}</text><text class=\"right\" x=\"{}\" y=\"{:.1}\">{}</text>",
            LEFT - 6.0,
            y + 4.0,
            short(share * most_ended),
            WIDTH - RIGHT + 6.0,
            y + 4.0,
            latency(share * most_ms)
        );
    }
    let step = nice(across.seconds / 10.0).max(1.0);
    let mut at = 0.0;
    while at <= across.seconds {
        let x = across.at(at);
        let _ = write!(svg, "<text class=\"below\" x=\"{x:.1}\" y=\"{}\">{at:.0} s</text>", bottom + 16.0);
        at += step;
    }
}

fn bars(svg: &mut String, report: &NemesisReport, across: &Across, most: f64) {
    let bottom = HEIGHT - BOTTOM;
    for (index, second) in report.seconds.iter().enumerate() {
        let (from, to) = (across.at(whole(index as u64)), across.at(whole(index as u64 + 1)));
        let width = ((to - from) * 0.8).max(0.5);
        for (count, class) in [(second.ended, "ended"), (second.unknown, "unknown")] {
            if count == 0 {
                continue;
            }
            let y = down(whole(count), most);
            let width = if class == "unknown" { width * 0.45 } else { width };
            let height = bottom - y;
            let _ = write!(
                svg,
                "<rect class=\"{class}\" x=\"{from:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"><title>{index} s: {count} {class}</title></rect>"
            );
        }
    }
}

/// Seconds in which nothing ended have no latency, and break the line.
fn line(svg: &mut String, report: &NemesisReport, across: &Across, most: f64) {
    let mut path = String::new();
    let mut is_down = false;
    for (index, second) in report.seconds.iter().enumerate() {
        if second.ended == 0 {
            is_down = false;
            continue;
        }
        let (x, y) = (across.at(whole(index as u64) + 0.4), down(whole(second.p99_ms), most));
        let _ = write!(path, "{}{x:.1} {y:.1}", if is_down { "L" } else { "M" });
        is_down = true;
    }
    let _ = write!(svg, "<path class=\"p99\" d=\"{path}\"/>");
}

/// Every nemesis in a row: how long the fault lasted, and how long after it all was as before.
pub(super) fn overview(campaign: &Campaign) -> String {
    let ran: Vec<_> = campaign.nemeses.iter().filter(|report| !matches!(report.verdict, Verdict::NotRun(_))).collect();
    let longest = ran.iter().map(|report| report.rested_ms).max().unwrap_or(1).max(1);
    let (names, figures) = (300.0, 90.0);
    let across = |at: u64| names + (WIDTH - names - figures) * ms(at) / ms(longest);
    let height = ROW * whole(ran.len() as u64) + 24.0;
    let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"all nemeses\">");
    for (index, report) in ran.iter().enumerate() {
        let y = ROW * whole(index as u64) + 4.0;
        let class = if report.verdict == Verdict::Passed { "good" } else { "bad" };
        let _ = write!(
            svg,
            "<text class=\"row {class}\" x=\"{}\" y=\"{:.1}\">{}</text>",
            names - 10.0,
            y + 12.0,
            super::html::escape(&report.name)
        );
        let healed = report.heal_ms.map(|heal| report.fault_to_ms + heal);
        let parts = [
            ("calm-bar", 0, report.fault_from_ms),
            ("fault-bar", report.fault_from_ms, report.fault_to_ms),
            ("heal-bar", report.fault_to_ms, healed.unwrap_or(report.load_to_ms)),
            ("calm-bar", healed.unwrap_or(report.load_to_ms), report.load_to_ms),
            ("rest-bar", report.load_to_ms, report.rested_ms),
        ];
        for (class, from, to) in parts.into_iter().filter(|(_, from, to)| to > from) {
            let (x, width) = (across(from), across(to) - across(from));
            let _ = write!(
                svg,
                "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{}\"><title>{:.1} s</title></rect>",
                ROW - 7.0,
                ms(to - from)
            );
        }
        let text = report.heal_ms.map_or_else(|| "-".to_owned(), |heal| format!("{:.1} s", ms(heal)));
        let _ =
            write!(svg, "<text class=\"right\" x=\"{}\" y=\"{:.1}\">{text}</text>", WIDTH - figures + 8.0, y + 12.0);
    }
    let y = height - 6.0;
    let step = nice(ms(longest) / 8.0).max(1.0);
    let mut at = 0.0;
    while at <= ms(longest) {
        let x = names + (WIDTH - names - figures) * at / ms(longest);
        let _ = write!(svg, "<text class=\"below\" x=\"{x:.1}\" y=\"{y:.1}\">{at:.0} s</text>");
        at += step;
    }
    svg.push_str("</svg>");
    svg
}

/// The next of 1, 2, 4, 5, 10, 20 … at or above the value, so that its quarters are readable.
fn nice(value: f64) -> f64 {
    let power = 10_f64.powf(value.max(1e-9).log10().floor());
    [1.0, 2.0, 4.0, 5.0, 10.0].into_iter().map(|step| step * power).find(|step| *step >= value).unwrap_or(value)
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

#[cfg(test)]
mod tests {
    use super::nice;

    #[test]
    fn axes_end_at_round_numbers() {
        let ends: Vec<f64> = [0.7, 1.0, 3.0, 42.0, 51.0, 999.0].into_iter().map(nice).collect();
        assert_eq!(ends, [1.0, 1.0, 4.0, 50.0, 100.0, 1000.0]);
    }
}

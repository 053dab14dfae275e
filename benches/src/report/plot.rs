//! Pictures as SVG, written by hand: bars and lines are two dozen shapes, while the plotting crates bring fonts, image
//! formats and forty dependencies, and draw what follows no reader's dark or light theme.

use std::fmt::Write as _;

const WIDTH: f64 = 760.0;
/// Height of a bar and of the gap below it.
const BAR: f64 = 22.0;
const GAP: f64 = 10.0;
/// Room for the names of bars, and for the figures behind them.
const NAMES: f64 = 210.0;
const FIGURES: f64 = 130.0;
/// Height of a picture of lines, and its margins.
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 64.0;
const BOTTOM: f64 = 34.0;

/// Colours that can be told apart by most eyes, on light and on dark.
const COLOURS: [&str; 4] = ["#3b82c4", "#d9822b", "#3f9d6b", "#b0569b"];

const STYLE: &str = "<style>text{font:12px sans-serif;fill:#333}.title{font-size:15px;font-weight:bold}\
.grid{stroke:#bbb;stroke-width:.5}.bar{fill:#8aa4bd}.ours{fill:#3b82c4}\
@media(prefers-color-scheme:dark){text{fill:#ddd}.grid{stroke:#555}.bar{fill:#5d7388}}</style>";

/// A bar of [`bars`].
#[derive(Clone, Debug)]
pub struct Bar {
    /// Before it.
    pub name: String,
    /// Its length.
    pub value: f64,
    /// Behind it.
    pub figure: String,
    /// True for what the picture is about.
    pub ours: bool,
}

/// Horizontal bars from 0.
#[must_use]
pub fn bars(title: &str, bars: &[Bar]) -> String {
    let most = bars.iter().map(|bar| bar.value).fold(f64::MIN_POSITIVE, f64::max);
    let height = TOP - 20.0 + bars.len() as f64 * (BAR + GAP);
    let mut svg = begin(height, title);
    for (index, bar) in bars.iter().enumerate() {
        let y = TOP - 24.0 + index as f64 * (BAR + GAP);
        let length = ((WIDTH - NAMES - FIGURES) * bar.value / most).max(1.0);
        let class = if bar.ours { "ours" } else { "bar" };
        let (name, figure, middle) = (escape(&bar.name), escape(&bar.figure), y + BAR * 0.7);
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{middle:.1}\" text-anchor=\"end\">{name}</text>\
             <rect class=\"{class}\" x=\"{NAMES}\" y=\"{y:.1}\" width=\"{length:.1}\" height=\"{BAR}\" rx=\"2\"/>\
             <text x=\"{:.1}\" y=\"{middle:.1}\">{figure}</text>",
            NAMES - 8.0,
            NAMES + length + 8.0
        );
    }
    svg.push_str("</svg>");
    svg
}

/// A line of [`lines`].
#[derive(Clone, Debug)]
pub struct Line {
    /// What it shows.
    pub name: String,
    /// One value per second, from 0 on.
    pub values: Vec<f64>,
}

/// Lines over seconds, on one scale; `marks` are seconds at which something changed, with its name.
#[must_use]
pub fn lines(title: &str, lines: &[Line], marks: &[(f64, String)]) -> String {
    let seconds = lines.iter().map(|line| line.values.len()).max().unwrap_or(1).max(2) as f64 - 1.0;
    let most = nice(lines.iter().flat_map(|line| &line.values).copied().fold(1.0, f64::max));
    let x = |second: f64| LEFT + (WIDTH - LEFT - RIGHT) * second / seconds;
    let y = |value: f64| TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - value / most);
    let mut svg = begin(HEIGHT, title);
    for step in 0..=4 {
        let value = most * f64::from(step) / 4.0;
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{1:.1}\" y2=\"{1:.1}\"/>\
             <text x=\"{2:.1}\" y=\"{3:.1}\" text-anchor=\"end\">{value:.0}</text>",
            WIDTH - RIGHT,
            y(value),
            LEFT - 6.0,
            y(value) + 4.0
        );
    }
    for step in 0..=6 {
        let second = (seconds * f64::from(step) / 6.0).round();
        let at = x(second);
        let _ =
            write!(svg, "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{second:.0} s</text>", HEIGHT - 12.0);
    }
    for (second, name) in marks {
        let at = x(second.min(seconds));
        let _ = write!(
            svg,
            "<line class=\"grid\" stroke-dasharray=\"4 3\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{:.1}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            HEIGHT - BOTTOM,
            at + 4.0,
            TOP + 12.0,
            escape(name)
        );
    }
    for (index, line) in lines.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let points: Vec<String> =
            line.values.iter().enumerate().map(|(at, value)| format!("{:.1},{:.1}", x(at as f64), y(*value))).collect();
        let from = LEFT + index as f64 * 170.0;
        let _ = write!(
            svg,
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{}\"/>\
             <rect fill=\"{colour}\" x=\"{from:.1}\" y=\"38\" width=\"12\" height=\"4\"/>\
             <text x=\"{:.1}\" y=\"44\">{}</text>",
            points.join(" "),
            from + 18.0,
            escape(&line.name)
        );
    }
    svg.push_str("</svg>");
    svg
}

fn begin(height: f64, title: &str) -> String {
    let title = escape(title);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" \
         aria-label=\"{title}\">{STYLE}<text class=\"title\" x=\"12\" y=\"22\">{title}</text>"
    )
}

/// The next of 1, 2, 5 times a power of ten.
fn nice(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    steps.into_iter().map(|step| step * power).find(|step| *step >= value).unwrap_or(value)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_fills_the_room_and_text_is_escaped() {
        let bar = |name: &str, value| Bar { name: name.to_owned(), value, figure: value.to_string(), ours: false };
        let svg = bars("a < b", &[bar("half", 5.0), bar("\"whole\"", 10.0)]);
        assert!(svg.contains("width=\"210.0\"") && svg.contains("width=\"420.0\""), "{svg}");
        assert!(svg.contains("a &lt; b") && svg.contains("&quot;whole&quot;") && svg.ends_with("</svg>"));
    }

    #[test]
    fn lines_stay_inside_their_scale() {
        let svg = lines("t", &[Line { name: "l".to_owned(), values: vec![0.0, 90.0] }], &[(1.0, "end".to_owned())]);
        assert!(svg.contains("points=\"64.0,266.0 740.0,84.2\""), "{svg}");
        assert_eq!([nice(90.0), nice(100.0), nice(101.0), nice(3.0)], [100.0, 100.0, 200.0, 5.0]);
    }
}

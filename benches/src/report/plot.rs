//! Pictures of what was measured, as SVG files.

use baton_query::svg::{Svg, round_up, through};

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

/// Words that end where they are put.
const END: &str = "text-anchor=\"end\"";

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
        let middle = y + BAR * 0.7;
        svg.text(END, (NAMES - 8.0, middle), &bar.name);
        svg.rect(&format!("class=\"{class}\" rx=\"2\""), (NAMES, y), (length, BAR), "");
        svg.text("", (NAMES + length + 8.0, middle), &bar.figure);
    }
    svg.done()
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
    let most = lines.iter().flat_map(|line| &line.values).copied().fold(1.0, f64::max);
    let most = round_up(most, &[1.0, 2.0, 5.0]);
    let x = |second: f64| LEFT + (WIDTH - LEFT - RIGHT) * second / seconds;
    let y = |value: f64| TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - value / most);
    let mut svg = begin(HEIGHT, title);
    for step in 0..=4 {
        let value = most * f64::from(step) / 4.0;
        svg.line("class=\"grid\"", (LEFT, y(value)), (WIDTH - RIGHT, y(value)), "");
        svg.text(END, (LEFT - 6.0, y(value) + 4.0), &format!("{value:.0}"));
    }
    for step in 0..=6 {
        let second = (seconds * f64::from(step) / 6.0).round();
        svg.text("text-anchor=\"middle\"", (x(second), HEIGHT - 12.0), &format!("{second:.0} s"));
    }
    for (second, name) in marks {
        let at = x(second.min(seconds));
        svg.line("class=\"grid\" stroke-dasharray=\"4 3\"", (at, TOP), (at, HEIGHT - BOTTOM), "");
        svg.text("", (at + 4.0, TOP + 12.0), name);
    }
    for (index, line) in lines.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let points = line.values.iter().enumerate().map(|(at, value)| Some((x(at as f64), y(*value))));
        let from = LEFT + index as f64 * 170.0;
        svg.path(&format!("fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\""), &through(points), "");
        svg.rect(&format!("fill=\"{colour}\""), (from, 38.0), (12.0, 4.0), "");
        svg.text("", (from + 18.0, 44.0), &line.name);
    }
    svg.done()
}

fn begin(height: f64, title: &str) -> Svg {
    let mut svg = Svg::new("xmlns=\"http://www.w3.org/2000/svg\"", (WIDTH, height.round()), title);
    svg.raw(STYLE);
    svg.text("class=\"title\"", (12.0, 22.0), title);
    svg
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
        assert!(svg.contains("d=\"M64.0 266.0h0L740.0 84.2\""), "{svg}");
    }
}

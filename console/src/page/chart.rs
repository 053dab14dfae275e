//! Lines over time, as numbers for a template: no script draws, so that nothing has to be allowed to.

use baton_query::svg::{round_up, through};

/// Size of a drawing, in its own units.
pub const WIDTH: f64 = 360.0;
/// See [`WIDTH`].
pub const HEIGHT: f64 = 120.0;
/// Room for the scale on the left: for the longest that [`time`] says, `16 min 40 s`, in letters as wide as they come.
pub const LEFT: f64 = 68.0;
/// Room below and above.
const BELOW: f64 = 18.0;
const ABOVE: f64 = 8.0;

/// One line: points without a value are gaps.
#[derive(Clone, Debug)]
pub struct Series {
    /// What it shows.
    pub name: &'static str,
    /// Its class.
    pub class: &'static str,
    /// Value by moment, in microseconds.
    pub points: Vec<(i64, Option<f64>)>,
}

/// A line as it is drawn.
#[derive(Clone, Debug)]
pub struct Curve {
    /// What it shows.
    pub name: &'static str,
    /// Its class.
    pub class: &'static str,
    /// The path.
    pub path: String,
    /// The newest value, for people.
    pub newest: String,
}

/// A drawing.
#[derive(Clone, Debug)]
pub struct Chart {
    /// What it shows.
    pub title: &'static str,
    /// Its lines.
    pub lines: Vec<Curve>,
    /// Horizontal lines with what they stand for.
    pub levels: Vec<(f64, String)>,
    /// Moments below, with what they say.
    pub moments: Vec<(f64, String)>,
    /// True if there is nothing to draw.
    pub empty: bool,
}

/// Draws lines on one scale that begins at zero. `unit` says a value.
#[must_use]
pub fn chart(title: &'static str, series: &[Series], unit: fn(f64) -> String) -> Chart {
    let points = || series.iter().flat_map(|one| &one.points);
    let first = points().map(|(at, _)| *at).min().unwrap_or_default();
    let last = points().map(|(at, _)| *at).max().unwrap_or_default();
    let most = points().filter_map(|(_, value)| *value).fold(0.0, f64::max);
    let top = round_up(most, &[1.0, 2.0, 5.0]);
    let length = (last.saturating_sub(first)).max(1) as f64;
    let x = |at: i64| LEFT + (WIDTH - LEFT - 4.0) * (at.saturating_sub(first)) as f64 / length;
    let y = |value: f64| HEIGHT - BELOW - (HEIGHT - BELOW - ABOVE) * (value / top);
    let line = |one: &Series| {
        let path = through(one.points.iter().map(|(at, value)| value.map(|value| (x(*at), y(value)))));
        let newest = one.points.last().and_then(|(_, value)| *value).map_or_else(|| "—".to_owned(), unit);
        Curve { name: one.name, class: one.class, path, newest }
    };
    let seconds = last.saturating_sub(first) / 1_000_000;
    Chart {
        title,
        lines: series.iter().map(line).collect(),
        levels: [0.0, 0.5, 1.0].map(|share| (y(share * top), unit(share * top))).to_vec(),
        moments: vec![
            (LEFT, format!("−{}", crate::page::datetime::span(seconds * 1_000_000))),
            (WIDTH - 4.0, "now".to_owned()),
        ],
        empty: points().filter(|(_, value)| value.is_some()).count() < 2,
    }
}

/// A rate or a number.
#[must_use]
pub fn plain(value: f64) -> String {
    if value >= 10_000.0 {
        format!("{:.0}k", value / 1_000.0)
    } else if value >= 10.0 || value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.1}")
    }
}

/// A length of time in microseconds.
#[must_use]
pub fn time(value: f64) -> String {
    crate::page::datetime::span(value as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_time_on_a_scale_has_room() {
        let tops = (0..13).flat_map(|power| [1.0, 2.0, 5.0].map(|step| step * 10_f64.powi(power)));
        for top in tops {
            for word in [time(top), time(top / 2.0)] {
                // No letter of the usual fonts at 10 units is wider than 6 on average with digits.
                assert!(word.chars().count() as f64 * 5.8 <= LEFT - 4.0, "{word}");
            }
        }
    }

    #[test]
    fn a_gap_lifts_the_pen() {
        let points = vec![(0, Some(1.0)), (1, Some(2.0)), (2, None), (3, Some(1.0))];
        let drawn = chart("x", &[Series { name: "a", class: "a", points }], plain);
        assert_eq!(drawn.lines[0].path.matches('M').count(), 2, "{:?}", drawn.lines);
        assert_eq!(drawn.lines[0].path.matches('L').count(), 1);
        assert!(chart("x", &[], plain).empty);
    }
}

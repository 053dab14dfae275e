//! Pictures as SVG: what those of the page, of storms and of benchmarks have in common. Lines, bars and words are two dozen
//! shapes, while the plotting crates bring fonts, image formats and forty dependencies, and draw what follows no reader's dark
//! or light theme.

use std::fmt::{Arguments, Write as _};

/// A picture under way. Attributes are written as they are given, words are escaped.
#[derive(Clone, Debug)]
pub struct Svg(String);

impl Svg {
    /// An empty one; `label` says what it shows to those who do not see it.
    #[must_use]
    pub fn new(attributes: &str, (width, height): (f64, f64), label: &str) -> Self {
        let label = escape(label);
        Self(format!("<svg {attributes} viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{label}\">"))
    }

    /// A straight line.
    pub fn line(&mut self, attributes: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64), title: &str) {
        let geometry = format_args!("x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"");
        self.shape("line", attributes, geometry, title);
    }

    /// A rectangle from its corner above on the left.
    pub fn rect(&mut self, attributes: &str, (x, y): (f64, f64), (width, height): (f64, f64), title: &str) {
        let geometry = format_args!("x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"");
        self.shape("rect", attributes, geometry, title);
    }

    /// A path, [`through`] points for example.
    pub fn path(&mut self, attributes: &str, path: &str, title: &str) {
        self.shape("path", attributes, format_args!("d=\"{path}\""), title);
    }

    /// Words.
    pub fn text(&mut self, attributes: &str, (x, y): (f64, f64), text: &str) {
        // Writing to a String cannot fail.
        let _ = write!(self.0, "<text {attributes} x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", escape(text));
    }

    /// Markup as it is.
    pub fn raw(&mut self, markup: &str) {
        self.0.push_str(markup);
    }

    /// The picture.
    #[must_use]
    pub fn done(mut self) -> String {
        self.0.push_str("</svg>");
        self.0
    }

    fn shape(&mut self, name: &str, attributes: &str, geometry: Arguments<'_>, title: &str) {
        let _ = match title {
            "" => write!(self.0, "<{name} {attributes} {geometry}/>"),
            title => write!(self.0, "<{name} {attributes} {geometry}><title>{}</title></{name}>", escape(title)),
        };
    }
}

/// A path through points; where there is none the pen is lifted. A point between two gaps is a dot, not nothing.
pub fn through(points: impl IntoIterator<Item = Option<(f64, f64)>>) -> String {
    let (mut path, mut is_down) = (String::new(), false);
    for point in points {
        if let Some((x, y)) = point {
            let _ = if is_down { write!(path, "L{x:.1} {y:.1}") } else { write!(path, "M{x:.1} {y:.1}h0") };
        }
        is_down = point.is_some();
    }
    path
}

/// The next of `steps` times a power of ten, so that a scale reads well and seldom jumps; 1 if there is nothing to show.
#[must_use]
pub fn round_up(most: f64, steps: &[f64]) -> f64 {
    if !most.is_finite() || most <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(most.log10().floor());
    steps.iter().map(|step| step * power).find(|top| *top >= most).unwrap_or(10.0 * power)
}

/// Text as markup.
#[must_use]
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_read_well() {
        let halves = [0.0, 0.3, 1.0, 7.0, 90.0, 120.0, f64::NAN].map(|most| round_up(most, &[1.0, 2.0, 5.0]));
        assert_eq!(halves, [1.0, 0.5, 1.0, 10.0, 100.0, 200.0, 1.0]);
        let quarters = [0.7, 3.0, 42.0, 999.0].map(|most| round_up(most, &[1.0, 2.0, 4.0, 5.0]));
        assert_eq!(quarters, [1.0, 4.0, 50.0, 1_000.0]);
    }

    #[test]
    fn a_gap_lifts_the_pen() {
        let points = [Some((0.0, 1.0)), Some((1.0, 2.0)), None, Some((3.0, 1.04))];
        assert_eq!(through(points), "M0.0 1.0h0L1.0 2.0M3.0 1.0h0");
    }

    #[test]
    fn words_cannot_become_markup() {
        let mut svg = Svg::new("class=\"c\"", (10.0, 5.0), "a \"b\"");
        svg.text("", (1.0, 2.0), "<b>&");
        svg.rect("", (0.0, 0.0), (1.0, 1.0), "<script>");
        let svg = svg.done();
        assert!(svg.contains("aria-label=\"a &quot;b&quot;\"") && svg.contains(">&lt;b&gt;&amp;</text>"), "{svg}");
        assert!(svg.ends_with("<title>&lt;script&gt;</title></rect></svg>"), "{svg}");
    }
}

//! Paths: templates like `/sagas/{saga}:act`, and whether a request's path is one.

/// A template, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    segments: Vec<Segment>,
    verb: Option<&'static str>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(&'static str),
    Variable(&'static str),
}

impl Template {
    /// Takes a template of the table apart.
    #[must_use]
    pub fn of(path: &'static str) -> Self {
        let (path, verb) = match path.rsplit_once(':') {
            Some((path, verb)) => (path, Some(verb)),
            None => (path, None),
        };
        let segments = path.split('/').skip(1).map(|text| {
            let variable = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
            variable.map_or(Segment::Literal(text), Segment::Variable)
        });
        Self { segments: segments.collect(), verb }
    }

    /// Its variables, in order.
    pub fn variables(&self) -> impl Iterator<Item = &'static str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Variable(name) => Some(*name),
            Segment::Literal(_) => None,
        })
    }

    /// The resource name that the path stands for, if it fits: everything up to the last variable; empty if there is none.
    #[must_use]
    pub fn name(&self, path: &Parts<'_>) -> Option<String> {
        if path.verb != self.verb || path.segments.len() != self.segments.len() {
            return None;
        }
        let fits = |(segment, text): (&Segment, &String)| match segment {
            Segment::Literal(literal) => text == literal,
            Segment::Variable(_) => !text.is_empty(),
        };
        if !self.segments.iter().zip(&path.segments).all(fits) {
            return None;
        }
        let last = self.segments.iter().rposition(|segment| matches!(segment, Segment::Variable(_)));
        Some(last.map_or_else(String::new, |last| path.segments[..=last].join("/")))
    }
}

/// A request's path below `/api/v1`, taken apart and decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts<'a> {
    segments: Vec<String>,
    verb: Option<&'a str>,
}

impl<'a> Parts<'a> {
    /// The parts, unless an escape in the path is none or does not decode to UTF-8. A colon that belongs to an id is
    /// written `%3A`: a plain one in the last segment begins the verb.
    #[must_use]
    pub fn of(path: &'a str) -> Option<Self> {
        let cut = path.rfind('/').unwrap_or(0);
        let (path, verb) = match path[cut..].rfind(':') {
            Some(colon) => (&path[..cut + colon], Some(&path[cut + colon + 1..])),
            None => (path, None),
        };
        let segments = path.split('/').skip(1).map(decoded).collect::<Option<Vec<_>>>()?;
        Some(Self { segments, verb })
    }
}

/// Percent-decoded.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            let digits =
                std::str::from_utf8(&digits).ok().filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()))?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::{Parts, Template};

    fn name(template: &'static str, path: &str) -> Option<String> {
        Template::of(template).name(&Parts::of(path)?)
    }

    #[test]
    fn a_path_fits_its_template_and_no_other() {
        for (template, path, expected) in [
            ("/sagas", "/sagas", Some("")),
            ("/sagas:count", "/sagas:count", Some("")),
            ("/sagas", "/sagas:count", None),
            ("/sagas/{saga}", "/sagas/7", Some("sagas/7")),
            ("/sagas/{saga}", "/sagas/7:act", None),
            ("/sagas/{saga}", "/sagas/", None),
            ("/sagas/{saga}", "/sagas/7/", None),
            ("/sagas/{saga}", "/sagas/a%20b%3Ac%2Fd", Some("sagas/a b:c/d")),
            ("/sagas/{saga}:act", "/sagas/7:act", Some("sagas/7")),
            ("/sagas/{saga}:act", "/sagas/7:ACT", None),
            ("/sagas/{saga}/events", "/sagas/7/events", Some("sagas/7")),
            ("/sagas/{saga}/events", "/sagas/7:x/events", Some("sagas/7:x")),
            ("/holds/{kind}/{held}:release", "/holds/participants/stock:release", Some("holds/participants/stock")),
            ("/d/{d}/versions/{v}", "/d/order/versions/-", Some("d/order/versions/-")),
        ] {
            assert_eq!(name(template, path).as_deref(), expected, "{template} {path}");
        }
    }

    #[test]
    fn a_broken_escape_is_no_path() {
        for path in ["/sagas/%", "/sagas/%4", "/sagas/%zz", "/sagas/%+1", "/sagas/%ff"] {
            assert_eq!(Parts::of(path), None, "{path}");
        }
        assert!(Parts::of("").is_some());
    }
}

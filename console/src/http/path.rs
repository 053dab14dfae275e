//! Paths: templates like `/{name=sagas/*}:act`, and whether a request's path is one.

use std::ops::Range;

/// A template, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    segments: Vec<Segment>,
    verb: Option<String>,
    /// The field that takes the resource name, and the segments that make it up.
    named: Option<(String, Range<usize>)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Variable(String),
}

impl Template {
    /// Takes a template as proto files have it apart. `variables` are the names of its variables; if there are none, each is
    /// called as the word before it, without its last letter.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str, variables: &[String]) -> Result<Self, String> {
        let Some(mut rest) = text.strip_prefix('/') else { return Err("a path begins with /".to_owned()) };
        let mut template = Self { segments: Vec::new(), verb: None, named: None };
        if let Some(colon) = rest.rfind(':').filter(|colon| !rest[*colon..].contains(['/', '}'])) {
            template.verb = Some(rest[colon + 1..].to_owned());
            rest = &rest[..colon];
        }
        if let Some((before, inner)) = rest.split_once('{') {
            let Some((inner, after)) = inner.split_once('}') else { return Err("a { is not closed".to_owned()) };
            let (field, name) = inner.split_once('=').unwrap_or((inner, "*"));
            template.take(
                before.strip_suffix('/').or(Some(before).filter(|it| it.is_empty())).ok_or("a { is no segment")?,
            )?;
            let from = template.segments.len();
            template.take(name)?;
            template.named = Some((field.to_owned(), from..template.segments.len()));
            rest = after.strip_prefix('/').or(Some(after).filter(|it| it.is_empty())).ok_or("a } is no segment")?;
        }
        template.take(rest)?;
        template.call(variables)?;
        Ok(template)
    }

    /// Takes segments that are literals or `*`.
    fn take(&mut self, text: &str) -> Result<(), String> {
        for segment in text.split('/').filter(|_| !text.is_empty()) {
            self.segments.push(match segment {
                "*" => {
                    let word = self.segments.last().and_then(Segment::literal).unwrap_or_default();
                    Segment::Variable(word[..word.len().saturating_sub(1)].to_owned())
                }
                word if !word.is_empty()
                    && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) =>
                {
                    Segment::Literal(word.to_owned())
                }
                other => return Err(format!("`{other}` is no segment: there are words and *")),
            });
        }
        Ok(())
    }

    /// Calls the variables by `names`, if there are any.
    fn call(&mut self, names: &[String]) -> Result<(), String> {
        let Self { segments, named, .. } = self;
        let inside = |index: &usize| named.as_ref().is_some_and(|(_, range)| range.contains(index));
        let mut variables: Vec<(usize, &mut String)> =
            segments.iter_mut().enumerate().filter_map(Segment::variable).collect();
        if !variables.iter().all(|(index, _)| inside(index)) {
            return Err("a * outside of {} leads nowhere".to_owned());
        }
        if !names.is_empty() && names.len() != variables.len() {
            return Err(format!("{} variables have {} names", variables.len(), names.len()));
        }
        variables.iter_mut().zip(names).for_each(|((_, variable), name)| name.clone_into(variable));
        match variables.iter().find(|(_, name)| name.is_empty()) {
            Some(_) => Err("a * has no name: no word stands before it".to_owned()),
            None => Ok(()),
        }
    }

    /// The field that the path names; empty if it names none.
    #[must_use]
    pub fn named(&self) -> &str {
        self.named.as_ref().map_or("", |(field, _)| field)
    }

    /// Its variables, in order.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter(|it| it.literal().is_none()).map(Segment::text)
    }

    /// As people read it: `/sagas/{saga}:act`.
    #[must_use]
    pub fn shown(&self) -> String {
        let segments = self.segments.iter().map(|segment| match segment {
            Segment::Literal(word) => format!("/{word}"),
            Segment::Variable(name) => format!("/{{{name}}}"),
        });
        let verb = self.verb.iter().map(|verb| format!(":{verb}"));
        segments.chain(verb).collect()
    }

    /// The resource name that the path stands for, if it fits; empty if it names nothing.
    #[must_use]
    pub fn name(&self, path: &Parts<'_>) -> Option<String> {
        if path.verb != self.verb.as_deref() || path.segments.len() != self.segments.len() {
            return None;
        }
        let fits = |(segment, text): (&Segment, &String)| match segment {
            Segment::Literal(literal) => text == literal,
            Segment::Variable(_) => !text.is_empty(),
        };
        let is_it = self.segments.iter().zip(&path.segments).all(fits);
        is_it.then(|| self.named.as_ref().map_or_else(String::new, |(_, range)| path.segments[range.clone()].join("/")))
    }
}

impl Segment {
    fn literal(&self) -> Option<&str> {
        match self {
            Self::Literal(word) => Some(word),
            Self::Variable(_) => None,
        }
    }

    fn variable((index, segment): (usize, &mut Self)) -> Option<(usize, &mut String)> {
        match segment {
            Self::Literal(_) => None,
            Self::Variable(name) => Some((index, name)),
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Literal(text) | Self::Variable(text) => text,
        }
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

    fn name(template: &str, path: &str) -> Option<String> {
        Template::parse(template, &[]).expect(template).name(&Parts::of(path)?)
    }

    #[test]
    fn a_path_fits_its_template_and_no_other() {
        for (template, path, expected) in [
            ("/sagas", "/sagas", Some("")),
            ("/sagas:count", "/sagas:count", Some("")),
            ("/sagas", "/sagas:count", None),
            ("/{name=sagas/*}", "/sagas/7", Some("sagas/7")),
            ("/{name=sagas/*}", "/sagas/7:act", None),
            ("/{name=sagas/*}", "/sagas/", None),
            ("/{name=sagas/*}", "/sagas/7/", None),
            ("/{name=sagas/*}", "/sagas/a%20b%3Ac%2Fd", Some("sagas/a b:c/d")),
            ("/{name=sagas/*}:act", "/sagas/7:act", Some("sagas/7")),
            ("/{name=sagas/*}:act", "/sagas/7:ACT", None),
            ("/{parent=sagas/*}/events", "/sagas/7/events", Some("sagas/7")),
            ("/{parent=sagas/*}/events", "/sagas/7:x/events", Some("sagas/7:x")),
            ("/{name=trips/*/legs/*}", "/trips/7/legs/-", Some("trips/7/legs/-")),
            ("/trips/{id}/legs", "/trips/7/legs", Some("7")),
        ] {
            assert_eq!(name(template, path).as_deref(), expected, "{template} {path}");
        }
    }

    #[test]
    fn variables_are_called_as_what_they_are() {
        let two = ["kind".to_owned(), "held".to_owned()];
        for (template, variables, shown) in [
            ("/{name=holds/*/*}:release", &two[..], "/holds/{kind}/{held}:release"),
            ("/{name=definitions/*/versions/*}", &[], "/definitions/{definition}/versions/{version}"),
            ("/{parent=sagas/*}/events", &[], "/sagas/{saga}/events"),
            ("/sagas:count", &[], "/sagas:count"),
        ] {
            assert_eq!(Template::parse(template, variables).expect(template).shown(), shown);
        }
        for (template, variables) in [
            ("sagas", &[][..]),
            ("/sagas/*", &[]),
            ("/{name=sagas/**}", &[]),
            ("/{name=sagas/*", &[]),
            ("/{name=sagas/*}events", &[]),
            ("/a{name=sagas/*}", &[]),
            ("/{a=sagas/*}/{b=legs/*}", &[]),
            ("/{name=*}", &[]),
            ("/{name=sagas/*}", &two[..]),
            ("/sagas//x", &[]),
        ] {
            assert!(Template::parse(template, variables).is_err(), "{template}");
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

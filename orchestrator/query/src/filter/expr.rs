//! A filter as a tree, and how it is written.

use super::facts::{StateKind, WaitKind};
use super::field::{Field, NumberField, TextField, TimeField};
use super::literal::{SignedDuration, is_bare};
use crate::datetime::rfc3339;
use saga_core::time::Micros;
use std::fmt;

/// A parsed filter. Displayed as a filter that parses to the same tree.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Expr {
    /// True of a saga of which all parts are true. With no parts, the empty filter: true of every saga. Never one part.
    All(Vec<Self>),
    /// True of a saga of which some part is true. At least two parts.
    Any(Vec<Self>),
    /// True of a saga of which the part is not true.
    Not(Box<Self>),
    /// One comparison.
    Term(Term),
}

/// One comparison. What a saga lacks equals nothing, begins with nothing, and is neither before nor after anything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Term {
    /// `state = …`; false for `!=`.
    State(bool, StateKind),
    /// `wait = …`; false for `!=`.
    Wait(bool, WaitKind),
    /// A text compared.
    Text(TextField, TextTest, String),
    /// A number compared.
    Number(NumberField, Compare, u32),
    /// `age` compared.
    Age(Inequality, SignedDuration),
    /// A moment compared.
    Time(TimeField, Inequality, When),
    /// `field:*`: the saga has one. Every saga has one of most fields; of those no filter can be written so.
    Present(Field),
}

/// How texts are compared: byte for byte. Of a field with several values, one of them must pass; of `IsNot`, none may equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TextTest {
    /// `=`.
    Is,
    /// `!=`, that is not `=`.
    IsNot,
    /// `:`.
    Begins,
}

/// How numbers are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Compare {
    /// `=`, or `:`.
    Equal,
    /// `!=`.
    NotEqual,
    /// One of the four inequalities.
    Inequality(Inequality),
}

/// The four inequalities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Inequality {
    /// `<`.
    Less,
    /// `<=`.
    AtMost,
    /// `>`.
    More,
    /// `>=`.
    AtLeast,
}

/// A moment in a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum When {
    /// A fixed one.
    At(Micros),
    /// So much after now, or before it if negative.
    FromNow(SignedDuration),
}

impl When {
    /// The moment, if it is `now`.
    #[must_use]
    pub fn resolve(self, now: Micros) -> Micros {
        match self {
            Self::At(at) => at,
            Self::FromNow(span) => span.after(now),
        }
    }
}

impl Inequality {
    /// How it is written, in filters and in SQL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
        }
    }

    /// What holds if this does not.
    #[must_use]
    pub fn negated(self) -> Self {
        match self {
            Self::Less => Self::AtLeast,
            Self::AtMost => Self::More,
            Self::More => Self::AtMost,
            Self::AtLeast => Self::Less,
        }
    }

    /// The same said of the two sides changed over: `a < b` is `b > a`.
    #[must_use]
    pub fn reversed(self) -> Self {
        match self {
            Self::Less => Self::More,
            Self::AtMost => Self::AtLeast,
            Self::More => Self::Less,
            Self::AtLeast => Self::AtMost,
        }
    }

    pub(super) fn holds<T: Ord>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::More => left > right,
            Self::AtLeast => left >= right,
        }
    }
}

impl Compare {
    /// How it is written in filters.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Inequality(inequality) => inequality.as_str(),
        }
    }

    pub(super) fn negated(self) -> Self {
        match self {
            Self::Equal => Self::NotEqual,
            Self::NotEqual => Self::Equal,
            Self::Inequality(inequality) => Self::Inequality(inequality.negated()),
        }
    }

    pub(super) fn holds<T: Ord>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Inequality(inequality) => inequality.holds(left, right),
        }
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(parts) => joined(f, parts, " AND "),
            Self::Any(parts) => joined(f, parts, " OR "),
            Self::Not(part) => {
                f.write_str("NOT ")?;
                grouped(f, part)
            }
            Self::Term(term) => write!(f, "{term}"),
        }
    }
}

fn joined(f: &mut fmt::Formatter<'_>, parts: &[Expr], between: &str) -> fmt::Result {
    for (position, part) in parts.iter().enumerate() {
        if position > 0 {
            f.write_str(between)?;
        }
        match part {
            Expr::Not(_) | Expr::Term(_) => write!(f, "{part}")?,
            Expr::All(_) | Expr::Any(_) => grouped(f, part)?,
        }
    }
    Ok(())
}

fn grouped(f: &mut fmt::Formatter<'_>, part: &Expr) -> fmt::Result {
    match part {
        Expr::Term(_) => write!(f, "{part}"),
        Expr::All(_) | Expr::Any(_) | Expr::Not(_) => write!(f, "({part})"),
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let equality = |is: &bool| if *is { "=" } else { "!=" };
        match self {
            Self::State(is, state) => write!(f, "state {} {}", equality(is), state.as_str()),
            Self::Wait(is, wait) => write!(f, "wait {} {}", equality(is), wait.as_str()),
            Self::Text(field, TextTest::Is, text) => write!(f, "{} = {}", field.name(), Quoted(text)),
            Self::Text(field, TextTest::IsNot, text) => write!(f, "{} != {}", field.name(), Quoted(text)),
            Self::Text(field, TextTest::Begins, text) => write!(f, "{}:{}", field.name(), Quoted(text)),
            Self::Number(field, compare, number) => write!(f, "{} {} {number}", field.name(), compare.as_str()),
            Self::Age(inequality, span) => write!(f, "age {} {span}", inequality.as_str()),
            Self::Time(field, inequality, when) => write!(f, "{} {} {when}", field.name(), inequality.as_str()),
            Self::Present(field) => write!(f, "{}:*", field.name()),
        }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(at) => f.write_str(&rfc3339(*at)),
            Self::FromNow(span) => write!(f, "{span}"),
        }
    }
}

/// A text as a value: bare if it can be, or else in quotation marks.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_bare(self.0) {
            return f.write_str(self.0);
        }
        f.write_str("\"")?;
        for c in self.0.chars() {
            if matches!(c, '"' | '\\') {
                f.write_str("\\")?;
            }
            write!(f, "{c}")?;
        }
        f.write_str("\"")
    }
}

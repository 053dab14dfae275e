//! One comparison given its type: which operators and values a field takes.

use super::error::{FilterError, Flaw, found};
use super::expr::{Compare, Inequality, Term, TextTest, When};
use super::facts::{StateKind, WaitKind};
use super::field::{Field, NumberField, TextField, TimeField};
use super::lexer::{Literal, Operator};
use super::literal::SignedDuration;
use crate::datetime::parse_rfc3339;
use strsim::levenshtein;

const INEQUALITIES: &str = "<, <=, > or >=";
const STATES: &str = "running, compensating, stuck, paused, completed or compensated";

/// One comparison as written.
pub(super) struct Comparison {
    pub(super) field: Field,
    pub(super) operator: Operator,
    pub(super) operator_at: usize,
    pub(super) value: Literal,
}

impl Comparison {
    pub(super) fn term(self) -> Result<Term, FilterError> {
        match self.field.clone() {
            Field::State => {
                let is = self.equality("=, != or :")?;
                self.choice(StateKind::ALL, StateKind::as_str, STATES).map(|state| Term::State(is, state))
            }
            Field::Wait => {
                let is = self.equality("=, != or :")?;
                self.choice(WaitKind::ALL, WaitKind::as_str, "reply, backoff or none").map(|wait| Term::Wait(is, wait))
            }
            Field::Age => {
                let inequality = self.inequality()?;
                let span = SignedDuration::parse(&self.value.text).filter(|span| *span >= SignedDuration::ZERO);
                span.map(|span| Term::Age(inequality, span))
                    .ok_or_else(|| self.refused("a duration like 5m, 90s, 2h or 7d", None))
            }
            Field::Text(field) => self.text(field),
            Field::Number(field) => self.number(field),
            Field::Time(field) => self.time(field),
        }
    }

    /// `field:*`.
    pub(super) fn present(self) -> Result<Term, FilterError> {
        match self.field {
            Field::Text(TextField::Definition)
            | Field::State
            | Field::Wait
            | Field::Age
            | Field::Number(_)
            | Field::Time(TimeField::CreatedAt | TimeField::UpdatedAt) => {
                Err(FilterError { at: self.operator_at, flaw: Flaw::AlwaysPresent { field: self.field } })
            }
            field @ (Field::Text(_) | Field::Time(TimeField::NextWake)) => Ok(Term::Present(field)),
        }
    }

    fn text(self, field: TextField) -> Result<Term, FilterError> {
        let test = match self.operator {
            Operator::Equal => TextTest::Is,
            Operator::NotEqual => TextTest::IsNot,
            Operator::Has => TextTest::Begins,
            Operator::Less | Operator::AtMost | Operator::More | Operator::AtLeast => {
                return Err(self.operator("=, != or :"));
            }
        };
        let starred = self.value.text.split_once('*').filter(|_| !self.value.quoted);
        if let Some((begins, _)) = starred {
            let flaw = Flaw::Wildcard { field: self.field.clone(), begins: found(begins) };
            return Err(FilterError { at: self.value.at, flaw });
        }
        match field {
            // Trace ids are hex digits in small letters, whatever is pasted.
            TextField::TraceId => {
                let digits = self.value.text.to_ascii_lowercase();
                let fits = match test {
                    TextTest::Is | TextTest::IsNot => digits.len() == 32,
                    TextTest::Begins => (1..=32).contains(&digits.len()),
                };
                if fits && digits.bytes().all(|b| b.is_ascii_hexdigit()) {
                    Ok(Term::Text(field, test, digits))
                } else {
                    Err(self.refused("32 hex digits, or the first of them after :", None))
                }
            }
            TextField::Step
            | TextField::Definition
            | TextField::Reason
            | TextField::BusinessKey
            | TextField::Skipped
            | TextField::Attribute(_) => Ok(Term::Text(field, test, self.value.text)),
        }
    }

    fn number(self, field: NumberField) -> Result<Term, FilterError> {
        let compare = match self.operator {
            Operator::Equal | Operator::Has => Compare::Equal,
            Operator::NotEqual => Compare::NotEqual,
            Operator::Less => Compare::Inequality(Inequality::Less),
            Operator::AtMost => Compare::Inequality(Inequality::AtMost),
            Operator::More => Compare::Inequality(Inequality::More),
            Operator::AtLeast => Compare::Inequality(Inequality::AtLeast),
        };
        let digits = self.value.text.bytes().all(|b| b.is_ascii_digit());
        match self.value.text.parse() {
            Ok(number) if digits => Ok(Term::Number(field, compare, number)),
            _ => Err(self.refused("a whole number from 0 to 4294967295", None)),
        }
    }

    fn time(self, field: TimeField) -> Result<Term, FilterError> {
        if field == TimeField::NextWake && self.value.text == "overdue" {
            return match self.operator {
                Operator::Equal | Operator::Has => {
                    Ok(Term::Time(field, Inequality::AtMost, When::FromNow(SignedDuration::ZERO)))
                }
                Operator::NotEqual | Operator::Less | Operator::AtMost | Operator::More | Operator::AtLeast => {
                    Err(self.operator("= or : where overdue follows"))
                }
            };
        }
        let inequality = self.inequality()?;
        let from_now = || SignedDuration::parse(&self.value.text).map(When::FromNow);
        let when = parse_rfc3339(&self.value.text).map(When::At).or_else(from_now);
        let expected = "a time like 2026-11-27T09:00:00Z, or a duration from now like 5m or -5m";
        when.map(|when| Term::Time(field, inequality, when)).ok_or_else(|| self.refused(expected, None))
    }

    fn inequality(&self) -> Result<Inequality, FilterError> {
        match self.operator {
            Operator::Less => Ok(Inequality::Less),
            Operator::AtMost => Ok(Inequality::AtMost),
            Operator::More => Ok(Inequality::More),
            Operator::AtLeast => Ok(Inequality::AtLeast),
            Operator::Equal | Operator::NotEqual | Operator::Has => Err(self.operator(INEQUALITIES)),
        }
    }

    /// True for equal, false for not equal.
    fn equality(&self, allowed: &'static str) -> Result<bool, FilterError> {
        match self.operator {
            Operator::Equal | Operator::Has => Ok(true),
            Operator::NotEqual => Ok(false),
            Operator::Less | Operator::AtMost | Operator::More | Operator::AtLeast => Err(self.operator(allowed)),
        }
    }

    /// One of a few words, in small or capital letters.
    fn choice<T: Copy, const N: usize>(
        &self,
        all: [T; N],
        name: impl Fn(T) -> &'static str,
        expected: &'static str,
    ) -> Result<T, FilterError> {
        let written = self.value.text.to_ascii_lowercase();
        if let Some(value) = all.into_iter().find(|value| name(*value) == written) {
            return Ok(value);
        }
        // What is longer than any of the words is near to none; this bounds the search.
        let near = all.map(&name).into_iter().filter(|_| written.len() <= 40);
        let near = near.map(|name| (levenshtein(&written, name), name)).min().filter(|(count, _)| *count <= 3);
        Err(self.refused(expected, near.map(|(_, name)| name)))
    }

    fn operator(&self, allowed: &'static str) -> FilterError {
        let flaw = Flaw::Operator { field: self.field.clone(), allowed, found: self.operator.as_str() };
        FilterError { at: self.operator_at, flaw }
    }

    fn refused(&self, expected: &'static str, nearest: Option<&'static str>) -> FilterError {
        let flaw = Flaw::Value { field: self.field.clone(), expected, found: found(&self.value.text), nearest };
        FilterError { at: self.value.at, flaw }
    }
}

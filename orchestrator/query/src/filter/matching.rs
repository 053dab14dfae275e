//! A filter held against what is known of one saga.

use super::expr::{Expr, Term, TextTest};
use super::facts::Facts;
use super::field::{Field, NumberField, TextField, TimeField};
use saga_core::time::Micros;

/// True if the filter selects the saga, `now` being the moment that durations are relative to.
#[must_use]
pub fn matches(expr: &Expr, facts: &Facts, now: Micros) -> bool {
    match expr {
        Expr::All(parts) => parts.iter().all(|part| matches(part, facts, now)),
        Expr::Any(parts) => parts.iter().any(|part| matches(part, facts, now)),
        Expr::Not(part) => !matches(part, facts, now),
        Expr::Term(term) => holds(term, facts, now),
    }
}

fn holds(term: &Term, facts: &Facts, now: Micros) -> bool {
    match term {
        Term::State(is, state) => (facts.state == *state) == *is,
        Term::Wait(is, wait) => (facts.wait == *wait) == *is,
        Term::Text(field, test, wanted) => {
            let values = values(field, facts);
            match test {
                TextTest::Is => values.contains(&wanted.as_str()),
                TextTest::IsNot => !values.contains(&wanted.as_str()),
                TextTest::Begins => values.iter().any(|value| value.starts_with(wanted.as_str())),
            }
        }
        Term::Number(NumberField::DefinitionVersion, compare, number) => {
            compare.holds(&facts.definition_version, number)
        }
        Term::Number(NumberField::Attempt, compare, number) => compare.holds(&facts.attempt, number),
        // So that no difference of two times can overflow: an age is as much as the start lies before now.
        Term::Age(inequality, span) => inequality.reversed().holds(&facts.created_at, &span.before(now)),
        Term::Time(field, inequality, when) => {
            let at = match field {
                TimeField::CreatedAt => Some(facts.created_at),
                TimeField::UpdatedAt => Some(facts.updated_at),
                TimeField::NextWake => facts.wake_at,
            };
            at.is_some_and(|at| inequality.holds(&at, &when.resolve(now)))
        }
        Term::Present(Field::Time(TimeField::NextWake)) => facts.wake_at.is_some(),
        Term::Present(Field::Text(field)) => match field {
            // Empty ones stand for none.
            TextField::BusinessKey | TextField::TraceId => values(field, facts).iter().any(|value| !value.is_empty()),
            TextField::Step
            | TextField::Definition
            | TextField::Reason
            | TextField::Skipped
            | TextField::Attribute(_) => !values(field, facts).is_empty(),
        },
        Term::Present(
            Field::State
            | Field::Wait
            | Field::Age
            | Field::Number(_)
            | Field::Time(TimeField::CreatedAt | TimeField::UpdatedAt),
        ) => true,
    }
}

fn values<'a>(field: &TextField, facts: &'a Facts) -> Vec<&'a str> {
    match field {
        TextField::Step => facts.step.iter().map(String::as_str).collect(),
        TextField::Definition => vec![&facts.definition],
        TextField::Reason => facts.reasons.iter().map(String::as_str).collect(),
        TextField::BusinessKey => vec![&facts.business_key],
        TextField::TraceId => vec![&facts.trace_id],
        TextField::Skipped => facts.skipped.iter().map(String::as_str).collect(),
        TextField::Attribute(name) => {
            let own = facts.attributes.iter().filter(|attribute| attribute.name == *name);
            own.map(|attribute| attribute.value.as_str()).collect()
        }
    }
}

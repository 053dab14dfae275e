//! A filter held against what is known of one saga.

use super::expr::{Expr, Term, TextTest};
use super::facts::Facts;
use super::field::{NumberField, PresentField, TextField, TimeField};
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
            let values = values(*field, facts);
            match test {
                TextTest::Is => values.iter().any(|value| value == wanted),
                TextTest::IsNot => values.iter().all(|value| value != wanted),
                TextTest::Begins => values.iter().any(|value| value.starts_with(wanted.as_str())),
            }
        }
        Term::Number(NumberField::DefinitionVersion, compare, number) => {
            compare.holds(&facts.definition_version, number)
        }
        Term::Number(NumberField::Attempt, compare, number) => compare.holds(&facts.attempt, number),
        // So that no difference of two times can overflow: an age is as much as the start lies before now.
        Term::Age(order, span) => order.reversed().holds(&facts.created_at, &span.before(now)),
        Term::Time(field, order, when) => {
            let at = match field {
                TimeField::CreatedAt => Some(facts.created_at),
                TimeField::UpdatedAt => Some(facts.updated_at),
                TimeField::NextWake => facts.wake_at,
            };
            at.is_some_and(|at| order.holds(&at, &when.resolve(now)))
        }
        Term::Present(PresentField::NextWake) => facts.wake_at.is_some(),
        Term::Present(PresentField::Text(field)) => match field {
            // Empty ones stand for none.
            TextField::Order | TextField::TraceId => values(*field, facts).iter().any(|value| !value.is_empty()),
            TextField::Step
            | TextField::Definition
            | TextField::Reason
            | TextField::Customer
            | TextField::Item
            | TextField::Payment => !values(*field, facts).is_empty(),
        },
    }
}

fn values(field: TextField, facts: &Facts) -> &[String] {
    match field {
        TextField::Step => facts.step.as_slice(),
        TextField::Definition => std::slice::from_ref(&facts.definition),
        TextField::Reason => &facts.reasons,
        TextField::Order => std::slice::from_ref(&facts.business_key),
        TextField::Customer => &facts.details.customers,
        TextField::Item => &facts.details.items,
        TextField::Payment => &facts.details.payments,
        TextField::TraceId => std::slice::from_ref(&facts.trace_id),
    }
}

//! Definitions that several tests share.

#![allow(dead_code)] // Each test takes what it needs.

use saga_core::definition::{Definition, Kind, Step, StepOptions};
use saga_core::saga::DefinitionId;
use std::time::Duration;

/// The shape of a typical order: something that happened before, steps with and without an undo, a pivot that is
/// undone if nobody knows, and one step after it.
#[must_use]
pub fn order_like() -> Definition {
    let options = StepOptions::new;
    Definition::builder("order", 1)
        .deadline(Duration::from_secs(30))
        .happened("payment.taken", "payment", "payment.cancel", options())
        .compensatable("order.open", "order", "order.open", "order.reject", options())
        .covered("payment.verify", "payment", "payment.verify", "payment.taken", options())
        .pivot_with_undo("stock.reserve", "stock", "stock.reserve", "stock.release", options())
        .retriable("order.confirm", "order", "order.confirm", options())
        .build()
        .unwrap()
}

/// Every valid definition of at most `length` steps, each without and with a deadline of its own.
#[must_use]
pub fn all_up_to(length: usize) -> Vec<Definition> {
    let mut lists: Vec<Vec<Step>> = vec![Vec::new()];
    let mut definitions = Vec::new();
    for _ in 0..length {
        lists =
            lists.iter().flat_map(|list| shapes(list.len()).map(|step| [list.as_slice(), &[step]].concat())).collect();
        for steps in &lists {
            for deadline in [None, Some(Duration::from_secs(12))] {
                let id = DefinitionId { name: "any".to_owned(), version: 1 };
                definitions.extend(Definition::from_steps(id, steps.clone(), deadline));
            }
        }
    }
    definitions
}

/// Every shape a step can have; most lists of them are no definition, which is for the checks to say.
fn shapes(position: usize) -> impl Iterator<Item = Step> {
    let one = Definition::builder("one", 1).pivot("p", "p", "p", StepOptions::new()).build().unwrap();
    let template = one.steps()[0].clone();
    let shape = move |kind, action: bool, undo: bool, covered: bool| Step {
        name: format!("s{position}"),
        kind,
        action: action.then(|| format!("s{position}.do")),
        undo: undo.then(|| format!("s{position}.undo")),
        covered_by: covered.then(|| "s0".to_owned()),
        ..template.clone()
    };
    [
        shape(Kind::Compensatable, false, true, false),
        shape(Kind::Compensatable, true, true, false),
        shape(Kind::Compensatable, true, false, true),
        shape(Kind::Pivot, true, false, false),
        shape(Kind::Pivot, true, true, false),
        shape(Kind::Retriable, true, false, false),
    ]
    .into_iter()
}

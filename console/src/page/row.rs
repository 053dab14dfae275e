//! One saga as a row of a list.

use crate::page::datetime::Moment;
use crate::page::label::{self, Label};
use crate::page::link;
use crate::page::text::{Text, cell};
use baton_proto::baton::saga::v1::{Saga, SkippedStep};

/// One saga in the list.
#[derive(Debug)]
pub struct Row {
    /// Its page.
    pub link: String,
    /// Its id.
    pub id: Text,
    /// Its business key.
    pub key: Text,
    /// Its definition and version.
    pub definition: Text,
    /// Its state.
    pub state: Label,
    /// What operators skipped of it, as `room.book, undo of trip.open`; empty if nothing.
    pub skipped: Text,
    /// Where it is.
    pub step: Text,
    /// "action" or "undo" or empty.
    pub direction: Text,
    /// Attempts; 0 for none.
    pub attempt: u32,
    /// Why.
    pub reason: Text,
    /// Why, for people.
    pub message: String,
    /// When it acts next.
    pub wake: Moment,
    /// When it was started.
    pub created: Moment,
    /// When it moved.
    pub updated: Moment,
}

impl Row {
    /// The id cut in its middle: its beginning tells when, its end tells which.
    #[must_use]
    pub fn short(&self) -> String {
        link::short(self.id.raw())
    }

    /// The saga as a row.
    #[must_use]
    pub fn new(saga: &Saga, now: i64) -> Self {
        Self {
            link: link::page(&saga.name),
            id: cell(link::id(&saga.name)),
            key: cell(&saga.business_key),
            definition: cell(format!("{} v{}", saga.definition, saga.definition_version)),
            state: label::state(saga.state),
            skipped: cell(skipped(saga)),
            step: cell(&saga.step),
            direction: cell(if saga.direction == "undo" { "undo" } else { "" }),
            attempt: saga.attempt,
            reason: cell(&saga.reason),
            message: saga.message.chars().take(500).collect(),
            wake: Moment::new(saga.wake_time.as_ref(), now),
            created: Moment::new(saga.create_time.as_ref(), now),
            updated: Moment::new(saga.update_time.as_ref(), now),
        }
    }
}

fn skipped(saga: &Saga) -> String {
    let half = |it: &SkippedStep| match it.direction.as_str() {
        "undo" => format!("undo of {}", it.step),
        _ => it.step.clone(),
    };
    saga.skipped.iter().map(half).collect::<Vec<_>>().join(", ")
}

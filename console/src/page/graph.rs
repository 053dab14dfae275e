//! A definition drawn: its steps from left to right, their undos below, and where a saga stands.

use crate::page::label;
use crate::page::text::cut;
use baton_proto::baton::saga::v1::{DefinitionStep, Saga, SagaState, StepKind};

/// Distance from one step to the next, in the drawing's own units.
pub const PITCH: f64 = 172.0;
/// Size of a box.
pub const BOX: (f64, f64) = (140.0, 46.0);
/// Where the undos are.
const UNDO_Y: f64 = 96.0;
const ACTION_Y: f64 = 14.0;

/// A box.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Where it is.
    pub x: f64,
    /// See `x`.
    pub y: f64,
    /// Its first line.
    pub name: String,
    /// Its second line.
    pub detail: String,
    /// What it says to the pointer.
    pub title: String,
    /// Its classes.
    pub class: String,
}

/// The drawing.
#[derive(Clone, Debug)]
pub struct Graph {
    /// Its width.
    pub width: f64,
    /// Its height.
    pub height: f64,
    /// Actions and undos.
    pub cells: Vec<Cell>,
    /// Lines, each from one point to another, with its class.
    pub lines: Vec<(f64, f64, f64, f64, &'static str)>,
    /// What it shows, for those who do not see it.
    pub summary: String,
}

/// Draws steps, and in them the position of a saga if there is one.
#[must_use]
pub fn graph(steps: &[DefinitionStep], saga: Option<&Saga>) -> Graph {
    let mut cells = Vec::new();
    let mut lines = Vec::new();
    let middle = |index: usize| 8.0 + PITCH * index as f64 + BOX.0 / 2.0;
    let mut before: Option<usize> = None;
    for (index, step) in steps.iter().enumerate() {
        let x = 8.0 + PITCH * index as f64;
        cells.push(action(step, x, saga));
        if index > 0 {
            lines.push((x - (PITCH - BOX.0), ACTION_Y + BOX.1 / 2.0, x - 2.0, ACTION_Y + BOX.1 / 2.0, "forth"));
        }
        if step.undo.is_empty() {
            continue;
        }
        cells.push(undo(step, x, saga));
        lines.push((middle(index), ACTION_Y + BOX.1, middle(index), UNDO_Y - 2.0, "down"));
        if let Some(before) = before {
            let end = 8.0 + PITCH * before as f64 + BOX.0;
            lines.push((x, UNDO_Y + BOX.1 / 2.0, end + 2.0, UNDO_Y + BOX.1 / 2.0, "back"));
        }
        before = Some(index);
    }
    let names: Vec<&str> = steps.iter().map(|step| step.step.as_str()).collect();
    let at = saga.filter(|saga| !saga.step.is_empty());
    let stands = at
        .map_or_else(String::new, |saga| format!("; the saga is at the {} of {}", saga.direction, cut(&saga.step, 64)));
    Graph {
        width: 16.0 + PITCH * steps.len().max(1) as f64 - (PITCH - BOX.0),
        height: UNDO_Y + BOX.1 + 10.0,
        cells,
        lines,
        summary: format!("steps: {}{stands}", cut(&names.join(", "), 600)),
    }
}

fn here(step: &DefinitionStep, direction: &str, saga: Option<&Saga>) -> &'static str {
    let Some(saga) = saga.filter(|saga| saga.step == step.step && saga.direction == direction) else { return "" };
    match saga.state() {
        SagaState::Stuck => " here stuck",
        SagaState::Paused => " here paused",
        _ => " here",
    }
}

fn action(step: &DefinitionStep, x: f64, saga: Option<&Saga>) -> Cell {
    let kind = label::kind(step.kind);
    let detail = if step.action.is_empty() { "before the saga".to_owned() } else { cut(&step.participant, 20) };
    let pivot = if step.kind() == StepKind::Pivot { " ◆" } else { "" };
    Cell {
        x,
        y: ACTION_Y,
        name: cut(&step.step, 17) + pivot,
        detail,
        title: format!(
            "{}: {kind}, {} by {}",
            cut(&step.step, 64),
            or(&step.action, "happened before the saga"),
            cut(&step.participant, 64)
        ),
        class: format!("{kind}{}", here(step, "action", saga)),
    }
}

fn undo(step: &DefinitionStep, x: f64, saga: Option<&Saga>) -> Cell {
    Cell {
        x,
        y: UNDO_Y,
        name: format!("↩ {}", cut(&step.undo, 16)),
        detail: cut(&step.participant, 20),
        title: format!("undo of {}: {}", cut(&step.step, 64), cut(&step.undo, 64)),
        class: format!("undo{}", here(step, "undo", saga)),
    }
}

fn or<'a>(text: &'a str, instead: &'a str) -> &'a str {
    if text.is_empty() { instead } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_saga_is_marked_at_its_step_and_direction() {
        let step = |name: &str, undo: &str| DefinitionStep {
            step: name.to_owned(),
            undo: undo.to_owned(),
            ..Default::default()
        };
        let steps = [step("a", "a.undo"), step("b", ""), step("c", "c.undo")];
        let saga = Saga {
            step: "a".to_owned(),
            direction: "undo".to_owned(),
            state: SagaState::Stuck.into(),
            ..Default::default()
        };
        let drawn = graph(&steps, Some(&saga));
        let marked: Vec<&str> =
            drawn.cells.iter().filter(|cell| cell.class.contains("here")).map(|cell| cell.name.as_str()).collect();
        assert_eq!(marked, ["↩ a.undo"]);
        assert_eq!(drawn.cells.len(), 5);
        assert_eq!(drawn.lines.iter().filter(|line| line.4 == "back").count(), 1, "from the undo of c to that of a");
        assert!(drawn.summary.ends_with("the undo of a"), "{}", drawn.summary);
        assert!(graph(&[], None).cells.is_empty());
    }
}

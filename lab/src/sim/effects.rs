//! What stand-ins did, row by row: every effect left one, in the order in which it happened at its participant.

use super::seen::Violation;
use super::stage::Stage;
use baton_orchestrator::store::Record;
use baton_sql::database::Database;
use futures_util::FutureExt as _;
use saga_core::definition::Definition;
use saga_core::saga::SagaId;
use std::collections::{BTreeMap, BTreeSet};

/// The rows of an effect, as [`super::cast::Stand`] writes them.
const ACTION: i64 = 1;
const UNDO: i64 = 2;

/// Effects of one saga at one participant, in order: step and direction.
type Effects = Vec<(i64, i64)>;

/// I6: no effect twice. I7: no undo takes effect without its action, but those of effects before the saga. I8: no action
/// takes effect after its undo, and none is left once its undo is in the ledger. I9: undos take effect downwards.
pub fn judge(stage: &Stage, records: &[Record], violations: &mut Vec<Violation>) {
    let registry = stage.registry();
    let definitions: BTreeMap<SagaId, &Definition> = records
        .iter()
        .filter_map(|record| Some((record.saga.id, registry.pinned(&record.saga.definition)?.definition())))
        .collect();
    for (name, database) in stage.recording() {
        let undone = undone(name, database, violations);
        for (saga, effects) in effects(name, database, violations) {
            let id = SagaId(saga);
            let mut add = |invariant, what: String| {
                violations.push(Violation { invariant, what: format!("saga {id} at {name}: {what}") });
            };
            let has_action = |step: i64| {
                let index = usize::try_from(step).unwrap_or(usize::MAX);
                definitions.get(&id).is_none_or(|known| known.steps().get(index).is_some_and(|it| it.action.is_some()))
            };
            let mut seen: Effects = Vec::new();
            let mut lowest = i64::MAX;
            for (step, direction) in effects {
                if seen.contains(&(step, direction)) {
                    add("I6", format!("step {step} took effect twice in direction {direction}"));
                }
                if direction == ACTION && seen.contains(&(step, UNDO)) {
                    add("I8", format!("the action of step {step} took effect after its undo"));
                }
                if direction == UNDO {
                    if has_action(step) && !seen.contains(&(step, ACTION)) {
                        add("I7", format!("step {step} was undone and never done"));
                    }
                    if step > lowest {
                        add("I9", format!("step {step} was undone after step {lowest}"));
                    }
                    lowest = lowest.min(step);
                }
                seen.push((step, direction));
            }
            for (step, _) in seen.iter().filter(|(_, direction)| *direction == ACTION) {
                if undone.contains(&(saga, *step)) && !seen.contains(&(*step, UNDO)) {
                    add("I8", format!("the undo of step {step} is in the ledger, its action took effect all the same"));
                }
            }
        }
    }
}

fn effects(name: &str, database: &Database, violations: &mut Vec<Violation>) -> BTreeMap<[u8; 16], Effects> {
    let sql = "SELECT saga_id, step, direction FROM effect ORDER BY id";
    let mut found: BTreeMap<[u8; 16], Effects> = BTreeMap::new();
    for row in rows(name, database, sql, violations) {
        match (row.array(0), row.int(1), row.int(2)) {
            (Ok(saga), Ok(step), Ok(direction)) => found.entry(saga).or_default().push((step, direction)),
            _ => violations.push(Violation { invariant: "I6", what: format!("{name}: an effect is unreadable") }),
        }
    }
    found
}

/// Sagas and steps whose undo the ledger calls done.
fn undone(name: &str, database: &Database, violations: &mut Vec<Violation>) -> BTreeSet<([u8; 16], i64)> {
    let sql = "SELECT saga_id, step FROM ledger WHERE direction = 2 AND outcome = 1";
    let rows = rows(name, database, sql, violations);
    rows.iter().filter_map(|row| Some((row.array(0).ok()?, row.int(1).ok()?))).collect()
}

fn rows(name: &str, database: &Database, sql: &str, violations: &mut Vec<Violation>) -> Vec<baton_sql::value::Row> {
    match database.query(sql, Vec::new()).now_or_never() {
        Some(Ok(rows)) => rows,
        other => {
            violations
                .push(Violation { invariant: "SIM", what: format!("{name}: {:?}", other.map(|it| it.map(drop))) });
            Vec::new()
        }
    }
}

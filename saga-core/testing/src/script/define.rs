//! `define`: a definition as lines of a script, built like one that is loaded as data.

use super::text::parse_duration;
use super::words::Words;
use saga_core::definition::{DEFAULT_TIMEOUT, Definition, DefinitionError, Kind, Step};
use saga_core::retry::RetryPolicy;
use saga_core::saga::DefinitionId;
use std::time::Duration;

/// Reads `NAME/VERSION`.
pub(super) fn id(text: &str) -> Result<DefinitionId, String> {
    let (name, version) = text.split_once('/').ok_or_else(|| format!("{text:?} is not NAME/VERSION"))?;
    let version = version.parse().map_err(|_| format!("{version:?} is no version"))?;
    Ok(DefinitionId { name: name.to_owned(), version })
}

/// Reads a definition: the words after `define`, and one line per step. The inner result is the checks' verdict, which
/// is the command's output; the outer one says that the script itself cannot be read.
pub(super) fn definition(mut head: Words, lines: Vec<Words>) -> Result<Result<Definition, DefinitionError>, String> {
    let id = id(&head.next("NAME/VERSION")?)?;
    let deadline = head.option("deadline").map(|text| parse_duration(&text)).transpose()?;
    head.end()?;
    let steps = lines.into_iter().map(step).collect::<Result<Vec<Step>, String>>()?;
    Ok(Definition::from_steps(id, steps, deadline))
}

fn step(mut words: Words) -> Result<Step, String> {
    let shape = words.next("the kind of a step")?;
    let (kind, retry, has_action) = match shape.as_str() {
        "happened" => (Kind::Compensatable, RetryPolicy::BEFORE_PIVOT, false),
        "compensatable" | "covered" => (Kind::Compensatable, RetryPolicy::BEFORE_PIVOT, true),
        "pivot" => (Kind::Pivot, RetryPolicy::BEFORE_PIVOT, true),
        "retriable" => (Kind::Retriable, RetryPolicy::RETRIABLE, true),
        other => return Err(format!("{other:?} is no kind of step")),
    };
    let name = words.next("a step's name")?;
    let participant = words.next("a participant")?;
    let action = words.option("action").unwrap_or_else(|| name.clone());
    let step = Step {
        kind,
        participant,
        action: has_action.then_some(action),
        undo: words.option("undo"),
        covered_by: words.option("by"),
        timeout: timeout(&mut words, "timeout")?,
        retry: attempts(&mut words, "attempts", retry)?,
        undo_timeout: timeout(&mut words, "undo-timeout")?,
        undo_retry: attempts(&mut words, "undo-attempts", RetryPolicy::UNDO)?,
        name,
    };
    words.end()?;
    Ok(step)
}

fn timeout(words: &mut Words, key: &str) -> Result<Duration, String> {
    words.option(key).map_or(Ok(DEFAULT_TIMEOUT), |text| parse_duration(&text))
}

fn attempts(words: &mut Words, key: &str, policy: RetryPolicy) -> Result<RetryPolicy, String> {
    let Some(text) = words.option(key) else { return Ok(policy) };
    let attempts = text.parse().map_err(|_| format!("{text:?} is no number of attempts"))?;
    policy.with_attempts(attempts).map_err(|error| error.to_string())
}

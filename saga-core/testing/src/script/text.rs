//! How scripts write durations, events and states.

use saga_core::definition::Definition;
use saga_core::event::{Event, OperatorAction, Outcome, Reply, Verb};
use saga_core::saga::{Direction, Resume, Saga, State, StepIndex, Wait};
use saga_core::time::Micros;
use saga_core::transition::Command;
use std::time::Duration;

/// `1.5s`, `200ms`, `150.205ms`: the shortest exact form in seconds or milliseconds.
pub(crate) fn duration(duration: Duration) -> String {
    let us = duration.as_micros();
    let (unit, name, digits) = if us >= 1_000_000 { (1_000_000, "s", 6) } else { (1_000, "ms", 3) };
    let fraction = format!("{:0digits$}", us % unit);
    match fraction.trim_end_matches('0') {
        "" => format!("{}{name}", us / unit),
        fraction => format!("{}.{fraction}{name}", us / unit),
    }
}

/// Reads what [`duration`] writes, and `us`, `m` and `h` as well.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration: 200ms, 1.5s, 10m");
    let at = text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(at);
    let unit_us: u64 = match unit {
        "us" => 1,
        "ms" => 1_000,
        "s" => 1_000_000,
        "m" => 60_000_000,
        "h" => 3_600_000_000,
        _ => return Err(wrong()),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let mut us = whole.parse::<u64>().ok().and_then(|n| n.checked_mul(unit_us)).ok_or_else(wrong)?;
    let mut place_us = unit_us;
    for digit in fraction.chars() {
        place_us /= 10;
        us += u64::from(digit.to_digit(10).ok_or_else(wrong)?) * place_us;
    }
    Ok(Duration::from_micros(us))
}

/// A moment as the time since the saga's start: `+5s`.
pub(crate) fn moment(saga: &Saga, at: Micros) -> String {
    format!("+{}", duration(at.since(saga.created_at)))
}

/// The script line that makes `event` happen `after` the event before it.
pub(crate) fn event(definition: &Definition, event: &Event, after: Duration) -> String {
    let line = match event {
        Event::Reply(Reply { step, direction, attempt, outcome }) => {
            let outcome = match outcome {
                Outcome::Succeeded { .. } => "succeeded".to_owned(),
                Outcome::Rejected { reason, .. } => format!("rejected {reason}"),
                Outcome::Unavailable { reason, .. } => format!("unavailable {reason}"),
            };
            format!("reply {} {} {outcome} attempt={attempt}", name(definition, *step), direction.as_str())
        }
        Event::Wake => "wake".to_owned(),
        Event::Action(OperatorAction { verb, actor, reason }) => format!("{} {actor} {reason:?}", verb.as_str()),
    };
    if after.is_zero() { line } else { format!("{line} +{}", duration(after)) }
}

/// All verbs, in the order of the documentation.
pub(crate) const VERBS: [Verb; 7] =
    [Verb::Cancel, Verb::Retry, Verb::Skip, Verb::ResolveDone, Verb::ResolveUndone, Verb::Pause, Verb::Resume];

/// Where a saga stands, in one line.
pub(crate) fn state(definition: &Definition, saga: &Saga) -> String {
    let name = |step: StepIndex| name(definition, step);
    match &saga.state {
        State::Running { step, wait } => format!("running {}, {}", name(*step), waits(saga, *wait)),
        State::Compensating { step, wait, cause } => {
            format!("compensating {}, {} ({})", name(*step), waits(saga, *wait), cause.reason)
        }
        State::Stuck { step, direction, attempt, why, unwinding: _ } => {
            format!("stuck at {} {}, attempt {attempt} ({})", name(*step), direction.as_str(), why.reason)
        }
        State::Paused { resume: Resume::Run { step, attempt } } => {
            format!("paused before {} action, {attempt} attempts so far", name(*step))
        }
        State::Paused { resume: Resume::Unwind { step, attempt, cause } } => {
            format!("paused before {} undo, {attempt} attempts so far ({})", name(*step), cause.reason)
        }
        State::Completed => "completed".to_owned(),
        State::Compensated { cause } => {
            format!("compensated ({} at {}: {})", cause.reason, name(cause.step), cause.message)
        }
    }
}

fn waits(saga: &Saga, wait: Wait) -> String {
    match wait {
        Wait::Reply { attempt, last, until } => {
            format!("waits for the reply to attempt {attempt} of {last} until {}", moment(saga, until))
        }
        Wait::Backoff { attempt, last, until } => {
            format!("backs off after attempt {attempt} of {last} until {}", moment(saga, until))
        }
    }
}

/// A command that is sent, in one line.
pub(crate) fn command(definition: &Definition, saga: &Saga, command: &Command) -> String {
    let deadline = command.deadline.map(|at| format!(" deadline {}", moment(saga, at))).unwrap_or_default();
    let half = match definition.step(command.id.step) {
        None => None,
        Some(step) => match command.id.direction {
            Direction::Action => step.action.as_deref().map(|action| (&step.participant, action)),
            Direction::Undo => step.undo.as_deref().map(|undo| (&step.participant, undo)),
        },
    };
    match half {
        Some((participant, half)) => format!("send {participant} {half} attempt {}{deadline}", command.attempt),
        None => format!("send a half-step that does not exist: {:?}", command.id),
    }
}

pub(crate) fn name(definition: &Definition, step: StepIndex) -> String {
    definition.step(step).map_or_else(|| format!("#{step}"), |step| step.name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_back() {
        for (us, text) in [(0, "0ms"), (1, "0.001ms"), (150_205, "150.205ms"), (5_000_000, "5s"), (61_500_000, "61.5s")]
        {
            assert_eq!(duration(Duration::from_micros(us)), text);
            assert_eq!(parse_duration(text), Ok(Duration::from_micros(us)));
        }
        assert_eq!(parse_duration("10m"), Ok(Duration::from_secs(600)));
        for wrong in ["", "5", "s", "5 s", "1.x5s", "-1s", "99999999999999999999s"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }
}

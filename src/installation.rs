//! `baton overview` and `baton definitions`, over gRPC.

use crate::cli::Definitions;
use crate::client::Client;
use crate::failure::Failure;
use crate::message::from_json;
use crate::records::{saga_state, time};
use crate::show::{Printer, table};
use baton_proto::baton::saga::v1 as wire;
use baton_query::datetime::spoken;
use baton_query::escape::named;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

/// Longest file that is read: a definition of 64 steps is a few ten KiB.
const MAX_FILE: u64 = 1024 * 1024;

/// What a list shows of a definition.
const DEFINITION: [&str; 5] = ["name", "steps", "known", "newest", "unfinished"];
/// What a list shows of sagas that would go on under a new version, or not.
const FIT: [&str; 7] = ["version", "state", "step", "direction", "count", "continues", "sentence"];

/// `baton overview`.
///
/// # Errors
/// What the server refused.
pub async fn overview(client: &Client, printer: Printer) -> Result<(), Failure> {
    let answer = client.admin().get_overview(client.request(wire::GetOverviewRequest {})).await?.into_inner();
    printer.answer(&answer, || as_text(&answer))?;
    for trouble in &answer.troubles {
        printer.say(trouble);
    }
    Ok(())
}

/// Carries out one `baton definitions` command.
///
/// # Errors
/// What the server refused; if a new version is not safe to deploy.
pub async fn definitions(command: Definitions, client: &Client, printer: Printer) -> Result<(), Failure> {
    match command {
        Definitions::List => {
            let request = client.request(wire::ListDefinitionsRequest {});
            let answer = client.admin().list_definitions(request).await?.into_inner();
            printer.table(&answer, &DEFINITION, answer.definitions.iter().map(row).collect())
        }
        Definitions::Get { definition } => {
            let request = wire::GetDefinitionRequest { name: name(&definition) };
            let answer = client.admin().get_definition(client.request(request)).await?.into_inner();
            printer.answer(&answer, || answer.definition.as_ref().map(described).unwrap_or_default())
        }
        Definitions::Check { file } => check(&file, client, printer).await,
    }
}

/// `order`, `order/2` or the whole name, as a whole name.
fn name(text: &str) -> String {
    if text.starts_with("definitions/") {
        return text.to_owned();
    }
    let (name, version) = text.split_once('/').unwrap_or((text, "-"));
    format!("definitions/{name}/versions/{version}")
}

async fn check(file: &Path, client: &Client, printer: Printer) -> Result<(), Failure> {
    let wrong = |error: &dyn std::fmt::Display| Failure::Usage(format!("{}: {error}", file.display()));
    let mut text = String::new();
    let source: Box<dyn std::io::Read> = if file == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(file).map_err(|error| wrong(&error))?)
    };
    source.take(MAX_FILE).read_to_string(&mut text).map_err(|error| wrong(&error))?;
    // As `get` prints it, or the definition alone.
    let request = from_json(&text).or_else(|why| match from_json::<wire::Definition>(&text) {
        Ok(definition) => Ok(wire::CheckDefinitionRequest { definition: Some(definition) }),
        Err(_) => Err(wrong(&why)),
    })?;
    let answer = client.admin().check_definition(client.request(request)).await?.into_inner();
    printer.list(&answer, "fits", &FIT)?;
    if !printer.json() {
        printer.text(&answer.changes.iter().map(|change| format!("- {change}\n")).collect::<String>());
        printer.text(&answer.sentence);
    }
    if answer.safe { Ok(()) } else { Err(Failure::Verdict("the definition is not safe to deploy")) }
}

/// The cells of [`DEFINITION`].
fn row(definition: &wire::Definition) -> Vec<String> {
    let more = if definition.unfinished_exact { "" } else { ">= " };
    let answer = |yes: bool| yes.to_string();
    vec![
        named(&definition.name).into_owned(),
        definition.steps.len().to_string(),
        answer(definition.known),
        answer(definition.newest),
        format!("{more}{}", definition.unfinished),
    ]
}

/// One definition: what it is, and its steps below.
fn described(definition: &wire::Definition) -> String {
    let mut table = table();
    table.add_rows(
        DEFINITION.iter().map(|name| (*name).to_owned()).zip(row(definition)).map(|(name, cell)| [name, cell]),
    );
    table.add_row(["digest", &definition.digest]);
    format!("{}\n{}", table.trim_fmt(), steps(definition))
}

fn steps(definition: &wire::Definition) -> String {
    let mut table = table();
    table.set_header(["step", "participant", "kind", "action", "undo", "timeout", "attempts"]);
    for step in &definition.steps {
        let kind = step.kind().as_str_name().trim_start_matches("STEP_KIND_").to_lowercase();
        let undo = match step.covered_by.as_str() {
            "" => step.undo.clone(),
            by => format!("covered by {by}"),
        };
        let attempts = step.retry.as_ref().map_or_else(String::new, |retry| retry.attempts.to_string());
        let timeout = span(step.timeout.as_ref());
        table.add_row([
            step.step.clone(),
            step.participant.clone(),
            kind,
            step.action.clone(),
            undo,
            timeout,
            attempts,
        ]);
    }
    table.trim_fmt()
}

fn span(span: Option<&prost_types::Duration>) -> String {
    let read = |span: &prost_types::Duration| {
        Some(Duration::new(u64::try_from(span.seconds).ok()?, u32::try_from(span.nanos).ok()?))
    };
    span.and_then(read).map(spoken).unwrap_or_default()
}

/// What comes first: what needs somebody, or that nothing does.
fn verdict(answer: &wire::GetOverviewResponse) -> Vec<String> {
    if answer.concerns.is_empty() {
        let clear = if answer.troubles.is_empty() { "All clear." } else { "Not everything could be found out." };
        return vec![clear.to_owned()];
    }
    let line = |concern: &wire::OverviewConcern| {
        let said = if concern.message.is_empty() { String::new() } else { format!(": {}", concern.message) };
        named(&format!("- {}{said}", concern.sentence)).into_owned()
    };
    std::iter::once("Needs you:".to_owned()).chain(answer.concerns.iter().map(line)).collect()
}

fn as_text(answer: &wire::GetOverviewResponse) -> String {
    let count = |count: &wire::StateCount| {
        let more = if count.exact { "" } else { ">= " };
        format!("{} {more}{}", saga_state(count.state), count.count)
    };
    let mut lines = verdict(answer);
    lines.push(String::new());
    lines.push(answer.states.iter().map(count).collect::<Vec<_>>().join(", "));
    if answer.skipped > 0 {
        let more = if answer.skipped_exact { "" } else { ">= " };
        lines.push(format!("{more}{} without a step that an operator skipped", answer.skipped));
    }
    if let Some(sample) = answer.samples.last() {
        let took = match (span(sample.latency_p50.as_ref()), span(sample.latency_p99.as_ref())) {
            (median, longest) if !median.is_empty() => format!(", median {median}, 99th percentile {longest}"),
            _ => String::new(),
        };
        let (started, ended, stuck) = (sample.started_rate, sample.ended_rate, sample.stuck_rate);
        lines.push(format!("{started:.1} started, {ended:.1} ended and {stuck:.1} got stuck a second{took}"));
    }
    let mut told = |what: &str, saga: Option<&wire::Saga>, since: Option<&prost_types::Timestamp>| {
        if let Some(saga) = saga {
            lines.push(format!("{what}: {}, {}, {}", saga.name, saga.step, time(since)));
        }
    };
    told(
        "under way for longest",
        answer.oldest.as_ref(),
        answer.oldest.as_ref().and_then(|it| it.create_time.as_ref()),
    );
    let stuck = answer.oldest_incident.as_ref();
    told("stuck for longest", stuck, stuck.and_then(|it| it.update_time.as_ref()));
    lines.push(format!("{} dead letters wait", answer.dead_letters));
    let mut queues = table();
    queues.set_header(["queue", "messages"]);
    for queue in &answer.queues {
        queues.add_row([queue.queue.clone(), queue.messages.to_string()]);
    }
    let mut components = table();
    components.set_header(["component", "kind", "healthy", "seen", "trouble"]);
    for one in &answer.components {
        let seen = time(one.seen_time.as_ref());
        let healthy = if one.healthy { "yes" } else { "NO" };
        components.add_row([one.component.clone(), one.kind.clone(), healthy.to_owned(), seen, one.trouble.clone()]);
    }
    lines.extend([String::new(), queues.trim_fmt(), String::new(), components.trim_fmt()]);
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_comes_first() {
        let concern = wire::OverviewConcern {
            sentence: "6 stuck at room.book".to_owned(),
            message: "no room\u{1b}".to_owned(),
            ..wire::OverviewConcern::default()
        };
        let bad = wire::GetOverviewResponse { concerns: vec![concern], ..wire::GetOverviewResponse::default() };
        assert!(
            as_text(&bad).starts_with("Needs you:\n- 6 stuck at room.book: no room[U+001B]\n"),
            "{}",
            as_text(&bad)
        );
        assert!(as_text(&wire::GetOverviewResponse::default()).starts_with("All clear.\n"));
        let blind = wire::GetOverviewResponse { troubles: vec![String::new()], ..wire::GetOverviewResponse::default() };
        assert!(as_text(&blind).starts_with("Not everything"));
    }

    #[test]
    fn names_may_be_short() {
        assert_eq!(name("order"), "definitions/order/versions/-");
        assert_eq!(name("order/2"), "definitions/order/versions/2");
        assert_eq!(name("definitions/order/versions/2"), "definitions/order/versions/2");
    }
}

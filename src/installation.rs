//! `baton overview` and `baton definitions`, over gRPC.

use crate::cli::Definitions;
use crate::client::Client;
use crate::failure::Failure;
use crate::records::{saga_state, time};
use crate::show::{Printer, Record, table};
use baton_proto::baton::saga::v1 as wire;
use baton_query::moment::spoken;
use baton_rpc::descriptors::Descriptors;
use prost::Message;
use prost_reflect::{DynamicMessage, ReflectMessage as _};
use serde_json::{Value, json};
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

/// Longest file that is read: a definition of 64 steps is a few ten KiB.
const MAX_FILE: u64 = 1024 * 1024;

/// `baton overview`.
///
/// # Errors
/// What the server refused.
pub async fn overview(client: &Client, printer: Printer) -> Result<(), Failure> {
    let answer = client.admin().get_overview(client.request(wire::GetOverviewRequest {})).await?.into_inner();
    if printer.json() {
        printer.value(&as_json("baton.saga.v1.GetOverviewResponse", &answer)?);
        return Ok(());
    }
    printer.text(&as_text(&answer));
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
            printer.list(&client.admin().list_definitions(request).await?.into_inner().definitions);
            Ok(())
        }
        Definitions::Get { definition } => {
            let request = wire::GetDefinitionRequest { name: name(&definition) };
            let answer = client.admin().get_definition(client.request(request)).await?.into_inner();
            let definition = answer.definition.unwrap_or_default();
            if printer.json() {
                printer.value(&as_json("baton.saga.v1.Definition", &definition)?);
            } else {
                printer.one(&definition);
                printer.text(&steps(&definition));
            }
            Ok(())
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
    let definition =
        wire::Definition::decode(from_json("baton.saga.v1.Definition", &text).map_err(|why| wrong(&why))?.as_slice());
    let request = wire::CheckDefinitionRequest { definition: Some(definition.map_err(|error| wrong(&error))?) };
    let answer = client.admin().check_definition(client.request(request)).await?.into_inner();
    if printer.json() {
        printer.value(&as_json("baton.saga.v1.CheckDefinitionResponse", &answer)?);
    } else {
        printer.list(&answer.fits);
        printer.text(&answer.changes.iter().map(|change| format!("- {change}\n")).collect::<String>());
        printer.text(&answer.sentence);
    }
    if answer.safe { Ok(()) } else { Err(Failure::Verdict("the definition is not safe to deploy")) }
}

impl Record for wire::Definition {
    const COLUMNS: &'static [&'static str] = &["name", "steps", "known", "newest", "unfinished"];
    fn fields(&self) -> Vec<(&'static str, Value)> {
        let more = if self.unfinished_exact { "" } else { ">= " };
        vec![
            ("name", json!(self.name)),
            ("steps", json!(self.steps.len())),
            ("known", json!(self.known)),
            ("newest", json!(self.newest)),
            ("unfinished", json!(format!("{more}{}", self.unfinished))),
            ("digest", json!(self.digest)),
        ]
    }
}

impl Record for wire::DefinitionFit {
    const COLUMNS: &'static [&'static str] =
        &["version", "state", "step", "direction", "count", "continues", "sentence"];
    fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("version", json!(self.version)),
            ("state", json!(saga_state(self.state))),
            ("step", json!(self.step)),
            ("direction", json!(self.direction)),
            ("count", json!(self.count)),
            ("continues", json!(self.continues)),
            ("rule", json!(self.rule)),
            ("sentence", json!(self.sentence)),
            ("example", json!(self.example)),
        ]
    }
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

fn as_text(answer: &wire::GetOverviewResponse) -> String {
    let count = |count: &wire::StateCount| {
        let more = if count.exact { "" } else { ">= " };
        format!("{} {more}{}", saga_state(count.state), count.count)
    };
    let mut lines = vec![answer.states.iter().map(count).collect::<Vec<_>>().join(", ")];
    if let Some(sample) = answer.samples.last() {
        let took = match (span(sample.latency_p50.as_ref()), span(sample.latency_p99.as_ref())) {
            (median, longest) if !median.is_empty() => format!(", median {median}, 99th percentile {longest}"),
            _ => String::new(),
        };
        lines.push(format!("{:.1} started and {:.1} ended a second{took}", sample.started_rate, sample.ended_rate));
    }
    let mut told = |what: &str, saga: Option<&wire::Saga>, since: Option<&prost_types::Timestamp>| {
        if let Some(saga) = saga {
            let at = time(since).as_str().unwrap_or_default().to_owned();
            lines.push(format!("{what}: {}, {}, {at}", saga.name, saga.step));
        }
    };
    told(
        "under way for longest",
        answer.oldest.as_ref(),
        answer.oldest.as_ref().and_then(|it| it.create_time.as_ref()),
    );
    let stuck = answer.oldest_incident.as_ref();
    told("stuck for longest", stuck, stuck.and_then(|it| it.update_time.as_ref()));
    lines.push(format!("{} messages in the outbox, {} dead letters wait", answer.outbox, answer.dead_letters));
    let mut queues = table();
    queues.set_header(["queue", "messages"]);
    for queue in &answer.queues {
        queues.add_row([queue.queue.clone(), queue.messages.to_string()]);
    }
    let mut components = table();
    components.set_header(["component", "kind", "healthy", "seen", "trouble"]);
    for one in &answer.components {
        let seen = time(one.seen_time.as_ref()).as_str().unwrap_or_default().to_owned();
        let healthy = if one.healthy { "yes" } else { "NO" };
        components.add_row([one.component.clone(), one.kind.clone(), healthy.to_owned(), seen, one.trouble.clone()]);
    }
    lines.extend([String::new(), queues.trim_fmt(), String::new(), components.trim_fmt()]);
    lines.join("\n")
}

fn descriptor(message: &str) -> Result<prost_reflect::MessageDescriptor, String> {
    Descriptors::engine().pool().get_message_by_name(message).ok_or_else(|| format!("this build has no {message}"))
}

/// A message as proto3 JSON.
fn as_json(name: &str, message: &impl Message) -> Result<Value, Failure> {
    let dynamic = descriptor(name).and_then(|descriptor| {
        DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice()).map_err(|error| error.to_string())
    });
    serde_json::to_value(dynamic.map_err(Failure::Other)?).map_err(|error| Failure::Other(error.to_string()))
}

/// The encoded message that proto3 JSON stands for.
fn from_json(name: &str, text: &str) -> Result<Vec<u8>, String> {
    let descriptor = descriptor(name)?;
    let mut json = serde_json::Deserializer::from_str(text);
    let message = DynamicMessage::deserialize(descriptor, &mut json).map_err(|error| error.to_string())?;
    json.end().map_err(|error| error.to_string())?;
    debug_assert_eq!(message.descriptor().full_name(), name);
    Ok(message.encode_to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_be_short() {
        assert_eq!(name("order"), "definitions/order/versions/-");
        assert_eq!(name("order/2"), "definitions/order/versions/2");
        assert_eq!(name("definitions/order/versions/2"), "definitions/order/versions/2");
    }

    #[test]
    fn json_goes_there_and_back() {
        let step = wire::DefinitionStep { step: "a.do".to_owned(), kind: 2, ..Default::default() };
        let definition =
            wire::Definition { name: "definitions/a/versions/1".to_owned(), steps: vec![step], ..Default::default() };
        let text = as_json("baton.saga.v1.Definition", &definition).expect("JSON").to_string();
        let back = from_json("baton.saga.v1.Definition", &text).expect("a message");
        assert_eq!(wire::Definition::decode(back.as_slice()), Ok(definition));
        let flaw = from_json("baton.saga.v1.Definition", "{\"nmae\": 1}").expect_err("no such field");
        assert!(flaw.contains("nmae") && flaw.contains("line 1"), "{flaw}");
    }
}

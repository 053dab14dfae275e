//! `baton sagas list|count|explain` and the actions: what operators do, over gRPC.

use crate::cli::{Act, Filter, Page};
use crate::client::Client;
use crate::failure::Failure;
use crate::find;
use crate::message::{dynamic, field};
use crate::output;
use crate::paging::paged;
use crate::records::saga_verb;
use crate::show::Printer;
use baton_proto::baton::saga::v1::{
    ActOnSagaRequest, CountSagasRequest, ExplainSagaRequest, ExplainSagaResponse, Saga, SagaAct, SagaExplanation,
    SagaVerb, SearchSagasRequest, SearchSagasResponse,
};
use baton_query::datetime::spoken;
use baton_query::escape::named;
use prost_types::Timestamp;
use std::time::Duration;

/// What a list shows of a saga.
const LISTED: [&str; 9] = ["name", "state", "step", "direction", "attempt", "reason", AGE, "wakeTime", "businessKey"];
/// Time since a saga began: no field, but what people look for.
const AGE: &str = "age";

/// `baton sagas list`.
///
/// # Errors
/// What the server refused.
pub async fn list(
    client: &Client,
    filter: &Filter,
    order_by: &str,
    page: &Page,
    printer: Printer,
) -> Result<(), Failure> {
    let (text, preset) = (filter.text(), filter.preset.clone().unwrap_or_default());
    let found = paged(page.limit, async |page_size, page_token| {
        let request = SearchSagasRequest {
            filter: text.clone(),
            preset: preset.clone(),
            page_size,
            page_token,
            order_by: order_by.to_owned(),
        };
        Ok(client.admin().search_sagas(client.request(request)).await?.into_inner())
    });
    let found = found.await?;
    printer.table(&found, &LISTED, rows(&found)?)?;
    if let Some(until) = found.indexed_until.and_then(far_behind) {
        output::talk(&format!("attributes are indexed up to {until}; younger sagas were looked at one by one"));
    }
    Ok(())
}

/// Sagas as they were found. One whose row does not decode is named all the same, where its id, and so its age, puts it.
fn rows(found: &SearchSagasResponse) -> Result<Vec<Vec<String>>, Failure> {
    let mut rows = Vec::with_capacity(found.sagas.len() + found.unreadable.len());
    for saga in &found.sagas {
        let message = dynamic(saga)?;
        let cell = |name: &&str| match *name {
            AGE => saga.create_time.as_ref().map(age).unwrap_or_default(),
            name => field(&message, name),
        };
        rows.push(LISTED.iter().map(cell).collect());
    }
    for name in &found.unreadable {
        let row = vec![name.clone(), "UNREADABLE".to_owned()];
        let at = rows.iter().position(|other: &Vec<String>| other[0] < row[0]).unwrap_or(rows.len());
        rows.insert(at, row);
    }
    Ok(rows)
}

/// Time since a moment, as people say it.
fn age(since: &Timestamp) -> String {
    let since = jiff::Timestamp::new(since.seconds, since.nanos).unwrap_or_default();
    let age = jiff::Timestamp::now().duration_since(since);
    spoken(Duration::try_from(age).unwrap_or_default())
}

/// Where the index of attributes is, if that is further behind than it ever is once it has caught up.
fn far_behind(until: Timestamp) -> Option<jiff::Timestamp> {
    let until = jiff::Timestamp::new(until.seconds, until.nanos).ok()?;
    (jiff::Timestamp::now().duration_since(until).as_secs() > 60).then_some(until)
}

/// `baton sagas count`.
///
/// # Errors
/// What the server refused.
pub async fn count(client: &Client, filter: &Filter, printer: Printer) -> Result<(), Failure> {
    let request = CountSagasRequest { filter: filter.text(), preset: filter.preset.clone().unwrap_or_default() };
    let answer = client.admin().count_sagas(client.request(request)).await?.into_inner();
    printer.answer(&answer, || format!("{}{}", if answer.exact { "" } else { ">= " }, answer.count))
}

/// One action.
///
/// # Errors
/// What the server refused: a rule that the action would break, another version, no such saga.
pub async fn act(client: &Client, verb: SagaVerb, act: Act, printer: Printer) -> Result<(), Failure> {
    let actor = actor(act.actor)?;
    let request = ActOnSagaRequest {
        name: find::saga(client, &act.saga, printer).await?,
        verb: verb.into(),
        reason: act.reason,
        actor,
        version: act.version.unwrap_or(0),
        request_id: client.request_id(act.request_id),
    };
    printer.one(&client.admin().act_on_saga(client.request(request)).await?.into_inner(), "saga", &[])
}

/// Who acts: as the command says, else who is at the keyboard.
///
/// # Errors
/// Nobody knows.
pub fn actor(named: Option<String>) -> Result<String, Failure> {
    named.or_else(user).ok_or_else(|| Failure::Usage("say who you are, with --actor or BATON_ACTOR".to_owned()))
}

/// Who is at the keyboard, as the system says.
pub(crate) fn user() -> Option<String> {
    let named = ["USER", "LOGNAME", "USERNAME"].into_iter().filter_map(|variable| std::env::var(variable).ok());
    named.into_iter().find(|name| !name.is_empty())
}

/// `baton sagas explain`.
///
/// # Errors
/// What the server refused.
pub async fn explain(client: &Client, saga: &str, printer: Printer) -> Result<(), Failure> {
    let name = find::saga(client, saga, printer).await?;
    let request = ExplainSagaRequest { name: name.clone() };
    let answer = client.admin().explain_saga(client.request(request)).await?.into_inner();
    printer.answer(&answer, || as_text(&name, &answer))
}

/// The command that takes one action, to be copied. If the saga rests, with the version that was explained, so that it does
/// nothing if somebody else was faster. One that is under way has moved on before anything can be copied.
fn command(saga: &Saga, verb: SagaVerb) -> String {
    let id = saga.name.trim_start_matches("sagas/");
    let version = if saga.wake_time.is_some() { String::new() } else { format!(" --version {}", saga.version) };
    format!("baton sagas {} {id}{version} --reason 'WHY'", saga_verb(verb))
}

/// Every sentence before the orders, in the order in which they are read.
fn sentences(explanation: &SagaExplanation) -> Vec<&str> {
    let history = explanation.history.iter().map(|happening| happening.sentence.as_str());
    let before = [explanation.trouble.as_str(), explanation.summary.as_str()];
    let after = [
        Some(explanation.gap.as_str()),
        explanation.waiting.as_ref().map(|waiting| waiting.sentence.as_str()),
        explanation.upcoming.as_ref().map(|upcoming| upcoming.sentence.as_str()),
        explanation.ledger.as_ref().map(|ledger| ledger.sentence.as_str()),
        explanation.outlook.as_ref().map(|outlook| outlook.sentence.as_str()),
    ];
    let all = before.into_iter().chain(history).chain(after.into_iter().flatten());
    all.filter(|sentence| !sentence.is_empty()).collect()
}

fn as_text(id: &str, answer: &ExplainSagaResponse) -> String {
    let explanation = answer.explanation.clone().unwrap_or_default();
    // Absent only if nothing can be done either.
    let saga = answer.saga.clone().unwrap_or_default();
    let version = answer.saga.as_ref().map_or_else(String::new, |saga| format!(", version {}", saga.version));
    let mut lines = vec![format!("{id}{version}")];
    if !saga.message.is_empty() {
        lines.push(named(&format!("{}: {}", saga.reason, saga.message)).into_owned());
    }
    lines.push(String::new());
    lines.extend(sentences(&explanation).into_iter().map(str::to_owned));
    if let Some(hold) = &explanation.hold {
        let name = hold.name.trim_start_matches("holds/");
        lines.extend([
            String::new(),
            format!("{} keeps it back; it goes on once that is released.", hold.name),
            format!("  baton holds release {name} --reason 'WHY'"),
        ]);
    }
    let (legal, refused): (Vec<&SagaAct>, Vec<&SagaAct>) = explanation.acts.iter().partition(|act| act.legal);
    for act in legal {
        lines.extend([String::new(), act.sentence.clone(), format!("  {}", command(&saga, act.verb()))]);
    }
    if !refused.is_empty() {
        lines.extend([String::new(), "Unavailable actions:".to_owned()]);
        lines.extend(refused.into_iter().map(|act| format!("  {}", act.sentence)));
    }
    if !answer.timeline.is_empty() {
        lines.extend([String::new(), answer.timeline.clone()]);
    }
    lines.join("\n")
}

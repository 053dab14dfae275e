//! `baton sagas list|count|explain` and the orders: what operators do, over gRPC.

use crate::cli::{Act, Filter, Page};
use crate::client::{Client, name, present};
use crate::failure::Failure;
use crate::output;
use crate::paging::paged;
use crate::records::{Listed, end, saga_verb, time};
use crate::show::{Printer, Record as _};
use baton_proto::baton::saga::v1::{
    ActOnSagaRequest, CountSagasRequest, ExplainSagaRequest, ExplainSagaResponse, LedgerKnowledge, Saga, SagaAct,
    SagaExplanation, SagaVerb, SagaWait, SearchSagasRequest,
};
use prost_types::Timestamp;
use serde_json::{Map, Value, json};

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
    let mut indexed = None;
    let found = paged(page.limit, async |page_size, page_token| {
        let request = SearchSagasRequest {
            filter: text.clone(),
            preset: preset.clone(),
            page_size,
            page_token,
            order_by: order_by.to_owned(),
        };
        let answer = client.admin().search_sagas(client.request(request)).await?.into_inner();
        indexed = answer.indexed_until;
        Ok((Listed::page(answer.sagas, answer.unreadable), answer.next_page_token))
    });
    printer.list(&found.await?);
    if let Some(until) = indexed.and_then(far_behind) {
        output::talk(&format!("attributes are indexed up to {until}; younger sagas were looked at one by one"));
    }
    Ok(())
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
    printer.either(
        || json!({ "count": answer.count, "exact": answer.exact }),
        || format!("{}{}", if answer.exact { "" } else { ">= " }, answer.count),
    );
    Ok(())
}

/// One order.
///
/// # Errors
/// What the server refused: a rule that the order would break, another version, no such saga.
pub async fn act(client: &Client, verb: SagaVerb, act: Act, printer: Printer) -> Result<(), Failure> {
    let actor = actor(act.actor)?;
    let request = ActOnSagaRequest {
        name: name("sagas", &act.saga),
        verb: verb.into(),
        reason: act.reason,
        actor,
        version: act.version.unwrap_or(0),
        request_id: client.request_id(act.request_id),
    };
    let answer = client.admin().act_on_saga(client.request(request)).await?.into_inner();
    printer.one(&present(answer.saga, "a saga")?);
    Ok(())
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
    let request = ExplainSagaRequest { name: name("sagas", saga) };
    let answer = client.admin().explain_saga(client.request(request)).await?.into_inner();
    let id = name("sagas", saga);
    printer.either(|| as_json(&id, &answer), || as_text(&id, &answer));
    Ok(())
}

/// The command that gives one order, to be copied. If the saga rests, with the version that was explained, so that it does
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
    // Absent only if nothing can be ordered either.
    let saga = answer.saga.clone().unwrap_or_default();
    let version = answer.saga.as_ref().map_or_else(String::new, |saga| format!(", version {}", saga.version));
    let mut lines = vec![format!("{id}{version}"), String::new()];
    lines.extend(sentences(&explanation).into_iter().map(str::to_owned));
    let (legal, refused): (Vec<&SagaAct>, Vec<&SagaAct>) = explanation.acts.iter().partition(|act| act.legal);
    for act in legal {
        lines.extend([String::new(), act.sentence.clone(), format!("  {}", command(&saga, act.verb()))]);
    }
    if !refused.is_empty() {
        lines.extend([String::new(), "Not now:".to_owned()]);
        lines.extend(refused.into_iter().map(|act| format!("  {}", act.sentence)));
    }
    if !answer.timeline.is_empty() {
        lines.extend([String::new(), answer.timeline.clone()]);
    }
    lines.join("\n")
}

fn as_json(id: &str, answer: &ExplainSagaResponse) -> Value {
    let explanation = answer.explanation.clone().unwrap_or_default();
    let saga = answer.saga.clone().unwrap_or_default();
    let fields = answer.saga.as_ref().map(|saga| {
        let fields = saga.fields().into_iter().map(|(name, value)| (name.to_owned(), value));
        Value::Object(fields.collect::<Map<_, _>>())
    });
    let history = explanation.history.iter().map(|happening| {
        json!({
            "eventTime": time(happening.event_time.as_ref()),
            "step": happening.step,
            "direction": happening.direction,
            "attempts": happening.attempts,
            "sentence": happening.sentence,
        })
    });
    let acts = explanation.acts.iter().map(|act| {
        json!({
            "verb": saga_verb(act.verb()),
            "legal": act.legal,
            "sentence": act.sentence,
            "ends": act.ends.iter().map(|it| end(*it)).collect::<Vec<_>>(),
            "rule": act.rule,
            "command": act.legal.then(|| command(&saga, act.verb())),
        })
    });
    json!({
        "name": id,
        "saga": fields,
        "trouble": explanation.trouble,
        "summary": explanation.summary,
        "history": history.collect::<Vec<_>>(),
        "gap": explanation.gap,
        "waiting": explanation.waiting.as_ref().map(|waiting| json!({
            "wait": SagaWait::try_from(waiting.wait).map_or("", |it| it.as_str_name()).trim_start_matches("SAGA_WAIT_"),
            "sinceTime": time(waiting.since_time.as_ref()),
            "untilTime": time(waiting.until_time.as_ref()),
            "sentence": waiting.sentence,
        })),
        "upcoming": explanation.upcoming.as_ref().map(|upcoming| json!({
            "wakeTime": time(upcoming.wake_time.as_ref()),
            "sentence": upcoming.sentence,
        })),
        "ledger": explanation.ledger.as_ref().map(|ledger| json!({
            "participant": ledger.participant,
            "knowledge": LedgerKnowledge::try_from(ledger.knowledge).map_or("", |it| it.as_str_name()).trim_start_matches("LEDGER_KNOWLEDGE_"),
            "reason": ledger.reason,
            "sentence": ledger.sentence,
        })),
        "outlook": explanation.outlook.as_ref().map(|outlook| json!({
            "ends": outlook.ends.iter().map(|it| end(*it)).collect::<Vec<_>>(),
            "sentence": outlook.sentence,
        })),
        "acts": acts.collect::<Vec<_>>(),
        "timeline": answer.timeline,
    })
}

//! What can be done with one saga: the actions with their forms, and why the others are refused.

use crate::command_hints::{CommandHint, Given};
use crate::page::acts::{ActionForm, Equal, Fields, Refused};
use crate::page::error_view::Trouble;
use crate::page::label::{self, Label};
use crate::page::text::{Text, cell, words};
use crate::verb_names;
use baton_proto::baton::saga::v1::{ActOnSagaRequest, Saga, SagaAct, SagaExplanation};
use serde::Deserialize;

/// What an action's form says beside why and who.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ActionFields {
    /// The verb's word.
    pub verb: String,
    /// Only at this version; empty for whatever it is at.
    pub version: String,
}

/// An action that can be taken.
#[derive(Debug)]
pub struct AllowedAction {
    /// The verb's word.
    pub word: &'static str,
    /// What its button says.
    pub button: &'static str,
    /// What it does.
    pub sentence: Text,
    /// Where the saga may come to rest then.
    pub ends: Vec<Label>,
    /// The lines that do the same.
    pub equal: Equal,
    /// Its form.
    pub fields: Fields,
    /// True if the form is unfolded.
    pub open: bool,
    /// True if it is bound to the version unless the operator says otherwise.
    pub bound: bool,
}

/// An action that cannot.
#[derive(Debug)]
pub struct Refusal {
    /// The verb's word.
    pub word: &'static str,
    /// The rule that it would break.
    pub rule: Text,
    /// The same for people.
    pub sentence: Text,
}

/// The action that a form asks for.
///
/// # Errors
/// The version is none.
pub fn request(id: &str, ActionForm { what, signed }: &ActionForm<ActionFields>) -> Result<ActOnSagaRequest, Trouble> {
    let version = match what.version.as_str() {
        "" => 0,
        text => {
            text.parse().map_err(|_| Trouble::field("version", "VERSION_INVALID", "must be a number".to_owned()))?
        }
    };
    Ok(ActOnSagaRequest {
        name: format!("sagas/{id}"),
        verb: verb_names::verb_of(&what.verb).unwrap_or_default().into(),
        reason: signed.reason.clone(),
        actor: signed.actor.clone(),
        version,
        request_id: signed.request_id.clone(),
    })
}

/// The actions that can be taken, each with its form; the one that was refused is filled in as it was sent.
pub fn legal(
    explanation: &SagaExplanation,
    saga: Option<&Saga>,
    name: &str,
    host: &str,
    refused: Option<&Refused<ActionFields>>,
) -> Vec<AllowedAction> {
    let legal = explanation.acts.iter().filter(|act| act.legal);
    legal.map(|act| offer(act, saga, name, host, refused)).collect()
}

fn offer(
    act: &SagaAct,
    saga: Option<&Saga>,
    name: &str,
    host: &str,
    refused: Option<&Refused<ActionFields>>,
) -> AllowedAction {
    let word = label::verb(act.verb);
    // One that is under way has moved on before anybody has read the page.
    let bound = saga.is_some_and(|saga| saga.wake_time.is_none());
    let refused = refused.filter(|it| it.what.verb == word);
    AllowedAction {
        word,
        button: label::button(act.verb),
        sentence: words(&act.sentence),
        ends: act.ends.iter().map(|end| label::end(*end)).collect(),
        equal: equal(act, saga.filter(|_| bound), name, host),
        open: refused.is_some(),
        bound: refused.map_or(bound, |it| !it.what.version.is_empty()),
        fields: Fields::of(word, refused),
    }
}

fn equal(act: &SagaAct, bound: Option<&Saga>, name: &str, host: &str) -> Equal {
    let version = bound.map(|saga| saga.version).unwrap_or_default();
    Equal::new(&CommandHint::Act { saga: name, verb: act.verb(), version, given: Given::default() }, host)
}

/// The actions that cannot.
pub fn refusals(explanation: &SagaExplanation) -> Vec<Refusal> {
    let refused = explanation.acts.iter().filter(|act| !act.legal);
    let refusal =
        |act: &SagaAct| Refusal { word: label::verb(act.verb), rule: cell(&act.rule), sentence: words(&act.sentence) };
    refused.map(refusal).collect()
}

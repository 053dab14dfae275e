//! `/dead-letters`: messages that could not be processed: why, whose, and what shall become of them.

use crate::command_hints::{CommandHint, Given};
use crate::page::acts::{ActionForm, Done, Equal, Fields, Host, Refused, Signed};
use crate::page::datetime::{Moment, micros};
use crate::page::error_view::Trouble;
use crate::page::label::{self, Label};
use crate::page::layout::{Frame, Part, html, instead, see};
use crate::page::link;
use crate::page::services::{Services, call};
use crate::page::text::{Text, cell, words};
use askama::Template;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use baton_proto::baton::saga::v1 as wire;
use serde::Deserialize;
use wire::{
    DeadLetter, DeadLetterState, DropDeadLetterRequest, GetDeadLetterRequest, ListDeadLettersRequest,
    ReplayDeadLetterRequest,
};

/// Dead letters on a page.
const PAGE: i32 = 50;
/// Sagas named of one letter in the list.
const MAX_NAMED: usize = 3;
/// How often the list asks again, milliseconds.
const REFRESH_MS: u32 = 5_000;
/// How often the page of a letter asks again that has just been sent once more, milliseconds: it may come straight back.
const WATCHED_MS: u32 = 1_000;
/// For how long it does, microseconds.
const WATCHED: i64 = 60_000_000;

/// What an address says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct LettersQuery {
    /// From the page before.
    pub page_token: String,
    /// "waiting", "replayed", "dropped" or "all"; empty for those that wait.
    pub state: String,
}

#[derive(Debug)]
struct LetterView {
    link: String,
    id: Text,
    destination: Text,
    message_id: Text,
    reason: Text,
    sentence: Text,
    sagas: Vec<(String, String)>,
    more: usize,
    size: u32,
    state: Label,
    created: Moment,
    decided: Moment,
    /// The letter that it is a replay of, and the one that came of its replay: link and id, or nothing.
    replay_of: Option<(String, String)>,
    came_back_as: Option<(String, String)>,
}

impl LetterView {
    fn short(&self, id: &str) -> String {
        link::short(id)
    }

    fn new(letter: &DeadLetter, named: usize, now: i64) -> Self {
        let sagas = letter.sagas.iter().take(named);
        Self {
            link: link::page(&letter.name),
            id: cell(link::id(&letter.name)),
            destination: cell(&letter.destination),
            message_id: cell(&letter.message_id),
            reason: cell(&letter.reason),
            sentence: words(&letter.sentence),
            sagas: sagas.map(|saga| (link::page(saga), link::id(saga).to_owned())).collect(),
            more: letter.sagas.len().saturating_sub(named),
            size: letter.size_bytes,
            // Sent again is not done.
            state: if letter.came_back_as.is_empty() { label::letter(letter.state) } else { label::CAME_BACK },
            replay_of: linked(&letter.replay_of),
            came_back_as: linked(&letter.came_back_as),
            created: Moment::new(letter.create_time.as_ref(), now),
            decided: Moment::new(letter.decide_time.as_ref(), now),
        }
    }
}

fn linked(name: &str) -> Option<(String, String)> {
    (!name.is_empty()).then(|| (link::page(name), link::id(name).to_owned()))
}

#[derive(Template)]
#[template(path = "letters.html")]
struct LettersPage {
    frame: Frame,
    letters: Vec<LetterView>,
    chips: Vec<(&'static str, String, bool)>,
    older: String,
    trouble: Option<Trouble>,
}

/// `GET /dead-letters`.
pub async fn list(State(services): State<Services>, Query(asked): Query<LettersQuery>) -> Response {
    let frame = Frame::new(&services, Part::Letters, "Dead letters").await.every(REFRESH_MS);
    let now = frame.now;
    let states = [
        ("waiting", "waiting", DeadLetterState::Waiting),
        ("replayed", "replayed", DeadLetterState::Replayed),
        ("dropped", "dropped", DeadLetterState::Dropped),
        ("all", "all", DeadLetterState::Unspecified),
    ];
    let open = states.into_iter().find(|(_, value, _)| *value == asked.state).unwrap_or(states[0]);
    let chips = states
        .into_iter()
        .map(|(word, value, _)| (word, link::with("/dead-letters", &[("state", value)]), value == open.1));
    let request = ListDeadLettersRequest { page_size: PAGE, page_token: asked.page_token, state: open.2.into() };
    let (letters, older, trouble) = match call(services.admin().list_dead_letters(request)).await {
        Ok(answer) => {
            let older = link::older("/dead-letters", &[("state", open.1)], &answer.next_page_token);
            (answer.dead_letters.iter().map(|it| LetterView::new(it, MAX_NAMED, now)).collect(), older, None)
        }
        Err(trouble) => (Vec::new(), String::new(), Some(trouble)),
    };
    let status = trouble.as_ref().map_or(StatusCode::OK, Trouble::status);
    html(status, &LettersPage { frame, letters, chips: chips.collect(), older, trouble })
}

/// What can be done with a letter.
#[derive(Debug)]
struct LetterAction {
    word: &'static str,
    button: &'static str,
    danger: bool,
    sentence: &'static str,
    action: String,
    fields: Fields,
    open: bool,
    equal: Equal,
}

#[derive(Template)]
#[template(path = "letter.html")]
struct LetterPage {
    frame: Frame,
    letter: LetterView,
    json: Text,
    flaw: Text,
    hex: String,
    offers: Vec<LetterAction>,
    stray: Option<Trouble>,
}

/// `GET /dead-letters/{id}`.
pub async fn page(
    State(services): State<Services>,
    Path(id): Path<String>,
    Query(done): Query<Done>,
    Host(host): Host,
) -> Response {
    one(&services, &id, &host, &done.did, None).await
}

/// `POST /dead-letters/{id}/replay`.
pub async fn replay(
    State(services): State<Services>,
    Path(id): Path<String>,
    Host(host): Host,
    Form(sent): Form<Signed>,
) -> Response {
    let Signed { reason, actor, request_id } = sent.clone();
    let request = ReplayDeadLetterRequest { name: format!("deadLetters/{id}"), reason, actor, request_id };
    let answer = call(services.admin().replay_dead_letter(request)).await;
    decided(&services, &id, &host, ActionForm { what: "replay", signed: sent }, answer.map(drop)).await
}

/// `POST /dead-letters/{id}/drop`.
pub async fn give_up(
    State(services): State<Services>,
    Path(id): Path<String>,
    Host(host): Host,
    Form(sent): Form<Signed>,
) -> Response {
    let Signed { reason, actor, request_id } = sent.clone();
    let request = DropDeadLetterRequest { name: format!("deadLetters/{id}"), reason, actor, request_id };
    let answer = call(services.admin().drop_dead_letter(request)).await;
    decided(&services, &id, &host, ActionForm { what: "drop", signed: sent }, answer.map(drop)).await
}

async fn decided(
    services: &Services,
    id: &str,
    host: &str,
    sent: ActionForm<&'static str>,
    answer: Result<(), Trouble>,
) -> Response {
    match answer {
        Ok(()) => see(&link::done(&address(id), sent.what)),
        Err(trouble) => one(services, id, host, "", Some(sent.refused(trouble))).await,
    }
}

fn address(id: &str) -> String {
    format!("/dead-letters/{}", link::encoded(id))
}

async fn one(services: &Services, id: &str, host: &str, did: &str, refused: Option<Refused<&'static str>>) -> Response {
    let name = format!("deadLetters/{id}");
    let answer = match call(services.admin().get_dead_letter(GetDeadLetterRequest { name: name.clone() })).await {
        Ok(answer) => answer,
        Err(trouble) => return instead(services, Part::Letters, "Dead letter", trouble).await,
    };
    let letter = answer.dead_letter.unwrap_or_default();
    // That it came back says more than that it was sent.
    let did = if did == "replay" && !letter.came_back_as.is_empty() { "" } else { did };
    let frame = Frame::new(services, Part::Letters, "Dead letter").await.noticed(did);
    let frame = frame.again_at(refused.is_some(), &address(id));
    let sent_at = letter.decide_time.as_ref().filter(|_| letter.state() == DeadLetterState::Replayed).map(micros);
    let is_watched = sent_at.is_some_and(|at| frame.now.saturating_sub(at) < WATCHED);
    let frame = if is_watched { frame.every(WATCHED_MS) } else { frame };
    let drops =
        ("drop", "Drop", "Gives it up for good. It stays listed as dropped; its sagas go on by their own retries.");
    // What nobody can read comes straight back, unless its reader has been mended.
    let choices = if answer.json.is_empty() {
        let replays =
            "Nothing in it can be read here, so it will most likely come straight back. Only if its reader was mended.";
        [drops, ("replay", "Replay", replays)]
    } else {
        [("replay", "Replay", "Sends it again to where it was meant to go. Do it once the cause is gone."), drops]
    };
    let warns = answer.json.is_empty();
    let waits = letter.state() == DeadLetterState::Waiting;
    let offers = choices.into_iter().filter(|_| waits).map(|(word, button, sentence)| {
        let refused = refused.as_ref().filter(|it| it.what == word);
        let given = Given::default();
        let hint = match word {
            "replay" => CommandHint::ReplayDeadLetter { letter: &name, given },
            _ => CommandHint::DropDeadLetter { letter: &name, given },
        };
        LetterAction {
            word,
            button,
            danger: word == "drop" || warns,
            sentence,
            action: format!("{}/{word}", address(id)),
            open: refused.is_some(),
            fields: Fields::of(word, refused),
            equal: Equal::new(&hint, host),
        }
    });
    let offers: Vec<LetterAction> = offers.collect();
    let status = Refused::status(refused.as_ref());
    let stray = refused.map(|it| it.trouble).filter(|_| offers.is_empty());
    let page = LetterPage {
        letter: LetterView::new(&letter, usize::MAX, frame.now),
        json: words(answer.json),
        flaw: words(answer.flaw),
        hex: answer.hex.chars().take(1_024).collect(),
        offers,
        stray,
        frame,
    };
    html(status, &page)
}

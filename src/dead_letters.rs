//! `baton dead-letters`: messages that could not be processed, over gRPC.

use crate::cli::letters::{DeadLetters, Decide, LetterStateArg};
use crate::client::{Client, name, present};
use crate::failure::Failure;
use crate::operate::actor;
use crate::paging::paged;
use crate::records::time;
use crate::show::{Printer, Record};
use baton_proto::baton::saga::v1::{
    DeadLetter, DeadLetterState, DropDeadLetterRequest, GetDeadLetterRequest, GetDeadLetterResponse,
    ListDeadLettersRequest, ReplayDeadLetterRequest,
};
use serde_json::{Map, Value, json};

/// Carries out one `baton dead-letters` command.
///
/// # Errors
/// What the server refused.
pub async fn run(command: DeadLetters, client: &Client, printer: Printer) -> Result<(), Failure> {
    match command {
        DeadLetters::List { state, page } => {
            let state = state.map_or(DeadLetterState::Unspecified, wire_state).into();
            let found = paged(page.limit, async |page_size, page_token| {
                let request = ListDeadLettersRequest { page_size, page_token, state };
                let answer = client.admin().list_dead_letters(client.request(request)).await?.into_inner();
                Ok((answer.dead_letters, answer.next_page_token))
            });
            printer.list(&found.await?);
            Ok(())
        }
        DeadLetters::Get { letter } => {
            let request = GetDeadLetterRequest { name: name("deadLetters", &letter) };
            let answer = client.admin().get_dead_letter(client.request(request)).await?.into_inner();
            show(&answer, printer)
        }
        DeadLetters::Replay(decide) => {
            let Decide { letter, reason, actor, request_id } = decide;
            let (name, request_id) = (name("deadLetters", &letter), client.request_id(request_id));
            let request = ReplayDeadLetterRequest { name, reason, actor: self::actor(actor)?, request_id };
            let answer = client.admin().replay_dead_letter(client.request(request)).await?.into_inner();
            printer.one(&present(answer.dead_letter, "a dead letter")?);
            Ok(())
        }
        DeadLetters::Drop(decide) => {
            let Decide { letter, reason, actor, request_id } = decide;
            let (name, request_id) = (name("deadLetters", &letter), client.request_id(request_id));
            let request = DropDeadLetterRequest { name, reason, actor: self::actor(actor)?, request_id };
            let answer = client.admin().drop_dead_letter(client.request(request)).await?.into_inner();
            printer.one(&present(answer.dead_letter, "a dead letter")?);
            Ok(())
        }
    }
}

fn show(answer: &GetDeadLetterResponse, printer: Printer) -> Result<(), Failure> {
    let letter = present(answer.dead_letter.clone(), "a dead letter")?;
    let GetDeadLetterResponse { dead_letter: _, json, flaw, hex } = answer;
    if printer.json() {
        let mut fields: Map<String, Value> =
            letter.fields().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        // A message that was cut is no JSON any more: then it is shown as a text.
        let message = serde_json::from_str::<Value>(json).unwrap_or_else(|_| json!(json));
        fields.extend([
            ("message".to_owned(), message),
            ("flaw".to_owned(), json!(flaw)),
            ("hex".to_owned(), json!(hex)),
        ]);
        printer.value(&Value::Object(fields));
    } else {
        printer.one(&letter);
        let parts = [json, flaw, hex].into_iter().filter(|part| !part.is_empty());
        printer.text(&parts.map(|part| format!("\n{part}")).collect::<Vec<_>>().join("\n"));
    }
    Ok(())
}

fn wire_state(state: LetterStateArg) -> DeadLetterState {
    match state {
        LetterStateArg::Waiting => DeadLetterState::Waiting,
        LetterStateArg::Replayed => DeadLetterState::Replayed,
        LetterStateArg::Dropped => DeadLetterState::Dropped,
    }
}

impl Record for DeadLetter {
    const COLUMNS: &'static [&'static str] =
        &["name", "destination", "reason", "sagas", "sizeBytes", "state", "createTime"];

    fn fields(&self) -> Vec<(&'static str, Value)> {
        let state = self.state().as_str_name().trim_start_matches("DEAD_LETTER_STATE_").to_owned();
        vec![
            ("name", json!(self.name)),
            ("destination", json!(self.destination)),
            ("messageId", json!(self.message_id)),
            ("reason", json!(self.reason)),
            ("sentence", json!(self.sentence)),
            ("sagas", json!(self.sagas)),
            ("sizeBytes", json!(self.size_bytes)),
            ("state", json!(state)),
            ("createTime", time(self.create_time.as_ref())),
            ("decideTime", time(self.decide_time.as_ref())),
        ]
    }
}

//! `baton dead-letters`: messages that could not be processed, over gRPC.

use crate::cli::letters::{DeadLetters, Decide, LetterStateArg};
use crate::client::{Client, name};
use crate::failure::Failure;
use crate::operate::actor;
use crate::paging::paged;
use crate::show::Printer;
use baton_proto::baton::saga::v1::{
    DeadLetterState, DropDeadLetterRequest, GetDeadLetterRequest, GetDeadLetterResponse, ListDeadLettersRequest,
    ReplayDeadLetterRequest,
};

/// What a list shows of a dead letter.
const LISTED: [&str; 7] = ["name", "destination", "reason", "sagas", "sizeBytes", "state", "createTime"];
/// The fields of the answers that hold one, and many.
const LETTER: &str = "dead_letter";
const LETTERS: &str = "dead_letters";

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
                Ok(client.admin().list_dead_letters(client.request(request)).await?.into_inner())
            });
            printer.list(&found.await?, LETTERS, &LISTED)
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
            printer.one(&answer, LETTER, &[])?;
            printer.say(&format!("if it fails again, `baton dead-letters get {letter}` says as what it came back"));
            Ok(())
        }
        DeadLetters::Drop(decide) => {
            let Decide { letter, reason, actor, request_id } = decide;
            let (name, request_id) = (name("deadLetters", &letter), client.request_id(request_id));
            let request = DropDeadLetterRequest { name, reason, actor: self::actor(actor)?, request_id };
            printer.one(&client.admin().drop_dead_letter(client.request(request)).await?.into_inner(), LETTER, &[])
        }
    }
}

fn show(answer: &GetDeadLetterResponse, printer: Printer) -> Result<(), Failure> {
    printer.one(answer, LETTER, &[])?;
    if !printer.json() {
        let parts = [&answer.json, &answer.flaw, &answer.hex].into_iter().filter(|part| !part.is_empty());
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

//! `baton sagas`: sagas and their journals over gRPC.

use crate::cli::{Page, SagaStateArg, Sagas};
use crate::client::{Client, name};
use crate::failure::Failure;
use crate::paging::paged;
use crate::show::Printer;
use baton_proto::baton::saga::v1::{
    GetSagaRequest, ListSagaEventsRequest, ListSagasRequest, Saga, SagaState, StartSagaRequest, WatchSagaRequest,
};
use std::io::Read as _;
use std::path::Path;
use tonic::Request;
use uuid::Uuid;

/// Largest input a saga may have, as the server has it.
const LARGEST_INPUT: u64 = 64 * 1024;

/// Carries out one `baton sagas` command.
///
/// # Errors
/// What the server refused.
pub async fn run(command: Sagas, client: &Client, printer: Printer) -> Result<(), Failure> {
    match command {
        Sagas::Start { definition, input, request_id } => {
            let request = StartSagaRequest {
                request_id: request_id.unwrap_or_else(Uuid::now_v7).to_string(),
                definition,
                input: read_input(&input)?.into(),
            };
            let answer = client.sagas().start_saga(client.request(request)).await?.into_inner();
            printer.one(&present(answer.saga)?);
            Ok(())
        }
        Sagas::Get { saga } => {
            let request = GetSagaRequest { name: name("sagas", &saga) };
            let answer = client.sagas().get_saga(client.request(request)).await?.into_inner();
            printer.one(&present(answer.saga)?);
            Ok(())
        }
        Sagas::List { state, key, page } => list(client, state, key, &page, printer).await,
        Sagas::Events { saga, page } => events(client, &saga, &page, printer).await,
        Sagas::Watch { saga } => watch(client, &saga, printer).await,
    }
}

fn present(saga: Option<Saga>) -> Result<Saga, Failure> {
    saga.ok_or_else(|| Failure::Other("the server answered without a saga".to_owned()))
}

/// One byte more than allowed is read, so that the server and not the disk decides what is too large.
fn read_input(path: &Path) -> Result<Vec<u8>, Failure> {
    let wrong = |error: std::io::Error| Failure::Usage(format!("{}: {error}", path.display()));
    let mut input = Vec::new();
    let source: Box<dyn std::io::Read> = if path == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(path).map_err(wrong)?)
    };
    source.take(LARGEST_INPUT + 1).read_to_end(&mut input).map_err(wrong)?;
    Ok(input)
}

async fn list(
    client: &Client,
    state: Option<SagaStateArg>,
    key: Option<String>,
    page: &Page,
    printer: Printer,
) -> Result<(), Failure> {
    let state = state.map_or(SagaState::Unspecified, |state| match state {
        SagaStateArg::Running => SagaState::Running,
        SagaStateArg::Compensating => SagaState::Compensating,
        SagaStateArg::Stuck => SagaState::Stuck,
        SagaStateArg::Paused => SagaState::Paused,
        SagaStateArg::Completed => SagaState::Completed,
        SagaStateArg::Compensated => SagaState::Compensated,
    });
    let business_key = key.unwrap_or_default();
    let found = paged(page.limit, async |page_size, page_token| {
        let request =
            ListSagasRequest { page_size, page_token, state: state.into(), business_key: business_key.clone() };
        let answer = client.sagas().list_sagas(client.request(request)).await?.into_inner();
        Ok((answer.sagas, answer.next_page_token))
    });
    printer.list(&found.await?);
    Ok(())
}

async fn events(client: &Client, saga: &str, page: &Page, printer: Printer) -> Result<(), Failure> {
    let parent = name("sagas", saga);
    let found = paged(page.limit, async |page_size, page_token| {
        let request = ListSagaEventsRequest { parent: parent.clone(), page_size, page_token };
        let answer = client.sagas().list_saga_events(client.request(request)).await?.into_inner();
        Ok((answer.events, answer.next_page_token))
    });
    printer.list(&found.await?);
    Ok(())
}

/// A stream has no deadline: it ends with the saga, or with Ctrl-C.
async fn watch(client: &Client, saga: &str, printer: Printer) -> Result<(), Failure> {
    let request = WatchSagaRequest { name: name("sagas", saga), after_version: 0 };
    let mut stream = client.sagas().watch_saga(Request::new(request)).await?.into_inner();
    while let Some(answer) = stream.message().await? {
        if let Some(saga) = answer.saga {
            printer.line(&saga, &["version", "state", "step", "direction", "reason"]);
        }
    }
    Ok(())
}

//! `baton sagas`: sagas and their journals over gRPC; what operators do with them is in [`crate::operate`].

use crate::cli::{Page, Sagas};
use crate::client::Client;
use crate::failure::Failure;
use crate::find;
use crate::operate;
use crate::output;
use crate::paging::paged;
use crate::show::Printer;
use crate::timeline;
use baton_proto::baton::saga::v1::{
    GetSagaRequest, ListSagaEventsRequest, SagaVerb, StartSagaRequest, WatchSagaRequest,
};
use std::io::Read as _;
use std::path::Path;
use tonic::Request;

/// Largest input a saga may have, as the server has it.
const LARGEST_INPUT: u64 = 64 * 1024;

/// What a list shows of an entry in a saga's journal.
const EVENT: [&str; 9] = ["version", "eventTime", "event", "from", "to", "step", "direction", "attempt", "reason"];

/// Carries out one `baton sagas` command.
///
/// # Errors
/// What the server refused.
pub async fn run(command: Sagas, client: &Client, printer: Printer) -> Result<(), Failure> {
    match command {
        Sagas::Start { definition, input, request_id } => {
            let request = StartSagaRequest {
                request_id: client.request_id(request_id),
                definition,
                input: read_input(&input)?.into(),
            };
            printer.one(&client.sagas().start_saga(client.request(request)).await?.into_inner(), "saga", &[])
        }
        Sagas::Get { saga } => {
            let request = GetSagaRequest { name: find::saga(client, &saga, printer).await? };
            printer.one(&client.sagas().get_saga(client.request(request)).await?.into_inner(), "saga", &[])
        }
        Sagas::List { filter, order_by, page } => operate::list(client, &filter, &order_by, &page, printer).await,
        Sagas::Count { filter } => operate::count(client, &filter, printer).await,
        Sagas::Explain { saga } => operate::explain(client, &saga, printer).await,
        Sagas::Timeline { saga } => timeline::run(client, &saga, printer).await,
        Sagas::Events { saga, page } => events(client, &saga, &page, printer).await,
        Sagas::Watch { saga } => watch(client, &saga, printer).await,
        Sagas::Cancel(act) => operate::act(client, SagaVerb::Cancel, act, printer).await,
        Sagas::Retry(act) => operate::act(client, SagaVerb::Retry, act, printer).await,
        Sagas::Skip(act) => operate::act(client, SagaVerb::Skip, act, printer).await,
        Sagas::ResolveDone(act) => operate::act(client, SagaVerb::ResolveDone, act, printer).await,
        Sagas::ResolveUndone(act) => operate::act(client, SagaVerb::ResolveUndone, act, printer).await,
        Sagas::Pause(act) => operate::act(client, SagaVerb::Pause, act, printer).await,
        Sagas::Resume(act) => operate::act(client, SagaVerb::Resume, act, printer).await,
    }
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

async fn events(client: &Client, saga: &str, page: &Page, printer: Printer) -> Result<(), Failure> {
    let parent = find::saga(client, saga, printer).await?;
    let found = paged(page.limit, async |page_size, page_token| {
        let request = ListSagaEventsRequest { parent: parent.clone(), page_size, page_token };
        Ok(client.sagas().list_saga_events(client.request(request)).await?.into_inner())
    });
    printer.list(&found.await?, "events", &EVENT)
}

/// A stream has no deadline: it ends with the saga, or with Ctrl-C.
async fn watch(client: &Client, saga: &str, printer: Printer) -> Result<(), Failure> {
    let request = WatchSagaRequest { name: find::saga(client, saga, printer).await?, after_version: 0 };
    let mut stream = client.sagas().watch_saga(Request::new(request)).await?.into_inner();
    while let Some(answer) = stream.message().await? {
        printer.line(&answer, "saga", &["version", "state", "step", "direction", "reason"])?;
        if !output::is_open() {
            break;
        }
    }
    Ok(())
}

//! `baton audit`: what operators did, over gRPC.

use crate::cli::Audit;
use crate::client::Client;
use crate::failure::Failure;
use crate::paging::paged;
use crate::show::Printer;
use baton_proto::baton::saga::v1::ListAuditEntriesRequest;

/// What a list shows of an entry.
const LISTED: [&str; 8] = ["number", "eventTime", "actor", "act", "subject", "before", "after", "reason"];

/// Carries out one `baton audit` command.
///
/// # Errors
/// What the server refused.
pub async fn run(command: Audit, client: &Client, printer: Printer) -> Result<(), Failure> {
    let Audit::List { subject, actor, page } = command;
    let found = paged(page.limit, async |page_size, page_token| {
        let (subject, actor) = (subject.clone(), actor.clone());
        let request = ListAuditEntriesRequest { page_size, page_token, subject, actor };
        Ok(client.admin().list_audit_entries(client.request(request)).await?.into_inner())
    });
    printer.list(&found.await?, "entries", &LISTED)
}

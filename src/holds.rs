//! `baton holds`: definitions and participants halted and let go, over gRPC.

use crate::cli::jobs::{Holds, OnHold};
use crate::client::{Client, name, present};
use crate::failure::Failure;
use crate::operate::actor;
use crate::records::time;
use crate::show::Printer;
use baton_proto::baton::saga::v1::{CreateHoldRequest, Hold, ListHoldsRequest, ReleaseHoldRequest};

/// Carries out one `baton holds` command.
///
/// # Errors
/// What the server refused.
pub async fn run(command: Holds, client: &Client, printer: Printer) -> Result<(), Failure> {
    match command {
        Holds::Create(OnHold { name: hold, why }) => {
            let request = CreateHoldRequest {
                name: name("holds", &hold),
                reason: why.reason,
                actor: actor(why.actor)?,
                request_id: client.request_id(why.request_id),
            };
            let (reason, actor) = (request.reason.clone(), request.actor.clone());
            let answer = client.admin().create_hold(client.request(request)).await?.into_inner();
            let hold = present(answer.hold.clone(), "a hold")?;
            printer.one(&answer, "hold", &[])?;
            if (&hold.reason, &hold.actor) != (&reason, &actor) {
                printer.say(&standing(&hold));
            }
            Ok(())
        }
        Holds::List => {
            let answer = client.admin().list_holds(client.request(ListHoldsRequest {})).await?.into_inner();
            printer.list(&answer, "holds", &["name", "actor", "reason", "paused", "releasing", "createTime"])
        }
        Holds::Release(OnHold { name: hold, why }) => {
            let request = ReleaseHoldRequest {
                name: name("holds", &hold),
                reason: why.reason,
                actor: actor(why.actor)?,
                request_id: client.request_id(why.request_id),
            };
            let answer = client.admin().release_hold(client.request(request)).await?.into_inner();
            printer.one(&answer, "hold", &[])
        }
    }
}

/// A hold that stood already keeps its reason: the new one must not be thought to be written down.
fn standing(hold: &Hold) -> String {
    let since = time(hold.create_time.as_ref());
    format!(
        "{} is held already, by {} since {}: {}. Nothing was changed, and your reason was not written down",
        hold.name.trim_start_matches("holds/"),
        hold.actor,
        since,
        hold.reason
    )
}

//! `baton chaos`: kills participants of a development installation on purpose, over gRPC.

use crate::cli::Chaos;
use crate::client::{Client, present};
use crate::failure::Failure;
use crate::show::{Printer, Record};
use baton_proto::baton::dev::v1::{ChaosTarget, KillTargetRequest, ListChaosTargetsRequest, ReviveTargetRequest};
use serde_json::{Value, json};

impl Record for ChaosTarget {
    const COLUMNS: &'static [&'static str] = &["target", "alive"];

    fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![("target", json!(self.target)), ("alive", json!(self.alive))]
    }
}

/// Carries out one `baton chaos` command.
///
/// # Errors
/// What the server refused; a server that is not for development does not know the service.
pub async fn run(command: Chaos, client: &Client, printer: Printer) -> Result<(), Failure> {
    let mut chaos = client.chaos();
    let target = match command {
        Chaos::List => {
            let answer = chaos.list_chaos_targets(client.request(ListChaosTargetsRequest {})).await?;
            printer.list(&answer.into_inner().targets);
            return Ok(());
        }
        Chaos::Kill { target } => {
            chaos.kill_target(client.request(KillTargetRequest { target })).await?.into_inner().target
        }
        Chaos::Revive { target } => {
            chaos.revive_target(client.request(ReviveTargetRequest { target })).await?.into_inner().target
        }
    };
    printer.one(&present(target, "a target")?);
    Ok(())
}

//! `baton chaos`: kills participants of a development installation on purpose, over gRPC.

use crate::cli::ChaosCommand;
use crate::client::Client;
use crate::failure::Failure;
use crate::show::Printer;
use baton_proto::baton::dev::v1::{KillTargetRequest, ListChaosTargetsRequest, ReviveTargetRequest};

/// Carries out one `baton chaos` command.
///
/// # Errors
/// What the server refused; a server that is not for development does not know the service.
pub async fn run(command: ChaosCommand, client: &Client, printer: Printer) -> Result<(), Failure> {
    let mut chaos = client.chaos();
    match command {
        ChaosCommand::List => {
            let answer = chaos.list_chaos_targets(client.request(ListChaosTargetsRequest {})).await?;
            printer.list(&answer.into_inner(), "targets", &["target", "alive"])
        }
        ChaosCommand::Kill { target } => {
            let answer = chaos.kill_target(client.request(KillTargetRequest { target })).await?;
            printer.one(&answer.into_inner(), "target", &[])
        }
        ChaosCommand::Revive { target } => {
            let answer = chaos.revive_target(client.request(ReviveTargetRequest { target })).await?;
            printer.one(&answer.into_inner(), "target", &[])
        }
    }
}

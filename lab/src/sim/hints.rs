//! Probe and hints of one orchestrator.

use super::life::Life;
use super::world::World;
use async_trait::async_trait;
use baton_orchestrator::coord::{Coord, Hint};
use baton_orchestrator::workers::inbox::reply_of;
use baton_orchestrator::workers::probe::Probe;
use baton_participant_kit::codec::key_to_wire;
use baton_participant_kit::participant::{CommandDirection, CommandKey};
use baton_participant_kit::probe::ProbeService;
use baton_proto::baton::participant::v1 as wire;
use baton_proto::baton::participant::v1::participant_service_server::ParticipantService as _;
use baton_sql::database::Database;
use saga_core::event::Reply;
use saga_core::saga::{CommandId, SagaId};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::broadcast;
use tonic::Request;

/// Asks the participants' own Probe service, without the network between.
#[derive(Debug)]
pub struct SimProbe {
    /// World.
    pub world: World,
    /// Who asks.
    pub life: Arc<Life>,
    /// The participants' ledgers by name.
    pub ledgers: BTreeMap<String, Database>,
}

#[async_trait]
impl Probe for SimProbe {
    async fn ask(&self, participant: &str, commands: &[CommandId]) -> Option<Vec<(SagaId, Reply)>> {
        self.life.alive().await;
        let answered = {
            let now = self.life.now();
            self.world.lock().adversary.probe(now)
        };
        let ledger = self.ledgers.get(participant).filter(|_| answered)?;
        let keys = commands.iter().map(|command| {
            let direction = match command.direction {
                saga_core::saga::Direction::Action => CommandDirection::Action,
                saga_core::saga::Direction::Undo => CommandDirection::Undo,
            };
            key_to_wire(CommandKey { saga: command.saga.0, step: command.step, direction })
        });
        let request = wire::ProbeRequest { keys: keys.collect() };
        let response = ProbeService::new(vec![ledger.clone()]).probe(Request::new(request)).await.ok()?;
        let answers: Vec<wire::Reply> =
            response.into_inner().knowledge.into_iter().filter_map(|known| known.answer).collect();
        let mut inner = self.world.lock();
        answers.iter().for_each(|answer| inner.seen.answered(answer));
        Some(answers.into_iter().filter_map(reply_of).collect())
    }
}

/// Hints between the orchestrators of a run; some are lost.
#[derive(Debug)]
pub struct SimCoord {
    /// World.
    pub world: World,
    /// Every orchestrator's own channel.
    pub hints: broadcast::Sender<Hint>,
}

#[async_trait]
impl Coord for SimCoord {
    async fn publish(&self, hints: Vec<Hint>) {
        for hint in hints {
            let arrives = self.world.lock().adversary.hint();
            if arrives {
                // Nobody listens: no failure.
                let _ = self.hints.send(hint);
            }
        }
    }

    fn subscribe(&self) -> broadcast::Receiver<Hint> {
        self.hints.subscribe()
    }
}

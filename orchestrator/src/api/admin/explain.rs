//! Everything an explanation is made from, gathered: the row, the journal, the definition, the participant's ledger.

use crate::api::admin::explain_proto;
use crate::api::lookup::Lookup;
use crate::api::sagas::saga_id;
use crate::api::view;
use baton_engine::hold_policy::barrier;
use baton_engine::store::{Record, StoreError};
use baton_engine::workers::probe::Probe;
use baton_operations::Operations;
use baton_operations::reason::of_store;
use baton_operations::refusal;
use baton_proto::baton::saga::v1 as wire;
use baton_query::explain::{self, Answer, Case, Explanation, Hold, Knowledge};
use baton_query::step_position::{StepPosition, position};
use baton_query::timeline::{text, timeline};
use saga_core::definition::Definition;
use saga_core::event::{Entry, Outcome};
use saga_core::machine;
use saga_core::saga::CommandId;
use std::time::Duration;
use tonic::Status;

/// Journal entries an explanation is made from at most: far beyond what any definition's budgets allow without operators.
const MAX_JOURNAL: u32 = 10_000;

/// How long a participant may take to say what it knows. An explanation without that comes at once.
const PATIENCE: Duration = Duration::from_secs(1);

/// Width of the timeline.
const WIDTH: usize = 100;

/// Says where a saga is, why, and what can be done.
pub struct Explainer<'a> {
    pub(in crate::api) lookup: Lookup<'a>,
    pub(in crate::api) operations: Option<&'a Operations>,
    pub(in crate::api) probe: &'a dyn Probe,
}

impl Explainer<'_> {
    pub(super) async fn explain(
        &self,
        request: &wire::ExplainSagaRequest,
    ) -> Result<wire::ExplainSagaResponse, Status> {
        let id = saga_id("name", &request.name)?;
        let record = match self.lookup.store.get(id).await {
            Ok(Some(record)) => record,
            Ok(None) => return Err(self.lookup.not_found(id).await),
            Err(StoreError::Unreadable(why)) => {
                let explanation = explain_proto::explanation(&explain::unreadable(&why), None);
                return Ok(wire::ExplainSagaResponse {
                    saga: None,
                    explanation: Some(explanation),
                    timeline: String::new(),
                });
            }
            Err(error) => return Err(of_store(&error)),
        };
        let (journal, lost) = self.journal_of(&record).await?;
        let saga_type = self.lookup.registry.pinned(&record.saga.definition).cloned();
        let definition = saga_type.as_ref().map(|saga_type| saga_type.definition());
        let open = definition.and_then(|definition| open(definition, &record));
        let ledger = match &open {
            Some((participant, command)) => Some(self.ledger(participant, *command).await),
            None => None,
        };
        let now = self.lookup.store.now();
        let hold = definition.and_then(|definition| self.barrier(definition, &record));
        let case = Case { definition, saga: &record.saga, journal: &journal, ledger, hold, now };
        let explanation = explain::explain(&case);
        let explanation = Explanation { gap: lost.or(explanation.gap.clone()), ..explanation };
        let asked = open.as_ref().map(|(participant, _)| participant.as_str());
        Ok(wire::ExplainSagaResponse {
            saga: Some(view::saga(self.lookup.registry, &record)),
            explanation: Some(explain_proto::explanation(&explanation, asked)),
            timeline: text(&timeline(definition, &journal, now.max(record.saga.updated_at)), WIDTH),
        })
    }

    /// The hold that keeps the saga's command back, as far as this process knows.
    fn barrier(&self, definition: &Definition, record: &Record) -> Option<Hold> {
        let standing = self.operations?.known_holds().standing();
        let (step, ..) = position(&record.saga.state)?;
        barrier(&standing, definition, [step]).map(|barrier| refusal::as_told(&barrier))
    }

    /// The journal up to the saga's version, and what is missing if it cannot be read. A saga whose journal is damaged is
    /// explained all the same, without its past.
    async fn journal_of(&self, record: &Record) -> Result<(Vec<Entry>, Option<String>), Status> {
        // The newest: what the saga waits for follows from them.
        let after = record.saga.version.saturating_sub(MAX_JOURNAL.into());
        match self.lookup.store.journal(record.saga.id, after, MAX_JOURNAL).await {
            Ok(mut journal) => {
                // The saga may have moved since its row was read.
                journal.retain(|entry| entry.version <= record.saga.version);
                Ok((journal, None))
            }
            Err(StoreError::Unreadable(why)) => {
                tracing::error!(why, "journal does not decode");
                let gap = "Its journal cannot be read by this build, so that what happened is not told here.";
                Ok((Vec::new(), Some(gap.to_owned())))
            }
            Err(error) => Err(of_store(&error)),
        }
    }

    async fn ledger(&self, participant: &str, command: CommandId) -> Knowledge {
        let asked = tokio::time::timeout(PATIENCE, self.probe.ask(participant, &[command])).await;
        let Ok(Some(answers)) = asked else { return Knowledge::Unreachable };
        let own = answers.into_iter().find(|(saga, reply)| {
            *saga == command.saga && (reply.step, reply.direction) == (command.step, command.direction)
        });
        match own.map(|(_, reply)| reply.outcome) {
            Some(Outcome::Succeeded { .. }) => Knowledge::Known(Answer::Succeeded),
            Some(Outcome::Rejected { reason, message: _ }) => Knowledge::Known(Answer::Rejected(reason)),
            // No ledger keeps that an answer was not to be had.
            Some(Outcome::Unavailable { .. }) | None => Knowledge::Unknown,
        }
    }
}

/// The command that was sent and not settled, and who has it. A row that cannot be right asks nobody.
fn open(definition: &Definition, record: &Record) -> Option<(String, CommandId)> {
    let saga = &record.saga;
    machine::check(definition, saga).ok()?;
    let (half, _) =
        StepPosition::of(definition, saga).filter(|(half, attempt)| *attempt > 0 && !half.participant.is_empty())?;
    Some((half.participant, CommandId { saga: saga.id, step: half.position, direction: half.direction }))
}

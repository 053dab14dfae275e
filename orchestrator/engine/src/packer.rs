//! Commands packed into messages: one message per participant carries as many as fit.

use crate::sagas::{PayloadError, SagaType};
use baton_courier::bus::{Destination, MAX_BODY, Message};
use baton_proto::baton::participant::v1 as wire;
use bytes::{Bytes, BytesMut};
use prost::Message as _;
use saga_core::saga::{DefinitionId, Direction, Saga};
use saga_core::transition::Command;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Commands in one message. Beyond this a message no longer gets cheaper per command, and one lost message concerns
/// more sagas.
pub const MAX_COMMANDS: usize = 256;

/// Room left below the bus's bound for framing.
const MAX_BYTES: usize = MAX_BODY - 1024;

/// A command with everything its message needs.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Whose command queue.
    pub participant: String,
    /// `participant.verb`.
    pub name: String,
    /// The command.
    pub command: Command,
    /// The business message.
    pub payload: Bytes,
    /// The saga's trace context.
    pub traceparent: String,
    /// The saga's definition.
    pub definition: DefinitionId,
    /// The step has no action: its undo stands alone.
    pub effect_before_saga: bool,
}

impl Outgoing {
    /// A command of a saga with its payload.
    ///
    /// # Errors
    /// If the payload cannot be built.
    pub fn of(
        saga_type: &dyn SagaType,
        saga: &Saga,
        traceparent: &str,
        command: Command,
    ) -> Result<Self, PayloadError> {
        let payload = saga_type.payload(saga, command.id.step, command.id.direction)?;
        let step = &saga_type.definition().steps()[usize::from(command.id.step)];
        let name = match command.id.direction {
            Direction::Action => step.action.clone(),
            Direction::Undo => step.undo.clone(),
        };
        Ok(Self {
            participant: step.participant.clone(),
            name: name.unwrap_or_default(),
            command,
            payload,
            traceparent: traceparent.to_owned(),
            definition: saga.definition.clone(),
            effect_before_saga: step.action.is_none(),
        })
    }
}

/// Packs commands into messages, one per participant and at most [`MAX_COMMANDS`] and the bus's body bound each.
pub fn pack(commands: Vec<Outgoing>, new_id: &dyn Fn() -> Uuid) -> Vec<Message> {
    let mut by_participant: BTreeMap<String, Vec<wire::Command>> = BTreeMap::new();
    for outgoing in commands {
        by_participant.entry(outgoing.participant.clone()).or_default().push(encode(outgoing));
    }
    let mut messages = Vec::new();
    for (participant, commands) in by_participant {
        let mut batch = wire::CommandBatch::default();
        let mut bytes = 0;
        for command in commands {
            let size = command.encoded_len() + 8;
            if batch.commands.len() == MAX_COMMANDS || (bytes + size > MAX_BYTES && !batch.commands.is_empty()) {
                messages.push(seal(&participant, std::mem::take(&mut batch), new_id));
                bytes = 0;
            }
            bytes += size;
            batch.commands.push(command);
        }
        if !batch.commands.is_empty() {
            messages.push(seal(&participant, batch, new_id));
        }
    }
    messages
}

fn seal(participant: &str, batch: wire::CommandBatch, new_id: &dyn Fn() -> Uuid) -> Message {
    let mut body = BytesMut::with_capacity(batch.encoded_len());
    batch.encode_raw(&mut body);
    Message { id: new_id(), destination: Destination::Commands(participant.to_owned()), body: body.freeze() }
}

fn encode(outgoing: Outgoing) -> wire::Command {
    let id = outgoing.command.id;
    let direction = match id.direction {
        Direction::Action => wire::Direction::Action,
        Direction::Undo => wire::Direction::Undo,
    };
    wire::Command {
        key: Some(wire::CommandKey {
            saga_id: Bytes::copy_from_slice(&id.saga.0),
            step: u32::from(id.step),
            direction: direction.into(),
        }),
        attempt: outgoing.command.attempt,
        name: outgoing.name,
        payload: outgoing.payload,
        deadline_us: outgoing.command.deadline.map_or(0, |deadline| deadline.0),
        traceparent: outgoing.traceparent,
        effect_before_saga: outgoing.effect_before_saga,
        definition: outgoing.definition.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use saga_core::saga::{CommandId, SagaId};

    fn command(n: u8, participant: &str, payload: usize) -> Outgoing {
        Outgoing {
            participant: participant.to_owned(),
            name: format!("{participant}.do"),
            command: Command {
                id: CommandId { saga: SagaId([n; 16]), step: 1, direction: Direction::Action },
                attempt: 1,
                deadline: None,
            },
            payload: Bytes::from(vec![7; payload]),
            traceparent: String::new(),
            definition: DefinitionId { name: "order".into(), version: 1 },
            effect_before_saga: false,
        }
    }

    #[test]
    fn one_message_per_participant() {
        let commands = (0..200).map(|n| command(n, if n % 2 == 0 { "order" } else { "stock" }, 10)).collect();
        let messages = pack(commands, &Uuid::now_v7);
        let destinations = ["order", "stock"].map(|name| Destination::Commands(name.to_owned()));
        assert_eq!(messages.iter().map(|m| m.destination.clone()).collect::<Vec<_>>(), destinations);
    }

    #[test]
    fn messages_are_bounded_in_count_and_bytes() {
        let many = (0..600_u32).map(|n| command((n % 251) as u8, "order", 10)).collect();
        let sizes: Vec<usize> = pack(many, &Uuid::now_v7)
            .iter()
            .map(|m| wire::CommandBatch::decode(m.body.clone()).expect("our own bytes").commands.len())
            .collect();
        assert_eq!(sizes, [256, 256, 88]);
        let large = (0..20).map(|n| command(n, "order", 60 * 1024)).collect();
        let messages = pack(large, &Uuid::now_v7);
        assert!(messages.len() >= 5);
        assert!(messages.iter().all(|m| m.body.len() <= MAX_BODY));
    }
}

//! What carries commands and replies between the programs of a storm.

use super::links::Pair;
use clap::ValueEnum;
use serde::Serialize;

/// What carries commands and replies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Courier {
    /// RabbitMQ
    #[default]
    Rabbitmq,
    /// Streams from orchestrators to participants, without a broker
    Grpc,
}

impl Courier {
    /// As on the command line and in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rabbitmq => "rabbitmq",
            Self::Grpc => "grpc",
        }
    }

    /// Between whom it carries.
    #[must_use]
    pub fn pairs(self) -> &'static [Pair] {
        match self {
            Self::Rabbitmq => &[Pair::OrchestratorBroker, Pair::ParticipantBroker],
            Self::Grpc => &[Pair::OrchestratorParticipant],
        }
    }
}

//! What a participant counts. Labels are bounded: participants, their command names, outcomes; never ids.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// The numbers of all participants of this process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ParticipantMetrics {
    commands: Family<CommandLabels, Counter>,
    batches: Family<ParticipantLabel, Histogram, fn() -> Histogram>,
    repeats: Family<ParticipantLabel, Counter>,
    in_hand: Family<ParticipantLabel, Counter>,
    failures: Family<ParticipantLabel, Counter>,
    quarantined: Family<ParticipantLabel, Counter>,
    redelivered: Family<ParticipantLabel, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CommandLabels {
    participant: &'static str,
    command: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ParticipantLabel {
    participant: &'static str,
}

impl ParticipantMetrics {
    /// Registers the numbers, once per process; names begin with `saga_participant_`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "saga_participant_commands",
            "Commands answered, by participant, command and outcome",
            metrics.commands.clone(),
        );
        registry.register("saga_participant_batch_commands", "Commands per batch", metrics.batches.clone());
        registry.register(
            "saga_participant_repeated_commands",
            "Commands answered from the ledger",
            metrics.repeats.clone(),
        );
        registry.register(
            "saga_participant_commands_in_hand",
            "Commands dropped because the same one was being worked on",
            metrics.in_hand.clone(),
        );
        registry.register(
            "saga_participant_handler_failures",
            "Batches or commands whose handler failed or panicked",
            metrics.failures.clone(),
        );
        registry.register(
            "saga_participant_quarantined_items",
            "Items that could not be read and went to the dead-letter queue",
            metrics.quarantined.clone(),
        );
        registry.register(
            "saga_participant_redelivered_messages",
            "Messages that the bus delivered again",
            metrics.redelivered.clone(),
        );
        metrics
    }

    /// `command` is one of the participant's names, or "other".
    pub(crate) fn answered(&self, participant: &'static str, command: &'static str, outcome: &'static str) {
        self.commands.get_or_create(&CommandLabels { participant, command, outcome }).inc();
    }

    pub(crate) fn batch(&self, participant: &'static str, commands: usize) {
        #[expect(clippy::cast_precision_loss, reason = "a batch is far below 2^52 commands")]
        self.batches.get_or_create(&ParticipantLabel { participant }).observe(commands as f64);
    }

    pub(crate) fn repeated(&self, participant: &'static str) {
        self.repeats.get_or_create(&ParticipantLabel { participant }).inc();
    }

    pub(crate) fn in_hand(&self, participant: &'static str, commands: usize) {
        self.in_hand.get_or_create(&ParticipantLabel { participant }).inc_by(commands as u64);
    }

    pub(crate) fn failed(&self, participant: &'static str) {
        self.failures.get_or_create(&ParticipantLabel { participant }).inc();
    }

    pub(crate) fn quarantined(&self, participant: &'static str, items: usize) {
        self.quarantined.get_or_create(&ParticipantLabel { participant }).inc_by(items as u64);
    }

    pub(crate) fn redelivered(&self, participant: &'static str, messages: usize) {
        self.redelivered.get_or_create(&ParticipantLabel { participant }).inc_by(messages as u64);
    }
}

impl Default for ParticipantMetrics {
    /// Numbers that nobody reads, for tests.
    fn default() -> Self {
        Self {
            commands: Family::default(),
            // 1 to 16,384 commands: the most that 64 messages of 256 commands bring.
            batches: Family::new_with_constructor(|| Histogram::new(exponential_buckets(1.0, 4.0, 8))),
            repeats: Family::default(),
            in_hand: Family::default(),
            failures: Family::default(),
            quarantined: Family::default(),
            redelivered: Family::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ParticipantMetrics;
    use prometheus_client::registry::Registry;

    #[test]
    fn numbers_of_several_participants_share_one_family() {
        let mut registry = Registry::default();
        let metrics = ParticipantMetrics::register(&mut registry);
        metrics.answered("order", "order.open", "succeeded");
        metrics.answered("stock", "stock.reserve", "rejected");
        metrics.batch("stock", 3);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        assert_eq!(text.matches("# TYPE saga_participant_commands counter").count(), 1);
        assert!(text.contains(r#"participant="stock",command="stock.reserve",outcome="rejected""#), "{text}");
    }
}

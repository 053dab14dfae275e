//! Defects that lie where the simulator does not look, each with the test that plants it and what notices it there.

/// A defect planted by a test of its own.
#[derive(Clone, Copy, Debug)]
pub struct Elsewhere {
    /// Its name.
    pub name: &'static str,
    /// What is wrong then.
    pub what: &'static str,
    /// The invariant that notices it.
    pub breaks: &'static str,
    /// The package the test is in.
    pub package: &'static str,
    /// Its file, from the root of the repository.
    pub file: &'static str,
    /// The test.
    pub test: &'static str,
}

impl Elsewhere {
    /// The command that shows it.
    #[must_use]
    pub fn command(&self) -> String {
        format!("cargo test -p {} --test it {}", self.package, self.test)
    }
}

/// One of the traps of a driver or a server.
const fn trap(
    name: &'static str,
    what: &'static str,
    breaks: &'static str,
    file: &'static str,
    test: &'static str,
) -> Elsewhere {
    Elsewhere { name, what, breaks, package: "baton-lab", file, test }
}

/// A wrong table, caught by the exhaustive walk.
const fn table(name: &'static str, what: &'static str, breaks: &'static str, test: &'static str) -> Elsewhere {
    let file = "saga-core/tests/it/exhaust.rs";
    Elsewhere { name, what, breaks, package: "saga-core", file, test }
}

/// Every one of them.
pub const ELSEWHERE: &[Elsewhere] = &[
    trap(
        "real dropped-begin",
        "MariaDB through the driver's own pool: a `begin` whose caller went away leaves the next one in its transaction",
        "I1",
        "lab/tests/it/traps/database.rs",
        "a_dropped_begin_swallows_no_write",
    ),
    trap(
        "real lost-update",
        "MariaDB at its default REPEATABLE READ, read without a lock",
        "I13",
        "lab/tests/it/traps/database.rs",
        "no_update_is_lost_to_repeatable_read",
    ),
    trap(
        "real trust-unroutable",
        "RabbitMQ through the driver: each confirm is believed, that of a message without a queue too",
        "I14",
        "lab/tests/it/traps/broker.rs",
        "an_unroutable_message_is_never_believed_to_be_taken_over",
    ),
    trap(
        "real stream-ends-silently",
        "RabbitMQ through the driver: the queue is deleted, the consumer's loop ends and nobody notices",
        "I17",
        "lab/tests/it/traps/broker.rs",
        "a_consumer_whose_stream_ended_in_silence_hears_again",
    ),
    Elsewhere {
        name: "storm without safety nets",
        what: "real processes whose engines never look at sagas that wait, under a broker that comes back empty",
        breaks: "I17",
        package: "baton-lab",

        file: "lab/tests/it/cli_storm.rs",
        test: "an_engine_without_its_safety_nets_is_caught",
    },
    table("skips-an-undo", "an undo is left out while unwinding", "I10", "skips_an_undo"),
    table("undoes-twice", "a step is undone twice", "I9", "undoes_twice"),
    table("moves-after-the-end", "a saga that has ended moves", "I11", "moves_after_the_end"),
    table("acts-after-unwinding", "an action is sent while the saga unwinds", "I8", "acts_after_unwinding"),
    table("forgets-the-deadline", "an active saga has no deadline", "I17", "forgets_the_deadline"),
    table(
        "loses-an-action",
        "an operator's action is missing in the journal",
        "I12",
        "loses_an_action_from_the_journal",
    ),
];

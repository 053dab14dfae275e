//! A participant with one table in which every effect leaves a row, so that effects can be counted.

use async_trait::async_trait;
use baton_participant_kit::participant::{Answer, Command, CommandDirection, CommandKey, Participant};
use baton_participant_kit::reason::STORE_CONFLICT;
use baton_participant_kit::single::SingleHandler;
use baton_rpc::reason::Reason;
use baton_sql::database::{Database, Tx};
use baton_sql::error::SqlError;
use baton_sql::migration::Migration;
use bytes::Bytes;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// What a command's payload asks the toy to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Mood {
    Succeed = 0,
    Reject = 1,
    BeUnavailable = 2,
    BreakConstraint = 3,
    Panic = 4,
    PanicInPrepare = 5,
    LongOutput = 6,
    /// Waits in prepare until the test lets it go.
    Wait = 7,
    /// Takes [`DOZE`] in prepare.
    Doze = 8,
}

const OUT_OF_STOCK: Reason = Reason::new("OUT_OF_STOCK");

/// As long as a provider's answer may take that is no trouble. For tests whose clock is turned.
pub const DOZE: Duration = Duration::from_millis(200);

const MIGRATIONS: &[Migration] = &[Migration {
    id: "0001_effect",
    mariadb:
        "CREATE TABLE IF NOT EXISTS effect (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, saga_id BINARY(16) NOT NULL,
        step BIGINT NOT NULL, amount BIGINT NOT NULL, CHECK (amount <> 0)) ENGINE = InnoDB",
    sqlite: "CREATE TABLE IF NOT EXISTS effect (id INTEGER PRIMARY KEY, saga_id BLOB NOT NULL, step INTEGER NOT NULL,
        amount INTEGER NOT NULL CHECK (amount <> 0)) STRICT",
}];

/// Handles whole batches.
#[derive(Debug, Default)]
pub struct Toy {
    /// Batches that reached the handler.
    pub batches: AtomicUsize,
    /// Commands that were prepared.
    pub prepared: AtomicUsize,
    /// Batches that are being prepared, and the most there were at once.
    pub preparing: AtomicUsize,
    pub most_preparing: AtomicUsize,
    /// Refusals turn into successes, to see which refusals were stored.
    pub changed_its_mind: AtomicBool,
    /// A command in [`Mood::Wait`] has begun to wait.
    pub waiting: Notify,
    /// Ends the waiting.
    pub go: Notify,
}

/// Handles one command at a time.
#[derive(Debug, Default)]
pub struct SingleToy;

#[async_trait]
impl Participant for Toy {
    type Prepared = Mood;

    const PREPARES: bool = true;

    fn name(&self) -> &'static str {
        "toy"
    }

    fn commands(&self) -> &'static [&'static str] {
        &["toy.add", "toy.remove"]
    }

    fn migrations(&self) -> &'static [Migration] {
        MIGRATIONS
    }

    async fn prepare(&self, commands: &[Command]) -> Vec<Mood> {
        self.prepared.fetch_add(commands.len(), Ordering::SeqCst);
        let moods = commands.iter().map(mood).collect::<Vec<_>>();
        assert!(!moods.contains(&Mood::PanicInPrepare), "planned panic in prepare");
        let preparing = self.preparing.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_preparing.fetch_max(preparing, Ordering::SeqCst);
        if moods.contains(&Mood::Wait) {
            self.waiting.notify_one();
            self.go.notified().await;
        }
        if moods.contains(&Mood::Doze) {
            tokio::time::sleep(DOZE).await;
        }
        self.preparing.fetch_sub(1, Ordering::SeqCst);
        moods
    }

    async fn handle(&self, tx: &mut Tx, batch: &[(Command, Mood)]) -> Result<Vec<Answer>, SqlError> {
        self.batches.fetch_add(1, Ordering::SeqCst);
        let mut answers = Vec::new();
        for (command, mood) in batch {
            let mood = match mood {
                Mood::Reject if self.changed_its_mind.load(Ordering::SeqCst) => Mood::Succeed,
                other => *other,
            };
            // A batch handler must change nothing for a command it does not do.
            let answer = act(mood);
            if matches!(mood, Mood::BreakConstraint | Mood::LongOutput) || matches!(answer, Answer::Succeeded { .. }) {
                effect(tx, command, mood).await?;
            }
            answers.push(answer);
        }
        Ok(answers)
    }
}

#[async_trait]
impl SingleHandler for SingleToy {
    type Prepared = ();

    const PREPARES: bool = false;

    fn name(&self) -> &'static str {
        "toy"
    }

    fn commands(&self) -> &'static [&'static str] {
        &["toy.add", "toy.remove"]
    }

    fn migrations(&self) -> &'static [Migration] {
        MIGRATIONS
    }

    async fn prepare(&self, _command: &Command) {}

    async fn handle(&self, tx: &mut Tx, command: &Command, _prepared: &()) -> Result<Answer, SqlError> {
        // Writes first whatever comes of it: the savepoint has to undo it.
        effect(tx, command, Mood::Succeed).await?;
        if mood(command) == Mood::BreakConstraint {
            effect(tx, command, Mood::BreakConstraint).await?;
        }
        Ok(act(mood(command)))
    }
}

fn mood(command: &Command) -> Mood {
    let moods = [
        Mood::Succeed,
        Mood::Reject,
        Mood::BeUnavailable,
        Mood::BreakConstraint,
        Mood::Panic,
        Mood::PanicInPrepare,
        Mood::LongOutput,
        Mood::Wait,
        Mood::Doze,
    ];
    moods[usize::from(command.payload.first().copied().unwrap_or(0))]
}

fn act(mood: Mood) -> Answer {
    match mood {
        Mood::Succeed | Mood::BreakConstraint | Mood::PanicInPrepare | Mood::Wait | Mood::Doze => {
            Answer::Succeeded { output: Bytes::from_static(b"done") }
        }
        Mood::Reject => Answer::rejected(OUT_OF_STOCK, "planned"),
        Mood::BeUnavailable => Answer::unavailable(STORE_CONFLICT, "planned"),
        Mood::LongOutput => Answer::Succeeded { output: Bytes::from(vec![0; 16 * 1024 + 1]) },
        Mood::Panic => panic!("planned panic"),
    }
}

async fn effect(tx: &mut Tx, command: &Command, mood: Mood) -> Result<(), SqlError> {
    let amount = match (mood, command.key.direction) {
        (Mood::BreakConstraint, _) => 0,
        (_, CommandDirection::Action) => 1,
        (_, CommandDirection::Undo) => -1,
    };
    let row = vec![command.key.saga.into(), command.key.step.into(), amount.into()];
    tx.insert_many("effect", &["saga_id", "step", "amount"], vec![row]).await.map(drop)
}

/// A toy command of saga `saga`, step 1.
pub fn command(saga: u32, direction: CommandDirection, mood: Mood) -> Command {
    let mut id = [0; 16];
    id[12..].copy_from_slice(&saga.to_be_bytes());
    let name = match direction {
        CommandDirection::Action => "toy.add",
        CommandDirection::Undo => "toy.remove",
    };
    Command {
        key: CommandKey { saga: id, step: 1, direction },
        attempt: 1,
        name: name.to_owned(),
        payload: Bytes::from(vec![mood as u8]),
        deadline_us: 0,
        traceparent: "00-trace".to_owned(),
        effect_before_saga: false,
    }
}

/// An action that succeeds.
pub fn add(saga: u32) -> Command {
    command(saga, CommandDirection::Action, Mood::Succeed)
}

/// Its undo.
pub fn remove(saga: u32) -> Command {
    command(saga, CommandDirection::Undo, Mood::Succeed)
}

/// How often a saga's action and its undo took effect.
pub async fn effects(database: &Database, saga: u32) -> (i64, i64) {
    let sql = "SELECT amount FROM effect WHERE saga_id = ?";
    let rows = database.query(sql, vec![add(saga).key.saga.into()]).await.unwrap();
    let amounts = rows.iter().map(|row| row.int(0).unwrap()).collect::<Vec<_>>();
    let count = |wanted: i64| amounts.iter().filter(|amount| **amount == wanted).count() as i64;
    (count(1), count(-1))
}

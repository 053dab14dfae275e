//! The ledger's laws, on every database.

use crate::support;
use baton_participant_kit::ledger;
use baton_participant_kit::participant::{Answer, Command, CommandDirection};
use baton_participant_kit::plan::tombstone;
use baton_participant_kit::single::OneAtATime;
use baton_sql::database::Database;
use baton_supervisor::shared;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use support::toy::{Mood, SingleToy, Toy, add, command, effects, remove};
use support::{NOW_US, batches, databases, mariadb_config};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

fn outcomes(answers: &[Answer]) -> String {
    answers.iter().map(|answer| format!("{} {}", answer.outcome(), answer.reason())).collect::<Vec<_>>().join(", ")
}

#[tokio::test]
async fn every_command_repeated_gets_the_stored_answer() {
    for (kind, database, _dir) in databases(&Toy::default()).await {
        let toy = Arc::new(Toy::default());
        let worker = batches(&toy, &database);
        let batch = [add(1), command(2, CommandDirection::Action, Mood::Reject), add(3)];
        let first = worker.answer(&batch).await;
        assert_eq!(outcomes(&first), "succeeded , rejected OUT_OF_STOCK, succeeded ", "{kind}");
        toy.changed_its_mind.store(true, Ordering::SeqCst);
        let handled = toy.batches.load(Ordering::SeqCst);
        for _ in 0..3 {
            assert_eq!(worker.answer(&batch).await, first, "{kind}");
        }
        assert_eq!(toy.batches.load(Ordering::SeqCst), handled, "{kind}: known commands do not reach the handler");
        assert_eq!(toy.prepared.load(Ordering::SeqCst), 3, "{kind}: nor are they prepared again");
        let undo = [remove(1), remove(2)];
        let undone = worker.answer(&undo).await;
        assert_eq!(outcomes(&undone), "succeeded , succeeded ", "{kind}");
        assert_eq!(worker.answer(&undo).await, undone, "{kind}");
        assert_eq!(effects(&database, 1).await, (1, 1), "{kind}");
        assert_eq!(effects(&database, 2).await, (0, 0), "{kind}: what was refused has nothing to undo");
        assert_eq!(effects(&database, 3).await, (1, 0), "{kind}");
    }
}

#[tokio::test]
async fn an_undo_before_its_action_refuses_the_late_action() {
    for (kind, database, _dir) in databases(&Toy::default()).await {
        let toy = Arc::new(Toy::default());
        let worker = batches(&toy, &database);
        assert_eq!(worker.answer(&[remove(1)]).await, [Answer::done()], "{kind}");
        assert_eq!(worker.answer(&[add(1)]).await, [tombstone()], "{kind}");
        assert_eq!(worker.answer(&[remove(1), add(1)]).await, [Answer::done(), tombstone()], "{kind}");
        assert_eq!(worker.answer(&[add(2), remove(2)]).await, [tombstone(), Answer::done()], "{kind}: in one batch");
        assert_eq!((effects(&database, 1).await, effects(&database, 2).await), ((0, 0), (0, 0)), "{kind}");
        assert_eq!(toy.batches.load(Ordering::SeqCst), 0, "{kind}");
    }
}

#[tokio::test]
async fn the_undo_of_an_effect_before_the_saga_is_always_handled_once() {
    for (kind, database, _dir) in databases(&Toy::default()).await {
        let worker = batches(&Arc::new(Toy::default()), &database);
        let mut undo = remove(1);
        undo.effect_before_saga = true;
        for _ in 0..2 {
            assert_eq!(outcomes(&worker.answer(&[undo.clone()]).await), "succeeded ", "{kind}");
        }
        assert_eq!(effects(&database, 1).await, (0, 1), "{kind}");
    }
}

#[tokio::test]
async fn a_poisoned_command_holds_up_nobody() {
    for (kind, database, _dir) in databases(&Toy::default()).await {
        let moods = [Mood::BreakConstraint, Mood::Panic, Mood::PanicInPrepare, Mood::LongOutput];
        for (round, poison) in moods.into_iter().enumerate() {
            let worker = batches(&Arc::new(Toy::default()), &database);
            let base = 100 * u32::try_from(round).unwrap();
            let mut batch = (1..=20).map(|n| add(base + n)).collect::<Vec<_>>();
            batch[7] = command(base + 8, CommandDirection::Action, poison);
            let answers = worker.answer(&batch).await;
            for (index, answer) in answers.iter().enumerate() {
                let expected = if index == 7 { "unavailable HANDLER_FAILED" } else { "succeeded " };
                assert_eq!(outcomes(std::slice::from_ref(answer)), expected, "{kind} {poison:?} {index}");
                let count = i64::from(index != 7);
                assert_eq!(effects(&database, base + 1 + index as u32).await, (count, 0), "{kind} {poison:?} {index}");
            }
            // Nothing was stored for it: once the defect is gone, it is done.
            assert_eq!(outcomes(&worker.answer(&[add(base + 8)]).await), "succeeded ", "{kind} {poison:?}");
        }
    }
}

#[tokio::test]
async fn one_poisoned_command_costs_a_few_rounds_and_no_second_preparation() {
    for (kind, database, _dir) in databases(&Toy::default()).await {
        for place in [0, 21, 63] {
            let toy = Arc::new(Toy::default());
            let mut batch = (0..64).map(|n| add(100 * (place + 1) + n)).collect::<Vec<_>>();
            let saga = 100 * (place + 1) + place;
            batch[place as usize] = command(saga, CommandDirection::Action, Mood::BreakConstraint);
            let answers = batches(&toy, &database).answer(&batch).await;
            assert_eq!(answers.iter().filter(|answer| **answer != answers[1]).count(), 1, "{kind} {place}");
            assert_eq!(outcomes(&answers[place as usize..=place as usize]), "unavailable HANDLER_FAILED", "{kind}");
            assert_eq!(toy.batches.load(Ordering::SeqCst), 13, "{kind} {place}: twice six halves and the whole");
            assert_eq!(toy.prepared.load(Ordering::SeqCst), 64, "{kind} {place}");
        }
    }
}

#[tokio::test]
async fn the_same_command_twice_in_one_batch_is_handled_once_and_answered_twice() {
    for (kind, database, _dir) in databases(&Toy::default()).await {
        let worker = batches(&Arc::new(Toy::default()), &database);
        let mut again = add(1);
        again.attempt = 2;
        assert_eq!(outcomes(&worker.answer(&[add(1), again, add(2)]).await), "succeeded , succeeded , succeeded ");
        assert_eq!((effects(&database, 1).await, effects(&database, 2).await), ((1, 0), (1, 0)), "{kind}");
    }
}

#[tokio::test]
async fn of_a_command_and_its_repetitions_in_one_batch_the_newest_decides() {
    for (kind, database, _dir) in databases(&Toy::default()).await {
        let worker = batches(&Arc::new(Toy::default()), &database);
        let attempt = |saga, attempt, deadline_us| Command { attempt, deadline_us, ..add(saga) };
        let unknown = |command: Command| Command { name: "toy.paint".to_owned(), ..command };
        let (passed, ahead) = (NOW_US - 1, NOW_US + 1);
        let done = "succeeded , succeeded ";
        let late = "unavailable DEADLINE_PASSED, unavailable DEADLINE_PASSED";
        let cases = [
            (attempt(1, 1, passed), attempt(1, 8, ahead), done, "the older deadline has passed"),
            (attempt(2, 1, passed), attempt(2, 2, 0), done, "0 never passes"),
            (attempt(3, 2, passed), attempt(3, 2, ahead), done, "of one attempt the later deadline"),
            (attempt(4, 2, passed), attempt(4, 2, 0), done, "which 0 is"),
            (attempt(5, 1, ahead), attempt(5, 2, passed), late, "the newest is given up as well"),
            (attempt(6, 1, 0), unknown(attempt(6, 2, 0)), done, "the name that is known"),
        ];
        for (saga, (older, newer, expected, why)) in (1..).zip(cases) {
            let backwards = Command { key: add(saga + 50).key, ..older.clone() };
            let pairs = [[older, newer.clone()], [Command { key: add(saga + 50).key, ..newer }, backwards]];
            for pair in pairs {
                assert_eq!(outcomes(&worker.answer(&pair).await), expected, "{kind}: {why}");
            }
            let count = i64::from(expected == done);
            for saga in [saga, saga + 50] {
                assert_eq!(effects(&database, saga).await, (count, 0), "{kind}: {why}");
            }
        }
    }
}

#[tokio::test]
async fn no_answer_is_not_stored_and_a_deadline_stops_only_what_has_not_begun() {
    for (kind, database, _dir) in databases(&Toy::default()).await {
        let worker = batches(&Arc::new(Toy::default()), &database);
        let unavailable = command(1, CommandDirection::Action, Mood::BeUnavailable);
        assert_eq!(outcomes(&worker.answer(&[unavailable]).await), "unavailable STORE_CONFLICT", "{kind}");
        let mut late = add(1);
        late.deadline_us = NOW_US - 1;
        assert_eq!(outcomes(&worker.answer(&[late.clone()]).await), "unavailable DEADLINE_PASSED", "{kind}");
        assert_eq!(outcomes(&worker.answer(&[add(1)]).await), "succeeded ", "{kind}");
        assert_eq!(outcomes(&worker.answer(&[late]).await), "succeeded ", "{kind}: its answer is known");
        let mut unknown = add(2);
        unknown.name = "toy.paint".to_owned();
        assert_eq!(outcomes(&worker.answer(&[unknown]).await), "unavailable UNKNOWN_COMMAND", "{kind}");
        assert_eq!(effects(&database, 1).await, (1, 0), "{kind}");
    }
}

#[tokio::test]
async fn one_at_a_time_gets_batches_by_savepoints() {
    for (kind, database, _dir) in databases(&OneAtATime(SingleToy)).await {
        let worker = batches(&Arc::new(OneAtATime(SingleToy)), &database);
        let moods =
            [Mood::Succeed, Mood::Reject, Mood::BeUnavailable, Mood::BreakConstraint, Mood::Panic, Mood::Succeed];
        let batch = moods.iter().zip(1..).map(|(mood, saga)| command(saga, CommandDirection::Action, *mood));
        let answers = worker.answer(&batch.collect::<Vec<_>>()).await;
        let expected = "succeeded , rejected OUT_OF_STOCK, unavailable STORE_CONFLICT, unavailable HANDLER_FAILED, \
                        unavailable HANDLER_FAILED, succeeded ";
        assert_eq!(outcomes(&answers), expected, "{kind}");
        for saga in 1..=6 {
            let count = i64::from(saga == 1 || saga == 6);
            assert_eq!(effects(&database, saga).await, (count, 0), "{kind} {saga}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_workers_with_the_same_commands_do_them_once() {
    for (kind, database, _dir) in databases(&Toy::default()).await {
        let (one, two) = (Arc::new(Toy::default()), Arc::new(Toy::default()));
        for round in 0..10 {
            let base = round * 100;
            let batch = (base..base + 40).map(add).collect::<Vec<_>>();
            let reversed = batch.iter().rev().cloned().collect::<Vec<_>>();
            let (first, second) = (batches(&one, &database), batches(&two, &database));
            let (left, right) = tokio::join!(
                tokio::spawn(async move { first.answer(&batch).await }),
                tokio::spawn(async move { second.answer(&reversed).await })
            );
            let all = [left.unwrap(), right.unwrap()].concat();
            assert!(all.iter().all(|answer| answer.outcome() == "succeeded"), "{kind}: {}", outcomes(&all));
            for saga in base..base + 40 {
                assert_eq!(effects(&database, saga).await, (1, 0), "{kind} {saga}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_undo_that_races_its_action_wins_or_undoes() {
    for (kind, database, _dir) in databases(&Toy::default()).await {
        let (one, two) = (Arc::new(Toy::default()), Arc::new(Toy::default()));
        for saga in 0..60 {
            let (first, second) = (batches(&one, &database), batches(&two, &database));
            let (action, undo) = tokio::join!(
                tokio::spawn(async move { first.answer(&[add(saga)]).await }),
                tokio::spawn(async move { second.answer(&[remove(saga)]).await })
            );
            assert_eq!(outcomes(&undo.unwrap()), "succeeded ", "{kind}");
            let expected = if action.unwrap() == [tombstone()] { (0, 0) } else { (1, 1) };
            assert_eq!(effects(&database, saga).await, expected, "{kind} {saga}");
        }
    }
}

#[tokio::test]
async fn a_store_that_is_away_is_said_to_be_away() {
    let url = shared::fresh_schema(shared::mariadb().await);
    let (url, line) = cuttable(&url).await;
    let database = Database::open(mariadb_config(&url)).await.unwrap();
    let toy = Arc::new(Toy::default());
    database.migrate(&ledger::migrations(toy.as_ref())).await.unwrap();
    let worker = batches(&toy, &database);
    assert_eq!(outcomes(&worker.answer(&[add(1)]).await), "succeeded ");
    drop(line);
    let answers = worker.answer(&[add(1), add(2), add(3)]).await;
    let expected = ["unavailable STORE_UNAVAILABLE"; 3].join(", ");
    assert_eq!(outcomes(&answers), expected);
}

/// The same server behind a line that is cut when the second value is dropped.
async fn cuttable(url: &str) -> (String, JoinSet<()>) {
    let address = url.split(['@', '/']).find(|part| part.starts_with("127.0.0.1:")).unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = url.replace(&address, &listener.local_addr().unwrap().to_string());
    let mut line = JoinSet::new();
    line.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((mut near, _)) = listener.accept().await {
            let mut far = TcpStream::connect(&address).await.unwrap();
            connections.spawn(async move {
                // How a connection ends is the test's business.
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
    (url, line)
}

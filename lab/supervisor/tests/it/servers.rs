//! Each private server starts, survives its kills with its data, and leaves nothing behind.

use baton_supervisor::process::group_is_alive;
use baton_supervisor::rabbitmq::COUNTED_EVERY;
use baton_supervisor::{MariaDb, Probe, Process, RabbitMq, Redis};
use nix::unistd::Pid;
use std::process::Command;

fn group(process: &Process) -> Pid {
    Pid::from_raw(process.pid().expect("it runs").cast_signed())
}

#[tokio::test]
async fn mariadb_keeps_its_data_through_a_kill_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let server = MariaDb::start(dir.path()).await.unwrap();
    server.create_schema("shop").unwrap();
    server.create_user("clerk", "it's \\ a secret", "shop", "SELECT, INSERT").unwrap();
    server.execute("CREATE TABLE shop.t (id INT PRIMARY KEY); INSERT INTO shop.t VALUES (1);").unwrap();
    let port = server.port();
    server.restart().await.unwrap();
    assert_eq!(server.port(), port);
    let refused = server.execute("INSERT INTO shop.t VALUES (1);").unwrap_err();
    assert!(refused.to_string().contains("Duplicate entry"), "{refused:#}");
    assert!(server.create_schema("a`b").is_err());
    server.stop().unwrap();
    assert!(!server.process().is_running());
    server.restart().await.unwrap();
    let left = group(server.process());
    assert!(group_is_alive(left));
    drop(server);
    assert!(!group_is_alive(left));
}

#[tokio::test]
async fn rabbitmq_answers_its_control_program_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let broker = RabbitMq::start(dir.path()).await.unwrap();
    broker.create_vhost("orders").await.unwrap();
    broker.restart().await.unwrap();
    assert!(broker.ctl(&["list_vhosts"]).await.unwrap().contains("orders"));
    assert!(broker.ctl(&["no_such_command"]).await.is_err());
    // Or who waits for empty queues is told of those of five seconds ago.
    let counted_every = broker.ctl(&["eval", "application:get_env(rabbit, quorum_tick_interval)."]).await.unwrap();
    assert_eq!(counted_every.trim(), format!("{{ok,{}}}", COUNTED_EVERY.as_millis()));
    let (node, mapper) = (group(broker.process()), group(broker.mapper_process()));
    drop(broker);
    assert!(!group_is_alive(node) && !group_is_alive(mapper));
}

#[tokio::test]
async fn redis_can_be_frozen_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let server = Redis::start(dir.path()).await.unwrap();
    server.pause().unwrap();
    assert!(server.process().is_running());
    server.resume().unwrap();
    server.restart().await.unwrap();
    let left = group(server.process());
    drop(server);
    assert!(!group_is_alive(left));
}

#[tokio::test]
async fn a_process_that_ends_while_starting_is_reported_with_its_log() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "echo the reason; exit 3"]);
    let process = Process::spawn(command, dir.path(), "short").unwrap();
    let error = process.wait_ready(&Probe::tcp(1)).await.unwrap_err().to_string();
    assert!(error.contains("the reason"), "{error}");
}

#[tokio::test]
async fn a_kill_reaches_the_whole_group() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "sleep 600 & sleep 600"]);
    let process = Process::spawn(command, dir.path(), "family").unwrap();
    let family = group(&process);
    process.pause().unwrap();
    process.kill().unwrap();
    assert!(!group_is_alive(family));
    process.start().unwrap();
    assert!(process.start().is_err(), "started twice");
}

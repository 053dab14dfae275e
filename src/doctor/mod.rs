//! `baton doctor`: looks at an installation from outside and says what is wrong with it, and what to do. Changes nothing.
//!
//! | file | what it looks at |
//! |---|---|
//! | [`shape`] | whether the configuration is what is meant, or a `baton dev` |
//! | [`finding`] | what is found, and how it is shown |
//! | [`stores`] | databases: version, durable settings, schema, rights, clock |
//! | [`mariadb`] | what only a MariaDB server can be asked |
//! | [`broker`] | RabbitMQ: version, queues and what they hold |
//! | [`services`] | Redis, orchestrator, participants |

pub mod broker;
pub mod finding;
pub mod mariadb;
pub mod services;
pub mod shape;
pub mod stores;

use crate::cli::Doctor;
use crate::config::Config;
use crate::failure::Failure;
use crate::linked::Linked;
use crate::show::Printer;
use finding::{Finding, Verdict};
use shape::Shape;
use std::time::Duration;

/// How long any one thing may take to answer before it counts as away.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Clocks that differ by more are worth a word: deadlines move by the difference, nothing else does.
pub const SKEW: Duration = Duration::from_secs(1);

/// Clocks that differ by as much make commands late that have just been sent: a step's usual time-out.
pub const STEP: Duration = Duration::from_secs(5);

/// Carries out `baton doctor`. `others` is what whoever builds on the engine has to say of what their participants need and
/// hold; it is asked unless nothing but the address of a `baton dev` is known.
///
/// # Errors
/// If anything is wrong that must be mended.
pub async fn run(
    args: &Doctor,
    config: &Config,
    linked: &Linked,
    others: impl Future<Output = Vec<Finding>>,
    printer: Printer,
) -> Result<(), Failure> {
    let mut findings = Vec::new();
    match &args.data_dir {
        Some(directory) => {
            findings.extend(stores::of_directory(directory, linked).await);
            findings.extend(others.await);
        }
        None => findings.extend(of_configuration(config, linked, others).await),
    }
    printer.records(&findings);
    let bad = findings.iter().filter(|finding| finding.verdict == Verdict::Bad).count();
    let notes = findings.iter().filter(|finding| finding.verdict == Verdict::Note).count();
    for advice in advice(&findings) {
        printer.say(&advice);
    }
    printer.say(&format!("{} checks, {bad} bad, {notes} worth a word", findings.len()));
    if bad == 0 { Ok(()) } else { Err(Failure::Verdict("something must be mended")) }
}

async fn of_configuration(
    config: &Config,
    linked: &Linked,
    others: impl Future<Output = Vec<Finding>>,
) -> Vec<Finding> {
    let shape = shape::look(config).await;
    if shape == Shape::Embedded {
        return vec![shape::embedded(config), services::orchestrator(config).await];
    }
    let mut findings = stores::of_configuration(config, linked).await;
    let is_away = findings.first().is_some_and(|first| first.check == stores::REACHABLE);
    if shape == Shape::Nobody && is_away {
        findings.insert(0, shape::nobody(config));
    }
    findings.extend(broker::look(config, &linked.sagas).await);
    findings.extend(services::look(config).await);
    findings.extend(others.await);
    findings
}

/// What to do, each thing once.
fn advice(findings: &[Finding]) -> Vec<String> {
    let mut advice: Vec<String> = Vec::new();
    for finding in findings.iter().filter(|finding| !finding.mend.is_empty()) {
        let line = format!("{} {}: {}", finding.part, finding.check, finding.mend);
        if !advice.contains(&line) {
            advice.push(line);
        }
    }
    advice
}

/// What an address answers within [`PATIENCE`], or why it does not.
pub async fn within<T, E: std::fmt::Display>(asked: impl Future<Output = Result<T, E>>) -> Result<T, String> {
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}

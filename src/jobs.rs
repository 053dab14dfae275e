//! `baton jobs`: one action for many sagas, over gRPC.

use crate::cli::jobs::{ControlJob, CreateJob, Jobs};
use crate::client::{Client, name, present};
use crate::failure::Failure;
use crate::operate::actor;
use crate::paging::paged;
use crate::progress::Progress;
use crate::records::saga_state;
use crate::show::Printer;
use baton_console::verb_names;
use baton_proto::baton::saga::v1::{
    ControlJobRequest, CreateJobRequest, CreateJobResponse, GetJobRequest, Job, JobControl, JobOutcome, JobState,
    ListJobFailuresRequest, ListJobsRequest,
};
use baton_query::escape::named;
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::time::Duration;

/// What a list shows of a job.
const JOB: [&str; 10] =
    ["name", "verb", "state", "matched", "done", "failed", "actor", "reason", "createTime", "waits"];
/// What there is of a job that was only counted: it has no name and no state, and nothing was done.
const COUNTED: [&str; 6] = ["verb", "filter", "preset", "maxRate", "matched", "matchedExact"];

/// What one job shows beside what became of its sagas, which is told below.
const SHOWN: [&str; 15] = [
    "name",
    "filter",
    "preset",
    "verb",
    "reason",
    "actor",
    "maxRate",
    "state",
    "matched",
    "matchedExact",
    "done",
    "failed",
    "createTime",
    "updateTime",
    "waits",
];

/// Between two looks at a job that is followed.
const LOOK: Duration = Duration::from_millis(500);

/// Carries out one `baton jobs` command.
///
/// # Errors
/// What the server refused.
pub async fn run(command: Jobs, client: &Client, printer: Printer) -> Result<(), Failure> {
    match command {
        Jobs::Create(args) => create(args, client, printer).await,
        Jobs::Get { job } => show(get(client, &name("jobs", &job)).await?, printer),
        Jobs::List { page } => {
            let jobs = paged(page.limit, async |page_size, page_token| {
                let request = ListJobsRequest { page_size, page_token };
                Ok(client.admin().list_jobs(client.request(request)).await?.into_inner())
            });
            printer.list(&jobs.await?, "jobs", &JOB)
        }
        Jobs::Pause(args) => control(args, JobControl::Pause, client, printer).await,
        Jobs::Resume(args) => control(args, JobControl::Resume, client, printer).await,
        Jobs::Cancel(args) => control(args, JobControl::Cancel, client, printer).await,
        Jobs::Failures { job, page } => {
            let parent = name("jobs", &job);
            let failures = paged(page.limit, async |page_size, page_token| {
                let request = ListJobFailuresRequest { parent: parent.clone(), page_size, page_token };
                Ok(client.admin().list_job_failures(client.request(request)).await?.into_inner())
            });
            printer.list(&failures.await?, "failures", &["saga", "rule", "message", "eventTime"])
        }
    }
}

async fn create(args: CreateJob, client: &Client, printer: Printer) -> Result<(), Failure> {
    let asks = !args.dry_run && !args.yes;
    if asks && !std::io::stdin().is_terminal() {
        let why =
            "nobody can be asked here, standard input is no terminal: say --yes to do it unasked, --dry-run to count";
        return Err(Failure::Usage(why.to_owned()));
    }
    // The command line takes no other words than these.
    let verb = verb_names::verb_of(&args.verb).unwrap_or_default();
    let request = CreateJobRequest {
        filter: args.filter,
        preset: args.preset.unwrap_or_default(),
        verb: verb.into(),
        reason: args.why.reason,
        actor: actor(args.why.actor)?,
        max_rate: args.max_rate,
        request_id: client.request_id(args.why.request_id),
        validate_only: true,
    };
    let answer = client.admin().create_job(client.request(request.clone())).await?.into_inner();
    if args.dry_run {
        printer.one(&answer, "job", &COUNTED)?;
        if !printer.json() {
            printer.text(&forecast(&answer));
        }
        return Ok(());
    }
    printer.say(&forecast(&answer));
    let counted = present(answer.job, "a job")?;
    let sagas = format!("{}{}", if counted.matched_exact { "" } else { "at least " }, counted.matched);
    if !asks {
        printer.say(&format!("{} for {sagas} sagas", args.verb));
    } else if !agreed(&format!("{} for {sagas} sagas? [y/N] ", args.verb))? {
        return Err(Failure::Verdict("nothing was done"));
    }
    let job = ask(client, CreateJobRequest { validate_only: false, ..request }).await?;
    let job = if args.wait { follow(client, job, printer).await? } else { job };
    show(job, printer)
}

fn show(job: Job, printer: Printer) -> Result<(), Failure> {
    let passed = no_longer(&job);
    let became = became(&job);
    printer.one(&CreateJobResponse { job: Some(job), ..CreateJobResponse::default() }, "job", &SHOWN)?;
    if !printer.json() && !became.is_empty() {
        printer.text(&became);
    }
    if let Some(passed @ 1..) = passed {
        printer.say(&format!("{passed} no longer matched when their page came: nothing was done for them"));
    }
    Ok(())
}

/// What would become of the sagas of a job, group by group.
fn forecast(answer: &CreateJobResponse) -> String {
    let mut lines: Vec<String> = answer.forecast.iter().map(|group| named(&group.sentence).into_owned()).collect();
    if !answer.forecast_exact {
        lines.push("these are the newest of them; there are more".to_owned());
    }
    lines.join("\n")
}

/// What has become of the sagas that a job acted on, the stuck ones with why.
fn became(job: &Job) -> String {
    let line = |outcome: &JobOutcome| {
        let undo = if outcome.direction == "undo" { "the undo of " } else { "" };
        let at = if outcome.step.is_empty() { String::new() } else { format!(" at {undo}{}", outcome.step) };
        let why = match (outcome.reason.as_str(), outcome.message.as_str()) {
            ("", _) => String::new(),
            (reason, "") => format!(" because of {reason}"),
            (reason, message) => format!(" because of {reason}: {message}"),
        };
        let state = saga_state(outcome.state).to_lowercase();
        named(&format!("{} {state}{at}{why}, for example {}", outcome.count, outcome.example)).into_owned()
    };
    job.outcomes.iter().map(line).collect::<Vec<_>>().join("\n")
}

async fn ask(client: &Client, request: CreateJobRequest) -> Result<Job, Failure> {
    present(client.admin().create_job(client.request(request)).await?.into_inner().job, "a job")
}

async fn get(client: &Client, name: &str) -> Result<Job, Failure> {
    let request = GetJobRequest { name: name.to_owned() };
    present(client.admin().get_job(client.request(request)).await?.into_inner().job, "a job")
}

async fn control(args: ControlJob, control: JobControl, client: &Client, printer: Printer) -> Result<(), Failure> {
    let request = ControlJobRequest {
        name: name("jobs", &args.job),
        control: control.into(),
        reason: args.why.reason,
        actor: actor(args.why.actor)?,
        request_id: client.request_id(args.why.request_id),
    };
    printer.one(&client.admin().control_job(client.request(request)).await?.into_inner(), "job", &[])
}

/// Waits until the job has ended or is halted. What it waits for itself is said once.
async fn follow(client: &Client, mut job: Job, printer: Printer) -> Result<Job, Failure> {
    let progress = Progress::begin("sagas", usize::try_from(job.matched).unwrap_or(usize::MAX), printer.quiet());
    let (mut shown, mut waits) = (0, String::new());
    loop {
        let so_far = job.done.saturating_add(job.failed);
        progress.add(so_far.saturating_sub(shown));
        shown = shown.max(so_far);
        if job.waits != waits && !job.waits.is_empty() {
            printer.say(&format!("waiting: {}", job.waits));
        }
        waits.clone_from(&job.waits);
        if job.state() != JobState::Running {
            progress.end();
            return Ok(job);
        }
        tokio::time::sleep(LOOK).await;
        job = get(client, &job.name).await?;
    }
}

/// Asks at the terminal. Anything but a yes is a no.
fn agreed(question: &str) -> Result<bool, Failure> {
    let mut stderr = std::io::stderr();
    write!(stderr, "{question}").and_then(|()| stderr.flush())?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// Sagas that matched when the job was created and no longer did when their page came; known once it has come to its end.
/// Where counting stopped at its bound it is not known at all.
fn no_longer(job: &Job) -> Option<u64> {
    let ended = job.state() == JobState::Done && job.matched_exact;
    ended.then(|| job.matched.saturating_sub(job.done.saturating_add(job.failed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_become_of_them_is_told_with_why() {
        let outcome = JobOutcome {
            state: 3,
            step: "room.book".to_owned(),
            direction: "undo".to_owned(),
            count: 8,
            example: "sagas/1".to_owned(),
            reason: "NO_ROOM".to_owned(),
            message: "full\u{1b}".to_owned(),
        };
        let job = Job { outcomes: vec![outcome], ..Job::default() };
        assert_eq!(
            became(&job),
            "8 stuck at the undo of room.book because of NO_ROOM: full[U+001B], for example sagas/1"
        );
    }

    #[test]
    fn what_became_of_every_match_is_said_once_the_job_is_done() {
        let job = Job { matched: 300, matched_exact: true, done: 94, ..Job::default() };
        let ended = |state: JobState| Job { state: state.into(), ..job.clone() };
        assert_eq!(no_longer(&ended(JobState::Done)), Some(206));
        assert_eq!(no_longer(&ended(JobState::Running)), None);
        assert_eq!(no_longer(&ended(JobState::Cancelled)), None, "those were not looked at");
        assert_eq!(no_longer(&Job { matched_exact: false, ..ended(JobState::Done) }), None);
        // More came to match after the count.
        assert_eq!(no_longer(&Job { done: 400, ..ended(JobState::Done) }), Some(0));
    }
}

//! The tables in `docs/state-machine.md` are what the machine does: rendered from it, state by state and event by event.

use bytes::Bytes;
use saga_core::definition::{Definition, StepOptions};
use saga_core::event::{Event, OperatorAction, Outcome, Reply, Verb};
use saga_core::machine;
use saga_core::retry::RetryPolicy;
use saga_core::saga::{Direction, Resume, Saga, SagaId, State, StepIndex, Wait};
use saga_core::time::Micros;
use saga_core::transition::{Applied, Ignored, Refused};
use saga_testing::script::check_block;
use std::path::Path;

/// Something happened before, two compensatable steps, a pivot, two retriable steps; two attempts each.
fn definition(pivot_has_undo: bool) -> Definition {
    let two = RetryPolicy::UNDO.with_attempts(2).unwrap();
    let options = || StepOptions::new().retry(two).undo_retry(two);
    let before = Definition::builder("any", 1)
        .happened("before", "p", "before.undo", options())
        .compensatable("one", "p", "one", "one.undo", options())
        .compensatable("two", "p", "two", "two.undo", options());
    let pivot = if pivot_has_undo {
        before.pivot_with_undo("pivot", "p", "pivot", "pivot.undo", options())
    } else {
        before.pivot("pivot", "p", "pivot", options())
    };
    pivot.retriable("after", "p", "after", options()).retriable("last", "p", "last", options()).build().unwrap()
}

/// A saga that is led somewhere.
struct Led {
    definition: Definition,
    saga: Saga,
}

#[derive(Clone, Copy)]
enum Answer {
    Succeeded,
    Rejected,
    Unavailable,
}

impl Led {
    fn new(pivot_has_undo: bool) -> Self {
        let definition = definition(pivot_has_undo);
        let saga = machine::start(&definition, SagaId([3; 16]), Bytes::new(), Micros(0)).saga;
        Self { definition, saga }
    }

    fn then(mut self, event: &Event, now: Micros) -> Self {
        match machine::apply(&self.definition, &self.saga, event, now) {
            Applied::Moved(transition) => self.saga = transition.saga,
            other => panic!("{event:?} should move {:?}: {other:?}", self.saga.state),
        }
        self
    }

    fn answered(self, answer: Answer) -> Self {
        let (event, now) = (self.answer(answer, 0), self.saga.updated_at);
        self.then(&event, now)
    }

    fn woken(self) -> Self {
        let due = self.saga.wake_at().unwrap();
        self.then(&Event::Wake, due)
    }

    fn acted(self, verb: Verb) -> Self {
        let now = self.saga.updated_at;
        self.then(&action(verb), now)
    }

    /// An answer about the half-step the saga is at, of the attempt that is `older` attempts before the newest.
    fn answer(&self, answer: Answer, older: u32) -> Event {
        let (step, direction, newest) = half(&self.saga);
        let (reason, message) = ("REASON".to_owned(), "why".to_owned());
        let outcome = match answer {
            Answer::Succeeded => Outcome::Succeeded { output: Bytes::new() },
            Answer::Rejected => Outcome::Rejected { reason, message },
            Answer::Unavailable => Outcome::Unavailable { reason, message },
        };
        Event::Reply(Reply { step, direction, attempt: newest.saturating_sub(older).max(1), outcome })
    }
}

fn half(saga: &Saga) -> (StepIndex, Direction, u32) {
    match &saga.state {
        State::Running { step, wait } => (*step, Direction::Action, wait.attempt()),
        State::Compensating { step, wait, .. } => (*step, Direction::Undo, wait.attempt()),
        State::Stuck { step, direction, attempt, .. } => (*step, *direction, *attempt),
        State::Paused { resume: Resume::Run { step, attempt } } => (*step, Direction::Action, *attempt),
        State::Paused { resume: Resume::Unwind { step, attempt, .. } } => (*step, Direction::Undo, *attempt),
        State::Completed | State::Compensated { .. } => (1, Direction::Action, 1),
    }
}

fn action(verb: Verb) -> Event {
    Event::Action(OperatorAction { verb, actor: "who".to_owned(), reason: "why".to_owned() })
}

/// Every kind of place where a saga can stand. Waiting rows are at attempt 2 where an older attempt matters.
fn rows() -> Vec<(&'static str, Led)> {
    use Answer::{Rejected, Succeeded};
    let at_two = || Led::new(true).answered(Succeeded);
    let at_pivot = |undo| Led::new(undo).answered(Succeeded).answered(Succeeded);
    let after = || at_pivot(true).answered(Succeeded);
    let undoing = || at_two().answered(Rejected);
    let undone = |led: Led| led.answered(Succeeded).answered(Succeeded);
    vec![
        ("Running before the pivot, waits", at_two()),
        ("… its last attempt", at_two().woken().woken()),
        ("… backs off", at_two().woken()),
        ("Running the pivot, which has an undo; its last attempt", at_pivot(true).woken().woken()),
        ("Running the pivot, which has none; its last attempt", at_pivot(false).woken().woken()),
        ("Running past the pivot, waits", after()),
        ("… its last attempt", after().woken().woken()),
        ("… backs off", after().woken()),
        ("Compensating, waits", undoing()),
        ("… its last attempt", undoing().woken().woken()),
        ("… backs off", undoing().woken()),
        ("Stuck in an action", after().answered(Rejected)),
        ("Stuck in an undo", undoing().answered(Rejected)),
        ("Paused before an action, before the pivot", at_two().acted(Verb::Pause)),
        ("… of which nothing was sent", at_two().acted(Verb::Pause).answered(Succeeded)),
        ("Paused before an action, past the pivot", after().acted(Verb::Pause)),
        ("Paused before an undo", undoing().acted(Verb::Pause)),
        ("Completed", undone(after())),
        ("Compensated", undone(undoing())),
    ]
}

/// A cell: what became of the event, in words that hold for every saga and not only for this one.
fn cell(led: &Led, event: &Event, now: Micros) -> String {
    match machine::apply(&led.definition, &led.saga, event, now) {
        Applied::Moved(transition) => outcome(&led.saga, &transition.saga).to_owned(),
        Applied::Ignored(why) => match why {
            Ignored::Ended | Ignored::OtherStep | Ignored::OtherAttempt | Ignored::NotDue => format!("– {why:?}"),
        },
        Applied::Refused(why) => match why {
            Refused::Ended
            | Refused::PastPivot
            | Refused::Unwinding
            | Refused::NotStuck
            | Refused::OtherDirection
            | Refused::NotPaused
            | Refused::Paused
            | Refused::InFlight
            | Refused::Stuck => format!("✗ {why:?}"),
        },
    }
}

fn outcome(before: &Saga, after: &Saga) -> &'static str {
    let (at, direction, attempt) = half(before);
    match (&after.state, direction) {
        (
            State::Running { wait: Wait::Backoff { .. }, .. } | State::Compensating { wait: Wait::Backoff { .. }, .. },
            _,
        ) => "back off",
        (State::Running { step, wait }, _) if *step == at => again(before, attempt, *wait),
        (State::Running { .. }, _) => "do the next step",
        (State::Compensating { step, wait, .. }, Direction::Undo) if *step == at => again(before, attempt, *wait),
        (State::Compensating { .. }, Direction::Undo) => "undo the next lower",
        (State::Compensating { step, .. }, Direction::Action) if *step == at => "unwind **from** this step",
        (State::Compensating { .. }, Direction::Action) => "unwind **below** this step",
        (State::Stuck { .. }, _) => "**Stuck**",
        (State::Paused { resume: Resume::Run { step, .. } | Resume::Unwind { step, .. } }, _) if *step == at => {
            "Paused"
        }
        (State::Paused { resume: Resume::Run { .. } }, _) => "hold before the next step",
        (State::Paused { resume: Resume::Unwind { .. } }, Direction::Action) => "hold before unwinding **below**",
        (State::Paused { resume: Resume::Unwind { .. } }, Direction::Undo) => "hold before the next lower undo",
        (State::Completed, _) => "Completed",
        (State::Compensated { .. }, _) => "Compensated",
    }
}

/// The half-step's next attempt; with a fresh budget if the last attempt that is allowed moved on.
fn again(before: &Saga, attempt: u32, wait: Wait) -> &'static str {
    let last = |wait: &Wait| match wait {
        Wait::Reply { last, .. } | Wait::Backoff { last, .. } => *last,
    };
    assert_eq!(wait.attempt(), attempt + 1);
    match &before.state {
        State::Running { wait: old, .. } | State::Compensating { wait: old, .. } if last(old) == last(&wait) => {
            "send attempt + 1"
        }
        _ => "send attempt + 1, fresh budget",
    }
}

fn table(head: &[&str], cells: impl Fn(&Led) -> Vec<String>) -> String {
    let mut lines = vec![format!("| state | {} |", head.join(" | ")), format!("|---|{}", "---|".repeat(head.len()))];
    let rows = rows();
    lines.extend(rows.iter().map(|(label, led)| format!("| {label} | {} |", cells(led).join(" | "))));
    lines.join("\n") + "\n"
}

fn document() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/state-machine.md")
}

fn replies_and_wakes() -> String {
    use Answer::{Rejected, Succeeded, Unavailable};
    let head = [
        "Succeeded",
        "Rejected",
        "Unavailable, newest attempt",
        "Unavailable, older attempt",
        "reply about another step",
        "Wake, early",
        "Wake, due",
    ];
    table(&head, |led| {
        let now = led.saga.updated_at;
        let due = led.saga.wake_at().unwrap_or(now);
        let older = if half(&led.saga).2 > 1 { cell(led, &led.answer(Unavailable, 1), now) } else { "·".to_owned() };
        let other = Reply {
            step: 0,
            direction: Direction::Action,
            attempt: 1,
            outcome: Outcome::Succeeded { output: Bytes::new() },
        };
        vec![
            cell(led, &led.answer(Succeeded, 0), now),
            cell(led, &led.answer(Rejected, 0), now),
            cell(led, &led.answer(Unavailable, 0), now),
            older,
            cell(led, &Event::Reply(other), now),
            cell(led, &Event::Wake, Micros(due.0 - 1)),
            cell(led, &Event::Wake, due),
        ]
    })
}

fn actions() -> String {
    let verbs =
        [Verb::Cancel, Verb::Retry, Verb::Skip, Verb::ResolveDone, Verb::ResolveUndone, Verb::Pause, Verb::Resume];
    let head = ["cancel", "retry", "skip", "resolve-done", "resolve-undone", "pause", "resume"];
    table(&head, |led| verbs.into_iter().map(|verb| cell(led, &action(verb), led.saga.updated_at)).collect())
}

/// One test for both, because both rewrite the same file when asked to.
#[test]
fn the_tables_are_what_the_machine_does() {
    for (name, text) in [("table: replies and wakes", replies_and_wakes()), ("table: actions", actions())] {
        if let Err(error) = check_block(&document(), name, &text) {
            panic!("{error}");
        }
    }
}

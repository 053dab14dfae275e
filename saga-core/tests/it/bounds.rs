//! Bounds of definitions and policies hold to the last unit, and say what they are.

use saga_core::definition::{
    DEFAULT_TIMEOUT, Definition, DefinitionError, MAX_DEADLINE, MAX_NAME_BYTES, MAX_PARTICIPANT_BYTES, MAX_STEPS, Step,
    StepOptions,
};
use saga_core::retry::{MAX_ATTEMPTS, MAX_PAUSE, MIN_PAUSE, RetryError, RetryPolicy};
use saga_core::saga::DefinitionId;
use saga_testing::exhaust::{Bounds, exhaust};
use std::time::Duration;

const HAIR: Duration = Duration::from_nanos(1);

fn step() -> Step {
    let one = Definition::builder("one", 1).pivot("go", "someone", "go", StepOptions::new()).build().unwrap();
    one.steps()[0].clone()
}

fn of(name: &str, version: u32, steps: Vec<Step>, deadline: Option<Duration>) -> Result<Definition, DefinitionError> {
    Definition::from_steps(DefinitionId { name: name.to_owned(), version }, steps, deadline)
}

#[test]
fn the_bounds_are_what_their_documentation_says() {
    let day = Duration::from_secs(86_400);
    assert_eq!((MAX_DEADLINE, MAX_PAUSE, MIN_PAUSE), (366 * day, day, Duration::from_millis(1)));
    assert_eq!((MAX_STEPS, MAX_NAME_BYTES, MAX_PARTICIPANT_BYTES, MAX_ATTEMPTS), (64, 64, 32, 1_000));
    assert_eq!(DEFAULT_TIMEOUT, Duration::from_secs(5));
}

#[test]
fn deadlines_and_timeouts() {
    for (deadline, good) in
        [(MIN_PAUSE, true), (MIN_PAUSE - HAIR, false), (MAX_DEADLINE, true), (MAX_DEADLINE + HAIR, false)]
    {
        let expected = if good { None } else { Some(DefinitionError::BadDeadline) };
        assert_eq!(of("one", 1, vec![step()], Some(deadline)).err(), expected, "{deadline:?}");
    }
    for (timeout, good) in [(MIN_PAUSE, true), (MIN_PAUSE - HAIR, false), (MAX_PAUSE, true), (MAX_PAUSE + HAIR, false)]
    {
        let expected = if good { None } else { Some(DefinitionError::BadTimeout("go".to_owned())) };
        assert_eq!(of("one", 1, vec![Step { timeout, ..step() }], None).err(), expected, "{timeout:?}");
        assert_eq!(of("one", 1, vec![Step { undo_timeout: timeout, ..step() }], None).err(), expected, "{timeout:?}");
    }
}

#[test]
fn numbers_of_steps_and_versions() {
    let many = |count: usize| {
        let builder = Definition::builder("many", 1).pivot("s0", "someone", "go", StepOptions::new());
        let mut steps = builder.build().unwrap().steps().to_vec();
        let retriable = Definition::builder("two", 1)
            .pivot("p", "someone", "go", StepOptions::new())
            .retriable("r", "someone", "go", StepOptions::new())
            .build()
            .unwrap()
            .steps()[1]
            .clone();
        steps.extend((1..count).map(|n| Step { name: format!("s{n}"), ..retriable.clone() }));
        of("many", 1, steps, None)
    };
    assert_eq!(many(MAX_STEPS).map(|definition| definition.steps().len()), Ok(MAX_STEPS));
    assert_eq!(many(MAX_STEPS + 1).err(), Some(DefinitionError::TooManySteps(MAX_STEPS + 1)));
    assert_eq!(of("one", 0, vec![step()], None).err(), Some(DefinitionError::VersionZero));
    assert_eq!(of("one", 1, Vec::new(), None).err(), Some(DefinitionError::NoAction));
}

#[test]
fn names() {
    let bad = |name: &str| Some(DefinitionError::BadName(name.chars().take(MAX_NAME_BYTES).collect()));
    let longest = "n".repeat(MAX_NAME_BYTES);
    for good in ["a", "a1._-", &longest] {
        assert_eq!(of(good, 1, vec![step()], None).err(), None, "{good}");
    }
    for name in ["", "1a", ".a", "A", "aB", "a b", "a/b", "\u{e9}", &"n".repeat(MAX_NAME_BYTES + 1)] {
        assert_eq!(of(name, 1, vec![step()], None).err(), bad(name), "definition {name}");
        let named = Step { name: name.to_owned(), ..step() };
        assert_eq!(of("one", 1, vec![named], None).err(), bad(name), "step {name}");
        let action = Step { action: Some(name.to_owned()), ..step() };
        assert_eq!(of("one", 1, vec![action], None).err(), bad(name), "action {name}");
        let undo = Step { undo: Some(name.to_owned()), ..step() };
        assert_eq!(of("one", 1, vec![undo], None).err(), bad(name), "undo {name}");
    }
    let longest = "p".repeat(MAX_PARTICIPANT_BYTES);
    for (participant, good) in [
        ("a", true),
        ("1-a", true),
        (longest.as_str(), true),
        ("", false),
        ("a.b", false),
        ("A", false),
        (&format!("{longest}p"), false),
    ] {
        let of_participant = Step { participant: participant.to_owned(), ..step() };
        let expected = if good { None } else { Some(DefinitionError::BadParticipant(participant.to_owned())) };
        assert_eq!(of("one", 1, vec![of_participant], None).err(), expected, "{participant}");
    }
}

#[test]
fn policies() {
    let ms = Duration::from_millis;
    for (base, cap, attempts, expected) in [
        (MIN_PAUSE, MIN_PAUSE, 1, None),
        (MIN_PAUSE - HAIR, ms(5), 1, Some(RetryError::Base)),
        (MAX_PAUSE, MAX_PAUSE, MAX_ATTEMPTS, None),
        (MAX_PAUSE + HAIR, MAX_PAUSE + HAIR, 1, Some(RetryError::Base)),
        (ms(5), ms(5) - HAIR, 1, Some(RetryError::Cap)),
        (ms(5), MAX_PAUSE + HAIR, 1, Some(RetryError::Cap)),
        (ms(5), ms(5), MAX_ATTEMPTS + 1, Some(RetryError::Attempts)),
    ] {
        assert_eq!(RetryPolicy::new(base, 100, cap, attempts).err(), expected, "{base:?} {cap:?} {attempts}");
    }
    let policy = RetryPolicy::new(ms(7), 3, ms(50), 4).unwrap();
    let read = |policy: RetryPolicy| (policy.base(), policy.factor(), policy.cap(), policy.attempts());
    assert_eq!(read(policy), (ms(7), 3, ms(50), 4));
    assert_eq!(policy.with_attempts(9).map(read), Ok((ms(7), 3, ms(50), 9)));
    let read = |policy: RetryPolicy| (policy.base(), policy.factor(), policy.cap(), policy.attempts());
    let standard = |attempts| (ms(200), 2, Duration::from_secs(10), attempts);
    let policies = [RetryPolicy::BEFORE_PIVOT, RetryPolicy::UNDO, RetryPolicy::RETRIABLE];
    assert_eq!(policies.map(read), [standard(8), standard(190), standard(240)]);
}

#[test]
fn options_reach_their_step_and_leave_the_rest_alone() {
    let ms = Duration::from_millis;
    let policy = |attempts| RetryPolicy::BEFORE_PIVOT.with_attempts(attempts).unwrap();
    let read = |options: StepOptions| {
        let builder = Definition::builder("one", 1).compensatable("a", "p", "do", "undo", options);
        let step = builder.build().unwrap().steps()[0].clone();
        (step.timeout, step.retry, step.undo_timeout, step.undo_retry)
    };
    let options = StepOptions::new();
    let defaults = (DEFAULT_TIMEOUT, RetryPolicy::BEFORE_PIVOT, DEFAULT_TIMEOUT, RetryPolicy::UNDO);
    assert_eq!(read(options), defaults);
    assert_eq!(read(options.timeout(ms(7))), (ms(7), defaults.1, defaults.2, defaults.3));
    assert_eq!(read(options.retry(policy(3))), (defaults.0, policy(3), defaults.2, defaults.3));
    assert_eq!(read(options.undo_timeout(ms(8))), (defaults.0, defaults.1, ms(8), defaults.3));
    assert_eq!(read(options.undo_retry(policy(4))), (defaults.0, defaults.1, defaults.2, policy(4)));
    let all = options.timeout(ms(7)).retry(policy(3)).undo_timeout(ms(8)).undo_retry(policy(4));
    assert_eq!(read(all), (ms(7), policy(3), ms(8), policy(4)));
    let after = Definition::builder("two", 1).pivot("a", "p", "a", options).retriable("b", "p", "b", options);
    assert_eq!(after.build().unwrap().steps()[1].retry, RetryPolicy::RETRIABLE);
}

#[test]
fn a_definition_finds_its_steps() {
    let options = StepOptions::new();
    let definition = Definition::builder("five", 1)
        .happened("paid", "p", "refund", options)
        .compensatable("open", "o", "open", "reject", options)
        .covered("verify", "p", "verify", "paid", options)
        .pivot("reserve", "s", "reserve", options)
        .retriable("confirm", "o", "confirm", options)
        .build()
        .unwrap();
    assert_eq!(
        ["paid", "verify", "confirm", "none"].map(|name| definition.position(name)),
        [Some(0), Some(2), Some(4), None]
    );
    assert_eq!(definition.pivot(), Some(3));
    assert_eq!([0, 1, 4, 5].map(|from| definition.action_from(from)), [Some(1), Some(1), Some(4), None]);
    assert_eq!([2, 3, 4].map(|step| definition.is_past_pivot(step)), [false, false, true]);
    assert_eq!([0, 1, 2, 3].map(|below| definition.undo_below(below)), [None, Some(0), Some(1), Some(1)]);
    assert_eq!([0, 1, 2, 3, 4].map(|step| definition.can_unwind_unknown(step)), [true, true, true, false, false]);
    assert!(definition.step(4).is_some() && definition.step(5).is_none());
    assert_eq!((definition.deadline(), definition.id().version), (None, 1));
}

#[test]
fn a_report_says_all_its_numbers() {
    let one = Definition::builder("one", 1).pivot("go", "someone", "go", StepOptions::new()).build().unwrap();
    let report = exhaust(&one, Bounds::default()).unwrap();
    let expected = format!(
        "{} states, {} transitions, {} ignored, {} refused; {} completed, {} compensated, {} stuck; depth {}",
        report.states,
        report.transitions,
        report.ignored,
        report.refused,
        report.completed,
        report.compensated,
        report.stuck,
        report.depth
    );
    assert_eq!(report.to_string(), expected);
}

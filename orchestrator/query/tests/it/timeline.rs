//! Timelines have no gaps, and drawings fit their width.

use crate::support;
use baton_query::timeline::{Ended, LaneOutcome, Said, Timeline, text, timeline};
use saga_core::definition::Definition;
use saga_core::event::{Event, OperatorAction, Verb};
use saga_core::time::Micros;
use support::{CONTENT, Lived, action_of, definitions, reachable, rejected, short_order, succeeded, unavailable};

fn drawn(definition: &Definition, lived: &Lived, later_us: i64) -> Timeline {
    timeline(Some(definition), &lived.journal, Micros(lived.saga.updated_at.0 + later_us))
}

#[test]
fn spans_follow_each_other_without_gaps() {
    for definition in definitions() {
        for lived in reachable(&definition, 2) {
            let drawn = drawn(&definition, &lived, 1_000);
            assert_eq!((&drawn.bare[..], &drawn.broken), (&[][..], &None));
            let mut at = drawn.from;
            for span in drawn.lanes.iter().flat_map(|lane| &lane.spans) {
                assert_eq!(span.from, at);
                assert!(span.to >= span.from);
                at = span.to;
            }
            assert_eq!(at, drawn.to);
            assert_eq!(drawn.end.is_some(), lived.saga.has_ended());
            let open = drawn.lanes.iter().filter(|lane| lane.outcome == LaneOutcome::Open).count();
            assert_eq!(open, usize::from(!lived.saga.has_ended()));
            let spans = drawn.lanes.iter().map(|lane| lane.spans.len()).sum::<usize>();
            let moves = lived.journal.len() - 1;
            assert_eq!(spans, moves + usize::from(!lived.saga.has_ended()));
            assert!(!format!("{drawn:?}").contains(CONTENT));
        }
    }
}

/// A lane's outcome says of its last span what that means for the half-step.
#[test]
fn outcomes_are_those_of_the_last_span() {
    for definition in definitions() {
        for lived in reachable(&definition, 2) {
            for lane in drawn(&definition, &lived, 1_000).lanes {
                let ended = &lane.spans.last().unwrap().ended;
                let agrees = match &lane.outcome {
                    LaneOutcome::Open => *ended == Ended::Open,
                    LaneOutcome::Done => matches!(ended, Ended::Succeeded(_)),
                    LaneOutcome::Refused(_) => matches!(ended, Ended::Rejected(..)),
                    LaneOutcome::GivenUp(_) => matches!(ended, Ended::TimedOut | Ended::Unavailable(_)),
                    LaneOutcome::Deadline => matches!(
                        ended,
                        Ended::Deadline | Ended::Unavailable(_) | Ended::ByOperator(Verb::Retry | Verb::Resume)
                    ),
                    LaneOutcome::Cancelled => *ended == Ended::ByOperator(Verb::Cancel),
                    LaneOutcome::ByHand(verb) => *ended == Ended::ByOperator(*verb),
                };
                assert!(agrees, "{lane:?}");
            }
        }
    }
}

#[test]
fn a_deadline_that_passes_is_told_from_a_timeout() {
    let definition = support::hurried_order();
    let lived = Lived::start(&definition);
    let late = lived.then(&definition, &Event::Wake, Micros(support::START.0 + 100_000_000));
    let lane = &drawn(&definition, &late, 1).lanes[0];
    assert_eq!((&lane.outcome, &lane.spans[0].ended), (&LaneOutcome::Deadline, &Ended::Deadline));
    let timed_out = &drawn(&definition, &lived.woken(&definition), 1).lanes[0];
    assert_eq!((&timed_out.outcome, &timed_out.spans[0].ended), (&LaneOutcome::Open, &Ended::TimedOut));
}

#[test]
fn every_drawing_fits_its_width() {
    for definition in definitions() {
        for lived in reachable(&definition, 1) {
            let drawn = drawn(&definition, &lived, 5_000_000);
            for width in [0, 20, 37, 80, 200, 1_000] {
                let picture = text(&drawn, width);
                let widest = picture.lines().map(|line| line.chars().count()).max().unwrap();
                assert!(widest <= width.clamp(20, 400), "{widest} > {width}:\n{picture}");
                assert!(picture.lines().all(|line| line.trim_end() == line), "{picture}");
            }
        }
    }
}

#[test]
fn a_refused_order_looks_like_this() {
    let definition = support::order();
    let mut lived = Lived::start(&definition).answered(&definition, succeeded(), 400);
    lived = lived.answered(&definition, unavailable("AWAY"), 300).woken(&definition);
    lived = lived.answered(&definition, succeeded(), 250);
    lived = lived.answered(&definition, rejected("OUT_OF_STOCK"), 600);
    lived = lived.then(&definition, &action_of(Verb::Pause), Micros(lived.saga.updated_at.0 + 100_000));
    lived = lived.then(&definition, &action_of(Verb::Resume), Micros(lived.saga.updated_at.0 + 900_000));
    lived = lived.answered(&definition, succeeded(), 200);
    let picture = text(&drawn(&definition, &lived, 700_000), 80);
    assert_eq!(format!("\n{picture}\n"), REFUSED_ORDER);
}
const REFUSED_ORDER: &str = "
2026-11-27T10:00:00Z                                                      +3.5 s
order.open         ====+                                    done
payment.verify         ===?.==+                             done, 2 attempts
stock.reserve                 =======x                      refused OUT_OF_STOCK
order.open undo                      =~~~~~~~~~~~=+         undone, 2 attempts
payment.taken undo                                ========> attempt 1
+1.7 s pause by ops-kim at the undo of order.open: the customer called
+2.6 s resume by ops-kim at the undo of order.open: the customer called
= waits for an answer   . pauses   ~ paused   + done   x refused   ? no answer
> goes on
";

#[test]
fn a_journal_of_unknown_meaning_is_listed() {
    let definition = short_order();
    let lived =
        Lived::start(&definition).answered(&definition, succeeded(), 5).answered(&definition, rejected("NO"), 5);
    let unknown = timeline(None, &lived.journal, Micros(lived.saga.updated_at.0 + 5));
    assert_eq!((unknown.lanes.len(), unknown.bare.len()), (0, 3));
    assert!(matches!(unknown.bare[2].said, Said::Rejected(2, _, 1, _)), "{:?}", unknown.bare);
    assert!(text(&unknown, 80).contains("3 entries cannot be followed: this build does not know its definition"));

    let torn = [lived.journal[0].clone(), lived.journal[2].clone()];
    let torn = timeline(Some(&definition), &torn, lived.saga.updated_at);
    assert_eq!((torn.lanes.len(), torn.bare.len()), (1, 1));
    assert_eq!(torn.lanes[0].spans[0].ended, Ended::Open);
    assert!(text(&torn, 80).contains("entry 3 stands where entry 2 should"));

    let empty = timeline(Some(&definition), &[], support::START);
    assert_eq!(text(&empty, 40).lines().count(), 1);
}

#[test]
fn an_operators_words_cannot_act() {
    let definition = short_order();
    let lived = Lived::start(&definition);
    let hostile = format!("{}\u{202e}\u{1b}[2J\n", "x".repeat(10_000));
    let action = Event::Action(OperatorAction { verb: Verb::Pause, actor: hostile.clone(), reason: hostile });
    let paused = lived.then(&definition, &action, lived.saga.updated_at);
    let drawn = drawn(&definition, &paused, 1);
    assert!(drawn.actions[0].actor.chars().count() <= 201);
    let picture = text(&drawn, 80);
    assert!(picture.chars().all(|c| c == '\n' || !c.is_control()));
    assert!(picture.lines().all(|line| line.chars().count() <= 80));
}

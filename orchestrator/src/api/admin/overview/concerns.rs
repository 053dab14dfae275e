//! What needs somebody: stuck sagas by where and why, who is away, what is held, dead letters. The first thing that an overview says.

use crate::api::admin::overview::Overview;
use crate::api::view;
use baton_engine::store::{Record, StoreError};
use baton_operations::holds::Hold;
use baton_proto::baton::saga::v1 as wire;
use baton_query::datetime::spoken;
use baton_query::escape::named;
use baton_query::filter::{Expr, StateKind, Term, TextField, TextTest};
use baton_query::sort::SortField;
use saga_core::saga::{Direction, State};
use saga_core::time::Micros;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Stuck sagas that are told apart at most, the longest stuck. Of more, whoever looks has enough to do with these.
const MOST: u32 = 500;

/// Groups of stuck sagas that are told; the rest as one.
const MAX_GROUPS: usize = 8;

/// Where sagas are stuck, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    definition: String,
    step: String,
    direction: Direction,
    reason: String,
}

/// Sagas that are stuck at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
struct StuckGroup {
    place: Place,
    count: u64,
    /// When the one that has been for longest got stuck, and what the participant said of it.
    since: Micros,
    message: String,
    example: String,
}

/// Stuck sagas by where and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct StuckGroups {
    groups: Vec<StuckGroup>,
    /// False if there are more sagas than were told apart.
    whole: bool,
}

impl Overview<'_> {
    /// Stuck sagas, the greatest group first.
    pub(super) async fn stuck(&self) -> Result<StuckGroups, StoreError> {
        let found = self.first("state = stuck", SortField::UpdateTime, MOST).await?;
        let mut groups: BTreeMap<Place, StuckGroup> = BTreeMap::new();
        for record in &found.records {
            let Some(place) = self.place(record) else { continue };
            let group = groups.entry(place.clone()).or_insert_with(|| StuckGroup {
                place,
                count: 0,
                since: record.saga.updated_at,
                message: record.cause().map(|cause| cause.message.clone()).unwrap_or_default(),
                example: view::saga_name(&record.saga),
            });
            group.count += 1;
        }
        let mut groups: Vec<StuckGroup> = groups.into_values().collect();
        groups.sort_by_key(|group| (Reverse(group.count), group.since));
        Ok(StuckGroups { groups, whole: found.next.is_none() })
    }

    fn place(&self, record: &Record) -> Option<Place> {
        let State::Stuck { step, direction, why, .. } = &record.saga.state else { return None };
        Some(Place {
            definition: record.saga.definition.name.clone(),
            step: view::step_name(self.lookup.registry, &record.saga, *step),
            direction: *direction,
            reason: why.reason.clone(),
        })
    }
}

/// Everything, the worst first: what needs a decision, who is away, what somebody halted, what lies about.
pub(super) fn concerns(
    stuck: &StuckGroups,
    components: &[wire::Component],
    holds: &[Hold],
    dead_letters: u64,
    now: Micros,
) -> Vec<wire::OverviewConcern> {
    let shown = stuck.groups.iter().take(MAX_GROUPS).map(|group| of_group(group, stuck.whole, now));
    let away = components.iter().filter(|it| !it.healthy).map(of_component);
    let held = holds.iter().map(|hold| of_hold(hold, now));
    let letters = (dead_letters > 0).then(|| of_letters(dead_letters));
    shown.chain(of_rest(stuck)).chain(away).chain(held).chain(letters).collect()
}

fn concern(kind: wire::ConcernKind, count: u64, sentence: String) -> wire::OverviewConcern {
    wire::OverviewConcern { kind: kind.into(), sentence, count, ..wire::OverviewConcern::default() }
}

fn of_group(group: &StuckGroup, whole: bool, now: Micros) -> wire::OverviewConcern {
    let Place { definition: _, step, direction, reason } = &group.place;
    let half = match direction {
        Direction::Action => step.clone(),
        Direction::Undo => format!("the undo of {step}"),
    };
    let more = if whole { "" } else { "at least " };
    let (count, age) = (group.count, spoken(now.since(group.since)));
    let sentence = format!("{more}{count} stuck at {half} because of {}, for {age} at the longest", named(reason));
    let text = |field, value: &str| Expr::Term(Term::Text(field, TextTest::Is, value.to_owned()));
    let filter = Expr::All(vec![
        Expr::Term(Term::State(true, StateKind::Stuck)),
        text(TextField::Definition, &group.place.definition),
        text(TextField::Step, step),
        text(TextField::Reason, reason),
    ]);
    wire::OverviewConcern {
        filter: filter.to_string(),
        subject: group.example.clone(),
        message: group.message.clone(),
        ..concern(wire::ConcernKind::Stuck, count, sentence)
    }
}

/// What there is no room for.
fn of_rest(stuck: &StuckGroups) -> Option<wire::OverviewConcern> {
    let rest = stuck.groups.get(MAX_GROUPS..).filter(|rest| !rest.is_empty())?;
    let count = rest.iter().map(|group| group.count).sum();
    let sentence = format!("{count} more stuck, at {} other places or for other reasons", rest.len());
    let filter = "state = stuck".to_owned();
    Some(wire::OverviewConcern { filter, ..concern(wire::ConcernKind::Stuck, count, sentence) })
}

fn of_component(component: &wire::Component) -> wire::OverviewConcern {
    let wire::Component { component: name, kind, trouble, .. } = component;
    let sentence = format!("{kind} {name} is away: {trouble}");
    wire::OverviewConcern { subject: name.clone(), ..concern(wire::ConcernKind::Away, 1, sentence) }
}

fn of_hold(hold: &Hold, now: Micros) -> wire::OverviewConcern {
    let name = hold.held.name();
    let what = name.strip_prefix("holds/").unwrap_or(&name);
    let (age, who) = (spoken(now.since(hold.created_at)), named(&hold.actor));
    let state = if hold.release.is_some() { "being released" } else { "held" };
    let sentence = format!("{what} {state}, for {age} by {who}, {} sagas paused by it", hold.paused);
    wire::OverviewConcern {
        message: hold.reason.clone(),
        subject: name,
        ..concern(wire::ConcernKind::Hold, hold.paused, sentence)
    }
}

fn of_letters(count: u64) -> wire::OverviewConcern {
    let wait = if count == 1 { "dead letter waits" } else { "dead letters wait" };
    concern(wire::ConcernKind::DeadLetters, count, format!("{count} {wait} for a decision"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use baton_engine::hold_policy::Held;

    fn group(step: &str, count: u64) -> StuckGroup {
        let place = Place {
            definition: "trip".to_owned(),
            step: step.to_owned(),
            direction: Direction::Undo,
            reason: "NO_ROOM".to_owned(),
        };
        StuckGroup { place, count, since: Micros(0), message: "full".to_owned(), example: "sagas/1".to_owned() }
    }

    #[test]
    fn the_worst_comes_first_and_says_where_to_look() {
        let now = Micros(420_000_000);
        let stuck = StuckGroups { groups: vec![group("room.book", 6)], whole: true };
        let part = |name: &str, healthy| wire::Component {
            component: name.to_owned(),
            kind: "participant".to_owned(),
            healthy,
            trouble: "it cannot be reached".to_owned(),
            ..wire::Component::default()
        };
        let hold = Hold {
            held: Held::Participant("bank".to_owned()),
            reason: "it is closed".to_owned(),
            actor: "mina".to_owned(),
            created_at: Micros(120_000_000),
            release: None,
            paused: 12,
        };
        let told = concerns(&stuck, &[part("bank", true), part("hotel", false)], &[hold], 3, now);
        let sentences: Vec<&str> = told.iter().map(|it| it.sentence.as_str()).collect();
        assert_eq!(
            sentences,
            [
                "6 stuck at the undo of room.book because of NO_ROOM, for 7 min at the longest",
                "participant hotel is away: it cannot be reached",
                "participants/bank held, for 5 min by mina, 12 sagas paused by it",
                "3 dead letters wait for a decision",
            ]
        );
        assert_eq!(told[0].filter, "state = stuck AND definition = trip AND step = room.book AND reason = NO_ROOM");
        assert_eq!(concerns(&StuckGroups::default(), &[part("bank", true)], &[], 0, now), []);
    }

    #[test]
    fn many_places_are_told_as_one() {
        let groups: Vec<StuckGroup> = (0..10).map(|n| group(&format!("step{n}"), 10 - n)).collect();
        let told = concerns(&StuckGroups { groups, whole: false }, &[], &[], 0, Micros(1));
        assert_eq!(told.len(), MAX_GROUPS + 1);
        assert!(told[0].sentence.starts_with("at least 10 stuck at"), "{}", told[0].sentence);
        assert_eq!(told[8].sentence, "3 more stuck, at 2 other places or for other reasons");
    }
}

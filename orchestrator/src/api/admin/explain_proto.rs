//! Explanations as messages.

use crate::api::view::timestamp;
use baton_operations::refusal::{HELD, rule};
use baton_proto::baton::saga::v1 as wire;
use baton_query::acts::End;
use baton_query::explain::{Answer, Explanation, Knowledge, LedgerSays, Obstacle, Offer, Past, Waiting, WaitsFor};
use saga_core::event::Verb;

/// Happenings told at most, so that a saga that was paused and resumed ten thousand times still fits into a message.
const MAX_HISTORY: usize = 500;

/// An explanation; `participant` is who was asked about the open command.
#[must_use]
pub fn explanation(explanation: &Explanation, participant: Option<&str>) -> wire::SagaExplanation {
    let past = &explanation.past;
    let skipped = past.len().saturating_sub(MAX_HISTORY);
    let left_out = (skipped > 0).then(|| format!("The {skipped} oldest happenings are left out here."));
    let gap: Vec<String> = left_out.into_iter().chain(explanation.gap.clone()).collect();
    let offers = explanation.offers.iter().map(offer);
    wire::SagaExplanation {
        trouble: explanation.trouble.as_ref().map(ToString::to_string).unwrap_or_default(),
        summary: explanation.place.as_ref().map(|place| place.sentence.clone()).unwrap_or_default(),
        history: past.iter().skip(skipped).map(happening).collect(),
        gap: gap.join(" "),
        waiting: explanation.waiting.as_ref().map(waiting),
        upcoming: explanation.upcoming.as_ref().map(|upcoming| wire::SagaUpcoming {
            wake_time: Some(timestamp(upcoming.at)),
            sentence: upcoming.sentence.clone(),
        }),
        ledger: explanation.ledger.as_ref().map(|ledger| self::ledger(ledger, participant)),
        outlook: explanation.outlook.as_ref().map(|outlook| wire::SagaOutlook {
            ends: ends(&outlook.prospect.ends),
            sentence: outlook.sentence.clone(),
        }),
        hold: explanation.hold.as_ref().map(|hold| wire::SagaHold {
            name: hold.name.clone(),
            actor: hold.actor.clone(),
            reason: hold.reason.clone(),
        }),
        acts: offers.chain(explanation.refused.iter().map(|(verb, obstacle)| refused(*verb, obstacle))).collect(),
    }
}

fn happening(past: &Past) -> wire::SagaHappening {
    wire::SagaHappening {
        event_time: Some(timestamp(past.at)),
        step: past.half.as_ref().map(|half| half.step.clone()).unwrap_or_default(),
        direction: past.half.as_ref().map(|half| half.direction.as_str().to_owned()).unwrap_or_default(),
        attempts: past.attempts,
        sentence: past.sentence.clone(),
    }
}

fn waiting(waiting: &Waiting) -> wire::SagaWaiting {
    let wait = match waiting.waits_for {
        WaitsFor::Answer => wire::SagaWait::Answer,
        WaitsFor::NextAttempt => wire::SagaWait::NextAttempt,
        WaitsFor::Operator => wire::SagaWait::Operator,
        WaitsFor::Resume => wire::SagaWait::Resume,
        WaitsFor::Nothing => wire::SagaWait::Nothing,
    };
    wire::SagaWaiting {
        wait: wait.into(),
        since_time: Some(timestamp(waiting.since)),
        until_time: waiting.until.map(timestamp),
        sentence: waiting.sentence.clone(),
    }
}

fn ledger(ledger: &LedgerSays, participant: Option<&str>) -> wire::SagaLedger {
    let (knowledge, reason) = match &ledger.knowledge {
        Knowledge::Known(Answer::Succeeded) => (wire::LedgerKnowledge::Succeeded, ""),
        Knowledge::Known(Answer::Rejected(reason)) => (wire::LedgerKnowledge::Rejected, reason.as_str()),
        Knowledge::Unknown => (wire::LedgerKnowledge::Unknown, ""),
        Knowledge::Unreachable => (wire::LedgerKnowledge::Unreachable, ""),
    };
    wire::SagaLedger {
        participant: participant.unwrap_or_default().to_owned(),
        knowledge: knowledge.into(),
        reason: reason.to_owned(),
        sentence: ledger.sentence.clone(),
    }
}

fn offer(offer: &Offer) -> wire::SagaAct {
    wire::SagaAct {
        verb: verb(offer.act.verb).into(),
        legal: true,
        sentence: offer.sentence.clone(),
        ends: ends(&offer.act.prospect.ends),
        rule: String::new(),
    }
}

fn refused(refused: Verb, obstacle: &Obstacle) -> wire::SagaAct {
    let rule = match obstacle {
        Obstacle::Rule(broken) => rule(*broken),
        Obstacle::Held(_) => HELD,
    };
    wire::SagaAct {
        verb: verb(refused).into(),
        legal: false,
        sentence: format!("{} is refused: {obstacle}.", refused.as_str()),
        ends: Vec::new(),
        rule: rule.to_owned(),
    }
}

fn ends<'a>(ends: impl IntoIterator<Item = &'a End>) -> Vec<i32> {
    let end = |end: &End| match end {
        End::Completed => wire::SagaEnd::Completed,
        End::Compensated => wire::SagaEnd::Compensated,
        End::Stuck => wire::SagaEnd::Stuck,
    };
    ends.into_iter().map(|it| end(it).into()).collect()
}

/// The action as an enum of the API.
#[must_use]
pub fn verb(verb: Verb) -> wire::SagaVerb {
    match verb {
        Verb::Cancel => wire::SagaVerb::Cancel,
        Verb::Retry => wire::SagaVerb::Retry,
        Verb::Skip => wire::SagaVerb::Skip,
        Verb::ResolveDone => wire::SagaVerb::ResolveDone,
        Verb::ResolveUndone => wire::SagaVerb::ResolveUndone,
        Verb::Pause => wire::SagaVerb::Pause,
        Verb::Resume => wire::SagaVerb::Resume,
    }
}

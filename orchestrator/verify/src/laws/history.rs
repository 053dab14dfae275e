//! Laws over what clients were told: an answer is a promise, a refusal left nothing, and no read goes back in time.

use super::{Found, Mode};
use crate::history::{Call, Kind, Outcome};
use baton_orchestrator::store::row::StateCode;
use shop_proto::order::v1::OrderState;
use std::collections::{BTreeMap, BTreeSet};

/// A saga as far as a client can know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its id, as UUID.
    pub id: String,
    /// Where it stands, as stored.
    pub state: i64,
    /// Its version.
    pub version: i64,
}

impl Kept {
    fn is_active(&self) -> bool {
        [StateCode::Running, StateCode::Compensating].iter().any(|code| i64::from(*code as u8) == self.state)
    }
}

/// What is stored of the orders that clients spoke of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Sagas by business key.
    pub sagas: BTreeMap<String, Vec<Kept>>,
    /// Ids of sagas that retention deleted, by business key.
    pub forgotten: BTreeMap<String, String>,
    /// States of orders by number, as stored; `None` if the order database was not read.
    pub orders: Option<BTreeMap<String, i64>>,
}

impl Memory {
    fn sagas_of(&self, order: &str) -> &[Kept] {
        self.sagas.get(order).map_or(&[], Vec::as_slice)
    }

    /// The ids of all sagas the order ever had, as far as anything is left of them.
    fn ever_of(&self, order: &str) -> BTreeSet<&str> {
        let there = self.sagas_of(order).iter().map(|kept| kept.id.as_str());
        there.chain(self.forgotten.get(order).map(String::as_str)).collect()
    }
}

/// A law over a history.
#[derive(Clone, Copy, Debug)]
pub struct HistoryLaw {
    /// The invariant's id.
    pub id: &'static str,
    /// The promise, in a sentence; unique.
    pub name: &'static str,
    /// What it counts.
    pub unit: &'static str,
    /// True if it holds while orders move.
    pub live: bool,
    /// Looks at everything.
    pub check: fn(&[Call], &Memory, Mode, &mut Found),
}

/// Every law over a history.
pub const HISTORY_LAWS: &[HistoryLaw] = &[
    HistoryLaw {
        id: "I1",
        name: "every order a client was promised has its saga, or had it until it was forgotten",
        unit: "promises",
        live: true,
        check: kept_promises,
    },
    HistoryLaw {
        id: "I2",
        name: "all answers to one request name one saga, and an order has one",
        unit: "requests",
        live: true,
        check: one_saga_a_request,
    },
    HistoryLaw {
        id: "I16",
        name: "what one client reads of a saga never goes back",
        unit: "reads",
        live: true,
        check: reads_go_forward,
    },
    HistoryLaw {
        id: "I16",
        name: "the end a client was told is the one that is stored",
        unit: "ends told",
        live: true,
        check: told_the_truth,
    },
    HistoryLaw {
        id: "I18",
        name: "an order refused for overload, and never otherwise answered, left nothing",
        unit: "refused orders",
        live: true,
        check: refusals_left_nothing,
    },
    HistoryLaw {
        id: "I22",
        name: "an order that was only ever refused has no saga: doubt is told as doubt",
        unit: "orders refused or in doubt",
        live: true,
        check: doubt_was_told,
    },
];

/// The code of a refusal for overload.
const OVERLOAD: &str = "RESOURCE_EXHAUSTED";

fn kept_promises(calls: &[Call], memory: &Memory, mode: Mode, found: &mut Found) {
    for (call, saga, _) in answered(calls).filter(|(call, ..)| call.kind == Kind::Place) {
        let kept = memory.sagas_of(&call.order).iter().find(|kept| kept.id == saga);
        let forgotten = memory.forgotten.get(&call.order).is_some_and(|id| id == saga);
        found.expect(kept.is_some() || forgotten, || {
            format!("order {}: promised as saga {saga}, which is gone", call.order)
        });
        if let (Some(kept), Mode::AtRest) = (kept, mode)
            && kept.is_active()
        {
            found.broken.push(format!("order {}: saga {saga} has not ended", call.order));
        }
    }
}

fn one_saga_a_request(calls: &[Call], memory: &Memory, _: Mode, found: &mut Found) {
    let mut named: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (call, saga, _) in answered(calls).filter(|(call, ..)| call.kind == Kind::Place) {
        named.entry(&call.request).or_default().insert(saga);
    }
    for (request, sagas) in &named {
        found.expect(sagas.len() == 1, || format!("request {request} was answered with {} sagas", sagas.len()));
    }
    let orders: BTreeSet<&str> = calls.iter().map(|call| call.order.as_str()).collect();
    for order in orders {
        let count = memory.ever_of(order).len();
        if count > 1 {
            found.broken.push(format!("order {order} has {count} sagas"));
        }
    }
}

fn reads_go_forward(calls: &[Call], _: &Memory, _: Mode, found: &mut Found) {
    let mut order: Vec<&Call> = calls.iter().filter(|call| call.ended.is_some()).collect();
    order.sort_by_key(|call| call.ended);
    // For each client and saga: reads in the order they ended, with the newest version among all that had.
    let mut newest: BTreeMap<(&str, &str), Vec<(u64, u64)>> = BTreeMap::new();
    for call in order {
        let Outcome::Ok { saga: Some(saga), version: Some(version), .. } = &call.outcome else { continue };
        let (Some(ended), seen) = (call.ended, newest.entry((&call.client, saga)).or_default()) else { continue };
        // Reads that overlap may see either order of things: only those that had ended when this one began count.
        let before = seen.partition_point(|(at, _)| *at < call.begun);
        let known = before.checked_sub(1).map_or(0, |index| seen[index].1);
        found.expect(*version >= known, || {
            format!("client {} read version {version} of saga {saga} after version {known}", call.client)
        });
        let most = seen.last().map_or(0, |(_, most)| *most).max(*version);
        seen.push((ended, most));
    }
}

fn told_the_truth(calls: &[Call], memory: &Memory, _: Mode, found: &mut Found) {
    let Some(orders) = &memory.orders else { return };
    for (call, _, state) in answered(calls) {
        let Some(state) = state.and_then(end_of) else { continue };
        let stored = orders.get(&call.order).copied();
        found.expect(stored == Some(i64::from(state as i32)), || {
            let stored =
                stored.and_then(|code| i32::try_from(code).ok()).and_then(|code| OrderState::try_from(code).ok());
            let stored = stored.map_or("missing", |state| state.as_str_name());
            format!("order {}: a client was told {}, it is {stored}", call.order, state.as_str_name())
        });
    }
}

/// The order state that is told, if it is an end.
fn end_of(told: &str) -> Option<OrderState> {
    let name = if told.starts_with("ORDER_STATE_") { told.to_owned() } else { format!("ORDER_STATE_{told}") };
    OrderState::from_str_name(&name).filter(|state| {
        matches!(
            state,
            OrderState::PaymentSuccess
                | OrderState::PaymentOutOfStock
                | OrderState::PaymentNoPaymentInfo
                | OrderState::Cancelled
        )
    })
}

fn refusals_left_nothing(calls: &[Call], memory: &Memory, _: Mode, found: &mut Found) {
    for (order, placements) in placements(calls) {
        let overloaded = |call: &&Call| matches!(&call.outcome, Outcome::Fail { code } if code == OVERLOAD);
        if placements.iter().all(overloaded) {
            found.expect(memory.ever_of(order).is_empty(), || {
                format!("order {order} was refused for overload, and has a saga")
            });
        }
    }
}

fn doubt_was_told(calls: &[Call], memory: &Memory, _: Mode, found: &mut Found) {
    for (order, placements) in placements(calls) {
        if placements.iter().any(|call| matches!(call.outcome, Outcome::Ok { .. })) {
            continue;
        }
        let refused = placements.iter().all(|call| matches!(call.outcome, Outcome::Fail { .. }));
        found.expect(!refused || memory.ever_of(order).is_empty(), || {
            format!("order {order}: every answer was a refusal, yet it has a saga")
        });
    }
}

fn placements(calls: &[Call]) -> BTreeMap<&str, Vec<&Call>> {
    let mut by_order: BTreeMap<&str, Vec<&Call>> = BTreeMap::new();
    for call in calls.iter().filter(|call| call.kind == Kind::Place) {
        by_order.entry(&call.order).or_default().push(call);
    }
    by_order
}

/// Calls that were answered, with the saga and the state they name.
fn answered(calls: &[Call]) -> impl Iterator<Item = (&Call, &str, Option<&str>)> {
    calls.iter().filter_map(|call| match &call.outcome {
        Outcome::Ok { saga: Some(saga), state, .. } => Some((call, saga.as_str(), state.as_deref())),
        Outcome::Ok { .. } | Outcome::Fail { .. } | Outcome::Unknown => None,
    })
}

#[cfg(test)]
mod tests;

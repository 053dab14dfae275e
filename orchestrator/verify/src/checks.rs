//! The promises as pure checks over the evidence. Each is shown to fail by a planted violation in its tests.

use super::evidence::{Evidence, LedgerPayment, OrderRecord, SagaRecord};
use super::report::{Finding, Offenders, Report};
use baton_proto::baton::saga::v1::SagaState;
use shop_proto::order::v1::OrderState;
use std::collections::{BTreeMap, BTreeSet};

/// Runs every check.
#[must_use]
pub fn audit(evidence: &Evidence) -> Report {
    let index = Index::of(evidence);
    let findings = vec![
        nothing_lost(evidence, &index),
        one_saga_each(evidence, &index),
        told_the_truth(evidence, &index),
        stock_conserved(evidence),
        reservations_match(evidence, &index),
        money_conserved(evidence, &index),
        refunds_right(evidence, &index),
        states_agree(evidence, &index),
        bystanders_untouched(evidence),
    ];
    Report { findings }
}

/// The evidence by order number.
struct Index<'a> {
    orders: BTreeMap<&'a str, &'a OrderRecord>,
    sagas: BTreeMap<&'a str, Vec<&'a SagaRecord>>,
    placed: BTreeSet<&'a str>,
}

impl<'a> Index<'a> {
    fn of(evidence: &'a Evidence) -> Self {
        let mut sagas: BTreeMap<&str, Vec<&SagaRecord>> = BTreeMap::new();
        for saga in &evidence.sagas {
            sagas.entry(saga.order.as_str()).or_default().push(saga);
        }
        Self {
            orders: evidence.orders.iter().map(|order| (order.number.as_str(), order)).collect(),
            sagas,
            placed: evidence.acknowledged.iter().map(|promise| promise.order.as_str()).collect(),
        }
    }

    fn sagas_of(&self, order: &str) -> &[&'a SagaRecord] {
        self.sagas.get(order).map_or(&[], Vec::as_slice)
    }

    fn completed(&self) -> impl Iterator<Item = &&'a OrderRecord> {
        self.orders.values().filter(|order| order.state == OrderState::PaymentSuccess)
    }
}

/// I1.
fn nothing_lost(evidence: &Evidence, index: &Index<'_>) -> Finding {
    let mut offenders = Offenders::default();
    for promise in &evidence.acknowledged {
        let number = promise.order.as_str();
        if !index.orders.contains_key(number) {
            offenders.add(format!("order {number} is gone"));
        }
        let sagas = index.sagas_of(number);
        if sagas.is_empty() {
            offenders.add(format!("order {number} has no saga"));
        }
        for saga in sagas.iter().filter(|saga| !saga.ended()) {
            offenders.add(format!("{} of order {number} is {}", saga.name, saga.state.as_str_name()));
        }
    }
    let counted = format!("{} acknowledged", evidence.acknowledged.len());
    let looked = evidence.acknowledged.len();
    offenders.finding_of(looked, "I1", "every acknowledged order exists and its saga has ended", counted)
}

/// I2.
fn one_saga_each(evidence: &Evidence, index: &Index<'_>) -> Finding {
    let mut offenders = Offenders::default();
    for promise in &evidence.acknowledged {
        let stored: BTreeSet<&str> = index.sagas_of(&promise.order).iter().map(|saga| saga.name.as_str()).collect();
        let named: BTreeSet<&str> = promise.sagas.iter().map(String::as_str).collect();
        if named.len() != 1 {
            offenders.add(format!("order {}: answers name {} sagas", promise.order, named.len()));
        }
        if stored.len() > 1 {
            offenders.add(format!("order {} has {} sagas", promise.order, stored.len()));
        }
        if !named.is_subset(&stored) {
            offenders.add(format!("order {}: an answer names a saga that is not there", promise.order));
        }
    }
    let looked = evidence.acknowledged.len();
    offenders.finding_of(looked, "I2", "one saga for each request id", format!("{} sagas", evidence.sagas.len()))
}

/// I16.
fn told_the_truth(evidence: &Evidence, index: &Index<'_>) -> Finding {
    let mut offenders = Offenders::default();
    let mut counted = 0;
    for promise in &evidence.acknowledged {
        let (Some(told), Some(order)) = (promise.told, index.orders.get(promise.order.as_str())) else { continue };
        counted += 1;
        if told != order.state {
            let (told, found) = (told.as_str_name(), order.state.as_str_name());
            offenders.add(format!("order {}: the client was told {told}, the order says {found}", promise.order));
        }
    }
    offenders.finding_of(counted, "I16", "what callers were told is what is stored", format!("{counted} answers"))
}

/// I3, the items' own sums.
fn stock_conserved(evidence: &Evidence) -> Finding {
    let mut offenders = Offenders::default();
    let mut units = 0_i128;
    for item in &evidence.items {
        units += i128::from(item.stocked);
        if item.available < 0 || item.reserved < 0 {
            offenders.add(format!("{}: available {}, reserved {}", item.id, item.available, item.reserved));
        }
        if i128::from(item.stocked) != i128::from(item.available) + i128::from(item.reserved) {
            let (stocked, available, reserved) = (item.stocked, item.available, item.reserved);
            offenders.add(format!("{}: stocked {stocked} is not available {available} + reserved {reserved}", item.id));
        }
    }
    let name = "stock: stocked = available + reserved, none negative";
    offenders.finding_of(evidence.items.len(), "I3", name, format!("{units} units"))
}

/// I3, against reservations and orders.
fn reservations_match(evidence: &Evidence, index: &Index<'_>) -> Finding {
    let mut offenders = Offenders::default();
    let mut held: BTreeMap<(&str, &str), i128> = BTreeMap::new();
    for reservation in evidence.reservations.iter().filter(|reservation| reservation.held) {
        *held.entry((reservation.item.as_str(), reservation.order.as_str())).or_default() +=
            i128::from(reservation.quantity);
    }
    let mut sold: BTreeMap<(&str, &str), i128> = BTreeMap::new();
    for order in index.completed() {
        for (item, quantity) in &order.lines {
            sold.insert((item.as_str(), order.number.as_str()), i128::from(*quantity));
        }
    }
    for key in held.keys().chain(sold.keys()).collect::<BTreeSet<_>>() {
        let (held, sold) = (held.get(key).copied().unwrap_or(0), sold.get(key).copied().unwrap_or(0));
        if held != sold {
            offenders.add(format!("{} for order {}: {held} held, {sold} sold", key.0, key.1));
        }
    }
    for item in &evidence.items {
        let sum: i128 = held.iter().filter(|((id, _), _)| *id == item.id).map(|(_, quantity)| quantity).sum();
        if sum != i128::from(item.reserved) {
            offenders.add(format!("{}: reserved {}, reservations hold {sum}", item.id, item.reserved));
        }
    }
    let counted = format!("{} held", held.values().sum::<i128>());
    let name = "reserved = reservations held = units of completed orders";
    offenders.finding_of(evidence.items.len(), "I3", name, counted)
}

/// I4.
fn money_conserved(evidence: &Evidence, index: &Index<'_>) -> Finding {
    let mut offenders = Offenders::default();
    let mut kept: BTreeMap<&str, i128> = BTreeMap::new();
    for payment in &evidence.payments {
        *kept.entry(&payment.currency).or_default() += i128::from(payment.paid) - i128::from(payment.refunded);
    }
    let mut earned: BTreeMap<&str, i128> = BTreeMap::new();
    for order in index.completed() {
        *earned.entry(&order.currency).or_default() += i128::from(order.total);
    }
    for currency in kept.keys().chain(earned.keys()).collect::<BTreeSet<_>>() {
        let (kept, earned) = (kept.get(currency).unwrap_or(&0), earned.get(currency).unwrap_or(&0));
        if kept != earned {
            offenders.add(format!("{currency}: the provider holds {kept}, completed orders are worth {earned}"));
        }
    }
    let sums: Vec<String> = kept.iter().map(|(currency, sum)| format!("{sum} {currency}")).collect();
    let counted = if sums.is_empty() { "nothing paid".to_owned() } else { sums.join(", ") };
    let looked = evidence.payments.len() + evidence.orders.len();
    offenders.finding_of(looked, "I4", "money: paid - refunded = totals of completed orders", counted)
}

/// I5.
fn refunds_right(evidence: &Evidence, index: &Index<'_>) -> Finding {
    let mut offenders = Offenders::default();
    let mut captured: BTreeMap<&str, u32> = BTreeMap::new();
    let mut refunds = 0;
    for payment in &evidence.payments {
        refunds += payment.refunds;
        if payment.paid > payment.refunded {
            *captured.entry(&payment.merchant_uid).or_default() += 1;
        }
        if let Some(why) = refund_wrong(payment, index) {
            offenders.add(format!("payment {} of order {}: {why}", payment.imp_uid, payment.merchant_uid));
        }
    }
    for (order, count) in captured.iter().filter(|(_, count)| **count > 1) {
        offenders.add(format!("order {order} is charged {count} times"));
    }
    let name = "every failed order's payment refunded exactly once";
    offenders.finding_of(evidence.payments.len(), "I5", name, format!("{refunds} refunds"))
}

/// Looks at one payment of an order of the run.
fn refund_wrong(payment: &LedgerPayment, index: &Index<'_>) -> Option<String> {
    if payment.refunds > 1 {
        return Some(format!("refunded {} times", payment.refunds));
    }
    if payment.refunded > payment.paid {
        return Some(format!("refunded {} of {}", payment.refunded, payment.paid));
    }
    let number = payment.merchant_uid.as_str();
    let order = index.orders.get(number).filter(|_| index.placed.contains(number))?;
    match order.state {
        OrderState::PaymentSuccess if payment.refunds > 0 => Some("refunded although completed".to_owned()),
        OrderState::PaymentOutOfStock | OrderState::PaymentNoPaymentInfo | OrderState::Cancelled
            if payment.paid > 0 && (payment.refunds != 1 || payment.refunded != payment.paid) =>
        {
            Some(format!("the order failed, yet {} of {} are refunded", payment.refunded, payment.paid))
        }
        _ => None,
    }
}

/// I10.
fn states_agree(evidence: &Evidence, index: &Index<'_>) -> Finding {
    let mut offenders = Offenders::default();
    for saga in &evidence.sagas {
        let Some(order) = index.orders.get(saga.order.as_str()) else { continue };
        let agrees = match saga.state {
            SagaState::Completed => order.state == OrderState::PaymentSuccess,
            SagaState::Compensated => matches!(
                order.state,
                OrderState::PaymentOutOfStock | OrderState::PaymentNoPaymentInfo | OrderState::Cancelled
            ),
            // Not ended: I1 speaks of those.
            _ => true,
        };
        if !agrees {
            let (saga_state, state) = (saga.state.as_str_name(), order.state.as_str_name());
            offenders.add(format!("order {} is {state}, its saga {saga_state}", order.number));
        } else if order.saga != saga.name {
            offenders.add(format!("order {} names {:?}, its saga is {}", order.number, order.saga, saga.name));
        }
    }
    let counted = format!("{} orders", evidence.orders.len());
    offenders.finding_of(evidence.sagas.len(), "I10", "order and saga agree: all done or all undone", counted)
}

/// Nobody may refund somebody else's money.
fn bystanders_untouched(evidence: &Evidence) -> Finding {
    let mut offenders = Offenders::default();
    for (payment, refunded) in &evidence.bystanders {
        if payment.refunded != *refunded || payment.paid == 0 {
            let (paid, now) = (payment.paid, payment.refunded);
            offenders.add(format!("payment {}: paid {paid}, refunded {now}, expected {refunded}", payment.imp_uid));
        }
    }
    let counted = format!("{} payments", evidence.bystanders.len());
    offenders.finding_of(evidence.bystanders.len(), "I5", "payments of other orders untouched", counted)
}

#[cfg(test)]
mod tests;

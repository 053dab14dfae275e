//! A sound run passes; each planted violation is found, by the check that is there for it.

use super::*;
use crate::evidence::{Acknowledged, ItemRecord, ReservationRecord};

const PRICE: i64 = 500;

/// Two orders of one unit: `good` is completed, `bad` was undone and refunded; `other` is somebody else's payment.
fn sound() -> Evidence {
    let order = |number: &str, state, saga: &str| OrderRecord {
        number: number.to_owned(),
        state,
        currency: "KRW".to_owned(),
        total: PRICE,
        saga: saga.to_owned(),
        lines: BTreeMap::from([("hot".to_owned(), 1)]),
    };
    let saga = |name: &str, state, order: &str| SagaRecord { name: name.to_owned(), state, order: order.to_owned() };
    let payment = |id: &str, order: &str, refunds| LedgerPayment {
        imp_uid: id.to_owned(),
        merchant_uid: order.to_owned(),
        currency: "KRW".to_owned(),
        paid: PRICE,
        refunded: refunds * PRICE,
        refunds,
    };
    let promise = |order: &str, saga: &str, told| Acknowledged {
        order: order.to_owned(),
        sagas: BTreeSet::from([saga.to_owned()]),
        told: Some(told),
    };
    Evidence {
        acknowledged: vec![
            promise("good", "sagas/1", OrderState::PaymentSuccess),
            promise("bad", "sagas/2", OrderState::PaymentOutOfStock),
        ],
        orders: vec![
            order("good", OrderState::PaymentSuccess, "sagas/1"),
            order("bad", OrderState::PaymentOutOfStock, "sagas/2"),
        ],
        sagas: vec![saga("sagas/1", SagaState::Completed, "good"), saga("sagas/2", SagaState::Compensated, "bad")],
        items: vec![ItemRecord { id: "hot".to_owned(), stocked: 1, available: 0, reserved: 1 }],
        reservations: vec![ReservationRecord {
            item: "hot".to_owned(),
            order: "good".to_owned(),
            quantity: 1,
            held: true,
        }],
        payments: vec![payment("p1", "good", 0), payment("p2", "bad", 1)],
        bystanders: vec![(payment("p3", "other", 0), 0)],
    }
}

/// Plants a violation and returns the names of the checks that found it.
fn found(plant: impl FnOnce(&mut Evidence)) -> Vec<&'static str> {
    let mut evidence = sound();
    plant(&mut evidence);
    audit(&evidence).findings.iter().filter(|finding| !finding.passed()).map(|finding| finding.id).collect()
}

#[test]
fn a_sound_run_passes() {
    let report = audit(&sound());
    assert!(report.passed(), "{}", report.table());
    assert_eq!(report.findings.len(), 9);
}

#[test]
fn a_lost_order_is_found() {
    assert!(found(|e| e.orders.retain(|order| order.number != "good")).contains(&"I1"));
}

#[test]
fn a_lost_saga_is_found() {
    assert!(found(|e| e.sagas.retain(|saga| saga.order != "bad")).contains(&"I1"));
}

#[test]
fn a_saga_that_did_not_end_is_found() {
    assert_eq!(found(|e| e.sagas[1].state = SagaState::Stuck), ["I1"]);
    assert_eq!(found(|e| e.sagas[1].state = SagaState::Running), ["I1"]);
}

#[test]
fn a_second_saga_is_found() {
    let second = |e: &mut Evidence| {
        e.sagas.push(SagaRecord { name: "sagas/9".to_owned(), state: SagaState::Completed, order: "good".to_owned() });
    };
    assert!(found(second).contains(&"I2"));
    let also = |e: &mut Evidence| e.acknowledged[0].sagas.extend(["sagas/9".to_owned()]);
    assert_eq!(found(also), ["I2"]);
    assert_eq!(found(|e| e.acknowledged[0].sagas.clear()), ["I2"]);
}

#[test]
fn an_untrue_answer_is_found() {
    assert_eq!(found(|e| e.acknowledged[1].told = Some(OrderState::PaymentSuccess)), ["I16"]);
}

#[test]
fn lost_made_up_and_negative_units_are_found() {
    assert_eq!(found(|e| e.items[0].stocked = 2), ["I3"]);
    let oversold = |e: &mut Evidence| e.items[0] = ItemRecord { available: -1, stocked: 0, ..e.items[0].clone() };
    assert_eq!(found(oversold), ["I3"]);
}

#[test]
fn a_reservation_left_over_or_missing_is_found() {
    let left_over = |e: &mut Evidence| {
        e.reservations.push(ReservationRecord { order: "bad".to_owned(), ..e.reservations[0].clone() });
    };
    assert_eq!(found(left_over), ["I3"]);
    assert_eq!(found(|e| e.reservations[0].held = false), ["I3"]);
    assert_eq!(found(|e| e.reservations[0].quantity = 2), ["I3"]);
}

#[test]
fn money_kept_or_given_away_is_found() {
    assert!(found(|e| e.payments[0].paid = PRICE - 1).contains(&"I4"));
    assert!(found(|e| e.payments[0].currency = "USD".to_owned()).contains(&"I4"));
    assert_eq!(found(|e| drop(e.payments.remove(0))), ["I4"], "completed without a payment");
}

#[test]
fn a_missing_double_or_wrong_refund_is_found() {
    let missing = |e: &mut Evidence| (e.payments[1].refunded, e.payments[1].refunds) = (0, 0);
    assert_eq!(found(missing), ["I4", "I5"]);
    assert_eq!(found(|e| e.payments[1].refunds = 2), ["I5"]);
    assert_eq!(found(|e| e.payments[1].refunded = PRICE + 1), ["I4", "I5"]);
    let completed = |e: &mut Evidence| (e.payments[0].refunded, e.payments[0].refunds) = (PRICE, 1);
    assert_eq!(found(completed), ["I4", "I5"]);
}

#[test]
fn a_double_charge_is_found() {
    let twice = |e: &mut Evidence| e.payments.push(LedgerPayment { imp_uid: "p4".to_owned(), ..e.payments[0].clone() });
    assert_eq!(found(twice), ["I4", "I5"]);
}

#[test]
fn order_and_saga_that_disagree_are_found() {
    let half_undone = |e: &mut Evidence| e.sagas[0].state = SagaState::Compensated;
    assert_eq!(found(half_undone), ["I10"]);
    assert_eq!(found(|e| e.orders[0].saga = String::new()), ["I10"]);
    let unfinished = |e: &mut Evidence| {
        e.orders[1].state = OrderState::PaymentConfirm;
        e.acknowledged[1].told = None;
    };
    assert_eq!(found(unfinished), ["I10"]);
}

#[test]
fn a_stolen_refund_is_found() {
    assert_eq!(found(|e| e.bystanders[0].0.refunded = 1), ["I5"]);
    assert_eq!(found(|e| e.bystanders[0].0.paid = 0), ["I5"], "vanished from the ledger");
}

//! A sound run passes; each planted violation is found, by the law that is there for it.

use super::*;
use crate::laws::invariants;
use baton_orchestrator::sagas::Registry;
use baton_verify::report::Report;
use baton_verify::tally::audit;
use shop_proto::order::v1::OrderState;

const PRICE: i64 = 500;

fn id(number: u8) -> SagaId {
    SagaId([number; 16])
}

fn promise(order: &str, saga: u8, told: OrderState) -> Call {
    Call::started(&format!("request of {order}"), order, &id(saga).to_string(), Some(told.as_str_name()))
}

fn payment(id: &str, order: &str, refunds: i64) -> Payment {
    Payment {
        imp_uid: id.to_owned(),
        merchant_uid: order.to_owned(),
        currency: "KRW".to_owned(),
        paid: PRICE,
        refunded: refunds * PRICE,
        refunds,
    }
}

fn saga_of(order: &str, saga: u8, state: StateKind) -> SagaEvidence {
    let outline = Some(Outline { state, business_key: order.to_owned() });
    SagaEvidence { outline, ..SagaEvidence::new(id(saga)) }
}

/// Two orders of one unit: `good` is completed, `bad` was undone and refunded; `other` is somebody else's payment.
fn sound() -> (Found, Scope) {
    let order = |number: &str, state, saga: u8| Order {
        number: number.to_owned(),
        state,
        currency: "KRW".to_owned(),
        total: PRICE,
        saga: Some(id(saga)),
        lines: BTreeMap::from([("hot".to_owned(), 1)]),
    };
    let orders = [order("good", OrderState::PaymentSuccess, 1), order("bad", OrderState::PaymentOutOfStock, 2)];
    let reservation = Reservation { item: "hot".to_owned(), order: "good".to_owned(), quantity: 1, held: true };
    let found = Found {
        sagas: vec![saga_of("good", 1, StateKind::Completed), saga_of("bad", 2, StateKind::Compensated)],
        orders: orders.map(|order| (order.number.clone(), order)).into(),
        shelves: vec![Shelf { item: "hot".to_owned(), stocked: 1, reserved: 1, ..Shelf::default() }],
        reservations: vec![reservation],
        payments: vec![payment("p1", "good", 0), payment("p2", "bad", 1), payment("p3", "other", 0)],
    };
    let scope = Scope {
        history: vec![promise("good", 1, OrderState::PaymentSuccess), promise("bad", 2, OrderState::PaymentOutOfStock)],
        items: vec!["hot".to_owned()],
        bystanders: BTreeMap::from([("p3".to_owned(), 0)]),
    };
    (found, scope)
}

fn report(plant: impl FnOnce(&mut Found, &mut Scope)) -> Report {
    let (mut found, mut scope) = sound();
    plant(&mut found, &mut scope);
    audit(found.evidence(scope), &Registry::default(), &invariants())
}

/// Plants a violation and returns the ids of the promises that are broken.
fn broken(plant: impl FnOnce(&mut Found, &mut Scope)) -> Vec<&'static str> {
    report(plant).broken()
}

fn order<'a>(found: &'a mut Found, number: &str) -> &'a mut Order {
    found.orders.get_mut(number).expect("an order")
}

fn state(found: &mut Found, saga: usize, state: StateKind) {
    found.sagas[saga].outline.as_mut().expect("an outline").state = state;
}

#[test]
fn a_sound_run_passes_and_what_cannot_be_seen_from_outside_is_not_checked() {
    let report = report(|_, _| {});
    assert!(report.passed(), "{}", report.table());
    assert!(report.checked() >= 11, "{}", report.table());
    let unchecked = report.findings.iter().filter_map(|finding| finding.unchecked.as_deref());
    assert!(
        unchecked.clone().any(|why| why == "needs the journals and the participants' ledgers"),
        "{}",
        report.table()
    );
}

#[test]
fn a_lost_order_or_saga_is_found() {
    assert!(broken(|found, _| drop(found.orders.remove("good"))).contains(&"I1"));
    assert!(broken(|found, _| drop(found.sagas.remove(1))).contains(&"I1"));
}

#[test]
fn a_saga_that_did_not_end_is_found() {
    assert_eq!(broken(|found, _| state(found, 1, StateKind::Stuck)), ["I1", "I17"]);
    assert_eq!(broken(|found, _| state(found, 1, StateKind::Running)), ["I1", "I17"]);
}

#[test]
fn a_second_saga_is_found() {
    let second = |found: &mut Found, _: &mut Scope| found.sagas.push(saga_of("good", 9, StateKind::Completed));
    assert!(broken(second).contains(&"I2"));
    let named = |_: &mut Found, scope: &mut Scope| scope.history.push(promise("good", 9, OrderState::PaymentSuccess));
    assert_eq!(broken(named), ["I1", "I2"]);
}

#[test]
fn an_untrue_answer_is_found() {
    assert_eq!(broken(|_, scope| scope.history[1] = promise("bad", 2, OrderState::PaymentSuccess)), ["I16"]);
}

#[test]
fn lost_made_up_and_negative_units_are_found() {
    assert_eq!(broken(|found, _| found.shelves[0].stocked = 2), ["I3"]);
    assert_eq!(broken(|found, _| (found.shelves[0].available, found.shelves[0].stocked) = (-1, 0)), ["I3"]);
}

#[test]
fn a_reservation_left_over_or_missing_is_found() {
    let left_over = |order: &'static str| {
        move |found: &mut Found, _: &mut Scope| {
            let again = Reservation { order: order.to_owned(), ..found.reservations[0].clone() };
            found.reservations.push(again);
            // The shelf itself fits.
            (found.shelves[0].stocked, found.shelves[0].reserved) = (2, 2);
        }
    };
    assert_eq!(broken(left_over("bad")), ["I3"]);
    assert_eq!(broken(left_over("nobody's")), ["I3"]);
    let of_a_lost_order = |found: &mut Found, scope: &mut Scope| {
        left_over("bad")(found, scope);
        found.orders.remove("bad");
    };
    assert!(broken(of_a_lost_order).contains(&"I3"));
    assert_eq!(broken(|found, _| found.reservations[0].held = false), ["I3"]);
    assert_eq!(broken(|found, _| found.reservations[0].quantity = 2), ["I3"]);
}

#[test]
fn money_kept_or_given_away_is_found() {
    assert_eq!(broken(|found, _| found.payments[0].paid = PRICE - 1), ["I4"]);
    assert_eq!(broken(|found, _| found.payments[0].currency = "USD".to_owned()), ["I4"]);
    assert_eq!(broken(|found, _| drop(found.payments.remove(0))), ["I4"], "completed without a payment");
}

#[test]
fn a_missing_double_or_wrong_refund_is_found() {
    let refund = |payment: usize, refunded: i64, refunds: i64| {
        move |found: &mut Found, _: &mut Scope| {
            (found.payments[payment].refunded, found.payments[payment].refunds) = (refunded, refunds);
        }
    };
    assert_eq!(broken(refund(1, 0, 0)), ["I4"]);
    assert_eq!(broken(refund(1, PRICE, 2)), ["I5"]);
    assert_eq!(broken(refund(1, PRICE + 1, 1)), ["I4", "I5"]);
    assert_eq!(broken(refund(0, PRICE, 1)), ["I4"], "completed and refunded");
}

#[test]
fn a_double_charge_is_found() {
    assert_eq!(broken(|found, _| found.payments.push(payment("p4", "good", 0))), ["I4", "I5"]);
}

#[test]
fn order_and_saga_that_disagree_are_found() {
    assert!(broken(|found, _| state(found, 0, StateKind::Compensated)).contains(&"I10"));
    assert_eq!(broken(|found, _| order(found, "good").saga = None), ["I10"]);
    let unfinished = |found: &mut Found, scope: &mut Scope| {
        order(found, "bad").state = OrderState::PaymentConfirm;
        scope.history[1] = Call::started("r", "bad", &id(2).to_string(), None);
    };
    assert_eq!(broken(unfinished), ["I10"]);
}

#[test]
fn a_stolen_refund_is_found() {
    assert_eq!(broken(|found, _| found.payments[2].refunded = 1), ["I5"]);
    assert_eq!(broken(|found, _| drop(found.payments.pop())), ["I5"], "vanished from the ledger");
}

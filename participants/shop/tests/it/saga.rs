//! The order saga: every path walked, a payload for every command, and its flow as a script.

use baton_orchestrator::sagas::SagaType as _;
use baton_shop::saga::registry;
use baton_shop::saga::{OrderSaga, definition};
use prost::Message as _;
use saga_core::machine;
use saga_core::saga::{Direction, Saga, SagaId};
use saga_core::time::Micros;
use saga_testing::exhaust::{Bounds, exhaust};
use saga_testing::script;
use shop_domain::reason;
use shop_proto::order::v1::{OrderLine, OrderSagaInput};
use shop_proto::payment::v1::{CancelPayment, VerifyPayment};
use std::path::Path;

fn input() -> OrderSagaInput {
    OrderSagaInput {
        order_number: "0190a3c2-7b1d-7c3e-8f00-0123456789ab".into(),
        payment_id: "imp_1".into(),
        customer_id: "alice".into(),
        currency_code: "KRW".into(),
        lines: vec![OrderLine { item_id: "apple".into(), quantity: 3, unit_price_minor_units: 500 }],
    }
}

fn started() -> Saga {
    machine::start(&definition(), SagaId([1; 16]), input().encode_to_vec().into(), Micros(1)).saga
}

#[test]
fn every_path_ends_or_parks_and_breaks_no_law() {
    let report = exhaust(&definition(), Bounds { attempts: 2, operator_actions: 3, ..Bounds::default() })
        .expect("no law broken");
    println!("order saga: {report}");
    assert!(report.states > 1_000, "{report}");
}

#[test]
fn the_flow_is_as_written_in_its_script() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts/order.txt");
    let definitions: Vec<_> = registry().iter().map(|saga| saga.definition().clone()).collect();
    script::check(&path, &definitions).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn every_command_has_a_payload() {
    let (order, saga) = (OrderSaga::default(), started());
    for (index, step) in (0_u8..).zip(definition().steps()) {
        let halves = [(Direction::Action, &step.action), (Direction::Undo, &step.undo)];
        for (direction, command) in halves {
            let payload = order.payload(&saga, index, direction);
            assert_eq!(payload.is_ok(), command.is_some(), "{} {direction:?}", step.name);
        }
    }
}

#[test]
fn the_payment_is_verified_for_the_lines_total_and_cancelled_under_its_order() {
    let (order, saga) = (OrderSaga::default(), started());
    let verify = VerifyPayment::decode(order.payload(&saga, 2, Direction::Action).unwrap()).unwrap();
    assert_eq!((verify.amount_minor_units, verify.currency_code.as_str()), (1500, "KRW"));
    let cancel = CancelPayment::decode(order.payload(&saga, 0, Direction::Undo).unwrap()).unwrap();
    assert_eq!((cancel.payment_id, cancel.order_number), ("imp_1".into(), input().order_number));
}

#[test]
fn bad_inputs_are_refused_field_by_field() {
    let line =
        |item: &str, quantity, price| OrderLine { item_id: item.into(), quantity, unit_price_minor_units: price };
    let cases = [
        (OrderSagaInput { order_number: "x".into(), ..input() }, "order", reason::ORDER_NUMBER_INVALID),
        (OrderSagaInput { payment_id: "a b".into(), ..input() }, "payment_id", reason::PAYMENT_ID_INVALID),
        (OrderSagaInput { customer_id: String::new(), ..input() }, "customer_id", reason::CUSTOMER_ID_INVALID),
        (OrderSagaInput { currency_code: "XXX".into(), ..input() }, "currency_code", reason::CURRENCY_NOT_ALLOWED),
        (OrderSagaInput { lines: vec![], ..input() }, "lines", reason::LINES_MISSING),
        (
            OrderSagaInput { lines: vec![line("a", 0, 1)], ..input() },
            "lines[0].quantity",
            reason::QUANTITY_OUT_OF_RANGE,
        ),
    ];
    for (input, field, reason) in cases {
        let violations = OrderSaga::default().accept(&input.encode_to_vec()).expect_err(field);
        let first = &violations.list()[0];
        assert_eq!((first.0.as_str(), first.1.reason), (field, reason));
    }
    assert!(OrderSaga::default().accept(b"\xff\xff").is_err());
    assert!(OrderSaga::default().accept(&input().encode_to_vec()).is_ok());
}

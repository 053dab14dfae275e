//! Each lie in the books is found by the check that is there for it; sound books pass, and are counted.

use super::*;
use crate::logs::Leak;

fn shelf() -> Shelf {
    let item = "hot".to_owned();
    Shelf { item, available: 3, reserved: 2, stocked: 5, initial: 4, held: 2, restocked: 1 }
}

fn payment() -> LedgerPayment {
    LedgerPayment {
        imp_uid: "imp_1".to_owned(),
        merchant_uid: "order".to_owned(),
        currency: "KRW".to_owned(),
        paid: 500,
        refunded: 500,
        refunds: 1,
    }
}

fn claim() -> Claim {
    Claim {
        payment: "imp_1".to_owned(),
        order: "order".to_owned(),
        saga: SagaId([1; 16]),
        currency: "KRW".to_owned(),
        amount: 500,
        state: 2,
    }
}

fn look(check: impl FnOnce(&mut Found)) -> Found {
    let mut found = Found::default();
    check(&mut found);
    found
}

/// How many things were looked at, and how many are broken.
fn count(check: impl FnOnce(&mut Found)) -> (usize, usize) {
    let found = look(check);
    (found.looked, found.broken.len())
}

#[test]
fn stock_adds_up() {
    assert_eq!(count(|found| stock(&[shelf()], &[], found)), (1, 0));
    let lies: [fn(&mut Shelf); 5] = [
        |it| it.available += 1,
        |it| it.held = 1,
        |it| (it.available, it.reserved, it.held) = (6, -1, -1),
        |it| it.restocked = 0,
        |it| (it.available, it.stocked) = (4, 6),
    ];
    for lie in lies {
        let mut shelf = shelf();
        lie(&mut shelf);
        assert_eq!(count(|found| stock(std::slice::from_ref(&shelf), &[], found)), (1, 1), "{shelf:?}");
    }
    assert_eq!(count(|found| stock(&[], &[("gone".to_owned(), 2)], found)), (1, 1));
}

#[test]
fn money_adds_up() {
    let sums = |kept| Sums::from([("KRW".to_owned(), (kept, 500)), ("USD".to_owned(), (1, 1))]);
    assert_eq!(count(|found| money(&sums(500), found)), (2, 0));
    assert!(look(|found| money(&sums(499), found)).broken[0].starts_with("KRW"));
}

#[test]
fn refunds_have_a_saga() {
    assert_eq!(count(|found| refunds(&[payment()], &[claim()], found)), (1, 0));
    assert_eq!(count(|found| refunds(&[LedgerPayment { refunded: 0, refunds: 0, ..payment() }], &[], found)), (0, 0));
    assert_eq!(count(|found| refunds(&[payment()], &[], found)), (1, 1));
    for claim in [Claim { state: 1, ..claim() }, Claim { order: "other".to_owned(), ..claim() }] {
        assert_eq!(count(|found| refunds(&[payment()], &[claim], found)), (1, 1));
    }
}

#[test]
fn claims_have_a_payment() {
    assert_eq!(count(|found| claims(&[claim()], &[payment()], found)), (1, 0));
    assert_eq!(count(|found| claims(&[claim()], &[], found)), (1, 1));
    let lies = [
        LedgerPayment { merchant_uid: "other".to_owned(), ..payment() },
        LedgerPayment { paid: 499, refunded: 499, ..payment() },
        LedgerPayment { currency: "USD".to_owned(), ..payment() },
        LedgerPayment { refunded: 0, ..payment() },
    ];
    for lie in lies {
        assert_eq!(count(|found| claims(&[claim()], &[lie], found)), (1, 1));
    }
}

#[test]
fn named_sagas_exist() {
    let order = OrderHead { number: "order".to_owned(), state: 2, saga: Some(SagaId([1; 16])) };
    let (here, nobody) = (BTreeSet::from([SagaId([1; 16])]), BTreeSet::new());
    let orders_of = [order.clone(), OrderHead { saga: None, ..order }];
    assert_eq!(count(|found| orders(&orders_of, &here, found)), (1, 0));
    assert_eq!(count(|found| orders(&orders_of, &nobody, found)), (1, 1));
    assert_eq!(count(|found| claimants(&[claim()], &here, found)), (1, 0));
    assert_eq!(count(|found| claimants(&[claim()], &nobody, found)), (1, 1));
    let lie = Keys { keys: 3, without_saga: vec![SagaId([2; 16])], shared: vec![("order".to_owned(), 2)] };
    assert_eq!(count(|found| keys_exist(&lie, found)), (3, 1));
    assert_eq!(count(|found| one_saga(&lie, found)), (3, 1));
}

#[test]
fn outbox_queues_and_quarantine() {
    let full = Outbox { rows: 2, damaged: vec!["row".to_owned()], ..Outbox::default() };
    assert_eq!(count(|found| outbox(&full, found)), (2, 1));
    assert_eq!(count(|found| outbox_empty(&full, found)), (1, 1));
    assert_eq!(count(|found| outbox_empty(&Outbox::default(), found)), (1, 0));
    let queue = |name: &str, messages| Queue { name: name.to_owned(), messages };
    assert_eq!(count(|found| queues_empty(&[queue("saga.cmd.stock.v1", 1)], found)), (1, 1));
    assert_eq!(count(|found| queues_empty(&[queue("saga.cmd.stock.v1.dlq", 1), queue("a", 0)], found)), (1, 0));
    let letter = |reason: Option<&str>| DeadLetter {
        queue: "q".to_owned(),
        message: String::new(),
        reason: reason.map(str::to_owned),
    };
    let letters = [letter(Some("TOO_LARGE")), letter(Some("")), letter(None)];
    assert_eq!(count(|found| quarantine(&letters, found)), (3, 2));
    let scan = Scan { files: 1, lines: 9, leaks: vec![("log, line 1".to_owned(), Leak::Panic)] };
    assert_eq!(count(|found| leaks(&scan, found)), (9, 1));
}

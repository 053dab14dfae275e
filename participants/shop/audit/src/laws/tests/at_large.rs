//! Laws over what belongs to no single saga: each lie is found by the one that is there for it; what is sound is counted.

use crate::evidence::{Bystander, Claim, Payment, Shelf, ShopAtLarge};
use crate::laws::{money, stock};
use baton_verify::evidence::{DeadLetter, Evidence, Queue, Reference};
use baton_verify::invariant::{Findings, Invariant as _, Law};
use baton_verify::laws::{existence, surroundings};
use baton_verify::logs::{Leak, Scan};
use baton_verify::own::Own;
use saga_core::saga::SagaId;

fn shelf() -> Shelf {
    let item = "hot".to_owned();
    Shelf { item, available: 3, reserved: 2, stocked: 5, put_in: Some((4, 1)), held: 2, strays: 0 }
}

fn payment() -> Payment {
    Payment {
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

/// How many things were looked at, and how many are broken.
fn count(law: Law, evidence: &Evidence) -> (usize, usize) {
    let Findings { looked, broken, .. } = law.judge(evidence);
    (looked, broken.len())
}

fn of_shop(law: Law, own: ShopAtLarge) -> (usize, usize) {
    count(law, &Evidence { own: Own::default().with(own), ..Evidence::default() })
}

#[test]
fn stock_adds_up() {
    let of = |shelf: Shelf| of_shop(stock::SHELVES, ShopAtLarge { shelves: vec![shelf], ..ShopAtLarge::default() });
    assert_eq!(of(shelf()), (1, 0));
    assert_eq!(of(Shelf { put_in: None, ..shelf() }), (1, 0));
    let lies: [fn(&mut Shelf); 6] = [
        |it| it.available += 1,
        |it| it.held = 1,
        |it| (it.available, it.reserved, it.held) = (6, -1, -1),
        |it| it.put_in = Some((4, 0)),
        |it| (it.available, it.stocked) = (4, 6),
        |it| it.strays = 1,
    ];
    for lie in lies {
        let mut shelf = shelf();
        lie(&mut shelf);
        assert_eq!(of(shelf.clone()), (1, 1), "{shelf:?}");
    }
    let homeless = vec![("gone".to_owned(), 2)];
    assert_eq!(of_shop(stock::SHELVES, ShopAtLarge { homeless, ..ShopAtLarge::default() }), (1, 1));
}

#[test]
fn refunds_have_a_saga() {
    let of = |claim: Option<Claim>| {
        let refunds = vec![(payment(), claim)];
        of_shop(money::REFUNDS, ShopAtLarge { refunds, ..ShopAtLarge::default() })
    };
    assert_eq!(of(Some(claim())), (1, 0));
    assert_eq!(of(None), (1, 1));
    for claim in [Claim { state: 1, ..claim() }, Claim { order: "other".to_owned(), ..claim() }] {
        assert_eq!(of(Some(claim)), (1, 1));
    }
}

#[test]
fn claims_have_a_payment() {
    let of = |payment: Option<Payment>| {
        let claims = vec![(claim(), payment)];
        of_shop(money::CLAIMS_PAID, ShopAtLarge { claims, ..ShopAtLarge::default() })
    };
    assert_eq!(of(Some(payment())), (1, 0));
    assert_eq!(of(None), (1, 1));
    let lies = [
        Payment { merchant_uid: "other".to_owned(), ..payment() },
        Payment { paid: 499, refunded: 499, ..payment() },
        Payment { currency: "USD".to_owned(), ..payment() },
        Payment { refunded: 0, ..payment() },
    ];
    for lie in lies {
        assert_eq!(of(Some(lie)), (1, 1));
    }
}

#[test]
fn bystanders_keep_their_money() {
    let of = |payment: Payment| {
        let bystanders = vec![Bystander { payment, refunded: 0 }];
        of_shop(money::BYSTANDERS_UNTOUCHED, ShopAtLarge { bystanders, ..ShopAtLarge::default() })
    };
    assert_eq!(of(Payment { refunded: 0, refunds: 0, ..payment() }), (1, 0));
    assert_eq!(of(payment()), (1, 1));
    assert_eq!(of(Payment { paid: 0, refunded: 0, ..payment() }), (1, 1), "vanished from the ledger");
}

#[test]
fn named_sagas_exist_and_exclusive_keys_have_one() {
    let named = |is_there| Reference { by: "order 1".to_owned(), saga: SagaId([1; 16]), is_there };
    let evidence = Evidence { references: vec![named(true), named(false)], start_keys: 3, ..Evidence::default() };
    assert_eq!(count(existence::NAMED_SAGAS, &evidence), (5, 1));
    let evidence = Evidence { shared_keys: vec![("order".to_owned(), 2)], start_keys: 3, ..Evidence::default() };
    assert_eq!(count(existence::ONE_SAGA, &evidence), (3, 1));
}

#[test]
fn queues_quarantine_and_logs() {
    let queue = |name: &str, messages| Queue { name: name.to_owned(), messages };
    let queues = |queues| count(surroundings::QUEUES_EMPTY, &Evidence { queues, ..Evidence::default() });
    assert_eq!(queues(vec![queue("saga.cmd.stock.v2", 1)]), (1, 1));
    assert_eq!(queues(vec![queue("saga.cmd.stock.v1.dlq", 1), queue("a", 0)]), (1, 0));
    let letter = |reason: Option<&str>| DeadLetter {
        queue: "q".to_owned(),
        message: String::new(),
        reason: reason.map(str::to_owned),
        unsent: reason.is_some(),
    };
    let dead_letters = vec![letter(Some("TOO_LARGE")), letter(Some("")), letter(None)];
    let evidence = Evidence { dead_letters, ..Evidence::default() };
    assert_eq!(count(surroundings::QUARANTINE, &evidence), (3, 2));
    assert_eq!(count(surroundings::LETTERS_SENT, &evidence), (3, 2));
    let scan = Scan { files: 1, lines: 9, leaks: vec![("log, line 1".to_owned(), Leak::Panic)] };
    assert_eq!(count(surroundings::LEAKS, &Evidence { logs: Some(scan), ..Evidence::default() }), (9, 1));
}

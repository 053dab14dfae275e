//! Two sound sagas pass every law over one saga, the engine's and the shop's; each planted lie is found by the law that is
//! there for it, and named.

use crate::evidence::{CLAIMS, Claim, ITEMS, ORDERS, Order, PAYMENTS, Payment, Reservation, ShopSaga};
use crate::laws::invariants;
use baton_orchestrator::api::start::{business_start_key, fingerprint_of};
use baton_orchestrator::sagas::{Registry, SagaType as _};
use baton_orchestrator::store::{Holder, Record};
use baton_shop::saga::OrderSaga;
use baton_verify::coverage::{Coverage, JOURNALS, Mode, SAGAS, START_KEYS};
use baton_verify::evidence::{Case, Evidence};
use baton_verify::invariant::{Check, Findings};
use baton_verify::laws::{rest, sending};
use baton_verify::saga_evidence::{Effect, Read, SagaEvidence};
use baton_verify::story::{Story, journal_of};
use baton_verify::tally::with_engine;
use bytes::Bytes;
use prost::Message as _;
use saga_core::event::{Event, OperatorAction, Outcome, Reply, Verb};
use saga_core::saga::{Direction, SagaId, State, Wait};
use saga_core::time::Micros;
use saga_core::transition::Command;
use shop_domain::identifier::OrderNumber;
use shop_proto::order::v1::{OrderLine, OrderSagaInput, OrderState};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const ID: SagaId = SagaId([7; 16]);
const ORDER: [u8; 16] = [9; 16];
const IMP: &str = "imp_1";

fn input() -> OrderSagaInput {
    OrderSagaInput {
        order_number: OrderNumber::from_bytes(ORDER).to_string(),
        payment_id: IMP.to_owned(),
        customer_id: "c".to_owned(),
        currency_code: "KRW".to_owned(),
        lines: vec![OrderLine { item_id: "hot".to_owned(), quantity: 2, unit_price_minor_units: 500 }],
    }
}

fn reply(step: u8, direction: Direction, attempt: u32, outcome: Outcome) -> Event {
    Event::Reply(Reply { step, direction, attempt, outcome })
}

fn done(step: u8, direction: Direction) -> Event {
    reply(step, direction, 1, Outcome::Succeeded { output: Bytes::new() })
}

fn refused(step: u8) -> Event {
    let (reason, message) = ("OUT_OF_STOCK".to_owned(), String::new());
    reply(step, Direction::Action, 1, Outcome::Rejected { reason, message })
}

fn effect(step: i64, direction: i64, outcome: i64, reason: &str) -> Effect {
    Effect { step, direction, outcome, attempt: 1, reason: reason.to_owned(), created_at: 5 }
}

/// A saga around a journal: row, ledgers and the shop's tables that fit it.
fn around(
    events: &[Event],
    effects: &[(&str, Effect)],
    state: OrderState,
    hold: Option<bool>,
    refunded: bool,
) -> SagaEvidence {
    let bytes = Bytes::from(input().encode_to_vec());
    let saga_type = OrderSaga::default();
    let (saga, journal) = journal_of(saga_type.definition(), ID, &bytes, events);
    let number = OrderNumber::from_bytes(ORDER).to_string();
    let mut dossier = SagaEvidence::new(ID);
    dossier.look_at = saga.wake_at();
    let mut own = ShopSaga { input: Some(input()), ..ShopSaga::default() };
    dossier.saga = Read::Row(Record {
        saga,
        business_key: number.clone(),
        traceparent: String::new(),
        last_failure: None,
        skipped: Vec::new(),
    });
    dossier.journal = journal;
    dossier.start_key = Some(Holder {
        key: business_start_key("order", &number),
        saga: ID,
        fingerprint: fingerprint_of("order", &bytes),
    });
    for (participant, effect) in effects {
        dossier.effects.entry((*participant).to_owned()).or_default().push(effect.clone());
    }
    own.order = Read::Row(Order {
        number: number.clone(),
        state,
        currency: "KRW".to_owned(),
        total: 1_000,
        saga: Some(ID),
        lines: BTreeMap::from([("hot".to_owned(), 2)]),
    });
    let held = hold.map(|held| Reservation { item: "hot".to_owned(), order: number.clone(), quantity: 2, held });
    own.reservations = held.into_iter().collect();
    let (claim, back) = if refunded { (2, 1_000) } else { (1, 0) };
    own.claim = Read::Row(Claim {
        payment: IMP.to_owned(),
        order: number.clone(),
        saga: ID,
        currency: "KRW".to_owned(),
        amount: 1_000,
        state: claim,
    });
    own.closed = refunded;
    own.payments = vec![Payment {
        imp_uid: IMP.to_owned(),
        merchant_uid: number,
        currency: "KRW".to_owned(),
        paid: 1_000,
        refunded: back,
        refunds: i64::from(refunded),
    }];
    *dossier.own.entry() = own;
    dossier
}

fn completed() -> SagaEvidence {
    let events: Vec<Event> = (1..=4).map(|step| done(step, Direction::Action)).collect();
    let effects = [
        ("order", effect(1, 1, 1, "")),
        ("order", effect(4, 1, 1, "")),
        ("payment", effect(2, 1, 1, "")),
        ("stock", effect(3, 1, 1, "")),
    ];
    around(&events, &effects, OrderState::PaymentSuccess, Some(true), false)
}

fn compensated() -> SagaEvidence {
    let (action, undo) = (Direction::Action, Direction::Undo);
    let events = [done(1, action), done(2, action), refused(3), done(1, undo), done(0, undo)];
    let effects = [
        ("order", effect(1, 1, 1, "")),
        ("order", effect(1, 2, 1, "")),
        ("payment", effect(2, 1, 1, "")),
        ("payment", effect(0, 2, 1, "")),
        ("stock", effect(3, 1, 2, "OUT_OF_STOCK")),
    ];
    around(&events, &effects, OrderState::PaymentOutOfStock, None, true)
}

/// What each law over one saga finds, by id and text.
fn judge(dossier: SagaEvidence, mode: Mode) -> Vec<(&'static str, &'static str, Findings)> {
    let parts = [SAGAS, JOURNALS, START_KEYS, ORDERS, ITEMS, CLAIMS, PAYMENTS];
    let coverage = Arc::new(Coverage::of(&parts, ["order", "payment", "stock"].map(str::to_owned)));
    let evidence = Evidence { sagas: vec![dossier], now_us: Some(1 << 60), ..Evidence::new(mode, &coverage) };
    let evidence = evidence.replayed(&Registry::default().with(OrderSaga::default()));
    let further = invariants();
    let all = with_engine(&further).into_iter();
    let given = all.filter(|law| law.promise().needs.iter().all(|part| coverage.has(*part)));
    given.map(|law| (law.promise().id, law.promise().what, law.judge(&evidence))).collect()
}

fn broken(dossier: SagaEvidence) -> BTreeMap<&'static str, Vec<String>> {
    let mut broken: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (id, _, found) in judge(dossier, Mode::AtRest) {
        let unequal = found.sums.iter().filter(|(_, (left, right))| left != right);
        let unequal: Vec<String> = unequal.map(|(account, _)| format!("{account} of {ID}")).collect();
        let all: Vec<String> = found.broken.into_iter().chain(unequal).collect();
        if !all.is_empty() {
            broken.entry(id).or_default().extend(all);
        }
    }
    broken
}

/// Plants a lie; exactly these invariants are broken, each finding names the saga.
#[track_caller]
fn expect(mut dossier: SagaEvidence, plant: impl FnOnce(&mut SagaEvidence), ids: &[&str]) {
    plant(&mut dossier);
    let broken = broken(dossier);
    assert_eq!(broken.keys().copied().collect::<BTreeSet<_>>(), ids.iter().copied().collect(), "{broken:#?}");
    assert!(broken.values().flatten().all(|text| text.contains(&ID.to_string())), "{broken:#?}");
}

fn saga(dossier: &mut SagaEvidence) -> &mut saga_core::saga::Saga {
    match &mut dossier.saga {
        Read::Row(record) => &mut record.saga,
        other => panic!("no row: {other:?}"),
    }
}

fn own(dossier: &mut SagaEvidence) -> &mut ShopSaga {
    dossier.own.entry()
}

fn order(dossier: &mut SagaEvidence) -> &mut Order {
    match &mut own(dossier).order {
        Read::Row(order) => order,
        other => panic!("no order: {other:?}"),
    }
}

fn claim(dossier: &mut SagaEvidence) -> &mut Claim {
    match &mut own(dossier).claim {
        Read::Row(claim) => claim,
        other => panic!("no claim: {other:?}"),
    }
}

fn paid(dossier: &mut SagaEvidence) -> &mut Payment {
    &mut own(dossier).payments[0]
}

#[test]
fn sound_sagas_pass_and_every_law_looks_at_something() {
    let mut looked: BTreeMap<&str, usize> = BTreeMap::new();
    let mut doubtful =
        vec![reply(1, Direction::Action, 1, Outcome::Unavailable { reason: "X".into(), message: String::new() })];
    doubtful.push(Event::Wake);
    let running = |events: &[Event]| {
        let mut dossier = around(events, &[], OrderState::PaymentPending, None, false);
        order(&mut dossier).saga = None;
        own(&mut dossier).claim = Read::Missing;
        dossier
    };
    for mut dossier in [completed(), compensated(), running(&doubtful[..1]), running(&[])] {
        let active = saga(&mut dossier).wake_at().is_some();
        for (id, name, found) in judge(dossier, if active { Mode::Live } else { Mode::AtRest }) {
            *looked.entry(name).or_default() += found.looked + found.sums.len();
            // An hour is long past on this clock, and nothing is at rest here.
            assert!(found.broken.is_empty() || (active && id == "I17"), "{id} {name}: {found:?}");
        }
    }
    for (_, name, found) in judge(forgotten(), Mode::AtRest) {
        *looked.entry(name).or_default() += found.looked;
    }
    // Laws over what belongs to no single saga have tests of their own.
    let of_sagas = |name: &str| {
        let all = baton_verify::laws::LAWS.iter().chain(crate::laws::LAWS);
        all.filter(|law| matches!(law.check, Check::Saga(_))).any(|law| law.promise.what == name)
    };
    let idle: Vec<&&str> =
        looked.iter().filter(|(name, looked)| **looked == 0 && of_sagas(name)).map(|(name, _)| name).collect();
    assert!(idle.is_empty(), "laws that looked at nothing: {idle:?}");
}

#[test]
fn lost_rows_and_keys() {
    // What a saga was started with stands in its row.
    let unread = |saga| move |it: &mut SagaEvidence| (it.saga, own(it).input) = (saga, None);
    expect(completed(), unread(Read::Missing), &["I1"]);
    expect(completed(), |it| own(it).order = Read::Missing, &["I1", "I6"]);
    expect(completed(), |it| order(it).saga = Some(SagaId([1; 16])), &["I1"]);
    expect(completed(), |it| it.start_key = None, &["I2"]);
    expect(completed(), |it| it.start_key.as_mut().unwrap().fingerprint.0[0] ^= 1, &["I2"]);
    expect(completed(), |it| it.start_key.as_mut().unwrap().saga.0[0] ^= 1, &["I2"]);
    expect(completed(), unread(Read::Damaged("odd".to_owned())), &["I12"]);
}

/// What retention leaves of a completed saga: the ledgers, and that it was there.
fn forgotten() -> SagaEvidence {
    let mut dossier = completed();
    dossier.saga = Read::Missing;
    dossier.journal.clear();
    dossier.forgotten = Some(5);
    dossier.start_key = None;
    // Only the row says which order and payment it was about.
    let reservations = std::mem::take(&mut own(&mut dossier).reservations);
    *own(&mut dossier) = ShopSaga { reservations, ..ShopSaga::default() };
    dossier
}

#[test]
fn forgotten_sagas() {
    expect(forgotten(), |_| {}, &[]);
    expect(forgotten(), |it| it.forgotten = None, &["I1"]);
    expect(forgotten(), |it| it.forgotten = Some(3), &["I1"]);
    expect(forgotten(), |it| it.journal = completed().journal, &["I1"]);
    expect(completed(), |it| it.forgotten = Some(5), &["I1"]);
}

#[test]
fn stock_and_money() {
    expect(completed(), |it| own(it).reservations[0].held = false, &["I3"]);
    expect(completed(), |it| own(it).reservations[0].quantity = 3, &["I3", "I6"]);
    expect(compensated(), |it| own(it).reservations = own(&mut completed()).reservations.clone(), &["I3", "I6"]);
    expect(completed(), |it| paid(it).paid = 999, &["I4"]);
    expect(completed(), |it| paid(it).currency = "USD".to_owned(), &["I4"]);
    expect(completed(), |it| (paid(it).refunded, paid(it).refunds) = (1_000, 1), &["I4"]);
    expect(completed(), |it| own(it).payments.clear(), &["I4"]);
    expect(compensated(), |it| (paid(it).refunded, paid(it).refunds) = (0, 0), &["I4"]);
    expect(compensated(), |it| paid(it).refunds = 2, &["I5"]);
    expect(compensated(), |it| paid(it).refunded = 2_000, &["I4", "I5"]);
    let second = |it: &mut SagaEvidence| {
        let again = Payment { imp_uid: "imp_2".to_owned(), ..paid(it).clone() };
        own(it).payments.push(again);
    };
    expect(completed(), second, &["I5"]);
}

#[test]
fn effects_and_ledgers() {
    let foreign = |it: &mut SagaEvidence| it.effects.entry("payment".to_owned()).or_default().push(effect(3, 1, 1, ""));
    expect(completed(), foreign, &["I6"]);
    // A confirmation that nobody has a row of.
    expect(completed(), |it| drop(it.effects.get_mut("order").unwrap().pop()), &["I6", "I10", "I15"]);
    expect(completed(), |it| claim(it).saga = SagaId([1; 16]), &["I6"]);
    expect(completed(), |it| order(it).state = OrderState::PaymentConfirm, &["I6", "I10"]);
    // An undo that nobody ordered, of an action that never was.
    let undo = |it: &mut SagaEvidence| it.effects.get_mut("stock").unwrap()[0].direction = 2;
    expect(compensated(), undo, &["I7", "I14", "I15"]);
}

#[test]
fn an_action_after_its_undo() {
    expect(compensated(), |it| order(it).state = OrderState::PaymentConfirm, &["I8", "I10"]);
    expect(compensated(), |it| claim(it).state = 1, &["I8"]);
}

#[test]
fn undos_out_of_order_or_past_the_pivot() {
    let swapped = |it: &mut SagaEvidence| {
        let (first, second) = (it.journal[4].record.clone(), it.journal[5].record.clone());
        (it.journal[4].record, it.journal[5].record) = (second, first);
    };
    expect(compensated(), swapped, &["I9", "I12"]);
    let undo = |it: &mut SagaEvidence| it.effects.get_mut("payment").unwrap().push(effect(0, 2, 1, ""));
    expect(completed(), undo, &["I9", "I10", "I14"]);
}

#[test]
fn half_done_ends() {
    let gone = |it: &mut SagaEvidence| drop(it.effects.remove("payment"));
    expect(completed(), gone, &["I10", "I15"]);
    let not_undone = |it: &mut SagaEvidence| it.effects.get_mut("payment").unwrap().truncate(1);
    expect(compensated(), not_undone, &["I10", "I15"]);
}

#[test]
fn journals() {
    let after_end = |it: &mut SagaEvidence| {
        let mut last = it.journal.last().unwrap().clone();
        last.version += 1;
        it.journal.push(last);
        saga(it).version += 1;
    };
    expect(completed(), after_end, &["I11", "I12"]);
    let revived = |it: &mut SagaEvidence| {
        let wait = Wait::Reply { attempt: 1, last: 2, until: Micros(i64::MAX) };
        saga(it).state = State::Running { step: 4, wait };
    };
    expect(completed(), revived, &["I11", "I12", "I14", "I17"]);
    expect(completed(), |it| it.journal[2].version = 9, &["I12"]);
    expect(completed(), |it| it.journal[2].at = 1, &["I12"]);
    expect(completed(), |it| it.journal[0].record = Err("odd".to_owned()), &["I12"]);
    expect(completed(), |it| saga(it).updated_at.0 += 1, &["I12"]);
    expect(completed(), |it| saga(it).outputs.push((1, Bytes::from_static(b"x"))), &["I12"]);
    expect(completed(), |it| it.journal.clear(), &["I10", "I12", "I14"]);
    expect(completed(), |it| drop(it.journal.pop()), &["I10", "I12", "I13"]);
    let newer = |it: &mut SagaEvidence| saga(it).version += 1;
    expect(completed(), newer, &["I12", "I13"]);
}

#[test]
fn answers_to_what_nobody_ordered_and_answers_nobody_gave() {
    expect(completed(), |it| it.effects.get_mut("stock").unwrap()[0].attempt = 2, &["I14"]);
    expect(compensated(), |it| it.effects.get_mut("stock").unwrap()[0].reason = "PRICE_CHANGED".to_owned(), &["I15"]);
}

/// Live: a saga under way is not at rest.
#[test]
fn what_waits_can_be_sent_again() {
    let running = || around(&[], &[], OrderState::PaymentPending, None, false);
    let found = |dossier| {
        let found =
            judge(dossier, Mode::Live).into_iter().filter(|(id, _, found)| *id == "I14" && !found.broken.is_empty());
        found.map(|(_, name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(found(running()), [] as [&str; 0]);
    let mut forgotten = running();
    forgotten.look_at = None;
    assert_eq!(found(forgotten), [sending::LOOKED_AT.promise.what]);
    let mut looked_at = completed();
    looked_at.look_at = Some(Micros(1));
    assert_eq!(found(looked_at), [sending::LOOKED_AT.promise.what]);
    let told = |dossier: SagaEvidence, asked| {
        let mut found = Findings::default();
        let (story, coverage) = (
            Story { asked, folded: dossier.saga.row().map(|it| it.saga.clone()), ..Story::default() },
            Coverage::default(),
        );
        let case = Case {
            evidence: &dossier,
            definition: None,
            story: &story,
            coverage: &coverage,
            mode: Mode::Live,
            now_us: None,
        };
        let Check::Saga(check) = sending::SENT_AGAIN.check else { panic!("a law over sagas") };
        check(&case, &mut found);
        (found.looked, found.broken.len())
    };
    let asked = Command::awaited_by(saga(&mut running()));
    assert_eq!(told(running(), asked), (1, 0));
    assert_eq!(told(running(), None), (1, 1));
    assert_eq!(told(running(), asked.map(|asked| Command { attempt: 2, ..asked })), (1, 1));
    assert_eq!(told(completed(), asked), (1, 1));
    assert_eq!(told(completed(), None), (0, 0));
}

/// A refund that cannot be made parks the saga; the operator who skips it has settled it.
#[test]
fn what_an_operator_settled_by_hand_is_settled() {
    let (action, undo) = (Direction::Action, Direction::Undo);
    let no_refund = Outcome::Rejected { reason: "NO".to_owned(), message: String::new() };
    let skip = OperatorAction { verb: Verb::Skip, actor: "ann".to_owned(), reason: "paid in cash".to_owned() };
    let events = [
        done(1, action),
        done(2, action),
        refused(3),
        done(1, undo),
        reply(0, undo, 1, no_refund),
        Event::Action(skip),
    ];
    let settled = || {
        let mut settled = around(&events, &[], OrderState::PaymentOutOfStock, None, false);
        settled.effects = compensated().effects;
        let refund = effect(0, 2, 2, "NO");
        settled.effects.get_mut("payment").unwrap()[1] = refund;
        own(&mut settled).closed = true;
        settled
    };
    expect(settled(), |_| {}, &[]);
    // The same without the order is an end without a refund: no journal leads there.
    expect(settled(), |it| drop(it.journal.pop()), &["I4", "I10", "I12", "I13"]);
}

#[test]
fn what_moves_at_rest_and_what_is_overdue_live() {
    let found = |mode| {
        let running = around(&[], &[], OrderState::PaymentPending, None, false);
        let found = judge(running, mode).into_iter().filter(|(id, _, found)| *id == "I17" && !found.broken.is_empty());
        found.map(|(_, name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(found(Mode::AtRest), [rest::AT_REST.promise.what]);
    assert!(found(Mode::Live).contains(&rest::NOT_OVERDUE.promise.what));
}

#[test]
fn doubt_taken_for_an_answer() {
    let doubt = Outcome::Unavailable { reason: "TIMEOUT".to_owned(), message: String::new() };
    let lie = |it: &mut SagaEvidence| {
        // The answer of the confirmation becomes a doubt, as if a timeout had completed the saga.
        let version = it.journal[4].version;
        let unknown = reply(4, Direction::Action, 1, doubt);
        it.journal[4].record = Ok(saga_core::event::JournalRecord::Moved(unknown));
        assert_eq!(version, 5);
    };
    expect(completed(), lie, &["I10", "I12", "I22"]);
}

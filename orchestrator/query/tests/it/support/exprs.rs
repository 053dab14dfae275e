//! Filters at random.

use baton_query::filter::{
    Compare, Expr, Field, Inequality, NumberField, SignedDuration, StateKind, Term, TextField, TextTest, TimeField,
    WaitKind, When,
};
use proptest::prelude::*;
use saga_core::time::Micros;

/// Texts that are near to each other, and some that databases and parsers stumble over.
pub const TEXTS: [&str; 19] = [
    "a",
    "ab",
    "abc",
    "AB",
    "b",
    "",
    " ",
    "a ",
    "a b",
    "%",
    "a%",
    "_b",
    "a\"b",
    "a\\b",
    "é",
    "a\u{d7ff}",
    "a\u{e000}",
    "a\u{10ffff}",
    "\u{10ffff}",
];

/// Attributes that sagas here declare.
pub const ATTRIBUTES: [&str; 3] = ["customer", "item", "payment"];

/// The two traces there are.
pub const TRACES: [&str; 2] = ["4bf92f3577b34da6a3ce929d0e0e4736", "4bf92f3577b34da6a3ce929d0e0e4737"];

/// Filters of every kind of comparison, to a depth that the parser takes.
pub fn expr() -> impl Strategy<Value = Expr> {
    let leaf = term().prop_map(Expr::Term);
    let tree = leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 2..4).prop_map(Expr::All),
            proptest::collection::vec(inner.clone(), 2..4).prop_map(Expr::Any),
            inner.prop_map(|expr| Expr::Not(Box::new(expr))),
        ]
    });
    prop_oneof![1 => Just(Expr::All(Vec::new())), 40 => tree]
}

fn term() -> impl Strategy<Value = Term> {
    prop_oneof![
        1 => (any::<bool>(), prop::sample::select(StateKind::ALL.to_vec())).prop_map(|(is, state)| Term::State(is, state)),
        1 => (any::<bool>(), prop::sample::select(WaitKind::ALL.to_vec())).prop_map(|(is, wait)| Term::Wait(is, wait)),
        4 => text(),
        1 => (number_field(), compare(), 0_u32..6).prop_map(|(field, compare, n)| Term::Number(field, compare, n)),
        1 => (inequality(), 0_i64..20).prop_map(|(inequality, s)| Term::Age(inequality, span(s))),
        1 => (time_field(), inequality(), when()).prop_map(|(field, inequality, when)| Term::Time(field, inequality, when)),
        1 => present().prop_map(Term::Present),
    ]
}

fn text() -> impl Strategy<Value = Term> {
    let test = || prop::sample::select(vec![TextTest::Is, TextTest::IsNot, TextTest::Begins]);
    let own = [TextField::Definition, TextField::Reason, TextField::BusinessKey, TextField::Skipped];
    let fields: Vec<_> = own.into_iter().chain(attributes()).collect();
    let steps = ["order.open", "order", "payment.verify", "go", "1", "2", "x", ""];
    let trace = (test(), prop::sample::select(TRACES.to_vec()), 1_usize..=32).prop_map(|(test, trace, length)| {
        let length = if test == TextTest::Begins { length } else { 32 };
        Term::Text(TextField::TraceId, test, trace[..length].to_owned())
    });
    let of = |(field, test, text): (TextField, TextTest, &str)| Term::Text(field, test, text.to_owned());
    prop_oneof![
        4 => (prop::sample::select(fields), test(), prop::sample::select(TEXTS.to_vec())).prop_map(of),
        1 => (Just(TextField::Step), test(), prop::sample::select(steps.to_vec())).prop_map(of),
        1 => trace,
    ]
}

fn attributes() -> impl Iterator<Item = TextField> {
    ATTRIBUTES.into_iter().map(|name| TextField::Attribute(name.to_owned()))
}

fn present() -> impl Strategy<Value = Field> {
    let text = [TextField::Step, TextField::Reason, TextField::BusinessKey, TextField::TraceId, TextField::Skipped];
    let text = text.into_iter().chain(attributes()).map(Field::Text);
    prop::sample::select(text.chain([Field::Time(TimeField::NextWake)]).collect::<Vec<_>>())
}

fn number_field() -> impl Strategy<Value = NumberField> {
    prop::sample::select(vec![NumberField::DefinitionVersion, NumberField::Attempt])
}

fn time_field() -> impl Strategy<Value = TimeField> {
    prop::sample::select(vec![TimeField::CreatedAt, TimeField::UpdatedAt, TimeField::NextWake])
}

fn inequality() -> impl Strategy<Value = Inequality> {
    prop::sample::select(vec![Inequality::Less, Inequality::AtMost, Inequality::More, Inequality::AtLeast])
}

fn compare() -> impl Strategy<Value = Compare> {
    prop_oneof![Just(Compare::Equal), Just(Compare::NotEqual), inequality().prop_map(Compare::Inequality)]
}

fn when() -> impl Strategy<Value = When> {
    prop_oneof![
        (-20_i64..20).prop_map(|s| When::FromNow(span(s))),
        (-20_i64..20).prop_map(|s| When::At(Micros(super::START.0 + s * 500_000))),
    ]
}

/// Half seconds, so that seconds and what lies between them meet.
fn span(halves: i64) -> SignedDuration {
    SignedDuration::micros(halves * 500_000).unwrap()
}

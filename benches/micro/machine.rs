//! The pure core: the order saga from its start to its end, and one move of it.

use baton_shop::saga::definition;
use bytes::Bytes;
use criterion::{Criterion, Throughput};
use saga_core::definition::Definition;
use saga_core::event::{Event, Outcome, Reply};
use saga_core::machine::{apply, start};
use saga_core::saga::{Direction, Saga, SagaId};
use saga_core::time::Micros;
use saga_core::transition::Applied;
use std::hint::black_box;

const NOW: Micros = Micros(1_700_000_000_000_000);

fn succeeded(step: u8) -> Event {
    let outcome = Outcome::Succeeded { output: Bytes::new() };
    Event::Reply(Reply { step, direction: Direction::Action, attempt: 1, outcome })
}

fn moved(definition: &Definition, saga: &Saga, event: &Event) -> Saga {
    match apply(definition, saga, event, NOW) {
        Applied::Moved(transition) => transition.saga,
        other => panic!("nothing moved: {other:?}"),
    }
}

/// A whole saga is a start and four replies.
fn whole(definition: &Definition, input: &Bytes) -> Saga {
    let begun = start(definition, SagaId([7; 16]), input.clone(), NOW).saga;
    (1..=4).fold(begun, |saga, step| moved(definition, &saga, &succeeded(step)))
}

pub fn all(criterion: &mut Criterion) {
    let definition = definition();
    let input = Bytes::from(vec![1; 200]);
    assert!(whole(&definition, &input).has_ended());
    let begun = start(&definition, SagaId([7; 16]), input.clone(), NOW).saga;
    let event = succeeded(1);
    let mut group = criterion.benchmark_group("machine");
    group.throughput(Throughput::Elements(1));
    group.bench_function("apply a reply", |bencher| {
        bencher.iter(|| apply(black_box(&definition), black_box(&begun), black_box(&event), NOW));
    });
    group.bench_function("a whole order saga", |bencher| {
        bencher.iter(|| whole(black_box(&definition), black_box(&input)));
    });
    group.finish();
}

//! Rows: a saga to its row and back, a journal entry to its bytes and back.

use baton_orchestrator::store::conformance::sample;
use baton_orchestrator::store::row::{decode_saga, journal, saga_values};
use baton_sql::value::Row;
use bytes::Bytes;
use criterion::{Criterion, Throughput};
use saga_core::time::Micros;
use std::hint::black_box;

pub fn all(criterion: &mut Criterion) {
    let mut record = sample::record(sample::id(1, 1), sample::running(2, Micros(sample::START.0 + 5)));
    record.saga.input = Bytes::from(vec![1; 200]);
    let row = Row(saga_values(&record));
    assert_eq!(decode_saga(&row).unwrap(), record);
    let (_, entry) = sample::every_journal_record().into_iter().nth(1).unwrap();
    let blob = journal::encode(&entry, &record.saga.input);
    let mut group = criterion.benchmark_group("rows");
    group.throughput(Throughput::Elements(1));
    group.bench_function("saga to row", |bencher| bencher.iter(|| saga_values(black_box(&record))));
    group.bench_function("row to saga", |bencher| bencher.iter(|| decode_saga(black_box(&row))));
    group.bench_function("journal entry to bytes", |bencher| {
        bencher.iter(|| journal::encode(black_box(&entry), black_box(&record.saga.input)));
    });
    group.bench_function("bytes to journal entry", |bencher| {
        bencher.iter(|| journal::decode(black_box(&blob), black_box(&record.saga.input)));
    });
    group.finish();
}

//! Batches on the wire: commands read, replies packed.

use baton_participant_kit::codec::{Item, decode, key_to_wire, pack, reply};
use baton_participant_kit::participant::{Answer, CommandDirection, CommandKey};
use baton_proto::baton::participant::v1::{Command, CommandBatch, Reply};
use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput};
use prost::Message as _;
use std::hint::black_box;

/// Commands in a message: alone, and the most there may be.
const SIZES: [u32; 2] = [1, 256];

fn key(number: u32) -> CommandKey {
    let mut saga = [3; 16];
    saga[12..].copy_from_slice(&number.to_be_bytes());
    CommandKey { saga, step: 3, direction: CommandDirection::Action }
}

fn commands(count: u32) -> Bytes {
    let command = |number| Command {
        key: Some(key_to_wire(key(number))),
        attempt: 1,
        name: "stock.reserve".to_owned(),
        payload: Bytes::from(vec![5; 80]),
        ..Command::default()
    };
    CommandBatch { commands: (0..count).map(command).collect() }.encode_to_vec().into()
}

fn replies(count: u32) -> Vec<Reply> {
    let answer = |number| {
        let answer = Answer::Succeeded { output: Bytes::new() };
        reply(key(number), 1, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned(), answer)
    };
    (0..count).map(answer).collect()
}

pub fn all(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("codec");
    for size in SIZES {
        group.throughput(Throughput::Elements(u64::from(size)));
        let body = commands(size);
        let read = decode(body.clone()).unwrap();
        assert!(read.iter().all(|item| matches!(item, Item::Command(_))) && read.len() == size as usize);
        group.bench_with_input(BenchmarkId::new("read commands", size), &body, |bencher, body| {
            bencher.iter(|| decode(black_box(body.clone())));
        });
        let replies = replies(size);
        group.bench_with_input(BenchmarkId::new("pack replies", size), &replies, |bencher, replies| {
            bencher.iter(|| pack(black_box(replies)));
        });
    }
    group.finish();
}

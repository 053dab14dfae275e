//! A table as it is after a long time: nearly everything ended, some under way, some in need of an operator.

use anyhow::{Context as _, Result};
use baton_orchestrator::store::row::{SAGA_COLUMNS, saga_values};
use baton_orchestrator::store::sql::SqlStore;
use baton_orchestrator::store::{Record, SagaStore as _};
use baton_sql::database::Verdict;
use bytes::Bytes;
use indicatif::{ProgressBar, ProgressStyle};
use prost::Message as _;
use saga_core::machine::timed_out;
use saga_core::saga::{Cause, DefinitionId, Direction, Resume, Saga, SagaId, State, Wait};
use saga_core::time::Micros;
use shop_proto::order::v1::{OrderLine, OrderSagaInput};

/// Rows of one transaction.
const CHUNK: u64 = 5_000;

/// Time between two starts, microseconds: a million sagas are the work of half an hour at 500 a second.
const APART: i64 = 2_000;

/// The newest so many are under way.
const UNDER_WAY: u64 = 2_000;

/// Fills table `saga`, oldest first.
pub async fn fill(store: &SqlStore, sagas: u64) -> Result<()> {
    store.ready().await?;
    let now = store.now();
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} sagas")?;
    let bar = ProgressBar::new(sagas).with_style(style);
    let mut next = 0;
    while next < sagas {
        let until = (next + CHUNK).min(sagas);
        let rows: Vec<_> = (next..until).map(|n| saga_values(&record(n, sagas, now))).collect();
        let inserted = store.database().transaction(move |tx| {
            let rows = rows.clone();
            Box::pin(async move {
                tx.insert_many("saga", &SAGA_COLUMNS, rows).await?;
                Ok(Verdict::Commit(()))
            })
        });
        inserted.await.context("insert sagas")?;
        bar.inc(until - next);
        next = until;
    }
    bar.finish_and_clear();
    if store.database().dialect() == baton_sql::database::Dialect::MariaDb {
        // As the server does by itself in time.
        store.database().query("ANALYZE TABLE saga, saga_attribute", Vec::new()).await?;
    }
    Ok(())
}

/// The `n`th of `all` sagas.
fn record(n: u64, all: u64, now: Micros) -> Record {
    let at = Micros(now.0 - i64::try_from(all - n).unwrap_or(0) * APART);
    let mut id = [0_u8; 16];
    let millis = u64::try_from(at.0 / 1000).unwrap_or(0);
    id[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
    id[6] = 0x70;
    id[8..].copy_from_slice(&(0x8000_0000_0000_0000 | n).to_be_bytes());
    let input = OrderSagaInput {
        order_number: format!("ORDER-{n:07}"),
        customer_id: format!("customer-{}", n % 20_000),
        payment_id: format!("imp_{n}"),
        currency_code: "KRW".to_owned(),
        lines: vec![OrderLine { item_id: format!("item-{}", n % 1_000), quantity: 1, unit_price_minor_units: 500 }],
    };
    let saga = Saga {
        id: SagaId(id),
        definition: DefinitionId { name: "order".to_owned(), version: 1 },
        version: 8,
        state: state(n, all, now),
        created_at: at,
        updated_at: Micros(at.0 + 300_000),
        deadline: None,
        input: input.encode_to_vec().into(),
        outputs: vec![(2, Bytes::from_static(b"\x08\xf4\x03"))],
    };
    let traceparent = format!("00-0000000000000000{n:016x}-00f067aa0ba902b7-01");
    let last_failure = matches!(
        saga.state,
        State::Running { wait: Wait::Backoff { .. }, .. } | State::Compensating { wait: Wait::Backoff { .. }, .. }
    );
    let last_failure = last_failure.then(|| timed_out(1, 4));
    Record { saga, business_key: format!("ORDER-{n:07}"), traceparent, last_failure, skipped: Vec::new() }
}

fn state(n: u64, all: u64, now: Micros) -> State {
    let cause = |step, reason: &str| Cause { step, reason: reason.to_owned(), message: reason.to_lowercase() };
    if all - n <= UNDER_WAY {
        let attempt = if n.is_multiple_of(20) { 4 } else { 1 };
        // One in a hundred should have been woken long ago.
        let until = Micros(now.0 + if n.is_multiple_of(100) { -60_000_000 } else { 3_600_000_000 });
        let wait = match attempt {
            1 => Wait::Reply { attempt, last: 8, until },
            _ => Wait::Backoff { attempt, last: 8, until },
        };
        return match n % 10 {
            0 => State::Compensating { step: 1, wait, cause: cause(3, "OUT_OF_STOCK") },
            other => State::Running { step: 1 + u8::try_from(other % 4).unwrap_or(0), wait },
        };
    }
    match n {
        n if n.is_multiple_of(5_003) => State::Stuck {
            step: 0,
            direction: Direction::Undo,
            attempt: 190,
            why: cause(0, "PAYMENT_REFUND_REFUSED"),
            unwinding: Some(cause(3, "OUT_OF_STOCK")),
        },
        n if n.is_multiple_of(20_011) => State::Paused { resume: Resume::Run { step: 3, attempt: 1 } },
        n if n.is_multiple_of(10) => State::Compensated { cause: cause(3, "OUT_OF_STOCK") },
        _ => State::Completed,
    }
}

//! Journals digested as they are stored: what an audit entry binds, when it is written and when it is checked.

use crate::row;
use baton_engine::store::audit::{Digest, JournalDigest};
use baton_sql::database::{Database, Tx};
use baton_sql::error::SqlError;
use baton_sql::value::{Row, Value};
use saga_core::saga::SagaId;
use std::collections::{BTreeMap, BTreeSet};

/// Journal rows that one statement brings at most.
const CHUNK: u64 = 2_000;

/// Where rows are read from.
#[derive(Debug)]
pub enum Reader<'a> {
    /// A transaction, which sees what it has written itself.
    Transaction(&'a mut Tx),
    /// A database; every statement sees what is committed by then.
    Database(&'a Database),
}

impl Reader<'_> {
    async fn select_in(&mut self, before: &str, values: Vec<Value>, after: &str) -> Result<Vec<Row>, SqlError> {
        match self {
            Self::Transaction(tx) => tx.select_in(before, Vec::new(), values, after).await,
            Self::Database(database) => database.query_in(before, values, after).await,
        }
    }

    async fn query(&mut self, sql: &str, args: Vec<Value>) -> Result<Vec<Row>, SqlError> {
        match self {
            Self::Transaction(tx) => tx.query(sql, args).await,
            Self::Database(database) => database.query(sql, args).await,
        }
    }
}

/// Digests of sagas' journals, each up to a version, whether or not there are rows.
///
/// # Errors
/// If the database refuses or is away, or a row is not what a journal's row is.
pub async fn journal_digests(
    from: &mut Reader<'_>,
    bound: impl IntoIterator<Item = (SagaId, u64)>,
) -> Result<BTreeMap<(SagaId, u64), Digest>, SqlError> {
    let mut wanted: BTreeMap<SagaId, BTreeSet<u64>> = BTreeMap::new();
    for (saga, version) in bound {
        wanted.entry(saga).or_default().insert(version);
    }
    let mut digests = BTreeMap::new();
    // A version is the number of rows up to it: short journals share a statement, a long one comes page by page.
    let (short, long): (Vec<_>, Vec<_>) = wanted.iter().partition(|(_, versions)| versions.last() <= Some(&CHUNK));
    let mut chunk: Vec<(&SagaId, &BTreeSet<u64>)> = Vec::new();
    let mut rows = 0;
    for (saga, versions) in short {
        let own = versions.last().copied().unwrap_or(0);
        if rows + own > CHUNK {
            digest_short(from, &std::mem::take(&mut chunk), &mut digests).await?;
            rows = 0;
        }
        rows += own;
        chunk.push((saga, versions));
    }
    digest_short(from, &chunk, &mut digests).await?;
    for (saga, versions) in long {
        digest_long(from, *saga, versions, &mut digests).await?;
    }
    Ok(digests)
}

const JOURNAL_ROWS: &str = "SELECT version, at, event, saga_id FROM journal WHERE saga_id";

async fn digest_short(
    from: &mut Reader<'_>,
    sagas: &[(&SagaId, &BTreeSet<u64>)],
    digests: &mut BTreeMap<(SagaId, u64), Digest>,
) -> Result<(), SqlError> {
    let ids = sagas.iter().map(|(saga, _)| Value::from(saga.0)).collect();
    let rows = from.select_in(JOURNAL_ROWS, ids, " ORDER BY saga_id, version").await?;
    let mut journals: BTreeMap<SagaId, Vec<Row>> = BTreeMap::new();
    for row in rows {
        journals.entry(SagaId(row.array(3)?)).or_default().push(row);
    }
    for (saga, versions) in sagas {
        let mut digest = Versions::new(**saga, versions);
        for row in journals.remove(*saga).unwrap_or_default() {
            digest.add(&row)?;
        }
        digests.extend(digest.finish());
    }
    Ok(())
}

async fn digest_long(
    from: &mut Reader<'_>,
    saga: SagaId,
    versions: &BTreeSet<u64>,
    digests: &mut BTreeMap<(SagaId, u64), Digest>,
) -> Result<(), SqlError> {
    let sql = format!("{JOURNAL_ROWS} = ? AND version > ? AND version <= ? ORDER BY version LIMIT {CHUNK}");
    let last = row::version_value(versions.last().copied().unwrap_or(0));
    let mut digest = Versions::new(saga, versions);
    let mut after = 0;
    loop {
        let rows = from.query(&sql, vec![saga.0.into(), after.into(), last.into()]).await?;
        for row in &rows {
            digest.add(row)?;
            after = row.int(0)?;
        }
        if (rows.len() as u64) < CHUNK {
            break;
        }
    }
    digests.extend(digest.finish());
    Ok(())
}

/// One saga's journal, digested once for all versions that are wanted of it.
struct Versions<'a> {
    saga: SagaId,
    digest: JournalDigest,
    wanted: std::iter::Peekable<std::collections::btree_set::Iter<'a, u64>>,
    done: Vec<((SagaId, u64), Digest)>,
}

impl<'a> Versions<'a> {
    fn new(saga: SagaId, wanted: &'a BTreeSet<u64>) -> Self {
        Self { saga, digest: JournalDigest::new(saga), wanted: wanted.iter().peekable(), done: Vec::new() }
    }

    fn add(&mut self, row: &Row) -> Result<(), SqlError> {
        let version = row.int(0)?;
        while let Some(wanted) = self.wanted.next_if(|wanted| row::version_value(**wanted) < version) {
            self.done.push(((self.saga, *wanted), self.digest.value()));
        }
        self.digest.add(version, row.int(1)?, row.bytes(2)?);
        Ok(())
    }

    fn finish(self) -> Vec<((SagaId, u64), Digest)> {
        let Self { saga, digest, wanted, mut done } = self;
        done.extend(wanted.map(|wanted| ((saga, *wanted), digest.value())));
        done
    }
}

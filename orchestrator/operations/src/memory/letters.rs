//! Dead letters in memory.

use super::defect::Defect;
use super::{MemoryOperations, OperationTables, Tables};
use crate::OpsStore as _;
use crate::audit::NewAudit;
use crate::letters::{Decided, Letter, LetterState, LetterStore, MAX_NOTED, MAX_WAITING, NewLetter};
use async_trait::async_trait;
use baton_courier::bus::MAX_BODY;
use baton_engine::store::StoreError;
use bytes::Bytes;
use saga_core::time::Micros;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Letters by id.
pub(super) type LetterRows = BTreeMap<Uuid, LetterRow>;

#[derive(Debug)]
pub(super) struct LetterRow {
    letter: Letter,
    body: Bytes,
    key: [u8; 32],
    /// To be sent again, and not sent yet.
    unsent: bool,
}

impl LetterRow {
    fn new(new: &NewLetter, now: Micros) -> Self {
        let letter = Letter {
            id: new.id,
            destination: new.destination.clone(),
            message_id: new.message_id,
            reason: new.reason.clone(),
            size: new.body.len() as u64,
            sagas: new.sagas.iter().take(MAX_NOTED).copied().collect(),
            state: LetterState::Waiting,
            collected_at: now,
            decided_at: None,
        };
        Self { letter, body: new.kept(), key: new.key(), unsent: false }
    }

    fn waits(&self) -> bool {
        self.letter.state == LetterState::Waiting
    }
}

fn decide(
    (own, sagas): (&mut OperationTables, &mut Tables),
    id: Uuid,
    state: LetterState,
    audit: NewAudit,
    is_sent: bool,
) -> Decided {
    let Some(row) = own.letters.get_mut(&id) else { return Decided::Missing };
    if !row.waits() {
        return Decided::Before(row.letter.state);
    }
    if state == LetterState::Replayed && row.letter.size > MAX_BODY as u64 {
        return Decided::TooLarge;
    }
    if sagas.untaken(std::slice::from_ref(&audit)).is_err() {
        return Decided::RequestTaken;
    }
    (row.letter.state, row.letter.decided_at) = (state, Some(audit.at));
    row.unsent = is_sent;
    sagas.append(&[audit]);
    Decided::Done(row.letter.clone())
}

#[async_trait]
impl LetterStore for MemoryOperations {
    async fn keep_letters(&self, letters: &[NewLetter]) -> Result<usize, StoreError> {
        let now = self.now();
        self.write(|own, _| {
            let mut kept = 0;
            for row in letters.iter().map(|letter| LetterRow::new(letter, now)) {
                let waits = own.letters.values().any(|known| {
                    let is_alike = self.has(Defect::LettersConfused) && known.body == row.body;
                    known.waits() && (known.key == row.key || is_alike)
                });
                if !waits && !own.letters.contains_key(&row.letter.id) {
                    own.letters.insert(row.letter.id, row);
                    kept += 1;
                }
            }
            kept
        })
        .await
    }

    async fn waiting_letters(&self) -> Result<u32, StoreError> {
        self.read(|own, _| {
            let waiting = own.letters.values().filter(|row| row.waits()).take(MAX_WAITING as usize);
            u32::try_from(waiting.count()).unwrap_or(u32::MAX)
        })
        .await
    }

    async fn letters(
        &self,
        state: Option<LetterState>,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<Letter>, StoreError> {
        let wanted = |letter: &&Letter| {
            state.is_none_or(|state| letter.state == state) && before.is_none_or(|before| letter.id < before)
        };
        self.read(|own, _| {
            own.letters.values().rev().map(|row| &row.letter).filter(wanted).take(limit as usize).cloned().collect()
        })
        .await
    }

    async fn letter(&self, id: Uuid) -> Result<Option<(Letter, Bytes)>, StoreError> {
        self.read(|own, _| own.letters.get(&id).map(|row| (row.letter.clone(), row.body.clone()))).await
    }

    async fn letter_of_message(&self, message: Uuid) -> Result<Option<Letter>, StoreError> {
        self.read(|own, _| {
            let letters = own.letters.values().rev().map(|row| &row.letter);
            letters.into_iter().find(|letter| letter.message_id == Some(message)).cloned()
        })
        .await
    }

    async fn replay_letter(&self, id: Uuid, audit: NewAudit) -> Result<Decided, StoreError> {
        let is_sent = !self.has(Defect::ReplayOnlySaid);
        self.write(|own, sagas| decide((own, sagas), id, LetterState::Replayed, audit, is_sent)).await
    }

    async fn unsent_letters(&self, limit: u32) -> Result<Vec<(Letter, Bytes)>, StoreError> {
        self.read(|own, _| {
            let unsent = own.letters.values().filter(|row| row.unsent).take(limit as usize);
            unsent.map(|row| (row.letter.clone(), row.body.clone())).collect()
        })
        .await
    }

    async fn letters_sent(&self, ids: &[Uuid]) -> Result<(), StoreError> {
        self.write(|own, _| {
            for id in ids {
                if let Some(row) = own.letters.get_mut(id) {
                    row.unsent = false;
                }
            }
        })
        .await
    }

    async fn drop_letter(&self, id: Uuid, audit: NewAudit) -> Result<Decided, StoreError> {
        self.write(|own, sagas| decide((own, sagas), id, LetterState::Dropped, audit, false)).await
    }

    async fn forget_letters(&self, before: Micros, limit: u32) -> Result<u64, StoreError> {
        self.write(|own, _| {
            let decided = own.letters.values().filter(|row| !row.unsent).map(|row| &row.letter);
            let old = decided.filter(|letter| letter.decided_at.is_some_and(|at| at < before));
            let mut old: Vec<(Option<Micros>, Uuid)> = old.map(|letter| (letter.decided_at, letter.id)).collect();
            old.sort_unstable();
            old.truncate(limit as usize);
            for (_, id) in &old {
                own.letters.remove(id);
            }
            old.len() as u64
        })
        .await
    }
}

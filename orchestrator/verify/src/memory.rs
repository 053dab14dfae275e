//! What is stored of the business keys that clients spoke of: what a history is compared with.

use crate::saga_evidence::SagaEvidence;
use baton_query::filter::StateKind;
use std::collections::{BTreeMap, BTreeSet};

/// A saga as far as a client can know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its id, as UUID.
    pub id: String,
    /// Where it stands, if that can be read.
    pub state: Option<StateKind>,
}

/// What is stored of the business keys that clients spoke of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Sagas by business key.
    pub sagas: BTreeMap<String, Vec<Kept>>,
    /// Ids of sagas that retention deleted, by business key.
    pub forgotten: BTreeMap<String, String>,
}

impl Memory {
    /// Of sagas that were read already.
    #[must_use]
    pub fn of(sagas: &[SagaEvidence]) -> Self {
        let mut memory = Self::default();
        for saga in sagas.iter().filter(|saga| !saga.business_key().is_empty()) {
            let kept = Kept { id: saga.id.to_string(), state: saga.state() };
            memory.sagas.entry(saga.business_key().to_owned()).or_default().push(kept);
        }
        memory
    }

    /// The sagas of this business key that are there.
    #[must_use]
    pub fn sagas_of(&self, key: &str) -> &[Kept] {
        self.sagas.get(key).map_or(&[], Vec::as_slice)
    }

    /// The ids of all sagas the key ever had, as far as anything is left of them.
    #[must_use]
    pub fn ever_of(&self, key: &str) -> BTreeSet<&str> {
        let there = self.sagas_of(key).iter().map(|kept| kept.id.as_str());
        there.chain(self.forgotten.get(key).map(String::as_str)).collect()
    }
}

//! What is kept of an act of an operator, and the chain that ties all of them together. Pure: stores write it, audits
//! recompute it.

use crate::store::fingerprint::Fingerprint;
use saga_core::saga::SagaId;
use saga_core::time::Micros;
use uuid::Uuid;

/// A BLAKE3 digest.
pub type Digest = [u8; 32];

/// What the first entry names as the one before it.
pub const NOTHING_BEFORE: Digest = [0; 32];

/// First field of every hash: the same bytes under another meaning shall not hash alike.
const ENTRY: &[u8] = b"baton audit entry 1";
const JOURNAL: &[u8] = b"baton audit journal 1";
const CONTENT: &[u8] = b"baton act content 1";

/// Longest reason of an act or action, characters.
pub const MAX_REASON: usize = 500;

/// A reason with something put before it, cut off where it would be too long.
#[must_use]
pub fn reason(text: &str) -> String {
    text.chars().take(MAX_REASON).collect()
}

/// An act to write down, in the transaction that carries it out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAudit {
    /// When, on the database's clock.
    pub at: Micros,
    /// Who: at most 128 characters.
    pub actor: String,
    /// What: a verb of an action, or `create-job`, `hold` and the like; at most 32 characters.
    pub act: String,
    /// On what: a resource name of at most 255 characters, for example `sagas/{uuid}`.
    pub subject: String,
    /// Why: at most [`MAX_REASON`] characters.
    pub reason: String,
    /// The subject's state before, as text of at most 255 characters; may be empty.
    pub before: String,
    /// The subject's state after, as text of at most 255 characters; may be empty.
    pub after: String,
    /// The saga that moved, whose journal the entry is to bind; `None` for every other subject.
    pub saga: Option<SagaId>,
    /// The saga's version with the act in its journal; 0 for every other subject.
    pub version: u64,
    /// The id the request came with: at most one act has it, for ever.
    pub request: Option<Uuid>,
    /// Digest of everything the request asked for, see [`content`].
    pub content: Fingerprint,
}

/// An act that is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// Its number, from 1 without gaps.
    pub number: u64,
    /// What was done.
    pub audit: NewAudit,
    /// Digest of the saga's journal up to `version`, see [`JournalDigest`]; `None` if no saga moved.
    pub journal: Option<Digest>,
    /// Hash of the entry before it, [`NOTHING_BEFORE`] for the first.
    pub previous: Digest,
    /// Hash of all of this.
    pub hash: Digest,
}

/// The end of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Number of the newest entry; 0 if there is none.
    pub number: u64,
    /// Its hash.
    pub hash: Digest,
}

/// The request id is taken by an act that is written down already; nothing may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestTaken;

impl Head {
    /// The entry that comes next, which is the head from now on.
    pub fn next(&mut self, audit: NewAudit, journal: Option<Digest>) -> AuditRow {
        let number = self.number.saturating_add(1);
        let hash = hash(number, &audit, journal.as_ref(), &self.hash);
        let row = AuditRow { number, audit, journal, previous: self.hash, hash };
        *self = Self { number, hash };
        row
    }
}

impl AuditRow {
    /// The hash that its fields should have.
    #[must_use]
    pub fn expected_hash(&self) -> Digest {
        hash(self.number, &self.audit, self.journal.as_ref(), &self.previous)
    }
}

/// Digest of what a request asks for, part by part: name, verb, actor, reason, and whatever else makes it another request.
/// Must be made from the same parts in the same order for ever, since rows outlive builds.
#[must_use]
pub fn content(parts: &[&[u8]]) -> Fingerprint {
    let mut fields = Fields::new(CONTENT);
    for part in parts {
        fields.add(part);
    }
    Fingerprint(fields.finish())
}

/// Digest of a saga's journal rows as they are stored, versions ascending from 1.
#[derive(Clone, Debug)]
pub struct JournalDigest(Fields);

impl JournalDigest {
    /// Of no rows yet.
    #[must_use]
    pub fn new(saga: SagaId) -> Self {
        let mut fields = Fields::new(JOURNAL);
        fields.add(&saga.0);
        Self(fields)
    }

    /// Takes the next row in.
    pub fn add(&mut self, version: i64, at: i64, event: &[u8]) {
        self.0.add(&version.to_le_bytes());
        self.0.add(&at.to_le_bytes());
        self.0.add(event);
    }

    /// The digest of the rows so far.
    #[must_use]
    pub fn value(&self) -> Digest {
        self.0.finish()
    }
}

/// A digest as people read it: 64 hexadecimal digits.
#[must_use]
pub fn hex(digest: &Digest) -> String {
    blake3::Hash::from_bytes(*digest).to_string()
}

/// A digest that people wrote down; `None` if it is none.
#[must_use]
pub fn from_hex(text: &str) -> Option<Digest> {
    blake3::Hash::from_hex(text.trim()).ok().map(|hash| *hash.as_bytes())
}

fn hash(number: u64, audit: &NewAudit, journal: Option<&Digest>, previous: &Digest) -> Digest {
    let mut fields = Fields::new(ENTRY);
    fields.add(&number.to_le_bytes());
    fields.add(&audit.at.0.to_le_bytes());
    for text in [&audit.actor, &audit.act, &audit.subject, &audit.reason, &audit.before, &audit.after] {
        fields.add(text.as_bytes());
    }
    fields.add_opt(audit.saga.as_ref().map(|saga| saga.0.as_slice()));
    fields.add(&audit.version.to_le_bytes());
    fields.add_opt(audit.request.as_ref().map(|request| request.as_bytes().as_slice()));
    fields.add(&audit.content.0);
    fields.add_opt(journal.map(Digest::as_slice));
    fields.add(previous);
    fields.finish()
}

/// Fields one after the other, each with its length before it: no two lists of fields give the same bytes.
#[derive(Clone, Debug)]
struct Fields(blake3::Hasher);

impl Fields {
    fn new(meaning: &[u8]) -> Self {
        let mut fields = Self(blake3::Hasher::new());
        fields.add(meaning);
        fields
    }

    fn add(&mut self, field: &[u8]) {
        self.0.update(&(field.len() as u64).to_le_bytes());
        self.0.update(field);
    }

    /// Nothing has a length that no field has.
    fn add_opt(&mut self, field: Option<&[u8]>) {
        match field {
            Some(field) => self.add(field),
            None => {
                self.0.update(&u64::MAX.to_le_bytes());
            }
        }
    }

    fn finish(&self) -> Digest {
        *self.0.finalize().as_bytes()
    }
}

//! What several actions are given beside what they are done to.

/// Why, who, and what makes a repetition harmless. Empty parts are left out of a command line, and stand as `WHY` and `WHO`
/// where the interface demands them; so does `ORDER` for one that is not chosen yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Given<'a> {
    /// Why.
    pub reason: &'a str,
    /// Who.
    pub actor: &'a str,
    /// Request id, or empty.
    pub request_id: &'a str,
}

/// Which sagas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Which<'a> {
    /// AIP-160 filter, or empty.
    pub filter: &'a str,
    /// Preset, or empty.
    pub preset: &'a str,
}

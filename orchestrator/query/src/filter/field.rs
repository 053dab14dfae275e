//! The fields a filter can name.

/// Longest name of an attribute, bytes.
pub const MAX_ATTRIBUTE_NAME: usize = 64;

/// Longest value of an attribute, bytes.
pub const MAX_ATTRIBUTE_VALUE: usize = 128;

/// One value that a saga can be found by, beside what the engine knows of it: as its definition reads it from its input.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attribute {
    /// What it is called: see [`is_attribute_name`].
    pub name: String,
    /// Its value, compared byte by byte; at most [`MAX_ATTRIBUTE_VALUE`] bytes.
    pub value: String,
}

impl Attribute {
    /// An attribute.
    #[must_use]
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

/// Whether an attribute can be called so: small letters, digits and `_`, a letter first, at most [`MAX_ATTRIBUTE_NAME`] bytes, and
/// no field of the engine's own.
#[must_use]
pub fn is_attribute_name(name: &str) -> bool {
    let fits = name.len() <= MAX_ATTRIBUTE_NAME && name.starts_with(|c: char| c.is_ascii_lowercase());
    let of = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    fits && name.bytes().all(of) && Field::named(name, &[]).is_none()
}

/// Everything a filter can ask about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// Where the saga stands.
    State,
    /// What it waits for.
    Wait,
    /// Time since it was started.
    Age,
    /// A text.
    Text(TextField),
    /// A whole number.
    Number(NumberField),
    /// A moment.
    Time(TimeField),
}

/// Fields that hold text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TextField {
    /// Name of the step it is at.
    Step,
    /// Name of its definition.
    Definition,
    /// Stable reason of what went wrong; a saga may have two, why it unwinds, and why it is stuck or tries again.
    Reason,
    /// Business key.
    BusinessKey,
    /// Trace it runs under.
    TraceId,
    /// A step whose action or undo an operator skipped; a saga may have several, or none.
    Skipped,
    /// What its definition declares under this name; a saga may have several values, or none.
    Attribute(String),
}

/// Fields that hold a whole number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NumberField {
    /// Version of its definition.
    DefinitionVersion,
    /// The newest attempt at the present half-step.
    Attempt,
}

/// Fields that hold a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimeField {
    /// When it acts next; sagas that have ended, are stuck or are paused do not.
    NextWake,
    /// When it was started.
    CreatedAt,
    /// When it last moved.
    UpdatedAt,
}

impl Field {
    /// The engine's own, in the order of the documentation.
    pub const ALL: [Self; 14] = [
        Self::State,
        Self::Text(TextField::Step),
        Self::Text(TextField::Definition),
        Self::Number(NumberField::DefinitionVersion),
        Self::Age,
        Self::Number(NumberField::Attempt),
        Self::Wait,
        Self::Time(TimeField::NextWake),
        Self::Text(TextField::Reason),
        Self::Text(TextField::Skipped),
        Self::Text(TextField::BusinessKey),
        Self::Text(TextField::TraceId),
        Self::Time(TimeField::CreatedAt),
        Self::Time(TimeField::UpdatedAt),
    ];

    /// How a filter writes it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::State => "state",
            Self::Wait => "wait",
            Self::Age => "age",
            Self::Text(field) => field.name(),
            Self::Number(field) => field.name(),
            Self::Time(field) => field.name(),
        }
    }

    /// What it means, with an example, for help texts.
    #[must_use]
    pub fn meaning(&self) -> &'static str {
        match self {
            Self::State => "where the saga stands: state = stuck",
            Self::Wait => "what it waits for, reply, backoff or none: wait = backoff",
            Self::Age => "time since it was started: age > 5m",
            Self::Text(TextField::Step) => "the step it is at, none at an end: step = room.book, step:room",
            Self::Text(TextField::Definition) => "name of its definition: definition = order",
            Self::Text(TextField::Reason) => "why it tries again, unwinds or is stuck: reason = ROOM_TAKEN",
            Self::Text(TextField::Skipped) => {
                "a step whose action or undo an operator skipped: skipped = room.book, skipped:*"
            }
            Self::Text(TextField::BusinessKey) => "business key: key = ORD-1",
            Self::Text(TextField::TraceId) => {
                "trace it runs under, 32 hex digits: trace_id = 4bf92f3577b34da6a3ce929d0e0e4736, trace_id:4bf9"
            }
            Self::Text(TextField::Attribute(_)) => "attribute that its definition declares",
            Self::Number(NumberField::DefinitionVersion) => "version of its definition: definition_version < 3",
            Self::Number(NumberField::Attempt) => {
                "newest attempt at the present action or undo, 0 at an end: attempt >= 3"
            }
            Self::Time(TimeField::NextWake) => {
                "when it acts next if nothing is heard: next_wake < 1m, next_wake < -10s"
            }
            Self::Time(TimeField::CreatedAt) => {
                "when it was started: created_at > 2026-11-27T09:00:00Z, created_at > -1h"
            }
            Self::Time(TimeField::UpdatedAt) => "when it last moved: updated_at < -10m",
        }
    }

    /// The field of this name: the engine's own, or one of these attributes.
    #[must_use]
    pub fn named(name: &str, attributes: &[&str]) -> Option<Self> {
        let own = Self::ALL.into_iter().find(|field| field.name() == name);
        let attribute = || Self::Text(TextField::Attribute(name.to_owned()));
        own.or_else(|| attributes.contains(&name).then(attribute))
    }

    /// The field that somebody who wrote `name` most likely means, if any is near: other words for the same thing, an
    /// unfinished name, or a slip of the fingers.
    #[must_use]
    pub fn nearest(name: &str, attributes: &[&str]) -> Option<Self> {
        // Bounds the table below; no field of the engine's is half as long.
        if name.len() > MAX_ATTRIBUTE_NAME {
            return None;
        }
        let name = name.to_ascii_lowercase();
        let fields = || Self::ALL.into_iter().chain(attributes.iter().filter_map(|it| Self::named(it, attributes)));
        let known = || OTHER_WORDS.into_iter().find(|(word, _)| *word == name).map(|(_, field)| field);
        let begun = || fields().find(|field| name.len() >= 3 && field.name().starts_with(name.as_str()));
        Self::named(&name, attributes).or_else(known).or_else(begun).or_else(|| {
            let near = fields().map(|field| (strsim::levenshtein(&name, field.name()), field)).min()?;
            // A third of the letters may be wrong; more is another word.
            (near.0 <= near.1.name().len().div_ceil(3).min(3)).then_some(near.1)
        })
    }
}

/// What the services call the same things, and what people do.
const OTHER_WORDS: [(&str, Field); 13] = [
    ("status", Field::State),
    ("business_key", Field::Text(TextField::BusinessKey)),
    ("version", Field::Number(NumberField::DefinitionVersion)),
    ("attempts", Field::Number(NumberField::Attempt)),
    ("retries", Field::Number(NumberField::Attempt)),
    ("wake_time", Field::Time(TimeField::NextWake)),
    ("wake_at", Field::Time(TimeField::NextWake)),
    ("error", Field::Text(TextField::Reason)),
    ("cause", Field::Text(TextField::Reason)),
    ("create_time", Field::Time(TimeField::CreatedAt)),
    ("started", Field::Time(TimeField::CreatedAt)),
    ("update_time", Field::Time(TimeField::UpdatedAt)),
    ("trace", Field::Text(TextField::TraceId)),
];

impl TextField {
    /// How a filter writes it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Step => "step",
            Self::Definition => "definition",
            Self::Reason => "reason",
            Self::BusinessKey => "key",
            Self::TraceId => "trace_id",
            Self::Skipped => "skipped",
            Self::Attribute(name) => name,
        }
    }
}

impl NumberField {
    /// How a filter writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::DefinitionVersion => "definition_version",
            Self::Attempt => "attempt",
        }
    }
}

impl TimeField {
    /// How a filter writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NextWake => "next_wake",
            Self::CreatedAt => "created_at",
            Self::UpdatedAt => "updated_at",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_field_is_found() {
        for (written, meant) in [
            ("stat", Some("state")),
            ("State", Some("state")),
            ("sate", Some("state")),
            ("created", Some("created_at")),
            ("business_key", Some("key")),
            ("definition_versoin", Some("definition_version")),
            ("nextwake", Some("next_wake")),
            ("regoin", Some("region")),
            ("REG", Some("region")),
            ("colour", None),
            ("zzz", None),
            ("", None),
        ] {
            assert_eq!(Field::nearest(written, &["region"]).as_ref().map(Field::name), meant, "{written}");
        }
        assert_eq!(Field::nearest("tenant", &[]), None);
        assert_eq!(Field::nearest(&"x".repeat(2_000), &["region"]), None);
    }

    #[test]
    fn attributes_have_names_of_their_own() {
        for (name, is) in [
            ("region", true),
            ("line_2", true),
            ("state", false),
            ("trace_id", false),
            ("Region", false),
            ("2nd", false),
            ("", false),
            ("a b", false),
        ] {
            assert_eq!(is_attribute_name(name), is, "{name}");
        }
        assert!(is_attribute_name(&"x".repeat(MAX_ATTRIBUTE_NAME)));
        assert!(!is_attribute_name(&"x".repeat(MAX_ATTRIBUTE_NAME + 1)));
    }
}

//! The fields a filter can name.

/// Everything a filter can ask about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// Where the saga stands.
    State,
    /// Name of the step it is at.
    Step,
    /// Name of its definition.
    Definition,
    /// Version of its definition.
    DefinitionVersion,
    /// Time since it was started.
    Age,
    /// The newest attempt at the present half-step.
    Attempt,
    /// What it waits for.
    Wait,
    /// When it acts next.
    NextWake,
    /// Stable reason of what went wrong.
    Reason,
    /// Business key.
    Order,
    /// Customer named in its input.
    Customer,
    /// Item named in its input.
    Item,
    /// Payment named in its input.
    Payment,
    /// Trace it runs under.
    TraceId,
    /// When it was started.
    CreatedAt,
    /// When it last moved.
    UpdatedAt,
}

impl Field {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 16] = [
        Self::State,
        Self::Step,
        Self::Definition,
        Self::DefinitionVersion,
        Self::Age,
        Self::Attempt,
        Self::Wait,
        Self::NextWake,
        Self::Reason,
        Self::Order,
        Self::Customer,
        Self::Item,
        Self::Payment,
        Self::TraceId,
        Self::CreatedAt,
        Self::UpdatedAt,
    ];

    /// How a filter writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Step => "step",
            Self::Definition => "definition",
            Self::DefinitionVersion => "definition_version",
            Self::Age => "age",
            Self::Attempt => "attempt",
            Self::Wait => "wait",
            Self::NextWake => "next_wake",
            Self::Reason => "reason",
            Self::Order => "order",
            Self::Customer => "customer",
            Self::Item => "item",
            Self::Payment => "payment",
            Self::TraceId => "trace_id",
            Self::CreatedAt => "created_at",
            Self::UpdatedAt => "updated_at",
        }
    }

    /// What it means, with an example, for help texts.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::State => "where the saga stands: state = stuck",
            Self::Step => "the step it is at, none at an end: step = stock.reserve, step:stock",
            Self::Definition => "name of its definition: definition = order",
            Self::DefinitionVersion => "version of its definition: definition_version < 3",
            Self::Age => "time since it was started: age > 5m",
            Self::Attempt => "newest attempt at the present action or undo, 0 at an end: attempt >= 3",
            Self::Wait => "what it waits for, reply, backoff or none: wait = backoff",
            Self::NextWake => "when it acts next if nothing is heard: next_wake < 1m, next_wake < -10s",
            Self::Reason => "why it tries again, unwinds or is stuck: reason = OUT_OF_STOCK",
            Self::Order => "business key, such as the order number: order = ORD-1",
            Self::Customer => "customer named in its input: customer = anna",
            Self::Item => "an item named in its input: item = MUG",
            Self::Payment => "payment named in its input: payment:imp_",
            Self::TraceId => "trace it runs under, 32 hex digits: trace_id:4bf9",
            Self::CreatedAt => "when it was started: created_at > 2026-11-27T09:00:00Z, created_at > -1h",
            Self::UpdatedAt => "when it last moved: updated_at < -10m",
        }
    }

    /// The field of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }

    /// The field that somebody who wrote `name` most likely means, if any is near: other words for the same thing, an
    /// unfinished name, or a slip of the fingers.
    #[must_use]
    pub fn nearest(name: &str) -> Option<Self> {
        // Bounds the table below; no field's name is half as long.
        if name.len() > 40 {
            return None;
        }
        let name = name.to_ascii_lowercase();
        let known = |other: &str| Self::OTHER_WORDS.iter().find(|(word, _)| *word == other).map(|(_, field)| *field);
        let begun = || Self::ALL.into_iter().find(|field| name.len() >= 3 && field.name().starts_with(name.as_str()));
        Self::named(&name).or_else(|| known(&name)).or_else(begun).or_else(|| {
            let near = Self::ALL.into_iter().map(|field| (distance(&name, field.name()), field)).min()?;
            // A third of the letters may be wrong; more is another word.
            (near.0 <= near.1.name().len().div_ceil(3).min(3)).then_some(near.1)
        })
    }

    /// What the services call the same things, and what people do.
    const OTHER_WORDS: [(&'static str, Self); 16] = [
        ("status", Self::State),
        ("business_key", Self::Order),
        ("order_id", Self::Order),
        ("order_number", Self::Order),
        ("version", Self::DefinitionVersion),
        ("attempts", Self::Attempt),
        ("retries", Self::Attempt),
        ("wake_time", Self::NextWake),
        ("wake_at", Self::NextWake),
        ("error", Self::Reason),
        ("cause", Self::Reason),
        ("sku", Self::Item),
        ("create_time", Self::CreatedAt),
        ("started", Self::CreatedAt),
        ("update_time", Self::UpdatedAt),
        ("trace", Self::TraceId),
    ];
}

/// Fields that hold text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TextField {
    /// [`Field::Step`].
    Step,
    /// [`Field::Definition`].
    Definition,
    /// [`Field::Reason`]; a saga may have two, why it unwinds, and why it is stuck or tries again.
    Reason,
    /// [`Field::Order`].
    Order,
    /// [`Field::Customer`].
    Customer,
    /// [`Field::Item`].
    Item,
    /// [`Field::Payment`].
    Payment,
    /// [`Field::TraceId`].
    TraceId,
}

/// Fields that hold a whole number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NumberField {
    /// [`Field::DefinitionVersion`].
    DefinitionVersion,
    /// [`Field::Attempt`].
    Attempt,
}

/// Fields that hold a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimeField {
    /// [`Field::CreatedAt`].
    CreatedAt,
    /// [`Field::UpdatedAt`].
    UpdatedAt,
    /// [`Field::NextWake`]; sagas that have ended, are stuck or are paused have none.
    NextWake,
}

/// Fields that a saga may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PresentField {
    /// Any text but the definition's name, which every saga has.
    Text(TextField),
    /// [`Field::NextWake`].
    NextWake,
}

impl TextField {
    /// The field itself.
    #[must_use]
    pub fn field(self) -> Field {
        match self {
            Self::Step => Field::Step,
            Self::Definition => Field::Definition,
            Self::Reason => Field::Reason,
            Self::Order => Field::Order,
            Self::Customer => Field::Customer,
            Self::Item => Field::Item,
            Self::Payment => Field::Payment,
            Self::TraceId => Field::TraceId,
        }
    }
}

impl NumberField {
    /// The field itself.
    #[must_use]
    pub fn field(self) -> Field {
        match self {
            Self::DefinitionVersion => Field::DefinitionVersion,
            Self::Attempt => Field::Attempt,
        }
    }
}

impl TimeField {
    /// The field itself.
    #[must_use]
    pub fn field(self) -> Field {
        match self {
            Self::CreatedAt => Field::CreatedAt,
            Self::UpdatedAt => Field::UpdatedAt,
            Self::NextWake => Field::NextWake,
        }
    }
}

impl PresentField {
    /// The field itself.
    #[must_use]
    pub fn field(self) -> Field {
        match self {
            Self::Text(text) => text.field(),
            Self::NextWake => Field::NextWake,
        }
    }
}

/// How many letters must be put in, left out or changed to make one word of the other.
pub(crate) fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let changed = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_field_is_found() {
        for (written, meant) in [
            ("stat", Some(Field::State)),
            ("State", Some(Field::State)),
            ("sate", Some(Field::State)),
            ("created", Some(Field::CreatedAt)),
            ("business_key", Some(Field::Order)),
            ("definition_versoin", Some(Field::DefinitionVersion)),
            ("nextwake", Some(Field::NextWake)),
            ("custmer", Some(Field::Customer)),
            ("colour", None),
            ("zzz", None),
            ("", None),
        ] {
            assert_eq!(Field::nearest(written), meant, "{written}");
        }
        assert_eq!(Field::nearest(&"x".repeat(2_000)), None);
    }

    #[test]
    fn distances_are_counted() {
        for (one, other, count) in [("", "abc", 3), ("abc", "abc", 0), ("kitten", "sitting", 3), ("flaw", "lawn", 2)] {
            assert_eq!(distance(one, other), count);
            assert_eq!(distance(other, one), count);
        }
    }
}

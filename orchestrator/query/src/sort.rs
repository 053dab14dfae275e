//! In which order lists come: AIP-132's `order_by`, as far as lists of sagas have one.

use saga_core::saga::{Saga, SagaId};
use strsim::levenshtein;

/// Characters of a wrong field that are repeated.
const MAX_FOUND: usize = 64;

/// Letters that may be wrong, missing or too many in a field that was meant.
const MAX_DISTANCE: usize = 5;

/// What lists can be ordered by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SortField {
    /// When sagas were started: the order of their ids.
    #[default]
    CreateTime,
    /// When they last moved.
    UpdateTime,
    /// When they act next. Sagas that never do by themselves have no place in this order, and are left out.
    WakeTime,
}

impl SortField {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::CreateTime, Self::UpdateTime, Self::WakeTime];

    /// The field's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CreateTime => "create_time",
            Self::UpdateTime => "update_time",
            Self::WakeTime => "wake_time",
        }
    }
}

/// An order of sagas. Sagas of one time are ordered by their ids, in the same direction, so that every saga has its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OrderBy {
    /// By what.
    pub field: SortField,
    /// True for the greatest first.
    pub descending: bool,
}

impl Default for OrderBy {
    /// Newest first.
    fn default() -> Self {
        Self { field: SortField::CreateTime, descending: true }
    }
}

/// A saga's place in an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cursor {
    /// The time it is ordered by, microseconds; 0 where ids alone decide.
    pub at: i64,
    /// Its id.
    pub id: SagaId,
}

/// Why a text is no order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SortError {
    /// There is no such field.
    #[error("there is no order by {found:?}; {}", meant(*.nearest))]
    UnknownField {
        /// What was written.
        found: String,
        /// What was probably meant.
        nearest: Option<SortField>,
    },
    /// Something else than `desc` stands behind the field, or there are several fields.
    #[error("must be one field, perhaps with \" desc\" behind it")]
    Form,
}

fn meant(field: Option<SortField>) -> String {
    match field {
        Some(field) => format!("did you mean {}?", field.name()),
        None => format!("must be one of {}", SortField::ALL.map(SortField::name).join(", ")),
    }
}

impl OrderBy {
    /// Reads `order_by`; nothing but spaces is the default.
    ///
    /// # Errors
    /// [`SortError`].
    pub fn parse(text: &str) -> Result<Self, SortError> {
        let mut words = text.split_whitespace();
        let Some(name) = words.next() else { return Ok(Self::default()) };
        let descending = match (words.next(), words.next()) {
            (None, _) => false,
            (Some("desc"), None) => true,
            (Some("asc"), None) => false,
            (Some(_), _) => return Err(SortError::Form),
        };
        if name.contains(',') {
            return Err(SortError::Form);
        }
        let field = SortField::ALL.into_iter().find(|field| field.name() == name).ok_or_else(|| {
            let found: String = name.chars().take(MAX_FOUND).collect();
            let near = SortField::ALL.map(|field| (levenshtein(field.name(), &found), field));
            let nearest = near.into_iter().min_by_key(|(distance, _)| *distance);
            let nearest = nearest.filter(|(distance, _)| *distance <= MAX_DISTANCE).map(|(_, field)| field);
            SortError::UnknownField { found, nearest }
        })?;
        Ok(Self { field, descending })
    }

    /// Where a saga stands in this order; `None` if it has no place in it.
    #[must_use]
    pub fn cursor(self, saga: &Saga) -> Option<Cursor> {
        let at = match self.field {
            SortField::CreateTime => Some(0),
            SortField::UpdateTime => Some(saga.updated_at.0),
            SortField::WakeTime => saga.wake_at().map(|at| at.0),
        };
        at.map(|at| Cursor { at, id: saga.id })
    }

    /// True if `one` comes before `other`.
    #[must_use]
    pub fn is_before(self, one: Cursor, other: Cursor) -> bool {
        if self.descending { one > other } else { one < other }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_a_field_and_a_direction() {
        let of = |field, descending| Ok(OrderBy { field, descending });
        assert_eq!(OrderBy::parse(" "), Ok(OrderBy::default()));
        assert_eq!(OrderBy::parse("create_time"), of(SortField::CreateTime, false));
        assert_eq!(OrderBy::parse("update_time  desc"), of(SortField::UpdateTime, true));
        assert_eq!(OrderBy::parse("wake_time asc"), of(SortField::WakeTime, false));
        for text in ["create_time up", "create_time desc desc", "create_time,update_time"] {
            assert_eq!(OrderBy::parse(text), Err(SortError::Form), "{text}");
        }
    }

    #[test]
    fn an_unknown_field_is_told_with_what_was_probably_meant() {
        let told = OrderBy::parse("updated_time desc").unwrap_err().to_string();
        assert_eq!(told, "there is no order by \"updated_time\"; did you mean update_time?");
        let told = OrderBy::parse("x").unwrap_err().to_string();
        assert_eq!(told, "there is no order by \"x\"; must be one of create_time, update_time, wake_time");
    }
}

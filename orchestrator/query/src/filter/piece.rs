//! Parts of a condition, and how they are put together.

use super::facts::StateKind;

/// A bound parameter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Arg {
    /// A whole number.
    Int(i64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// A part of a condition: everything in it must hold. States are kept apart from the rest, because where rows are found by
/// their states, it matters to ask for all of them at once.
#[derive(Clone, Debug, Default)]
pub(super) struct Piece {
    states: Option<States>,
    conditions: Vec<(String, Vec<Arg>)>,
    /// True if one of the conditions leaves few rows.
    narrow: bool,
}

/// A set of states, one bit each by its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct States(u8);

impl States {
    pub(super) fn of(kinds: impl IntoIterator<Item = StateKind>) -> Self {
        Self(kinds.into_iter().fold(0, |set, kind| set | 1 << kind.code()))
    }

    /// A set, or all but the set.
    pub(super) fn piece(self, positive: bool) -> Piece {
        let set = if positive { self } else { Self(!self.0 & Self::of(StateKind::ALL).0) };
        Piece { states: Some(set), ..Piece::default() }
    }

    fn has(self, kind: StateKind) -> bool {
        self.0 & 1 << kind.code() != 0
    }

    fn codes(self, wanted: impl Fn(StateKind) -> bool) -> Vec<String> {
        let listed = StateKind::ALL.into_iter().filter(|kind| self.has(*kind) && wanted(*kind));
        listed.map(|kind| kind.code().to_string()).collect()
    }

    /// By the two indexes that know where sagas other than completed ones are: the next looks at active sagas, and the
    /// states that a saga on its usual way never enters. Completed sagas are nearly all there are: for them a walk
    /// through the newest is as good as any index.
    fn into_sql(self) -> String {
        let unusual = |kind| !matches!(kind, StateKind::Running | StateKind::Completed);
        let running = "(look_at IS NOT NULL AND state = 1)";
        if self == Self::of(StateKind::ALL) {
            return "1 = 1".to_owned();
        }
        if self.0 == 0 {
            return "1 = 0".to_owned();
        }
        if self.has(StateKind::Completed) {
            return format!("state IN ({})", self.codes(|_| true).join(", "));
        }
        if self == Self::of([StateKind::Running, StateKind::Compensating]) {
            return "(look_at IS NOT NULL AND state IN (1, 2))".to_owned();
        }
        let others = self.codes(unusual);
        match (self.has(StateKind::Running), others.is_empty()) {
            (true, true) => running.to_owned(),
            (true, false) => format!("({running} OR unusual IN ({}))", others.join(", ")),
            (false, _) => format!("unusual IN ({})", others.join(", ")),
        }
    }
}

impl Piece {
    /// Every row.
    pub(super) fn everything() -> Self {
        Self::default()
    }

    /// Rows for which a condition holds, which needs no parentheses around it.
    pub(super) fn sql(condition: impl Into<String>, args: Vec<Arg>) -> Self {
        Self { states: None, conditions: vec![(condition.into(), args)], narrow: false }
    }

    /// The same, known to leave few rows, which an index knows.
    pub(super) fn few(condition: impl Into<String>, args: Vec<Arg>) -> Self {
        Self { narrow: true, ..Self::sql(condition, args) }
    }

    /// The same rows, known to be few.
    pub(super) fn into_few(self) -> Self {
        Self { narrow: true, ..self }
    }

    /// Whether few rows can match: those that have not ended are bounded by admission and by what operators bear.
    pub(super) fn is_narrow(&self) -> bool {
        let ended = |set: States| set.has(StateKind::Completed) || set.has(StateKind::Compensated);
        self.narrow || self.states.is_some_and(|set| !ended(set))
    }

    /// Rows for which all pieces hold.
    pub(super) fn all(pieces: Vec<Self>) -> Self {
        pieces.into_iter().fold(Self::everything(), |all, piece| Self {
            states: match (all.states, piece.states) {
                (Some(one), Some(other)) => Some(States(one.0 & other.0)),
                (one, other) => one.or(other),
            },
            conditions: [all.conditions, piece.conditions].concat(),
            narrow: all.narrow || piece.narrow,
        })
    }

    /// Rows for which one of the pieces holds.
    pub(super) fn any(pieces: Vec<Self>) -> Self {
        let narrow = pieces.iter().all(Self::is_narrow);
        let mut states = None;
        let mut others = Vec::new();
        for piece in pieces {
            match (piece.states, piece.conditions.is_empty()) {
                (None, true) => return Self::everything(),
                (Some(set), true) => states = Some(states.map_or(set, |known: States| States(known.0 | set.0))),
                (_, false) => others.push(piece.into_sql()),
            }
        }
        if others.is_empty() {
            return states.unwrap_or(States(0)).piece(true);
        }
        let states = states.map(|states| (states.into_sql(), Vec::new()));
        let (condition, args) = joined(states.into_iter().chain(others).collect(), " OR ");
        Self { narrow, ..Self::sql(condition, args) }
    }

    /// Rows for which this one does not hold. The columns of the indexes are NULL for most rows, and `NOT` says neither
    /// yes nor no to NULL.
    pub(super) fn opposite(self) -> Self {
        match (self.states, self.conditions.is_empty()) {
            (states, true) => states.unwrap_or(States::of(StateKind::ALL)).piece(false),
            (_, false) => {
                let (condition, args) = self.into_sql();
                Self::sql(format!("({condition}) IS NOT TRUE"), args)
            }
        }
    }

    pub(super) fn into_sql(self) -> (String, Vec<Arg>) {
        let states = self.states.map(|states| (states.into_sql(), Vec::new()));
        joined(states.into_iter().chain(self.conditions).collect(), " AND ")
    }
}

/// One condition of several, in parentheses if there are several.
fn joined(parts: Vec<(String, Vec<Arg>)>, between: &str) -> (String, Vec<Arg>) {
    let (conditions, args): (Vec<String>, Vec<Vec<Arg>>) = parts.into_iter().unzip();
    let condition = match conditions.as_slice() {
        [] => "1 = 1".to_owned(),
        [only] => only.clone(),
        several => format!("({})", several.join(between)),
    };
    (condition, args.concat())
}

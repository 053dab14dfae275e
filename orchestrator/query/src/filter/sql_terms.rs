//! One comparison as a condition over columns, or the nearest condition that selects no less.

use super::expr::{Compare, Inequality, Term, TextTest};
use super::facts::StateKind;
use super::field::{Field, NumberField, TextField, TimeField};
use super::piece::{Arg, Piece, States};
use super::translation::{SqlDialect, Translation};
use saga_core::time::Micros;

/// States that are at a step.
const AT_A_STEP: [StateKind; 4] = [StateKind::Running, StateKind::Compensating, StateKind::Stuck, StateKind::Paused];

/// States that can hold a reason. One that runs, or that was paused while it ran, does only if its newest settled attempt
/// failed, which is told by no column.
const WITH_REASON: [StateKind; 5] =
    [StateKind::Running, StateKind::Compensating, StateKind::Stuck, StateKind::Paused, StateKind::Compensated];

/// States that always hold one.
const ALWAYS_WITH_REASON: [StateKind; 3] = [StateKind::Compensating, StateKind::Stuck, StateKind::Compensated];

/// The condition for `term`, or for its opposite, and whether it is exact.
pub(super) fn term(term: &Term, positive: bool, translation: &Translation<'_>) -> (Piece, bool) {
    match term {
        Term::State(is, state) => (States::of([*state]).piece(*is == positive), true),
        Term::Wait(is, wait) => {
            let sign = if *is == positive { "=" } else { "<>" };
            (Piece::sql(format!("wait_kind {sign} ?"), vec![Arg::Int(wait.code())]), true)
        }
        Term::Number(field, compare, number) => {
            let column = match field {
                NumberField::DefinitionVersion => "definition_version",
                NumberField::Attempt => "attempt",
            };
            let sign = match if positive { *compare } else { compare.negated() } {
                Compare::NotEqual => "<>",
                other @ (Compare::Equal | Compare::Inequality(_)) => other.as_str(),
            };
            (Piece::sql(format!("{column} {sign} ?"), vec![Arg::Int(i64::from(*number))]), true)
        }
        Term::Age(inequality, span) => {
            let inequality = if positive { *inequality } else { inequality.negated() };
            (compared("created_at", inequality.reversed(), span.before(translation.now)), true)
        }
        Term::Time(field, inequality, when) => {
            (time(*field, *inequality, when.resolve(translation.now), positive), true)
        }
        Term::Present(Field::Time(TimeField::NextWake)) => {
            (States::of([StateKind::Running, StateKind::Compensating]).piece(positive), true)
        }
        Term::Present(Field::Text(field)) => present(field, positive, translation),
        Term::Present(
            Field::State
            | Field::Wait
            | Field::Age
            | Field::Number(_)
            | Field::Time(TimeField::CreatedAt | TimeField::UpdatedAt),
        ) => (always(positive), true),
        Term::Text(field, test, wanted) => match (test, positive) {
            (TextTest::Is, _) => text(field, Test::Is(wanted), positive, translation),
            (TextTest::IsNot, _) => text(field, Test::Is(wanted), !positive, translation),
            (TextTest::Begins, _) => text(field, Test::Begins(wanted), positive, translation),
        },
    }
}

fn compared(column: &str, inequality: Inequality, at: Micros) -> Piece {
    Piece::sql(format!("{column} {} ?", inequality.as_str()), vec![Arg::Int(at.0)])
}

fn time(field: TimeField, inequality: Inequality, at: Micros, positive: bool) -> Piece {
    let inequality_now = if positive { inequality } else { inequality.negated() };
    match (field, positive) {
        (TimeField::CreatedAt, _) => compared("created_at", inequality_now, at),
        (TimeField::UpdatedAt, _) => compared("updated_at", inequality_now, at),
        (TimeField::NextWake, true) => {
            // The index knows which sagas are under way.
            let condition = format!("(look_at IS NOT NULL AND wake_at {} ?)", inequality.as_str());
            Piece::few(condition, vec![Arg::Int(at.0)])
        }
        (TimeField::NextWake, false) => {
            let condition = format!("(wake_at IS NULL OR wake_at {} ?)", inequality_now.as_str());
            Piece::sql(condition, vec![Arg::Int(at.0)])
        }
    }
}

fn always(positive: bool) -> Piece {
    if positive { Piece::everything() } else { States::of([]).piece(true) }
}

fn present(field: &TextField, positive: bool, translation: &Translation<'_>) -> (Piece, bool) {
    match field {
        TextField::Step => (States::of(AT_A_STEP).piece(positive), true),
        TextField::Reason => {
            let states = if positive { States::of(WITH_REASON) } else { States::of(ALWAYS_WITH_REASON) };
            (states.piece(positive), false)
        }
        TextField::BusinessKey => (filled("business_key", positive, translation.dialect), true),
        TextField::TraceId => (filled("traceparent", positive, translation.dialect), true),
        TextField::Definition => (always(positive), true),
        TextField::Attribute(_) | TextField::Skipped => (Piece::everything(), false),
    }
}

fn filled(column: &str, positive: bool, dialect: SqlDialect) -> Piece {
    let sign = if positive { "<>" } else { "=" };
    let condition = match dialect {
        // Here a text of nothing but spaces equals the empty one.
        SqlDialect::MariaDb => format!("LENGTH({column}) {sign} 0"),
        SqlDialect::Sqlite => format!("{column} {sign} ''"),
    };
    Piece::sql(condition, Vec::new())
}

/// A test that a text passes.
#[derive(Clone, Copy)]
enum Test<'a> {
    Is(&'a str),
    Begins(&'a str),
}

impl Test<'_> {
    fn passes(self, text: &str) -> bool {
        match self {
            Self::Is(wanted) => text == wanted,
            Self::Begins(wanted) => text.starts_with(wanted),
        }
    }

    fn wanted(&self) -> &str {
        match self {
            Self::Is(wanted) | Self::Begins(wanted) => wanted,
        }
    }

    /// Exactly the rows whose column passes, or those whose does not.
    fn on(self, column: &str, positive: bool, dialect: SqlDialect) -> Piece {
        let (condition, args) = match (self, dialect) {
            (Self::Begins(""), _) => ("1 = 1".to_owned(), Vec::new()),
            (Self::Is(wanted), SqlDialect::Sqlite) => (format!("{column} = ?"), vec![Arg::Text(wanted.to_owned())]),
            // `=` leaves trailing spaces out of account, so the length decides.
            (Self::Is(wanted), SqlDialect::MariaDb) => {
                (format!("({column} = ? AND LENGTH({column}) = {})", wanted.len()), vec![Arg::Text(wanted.to_owned())])
            }
            // LIKE knows no difference between small and capital letters here; a range does, and uses the index.
            (Self::Begins(wanted), SqlDialect::Sqlite) => match beyond(wanted) {
                Some(end) => {
                    let args = vec![Arg::Text(wanted.to_owned()), Arg::Text(end)];
                    (format!("({column} >= ? AND {column} < ?)"), args)
                }
                None => (format!("{column} >= ?"), vec![Arg::Text(wanted.to_owned())]),
            },
            (Self::Begins(wanted), SqlDialect::MariaDb) => {
                (format!("{column} LIKE ? ESCAPE '!'"), vec![Arg::Text(pattern(wanted))])
            }
        };
        // These columns are never NULL.
        Piece::sql(if positive { condition } else { format!("NOT ({condition})") }, args)
    }
}

/// The first text after all that begin with `text`; `None` if there is none.
fn beyond(text: &str) -> Option<String> {
    let mut chars: Vec<char> = text.chars().collect();
    while let Some(last) = chars.pop() {
        // From the last before the surrogates on to the first after them: neither database holds any between.
        let next = if last == '\u{d7ff}' { Some('\u{e000}') } else { char::from_u32(u32::from(last) + 1) };
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

fn pattern(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

fn text(field: &TextField, test: Test<'_>, positive: bool, translation: &Translation<'_>) -> (Piece, bool) {
    let dialect = translation.dialect;
    match field {
        TextField::Definition => (test.on("definition", positive, dialect), true),
        TextField::BusinessKey => {
            let piece = test.on("business_key", positive, dialect);
            (if positive && matches!(test, Test::Is(_)) { piece.into_few() } else { piece }, true)
        }
        TextField::TraceId => {
            let header = format!("00-{}", test.wanted());
            let header = match test {
                Test::Is(_) => format!("{header}-"),
                Test::Begins(_) => header,
            };
            (Test::Begins(&header).on("traceparent", positive, dialect), true)
        }
        TextField::Step => (step(test, positive, translation), true),
        // Reasons stand in the data column, as they are.
        TextField::Reason if positive => {
            (Piece::all(vec![States::of(WITH_REASON).piece(true), contained("data", test)]), false)
        }
        // So do the names of skipped steps.
        TextField::Skipped if positive => (contained("data", test), false),
        TextField::Attribute(_) if positive && translation.verbatim_input => (contained("input", test), false),
        TextField::Reason | TextField::Skipped | TextField::Attribute(_) => (Piece::everything(), false),
    }
}

/// Rows whose blob holds the text somewhere.
fn contained(column: &str, test: Test<'_>) -> Piece {
    match test.wanted() {
        "" => Piece::everything(),
        wanted => Piece::sql(format!("INSTR({column}, ?) > 0"), vec![Arg::Bytes(wanted.as_bytes().to_vec())]),
    }
}

/// Rows hold the position of a step: names are looked up in every definition, and where the definition is unknown the
/// position is the name.
fn step(test: Test<'_>, positive: bool, translation: &Translation<'_>) -> Piece {
    let mut pieces = Vec::new();
    let mut known = Vec::new();
    for definition in translation.definitions {
        let id = definition.id();
        let pinned = Piece::all(vec![
            Test::Is(&id.name).on("definition", true, translation.dialect),
            Piece::sql("definition_version = ?", vec![Arg::Int(i64::from(id.version))]),
        ]);
        let passing = (0..).zip(definition.steps()).filter(|(_, step)| test.passes(&step.name));
        let positions: Vec<String> = passing.map(|(position, _): (u8, _)| position.to_string()).collect();
        if !positions.is_empty() {
            let at = Piece::sql(format!("step IN ({})", positions.join(", ")), Vec::new());
            pieces.push(Piece::all(vec![pinned.clone(), at]));
        }
        known.push(pinned);
    }
    let numbers: Vec<String> = (0..=u8::MAX).map(|n| n.to_string()).filter(|n| test.passes(n)).collect();
    if !numbers.is_empty() {
        let at = Piece::sql(format!("step IN ({})", numbers.join(", ")), Vec::new());
        let unknown = known.into_iter().map(Piece::opposite).chain([at]).collect();
        pieces.push(Piece::all(unknown));
    }
    let at_it = match pieces.is_empty() {
        true => States::of([]).piece(true),
        false => Piece::all(vec![States::of(AT_A_STEP).piece(true), Piece::any(pieces)]),
    };
    if positive { at_it } else { at_it.opposite() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_beyond_a_beginning() {
        for (begins, end) in [
            ("a", Some("b")),
            ("az", Some("a{")),
            ("é", Some("ê")),
            ("a\u{d7ff}", Some("a\u{e000}")),
            ("a\u{10ffff}", Some("b")),
            ("\u{10ffff}", None),
        ] {
            assert_eq!(beyond(begins).as_deref(), end, "{begins:?}");
        }
    }

    #[test]
    fn a_pattern_holds_no_wildcard_but_its_last() {
        assert_eq!(pattern("50%_!"), "50!%!_!!%");
        assert_eq!(pattern(""), "%");
    }
}

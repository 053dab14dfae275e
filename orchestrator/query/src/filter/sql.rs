//! A filter as a condition over the columns of table `saga`.
//!
//! What no column tells is left open: the condition selects every saga that the filter does, and perhaps more. Negations
//! are pushed down to the comparisons, so that *perhaps more* stays so under `NOT`; comparisons that only widen are listed.

use super::expr::{Expr, Term, TextTest};
use super::field::{Attribute, Field, MAX_ATTRIBUTE_VALUE, TextField};
use super::piece::{Arg, Piece, States};
use super::sql_terms;
use super::translation::Translation;

/// A condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Translated {
    /// What goes behind `WHERE`, with `?` for each of `args`. Holds nothing that was written in the filter.
    pub condition: String,
    /// The parameters, in the order of their `?`.
    pub args: Vec<Arg>,
    /// Comparisons that the columns do not decide. If there are none, the condition selects exactly what the filter does;
    /// otherwise it may select more, and each row must be held against the filter by [`super::matches()`].
    pub undecided: Vec<Term>,
    /// True if only few rows can match, and an index knows which: sagas that have not ended, or those of one business key.
    /// Then the few are better sorted than all others walked past.
    pub narrow: bool,
    /// An attribute that every selected saga has, if it is not narrow otherwise: an index of attributes then knows where the
    /// sagas are. A trace counts as an attribute of its field's name, and so does a skipped step.
    pub lead: Option<Attribute>,
}

impl Translated {
    /// True if the condition selects exactly what the filter does, so that it can be counted with.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.undecided.is_empty()
    }

    /// The same among sagas that have the attribute which leads to them.
    #[must_use]
    pub fn is_exact_where_led(&self) -> bool {
        self.undecided.iter().all(|term| leading(term).is_some_and(|lead| Some(lead) == self.lead))
    }
}

/// The condition for `expr`.
#[must_use]
pub fn to_sql(expr: &Expr, translation: &Translation<'_>) -> Translated {
    let mut undecided = Vec::new();
    let piece = piece(expr, true, translation, &mut undecided);
    let narrow = piece.is_narrow();
    let (condition, args) = piece.into_sql();
    let lead = if narrow { None } else { lead(expr) };
    Translated { condition, args, undecided, narrow, lead }
}

/// The first equality with an attribute that must hold whatever else does.
fn lead(expr: &Expr) -> Option<Attribute> {
    match expr {
        Expr::Term(term) => leading(term),
        Expr::All(parts) => parts.iter().find_map(lead),
        Expr::Any(_) | Expr::Not(_) => None,
    }
}

/// The attribute that a saga has for which the comparison holds. A value that is longer than any can be leads nowhere: of sagas
/// that were started before values had a bound, it may be the input's all the same. Of what was skipped the index knows each
/// step, and by an empty value that there is one.
fn leading(term: &Term) -> Option<Attribute> {
    match term {
        Term::Text(
            field @ (TextField::Attribute(_) | TextField::TraceId | TextField::Skipped),
            TextTest::Is,
            value,
        ) => Some(Attribute::new(field.name(), value)).filter(|lead| lead.value.len() <= MAX_ATTRIBUTE_VALUE),
        Term::Present(Field::Text(field @ TextField::Skipped)) => Some(Attribute::new(field.name(), "")),
        Term::Text(..)
        | Term::State(..)
        | Term::Wait(..)
        | Term::Number(..)
        | Term::Age(..)
        | Term::Time(..)
        | Term::Present(_) => None,
    }
}

fn piece(expr: &Expr, positive: bool, translation: &Translation<'_>, undecided: &mut Vec<Term>) -> Piece {
    match (expr, positive) {
        (Expr::Not(part), _) => piece(part, !positive, translation, undecided),
        (Expr::All(parts), true) | (Expr::Any(parts), false) => {
            Piece::all(parts.iter().map(|part| piece(part, positive, translation, undecided)).collect())
        }
        // The opposite of everything.
        (Expr::All(parts), false) if parts.is_empty() => States::of([]).piece(true),
        (Expr::Any(parts), true) | (Expr::All(parts), false) => {
            Piece::any(parts.iter().map(|part| piece(part, positive, translation, undecided)).collect())
        }
        (Expr::Term(term), _) => {
            let (piece, is_exact) = sql_terms::term(term, positive, translation);
            if !is_exact {
                undecided.push(term.clone());
            }
            piece
        }
    }
}

//! `baton sagas`.

use crate::cli::Page;
use baton_query::filter::{Preset, StateKind};
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use std::path::PathBuf;
use uuid::Uuid;

/// Which sagas; what is given must all hold.
#[derive(Args, Clone, Debug, Default)]
pub struct Filter {
    /// AIP-160 filter, for example 'state = stuck AND age > 1h'; docs/filters.md has the fields
    #[arg(long, value_name = "FILTER", default_value = "", hide_default_value = true)]
    pub filter: String,
    /// A filter under a name
    #[arg(long, value_parser = PossibleValuesParser::new(Preset::ALL.map(Preset::name)))]
    pub preset: Option<String>,
    /// Only those in this state
    #[arg(long, value_parser = PossibleValuesParser::new(StateKind::ALL.map(StateKind::as_str)))]
    pub state: Option<String>,
    /// Only those of this business key, for example NUMBER or orders/NUMBER of an order
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
}

impl Filter {
    /// One filter for all but the preset. What was written comes first and as it is, so that the position of a flaw in it
    /// is the one that the user sees; `AND` binds less tightly than anything before it.
    #[must_use]
    pub fn text(&self) -> String {
        let state = self.state.as_ref().map(|state| format!("state = {state}"));
        let is = |key: &str| format!("key = \"{}\"", key.replace('\\', "\\\\").replace('"', "\\\""));
        // An order's name holds its number; another definition's keys may begin alike. `OR` binds tighter than `AND`.
        let key = self.key.as_ref().map(|key| match key.strip_prefix("orders/") {
            Some(number) => format!("{} OR {}", is(number), is(key)),
            None => is(key),
        });
        let written = Some(self.filter.clone()).filter(|filter| !filter.trim().is_empty());
        written.into_iter().chain(state).chain(key).collect::<Vec<_>>().join(" AND ")
    }
}

/// An action on one saga.
#[derive(Args, Clone, Debug)]
pub struct Act {
    /// Its id, its business key, what else it is found by, or the first 8 characters
    pub saga: String,
    /// Why; kept in the saga's journal
    #[arg(long, value_name = "WHY")]
    pub reason: String,
    /// Who; kept in the saga's journal [default: your user name]
    #[arg(long, value_name = "WHO", env = "BATON_ACTOR")]
    pub actor: Option<String>,
    /// Only if the saga is at this version; with it the command can be repeated until it is answered
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub version: Option<u64>,
    /// Makes a repetition harmless [default: a new one]
    #[arg(long)]
    pub request_id: Option<Uuid>,
}

/// `baton sagas`.
#[derive(Clone, Debug, Subcommand)]
pub enum Sagas {
    /// Start a saga of any registered definition
    Start {
        /// Name of the definition
        definition: String,
        /// File with the definition's encoded input message; `-` reads standard input
        #[arg(long, value_name = "FILE")]
        input: PathBuf,
        /// Makes a repetition harmless [default: a new one]
        #[arg(long)]
        request_id: Option<Uuid>,
    },
    /// List sagas, newest first unless asked otherwise
    List {
        /// Which ones.
        #[command(flatten)]
        filter: Filter,
        /// create_time, update_time or wake_time; with " desc" the greatest first
        #[arg(long, value_name = "FIELD", default_value = "", hide_default_value = true)]
        order_by: String,
        /// How many.
        #[command(flatten)]
        page: Page,
    },
    /// Count sagas
    Count {
        /// Which ones.
        #[command(flatten)]
        filter: Filter,
    },
    /// Show one saga
    Get {
        /// Its id, its business key, what else it is found by, or the first 8 characters
        saga: String,
    },
    /// Say why a saga stands where it stands, what it does next, and what can be done
    Explain {
        /// Its id, its business key, what else it is found by, or the first 8 characters
        saga: String,
    },
    /// Show a saga step by step over time, and what its messages said, secret and personal fields taken out
    Timeline {
        /// Its id, its business key, what else it is found by, or the first 8 characters
        saga: String,
    },
    /// Show the journal of one saga, oldest first
    Events {
        /// Its id, its business key, what else it is found by, or the first 8 characters
        saga: String,
        /// How many.
        #[command(flatten)]
        page: Page,
    },
    /// Follow a saga to its end
    Watch {
        /// Its id, its business key, what else it is found by, or the first 8 characters
        saga: String,
    },
    /// Unwind a running saga
    Cancel(Act),
    /// Send the command of the stuck or waiting step again now, with a fresh budget
    Retry(Act),
    /// Go on without the stuck step's effect
    Skip(Act),
    /// The stuck action was done by hand: go on
    ResolveDone(Act),
    /// The stuck undo was done by hand: go on
    ResolveUndone(Act),
    /// Halt a saga until it is resumed
    Pause(Act),
    /// Go on after a pause
    Resume(Act),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_must_all_hold_and_what_was_written_stays_where_it_was() {
        let filter = Filter { filter: "attempt >= 3 OR step:stock".to_owned(), ..Filter::default() };
        assert_eq!(filter.text(), "attempt >= 3 OR step:stock");
        let filter = Filter { state: Some("stuck".to_owned()), key: Some("a\"\\b".to_owned()), ..filter };
        assert_eq!(filter.text(), r#"attempt >= 3 OR step:stock AND state = stuck AND key = "a\"\\b""#);
        baton_query::filter::parse(&filter.text(), &[]).expect("a filter");
        assert_eq!(Filter::default().text(), "");
        let named = Filter { key: Some("orders/7".to_owned()), state: Some("stuck".to_owned()), ..Filter::default() };
        assert_eq!(named.text(), r#"state = stuck AND key = "7" OR key = "orders/7""#);
        baton_query::filter::parse(&named.text(), &[]).expect("a filter");
        assert_eq!(Filter { filter: " ".to_owned(), ..filter }.text(), r#"state = stuck AND key = "a\"\\b""#);
    }
}

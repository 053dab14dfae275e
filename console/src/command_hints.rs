//! What an operator does on a page as the `baton …` command line and the curl line that do the same.

mod arguments;
mod line;

pub use crate::command_hints::arguments::{Given, Which};
pub use crate::command_hints::line::quoted;
use crate::command_hints::line::{ShellLine, url};
use crate::verb_names;
use baton_proto::baton::saga::v1::{JobControl, SagaVerb};
use serde_json::{Map, Value, json};

/// Something an operator does, as the page knows it. Names are resource names: `sagas/{uuid}`, `jobs/{uuid}`,
/// `holds/participants/hotel`, `deadLetters/{uuid}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandHint<'a> {
    /// Lists sagas.
    Search {
        /// Which ones.
        which: Which<'a>,
        /// `order_by`, or empty.
        order_by: &'a str,
    },
    /// Counts sagas.
    Count(Which<'a>),
    /// Shows one saga.
    Get(&'a str),
    /// Explains one saga.
    Explain(&'a str),
    /// Shows the journal of one saga.
    Events(&'a str),
    /// Follows one saga to its end.
    Watch(&'a str),
    /// Takes one action on one saga.
    Act {
        /// The saga.
        saga: &'a str,
        /// The action.
        verb: SagaVerb,
        /// Only at this version; 0 means any.
        version: u64,
        /// Why and who.
        given: Given<'a>,
    },
    /// Takes one action on many sagas.
    CreateJob {
        /// Which ones.
        which: Which<'a>,
        /// The action.
        verb: SagaVerb,
        /// Actions a second; 0 means the default.
        max_rate: u32,
        /// Count only.
        validate_only: bool,
        /// Why and who.
        given: Given<'a>,
    },
    /// Pauses, resumes or cancels a job.
    ControlJob {
        /// The job.
        job: &'a str,
        /// What to do with it.
        control: JobControl,
        /// Why and who.
        given: Given<'a>,
    },
    /// Holds a definition or a participant.
    CreateHold {
        /// The hold.
        hold: &'a str,
        /// Why and who.
        given: Given<'a>,
    },
    /// Releases a hold.
    ReleaseHold {
        /// The hold.
        hold: &'a str,
        /// Why and who.
        given: Given<'a>,
    },
    /// Sends a dead letter again.
    ReplayDeadLetter {
        /// The dead letter.
        letter: &'a str,
        /// Why and who.
        given: Given<'a>,
    },
    /// Gives a dead letter up.
    DropDeadLetter {
        /// The dead letter.
        letter: &'a str,
        /// Why and who.
        given: Given<'a>,
    },
}

impl CommandHint<'_> {
    /// The command line, quoted for a POSIX shell; one line, without control characters whatever it holds.
    #[must_use]
    pub fn command(&self) -> String {
        match *self {
            Self::Search { which, order_by } => {
                ShellLine::of("baton sagas list").which(which).some("--order-by", order_by).done()
            }
            Self::Count(which) => ShellLine::of("baton sagas count").which(which).done(),
            Self::Get(saga) => ShellLine::of("baton sagas get").id(saga).done(),
            Self::Explain(saga) => ShellLine::of("baton sagas explain").id(saga).done(),
            Self::Events(saga) => ShellLine::of("baton sagas events").id(saga).done(),
            Self::Watch(saga) => ShellLine::of("baton sagas watch").id(saga).done(),
            Self::Act { saga, verb, version, given } => {
                let line = ShellLine::of("baton sagas").word(or_open(verb_names::verb(verb))).id(saga);
                line.number("--version", version).given(given).done()
            }
            Self::CreateJob { which, verb, max_rate, validate_only, given } => {
                let line =
                    ShellLine::of("baton jobs create").some("--verb", or_open(verb_names::verb(verb))).which(which);
                let line = line.number("--max-rate", max_rate.into()).given(given);
                if validate_only { line.word("--dry-run").done() } else { line.done() }
            }
            Self::ControlJob { job, control, given } => {
                ShellLine::of("baton jobs").word(or_open(verb_names::control(control))).id(job).given(given).done()
            }
            Self::CreateHold { hold, given } => ShellLine::of("baton holds create").id(hold).given(given).done(),
            Self::ReleaseHold { hold, given } => ShellLine::of("baton holds release").id(hold).given(given).done(),
            Self::ReplayDeadLetter { letter, given } => {
                ShellLine::of("baton dead-letters replay").id(letter).given(given).done()
            }
            Self::DropDeadLetter { letter, given } => {
                ShellLine::of("baton dead-letters drop").id(letter).given(given).done()
            }
        }
    }

    /// The curl line, quoted for a POSIX shell, against `base` ("http://127.0.0.1:7401" for example).
    #[must_use]
    pub fn curl(&self, base: &str) -> String {
        let get = |path: &str| ShellLine::of("curl -sS").text(&url(base, path, ""));
        match *self {
            Self::Search { which, order_by } => get("sagas")
                .query("filter", which.filter)
                .query("preset", which.preset)
                .query("orderBy", order_by)
                .got(),
            Self::Count(which) => ShellLine::of("curl -sS")
                .text(&url(base, "sagas", ":count"))
                .query("filter", which.filter)
                .query("preset", which.preset)
                .got(),
            Self::Get(saga) => get(saga).done(),
            Self::Explain(saga) => ShellLine::of("curl -sS").text(&url(base, saga, ":explain")).done(),
            Self::Events(saga) => ShellLine::of("curl -sS").text(&url(base, saga, "/events")).done(),
            Self::Watch(saga) => ShellLine::of("curl -sSN").text(&url(base, saga, ":watch")).done(),
            Self::Act { saga, verb, version, given } => {
                let line = ShellLine::of("curl -sS").text(&url(base, saga, ":act"));
                let line = if version == 0 { line } else { line.header("if-match", &format!("\"{version}\"")) };
                line.post(given, json!({ "verb": or_open(verb_names::verb(verb).map(|_| verb.as_str_name())) }))
            }
            Self::CreateJob { which, verb, max_rate, validate_only, given } => {
                let mut body = Map::new();
                for (name, value) in [("filter", which.filter), ("preset", which.preset)] {
                    if !value.is_empty() {
                        body.insert(name.to_owned(), value.into());
                    }
                }
                let known = verb_names::verb(verb).map(|_| verb.as_str_name());
                body.insert("verb".to_owned(), or_open(known).into());
                if max_rate != 0 {
                    body.insert("maxRate".to_owned(), max_rate.into());
                }
                if validate_only {
                    body.insert("validateOnly".to_owned(), true.into());
                }
                get("jobs").post(given, Value::Object(body))
            }
            Self::ControlJob { job, control, given } => {
                ShellLine::of("curl -sS").text(&url(base, job, ":control")).post(
                    given,
                    json!({ "control": or_open(verb_names::control(control).map(|_| control.as_str_name())) }),
                )
            }
            Self::CreateHold { hold, given } => get("holds").post(given, json!({ "name": hold })),
            Self::ReleaseHold { hold, given } => {
                ShellLine::of("curl -sS").text(&url(base, hold, ":release")).post(given, json!({}))
            }
            Self::ReplayDeadLetter { letter, given } => {
                ShellLine::of("curl -sS").text(&url(base, letter, ":replay")).post(given, json!({}))
            }
            Self::DropDeadLetter { letter, given } => {
                ShellLine::of("curl -sS").text(&url(base, letter, ":drop")).post(given, json!({}))
            }
        }
    }
}

/// What stands for an action that has not been chosen yet; nothing understands it.
const ORDER: &str = "ORDER";

/// A word, or what stands for it while nobody has chosen one.
fn or_open(word: Option<&'static str>) -> &'static str {
    word.unwrap_or(ORDER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::shape::flaws;
    use crate::http::table::{Found, shipped};

    const SAGA: &str = "sagas/0197f0c8-0000-7000-8000-000000000001";

    #[test]
    fn an_order_reads_the_same_in_both_faces() {
        let given = Given { reason: "it's back", actor: "ada", request_id: "" };
        let hint = CommandHint::Act { saga: SAGA, verb: SagaVerb::ResolveDone, version: 7, given };
        assert_eq!(
            hint.command(),
            r"baton sagas resolve-done 0197f0c8-0000-7000-8000-000000000001 --version 7 --reason 'it'\''s back' --actor ada"
        );
        assert_eq!(
            hint.curl("http://127.0.0.1:8081/"),
            "curl -sS http://127.0.0.1:8081/api/v1/sagas/0197f0c8-0000-7000-8000-000000000001:act -H 'if-match: \"7\"' \
             --json '{\"actor\":\"ada\",\"reason\":\"it'\\''s back\",\"verb\":\"SAGA_VERB_RESOLVE_DONE\"}'"
        );
    }

    #[test]
    fn what_is_not_known_yet_is_left_open() {
        let hint = CommandHint::ReleaseHold { hold: "holds/participants/stock", given: Given::default() };
        assert_eq!(hint.command(), "baton holds release participants/stock --reason WHY");
        assert_eq!(
            hint.curl("http://h"),
            r#"curl -sS http://h/api/v1/holds/participants/stock:release --json '{"actor":"WHO","reason":"WHY"}'"#
        );
    }

    #[test]
    fn an_order_that_is_not_chosen_yet_is_left_open() {
        let (which, given) = (Which { filter: "state = stuck", preset: "" }, Given::default());
        let verb = SagaVerb::Unspecified;
        let hint = CommandHint::CreateJob { which, verb, max_rate: 0, validate_only: false, given };
        assert_eq!(hint.command(), "baton jobs create --verb ORDER --filter 'state = stuck' --reason WHY");
        assert!(hint.curl("http://h").contains("\"verb\":\"ORDER\""));
    }

    #[test]
    fn a_search_carries_its_filter_to_be_encoded_by_curl() {
        let which = Which { filter: "state = stuck AND age > 1h", preset: "overdue" };
        let hint = CommandHint::Search { which, order_by: "update_time desc" };
        assert_eq!(
            hint.curl("http://h"),
            "curl -sSG http://h/api/v1/sagas --data-urlencode 'filter=state = stuck AND age > 1h' --data-urlencode \
             'preset=overdue' --data-urlencode 'orderBy=update_time desc'"
        );
        assert_eq!(CommandHint::Count(Which::default()).curl("http://h"), "curl -sS http://h/api/v1/sagas:count");
        assert_eq!(
            CommandHint::Count(which).command(),
            "baton sagas count --filter 'state = stuck AND age > 1h' --preset overdue"
        );
    }

    /// Every one there is, on something.
    fn hints() -> Vec<CommandHint<'static>> {
        let (which, given) = (Which::default(), Given::default());
        let (job, hold, letter) = ("jobs/7", "holds/participants/stock", "deadLetters/7");
        vec![
            CommandHint::Search { which, order_by: "" },
            CommandHint::Count(which),
            CommandHint::Get(SAGA),
            CommandHint::Explain(SAGA),
            CommandHint::Events(SAGA),
            CommandHint::Watch(SAGA),
            CommandHint::Act { saga: SAGA, verb: SagaVerb::Pause, version: 0, given },
            CommandHint::CreateJob { which, verb: SagaVerb::Pause, max_rate: 7, validate_only: true, given },
            CommandHint::ControlJob { job, control: JobControl::Pause, given },
            CommandHint::CreateHold { hold, given },
            CommandHint::ReleaseHold { hold, given },
            CommandHint::ReplayDeadLetter { letter, given },
            CommandHint::DropDeadLetter { letter, given },
        ]
    }

    #[test]
    fn every_curl_line_asks_for_what_is_served() {
        let table = shipped();
        for hint in hints() {
            let line = hint.curl("http://h");
            let start = line.find("http://h/api/v1").expect("an address") + "http://h/api/v1".len();
            let path = line[start..].split_whitespace().next().expect("a path").trim_end_matches('\'');
            let posts = line.split_once(" --json ").map(|(_, body)| body.trim_matches('\''));
            let method = if posts.is_some() { http::Method::POST } else { http::Method::GET };
            let Found::Route(route, _) = table.find(&method, path) else { panic!("{method} {path}") };
            if let Some(body) = posts {
                let body = serde_json::from_str(body).expect("JSON");
                assert_eq!(flaws(&body, &route.call.input()), [], "{line}");
            }
        }
    }
}

//! The four ways to operate, behind one face: each test walks through all of them.

use super::cli::{cli, exit, parsed, text};
use super::http::Http;
use super::page::Page;
use baton_console::verb_names;
use baton_proto::baton::saga::v1::saga_admin_service_client::SagaAdminServiceClient;
use baton_proto::baton::saga::v1::{
    ActOnSagaRequest, CountSagasRequest, ExplainSagaRequest, SagaVerb, SearchSagasRequest,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tonic::transport::Channel;

/// One way to operate. Failures are exit codes, and codes that would become them.
#[derive(Clone, Debug)]
pub enum Driver {
    Grpc(Channel),
    Cli(String),
    Http(Http),
    Page(Page),
}

/// What an explanation says.
#[derive(Debug)]
pub struct Explained {
    pub text: String,
    pub legal: BTreeSet<String>,
}

impl Driver {
    pub async fn list(&self, filter: &str, preset: Option<&str>) -> Result<Vec<String>, i32> {
        match self {
            Self::Grpc(channel) => {
                let preset = preset.unwrap_or_default().to_owned();
                let request = SearchSagasRequest { filter: filter.to_owned(), preset, ..Default::default() };
                let found = SagaAdminServiceClient::new(channel.clone()).search_sagas(request).await.map_err(exit)?;
                Ok(found.into_inner().sagas.into_iter().map(|saga| saga.name).collect())
            }
            Self::Cli(server) => {
                let mut args = vec!["sagas", "list", "--filter", filter];
                args.extend(preset.iter().flat_map(|preset| ["--preset", preset]));
                let found = parsed(&cli(server, "json", &args)?);
                Ok(found["sagas"].as_array().expect("a list").iter().map(|saga| text(&saga["name"])).collect())
            }
            Self::Page(page) => page.list(filter, preset).await,
            Self::Http(http) => {
                let query = [("filter", filter), ("preset", preset.unwrap_or_default())];
                let found = http.get("sagas", &query).await?;
                Ok(found["sagas"].as_array().expect("a list").iter().map(|saga| text(&saga["name"])).collect())
            }
        }
    }

    pub async fn count(&self, filter: &str) -> Result<u64, i32> {
        match self {
            Self::Grpc(channel) => {
                let request = CountSagasRequest { filter: filter.to_owned(), ..Default::default() };
                let counted = SagaAdminServiceClient::new(channel.clone()).count_sagas(request).await.map_err(exit)?;
                let counted = counted.into_inner();
                assert!(counted.exact);
                Ok(counted.count)
            }
            Self::Cli(server) => {
                let counted = cli(server, "table", &["sagas", "count", "--filter", filter])?;
                Ok(counted.trim().parse().expect("an exact count"))
            }
            Self::Page(page) => page.count(filter).await,
            Self::Http(http) => {
                let counted = http.get("sagas:count", &[("filter", filter)]).await?;
                assert_eq!(counted["exact"], true);
                Ok(text(&counted["count"]).parse().expect("a number"))
            }
        }
    }

    pub async fn explain(&self, saga: &str) -> Result<Explained, i32> {
        match self {
            Self::Grpc(channel) => {
                let request = ExplainSagaRequest { name: saga.to_owned() };
                let answer = SagaAdminServiceClient::new(channel.clone()).explain_saga(request).await.map_err(exit)?;
                let answer = answer.into_inner();
                let explanation = answer.explanation.expect("an explanation");
                let happened = explanation.history.iter().map(|happening| happening.sentence.as_str());
                let text: Vec<&str> = std::iter::once(explanation.summary.as_str()).chain(happened).collect();
                let legal = explanation.acts.iter().filter(|act| act.legal);
                let legal = legal.map(|act| word_of(act.verb())).collect();
                Ok(Explained { text: text.join("\n") + "\n" + &answer.timeline, legal })
            }
            Self::Cli(server) => {
                // It may move between two commands: what is compared must be of one version.
                let version = |text: &str| text.lines().next().map(str::to_owned);
                let table = || cli(server, "table", &["sagas", "explain", saga]);
                let (mut text, mut tries) = (table()?, 0);
                let explained = loop {
                    let explained = parsed(&cli(server, "json", &["sagas", "explain", saga])?);
                    let after = table()?;
                    if version(&text) == version(&after) {
                        break explained;
                    }
                    (text, tries) = (after, tries + 1);
                    assert!(tries < 20, "it never rests: {text}");
                };
                let legal = legal(&explained["explanation"]);
                let id = saga.trim_start_matches("sagas/");
                for verb in &legal {
                    assert!(text.contains(&format!("\n  baton sagas {verb} {id} ")), "{verb} to copy: {text}");
                }
                Ok(Explained { text, legal })
            }
            Self::Page(page) => page.explain(saga).await,
            Self::Http(http) => {
                let answer = http.get(&format!("{saga}:explain"), &[]).await?;
                let explanation = &answer["explanation"];
                let history = explanation["history"].as_array().expect("a history").iter();
                let happened = history.map(|happening| self::text(&happening["sentence"]));
                let text: Vec<String> = std::iter::once(self::text(&explanation["summary"])).chain(happened).collect();
                let text = text.join("\n") + "\n" + &self::text(&answer["timeline"]);
                Ok(Explained { text, legal: legal(explanation) })
            }
        }
    }

    /// The state after one order.
    pub async fn act(&self, verb: &str, saga: &str, reason: &str, version: u64) -> Result<String, i32> {
        match self {
            Self::Grpc(channel) => {
                let order = ActOnSagaRequest {
                    name: saga.to_owned(),
                    verb: verb_of(verb).into(),
                    reason: reason.to_owned(),
                    actor: "ada".to_owned(),
                    version,
                    request_id: String::new(),
                };
                let answer = SagaAdminServiceClient::new(channel.clone()).act_on_saga(order).await.map_err(exit)?;
                let state = answer.into_inner().saga.expect("a saga").state();
                Ok(state.as_str_name().trim_start_matches("SAGA_STATE_").to_owned())
            }
            Self::Cli(server) => {
                let version = version.to_string();
                let mut args = vec!["sagas", verb, saga, "--reason", reason, "--actor", "ada"];
                if version != "0" {
                    args.extend(["--version", &version]);
                }
                Ok(state(&parsed(&cli(server, "json", &args)?)))
            }
            Self::Page(page) => page.act(verb, saga, reason, version).await,
            Self::Http(http) => {
                let body = json!({ "verb": verb_of(verb).as_str_name(), "reason": reason, "actor": "ada" });
                let answer = http.post(&format!("{saga}:act"), version, body).await?;
                Ok(state(&answer))
            }
        }
    }
}

fn verb_of(word: &str) -> SagaVerb {
    verb_names::verb_of(word).expect("a verb")
}

fn word_of(verb: SagaVerb) -> String {
    verb_names::verb(verb).expect("a word").to_owned()
}

/// The words of what may be ordered, by an explanation in proto3 JSON.
fn legal(explanation: &Value) -> BTreeSet<String> {
    let acts = explanation["acts"].as_array().expect("acts").iter();
    acts.filter(|act| act["legal"] == true).map(|act| named(&act["verb"])).collect()
}

/// The short name of the state of the saga in an answer in proto3 JSON.
pub fn state(answer: &Value) -> String {
    text(&answer["saga"]["state"]).trim_start_matches("SAGA_STATE_").to_owned()
}

/// The word of a verb in proto3 JSON.
fn named(verb: &Value) -> String {
    word_of(SagaVerb::from_str_name(verb.as_str().expect("a text")).expect("a verb"))
}

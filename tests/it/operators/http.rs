//! HTTP/JSON as a script uses it.

use super::cli::exit;
use baton_console::http::problem::code_name;
use serde_json::Value;
use tonic::Status;

/// HTTP/JSON as a script uses it.
#[derive(Clone, Debug)]
pub struct Http {
    pub client: reqwest::Client,
    pub base: String,
}

impl Http {
    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, i32> {
        let mut url = reqwest::Url::parse(&format!("{}/{path}", self.base)).expect("a URL");
        url.query_pairs_mut().extend_pairs(query);
        self.answer(self.client.get(url)).await
    }

    /// `version` goes where HTTP has it: into If-Match.
    pub async fn post(&self, path: &str, version: u64, body: Value) -> Result<Value, i32> {
        let mut request = self.client.post(format!("{}/{path}", self.base)).json(&body);
        if version != 0 {
            request = request.header("if-match", format!("\"{version}\""));
        }
        self.answer(request).await
    }

    /// What was answered, or the exit code that the command line would have for the same.
    pub async fn answer(&self, request: reqwest::RequestBuilder) -> Result<Value, i32> {
        let response = request.send().await.expect("an answer");
        let status = response.status();
        let kind = response.headers()["content-type"].to_str().expect("a text").to_owned();
        let answer: Value = response.json().await.expect("JSON");
        if status.is_success() {
            assert_eq!(kind, "application/json");
            return Ok(answer);
        }
        assert_eq!(
            (kind.as_str(), answer["status"].as_u64()),
            ("application/problem+json", Some(status.as_u16().into()))
        );
        assert!(answer["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{answer}");
        let code = tonic::Code::from(
            (0..=16).find(|code| code_name(tonic::Code::from(*code)) == answer["code"]).expect("a code of gRPC"),
        );
        // What another version is refused with is told apart in HTTP.
        assert_eq!(answer["reason"] == "VERSION_MISMATCH", status.as_u16() == 412, "{answer}");
        Err(exit(Status::new(code, "")))
    }
}

//! The page as a browser without script uses it: addresses, forms, and what stands in the HTML.

use super::drivers::Explained;
use reqwest::StatusCode;
use reqwest::header::LOCATION;

/// The page as a browser without script uses it.
#[derive(Clone, Debug)]
pub struct Page {
    pub client: reqwest::Client,
    pub base: String,
}

impl Page {
    /// Over the admin server at `port`. A browser follows redirects; here they are looked at.
    pub fn at(port: u16) -> Self {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        Self { client, base: format!("http://127.0.0.1:{port}") }
    }

    pub async fn list(&self, filter: &str, preset: Option<&str>) -> Result<Vec<String>, i32> {
        let found = self.found(filter, preset).await?;
        Ok(between(&found, "data-open title=\"", "\"").map(|id| format!("sagas/{id}")).collect())
    }

    pub async fn count(&self, filter: &str) -> Result<u64, i32> {
        let found = self.found(filter, None).await?;
        let count = between(&found, "<p class=\"count\"><strong>", "</strong>").next().expect("a count");
        Ok(count.parse().expect("an exact count"))
    }

    pub async fn explain(&self, saga: &str) -> Result<Explained, i32> {
        let page = self.get(&format!("{}/{saga}", self.base)).await?;
        let legal = between(&page, "data-key=\"act-", "\"").map(str::to_owned).collect();
        Ok(Explained { text: without_tags(&page), legal })
    }

    /// The form of an act, filled in and sent.
    pub async fn act(&self, verb: &str, saga: &str, reason: &str, version: u64) -> Result<String, i32> {
        let version = version.to_string();
        let mut form = vec![("verb", verb), ("reason", reason), ("actor", "ada")];
        form.extend(Some(("version", version.as_str())).filter(|_| version != "0"));
        let sent = self.client.post(format!("{}/{saga}/act", self.base)).header("sec-fetch-site", "same-origin");
        let filled = reqwest::Url::parse_with_params("http://form", form).expect("a form");
        let sent = sent.header("content-type", "application/x-www-form-urlencoded");
        let answer = sent.body(filled.query().unwrap_or_default().to_owned()).send().await.expect("an answer");
        let to = answer.headers().get(LOCATION).map(|to| to.to_str().expect("an address").to_owned());
        let Some(to) = to.filter(|_| answer.status() == StatusCode::SEE_OTHER) else {
            return Err(exit(answer.status()));
        };
        let page = self.get(&format!("{}{to}", self.base)).await?;
        let state = between(&page, "<h1><span class=\"badge ", "</span>").next().expect("a state");
        Ok(state.rsplit('>').next().expect("a word").to_uppercase())
    }

    async fn found(&self, filter: &str, preset: Option<&str>) -> Result<String, i32> {
        let mut url = reqwest::Url::parse(&format!("{}/sagas", self.base)).expect("an address");
        url.query_pairs_mut().append_pair("filter", filter).append_pair("preset", preset.unwrap_or_default());
        self.get(url.as_str()).await
    }

    async fn get(&self, url: &str) -> Result<String, i32> {
        let answer = self.client.get(url).send().await.expect("an answer");
        let status = answer.status();
        let page = answer.text().await.expect("a page");
        if status.is_success() { Ok(page) } else { Err(exit(status)) }
    }
}

/// The exit code that the command line would have for the same.
fn exit(status: StatusCode) -> i32 {
    match status {
        StatusCode::BAD_REQUEST => 2,
        StatusCode::NOT_FOUND => 3,
        StatusCode::CONFLICT => 4,
        StatusCode::SERVICE_UNAVAILABLE => 5,
        other => panic!("nobody expects {other}"),
    }
}

/// What stands between each `from` and the next `to`.
fn between<'a>(text: &'a str, from: &'a str, to: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(from).skip(1).map(move |rest| rest.split(to).next().unwrap_or_default())
}

fn without_tags(page: &str) -> String {
    page.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect()
}

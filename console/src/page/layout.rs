//! What every page has around its content, and how pages become answers.

use crate::page::assets::{ADDRESSES, Addresses};
use crate::page::datetime;
use crate::page::error_view::Trouble;
use crate::page::services::Services;
use askama::Template;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};

/// The parts of the console, as they stand at the top of every page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// How the installation is doing.
    Overview,
    /// Sagas.
    Sagas,
    /// One action for many.
    Jobs,
    /// What is halted.
    Holds,
    /// What could not be processed.
    Letters,
    /// What operators did.
    Audit,
    /// Definitions.
    Definitions,
    /// Breaking things.
    Chaos,
    /// None of them.
    Nowhere,
}

/// One link at the top.
#[derive(Clone, Copy, Debug)]
pub struct Tab {
    /// Where it leads.
    pub path: &'static str,
    /// What it says.
    pub title: &'static str,
    /// True for the part that is open.
    pub open: bool,
}

/// What every template is given.
#[derive(Debug)]
pub struct Frame {
    /// What the window is called.
    pub title: String,
    /// The parts.
    pub tabs: Vec<Tab>,
    /// Addresses of style sheet and script.
    pub assets: &'static Addresses,
    /// How often the script asks again, milliseconds; 0 for never.
    pub refresh_ms: u32,
    /// Where the script hears that something moved; or empty.
    pub stream: String,
    /// Where this page can be asked for again, if that is not where it came from: a form that was refused is answered at an
    /// address that takes no question. Else empty.
    pub address: String,
    /// When the page was made, microseconds since 1970.
    pub now: i64,
    /// The same for people.
    pub made: String,
    /// What stands in the box that finds things. Else empty.
    pub sought: String,
    /// What was done just now, after a form was sent. Else empty.
    pub notice: String,
}

impl Frame {
    /// The frame of a page of one part.
    pub async fn new(services: &Services, part: Part, title: impl Into<String>) -> Self {
        let chaos = services.chaos_served().await;
        let tabs = [
            (Part::Overview, "/", "Overview"),
            (Part::Sagas, "/sagas", "Sagas"),
            (Part::Jobs, "/jobs", "Jobs"),
            (Part::Holds, "/holds", "Holds"),
            (Part::Letters, "/dead-letters", "Dead letters"),
            (Part::Audit, "/audit", "Audit"),
            (Part::Definitions, "/definitions", "Definitions"),
            (Part::Chaos, "/chaos", "Chaos"),
        ];
        let tabs = tabs.into_iter().filter(|(tab, ..)| chaos || *tab != Part::Chaos);
        let now = datetime::now();
        Self {
            title: title.into(),
            tabs: tabs.map(|(tab, path, title)| Tab { path, title, open: tab == part }).collect(),
            assets: &ADDRESSES,
            refresh_ms: 0,
            stream: String::new(),
            address: String::new(),
            now,
            made: datetime::exact(now),
            sought: String::new(),
            notice: String::new(),
        }
    }

    /// The same, asked again so often.
    #[must_use]
    pub fn every(self, refresh_ms: u32) -> Self {
        Self { refresh_ms, ..self }
    }

    /// The same, asked for again at this address if it is the answer to a form that was refused.
    #[must_use]
    pub fn again_at(self, refused: bool, address: &str) -> Self {
        let address = if refused { address.to_owned() } else { self.address };
        Self { address, ..self }
    }

    /// The same with what was done just now: one of a few words of ours, whatever the address says.
    #[must_use]
    pub fn noticed(self, did: &str) -> Self {
        let notice = match did {
            "cancel" | "retry" | "skip" | "resolve-done" | "resolve-undone" | "pause" | "resume" => {
                format!("Done: {did}. It stands in the saga's journal.")
            }
            "job" => "The job was created.".to_owned(),
            "control" => "Done. The job stands as shown.".to_owned(),
            "hold" => "The hold stands.".to_owned(),
            "release" => "The hold is being released.".to_owned(),
            "replay" => "It is being sent again. If it fails again, this page says so.".to_owned(),
            "drop" => "It was dropped.".to_owned(),
            "kill" => "Killed.".to_owned(),
            "revive" => "Started again.".to_owned(),
            _ => String::new(),
        };
        Self { notice, ..self }
    }
}

/// A page as an answer.
pub fn html(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => (status, Html(text)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page does not render");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// After a form: the address that shows what came of it, so that reloading sends nothing twice.
#[must_use]
pub fn see(address: &str) -> Response {
    // Addresses are made of percent-encoded parts, so that they are headers.
    (StatusCode::SEE_OTHER, [(header::LOCATION, address)]).into_response()
}

/// Where a form is sent to, asked without a form: somebody has kept or handed on the address of a refusal.
pub async fn sent_here(uri: Uri) -> Response {
    let page = uri.path().rsplit_once('/').map_or("/", |(page, _)| page);
    see(if page.is_empty() { "/" } else { page })
}

#[derive(Template)]
#[template(path = "trouble.html")]
struct TroublePage {
    frame: Frame,
    trouble: Trouble,
}

#[derive(Template)]
#[template(path = "nowhere.html")]
struct NowherePage {
    frame: Frame,
}

/// Whatever has no page.
pub async fn nowhere(State(services): State<Services>) -> Response {
    let frame = Frame::new(&services, Part::Nowhere, "Nothing is here").await;
    html(StatusCode::NOT_FOUND, &NowherePage { frame })
}

/// A page that has nothing to show but why.
pub async fn instead(services: &Services, part: Part, title: &str, trouble: Trouble) -> Response {
    let frame = Frame::new(services, part, title).await;
    html(trouble.status(), &TroublePage { frame, trouble })
}

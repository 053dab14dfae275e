//! Every page over services that know one of everything: what is shown, what stays text, what a refused form says.

use crate::made_up;
use axum::Router;
use axum::body::Body;
use baton_console::guard::Guard;
use baton_console::page;
use baton_rpc::errors::{Flaw, Violations};
use baton_rpc::reason::Reason;
use http::{Request, StatusCode, header};
use http_body_util::BodyExt as _;
use made_up::{ID, MadeUp};
use tonic::Status;
use tonic::service::Routes;
use tower::ServiceExt as _;

const PAGES: [&str; 15] = [
    "/",
    "/sagas",
    "/sagas?filter=state+%3D+stuck&page_token=t1&trail=-",
    "/find?q=several",
    "/sagas/ID",
    "/jobs",
    "/jobs/new?preset=stuck&verb=retry",
    "/jobs/ID",
    "/holds",
    "/dead-letters",
    "/dead-letters/ID",
    "/audit",
    "/definitions",
    "/definitions/order/1",
    "/chaos",
];

/// Every form, with what it sends beside reason, actor and request id; and whether it answers with a page or with an address.
const FORMS: [(&str, &str); 10] = [
    ("/sagas/ID/act", "verb=retry&version=388"),
    ("/jobs/new", "do=start&preset=stuck&verb=retry"),
    ("/jobs/new", "do=count&preset=stuck&verb=retry"),
    ("/jobs/ID/control", "control=pause"),
    ("/holds/new", "name=holds%2Fparticipants%2Fstock"),
    ("/holds/release", "name=holds%2Fparticipants%2Fpayment"),
    ("/dead-letters/ID/replay", ""),
    ("/dead-letters/ID/drop", ""),
    ("/chaos/kill", "target=stock"),
    ("/chaos/revive", "target=stock"),
];

struct Answer {
    status: StatusCode,
    location: String,
    policy: String,
    text: String,
}

async fn ask(pages: &Router, request: Request<Body>) -> Answer {
    let answer = pages.clone().oneshot(request).await.expect("an answer");
    let header =
        |name| answer.headers().get(name).map(|value| value.to_str().expect("text").to_owned()).unwrap_or_default();
    let (status, location) = (answer.status(), header(header::LOCATION));
    let policy = header(header::CONTENT_SECURITY_POLICY);
    let body = answer.into_body().collect().await.expect("a body").to_bytes();
    Answer { status, location, policy, text: String::from_utf8(body.to_vec()).expect("UTF-8") }
}

async fn get(pages: &Router, path: &str) -> Answer {
    ask(pages, Request::get(path.replace("ID", ID)).header("host", "h:1").body(Body::empty()).expect("a request")).await
}

async fn post(pages: &Router, path: &str, form: &str) -> Answer {
    let request = Request::post(path.replace("ID", ID))
        .header("host", "h:1")
        .header("sec-fetch-site", "same-origin")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    ask(pages, request.body(Body::from(form.to_owned())).expect("a request")).await
}

fn pages(text: &str, refuses: Option<Status>) -> Router {
    page::routes(MadeUp { text: text.to_owned(), refuses }.router())
}

#[tokio::test]
async fn every_page_shows_what_its_service_knows() {
    let pages = pages("", None);
    for (path, shown) in [
        (
            "/",
            vec![
                "≥ 100,000",
                "orchestrator-1",
                "It does not answer.",
                "saga.cmd.stock.v1.dlq",
                "<path class=\"curve first\"",
                "<title>(2) Overview · Baton</title>",
                "<h2>Needs you</h2>",
                "6 stuck at the undo of order.open because of ORDER_STATE",
                "/jobs/new?filter=state%20%3D%20stuck%20AND%20reason%20%3D%20ORDER_STATE",
                "class=\"tile paused zero\"",
                "Empty: 1</summary>",
            ],
        ),
        (
            "/sagas",
            vec![
                "≥ 100,000",
                "ORD-2026-000123",
                "REFUND_REFUSED",
                "Page after",
                "do not decode",
                "Attributes are indexed up to",
                "<code>customer",
            ],
        ),
        (
            "/find?q=several",
            vec!["More than", "<code><bdi>customer</bdi></code>", "value=\"several\"", "skipped</span>"],
        ),
        ("/sagas?preset=stuck", vec!["Act on all of these", "aria-current=\"true\">stuck"]),
        (
            "/sagas/ID",
            vec![
                "It is stuck at the undo",
                "waited for an operator",
                "value=\"388\" checked",
                "Resolve as undone",
                "<q><bdi>the provider refuses the refund</bdi></q>",
                "action=\"/holds/release\"",
                "held by <bdi>mina</bdi>",
                "without <bdi>undo of order.open</bdi>",
                "UNWINDING",
                "class=\"bar stuck\"",
                "pause by ada",
                "cell compensatable",
                "undo here stuck",
                "[redacted]",
                "OUT_OF_STOCK",
                "baton sagas retry ID --version 388 --reason WHY",
                "data-stream=\"/sagas/ID/live\"",
            ],
        ),
        ("/jobs", vec!["≥ 12,345", "4,210", "paused"]),
        (
            "/jobs/ID",
            vec![
                "<strong>8</strong> <span class=\"badge stuck\">stuck",
                "4,202 deleted since",
                "value=\"pause\"",
                "ENDED",
                "baton jobs pause ID",
            ],
        ),
        ("/jobs/new", vec!["baton jobs create --verb ORDER --reason WHY"]),
        ("/jobs/new?preset=stuck&verb=retry", vec!["baton jobs create --verb retry --preset stuck --reason WHY"]),
        ("/holds", vec!["holds/participants/payment", "1,204", "holds/definitions/order", "being released"]),
        ("/dead-letters", vec!["NOTHING_READABLE", "and 2 more", "came back as", "aria-current=\"true\">waiting"]),
        (
            "/dead-letters/ID",
            vec!["ffff6e6f", "byte 3", "baton dead-letters replay ID", "came back</strong>", "Replay of"],
        ),
        ("/audit", vec!["by telephone", "9f2c41d0a7<"]),
        ("/definitions", vec!["unknown here", "≥ 37", "newest"]),
        ("/definitions/order/1", vec!["stock.reserve ◆", "8 attempts, 1.0 s ×2 up to 30 s", "&#34;order.open&#34;"]),
        ("/chaos", vec!["Kill", "Revive", "killed"]),
    ] {
        let answer = get(&pages, path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        for part in shown {
            assert!(answer.text.contains(&part.replace("ID", ID)), "{path} lacks {part}:\n{}", answer.text);
        }
    }
}

#[tokio::test]
async fn no_text_becomes_markup_on_any_page() {
    let hostile = "\"'><img src=x onerror=pwned=1><script>x</script>\u{202e}{{7}}";
    for text in [hostile.to_owned(), hostile.repeat(200)] {
        let pages = pages(&text, Some(Status::failed_precondition(&text)));
        let mut answers = Vec::new();
        for path in PAGES {
            answers.push((path, get(&pages, path).await));
        }
        for (path, form) in FORMS {
            answers.push((
                path,
                post(&pages, path, &format!("{form}&reason=%22%3E%3Cimg+src%3Dx+onerror%3D1%3E&actor=%3Cscript%3E"))
                    .await,
            ));
        }
        answers.push(("check", post(&pages, "/definitions/check", "json=%7B%7D").await));
        for (path, answer) in answers {
            let Answer { text, policy, .. } = answer;
            assert!(text.matches("<img").count() == 1 && text.matches("<script").count() == 1, "{path}:\n{text}");
            for never in [" onerror=pwned=1>", "style=\"", "\u{202e}<", "javascript:"] {
                assert!(!text.contains(never), "{path} has {never}:\n{text}");
            }
            assert!(policy.starts_with("default-src 'none'; script-src 'self'"), "{path}: {policy}");
            assert!(text.len() < 12_000_000, "{path}: {}", text.len());
        }
    }
}

#[tokio::test]
async fn what_is_carried_out_leads_to_a_page_that_says_so() {
    let pages = pages("", None);
    for (path, form) in FORMS {
        let answer = post(&pages, path, &format!("{form}&reason=because&actor=ada")).await;
        if form.starts_with("do=count") {
            assert_eq!(answer.status, StatusCode::OK);
            assert!(answer.text.contains("≥ 12,345") && answer.text.contains("value=\"start\""), "{}", answer.text);
            assert!(answer.text.contains("5 would be retried: stuck at order.confirm"), "{}", answer.text);
            assert!(
                answer.text.contains("value=\"because\"") && answer.text.contains("value=\"ada\""),
                "what was typed stays"
            );
            continue;
        }
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}: {}", answer.text);
        let shown = get(&pages, &answer.location).await;
        // The letter has come back already: that is told, and not that it is on its way.
        let is_back = path.ends_with("/replay");
        assert!(!is_back || shown.text.contains("<strong>came back</strong>"), "{}", shown.text);
        assert_eq!(
            shown.text.contains("class=\"notice\""),
            !is_back,
            "{path} leads to {}:\n{}",
            answer.location,
            shown.text
        );
    }
}

#[tokio::test]
async fn what_is_refused_says_why_at_the_field_and_keeps_what_was_typed() {
    let mut violations = Violations::new();
    violations.add("reason", Flaw::new(Reason::ACTION_REASON_INVALID, "must be 1 to 500 characters"));
    let pages = pages("", Some(violations.into_status()));
    for (path, form) in FORMS.into_iter().filter(|(path, _)| !path.starts_with("/chaos")) {
        let answer = post(&pages, path, &format!("{form}&reason=&actor=ada+l.")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        for part in ["ACTION_REASON_INVALID", "class=\"flaw\"", "must be 1 to 500 characters", "value=\"ada l.\""] {
            assert!(answer.text.contains(part), "{path} lacks {part}:\n{}", answer.text);
        }
    }
    let answer = post(&pages, "/definitions/check", "json=%7B%22nme%22%3A1%7D").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.text.contains("JSON_INVALID") && answer.text.contains("nme"), "{}", answer.text);
}

/// What means one saga opens it, wherever it is put; what means several, or nothing, is told.
#[tokio::test]
async fn what_is_pasted_leads_to_what_it_means() {
    let pages = pages("", None);
    let at = format!("/sagas/{ID}");
    for (path, location) in [
        ("/find?q=one", at.as_str()),
        ("/sagas?filter=one", "/find?q=one"),
        ("/sagas?filter=orders%2F7", "/find?q=orders%2F7"),
        ("/find?q=+", "/sagas"),
    ] {
        let answer = get(&pages, path).await;
        assert_eq!((answer.status, answer.location.as_str()), (StatusCode::SEE_OTHER, location), "{path}");
    }
    let none = get(&pages, "/find?q=none").await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
    assert!(none.text.contains("Nothing is called <bdi>none</bdi>"), "{}", none.text);
    for path in ["/", "/jobs", "/audit", "/chaos"] {
        assert!(get(&pages, path).await.text.contains("action=\"/find\""), "{path} has no box");
    }
}

/// A refusal stands at an address that takes no question: the page knows the one that does, and whoever asks the first is led
/// there.
#[tokio::test]
async fn a_refused_form_is_asked_for_again_where_its_page_is() {
    let pages = pages("", Some(Status::failed_precondition("no")));
    for (path, form) in FORMS.into_iter().filter(|(path, _)| *path != "/jobs/new") {
        let canonical = path.rsplit_once('/').expect("a path").0.replace("ID", ID);
        let answer = post(&pages, path, &format!("{form}&reason=because&actor=ada")).await;
        assert_eq!(answer.status, StatusCode::CONFLICT, "{path}");
        assert!(answer.text.contains(&format!("data-address=\"{canonical}\"")), "{path}:\n{}", answer.text);
        let answer = get(&pages, path).await;
        assert_eq!((answer.status, answer.location), (StatusCode::SEE_OTHER, canonical.clone()), "{path}");
        assert!(!get(&pages, &canonical).await.text.contains("data-address"), "{canonical} is where it came from");
    }
}

/// The same request may be repeated when nobody knows what came of it: then its id stays.
#[tokio::test]
async fn a_request_whose_outcome_is_unknown_keeps_its_id() {
    let form = format!("verb=retry&reason=because&actor=ada&request_id={ID}");
    let unknown = pages("", Some(Status::unavailable("away")));
    let answer = post(&unknown, "/sagas/ID/act", &form).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.text.contains(&format!("name=\"request_id\" value=\"{ID}\"")), "{}", answer.text);
    let refused = pages("", Some(Status::failed_precondition("no")));
    let answer = post(&refused, "/sagas/ID/act", &form).await;
    assert!(!answer.text.contains(&format!("name=\"request_id\" value=\"{ID}\"")), "{}", answer.text);
}

#[tokio::test]
async fn what_is_not_served_and_what_is_away_is_told_on_a_whole_page() {
    let none = page::routes(Routes::default().into_axum_router());
    for path in PAGES {
        let answer = get(&none, path).await;
        assert!(answer.text.contains("</html>"), "{path}: {}", answer.text);
        assert!(!answer.text.contains("href=\"/chaos\""), "{path} offers what is not served");
        if !path.starts_with("/jobs/new") {
            assert_eq!(answer.status, StatusCode::NOT_IMPLEMENTED, "{path}");
            assert!(answer.text.contains("Not available"), "{path}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn what_has_no_page_leads_home_and_what_a_page_does_not_take_is_told() {
    let pages = pages("", None);
    for path in ["/nope", "/sagas/ID/nope", "/%3Cscript%3E"] {
        let answer = get(&pages, path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(answer.text.contains("<a href=\"/\">To the overview</a>"), "{path}: {}", answer.text);
        assert!(answer.policy.starts_with("default-src 'none'"), "{path}: {}", answer.policy);
    }
    for method in ["PUT", "DELETE", "OPTIONS", "PATCH"] {
        let request = Request::builder().method(method).uri("/").header("host", "h:1").body(Body::empty());
        let answer = pages.clone().oneshot(request.expect("a request")).await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(answer.headers()[header::ALLOW], "GET,HEAD", "{method}");
    }
}

#[tokio::test]
async fn forms_of_other_sites_and_what_is_too_large_are_refused() {
    let made_up = MadeUp { text: String::new(), refuses: None };
    let guard = Guard::new(([10, 0, 0, 1], 80).into());
    let pages = baton_console::routes(&made_up.router(), crate::support::table(), guard);
    let foreign = Request::post(format!("/sagas/{ID}/act"))
        .header("host", "h:1")
        .header("origin", "http://elsewhere.example")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let answer = ask(&pages, foreign.body(Body::from("verb=retry&reason=x&actor=y")).expect("a request")).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let answer = post(&pages, "/definitions/check", &format!("json={}", "x".repeat(300 * 1024))).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
}

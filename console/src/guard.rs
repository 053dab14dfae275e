//! Who may ask, and what every answer carries: the same for HTTP/JSON and for the page.
//!
//! There is no login here (a server that is reachable by others belongs behind something that has one), so two doors must stay
//! shut: a page of another site that is open in an operator's browser must not be able to act, and a name that its owner
//! points at 127.0.0.1 must not make that page count as ours.

use crate::http::problem::Problem;
use crate::http::reason::HttpReason;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use std::net::{IpAddr, SocketAddr};

/// Longest head of a request: names and values, as over gRPC.
const MAX_HEADERS: usize = 16 * 1024;

const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// What every answer carries unless it says something else. No header lets another site read anything: CORS is off.
const CARRIED: [(HeaderName, &str); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
];

/// What the guard knows of its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard {
    /// True if only this machine reaches the server: then it goes by no other name than this machine's.
    loopback: bool,
}

impl Guard {
    /// For a server that listens there.
    #[must_use]
    pub fn new(listen: SocketAddr) -> Self {
        Self { loopback: listen.ip().is_loopback() }
    }

    fn refusal(self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<Problem> {
        let length: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        if length + uri.path().len() + uri.query().map_or(0, str::len) > MAX_HEADERS {
            let detail = format!("the head of a request has at most {MAX_HEADERS} bytes");
            return Some(Problem::new(HttpReason::HeadersTooLarge, detail));
        }
        if self.loopback && !host(uri, headers).is_some_and(|host| is_loopback(&host)) {
            let detail = "this server listens on loopback and answers to localhost, 127.0.0.1 and [::1] only";
            return Some(Problem::new(HttpReason::HostRefused, detail));
        }
        let harmless = [Method::GET, Method::HEAD, Method::OPTIONS].contains(method);
        if !harmless && !same_origin(uri, headers) {
            return Some(Problem::new(
                HttpReason::OriginRefused,
                "a page of another site may not change anything here",
            ));
        }
        None
    }
}

/// Lets through what may ask, and adds to the answer what every answer carries.
pub async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let mut response = match guard.refusal(request.method(), request.uri(), request.headers()) {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    };
    for (name, value) in CARRIED {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// The host that is asked for, with its port if it has one.
fn host(uri: &Uri, headers: &HeaderMap) -> Option<Authority> {
    match uri.authority() {
        Some(authority) => Some(authority.clone()),
        None => headers.get(header::HOST)?.to_str().ok()?.parse().ok(),
    }
}

fn is_loopback(host: &Authority) -> bool {
    let name = host.host();
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// True for programs, which send neither header, and for pages of this very server. Browsers that know `Sec-Fetch-Site` send it
/// always, and no script can forge it; the others send `Origin` with everything that changes something.
fn same_origin(uri: &Uri, headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get(SEC_FETCH_SITE) {
        return site == "same-origin" || site == "none";
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let origin = origin.to_str().ok().and_then(|origin| origin.parse::<Uri>().ok());
    let theirs = origin.and_then(|origin| origin.authority().cloned());
    // An opaque origin, "null", has no authority.
    theirs.is_some() && theirs == host(uri, headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(guard: &str, method: Method, headers: &[(&str, &str)]) -> Option<String> {
        let map: HeaderMap = headers
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().expect("a name"), value.parse().expect("a value")))
            .collect();
        let guard = Guard::new(guard.parse().expect("an address"));
        guard.refusal(&method, &Uri::from_static("/api/v1/sagas"), &map).map(|problem| problem.reason.clone())
    }

    const LOOPBACK: &str = "127.0.0.1:8081";

    #[test]
    fn on_loopback_only_names_of_loopback_are_answered_to() {
        for host in ["127.0.0.1:8081", "localhost:9", "LOCALHOST", "[::1]:8081", "127.1.2.3"] {
            assert_eq!(asked(LOOPBACK, Method::GET, &[("host", host)]), None, "{host}");
        }
        for host in
            ["evil.example:8081", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "", "a b", "0.0.0.0"]
        {
            assert_eq!(asked(LOOPBACK, Method::GET, &[("host", host)]).as_deref(), Some("HOST_REFUSED"), "{host}");
        }
        assert_eq!(asked(LOOPBACK, Method::GET, &[]).as_deref(), Some("HOST_REFUSED"));
        assert_eq!(asked("0.0.0.0:8081", Method::GET, &[("host", "baton.example")]), None);
    }

    #[test]
    fn another_site_changes_nothing() {
        let own = ("host", "localhost:8081");
        for (headers, taken) in [
            (vec![], true),
            (vec![("sec-fetch-site", "same-origin")], true),
            (vec![("sec-fetch-site", "none")], true),
            (vec![("sec-fetch-site", "same-site")], false),
            (vec![("sec-fetch-site", "cross-site")], false),
            (vec![("sec-fetch-site", "cross-site"), ("origin", "http://localhost:8081")], false),
            (vec![("origin", "http://localhost:8081")], true),
            (vec![("origin", "http://localhost:9999")], false),
            (vec![("origin", "https://evil.example")], false),
            (vec![("origin", "null")], false),
            (vec![("origin", "")], false),
        ] {
            let headers: Vec<_> = headers.into_iter().chain([own]).collect();
            let refused = asked(LOOPBACK, Method::POST, &headers);
            assert_eq!(refused.is_none(), taken, "{headers:?}: {refused:?}");
            assert_eq!(
                asked(LOOPBACK, Method::GET, &headers),
                None,
                "reading is not their business to refuse: {headers:?}"
            );
        }
    }

    #[test]
    fn a_head_has_a_bound() {
        let long = "x".repeat(MAX_HEADERS);
        let refused = asked(LOOPBACK, Method::GET, &[("host", "localhost"), ("cookie", &long)]);
        assert_eq!(refused.as_deref(), Some("HEADERS_TOO_LARGE"));
    }
}

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
use std::sync::Arc;

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// True if only this machine reaches the server: then it goes by no other name than this machine's, but for `hosts`.
    loopback: bool,
    /// Names that a proxy in front passes on.
    hosts: Arc<[String]>,
    /// Origins of pages that are ours although the proxy passes on another name.
    origins: Arc<[String]>,
}

impl Guard {
    /// For a server that listens there.
    #[must_use]
    pub fn new(listen: SocketAddr) -> Self {
        Self { loopback: listen.ip().is_loopback(), hosts: Arc::default(), origins: Arc::default() }
    }

    /// Behind a proxy: names that it passes on as `Host` (`baton.example`, or `baton.example:8443` if it passes the port on), and
    /// origins as browsers send them (`https://baton.example`).
    #[must_use]
    pub fn behind(self, hosts: &[String], origins: &[String]) -> Self {
        Self { hosts: hosts.into(), origins: origins.into(), ..self }
    }

    fn refusal(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<Problem> {
        let length: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        if length + uri.path().len() + uri.query().map_or(0, str::len) > MAX_HEADERS {
            let detail = format!("the head of a request has at most {MAX_HEADERS} bytes");
            return Some(Problem::new(HttpReason::HeadersTooLarge, detail));
        }
        let asked = host(uri, headers);
        if self.loopback && !asked.as_ref().is_some_and(|host| is_loopback(host) || self.is_allowed(host)) {
            let detail = format!(
                "this server listens on loopback and answers to localhost, 127.0.0.1 and [::1]; the request says {:?}, which \
                 server.allowed_hosts would have to name if it is a proxy's",
                shown(asked.as_ref().map(Authority::as_str)),
            );
            return Some(Problem::new(HttpReason::HostRefused, detail));
        }
        let harmless = [Method::GET, Method::HEAD, Method::OPTIONS].contains(method);
        if !harmless && !self.same_origin(uri, headers) {
            let origin = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
            let detail = format!(
                "a page of another site may not change anything here: the page is of {:?}, the server is asked as {:?}; behind a proxy \
                 that passes on another name, server.allowed_origins would have to name the page's",
                shown(origin),
                shown(asked.as_ref().map(Authority::as_str)),
            );
            return Some(Problem::new(HttpReason::OriginRefused, detail));
        }
        None
    }

    fn is_allowed(&self, host: &Authority) -> bool {
        self.hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(host.as_str()))
    }

    /// True for programs, which send neither header, and for pages of this very server. Browsers that know `Sec-Fetch-Site` send it
    /// always, and no script can forge it; the others send `Origin` with everything that changes something. A proxy that passes on
    /// another name than the browser has asked for does not change what the browser says of the page.
    fn same_origin(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        if let Some(site) = headers.get(SEC_FETCH_SITE) {
            return site == "same-origin" || site == "none";
        }
        let Some(origin) = headers.get(header::ORIGIN) else { return true };
        let Ok(origin) = origin.to_str() else { return false };
        let theirs = origin.parse::<Uri>().ok().and_then(|origin| origin.authority().cloned());
        // An opaque origin, "null", has no authority.
        self.origins.iter().any(|allowed| allowed == origin) || theirs.is_some() && theirs == host(uri, headers)
    }
}

/// What is quoted in an answer has a bound.
fn shown(text: Option<&str>) -> String {
    text.unwrap_or("nothing").chars().take(100).collect()
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
    fn a_proxy_may_pass_on_its_own_name_and_pages_of_its_origin() {
        let guard = Guard::new(LOOPBACK.parse().expect("an address"));
        let guard = guard.behind(&["baton.example".to_owned()], &["https://baton.example".to_owned()]);
        let refused = |host: &str, origin: &str| {
            let said = [(header::HOST, host), (header::ORIGIN, origin)];
            let headers = said.map(|(name, value)| (name, value.parse().expect("a value"))).into_iter().collect();
            guard.refusal(&Method::POST, &Uri::from_static("/sagas"), &headers).map(|problem| problem.reason.clone())
        };
        // With `Host $host`, and with what nginx sends by itself.
        assert_eq!(refused("baton.example", "https://baton.example"), None);
        assert_eq!(refused("127.0.0.1:7401", "https://baton.example"), None);
        assert_eq!(refused("127.0.0.1:7401", "https://evil.example").as_deref(), Some("ORIGIN_REFUSED"));
        assert_eq!(refused("evil.example", "https://baton.example").as_deref(), Some("HOST_REFUSED"));
    }

    #[test]
    fn a_head_has_a_bound() {
        let long = "x".repeat(MAX_HEADERS);
        let refused = asked(LOOPBACK, Method::GET, &[("host", "localhost"), ("cookie", &long)]);
        assert_eq!(refused.as_deref(), Some("HEADERS_TOO_LARGE"));
    }
}

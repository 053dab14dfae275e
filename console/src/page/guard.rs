//! Who may be answered, and what a browser is told about the answer: no other site's form changes anything, and no page takes
//! part in another's.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Nothing but our own files, no frames, no inline script or style.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                      frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/// Refuses what another site sent, and puts the headers on everything else.
pub async fn check(request: Request, next: Next) -> Response {
    // Pages take nothing else that changes anything: whatever it is, the router says what there is.
    if request.method() == Method::POST && !own(request.headers()) {
        let why = "this form was not sent by Baton's own page; open the page itself and try again\n";
        return guarded((StatusCode::FORBIDDEN, why).into_response());
    }
    guarded(next.run(request).await)
}

/// True if the browser says that the page which sent this is ours. Browsers say it with every form; who says nothing is no
/// browser, and has `/api/v1`.
fn own(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    let (Some(origin), Some(host)) = (text("origin"), text("host")) else { return false };
    origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://")).is_some_and(|it| it == host)
}

fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let mut set = |name, value: &'static str| headers.insert(name, HeaderValue::from_static(value));
    set(header::CONTENT_SECURITY_POLICY, POLICY);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    // Not no-referrer: with that, browsers send `Origin: null` with our own forms too, and over plain HTTP nothing else tells
    // them from another site's. Other sites learn nothing from this one either.
    set(header::REFERRER_POLICY, "same-origin");
    set(header::X_FRAME_OPTIONS, "DENY");
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn only_our_own_forms_are_taken() {
        for (own, headers) in [
            (true, vec![("sec-fetch-site", "same-origin"), ("host", "a:1")]),
            (true, vec![("origin", "http://a:1"), ("host", "a:1")]),
            (false, vec![("sec-fetch-site", "cross-site"), ("origin", "http://a:1"), ("host", "a:1")]),
            (false, vec![("sec-fetch-site", "same-site"), ("host", "a:1")]),
            (false, vec![("origin", "http://b:1"), ("host", "a:1")]),
            (false, vec![("origin", "http://a:2"), ("host", "a:1")]),
            (false, vec![("origin", "null"), ("host", "a:1")]),
            (false, vec![("host", "a:1")]),
        ] {
            assert_eq!(super::own(&said(&headers)), own, "{headers:?}");
        }
    }
}

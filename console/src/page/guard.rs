//! What a browser is told about an answer: no page takes part in another's. Forms are a browser's.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Nothing but our own files, no frames, no inline script or style.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                      frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/// Refuses what no browser sent, and puts the headers on everything else.
pub async fn check(request: Request, next: Next) -> Response {
    // Pages take nothing else that changes anything: whatever it is, the router says what there is.
    if request.method() == Method::POST && !says_its_page(request.headers()) {
        let why = "this form was not sent by Baton's own page; open the page itself and try again\n";
        return guarded((StatusCode::FORBIDDEN, why).into_response());
    }
    guarded(next.run(request).await)
}

/// True if a browser says which page has sent this; whether that page is ours [`crate::guard`] has judged before. Browsers say it with
/// every form; who says nothing is no browser, and has `/api/v1`.
fn says_its_page(headers: &HeaderMap) -> bool {
    headers.contains_key("sec-fetch-site") || headers.contains_key(header::ORIGIN)
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

    #[test]
    fn a_form_comes_from_a_browser() {
        let said = |name: &'static str| HeaderMap::from_iter([(name.parse().unwrap(), HeaderValue::from_static("a"))]);
        assert!(says_its_page(&said("sec-fetch-site")) && says_its_page(&said("origin")));
        assert!(!says_its_page(&said("host")));
    }
}

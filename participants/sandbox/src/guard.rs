//! Who may pay and set faults: programs, and nobody else's page.
//!
//! The provider has no login for what is under `/_sandbox`, and listens on the machine of a developer whose browser is open: a
//! page of any site could send it a form, or JSON as plain text, without ever being allowed to read the answer.

use crate::envelope::Refusal;
use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Refuses what a page of another site would change. Reading changes nothing, and no header lets a page see the answer.
pub(crate) async fn check(request: Request, next: Next) -> Response {
    let reads = request.method() == Method::GET || request.method() == Method::HEAD;
    if reads || same_origin(request.uri(), request.headers()) {
        return next.run(request).await;
    }
    Refusal::forbidden("a page of another site may not change anything here").into_response()
}

/// True for programs, which send neither header. Browsers that know `Sec-Fetch-Site` send it always; the others send `Origin`
/// with everything that changes something.
fn same_origin(uri: &Uri, headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let theirs = origin.to_str().ok().and_then(|origin| origin.parse::<Uri>().ok()?.authority().cloned());
    // An opaque origin, "null", has no authority.
    theirs.is_some() && theirs == host(uri, headers)
}

fn host(uri: &Uri, headers: &HeaderMap) -> Option<Authority> {
    match uri.authority() {
        Some(authority) => Some(authority.clone()),
        None => headers.get(header::HOST)?.to_str().ok()?.parse().ok(),
    }
}

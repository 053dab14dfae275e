//! The style sheet, the script and the mark: compiled in, under addresses that change with their bytes.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::sync::LazyLock;

struct Asset {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

const STYLE: Asset =
    Asset { name: "page.css", kind: "text/css; charset=utf-8", bytes: include_bytes!("../../assets/page.css") };
const SCRIPT: Asset =
    Asset { name: "page.js", kind: "text/javascript; charset=utf-8", bytes: include_bytes!("../../assets/page.js") };
const MARK: Asset = Asset { name: "mark.svg", kind: "image/svg+xml", bytes: include_bytes!("../../assets/mark.svg") };

/// Where a page finds what belongs to it.
#[derive(Debug)]
pub struct Addresses {
    /// The style sheet.
    pub style: String,
    /// The script.
    pub script: String,
    /// The mark of the tab.
    pub mark: String,
}

/// The addresses. They hold a hash of the bytes, so that what a browser has kept is right for ever.
pub static ADDRESSES: LazyLock<Addresses> =
    LazyLock::new(|| Addresses { style: address(&STYLE), script: address(&SCRIPT), mark: address(&MARK) });

fn address(asset: &Asset) -> String {
    let hash = blake3::hash(asset.bytes).to_hex();
    format!("/assets/{}/{}", hash.get(..16).unwrap_or_default(), asset.name)
}

/// Answers with the asset at an address; another build's is not found, rather than wrong.
#[must_use]
pub fn serve(path: &str) -> Response {
    let found = [STYLE, SCRIPT, MARK].into_iter().find(|asset| address(asset) == path);
    match found {
        Some(asset) => {
            let head =
                [(header::CONTENT_TYPE, asset.kind), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")];
            (head, asset.bytes).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_asset_is_found_under_its_hash_and_under_no_other() {
        for address in [&ADDRESSES.style, &ADDRESSES.script, &ADDRESSES.mark] {
            let answer = serve(address);
            assert_eq!(answer.status(), StatusCode::OK, "{address}");
            assert!(answer.headers()[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"));
            assert_eq!(serve(&address.replace("/assets/", "/assets/0")).status(), StatusCode::NOT_FOUND);
        }
    }
}

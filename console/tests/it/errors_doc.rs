//! docs/errors.md lists every reason of HTTP's own, as the code has them. `BATON_REWRITE=1` writes it.

use baton_console::http::reason::HttpReason;
use saga_testing::script::check_block;
use std::path::Path;

#[test]
fn every_reason_is_listed() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors.md");
    let row =
        |reason: HttpReason| format!("| {} | {} | {} |\n", reason.as_str(), reason.status().as_u16(), reason.meaning());
    let rows: String = HttpReason::ALL.into_iter().map(row).collect();
    let block = format!("| reason | status | meaning |\n|---|---|---|\n{rows}");
    check_block(&page, "http reasons", &block).unwrap_or_else(|error| panic!("{error}"));
}

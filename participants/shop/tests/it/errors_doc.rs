//! docs/errors.md lists the shop's reasons as the code has them. `BATON_REWRITE=1` writes it.

use baton_rpc::reason::Reason;
use saga_testing::script::check_block;
use shop_domain::reason::{CALLS, COMMANDS};
use std::path::Path;

#[test]
fn every_reason_of_the_shop_is_listed() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors.md");
    let row = |(reason, meaning): &(Reason, &str)| format!("| {reason} | {meaning} |\n");
    for (name, reasons) in [("shop call reasons", CALLS), ("shop command reasons", COMMANDS)] {
        let block = format!("| reason | meaning |\n|---|---|\n{}", reasons.iter().map(row).collect::<String>());
        check_block(&page, name, &block).unwrap_or_else(|error| panic!("{error}"));
    }
}

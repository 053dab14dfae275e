//! docs/errors.md lists every reason there is, as the code has them. `BATON_REWRITE=1` writes it.

use baton_orchestrator::operations::reason::SagaReason;
use baton_orchestrator::operations::refusal::{HELD, RULES, rule};
use baton_participant_kit::reason::KIT;
use baton_rpc::reason::Reason;
use saga_testing::script::check_block;
use std::path::Path;

#[test]
fn every_reason_is_listed() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors.md");
    let saga = SagaReason::ALL.iter().map(|r| format!("| {} | {:?} | {} |", r.as_str(), r.code(), r.meaning()));
    let table = |rows: Vec<String>, head: &str| format!("{head}\n{}\n", rows.join("\n"));
    let saga = table(saga.collect(), "| reason | code | meaning |\n|---|---|---|");
    let rules = RULES.iter().map(|broken| format!("| {} | {broken} |", rule(*broken)));
    let rules = rules.chain([format!("| {HELD} | what it would send is held; release the hold first |")]).collect();
    let rules = table(rules, "| rule | meaning |\n|---|---|");
    let listed = |reasons: &[(Reason, &str)]| {
        let rows = reasons.iter().map(|(reason, meaning)| format!("| {reason} | {meaning} |"));
        table(rows.collect(), "| reason | meaning |\n|---|---|")
    };
    let blocks = [
        ("saga reasons", saga),
        ("order rules", rules),
        ("shared reasons", listed(Reason::SHARED)),
        ("participant reasons", listed(KIT)),
    ];
    for (name, block) in blocks {
        check_block(&page, name, &block).unwrap_or_else(|error| panic!("{error}"));
    }
}

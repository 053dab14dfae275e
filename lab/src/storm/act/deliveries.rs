//! How often messages were delivered and commands sent again, as every process counts: bad neighbours must not make good
//! messages come again.

use crate::storm::cluster::Cluster;
use crate::storm::node::{Node, ProcessKind};
use anyhow::{Context as _, Result};

/// What every process has been handed so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Deliveries {
    /// Commands handled: of messages that came for the first time.
    pub(super) first: u64,
    /// Messages the broker delivered again.
    pub(super) again: u64,
}

/// Asks every process.
pub(super) async fn deliveries(cluster: &Cluster) -> Result<Deliveries> {
    let mut all = Deliveries::default();
    for node in &cluster.nodes {
        let text = metrics(node).await?;
        all.first += total(&text, "saga_participant_commands_total");
        all.again += total(&text, "saga_participant_redelivered_messages_total");
        all.again += total(&text, "saga_replies_redelivered_total");
    }
    Ok(all)
}

/// How often orchestrators have sent a command again so far.
pub(super) async fn sent_again(cluster: &Cluster) -> Result<u64> {
    let mut all = 0;
    for node in cluster.of(ProcessKind::Orchestrator) {
        all += total(&metrics(node).await?, "saga_commands_sent_again_total");
    }
    Ok(all)
}

async fn metrics(node: &Node) -> Result<String> {
    let answer = reqwest::get(format!("http://127.0.0.1:{}/metrics", node.admin)).await;
    Ok(answer.context("ask for metrics")?.text().await?)
}

/// The sum of a counter over all its labels.
fn total(metrics: &str, name: &str) -> u64 {
    let samples = metrics.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let is_whole = rest.starts_with('{') || rest.starts_with(' ');
        rest.rsplit(' ').next()?.parse::<u64>().ok().filter(|_| is_whole)
    });
    samples.sum()
}

#[cfg(test)]
mod tests {
    use super::total;

    #[test]
    fn a_counter_is_summed_over_its_labels() {
        let text = "# TYPE a counter\na_total{x=\"1\"} 2\na_total{x=\"y z\"} 3\na_total_more 9\nb_total 4\n";
        assert_eq!((total(text, "a_total"), total(text, "b_total"), total(text, "c_total")), (5, 4, 0));
    }
}

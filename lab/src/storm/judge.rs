//! The verdict over one nemesis: the audit of every order, what clients were told, logs, queues, and whether it fired.

use super::arena::Fired;
use super::cluster::Cluster;
use super::history::{self, ClientOrder};
use super::inside;
use super::load::Goods;
use super::logs::Logs;
use super::quiesce::Left;
use super::shop::ShopClient;
use baton_orchestrator::sagas::Registry;
use baton_verify::laws::existence::SAGA_EXISTS;
use baton_verify::report::{Finding, Offenders};
use baton_verify::tally::audit;
use shop_audit::laws;
use shop_audit::outside::{Scope, Services};
use std::collections::BTreeMap;
use std::time::Duration;

/// The evidence is read again if a connection of before the fault turns out to be dead.
const TRIES: u32 = 5;

/// Everything there is to judge by.
#[derive(Debug)]
pub struct JudgeInput<'a> {
    /// The installation, healed.
    pub cluster: &'a Cluster,
    /// A client of it.
    pub shop: &'a ShopClient,
    /// What was ordered.
    pub goods: &'a Goods,
    /// What clients did and heard.
    pub orders: &'a [ClientOrder],
    /// What was left when the time was over.
    pub left: &'a Left,
    /// Dead letters before the nemesis.
    pub letters_before: u64,
    /// Orders may be cancelled because somebody does not answer in time.
    pub may_cancel: bool,
    /// Dead letters are part of it.
    pub may_quarantine: bool,
    /// Commands were published in the name of sagas that do not exist.
    pub forged: bool,
    /// What the database driver read was garbled.
    pub garbled: bool,
    /// How often it fired; or why it could not act.
    pub fired: &'a Result<Vec<Fired>, String>,
    /// Who ended by itself.
    pub died: &'a [String],
}

/// All findings.
pub async fn judge(case: &JudgeInput<'_>, logs: &mut Logs) -> Vec<Finding> {
    let mut findings = vec![it_fired(case.fired), nobody_died(case), it_rests(case.left), letters(case)];
    findings.extend(history::findings(case.orders, case.may_cancel));
    match logs.judge(case.cluster, case.garbled) {
        Ok(finding) => findings.push(finding),
        Err(error) => findings.push(unread("I20", "logs hold no panic and no secret", &error.to_string())),
    }
    findings.extend(outside(case).await);
    match inside::findings(case.cluster, case.orders, &case.shop.http()).await {
        // Answers to forged commands are stored like any others; what they must not have is an effect, which the other
        // laws look for.
        Ok(inside) => {
            findings.extend(inside.into_iter().filter(|law| !case.forged || law.name != SAGA_EXISTS.promise.what))
        }
        Err(error) => findings.push(unread("I1", "the databases can be read", &format!("{error:#}"))),
    }
    findings
}

/// What services and provider tell any client, of the orders of this nemesis.
async fn outside(case: &JudgeInput<'_>) -> Vec<Finding> {
    let mut last = String::new();
    for turn in 0..TRIES {
        let channel = case.shop.channel(turn as usize);
        let services = Services::new(channel, &case.cluster.provider_url(), case.shop.http());
        let scope = Scope {
            history: inside::promises(case.orders),
            items: case.goods.items(),
            bystanders: BTreeMap::from([(case.goods.bystander.clone(), 0)]),
        };
        match services.gather(scope).await {
            Ok(evidence) => {
                let found = audit(evidence, &Registry::default(), &laws::invariants()).findings;
                let checked = found.into_iter().filter(|finding| finding.unchecked.is_none());
                return checked
                    .map(|finding| Finding { counted: finding.counted + " from outside", ..finding })
                    .collect();
            }
            Err(error) => last = error.to_string(),
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    vec![unread("I1", "orders, sagas, items and payments can be read", &last)]
}

fn it_fired(fired: &Result<Vec<Fired>, String>) -> Finding {
    let mut offenders = Offenders::default();
    let mut times = 0;
    match fired {
        Ok(fired) => {
            for one in fired {
                times += one.times;
                if one.times == 0 {
                    offenders.add(format!("{} never happened", one.what));
                }
            }
            if fired.is_empty() {
                offenders.add("it did nothing".to_owned());
            }
        }
        Err(error) => offenders.add(format!("it did not come to its end: {error}")),
    }
    offenders.finding("run", "the nemesis did all that it is for", format!("{times} times"))
}

fn nobody_died(case: &JudgeInput<'_>) -> Finding {
    let mut offenders = Offenders::default();
    case.died.iter().for_each(|who| offenders.add(who.clone()));
    let counted = format!("{} processes", case.cluster.nodes.len());
    offenders.finding("I20", "no process ended by itself", counted)
}

fn it_rests(left: &Left) -> Finding {
    let mut offenders = Offenders::default();
    let parts = [
        (left.open, "sagas still at work"),
        (left.parked, "sagas wait for an operator"),
        (left.queued, "messages in queues"),
    ];
    for (count, what) in parts.into_iter().filter(|(count, _)| *count > 0) {
        offenders.add(format!("{count} {what}"));
    }
    let bound = super::quiesce::BOUND.as_secs();
    let counted = format!("within {bound} s of the last fault");
    offenders.finding("I17", "everything has come to rest: sagas and queues", counted)
}

fn letters(case: &JudgeInput<'_>) -> Finding {
    let mut offenders = Offenders::default();
    let letters = case.left.letters.saturating_sub(case.letters_before);
    if letters > 0 && !case.may_quarantine {
        offenders.add(format!("{letters} good messages were quarantined"));
    }
    offenders.finding("I19", "only what cannot be read is quarantined", format!("{letters} dead letters"))
}

/// A check for which the evidence could not be had.
pub(super) fn unread(id: &'static str, name: &'static str, why: &str) -> Finding {
    let mut offenders = Offenders::default();
    offenders.add(format!("cannot be checked: {why}"));
    offenders.finding(id, name, "nothing".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nemesis_that_never_fired_is_a_finding() {
        assert!(it_fired(&Ok(vec![Fired::new("SIGKILL", 2), Fired::new("latency", 9)])).passed());
        assert!(!it_fired(&Ok(vec![Fired::new("SIGKILL", 2), Fired::new("latency", 0)])).passed());
        assert!(!it_fired(&Ok(Vec::new())).passed());
        assert!(!it_fired(&Err("no port".to_owned())).passed());
    }

    #[test]
    fn anything_left_over_is_a_finding() {
        assert!(it_rests(&Left { letters: 3, ..Left::default() }).passed());
        let leftovers = [
            Left { open: 1, ..Left::default() },
            Left { parked: 1, ..Left::default() },
            Left { queued: 1, ..Left::default() },
        ];
        assert!(leftovers.iter().all(|left| !it_rests(left).passed()));
    }
}

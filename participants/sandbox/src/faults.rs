//! Faults on request: which call goes wrong, how, how often. Kept in memory; a restarted provider has none.

pub use crate::fault::{Fault, Operation, Plan};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};
use std::sync::{Mutex, PoisonError};

/// Rules held at once.
pub const RULES_MAX: usize = 1_000;

/// A fault with its scope.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// What goes wrong.
    #[serde(flatten)]
    pub fault: Fault,
    /// Only for this payment; absent for every call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imp_uid: Option<String>,
    /// Only for this kind of call; absent for every kind that the fault fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
    /// So many times, then the rule is gone; absent for always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Share of the matching calls that are hit, 0.0 to 1.0; absent for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// Seed of the shares' dice; absent for one derived from the provider's seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

impl Rule {
    /// A fault of every call it fits.
    #[must_use]
    pub fn new(fault: Fault) -> Self {
        Self { fault, imp_uid: None, operation: None, count: None, rate: None, seed: None }
    }

    /// Why the rule makes no sense, if so.
    #[must_use]
    pub fn defect(&self) -> Option<&'static str> {
        if let Some(defect) = self.fault.defect() {
            return Some(defect);
        }
        if self.rate.is_some_and(|rate| !(0.0..=1.0).contains(&rate)) {
            return Some("rate: 0.0 to 1.0");
        }
        if self.imp_uid.as_ref().is_some_and(|imp_uid| imp_uid.len() > crate::fields::ID_MAX) {
            return Some("imp_uid: too long");
        }
        None
    }

    fn fits(&self, operation: Operation, imp_uid: Option<&str>) -> bool {
        self.fault.fits(operation)
            && self.operation.is_none_or(|only| only == operation)
            && self.imp_uid.as_deref().is_none_or(|only| imp_uid == Some(only))
    }
}

#[derive(Debug)]
struct Armed {
    rule: Rule,
    dice: StdRng,
}

impl Armed {
    /// Throws the dice and uses up the count.
    fn hits(&mut self) -> bool {
        if self.rule.rate.is_some_and(|rate| self.dice.random::<f64>() >= rate) {
            return false;
        }
        match &mut self.rule.count {
            Some(0) => return false,
            Some(left) => *left -= 1,
            None => {}
        }
        true
    }
}

/// All rules of a provider.
#[derive(Debug)]
pub struct Faults {
    seed: u64,
    rules: Mutex<Vec<Armed>>,
}

impl Faults {
    /// No rules yet; `seed` decides the dice of those without a seed of their own.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, rules: Mutex::new(Vec::new()) }
    }

    /// Adds a rule; `false` if there are [`RULES_MAX`] already.
    pub fn add(&self, rule: Rule) -> bool {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        if rules.len() >= RULES_MAX {
            return false;
        }
        let position = u64::try_from(rules.len()).unwrap_or(u64::MAX);
        let seed = rule.seed.unwrap_or_else(|| self.seed.wrapping_add(position));
        rules.push(Armed { rule, dice: StdRng::seed_from_u64(seed) });
        true
    }

    /// The rules that are left, with the counts that are left.
    #[must_use]
    pub fn list(&self) -> Vec<Rule> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|armed| armed.rule.clone()).collect()
    }

    /// Removes every rule.
    pub fn clear(&self) {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Decides about one call that shows many payments. Rules for every call hit it once; rules for one payment hit the call
    /// if it asks for that payment, and what they do to a payment they do to that one only.
    #[must_use]
    pub fn plan_list(&self, operation: Operation, imp_uids: &[&str]) -> (Plan, Vec<Plan>) {
        let mut call = Plan::default();
        let mut each = vec![Plan::default(); imp_uids.len()];
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        for armed in rules.iter_mut() {
            let only = armed.rule.imp_uid.clone();
            let position = imp_uids.iter().position(|imp_uid| only.as_deref() == Some(*imp_uid));
            if !armed.rule.fits(operation, position.map(|position| imp_uids[position])) || !armed.hits() {
                continue;
            }
            call.add(armed.rule.fault);
            let hit = position.map_or(0..each.len(), |position| position..position + 1);
            each[hit].iter_mut().for_each(|plan| plan.add(armed.rule.fault));
        }
        rules.retain(|armed| armed.rule.count != Some(0));
        (call, each)
    }

    /// Decides about one call and uses up the counts of the rules that hit it.
    #[must_use]
    pub fn plan(&self, operation: Operation, imp_uid: Option<&str>) -> Plan {
        let mut plan = Plan::default();
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        for armed in rules.iter_mut().filter(|armed| armed.rule.fits(operation, imp_uid)) {
            if armed.hits() {
                plan.add(armed.rule.fault);
            }
        }
        rules.retain(|armed| armed.rule.count != Some(0));
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_hits_what_it_names_as_often_as_it_says() {
        let faults = Faults::new(1);
        let rule = Rule { imp_uid: Some("imp_1".into()), count: Some(2), ..Rule::new(Fault::Status(503)) };
        assert!(faults.add(rule));
        assert_eq!(faults.plan(Operation::Lookup, Some("imp_2")), Plan::default());
        assert_eq!(faults.plan(Operation::Token, None), Plan::default());
        assert_eq!(faults.plan(Operation::Lookup, Some("imp_1")).status, Some(503));
        assert_eq!(faults.plan(Operation::Cancel, Some("imp_1")).status, Some(503));
        assert_eq!(faults.plan(Operation::Lookup, Some("imp_1")), Plan::default());
        assert!(faults.list().is_empty());
    }

    #[test]
    fn a_list_is_one_call_and_its_payments_have_rules_of_their_own() {
        let faults = Faults::new(1);
        let own = |fault| Rule { imp_uid: Some("imp_2".into()), count: Some(1), ..Rule::new(fault) };
        assert!(faults.add(own(Fault::WrongAmount)) && faults.add(own(Fault::CutBeforeEffect)));
        assert!(faults.add(Rule { count: Some(2), ..Rule::new(Fault::LatencyMs(5)) }));
        let (call, each) = faults.plan_list(Operation::Lookup, &["imp_1", "imp_2"]);
        assert!(call.cut_before && call.latency_ms == 5);
        assert!(!each[0].wrong_amount && each[1].wrong_amount);
        let (call, each) = faults.plan_list(Operation::Lookup, &["imp_1", "imp_2"]);
        assert!(!call.cut_before && call.latency_ms == 5 && !each[1].wrong_amount);
        assert!(faults.list().is_empty());
    }

    #[test]
    fn the_same_seed_hits_the_same_calls() {
        let hits = |seed| {
            let faults = Faults::new(0);
            faults.add(Rule { rate: Some(0.3), seed: Some(seed), ..Rule::new(Fault::CutBeforeEffect) });
            (0..1_000).map(|_| faults.plan(Operation::Lookup, None).cut_before).collect::<Vec<_>>()
        };
        assert_eq!(hits(7), hits(7));
        assert_ne!(hits(7), hits(8));
        let count = hits(7).into_iter().filter(|hit| *hit).count();
        assert!((200..400).contains(&count), "{count}");
    }

    #[test]
    fn rules_read_as_flat_json_and_nonsense_is_named() {
        let rule: Rule = serde_json::from_str(r#"{"fault":"latency_ms","value":250,"operation":"cancel","count":3}"#)
            .expect("a rule");
        assert_eq!(rule.fault, Fault::LatencyMs(250));
        assert_eq!(rule.operation, Some(Operation::Cancel));
        assert_eq!(rule.defect(), None);
        let rule: Rule = serde_json::from_str(r#"{"fault":"cut_after_effect","rate":1.5}"#).expect("a rule");
        assert!(rule.defect().is_some());
        assert!(serde_json::from_str::<Rule>(r#"{"fault":"no_such_fault"}"#).is_err());
    }
}

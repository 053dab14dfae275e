//! The random adversary: each seed draws which kinds of faults are on and how often they strike.
//!
//! That is swarm testing (Groce and others, ISSTA 2012): a run with few kinds of faults, each strong, finds what a run with
//! all of them, each weak, never reaches. Every kind has a stream of chance of its own, so that switching one off leaves
//! the others as they were: that is what shrinking rests on.

use super::adversary::{Adversary, CallFate, Fate, Place, ProviderCall, Travel};
use super::life::{Role, Us};
use super::rng::Rng;
use baton_courier::bus::Destination;
use baton_participant_kit::participant::CommandKey;
use std::collections::{BTreeMap, BTreeSet};

/// A kind of fault: its name, how many of a million chances it takes at the strongest, and what it is.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// As on the command line.
    pub name: &'static str,
    /// Strongest rate, of a million; for kinds that strike by the clock, how many of them in a run at most.
    pub most: u32,
    /// True if it strikes by the clock.
    pub timed: bool,
    /// True if it is on in most runs, at any rate up to the strongest.
    pub usual: bool,
}

const fn at_places(name: &'static str, most: u32) -> Kind {
    Kind { name, most, timed: false, usual: false }
}

const fn timed(name: &'static str, most: u32) -> Kind {
    Kind { name, most, timed: true, usual: false }
}

const fn usual(name: &'static str, most: u32) -> Kind {
    Kind { name, most, timed: false, usual: true }
}

/// Of a million runs, in how many a usual kind is on.
const USUALLY: u32 = 750_000;

/// Every kind of fault there is.
pub const KINDS: &[Kind] = &[
    at_places("crash-before-commit", 10_000),
    at_places("crash-after-commit", 10_000),
    at_places("crash-before-send", 8_000),
    at_places("crash-after-send", 8_000),
    at_places("crash-before-ack", 8_000),
    at_places("crash-after-ack", 8_000),
    at_places("crash-in-effect", 10_000),
    at_places("commit-done-unanswered", 60_000),
    at_places("commit-not-done-unanswered", 60_000),
    at_places("store-away", 40_000),
    at_places("store-conflict", 60_000),
    at_places("effect-done-unanswered", 80_000),
    at_places("effect-not-done-unanswered", 60_000),
    at_places("effect-store-away", 60_000),
    at_places("effect-conflict", 60_000),
    // A courier may lose what is sent, and everything must come to its end all the same.
    usual("command-lost", 300_000),
    usual("reply-lost", 300_000),
    at_places("message-duplicated", 300_000),
    at_places("message-delayed", 200_000),
    at_places("message-minutes-late", 40_000),
    at_places("confirm-lost", 150_000),
    at_places("ack-lost", 150_000),
    at_places("provider-error", 300_000),
    at_places("provider-done-unanswered", 300_000),
    at_places("provider-not-done-unanswered", 200_000),
    at_places("probe-unanswered", 700_000),
    at_places("hint-lost", 1_000_000),
    timed("crash-anytime", 6),
    timed("stop-and-continue", 4),
    timed("connection-reset", 8),
    timed("stale-message", 30),
    timed("corrupt-message", 12),
    timed("broker-away", 2),
    timed("broker-restarts", 2),
    timed("courier-away", 2),
    timed("broker-comes-back-empty", 1),
    timed("provider-down", 1),
    timed("store-outage", 2),
    timed("clock-jump", 4),
    timed("store-clock-jump", 1),
    timed("operator", 25),
    timed("everything-dies", 1),
    at_places("crash-in-operations", 4_000),
    at_places("operations-done-unanswered", 80_000),
    at_places("operations-not-done-unanswered", 60_000),
    at_places("operations-away", 60_000),
    at_places("operations-conflict", 40_000),
    at_places("webhook-away", 300_000),
    at_places("webhook-unanswered", 300_000),
    timed("hold", 3),
    timed("job", 3),
    timed("dead-letter", 8),
    timed("provider-throttles", 4),
];

/// What a run may not contain; how shrinking says what it leaves out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Kinds of faults that stay off.
    pub without: BTreeSet<String>,
    /// At most so many orders; `None` as the seed draws.
    pub orders: Option<usize>,
    /// At most so many orchestrators.
    pub orchestrators: Option<usize>,
    /// At most so many processes of each participant.
    pub copies: Option<usize>,
}

#[derive(Debug)]
struct Active {
    rng: Rng,
    ppm: u32,
    count: u64,
}

/// The random adversary.
#[derive(Debug)]
pub struct Swarm {
    kinds: BTreeMap<&'static str, Active>,
    timing: Rng,
    choices: Rng,
    healed: bool,
    /// Until when the provider is down.
    pub provider_down_until: Us,
    /// Until when the orchestrators' store is down.
    pub store_down_until: Us,
}

impl Swarm {
    /// The adversary of a seed.
    #[must_use]
    pub fn new(seed: u64, limits: &Limits) -> Self {
        let mut draw = Rng::new(seed, "swarm");
        // One seed in sixteen has none: what goes wrong there is no fault's fault.
        let calm = draw.chance(62_500);
        let density = draw.between(100_000, 500_000) as u32;
        let mut kinds = BTreeMap::new();
        for kind in KINDS {
            let (on, strength) = (draw.chance(if kind.usual { USUALLY } else { density }), draw.between(1, 4) as u32);
            if on && !calm && !limits.without.contains(kind.name) {
                let mut rng = Rng::new(seed, kind.name);
                let ppm = match kind {
                    Kind { timed: true, most, .. } => *most,
                    Kind { usual: true, most, .. } => rng.below(u64::from(*most) + 1) as u32,
                    Kind { most, .. } => most / strength,
                };
                kinds.insert(kind.name, Active { rng, ppm, count: 0 });
            }
        }
        let (timing, choices) = (Rng::new(seed, "timing"), Rng::new(seed, "choices"));
        Self { kinds, timing, choices, healed: false, provider_down_until: 0, store_down_until: 0 }
    }

    /// Kinds that are on.
    pub fn on(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.kinds.keys().copied()
    }

    /// When the timed faults of a kind strike within `span`, and a number for each to make choices with.
    pub fn schedule(&mut self, span: Us) -> Vec<(Us, &'static str, u64)> {
        let mut all = Vec::new();
        for kind in KINDS.iter().filter(|kind| kind.timed) {
            let Some(active) = self.kinds.get_mut(kind.name) else { continue };
            for _ in 0..active.rng.between(1, u64::from(kind.most)) {
                all.push((active.rng.below(span), kind.name, active.rng.bits()));
            }
        }
        all.sort_unstable();
        all
    }

    /// Counts a timed fault that struck.
    pub fn struck(&mut self, kind: &'static str) {
        if let Some(active) = self.kinds.get_mut(kind) {
            active.count += 1;
        }
    }

    fn strikes(&mut self, kind: &'static str) -> bool {
        if self.healed {
            return false;
        }
        let Some(active) = self.kinds.get_mut(kind) else { return false };
        let strikes = active.rng.chance(active.ppm);
        active.count += u64::from(strikes);
        strikes
    }

    fn first(&mut self, kinds: &[(&'static str, Fate)]) -> Fate {
        kinds.iter().find(|(kind, _)| self.strikes(kind)).map_or(Fate::Go, |(_, fate)| *fate)
    }
}

impl Adversary for Swarm {
    fn at(&mut self, now: Us, _process: usize, _role: Role, place: Place, _keys: &[CommandKey]) -> Fate {
        let away = now < self.store_down_until;
        match place {
            Place::CommitBefore | Place::StoreRead | Place::OperationsBefore | Place::OperationsRead if away => {
                Fate::Unavailable
            }
            Place::CommitBefore => self.first(&[
                ("crash-before-commit", Fate::Crash),
                ("commit-not-done-unanswered", Fate::Unknown),
                ("store-away", Fate::Unavailable),
                ("store-conflict", Fate::Conflict),
            ]),
            Place::CommitAfter => {
                self.first(&[("crash-after-commit", Fate::Crash), ("commit-done-unanswered", Fate::Unknown)])
            }
            Place::StoreRead => self.first(&[("store-away", Fate::Unavailable)]),
            Place::SendBefore => self.first(&[("crash-before-send", Fate::Crash)]),
            Place::SendAfter => self.first(&[("crash-after-send", Fate::Crash)]),
            Place::AckBefore => self.first(&[("crash-before-ack", Fate::Crash), ("ack-lost", Fate::Lost)]),
            Place::AckAfter => self.first(&[("crash-after-ack", Fate::Crash)]),
            Place::EffectBefore => self.first(&[
                ("crash-in-effect", Fate::Crash),
                ("effect-not-done-unanswered", Fate::Unknown),
                ("effect-store-away", Fate::Unavailable),
                ("effect-conflict", Fate::Conflict),
            ]),
            Place::EffectAfter => {
                self.first(&[("crash-in-effect", Fate::Crash), ("effect-done-unanswered", Fate::Unknown)])
            }
            Place::EffectRead => self.first(&[("effect-store-away", Fate::Unavailable)]),
            Place::OperationsBefore => self.first(&[
                ("crash-in-operations", Fate::Crash),
                ("operations-not-done-unanswered", Fate::Unknown),
                ("operations-away", Fate::Unavailable),
                ("operations-conflict", Fate::Conflict),
            ]),
            Place::OperationsAfter => {
                self.first(&[("crash-in-operations", Fate::Crash), ("operations-done-unanswered", Fate::Unknown)])
            }
            Place::OperationsRead => self.first(&[("operations-away", Fate::Unavailable)]),
            Place::Webhook => self.first(&[("webhook-away", Fate::Unavailable), ("webhook-unanswered", Fate::Unknown)]),
        }
    }

    fn travel(&mut self, _now: Us, destination: &Destination, _keys: &[CommandKey]) -> Travel {
        let near = |timing: &mut Rng| timing.between(500, 4_000);
        let lost = if *destination == Destination::Replies { "reply-lost" } else { "command-lost" };
        if self.strikes(lost) {
            return Travel::default();
        }
        let mut copies = vec![near(&mut self.timing)];
        if self.strikes("message-delayed") {
            copies[0] += self.timing.between(10_000, 20_000_000);
        }
        if self.strikes("message-minutes-late") {
            copies[0] += self.timing.between(20_000_000, 600_000_000);
        }
        if self.strikes("message-duplicated") {
            for _ in 0..self.timing.between(1, 4) {
                copies.push(self.timing.between(500, 10_000_000));
            }
        }
        let confirm = (!self.strikes("confirm-lost")).then(|| near(&mut self.timing));
        Travel { copies, confirm }
    }

    fn call(&mut self, now: Us) -> ProviderCall {
        let takes = self.timing.between(1_000, 8_000);
        let fate = if now < self.provider_down_until && !self.healed {
            CallFate::NotDoneUnanswered
        } else if self.strikes("provider-error") {
            CallFate::Refused
        } else if self.strikes("provider-done-unanswered") {
            CallFate::DoneUnanswered
        } else if self.strikes("provider-not-done-unanswered") {
            CallFate::NotDoneUnanswered
        } else {
            CallFate::Answered
        };
        let unanswered = matches!(fate, CallFate::DoneUnanswered | CallFate::NotDoneUnanswered);
        ProviderCall { takes: if unanswered { takes + 300_000 } else { takes }, fate }
    }

    fn probe(&mut self, _now: Us) -> bool {
        !self.strikes("probe-unanswered")
    }

    fn hint(&mut self) -> bool {
        !self.strikes("hint-lost")
    }

    fn choose(&mut self, bound: u64) -> u64 {
        self.choices.below(bound)
    }

    fn heal(&mut self) {
        self.healed = true;
        self.provider_down_until = 0;
        self.store_down_until = 0;
    }

    fn outage(&mut self, kind: &'static str, until: Us) {
        match kind {
            "provider-down" => self.provider_down_until = until,
            "store-outage" => self.store_down_until = until,
            _ => {}
        }
        self.struck(kind);
    }

    fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.kinds.iter().map(|(kind, active)| (*kind, active.count)).collect()
    }
}

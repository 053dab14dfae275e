//! What a look at a payment on the watch list makes of its row. Pure.

use crate::gateway::Lookup;
use crate::money::Money;
use crate::reason;
use crate::refund::{Nothing, Outcome};
use crate::schedule;
use crate::watch::{Watch, WatchState};

/// What our own book says of the payment that was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Booked {
    /// What its saga has of it that has not gone back.
    pub(crate) owed: Option<Money>,
    /// True if any saga has it, or has sent it back.
    pub(crate) is_taken: bool,
}

/// The row after a look that would have sent the payment back; `None` takes it off the list.
pub(crate) fn looked(watch: &Watch, outcome: &Outcome, booked: Booked, now_us: i64) -> Option<Watch> {
    match outcome {
        Outcome::SentBack => None,
        // It was shown paid before.
        Outcome::NothingToDo(_) if booked.owed.is_some() => {
            Some(opened(watch, reason::PROVIDER_UNAVAILABLE.as_str(), booked.owed, now_us))
        }
        Outcome::NothingToDo(why @ (Nothing::Unknown | Nothing::NotPaid)) => match watch.state {
            WatchState::Awaited | WatchState::GivenUp => again(watch, *why, now_us),
            // What nobody has ever seen there, and the provider denies now, waits for nobody.
            WatchState::Open | WatchState::Settled => {
                watch.held.map(|held| opened(watch, &watch.reason, Some(held), now_us))
            }
        },
        Outcome::NothingToDo(Nothing::OtherOrder(held) | Nothing::OtherSaga(held)) if held.minor_units == 0 => {
            match watch.state {
                WatchState::Awaited | WatchState::GivenUp => again(watch, Nothing::NotPaid, now_us),
                WatchState::Open | WatchState::Settled => None,
            }
        }
        // Whoever has claimed it answers for it.
        Outcome::NothingToDo(Nothing::OtherOrder(_)) if booked.is_taken => None,
        // Its own order may still be placed, within the time of the list.
        Outcome::NothingToDo(why @ Nothing::OtherOrder(held)) => {
            let next = if watch.state == WatchState::Open { None } else { again(watch, *why, now_us) };
            Some(next.unwrap_or_else(|| opened(watch, why.reason().as_str(), Some(*held), now_us)))
        }
        Outcome::NothingToDo(why @ Nothing::OtherSaga(held)) => {
            Some(opened(watch, why.reason().as_str(), Some(*held), now_us))
        }
        Outcome::Unanswered(answer) => Some(unanswered(watch, answer.reason(), booked.owed, now_us)),
    }
}

/// The row of a payment that a verification waited for and neither claimed nor gave up, after a look that moves no money.
pub(crate) fn looked_only(watch: &Watch, found: &Lookup, booked: Booked, now_us: i64) -> Option<Watch> {
    match found {
        Lookup::Found(payment) if payment.remaining().minor_units > 0 && !booked.is_taken => {
            let held = Some(payment.remaining());
            // Its saga may still claim it: nobody looks at it in order to send it back.
            Some(Watch { look_at_us: None, ..opened(watch, reason::PAYMENT_NOT_YET.as_str(), held, now_us) })
        }
        Lookup::Found(_) | Lookup::Unknown => None,
        Lookup::Unavailable(_) => {
            let look_at_us = Some(schedule::after(now_us, schedule::LOOKS[3]));
            Some(Watch { look_at_us, updated_us: now_us, ..watch.clone() })
        }
    }
}

/// One look more; `None` if it was the last.
fn again(watch: &Watch, why: Nothing, now_us: i64) -> Option<Watch> {
    let looks = watch.looks.saturating_add(1);
    let look_at_us = Some(schedule::next_look(watch.since_us, now_us)?);
    let reason = why.reason().as_str().to_owned();
    Some(Watch { reason, held: why.held(), looks, look_at_us, updated_us: now_us, ..watch.clone() })
}

fn unanswered(watch: &Watch, reason: &str, owed: Option<Money>, now_us: i64) -> Watch {
    let waits = match watch.state {
        WatchState::Awaited | WatchState::GivenUp => schedule::unanswered(watch.since_us, now_us),
        WatchState::Open | WatchState::Settled => None,
    };
    match waits {
        // A refusal is an answer, and the money is there.
        Some(at) if reason != reason::PAYMENT_REFUND_REFUSED.as_str() => {
            Watch { look_at_us: Some(at), updated_us: now_us, ..watch.clone() }
        }
        Some(_) | None => opened(watch, reason, owed, now_us),
    }
}

fn opened(watch: &Watch, reason: &str, held: Option<Money>, now_us: i64) -> Watch {
    watch.clone().opened(reason, held, now_us)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claim::Claimant;
    use crate::gateway::{ProviderPayment, ProviderState};
    use crate::reason::{PAYMENT_NOT_PAID, PAYMENT_UNKNOWN, PROVIDER_UNAVAILABLE};
    use baton_participant_kit::participant::Answer;
    use shop_domain::currency::Currency;
    use shop_domain::identifier::{OrderNumber, PaymentId};

    const HOUR: i64 = 3_600_000_000;
    const NOBODYS: Booked = Booked { owed: None, is_taken: false };

    fn krw(minor_units: i64) -> Money {
        Money { currency: Currency::from_code("KRW").expect("a code"), minor_units }
    }

    fn claimant() -> Claimant {
        Claimant {
            payment_id: PaymentId::parse("imp_1").expect("an id"),
            order: OrderNumber::from_bytes([9; 16]),
            saga: [1; 16],
        }
    }

    fn given_up() -> Watch {
        Watch::given_up(&claimant(), PAYMENT_UNKNOWN, None, 0)
    }

    fn nothing(why: Nothing) -> Outcome {
        Outcome::NothingToDo(why)
    }

    #[test]
    fn what_never_comes_leaves_the_list_after_its_last_look() {
        let (mut watch, mut looks) = (given_up(), 0);
        while let Some(next) = looked(&watch, &nothing(Nothing::NotPaid), NOBODYS, watch.look_at_us.expect("a time")) {
            assert_eq!((next.state, next.reason.as_str()), (WatchState::GivenUp, PAYMENT_NOT_PAID.as_str()));
            (watch, looks) = (next, looks + 1);
        }
        assert_eq!(looks + 1, schedule::LOOKS.len());
        assert_eq!(looked(&given_up(), &Outcome::SentBack, NOBODYS, 5), None);
    }

    #[test]
    fn silence_is_no_look_and_is_told_in_the_end() {
        let silent = Outcome::Unanswered(Answer::unavailable(PROVIDER_UNAVAILABLE, ""));
        let next = looked(&given_up(), &silent, NOBODYS, HOUR).expect("still there");
        assert_eq!((next.state, next.looks, next.look_at_us), (WatchState::GivenUp, 0, Some(HOUR + 60_000_000)));
        let open = looked(&next, &silent, NOBODYS, 27 * HOUR).expect("still there");
        assert_eq!((open.state, open.held), (WatchState::Open, None));
        // It speaks again, and nothing is there.
        assert_eq!(looked(&open, &nothing(Nothing::Unknown), NOBODYS, 28 * HOUR), None);
    }

    #[test]
    fn money_that_may_not_go_back_waits_for_a_person() {
        let refused = Outcome::Unanswered(Answer::unavailable(reason::PAYMENT_REFUND_REFUSED, ""));
        let owing = Booked { owed: Some(krw(600)), is_taken: true };
        for (outcome, booked) in [
            (refused, owing),
            (nothing(Nothing::OtherSaga(krw(600))), Booked { owed: None, is_taken: true }),
            (nothing(Nothing::Unknown), owing),
        ] {
            let open = looked(&given_up(), &outcome, booked, HOUR).expect("still there");
            assert_eq!((open.state, open.held), (WatchState::Open, Some(krw(600))), "{outcome:?}");
            // And is off the list once the money is gone, whoever sent it back.
            assert_eq!(looked(&open, &Outcome::SentBack, booked, 2 * HOUR), None);
        }
    }

    #[test]
    fn a_strangers_money_is_told_of_only_if_nobody_claims_it_all_day() {
        let outcome = nothing(Nothing::OtherOrder(krw(600)));
        let mut watch = given_up();
        while watch.state == WatchState::GivenUp {
            let now_us = watch.look_at_us.expect("a time");
            assert_eq!(
                looked(&watch, &outcome, Booked { owed: None, is_taken: true }, now_us),
                None,
                "its own saga has it"
            );
            watch = looked(&watch, &outcome, NOBODYS, now_us).expect("still there");
        }
        assert_eq!((watch.state, watch.held, watch.updated_us), (WatchState::Open, Some(krw(600)), 24 * HOUR));
        assert_eq!(looked(&watch, &nothing(Nothing::OtherOrder(krw(0))), NOBODYS, 25 * HOUR), None, "it went back");
    }

    #[test]
    fn a_payment_whose_saga_may_still_claim_it_is_only_told_of() {
        let awaited = Watch::awaited(&claimant(), PAYMENT_UNKNOWN, 0);
        let payment = |state, cancelled_minor_units| {
            let (payment_id, merchant_number) = (claimant().payment_id, String::new());
            Lookup::Found(ProviderPayment {
                payment_id,
                merchant_number,
                state,
                amount: krw(600),
                cancelled_minor_units,
            })
        };
        let open = looked_only(&awaited, &payment(ProviderState::Paid, 0), NOBODYS, HOUR).expect("still there");
        assert_eq!((open.state, open.held, open.look_at_us), (WatchState::Open, Some(krw(600)), None));
        assert_eq!(looked_only(&awaited, &payment(ProviderState::Cancelled, 600), NOBODYS, HOUR), None);
        assert_eq!(looked_only(&awaited, &Lookup::Unknown, NOBODYS, HOUR), None);
        let silent = looked_only(&awaited, &Lookup::Unavailable(String::new()), NOBODYS, HOUR).expect("still there");
        assert_eq!(silent.state, WatchState::Awaited);
    }
}

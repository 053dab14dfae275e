//! One fault, and what faults make of one call.

use crate::amount::exponent;
use crate::payment::{Payment, Status};
use serde::{Deserialize, Serialize};

/// Longest delay of a call in milliseconds; a client has given up long before.
pub const LATENCY_MAX_MS: u64 = 60_000;

/// Longest time in milliseconds for which a payment is shown otherwise than it is: a day.
pub const SHOWN_MAX_MS: u64 = 24 * 60 * 60 * 1_000;

/// Longest pause that is asked for in seconds: an hour, more than any client waits.
pub const THROTTLE_MAX_S: u64 = 3_600;

/// A kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// `/users/getToken`
    Token,
    /// `GET /payments/…`
    Lookup,
    /// `/payments/cancel`
    Cancel,
    /// `/payments/prepare`
    Prepare,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "fault", content = "value")]
pub enum Fault {
    /// The call begins this many milliseconds late.
    LatencyMs(u64),
    /// The call has no effect and is answered with this HTTP status.
    Status(u16),
    /// The call has no effect and is answered with HTTP 429 and `Retry-After` of so many seconds.
    Throttle(u64),
    /// The connection is closed without an answer, and the call has no effect.
    CutBeforeEffect,
    /// The connection is closed without an answer, but the call had its effect.
    CutAfterEffect,
    /// A payment is shown with an amount one unit too high.
    WrongAmount,
    /// A payment is shown in another currency.
    WrongCurrency,
    /// A payment is shown with this status, whatever its amounts say.
    Word(Status),
    /// A payment is said not to exist.
    UnknownId,
    /// A payment is said not to exist until so many milliseconds after it was recorded.
    LateMs(u64),
    /// A captured payment is shown `ready` until so many milliseconds after it was recorded.
    ReadyMs(u64),
    /// A captured payment is shown `failed` until so many milliseconds after it was recorded.
    FailedMs(u64),
    /// A refund is refused.
    CancelRefused,
    /// Every token expires before the call.
    ExpiredToken,
}

impl Fault {
    /// Why its value makes no sense, if so.
    pub(crate) fn defect(self) -> Option<&'static str> {
        match self {
            Self::LatencyMs(ms) if ms > LATENCY_MAX_MS => Some("latency_ms: at most 60000"),
            Self::Status(status) if !(400..=599).contains(&status) => Some("status: 400 to 599"),
            Self::Throttle(seconds) if seconds > THROTTLE_MAX_S => Some("throttle: at most 3600"),
            Self::LateMs(ms) | Self::ReadyMs(ms) | Self::FailedMs(ms) if ms > SHOWN_MAX_MS => {
                Some("late_ms, ready_ms, failed_ms: at most 86400000")
            }
            _ => None,
        }
    }

    /// True if it can happen to this kind of call.
    pub(crate) fn fits(self, operation: Operation) -> bool {
        match self {
            Self::LatencyMs(_) | Self::Status(_) | Self::Throttle(_) | Self::CutBeforeEffect | Self::CutAfterEffect => {
                true
            }
            Self::ExpiredToken => operation != Operation::Token,
            Self::WrongAmount | Self::WrongCurrency | Self::Word(_) | Self::UnknownId | Self::LateMs(_) => {
                matches!(operation, Operation::Lookup | Operation::Cancel)
            }
            Self::ReadyMs(_) | Self::FailedMs(_) => operation == Operation::Lookup,
            Self::CancelRefused => operation == Operation::Cancel,
        }
    }
}

/// What goes wrong with one call. The default is: nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Wait so long first.
    pub latency_ms: u64,
    /// Answer this status instead of doing it.
    pub status: Option<u16>,
    /// Answer 429 instead of doing it, and ask for a pause of so many seconds.
    pub retry_after_s: Option<u64>,
    /// Close the connection instead of doing it.
    pub cut_before: bool,
    /// Do it, then close the connection.
    pub cut_after: bool,
    /// Show one unit too much.
    pub wrong_amount: bool,
    /// Show another currency.
    pub wrong_currency: bool,
    /// Show this status.
    pub word: Option<Status>,
    /// Deny that the payment exists.
    pub unknown_id: bool,
    /// Deny it as long as the payment is younger.
    pub late_ms: u64,
    /// Show it `ready` as long as it is younger.
    pub ready_ms: u64,
    /// Show it `failed` as long as it is younger.
    pub failed_ms: u64,
    /// Refuse the refund.
    pub cancel_refused: bool,
    /// Let every token expire first.
    pub expired_token: bool,
}

impl Plan {
    pub(crate) fn add(&mut self, fault: Fault) {
        match fault {
            Fault::LatencyMs(ms) => self.latency_ms = self.latency_ms.saturating_add(ms).min(LATENCY_MAX_MS),
            Fault::Status(status) => self.status = Some(status),
            Fault::Throttle(seconds) => self.retry_after_s = Some(seconds),
            Fault::CutBeforeEffect => self.cut_before = true,
            Fault::CutAfterEffect => self.cut_after = true,
            Fault::WrongAmount => self.wrong_amount = true,
            Fault::WrongCurrency => self.wrong_currency = true,
            Fault::Word(status) => self.word = Some(status),
            Fault::UnknownId => self.unknown_id = true,
            Fault::LateMs(ms) => self.late_ms = self.late_ms.max(ms),
            Fault::ReadyMs(ms) => self.ready_ms = self.ready_ms.max(ms),
            Fault::FailedMs(ms) => self.failed_ms = self.failed_ms.max(ms),
            Fault::CancelRefused => self.cancel_refused = true,
            Fault::ExpiredToken => self.expired_token = true,
        }
    }

    /// The payment as this call shows it at a time in microseconds; `None` if it says that there is none.
    pub(crate) fn show(&self, payment: &Payment, now_us: i64) -> Option<Payment> {
        let age_ms = u64::try_from(now_us.saturating_sub(payment.started_us)).unwrap_or(0) / 1_000;
        if self.unknown_id || age_ms < self.late_ms {
            return None;
        }
        let mut shown = payment.clone();
        // Money that went back cannot have been waited for: the word would contradict the amounts, which is another fault.
        let is_whole = payment.status == Status::Paid && payment.cancelled == 0;
        if is_whole && age_ms < self.ready_ms {
            (shown.status, shown.paid_us) = (Status::Ready, 0);
        } else if is_whole && age_ms < self.failed_ms {
            (shown.status, shown.paid_us, shown.failed_us) = (Status::Failed, 0, payment.paid_us);
        }
        if let Some(word) = self.word {
            shown.status = word;
        }
        if self.wrong_currency {
            shown.currency = if payment.currency == "JPY" { "VND" } else { "JPY" }.to_owned();
        }
        if self.wrong_amount {
            shown.amount += 10_i64.pow(exponent(&shown.currency).unwrap_or(0));
        }
        Some(shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payment::Details;

    fn payment(cancelled: i64) -> Payment {
        Payment {
            imp_uid: "imp_1".to_owned(),
            merchant_uid: "order-1".to_owned(),
            currency: "KRW".to_owned(),
            amount: 1_000,
            cancelled,
            cancellations: i64::from(cancelled > 0),
            status: Status::Paid,
            details: Details::default(),
            started_us: 5_000_000,
            paid_us: 5_000_000,
            failed_us: 0,
            cancelled_us: 0,
            history: Vec::new(),
        }
    }

    fn planned(fault: Fault) -> Plan {
        let mut plan = Plan::default();
        plan.add(fault);
        plan
    }

    #[test]
    fn a_payment_is_hidden_or_shown_as_not_paid_for_its_first_time() {
        let status = |fault, age_ms: i64| {
            planned(fault).show(&payment(0), 5_000_000 + age_ms * 1_000).map(|shown| (shown.status, shown.paid_us > 0))
        };
        assert_eq!(status(Fault::LateMs(200), 199), None);
        assert_eq!(status(Fault::LateMs(200), 200), Some((Status::Paid, true)));
        assert_eq!(status(Fault::ReadyMs(200), 199), Some((Status::Ready, false)));
        assert_eq!(status(Fault::FailedMs(200), 199), Some((Status::Failed, false)));
        assert_eq!(status(Fault::ReadyMs(200), 200), Some((Status::Paid, true)));
        // A clock that was set back makes no payment older.
        assert_eq!(status(Fault::LateMs(200), -60_000), None);
        let refunded = planned(Fault::ReadyMs(200)).show(&payment(400), 5_000_000).expect("shown");
        assert_eq!(refunded.status, Status::Paid);
    }

    #[test]
    fn a_word_is_shown_whatever_the_amounts_say() {
        let shown = planned(Fault::Word(Status::Cancelled)).show(&payment(400), 6_000_000).expect("shown");
        assert_eq!((shown.status, shown.cancelled), (Status::Cancelled, 400));
    }
}

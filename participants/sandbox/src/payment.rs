//! A payment as the ledger keeps it, and as the API shows it.

use crate::amount::to_json;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Where a payment stands. A partial refund leaves it `Paid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Begun, not paid.
    Ready,
    /// Captured, perhaps partly refunded.
    Paid,
    /// Not captured; may still be paid later.
    Failed,
    /// Refunded in full.
    Cancelled,
}

impl Status {
    /// The API's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Paid => "paid",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads the API's word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Ready, Self::Paid, Self::Failed, Self::Cancelled].into_iter().find(|status| status.as_str() == text)
    }

    /// Whether money was taken, refunded or not.
    #[must_use]
    pub fn is_captured(self) -> bool {
        matches!(self, Self::Paid | Self::Cancelled)
    }
}

/// What the customer's browser sent along; shown, never interpreted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Details {
    /// What was bought.
    pub name: Option<String>,
    /// `card`, `trans`, …
    pub pay_method: Option<String>,
    /// The buyer's name.
    pub buyer_name: Option<String>,
    /// The buyer's mail address.
    pub buyer_email: Option<String>,
    /// The buyer's telephone number.
    pub buyer_tel: Option<String>,
    /// The buyer's address.
    pub buyer_addr: Option<String>,
    /// The buyer's postal code.
    pub buyer_postcode: Option<String>,
    /// The shop's own JSON text.
    pub custom_data: Option<String>,
    /// Why it failed.
    pub fail_reason: Option<String>,
}

/// A payment of the ledger. Amounts are minor units, times microseconds since the epoch, 0 for never.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// The provider's id.
    pub imp_uid: String,
    /// The merchant's number.
    pub merchant_uid: String,
    /// ISO 4217.
    pub currency: String,
    /// What was to be paid.
    pub amount: i64,
    /// Refunded so far, at most `amount`.
    pub cancelled: i64,
    /// How many refunds that took.
    pub cancellations: i64,
    /// Where it stands.
    pub status: Status,
    /// What the browser sent.
    pub details: Details,
    /// Begun.
    pub started_us: i64,
    /// Captured.
    pub paid_us: i64,
    /// Failed.
    pub failed_us: i64,
    /// Last refund.
    pub cancelled_us: i64,
    /// Every refund, oldest first; empty where the caller did not ask for them.
    pub history: Vec<Cancellation>,
}

/// One refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancellation {
    /// From 1.
    pub ordinal: i64,
    /// Minor units.
    pub amount: i64,
    /// As given by the caller.
    pub reason: String,
    /// When, microseconds.
    pub cancelled_us: i64,
}

impl Payment {
    /// What can still be refunded, in minor units.
    #[must_use]
    pub fn remaining(&self) -> i64 {
        if self.status.is_captured() { self.amount - self.cancelled } else { 0 }
    }

    /// The API's `Payment`. Fields that have no meaning here are null, 0 or false, never absent.
    #[must_use]
    pub fn to_api(&self) -> Value {
        let seconds = |us: i64| us / 1_000_000;
        let tid = format!("sandbox_{}", self.imp_uid);
        let last_reason = self.history.last().map(|cancellation| cancellation.reason.as_str());
        let history: Vec<Value> =
            self.history.iter().map(|cancellation| self.cancellation_to_api(cancellation)).collect();
        let mut payment = json!({
            "imp_uid": self.imp_uid, "merchant_uid": self.merchant_uid,
            "pay_method": self.details.pay_method.as_deref().unwrap_or("card"),
            "channel": "pc", "pg_provider": "sandbox", "emb_pg_provider": null, "pg_tid": tid, "pg_id": "sandbox",
            "sandbox": true, "escrow": false, "name": self.details.name,
            "amount": to_json(self.amount, &self.currency), "cancel_amount": to_json(self.cancelled, &self.currency),
            "currency": self.currency, "status": self.status.as_str(),
            "buyer_name": self.details.buyer_name, "buyer_email": self.details.buyer_email,
            "buyer_tel": self.details.buyer_tel, "buyer_addr": self.details.buyer_addr,
            "buyer_postcode": self.details.buyer_postcode, "custom_data": self.details.custom_data,
            "user_agent": "sandbox", "started_at": seconds(self.started_us), "paid_at": seconds(self.paid_us),
            "failed_at": seconds(self.failed_us), "cancelled_at": seconds(self.cancelled_us),
            "fail_reason": self.details.fail_reason, "cancel_reason": last_reason,
            "receipt_url": null, "cancel_history": history, "cash_receipt_issued": false,
        });
        if let Value::Object(fields) = &mut payment {
            for name in UNUSED_FIELDS {
                fields.insert(name.to_owned(), Value::Null);
            }
        }
        payment
    }

    /// The API's `PaymentBalance`: what can still be refunded, and how it came to be, oldest first. The sandbox knows one means
    /// of payment and no taxes, so that all of it is the supply value of the first means.
    #[must_use]
    pub fn balance_to_api(&self) -> Value {
        let of = |minor: i64| {
            let (value, none) = (to_json(minor, &self.currency), to_json(0, &self.currency));
            json!({ "tax_free": none, "supply": value, "vat": none, "service": none })
        };
        let entry = |minor: i64, at_us: i64| {
            json!({ "cash_receipt": of(0), "primary": of(minor), "secondary": of(0), "discount": of(0),
                    "created": at_us / 1_000_000 })
        };
        let mut left = self.amount;
        let mut histories: Vec<Value> = Vec::new();
        if self.status.is_captured() {
            histories.push(entry(left, self.paid_us));
            histories.extend(self.history.iter().map(|cancellation| {
                left -= cancellation.amount;
                entry(left, cancellation.cancelled_us)
            }));
        }
        json!({ "amount": to_json(self.remaining(), &self.currency), "cash_receipt": of(0), "primary": of(self.remaining()),
                "secondary": of(0), "discount": of(0), "histories": histories })
    }

    fn cancellation_to_api(&self, cancellation: &Cancellation) -> Value {
        json!({
            "pg_tid": format!("sandbox_{}_{}", self.imp_uid, cancellation.ordinal),
            "amount": to_json(cancellation.amount, &self.currency),
            "cancelled_at": cancellation.cancelled_us / 1_000_000,
            "reason": cancellation.reason,
            "cancellation_id": format!("{}_{}", self.imp_uid, cancellation.ordinal),
            "receipt_url": null,
        })
    }
}

/// Fields of cards, bank transfers, virtual accounts and subscriptions, which the sandbox does not simulate.
const UNUSED_FIELDS: [&str; 21] = [
    "apply_num",
    "bank_code",
    "bank_name",
    "card_code",
    "card_name",
    "card_issuer_code",
    "card_issuer_name",
    "card_publisher_code",
    "card_publisher_name",
    "card_quota",
    "card_number",
    "card_type",
    "vbank_code",
    "vbank_name",
    "vbank_num",
    "vbank_holder",
    "vbank_date",
    "vbank_issued_at",
    "customer_uid",
    "customer_uid_usage",
    "promotion",
];

//! Why a payment command was refused or not answered: stable words of the payment participant, beside the kit's.

use baton_participant_kit::participant::Answer;

/// The reason of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaymentReason {
    /// Rejected: the provider knows no such payment.
    Unknown,
    /// Rejected: the provider has not taken the customer's money.
    NotPaid,
    /// Rejected: the payment was made under another number than the order's.
    OfOtherOrder,
    /// Rejected: the payment's amount is not the order's.
    AmountMismatch,
    /// Rejected: the payment's currency is not the order's.
    CurrencyMismatch,
    /// Rejected: the money went back already, in part or whole, or the saga has cancelled it.
    Cancelled,
    /// Rejected: another order or saga has the payment, or it was refunded.
    AlreadyClaimed,
    /// Unavailable: the provider did not say.
    ProviderUnavailable,
    /// Unavailable: the provider refuses to send the money back; it still holds it.
    RefundRefused,
}

impl PaymentReason {
    /// All of them, in the order of the documentation.
    pub const ALL: &'static [Self] = &[
        Self::Unknown,
        Self::NotPaid,
        Self::OfOtherOrder,
        Self::AmountMismatch,
        Self::CurrencyMismatch,
        Self::Cancelled,
        Self::AlreadyClaimed,
        Self::ProviderUnavailable,
        Self::RefundRefused,
    ];

    /// UPPER_SNAKE, stable for ever.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "PAYMENT_UNKNOWN",
            Self::NotPaid => "PAYMENT_NOT_PAID",
            Self::OfOtherOrder => "PAYMENT_OF_OTHER_ORDER",
            Self::AmountMismatch => "PAYMENT_AMOUNT_MISMATCH",
            Self::CurrencyMismatch => "PAYMENT_CURRENCY_MISMATCH",
            Self::Cancelled => "PAYMENT_CANCELLED",
            Self::AlreadyClaimed => "PAYMENT_ALREADY_CLAIMED",
            Self::ProviderUnavailable => "PROVIDER_UNAVAILABLE",
            Self::RefundRefused => "PAYMENT_REFUND_REFUSED",
        }
    }

    /// A refusal for good.
    pub fn rejected(self, message: impl Into<String>) -> Answer {
        Answer::Rejected { reason: self.as_str().to_owned(), message: message.into() }
    }

    /// No answer this time.
    pub fn unavailable(self, message: impl Into<String>) -> Answer {
        Answer::Unavailable { reason: self.as_str().to_owned(), message: message.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::PaymentReason;
    use baton_participant_kit::participant::Answer;

    #[test]
    fn the_documentation_tells_every_reason_and_its_answer() {
        let page = include_str!("../../../docs/payment-provider.md");
        for reason in PaymentReason::ALL {
            let kind = match reason {
                PaymentReason::ProviderUnavailable | PaymentReason::RefundRefused => reason.unavailable(""),
                _ => reason.rejected(""),
            };
            let kind = if matches!(kind, Answer::Rejected { .. }) { "rejected" } else { "unavailable" };
            assert!(page.contains(&format!("| `{}` | {kind} |", reason.as_str())), "{}", reason.as_str());
        }
    }
}

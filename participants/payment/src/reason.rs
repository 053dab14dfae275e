//! Why a payment command was refused or not answered: stable words of the payment participant, beside the kit's.

use baton_rpc::reasons;

reasons! {
    /// All of them, in the order of the documentation.
    PAYMENTS {
        PAYMENT_UNKNOWN: "Rejected: the provider knows no such payment.";
        PAYMENT_NOT_PAID: "Rejected: the provider has not taken the customer's money.";
        PAYMENT_OF_OTHER_ORDER: "Rejected: the payment was made under another number than the order's.";
        PAYMENT_AMOUNT_MISMATCH: "Rejected: the payment's amount is not the order's.";
        PAYMENT_CURRENCY_MISMATCH: "Rejected: the payment's currency is not the order's.";
        PAYMENT_CANCELLED: "Rejected: the money went back already, in part or whole, or the saga has cancelled it.";
        PAYMENT_ALREADY_CLAIMED: "Rejected: another order or saga has the payment, or it was refunded.";
        PAYMENT_NOT_YET: "Unavailable: the provider does not know the payment, or has not taken the money, and may still do so.";
        PROVIDER_UNAVAILABLE: "Unavailable: the provider did not say.";
        PAYMENT_REFUND_REFUSED: "Unavailable: the provider refuses to send the money back; it still holds it.";
    }
}

#[cfg(test)]
mod tests {
    use super::PAYMENTS;

    #[test]
    fn the_documentation_tells_every_reason_and_its_answer() {
        let page = include_str!("../../../docs/payment-provider.md");
        for (reason, meaning) in PAYMENTS {
            let kind = meaning.split(':').next().unwrap_or_default().to_lowercase();
            assert!(page.contains(&format!("| `{reason}` | {kind} |")), "{reason}");
        }
    }
}

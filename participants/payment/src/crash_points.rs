//! Where the payment participant can be made to die, beside the points that every participant has.

use baton_crash_point::points;

points! {
    /// All of them.
    ALL {
        /// The saga is closed to new claims, the provider is not asked to pay back.
        PAYMENT_BEFORE_REFUND = "payment.refund.before";
        /// The provider has answered, nothing of it is stored.
        PAYMENT_AFTER_REFUND = "payment.refund.after";
    }
}

#[cfg(test)]
mod tests {
    use super::ALL;

    /// A point that no code reaches would be listed and never fire.
    #[test]
    fn every_point_stands_in_the_code() {
        let code = include_str!("refund.rs");
        let hits = code.matches("hit(crash_points::PAYMENT_").count();
        assert_eq!(hits, ALL.len());
    }
}

//! The payment participant and its PaymentGateway.

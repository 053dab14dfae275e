use saga_core::definition::{Definition, StepOptions};

fn main() {
    let _ = Definition::builder("order", 1)
        .compensatable("order.open", "order", "order.open", "order.reject", StepOptions::new())
        .happened("payment.taken", "payment", "payment.cancel", StepOptions::new())
        .build();
}

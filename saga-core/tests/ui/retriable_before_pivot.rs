use saga_core::definition::{Definition, StepOptions};

fn main() {
    let _ = Definition::builder("order", 1)
        .compensatable("order.open", "order", "order.open", "order.reject", StepOptions::new())
        .retriable("order.confirm", "order", "order.confirm", StepOptions::new())
        .build();
}

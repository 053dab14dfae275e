use saga_core::definition::{Definition, StepOptions};

fn main() {
    let _ = Definition::builder("order", 1)
        .pivot("stock.reserve", "stock", "stock.reserve", StepOptions::new())
        .compensatable("order.open", "order", "order.open", "order.reject", StepOptions::new())
        .build();
}

//! Definitions whose steps stand in the wrong order do not compile, and the compiler says why.

#[test]
fn wrong_orders_do_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}

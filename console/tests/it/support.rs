//! What the tests share: all that an installation with the shop serves.

use baton_console::http::table::Table;

/// The engine's routes and the shop's.
pub fn table() -> Table {
    Table::new(baton_shop::descriptors::descriptors().pool().clone()).expect("sound routes")
}

//! The schemas: Baton's own business tables, one schema per service as in Baton, and one for a monolith.

use crate::process::Surroundings;
use anyhow::Result;
use baton_order::order as order_rows;
use baton_payment::participant as payment_rows;
use baton_sql::migration::Migration;
use baton_stock::item as item_rows;

/// Schema of a monolith, with all tables.
pub const MONOLITH: &str = "document_monolith";
/// Schema of the order service.
pub const ORDER: &str = "document_order";
/// Schema of the payment service.
pub const PAYMENT: &str = "document_payment";
/// Schema of the stock service.
pub const STOCK: &str = "document_stock";

/// Brings the schemas up to date; they must exist.
pub async fn migrate(surroundings: &Surroundings) -> Result<()> {
    let (order, payment, stock) = (order_rows::MIGRATIONS, payment_rows::migrations(), item_rows::MIGRATIONS);
    let all: Vec<Migration> = order.iter().chain(payment).chain(stock).copied().collect();
    for (schema, migrations) in [(MONOLITH, &all[..]), (ORDER, order), (PAYMENT, payment), (STOCK, stock)] {
        surroundings.database(schema).await?.migrate(migrations).await?;
    }
    Ok(())
}

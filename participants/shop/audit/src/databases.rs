//! The shop as a domain of an audit of databases.

use crate::at_large;
use crate::evidence::{BYSTANDERS, CLAIMS, ITEMS, ORDERS, OrderStates, PAYMENTS};
use crate::{ORDER, PAYMENT, STOCK, laws, tables};
use async_trait::async_trait;
use baton_sql::database::Database;
use baton_verify::coverage::Part;
use baton_verify::databases::domain::{Domain, Take};
use baton_verify::databases::tables::Range;
use baton_verify::databases::{Databases, ReadError, Sagas};
use baton_verify::invariant::Invariant;
use baton_verify::own::Own;
use std::collections::BTreeSet;

/// Where the shop keeps what. What is missing is not checked.
#[derive(Clone, Debug, Default)]
pub struct Shop {
    /// The order participant's schema.
    pub order: Option<Database>,
    /// The payment participant's schema.
    pub payment: Option<Database>,
    /// The stock participant's schema.
    pub stock: Option<Database>,
    /// The sandbox provider's own ledger.
    pub provider: Option<Database>,
}

impl Shop {
    /// The shop's participants among those of an installation.
    #[must_use]
    pub fn of(databases: &Databases, provider: Option<Database>) -> Self {
        let of = |name: &str| databases.participant(name).cloned();
        Self { order: of(ORDER), payment: of(PAYMENT), stock: of(STOCK), provider }
    }
}

#[async_trait]
impl Domain for Shop {
    fn invariants(&self) -> Vec<&'static dyn Invariant> {
        laws::invariants()
    }

    fn parts(&self) -> Vec<Part> {
        let parts = [
            (ORDERS, &self.order),
            (CLAIMS, &self.payment),
            (ITEMS, &self.stock),
            (PAYMENTS, &self.provider),
            // Whose they are is known to whoever paid.
            (BYSTANDERS, &None),
        ];
        parts.into_iter().filter_map(|(part, database)| database.as_ref().map(|_| part)).collect()
    }

    async fn of_sagas(&self, range: &Range, sagas: &mut Sagas) -> Result<(), ReadError> {
        if let Some(stock) = &self.stock {
            tables::reservations(stock, range, sagas).await?;
        }
        let inputs = tables::inputs(sagas);
        if let Some(order) = &self.order {
            tables::orders(order, &inputs, sagas).await?;
        }
        if let Some(payment) = &self.payment {
            tables::claims(payment, &inputs, sagas).await?;
            tables::closed(payment, range, sagas).await?;
        }
        if let Some(provider) = &self.provider {
            tables::payments(provider, &inputs, sagas).await?;
        }
        Ok(())
    }

    async fn at_large(&self, databases: &Databases, take: Take<'_>) -> Result<(), ReadError> {
        if let Some(stock) = &self.stock {
            at_large::stock(stock, take).await?;
        }
        if let Some(order) = &self.order {
            at_large::orders(order, databases, take).await?;
        }
        let Some(payment) = &self.payment else { return Ok(()) };
        at_large::claims(payment, self.provider.as_ref(), databases, take).await?;
        match &self.provider {
            Some(provider) => at_large::refunds(payment, provider, take).await,
            None => Ok(()),
        }
    }

    async fn of_keys(&self, keys: &BTreeSet<&str>, own: &mut Own) -> Result<(), ReadError> {
        if let Some(order) = &self.order {
            *own.entry() = OrderStates(at_large::states(order, keys).await?);
        }
        Ok(())
    }
}

//! The shop's participants over their databases.

use crate::failure::Failure;
use crate::shop::config::ShopConfig;
use crate::wiring::{Made, made};
use baton_order::participant::OrderParticipant;
use baton_order::service::Orders;
use baton_participant_kit::clock::Clock;
use baton_payment::metrics::PaymentMetrics;
use baton_payment::participant::PaymentParticipant;
use baton_payment::portone_v1::{PortOneConfig, PortOneV1};
use baton_payment::reconcile::Reconciler;
use baton_payment::service::Payments;
use baton_sql::database::Database;
use baton_stock::participant::StockParticipant;
use baton_stock::service::Items;
use futures_util::FutureExt as _;
use prometheus_client::registry::Registry;
use secrecy::SecretString;
use std::sync::Arc;
use tonic::service::Routes;

/// What the shop's participants count of their own. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct ShopMetrics {
    payment: PaymentMetrics,
}

impl ShopMetrics {
    /// Registers those of one participant.
    pub fn register(&self, participant: &str, registry: &mut Registry) {
        if participant == "payment" {
            self.payment.register(registry);
        }
    }
}

/// Orders.
///
/// # Errors
/// None.
pub fn order(database: Database, config: &ShopConfig, _metrics: &ShopMetrics) -> Result<Made, Failure> {
    let currencies = &config.shop.currencies;
    let clock = Clock::of(&database);
    let participant = OrderParticipant::new(currencies.clone(), clock.clone());
    let service = Orders::service(database.clone(), currencies.clone(), clock);
    Ok(made(participant, Routes::new(service), &["shop.order.v1.OrderService"], database))
}

/// Items and stock.
///
/// # Errors
/// None.
pub fn stock(database: Database, config: &ShopConfig, _metrics: &ShopMetrics) -> Result<Made, Failure> {
    let currencies = &config.shop.currencies;
    let clock = Clock::of(&database);
    let participant = StockParticipant::new(currencies.clone(), clock.clone());
    let service = Items::service(database.clone(), currencies.clone(), clock);
    Ok(made(participant, Routes::new(service), &["shop.stock.v1.ItemService"], database))
}

/// Payments, and beside its commands those that come late.
///
/// # Errors
/// If the provider's base URL is no URL.
pub fn payment(database: Database, config: &ShopConfig, metrics: &ShopMetrics) -> Result<Made, Failure> {
    let provider = &config.provider;
    let key = SecretString::from(provider.key.clone());
    let mut portone = PortOneConfig::new(provider.base_url.clone(), key, provider.secret.clone());
    portone.timeout = provider.timeout;
    let gateway = PortOneV1::new(portone).map_err(|error| Failure::Usage(format!("provider.base_url: {error}")))?;
    let clock = Clock::of(&database);
    // One for both: a pause that the provider asks for holds for commands and for looks.
    let gateway = Arc::new(gateway);
    let participant = PaymentParticipant::new(database.clone(), gateway.clone(), clock.clone());
    let participant = participant.with_patience(provider.patience);
    let reconciler = Reconciler::new(database.clone(), gateway, clock.clone(), metrics.payment.clone());
    let service = Payments::service(database.clone(), clock.clone());
    let made = made(participant, Routes::new(service), &["shop.payment.v1.PaymentService"], database);
    Ok(made.beside(move |stop| async move { reconciler.run(stop).await }.boxed()))
}

//! Reads the evidence: orders, sagas, items and reservations over gRPC, payments from the sandbox provider's ledger.

use super::evidence::{Acknowledged, Evidence, ItemRecord, LedgerPayment, OrderRecord, ReservationRecord, SagaRecord};
use baton_proto::baton::saga::v1::saga_admin_service_client::SagaAdminServiceClient;
use baton_proto::baton::saga::v1::{Saga, SearchSagasRequest};
use shop_proto::order::v1::order_service_client::OrderServiceClient;
use shop_proto::order::v1::{ListOrdersRequest, Order};
use shop_proto::stock::v1::item_service_client::ItemServiceClient;
use shop_proto::stock::v1::{GetItemRequest, ListReservationsRequest, Reservation, ReservationState};
use std::collections::{BTreeMap, BTreeSet};
use tonic::transport::Channel;

/// Records of one page.
const PAGE: i32 = 1000;

/// Pages read of any list before it is called endless.
const MOST_PAGES: usize = 10_000;

/// Payments of one page of the ledger.
const LEDGER_PAGE: usize = 10_000;

/// Why the evidence is incomplete.
#[derive(Debug, thiserror::Error)]
pub enum GatherError {
    /// A service refused or is away.
    #[error("{what}: {status}")]
    Service {
        /// What was asked for.
        what: &'static str,
        /// The answer.
        status: Box<tonic::Status>,
    },
    /// The provider refused or is away.
    #[error("the provider's ledger: {0}")]
    Provider(String),
    /// A list did not end.
    #[error("{0} has more than ten thousand pages")]
    Endless(&'static str),
}

/// What the audit is about.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// The promises.
    pub acknowledged: Vec<Acknowledged>,
    /// Items of the run.
    pub items: Vec<String>,
    /// Payments of orders that were never placed (imp_uid), with what was refunded of them before.
    pub bystanders: BTreeMap<String, i64>,
}

/// Where the evidence is.
#[derive(Clone, Debug)]
pub struct Sources {
    channel: Channel,
    provider: String,
    http: reqwest::Client,
}

impl Sources {
    /// `channel` leads to an orchestrator, `provider` is the sandbox's base URL.
    #[must_use]
    pub fn new(channel: Channel, provider: &str, http: reqwest::Client) -> Self {
        Self { channel, provider: provider.trim_end_matches('/').to_owned(), http }
    }

    /// Gathers everything within the scope.
    ///
    /// # Errors
    /// If anything cannot be read; half an audit would be worse than none.
    pub async fn gather(&self, scope: Scope) -> Result<Evidence, GatherError> {
        let orders: BTreeSet<String> = scope.acknowledged.iter().map(|promise| promise.order.clone()).collect();
        let (payments, bystanders) = self.payments(&orders, &scope.bystanders).await?;
        let mut items = Vec::new();
        let mut reservations = Vec::new();
        for id in &scope.items {
            items.push(self.item(id).await?);
            reservations.extend(self.reservations(id).await?);
        }
        Ok(Evidence {
            orders: self.orders(&orders).await?,
            sagas: self.sagas(&orders).await?,
            items,
            reservations,
            payments,
            bystanders,
            acknowledged: scope.acknowledged,
        })
    }

    /// The given orders; the list is read, newest first, until all are found or it ends.
    async fn orders(&self, wanted: &BTreeSet<String>) -> Result<Vec<OrderRecord>, GatherError> {
        let mut client = OrderServiceClient::new(self.channel.clone());
        let mut found = Vec::new();
        let mut page_token = String::new();
        for _ in 0..MOST_PAGES {
            let request = ListOrdersRequest { page_size: PAGE, page_token, state: 0 };
            let answer = client.list_orders(request).await.map_err(service("orders"))?.into_inner();
            let page = answer.orders.into_iter().map(order_record);
            found.extend(page.filter(|order| wanted.contains(&order.number)));
            if answer.next_page_token.is_empty() || found.len() >= wanted.len() {
                return Ok(found);
            }
            page_token = answer.next_page_token;
        }
        Err(GatherError::Endless("the list of orders"))
    }

    /// Every saga of the given orders. The list is newest first, so it is read until all orders have one and a whole page
    /// brought none any more: a second saga of one order would stand near the first.
    ///
    /// # Errors
    /// If the list, or a saga in it, cannot be read.
    pub async fn sagas(&self, orders: &BTreeSet<String>) -> Result<Vec<SagaRecord>, GatherError> {
        let mut client = SagaAdminServiceClient::new(self.channel.clone());
        let mut found: Vec<SagaRecord> = Vec::new();
        let mut page_token = String::new();
        for _ in 0..MOST_PAGES {
            let request = SearchSagasRequest { page_size: PAGE, page_token, ..SearchSagasRequest::default() };
            let answer = client.search_sagas(request).await.map_err(service("sagas"))?.into_inner();
            if let Some(name) = answer.unreadable.first() {
                return Err(service("sagas")(tonic::Status::internal(format!("{name} cannot be read"))));
            }
            let before = found.len();
            found.extend(answer.sagas.into_iter().map(saga_record).filter(|saga| orders.contains(&saga.order)));
            let complete = found.len() >= orders.len() && found.len() == before;
            if answer.next_page_token.is_empty() || complete {
                return Ok(found);
            }
            page_token = answer.next_page_token;
        }
        Err(GatherError::Endless("the list of sagas"))
    }

    async fn item(&self, id: &str) -> Result<ItemRecord, GatherError> {
        let mut client = ItemServiceClient::new(self.channel.clone());
        let request = GetItemRequest { name: format!("items/{id}") };
        let item = client.get_item(request).await.map_err(service("an item"))?.into_inner().item.unwrap_or_default();
        Ok(ItemRecord { id: id.to_owned(), stocked: item.stocked, available: item.available, reserved: item.reserved })
    }

    async fn reservations(&self, item: &str) -> Result<Vec<ReservationRecord>, GatherError> {
        let mut client = ItemServiceClient::new(self.channel.clone());
        let mut found = Vec::new();
        let mut page_token = String::new();
        for _ in 0..MOST_PAGES {
            let request = ListReservationsRequest { parent: format!("items/{item}"), page_size: PAGE, page_token };
            let answer = client.list_reservations(request).await.map_err(service("reservations"))?.into_inner();
            found.extend(answer.reservations.iter().map(|reservation| reservation_record(item, reservation)));
            if answer.next_page_token.is_empty() {
                return Ok(found);
            }
            page_token = answer.next_page_token;
        }
        Err(GatherError::Endless("the list of reservations"))
    }

    /// Payments under the orders' numbers, and the bystanders. A bystander that is gone from the ledger counts as unpaid.
    async fn payments(
        &self,
        orders: &BTreeSet<String>,
        bystanders: &BTreeMap<String, i64>,
    ) -> Result<(Vec<LedgerPayment>, Vec<(LedgerPayment, i64)>), GatherError> {
        let mut ours = Vec::new();
        let mut theirs: BTreeMap<String, LedgerPayment> =
            bystanders.keys().map(|id| (id.clone(), vanished(id))).collect();
        let mut after = String::new();
        for _ in 0..MOST_PAGES {
            let (payments, next) = ledger_page(&self.http, &self.provider, &after).await?;
            for payment in payments {
                if let Some(place) = theirs.get_mut(&payment.imp_uid) {
                    *place = payment;
                } else if orders.contains(&payment.merchant_uid) {
                    ours.push(payment);
                }
            }
            match next {
                Some(next) => after = next,
                None => {
                    let expected = |(id, payment): (String, LedgerPayment)| (payment, bystanders[&id]);
                    return Ok((ours, theirs.into_iter().map(expected).collect()));
                }
            }
        }
        Err(GatherError::Endless("the provider's ledger"))
    }
}

/// One page of the ledger of the sandbox at `base`, after the payment `after`; and the last id, unless it is the last page.
///
/// # Errors
/// If the provider refuses or is away.
pub async fn ledger_page(
    http: &reqwest::Client,
    base: &str,
    after: &str,
) -> Result<(Vec<LedgerPayment>, Option<String>), GatherError> {
    // Ids are visible ASCII; only the few characters with a meaning in a query need care, and the provider's own ids
    // have none of them.
    let url = format!("{base}/_sandbox/ledger?limit={LEDGER_PAGE}&after={after}");
    let answer = http.get(url).send().await.map_err(provider)?;
    let envelope: Envelope = answer.json().await.map_err(provider)?;
    match envelope.response {
        Some(page) if envelope.code == 0 => Ok((page.payments, page.next)),
        _ => Err(GatherError::Provider(envelope.message.unwrap_or_else(|| "refused".to_owned()))),
    }
}

/// The provider's envelope around a page.
#[derive(Debug, serde::Deserialize)]
struct Envelope {
    code: i32,
    message: Option<String>,
    response: Option<LedgerPage>,
}

#[derive(Debug, serde::Deserialize)]
struct LedgerPage {
    payments: Vec<LedgerPayment>,
    next: Option<String>,
}

fn service(what: &'static str) -> impl FnOnce(tonic::Status) -> GatherError {
    move |status| GatherError::Service { what, status: Box::new(status) }
}

/// The URL is left out: a base URL may hold credentials.
fn provider(error: reqwest::Error) -> GatherError {
    GatherError::Provider(error.without_url().to_string())
}

fn vanished(id: &str) -> LedgerPayment {
    LedgerPayment {
        imp_uid: id.to_owned(),
        merchant_uid: String::new(),
        currency: String::new(),
        paid: 0,
        refunded: 0,
        refunds: 0,
    }
}

fn order_record(order: Order) -> OrderRecord {
    let state = order.state();
    let total = order.total.unwrap_or_default();
    OrderRecord {
        number: last_part(&order.name),
        state,
        currency: total.currency_code,
        total: total.minor_units,
        saga: order.saga,
        lines: order.lines.into_iter().map(|line| (line.item_id, line.quantity)).collect(),
    }
}

fn saga_record(saga: Saga) -> SagaRecord {
    SagaRecord { state: saga.state(), name: saga.name, order: last_part(&saga.business_key) }
}

fn reservation_record(item: &str, reservation: &Reservation) -> ReservationRecord {
    ReservationRecord {
        item: item.to_owned(),
        order: last_part(&reservation.order),
        quantity: reservation.quantity,
        held: reservation.state() == ReservationState::Held,
    }
}

/// The id at the end of a resource name.
fn last_part(name: &str) -> String {
    name.rsplit('/').next().unwrap_or_default().to_owned()
}

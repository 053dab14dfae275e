//! The shop from outside, as a client can: orders, sagas, items and reservations over gRPC, payments from the sandbox
//! provider's ledger. What a run began, and nothing else.

use crate::evidence::{
    BYSTANDERS, Bystander, ITEMS, ORDERS, Order, OrderStates, PAYMENTS, Payment, Reservation, Shelf, ShopAtLarge,
    ShopSaga, by,
};
use crate::provider::{Ledger, LedgerError};
use baton_orchestrator::api::view;
use baton_proto::baton::saga::v1::saga_admin_service_client::SagaAdminServiceClient;
use baton_proto::baton::saga::v1::{Saga, SearchSagasRequest};
use baton_query::filter::StateKind;
use baton_verify::coverage::{Coverage, HISTORY, Mode, SAGAS};
use baton_verify::evidence::Evidence;
use baton_verify::history::Call;
use baton_verify::memory::Memory;
use baton_verify::own::Own;
use baton_verify::saga_evidence::{Outline, Read, SagaEvidence};
use saga_core::saga::SagaId;
use shop_proto::order::v1::order_service_client::OrderServiceClient;
use shop_proto::order::v1::{self, ListOrdersRequest};
use shop_proto::stock::v1::item_service_client::ItemServiceClient;
use shop_proto::stock::v1::{GetItemRequest, ListReservationsRequest, ReservationState};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tonic::transport::Channel;

/// Records of one page.
const PAGE: i32 = 1000;

/// Pages read of any list before it is called endless.
const MOST_PAGES: usize = 10_000;

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
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A list did not end.
    #[error("{0} has more than ten thousand pages")]
    Endless(&'static str),
}

/// What the audit is about: a run, by what its clients were told.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// The answers that named a saga.
    pub history: Vec<Call>,
    /// Items of the run; nobody else orders them.
    pub items: Vec<String>,
    /// Payments of orders that were never placed (imp_uid), with what was refunded of them before.
    pub bystanders: BTreeMap<String, i64>,
}

/// Where the evidence is.
#[derive(Clone, Debug)]
pub struct Services {
    channel: Channel,
    provider: String,
    http: reqwest::Client,
}

impl Services {
    /// `channel` leads to an orchestrator, `provider` is the sandbox's base URL.
    #[must_use]
    pub fn new(channel: Channel, provider: &str, http: reqwest::Client) -> Self {
        Self { channel, provider: provider.to_owned(), http }
    }

    /// Gathers everything within the scope.
    ///
    /// # Errors
    /// If anything cannot be read; half an audit would be worse than none.
    pub async fn gather(&self, scope: Scope) -> Result<Evidence, GatherError> {
        let numbers: BTreeSet<String> = scope.history.iter().map(|call| call.key.clone()).collect();
        let mut found = Found { payments: self.payments().await?, ..Found::default() };
        for item in &scope.items {
            found.shelves.push(self.shelf(item).await?);
            found.reservations.extend(self.reservations(item).await?);
        }
        found.orders = self.orders(&numbers).await?;
        found.sagas = self.sagas(&numbers).await?;
        Ok(found.evidence(scope))
    }

    /// The given orders; the list is read, newest first, until all are found or it ends.
    async fn orders(&self, wanted: &BTreeSet<String>) -> Result<BTreeMap<String, Order>, GatherError> {
        let mut client = OrderServiceClient::new(self.channel.clone());
        let mut found = BTreeMap::new();
        let mut page_token = String::new();
        for _ in 0..MOST_PAGES {
            let request = ListOrdersRequest { page_size: PAGE, page_token, state: 0 };
            let answer = client.list_orders(request).await.map_err(service("orders"))?.into_inner();
            let page = answer.orders.into_iter().map(order);
            let page = page.filter(|order| wanted.contains(&order.number));
            found.extend(page.map(|order| (order.number.clone(), order)));
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
    pub async fn sagas(&self, orders: &BTreeSet<String>) -> Result<Vec<SagaEvidence>, GatherError> {
        let mut client = SagaAdminServiceClient::new(self.channel.clone());
        let mut found: Vec<SagaEvidence> = Vec::new();
        let mut page_token = String::new();
        for _ in 0..MOST_PAGES {
            let request = SearchSagasRequest { page_size: PAGE, page_token, ..SearchSagasRequest::default() };
            let answer = client.search_sagas(request).await.map_err(service("sagas"))?.into_inner();
            if let Some(name) = answer.unreadable.first() {
                return Err(service("sagas")(tonic::Status::internal(format!("{name} cannot be read"))));
            }
            let before = found.len();
            let page = answer.sagas.iter().filter_map(saga);
            found.extend(page.filter(|saga| orders.contains(saga.business_key())));
            let complete = found.len() >= orders.len() && found.len() == before;
            if answer.next_page_token.is_empty() || complete {
                return Ok(found);
            }
            page_token = answer.next_page_token;
        }
        Err(GatherError::Endless("the list of sagas"))
    }

    async fn shelf(&self, id: &str) -> Result<Shelf, GatherError> {
        let mut client = ItemServiceClient::new(self.channel.clone());
        let request = GetItemRequest { name: format!("items/{id}") };
        let item = client.get_item(request).await.map_err(service("an item"))?.into_inner().item.unwrap_or_default();
        let (available, reserved, stocked) = (item.available, item.reserved, item.stocked);
        Ok(Shelf { item: id.to_owned(), available, reserved, stocked, ..Shelf::default() })
    }

    async fn reservations(&self, item: &str) -> Result<Vec<Reservation>, GatherError> {
        let mut client = ItemServiceClient::new(self.channel.clone());
        let mut found = Vec::new();
        let mut page_token = String::new();
        for _ in 0..MOST_PAGES {
            let request = ListReservationsRequest { parent: format!("items/{item}"), page_size: PAGE, page_token };
            let answer = client.list_reservations(request).await.map_err(service("reservations"))?.into_inner();
            found.extend(answer.reservations.into_iter().map(|reservation| Reservation {
                item: item.to_owned(),
                order: last_part(&reservation.order),
                quantity: reservation.quantity,
                held: reservation.state() == ReservationState::Held,
            }));
            if answer.next_page_token.is_empty() {
                return Ok(found);
            }
            page_token = answer.next_page_token;
        }
        Err(GatherError::Endless("the list of reservations"))
    }

    /// Everything in the provider's ledger.
    async fn payments(&self) -> Result<Vec<Payment>, LedgerError> {
        let mut ledger = Ledger::new(&self.http, &self.provider);
        let mut found = Vec::new();
        while let Some(page) = ledger.next().await? {
            found.extend(page);
        }
        Ok(found)
    }
}

/// What services and provider told.
#[derive(Debug, Default)]
struct Found {
    sagas: Vec<SagaEvidence>,
    orders: BTreeMap<String, Order>,
    shelves: Vec<Shelf>,
    reservations: Vec<Reservation>,
    payments: Vec<Payment>,
}

impl Found {
    /// Puts to each saga what is about its order.
    fn evidence(mut self, scope: Scope) -> Evidence {
        let coverage = Coverage::of(&[SAGAS, HISTORY, ORDERS, ITEMS, PAYMENTS, BYSTANDERS], []);
        let states = OrderStates(self.orders.iter().map(|(number, order)| (number.clone(), order.state)).collect());
        let memory = Memory::of(&self.sagas);
        for shelf in &mut self.shelves {
            let held = self.reservations.iter().filter(|one| one.held && one.item == shelf.item);
            shelf.held = held.clone().map(|one| one.quantity).sum();
            shelf.strays = held.filter(|one| memory.sagas_of(&one.order).is_empty()).map(|one| one.quantity).sum();
        }
        let bystanders = scope.bystanders.into_iter().map(|(id, refunded)| {
            let found = self.payments.iter().find(|payment| payment.imp_uid == id).cloned();
            // One that is gone from the ledger counts as unpaid.
            Bystander { payment: found.unwrap_or(Payment { imp_uid: id, ..Payment::default() }), refunded }
        });
        let at_large =
            ShopAtLarge { bystanders: bystanders.collect(), shelves: self.shelves, ..ShopAtLarge::default() };
        let mut payments = by(self.payments, |payment| &payment.merchant_uid);
        let mut reservations = by(self.reservations, |reservation| &reservation.order);
        for saga in &mut self.sagas {
            let number = saga.business_key().to_owned();
            let order = self.orders.get(&number).cloned().map_or(Read::Missing, Read::Row);
            *saga.own.entry() = ShopSaga {
                order,
                reservations: reservations.remove(&number).unwrap_or_default(),
                payments: payments.remove(&number).unwrap_or_default(),
                ..ShopSaga::default()
            };
        }
        Evidence {
            sagas: self.sagas,
            history: scope.history,
            memory,
            own: Own::default().with(at_large).with(states),
            ..Evidence::new(Mode::Finished, &Arc::new(coverage))
        }
    }
}

fn service(what: &'static str) -> impl FnOnce(tonic::Status) -> GatherError {
    move |status| GatherError::Service { what, status: Box::new(status) }
}

fn order(order: v1::Order) -> Order {
    let state = order.state();
    let total = order.total.unwrap_or_default();
    Order {
        number: last_part(&order.name),
        state,
        currency: total.currency_code,
        total: total.minor_units,
        saga: saga_id(&order.saga),
        lines: order.lines.into_iter().map(|line| (line.item_id, line.quantity)).collect(),
    }
}

/// A saga as its list has it; `None` for one whose name or state makes no sense.
fn saga(saga: &Saga) -> Option<SagaEvidence> {
    let state = StateKind::ALL.into_iter().find(|kind| view::kind(*kind) == saga.state())?;
    let outline = Outline { state, business_key: last_part(&saga.business_key) };
    Some(SagaEvidence { outline: Some(outline), ..SagaEvidence::new(saga_id(&saga.name)?) })
}

fn saga_id(name: &str) -> Option<SagaId> {
    let id = uuid::Uuid::parse_str(name.strip_prefix("sagas/")?).ok()?;
    Some(SagaId(id.into_bytes()))
}

/// The id at the end of a resource name.
fn last_part(name: &str) -> String {
    name.rsplit('/').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;

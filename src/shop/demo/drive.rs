//! Sends the run: creates the item and the orders, pays at the sandbox, places everything at once, waits for the end.

use super::plan::{CURRENCY, PRICE, Pays, Plan, Planned, amount};
use super::retry::persist;
use crate::client::endpoint;
use crate::config::key;
use crate::failure::Failure;
use crate::progress::Progress;
use baton_query::filter::StateKind;
use baton_verify::history::Call;
use baton_verify::saga_evidence::SagaEvidence;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use shop_audit::outside::{Scope, Services};
use shop_proto::order::v1::order_placement_service_client::OrderPlacementServiceClient;
use shop_proto::order::v1::order_service_client::OrderServiceClient;
use shop_proto::order::v1::{CreateOrderRequest, OrderLine, OrderProgress, OrderState, PlaceOrderRequest};
use shop_proto::stock::v1::CreateItemRequest;
use shop_proto::stock::v1::item_service_client::ItemServiceClient;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;
use tonic::Request;
use tonic::transport::Channel;

/// Connections of the run; calls are spread over them, as those of many clients would be.
const CHANNELS: usize = 8;

/// Deadline of one call; PlaceOrder waits for the order's end within it.
const CALL: Duration = Duration::from_secs(30);

/// Orders created at once: creating is preparation, not load.
const CREATING: usize = 128;

/// Payments in one call to the sandbox.
const PAYMENTS: usize = 1000;

/// Pause between two looks at sagas that have not ended.
const LOOK: Duration = Duration::from_millis(250);

/// Customer of every order.
const CUSTOMER: &str = "demo";

/// One order as placed, with what became of it.
#[derive(Debug)]
pub struct Placed {
    /// Every answer that named a saga.
    pub answers: Vec<Call>,
    /// The end the client was told of, if it was told one.
    pub told: Option<OrderState>,
    /// From the first call to the answer that told the end.
    pub latency: Duration,
    /// Why there was no answer.
    pub trouble: Option<String>,
}

/// A run against one address and one provider.
#[derive(Debug)]
pub struct Driver {
    channels: Vec<Channel>,
    provider: String,
    http: reqwest::Client,
    quiet: bool,
    until: Instant,
}

/// An order that has its number.
#[derive(Clone, Debug)]
pub struct Numbered {
    planned: Planned,
    number: String,
}

impl Driver {
    /// Connects lazily: an address that is away for a moment is waited for. Everything must be over by `until`.
    ///
    /// # Errors
    /// If `target` is no address.
    pub fn new(target: &str, provider: &str, until: Instant, quiet: bool) -> Result<Self, Failure> {
        let endpoint = endpoint(target)?;
        let http = reqwest::Client::builder().timeout(CALL).build();
        Ok(Self {
            channels: (0..CHANNELS).map(|_| endpoint.connect_lazy()).collect(),
            provider: provider.trim_end_matches('/').to_owned(),
            http: http.map_err(|error| Failure::other(&error))?,
            quiet,
            until,
        })
    }

    fn channel(&self, number: usize) -> Channel {
        self.channels[number % self.channels.len()].clone()
    }

    /// Creates the item and every order, the bystander's last, and pays.
    ///
    /// # Errors
    /// If anything is refused or away for too long.
    pub async fn prepare(&self, plan: &Plan) -> Result<Vec<Numbered>, Failure> {
        self.create_item(plan).await?;
        let progress = Progress::begin("creating orders", plan.orders.len() + 1, self.quiet);
        let all = plan.orders.iter().chain([&plan.bystander]).enumerate();
        let orders: Vec<Numbered> = stream::iter(all)
            .map(|(number, planned)| self.create_order(number, &plan.item, planned, &progress))
            .buffered(CREATING)
            .try_collect()
            .await?;
        progress.end();
        self.pay(&orders).await?;
        Ok(orders)
    }

    async fn create_item(&self, plan: &Plan) -> Result<(), Failure> {
        let created = persist(self.until, async || {
            let request = CreateItemRequest {
                item_id: plan.item.clone(),
                display_name: "Hot item of the demo".to_owned(),
                currency_code: CURRENCY.to_owned(),
                unit_price_minor_units: PRICE,
                initial_stock: i64::from(plan.stock),
            };
            ItemServiceClient::new(self.channel(0)).create_item(limited(request)).await
        });
        created.await.map(drop)
    }

    async fn create_order(
        &self,
        number: usize,
        item: &str,
        planned: &Planned,
        progress: &Progress,
    ) -> Result<Numbered, Failure> {
        let answer = persist(self.until, async || {
            let request = CreateOrderRequest {
                request_id: planned.create_id.to_string(),
                customer_id: CUSTOMER.to_owned(),
                currency_code: CURRENCY.to_owned(),
                lines: lines(item),
            };
            OrderServiceClient::new(self.channel(number)).create_order(limited(request)).await
        });
        let order = answer.await?.into_inner().order.unwrap_or_default();
        progress.add(1);
        let number = order.name.trim_start_matches("orders/").to_owned();
        Ok(Numbered { planned: planned.clone(), number })
    }

    /// Pays in batches. Payment ids are ours, so a repeated batch changes nothing.
    async fn pay(&self, orders: &[Numbered]) -> Result<(), Failure> {
        let payments: Vec<serde_json::Value> = orders
            .iter()
            .filter_map(|order| {
                let amount = amount(order.planned.pays, PRICE)?;
                Some(serde_json::json!({
                    "imp_uid": order.planned.payment, "merchant_uid": order.number,
                    "amount": amount, "currency": CURRENCY,
                }))
            })
            .collect();
        let progress = Progress::begin("paying at the sandbox", payments.len(), self.quiet);
        for batch in payments.chunks(PAYMENTS) {
            persist(self.until, async || self.pay_batch(batch).await).await?;
            progress.add(batch.len() as u64);
        }
        progress.end();
        Ok(())
    }

    async fn pay_batch(&self, batch: &[serde_json::Value]) -> Result<(), tonic::Status> {
        let away = |error: reqwest::Error| {
            let at = key::mask_password(&self.provider);
            let why = error.without_url();
            tonic::Status::unavailable(format!("the sandbox at {at} (--provider, or provider.base_url) is away: {why}"))
        };
        let answer = self.http.post(format!("{}/_sandbox/pay", self.provider)).json(batch).send().await;
        let answer = answer.and_then(reqwest::Response::error_for_status).map_err(away)?;
        let envelope: serde_json::Value = answer.json().await.map_err(away)?;
        if envelope["code"] == 0 {
            return Ok(());
        }
        Err(tonic::Status::failed_precondition(format!("provider: {}", envelope["message"])))
    }

    /// Places every order but the bystander's, `concurrency` at once. An order that is never answered is no error here:
    /// the table shows it.
    pub async fn place(&self, plan: &Plan, orders: &[Numbered], concurrency: usize) -> Vec<Placed> {
        let placed = &orders[..plan.orders.len()];
        let progress = Progress::begin("placing orders", placed.len(), self.quiet);
        let calls = placed.iter().enumerate().map(|(number, order)| {
            let progress = &progress;
            async move {
                let placed = self.place_one(number, &plan.item, order).await;
                progress.add(1);
                placed
            }
        });
        let done = stream::iter(calls).buffer_unordered(concurrency).collect().await;
        progress.end();
        done
    }

    /// Repeats the call with the same request id until it tells the end. Remembers every saga that any answer named.
    async fn place_one(&self, number: usize, item: &str, order: &Numbered) -> Placed {
        let begun = Instant::now();
        let mut answers = Vec::new();
        let mut told = None;
        let mut trouble = None;
        // One try per connection in turn: the first may lead to a process that is dead for good.
        let mut turn = number;
        while told.is_none() && Instant::now() < self.until {
            turn += 1;
            let answer = persist(self.until, async || {
                OrderPlacementServiceClient::new(self.channel(turn)).place_order(limited(placing(item, order))).await
            });
            match answer.await {
                Ok(answer) => {
                    let progress = answer.into_inner().progress.unwrap_or_default();
                    told = end(&progress);
                    let state = told.map(|state| state.as_str_name());
                    let request = order.planned.place_id.to_string();
                    answers.push(Call::started(&request, &order.number, &progress.saga, state));
                }
                Err(failure) => {
                    trouble = Some(failure.to_string());
                    break;
                }
            }
        }
        Placed { answers, told, latency: begun.elapsed(), trouble }
    }

    /// Waits until every saga of the run is at rest, or the time is over; the audit tells what is not.
    ///
    /// # Errors
    /// If the list of sagas cannot be read even at the end.
    pub async fn settle(&self, answers: &[Call]) -> Result<(), Failure> {
        let orders: BTreeSet<String> = answers.iter().map(|call| call.key.clone()).collect();
        let services = self.services();
        let progress = Progress::begin("waiting for the end", orders.len(), self.quiet);
        let mut at_rest = 0;
        loop {
            let sagas = services.sagas(&orders).await;
            let over = Instant::now() >= self.until;
            match sagas {
                Ok(sagas) => {
                    let now = sagas.iter().filter(|saga| rests(saga)).count().max(at_rest);
                    progress.add((now - at_rest) as u64);
                    at_rest = now;
                    if over || (sagas.len() >= orders.len() && sagas.iter().all(rests)) {
                        progress.end();
                        return Ok(());
                    }
                }
                Err(error) if over => return Err(Failure::Unreachable(error.to_string())),
                Err(_) => {}
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Where the audit reads.
    #[must_use]
    pub fn services(&self) -> Services {
        Services::new(self.channel(0), &self.provider, self.http.clone())
    }
}

/// What the audit is about.
#[must_use]
pub fn scope(plan: &Plan, history: Vec<Call>) -> Scope {
    Scope { history, items: vec![plan.item.clone()], bystanders: BTreeMap::from([(plan.bystander.payment.clone(), 0)]) }
}

fn lines(item: &str) -> Vec<OrderLine> {
    vec![OrderLine { item_id: item.to_owned(), quantity: 1, unit_price_minor_units: PRICE }]
}

fn placing(item: &str, order: &Numbered) -> PlaceOrderRequest {
    debug_assert!(order.planned.pays != Pays::Nothing || !order.planned.payment.is_empty());
    PlaceOrderRequest {
        request_id: order.planned.place_id.to_string(),
        order: format!("orders/{}", order.number),
        payment_id: order.planned.payment.clone(),
        customer_id: CUSTOMER.to_owned(),
        currency_code: CURRENCY.to_owned(),
        lines: lines(item),
        wait: true,
    }
}

/// True once nothing can happen to it without an operator.
fn rests(saga: &SagaEvidence) -> bool {
    !matches!(saga.state(), Some(StateKind::Running | StateKind::Compensating))
}

fn end(progress: &OrderProgress) -> Option<OrderState> {
    progress.done.then(|| progress.state())
}

fn limited<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(CALL);
    request
}

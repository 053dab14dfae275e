//! `shop.order.v1.OrderService`: create, get, list.

use crate::command::given;
use crate::create::{Created, Creation, create};
use crate::order::{Content, Order, SELECT_ORDER};
use baton_participant_kit::clock::Clock;
use baton_rpc::errors::{self, Flaw, Violations};
use baton_rpc::gather::Gather;
use baton_rpc::page;
use baton_rpc::reason::Reason;
use baton_rpc::request_id::RequestId;
use baton_rpc::server::MAX_MESSAGE;
use baton_sql::database::Database;
use baton_sql::value::Value;
use shop_domain::currency::Currencies;
use shop_domain::identifier::CustomerId;
use shop_domain::lines::Lines;
use shop_domain::name;
use shop_domain::reason;
use shop_proto::order::v1::order_service_server::{OrderService, OrderServiceServer};
use shop_proto::order::v1::{
    CreateOrderRequest, CreateOrderResponse, GetOrderRequest, GetOrderResponse, ListOrdersRequest, ListOrdersResponse,
    OrderState,
};
use tonic::{Request, Response, Status};

/// Creations that wait for the next transaction; more are refused with `RESOURCE_EXHAUSTED`.
const MAX_WAITING: usize = 4_096;
/// Creations of one transaction. An order of 100 lines is about 9 KiB: 9 MiB at the most.
const MAX_TOGETHER: usize = 1_024;

/// The order participant's business service.
#[derive(Clone, Debug)]
pub struct Orders {
    database: Database,
    currencies: Currencies,
    creations: Gather<Creation, Created>,
}

impl Orders {
    /// The service over the participant's database. Must be called inside a runtime: it starts the task that groups
    /// creations into transactions.
    #[must_use]
    pub fn service(database: Database, currencies: Currencies, clock: Clock) -> OrderServiceServer<Self> {
        let store = database.clone();
        let creations =
            Gather::start(MAX_WAITING, MAX_TOGETHER, move |batch| create(store.clone(), clock.clone(), batch));
        OrderServiceServer::new(Self { database, currencies, creations })
            .max_decoding_message_size(MAX_MESSAGE)
            .max_encoding_message_size(MAX_MESSAGE)
    }

    fn check(&self, request: &CreateOrderRequest) -> Result<Creation, Status> {
        let mut violations = Violations::new();
        let id = violations.keep("request_id", RequestId::parse(&request.request_id));
        let customer = violations.keep("customer_id", CustomerId::parse(&request.customer_id));
        let currency = violations.keep("currency_code", self.currencies.parse(&request.currency_code));
        let lines = Lines::parse("lines", given(&request.lines), &mut violations);
        match (id, customer, currency, lines) {
            (Some(request), Some(customer), Some(currency), Some(lines)) => Ok(Creation {
                request,
                content: Content::new(customer.as_str(), currency.as_str(), &lines),
                total: lines.total(),
            }),
            _ => Err(violations.into_status()),
        }
    }

    async fn select(&self, condition: &str, args: Vec<Value>) -> Result<Vec<Order>, Status> {
        let rows = self.database.query(&format!("{SELECT_ORDER}{condition}"), args).await;
        let orders = rows.and_then(|rows| rows.iter().map(Order::from_row).collect());
        orders.map_err(|error| errors::store(&error))
    }
}

#[tonic::async_trait]
impl OrderService for Orders {
    async fn create_order(
        &self,
        request: Request<CreateOrderRequest>,
    ) -> Result<Response<CreateOrderResponse>, Status> {
        let creation = self.check(request.get_ref())?;
        match self.creations.ask(creation).await.map_err(errors::gather)? {
            Created::Order(order) => Ok(Response::new(CreateOrderResponse { order: Some(order.into_wire()) })),
            Created::Reused => {
                let text = "request_id was used before with another customer, currency or other lines";
                Err(errors::already_exists(Reason::REQUEST_ID_REUSED, text))
            }
            Created::Failed(error) => Err(errors::store(&error)),
        }
    }

    async fn get_order(&self, request: Request<GetOrderRequest>) -> Result<Response<GetOrderResponse>, Status> {
        let name = request.into_inner().name;
        let number = name::order(&name).map_err(|flaw| errors::invalid("name", flaw))?;
        let found = self.select("order_no = ?", vec![number.bytes().into()]).await?;
        let order = found.into_iter().next().ok_or_else(|| errors::not_found(reason::ORDER_NOT_FOUND, &name))?;
        Ok(Response::new(GetOrderResponse { order: Some(order.into_wire()) }))
    }

    async fn list_orders(&self, request: Request<ListOrdersRequest>) -> Result<Response<ListOrdersResponse>, Status> {
        let ListOrdersRequest { page_size, page_token, state } = request.into_inner();
        let mut violations = Violations::new();
        let size = violations.keep("page_size", page::page_size(page_size));
        let unknown = |_| Flaw::new(Reason::ENUM_UNKNOWN, "must be a state of this version, or 0 for all");
        let state = violations.keep("state", OrderState::try_from(state).map_err(unknown));
        let query = format!("ListOrders {:?}", state.unwrap_or_default());
        let after = violations.keep("page_token", page::key(&query, &page_token));
        let (Some(size), Some(state), Some(after)) = (size, state, after) else {
            return Err(violations.into_status());
        };
        let (mut conditions, mut args) = (Vec::new(), Vec::new());
        if state != OrderState::Unspecified {
            conditions.push("state = ?");
            args.push(Value::from(state as i32));
        }
        if let Some((time, number)) = after.as_deref().and_then(split_key) {
            conditions.push("created_at <= ? AND (created_at < ? OR order_no < ?)");
            args.extend([time.into(), time.into(), number.into()]);
        }
        if conditions.is_empty() {
            conditions.push("1 = 1");
        }
        // One more than asked for tells whether there is a next page.
        args.push(Value::from(size + 1));
        let condition = format!("{} ORDER BY created_at DESC, order_no DESC LIMIT ?", conditions.join(" AND "));
        let mut orders = self.select(&condition, args).await?;
        let next_page_token = page::cut(&mut orders, size, &query, join_key);
        let orders = orders.into_iter().map(Order::into_wire).collect();
        Ok(Response::new(ListOrdersResponse { orders, next_page_token }))
    }
}

fn join_key(order: &Order) -> Vec<u8> {
    [order.created_at.to_be_bytes().as_slice(), &order.number.bytes()].concat()
}

fn split_key(key: &[u8]) -> Option<(i64, [u8; 16])> {
    let (time, number) = key.split_first_chunk::<8>()?;
    Some((i64::from_be_bytes(*time), number.try_into().ok()?))
}

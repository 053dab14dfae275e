//! `shop.stock.v1.ItemService`: items, restocks, reservations.

use crate::catalogue::{self, Created, Restocked};
use crate::item::{Item, SELECT_ITEM};
use crate::reservation::{Reservation, SELECT_RESERVATION};
use baton_participant_kit::clock::Clock;
use baton_rpc::errors::{self, Flaw, Violations};
use baton_rpc::page;
use baton_rpc::reason::Reason;
use baton_rpc::request_id::RequestId;
use baton_rpc::server::MAX_MESSAGE;
use baton_sql::database::Database;
use baton_sql::error::SqlError;
use baton_sql::value::{Row, Value};
use shop_domain::currency::Currencies;
use shop_domain::identifier::ItemId;
use shop_domain::lines::{bounded, price_of_unit};
use shop_domain::name;
use shop_domain::reason;
use shop_proto::stock::v1::item_service_server::{ItemService, ItemServiceServer};
use shop_proto::stock::v1::{
    CreateItemRequest, CreateItemResponse, GetItemRequest, GetItemResponse, ListItemsRequest, ListItemsResponse,
    ListReservationsRequest, ListReservationsResponse, RestockItemRequest, RestockItemResponse,
};
use tonic::{Code, Request, Response, Status};

/// Most units put in at once.
const MAX_UNITS: i64 = 1_000_000_000_000;
/// Longest display name, bytes.
const MAX_DISPLAY_NAME: usize = 200;

/// The stock participant's business service.
#[derive(Clone, Debug)]
pub struct Items {
    database: Database,
    currencies: Currencies,
    clock: Clock,
}

impl Items {
    /// The service over the participant's database.
    #[must_use]
    pub fn service(database: Database, currencies: Currencies, clock: Clock) -> ItemServiceServer<Self> {
        ItemServiceServer::new(Self { database, currencies, clock })
            .max_decoding_message_size(MAX_MESSAGE)
            .max_encoding_message_size(MAX_MESSAGE)
    }

    fn check(&self, request: CreateItemRequest) -> Result<Item, Status> {
        let mut violations = Violations::new();
        let id = violations.keep("item_id", ItemId::parse(&request.item_id));
        let display_name = violations.keep("display_name", display_name(request.display_name));
        let currency = violations.keep("currency_code", self.currencies.parse(&request.currency_code));
        let price = violations.keep("unit_price_minor_units", price_of_unit(request.unit_price_minor_units));
        let stock = bounded(request.initial_stock, 0, MAX_UNITS, reason::QUANTITY_OUT_OF_RANGE);
        let stock = violations.keep("initial_stock", stock);
        let (Some(id), Some(display_name), Some(currency), Some(unit_price), Some(initial_stock)) =
            (id, display_name, currency, price, stock)
        else {
            return Err(violations.into_status());
        };
        let now_us = self.clock.now_us();
        Ok(Item {
            id: id.as_str().to_owned(),
            display_name,
            currency: currency.as_str().to_owned(),
            unit_price,
            available: initial_stock,
            reserved: 0,
            stocked: initial_stock,
            initial_stock,
            created_at: now_us,
            updated_at: now_us,
        })
    }

    async fn select<T>(
        &self,
        sql: String,
        args: Vec<Value>,
        read: impl Fn(&Row) -> Result<T, SqlError>,
    ) -> Result<Vec<T>, Status> {
        let rows = self.database.query(&sql, args).await;
        rows.and_then(|rows| rows.iter().map(read).collect()).map_err(|error| errors::store(&error))
    }
}

#[tonic::async_trait]
impl ItemService for Items {
    async fn create_item(&self, request: Request<CreateItemRequest>) -> Result<Response<CreateItemResponse>, Status> {
        let item = self.check(request.into_inner())?;
        let id = item.id.clone();
        match catalogue::create(&self.database, item).await.map_err(|error| errors::store(&error))? {
            Created::Item(item) => Ok(Response::new(CreateItemResponse { item: Some(item.into_wire()) })),
            Created::Exists => {
                let text = format!("items/{id} exists with another name, price, currency or initial stock");
                Err(errors::already_exists(reason::ITEM_EXISTS, text))
            }
        }
    }

    async fn get_item(&self, request: Request<GetItemRequest>) -> Result<Response<GetItemResponse>, Status> {
        let name = request.into_inner().name;
        let id = name::item(&name).map_err(|flaw| errors::invalid("name", flaw))?;
        let sql = format!("{SELECT_ITEM}item_id = ?");
        let found = self.select(sql, vec![id.as_str().into()], Item::from_row).await?;
        let item = found.into_iter().next().ok_or_else(|| errors::not_found(reason::ITEM_NOT_FOUND, &name))?;
        Ok(Response::new(GetItemResponse { item: Some(item.into_wire()) }))
    }

    async fn list_items(&self, request: Request<ListItemsRequest>) -> Result<Response<ListItemsResponse>, Status> {
        const QUERY: &str = "ListItems";
        let ListItemsRequest { page_size, page_token } = request.into_inner();
        let mut violations = Violations::new();
        let size = violations.keep("page_size", page::page_size(page_size));
        let after = violations.keep("page_token", page::key(QUERY, &page_token).and_then(text_key));
        let (Some(size), Some(after)) = (size, after) else { return Err(violations.into_status()) };
        // One more than asked for tells whether there is a next page. Every id is behind the empty one.
        let sql = format!("{SELECT_ITEM}item_id > ? ORDER BY item_id LIMIT ?");
        let args = vec![after.unwrap_or_default().into(), (size + 1).into()];
        let mut items = self.select(sql, args, Item::from_row).await?;
        let next_page_token = page::cut(&mut items, size, QUERY, |last| last.id.clone());
        let items = items.into_iter().map(Item::into_wire).collect();
        Ok(Response::new(ListItemsResponse { items, next_page_token }))
    }

    async fn restock_item(
        &self,
        request: Request<RestockItemRequest>,
    ) -> Result<Response<RestockItemResponse>, Status> {
        let RestockItemRequest { name, request_id, quantity } = request.into_inner();
        let mut violations = Violations::new();
        let id = violations.keep("name", name::item(&name));
        let request = violations.keep("request_id", RequestId::parse(&request_id));
        let quantity = violations.keep("quantity", bounded(quantity, 1, MAX_UNITS, reason::QUANTITY_OUT_OF_RANGE));
        let (Some(id), Some(request), Some(quantity)) = (id, request, quantity) else {
            return Err(violations.into_status());
        };
        let restocked = catalogue::restock(&self.database, &self.clock, id.as_str(), request.bytes(), quantity).await;
        match restocked.map_err(|error| errors::store(&error))? {
            Restocked::Item(item) => Ok(Response::new(RestockItemResponse { item: Some(item.into_wire()) })),
            Restocked::NoSuchItem => Err(errors::not_found(reason::ITEM_NOT_FOUND, &name)),
            Restocked::Reused => {
                let text = "request_id was used before for another item or quantity";
                Err(errors::already_exists(Reason::REQUEST_ID_REUSED, text))
            }
            Restocked::TooMuch => {
                let text = format!("{name} would hold more than {} units", catalogue::MAX_STOCK);
                Err(errors::status(Code::FailedPrecondition, reason::STOCK_OVERFLOW.as_str(), text))
            }
        }
    }

    async fn list_reservations(
        &self,
        request: Request<ListReservationsRequest>,
    ) -> Result<Response<ListReservationsResponse>, Status> {
        let ListReservationsRequest { parent, page_size, page_token } = request.into_inner();
        let mut violations = Violations::new();
        let item = if parent == "items/-" { Ok(None) } else { name::item(&parent).map(Some) };
        let item = violations.keep("parent", item);
        let size = violations.keep("page_size", page::page_size(page_size));
        let query = format!("ListReservations {parent}");
        let after = violations.keep("page_token", page::key(&query, &page_token));
        let (Some(item), Some(size), Some(after)) = (item, size, after) else { return Err(violations.into_status()) };
        let (mut conditions, mut args) = (Vec::new(), Vec::new());
        if let Some(item) = &item {
            conditions.push("item_id = ?");
            args.push(Value::from(item.as_str()));
        }
        if let Some((saga, last)) = after.as_deref().and_then(split_key) {
            conditions.push("saga_id <= ? AND (saga_id < ? OR item_id < ?)");
            args.extend([saga.into(), saga.into(), last.into()]);
        }
        if conditions.is_empty() {
            conditions.push("1 = 1");
        }
        args.push(Value::from(size + 1));
        // Saga ids are ordered by time, so this is newest first.
        let order = "ORDER BY saga_id DESC, item_id DESC LIMIT ?";
        let sql = format!("{SELECT_RESERVATION}{} {order}", conditions.join(" AND "));
        let mut reservations = self.select(sql, args, Reservation::from_row).await?;
        let next_page_token = page::cut(&mut reservations, size, &query, join_key);
        let reservations = reservations.into_iter().map(Reservation::into_wire).collect();
        Ok(Response::new(ListReservationsResponse { reservations, next_page_token }))
    }
}

fn display_name(text: String) -> Result<String, Flaw> {
    if text.len() <= MAX_DISPLAY_NAME && !text.chars().any(char::is_control) {
        return Ok(text);
    }
    Err(Flaw::new(reason::DISPLAY_NAME_INVALID, "must be at most 200 bytes of UTF-8 without control characters"))
}

fn text_key(key: Option<Vec<u8>>) -> Result<Option<String>, Flaw> {
    let text = key.map(String::from_utf8).transpose();
    text.map_err(|_| Flaw::new(Reason::PAGE_TOKEN_INVALID, "must be the next_page_token of the same query"))
}

fn join_key(one: &Reservation) -> Vec<u8> {
    [one.saga.as_slice(), one.item.as_bytes()].concat()
}

fn split_key(key: &[u8]) -> Option<([u8; 16], String)> {
    let (saga, item) = key.split_first_chunk::<16>()?;
    Some((*saga, String::from_utf8(item.to_vec()).ok()?))
}

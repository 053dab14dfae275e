//! `baton items`: the catalogue over gRPC.

use crate::client::{Client, name};
use crate::failure::Failure;
use crate::paging::paged;
use crate::shop::cli::Items;
use crate::show::Printer;
use shop_proto::stock::v1::item_service_client::ItemServiceClient;
use shop_proto::stock::v1::{CreateItemRequest, GetItemRequest, ListItemsRequest, RestockItemRequest};

/// What a list shows of an item.
const LISTED: [&str; 7] =
    ["name", "displayName", "currencyCode", "unitPriceMinorUnits", "available", "reserved", "stocked"];

/// Carries out one `baton items` command.
///
/// # Errors
/// What the server refused.
pub async fn run(command: Items, client: &Client, printer: Printer) -> Result<(), Failure> {
    let mut items = ItemServiceClient::new(client.channel());
    match command {
        Items::Create { id, price, stock, currency, name } => {
            let request = CreateItemRequest {
                item_id: id,
                display_name: name,
                currency_code: currency,
                unit_price_minor_units: price,
                initial_stock: stock,
            };
            printer.one(&items.create_item(client.request(request)).await?.into_inner(), "item", &[])
        }
        Items::Get { id } => {
            let request = client.request(GetItemRequest { name: name("items", &id) });
            printer.one(&items.get_item(request).await?.into_inner(), "item", &[])
        }
        Items::Restock { id, quantity, request_id } => {
            let request_id = client.request_id(request_id);
            let request = RestockItemRequest { name: name("items", &id), request_id, quantity };
            printer.one(&items.restock_item(client.request(request)).await?.into_inner(), "item", &[])
        }
        Items::List(page) => {
            let found = paged(page.limit, async |page_size, page_token| {
                let request = ListItemsRequest { page_size, page_token };
                Ok(items.list_items(client.request(request)).await?.into_inner())
            });
            printer.list(&found.await?, "items", &LISTED)
        }
    }
}

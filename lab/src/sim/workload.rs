//! What customers do in one run: orders on a few hot items, sound and unsound ones, and how their clients behave.

use super::life::Us;
use super::provider::{Before, Payment};
use super::rng::Rng;
use super::stage::Stage;
use baton_order::order::{Content, ORDER_COLUMNS, Order};
use baton_participant_kit::clock::Clock;
use baton_rpc::errors::Violations;
use baton_sql::database::{Database, Verdict};
use baton_sql::value::Value;
use baton_stock::catalogue::{Restocked, restock};
use baton_stock::item::{ITEM_COLUMNS, Item};
use bytes::Bytes;
use futures_util::FutureExt as _;
use prost::Message as _;
use shop_domain::currency::Currency;
use shop_domain::identifier::OrderNumber;
use shop_domain::lines::Lines;
use shop_proto::order::v1::{OrderLine, OrderSagaInput, OrderState};

/// The currency of every run.
const CURRENCY: &str = "KRW";

/// What is wrong with an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OrderCase {
    /// Nothing: it completes if there is stock.
    Sound,
    /// The customer paid another amount.
    WrongAmount,
    /// It names a payment that the provider does not know.
    UnknownPayment,
    /// It names somebody else's payment.
    OthersPayment,
    /// The customer began to pay and did not finish.
    NotPaid,
    /// It is paid, and shows so only a while after it was placed.
    PaidLate,
    /// The catalogue's price changed since the order was created.
    PriceChanged,
}

/// One order of the run.
#[derive(Clone, Debug)]
pub struct Planned {
    /// Its number.
    pub number: OrderNumber,
    /// What is wrong with it.
    pub case: OrderCase,
    /// Item, quantity, unit price as the customer saw it.
    pub lines: Vec<(String, i64, i64)>,
    /// The payment it names.
    pub payment_id: String,
    /// Amount.
    pub total: i64,
    /// When the client places it.
    pub at: Us,
    /// From when on its payment shows as it is, and how it shows before.
    pub shows: (Us, Before),
}

/// Longest time between placing and showing: far beyond what a verification waits, so that some come too late.
const LATE: Us = 25_000_000;

/// A run's orders and items.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Orders, by time.
    pub orders: Vec<Planned>,
    /// Items with price and stock.
    pub items: Vec<(String, i64, i64)>,
    /// Units put in later: when, item, how many.
    pub restocks: Vec<(Us, String, i64)>,
    /// A customer's payment of an order that is never placed.
    pub bystander: String,
    /// How long customers come, microseconds.
    pub span: Us,
}

impl Workload {
    /// The workload of a seed, of at most `limit` orders.
    #[must_use]
    pub fn new(seed: u64, limit: Option<usize>) -> Self {
        let mut rng = Rng::new(seed, "workload");
        let count = usize::try_from(rng.between(60, 140)).unwrap_or(100);
        let bursts = rng.between(1, 12);
        let span = rng.between(500_000, 20_000_000);
        let moments: Vec<Us> = (0..bursts).map(|_| rng.below(span)).collect();
        let kinds = usize::try_from(rng.between(1, 4)).unwrap_or(1);
        let items: Vec<(String, i64, i64)> = (0..kinds)
            .map(|index| {
                let stock = i64::try_from(rng.between(5, 2 * count as u64 / kinds as u64)).unwrap_or(5);
                (format!("item-{index}"), 100 * (index as i64 + 1), stock)
            })
            .collect();
        let bystander = "imp_bystander".to_owned();
        let mut orders: Vec<Planned> = (0..count)
            .map(|index| {
                let at = moments[rng.index(moments.len())] + rng.below(20_000);
                Planned::draw(&mut rng, index, &items, &bystander, at)
            })
            .collect();
        // Dice of its own, so that everything else of a seed stays as it is.
        let mut late = Rng::new(seed, "late");
        for planned in orders.iter_mut().filter(|planned| planned.case == OrderCase::NotPaid) {
            if late.chance(500_000) {
                let before = [Before::Hidden, Before::Ready, Before::Failed][late.index(3)];
                planned.case = OrderCase::PaidLate;
                planned.shows = (planned.at + late.between(200_000, LATE), before);
            }
        }
        orders.truncate(limit.unwrap_or(count));
        let restocks = (0..rng.below(6)).map(|_| {
            let (item, at) = (items[rng.index(items.len())].0.clone(), rng.below(span + 5_000_000));
            (at, item, i64::try_from(rng.between(1, 10)).unwrap_or(1))
        });
        let restocks = restocks.collect();
        Self { orders, items, restocks, bystander, span }
    }

    /// Puts units in, as the shop's people do.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn restock(&self, stage: &Stage, number: usize) -> Result<(), String> {
        let (_, item, quantity) = &self.restocks[number];
        let (clock, mut request) = (Clock::from_fn(|| 1), [0x5e; 16]);
        request[15] = u8::try_from(number).unwrap_or(u8::MAX);
        let done = restock(&stage.databases["stock"], &clock, item, request, *quantity).now_or_never();
        match done {
            Some(Ok(Restocked::Item(_))) => Ok(()),
            other => Err(format!("restock: {other:?}")),
        }
    }

    /// Puts items, orders and payments in place: what was there before any saga.
    ///
    /// # Errors
    /// If a database refuses.
    pub fn set_up(&self, stage: &Stage) -> Result<(), String> {
        let items = self.items.iter().map(|(id, price, stock)| {
            let item = Item {
                id: id.clone(),
                display_name: id.clone(),
                currency: CURRENCY.to_owned(),
                unit_price: *price,
                available: *stock,
                reserved: 0,
                stocked: *stock,
                initial_stock: *stock,
                created_at: 1,
                updated_at: 1,
            };
            item.values()
        });
        insert(&stage.databases["stock"], "item", &ITEM_COLUMNS, items.collect())?;
        let orders = self.orders.iter().map(|planned| planned.order().values());
        insert(&stage.databases["order"], "orders", &ORDER_COLUMNS, orders.collect())?;
        let mut inner = stage.world.lock();
        let payments = &mut inner.provider.payments;
        for planned in &self.orders {
            let paid = match planned.case {
                OrderCase::Sound | OrderCase::PriceChanged | OrderCase::PaidLate => planned.total,
                OrderCase::WrongAmount => planned.total + 1,
                OrderCase::NotPaid => 0,
                OrderCase::UnknownPayment | OrderCase::OthersPayment => continue,
            };
            let payment = Payment { shows: planned.shows, ..payment(planned.number.to_string(), paid)? };
            payments.insert(planned.payment_id.clone(), payment);
        }
        let other = OrderNumber::from_bytes([0xbb; 16]).to_string();
        payments.insert(self.bystander.clone(), payment(other, 777)?);
        Ok(())
    }
}

fn payment(merchant: String, paid: i64) -> Result<Payment, String> {
    let currency = Currency::from_code(CURRENCY).map_err(|_| "the run's currency is none".to_owned())?;
    Ok(Payment { merchant, currency, paid, refunded: 0, refunds: 0, shows: (0, Before::Hidden) })
}

fn insert(
    database: &Database,
    table: &'static str,
    columns: &'static [&'static str],
    rows: Vec<Vec<Value>>,
) -> Result<(), String> {
    let inserted = database.transaction(move |tx| {
        let rows = rows.clone();
        Box::pin(async move {
            tx.insert_many(table, columns, rows).await?;
            Ok(Verdict::Commit(()))
        })
    });
    // SQLite in memory is done at the first poll.
    inserted.now_or_never().unwrap_or(Ok(())).map_err(|error| format!("{table}: {error}"))
}

impl Planned {
    fn draw(rng: &mut Rng, index: usize, items: &[(String, i64, i64)], bystander: &str, at: Us) -> Self {
        let case = match rng.below(100) {
            0..70 => OrderCase::Sound,
            70..78 => OrderCase::WrongAmount,
            78..84 => OrderCase::UnknownPayment,
            84..89 => OrderCase::OthersPayment,
            89..94 => OrderCase::NotPaid,
            _ => OrderCase::PriceChanged,
        };
        let first = rng.index(items.len());
        let count = rng.between(1, items.len().min(2) as u64) as usize;
        let lines: Vec<(String, i64, i64)> = (0..count)
            .map(|offset| {
                let (id, price, _) = &items[(first + offset) % items.len()];
                let price = if case == OrderCase::PriceChanged { price - 1 } else { *price };
                (id.clone(), i64::try_from(rng.between(1, 3)).unwrap_or(1), price)
            })
            .collect();
        let number = OrderNumber::from_bytes(rng.uuid_v7(1_700_000_000_000 + index as u64));
        let payment_id =
            if case == OrderCase::OthersPayment { bystander.to_owned() } else { format!("imp_{index:04}") };
        let total = lines.iter().map(|(_, quantity, price)| quantity * price).sum();
        Self { number, case, lines, payment_id, total, at, shows: (0, Before::Hidden) }
    }

    /// The order as `CreateOrder` left it.
    fn order(&self) -> Order {
        let lines = self.lines.iter().map(|(id, quantity, price)| (id.as_str(), *quantity, *price));
        let lines: Vec<(&str, i64, i64)> = lines.collect();
        let parsed = Lines::parse("lines", lines.into_iter(), &mut Violations::new());
        let content = parsed.map(|lines| Content::new(&self.customer(), CURRENCY, &lines));
        let empty = || Content { customer: String::new(), currency: CURRENCY.to_owned(), lines: Vec::new() };
        Order {
            number: self.number,
            content: content.unwrap_or_else(empty),
            total: self.total,
            state: OrderState::PaymentPending,
            saga: None,
            reason: String::new(),
            request: Some(self.number.bytes()),
            created_at: 1,
            updated_at: 1,
        }
    }

    fn customer(&self) -> String {
        format!("customer-{}", self.number.bytes()[15])
    }

    /// What the client asks for; `other` makes it another content under the same number.
    #[must_use]
    pub fn input(&self, other: bool) -> Bytes {
        let lines = self.lines.iter().map(|(id, quantity, price)| OrderLine {
            item_id: id.clone(),
            quantity: quantity + i64::from(other),
            unit_price_minor_units: *price,
        });
        let input = OrderSagaInput {
            order_number: self.number.to_string(),
            payment_id: self.payment_id.clone(),
            customer_id: self.customer(),
            currency_code: CURRENCY.to_owned(),
            lines: lines.collect(),
        };
        input.encode_to_vec().into()
    }
}

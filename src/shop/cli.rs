//! What the shop adds to the command line: demo, sandbox, items, orders and payments.

use crate::cli::page::Page;
use clap::{Args, Subcommand, ValueEnum};
use std::net::SocketAddr;
use uuid::Uuid;

/// What the shop adds to the command line.
#[derive(Debug, Subcommand)]
pub enum ShopCommand {
    /// Send 1,000 concurrent orders for 800 units, then audit every order, unit and cent
    Demo(Demo),
    /// Run the sandbox payment provider
    SandboxProvider {
        /// HTTP address to listen on [default: from the configuration]
        #[arg(long, value_name = "ADDR")]
        listen: Option<SocketAddr>,
    },
    /// Items of the catalogue and their stock
    #[command(subcommand)]
    Items(Items),
    /// Orders: create, pay elsewhere, place, follow
    #[command(subcommand)]
    Orders(Orders),
    /// Payments: what orders have claimed, and what they waited for
    #[command(subcommand)]
    Payments(PaymentsCommand),
}

/// Arguments of `baton demo`.
#[derive(Args, Clone, Debug)]
pub struct Demo {
    /// gRPC address of running processes to drive; without it everything runs in here, in a temporary directory
    #[arg(long, value_name = "ADDR")]
    pub target: Option<String>,
    /// Base URL of the sandbox payment provider those processes use [default: provider.base_url of the configuration]
    #[arg(long, value_name = "URL", requires = "target")]
    pub provider: Option<String>,
    /// Orders to place at once
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub orders: u32,
    /// Units in stock
    #[arg(long, default_value_t = 800, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub stock: u32,
    /// Orders among them that pay a wrong amount
    #[arg(long, default_value_t = 50)]
    pub wrong_amount: u32,
    /// Orders among them that name a payment nobody made
    #[arg(long, default_value_t = 50)]
    pub unknown_payment: u32,
    /// Calls in progress at once
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub concurrency: u32,
    /// How long to wait for the last saga before the audit fails, in seconds
    #[arg(long, default_value_t = 120, value_name = "SECONDS")]
    pub settle: u64,
}

/// `baton items`.
#[derive(Clone, Debug, Subcommand)]
pub enum Items {
    /// Create an item; the same again with the same content is fine
    Create {
        /// Its id: 1 to 64 of A-Z a-z 0-9 _ -
        id: String,
        /// Price of one unit in minor units (cents, whole won)
        #[arg(long, allow_negative_numbers = true)]
        price: i64,
        /// Units in stock at first
        #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
        stock: i64,
        /// ISO 4217 code
        #[arg(long, default_value = "KRW")]
        currency: String,
        /// For people
        #[arg(long, default_value = "")]
        name: String,
    },
    /// Show one item
    Get {
        /// Its id
        id: String,
    },
    /// List items by id
    List(Page),
    /// Put units into stock
    Restock {
        /// Its id
        id: String,
        /// Units to add
        #[arg(long, allow_negative_numbers = true)]
        quantity: i64,
        /// Makes a repetition harmless [default: a new one]
        #[arg(long)]
        request_id: Option<Uuid>,
    },
}

/// `baton orders`.
#[derive(Clone, Debug, Subcommand)]
pub enum Orders {
    /// Create an order: prints its number and the amount to pay
    Create {
        /// ITEM=QUANTITY, at today's price, or ITEM=QUANTITY@PRICE; may be repeated
        #[arg(long = "line", required = true, value_name = "ITEM=QUANTITY[@PRICE]", value_parser = line)]
        lines: Vec<Line>,
        /// Who orders
        #[arg(long, default_value = "customer-1")]
        customer: String,
        /// ISO 4217 code [default: that of the first item]
        #[arg(long)]
        currency: Option<String>,
        /// Makes a repetition harmless [default: a new one]
        #[arg(long)]
        request_id: Option<Uuid>,
    },
    /// Place a paid order; prints how far it got
    Place {
        /// Its number, from `orders create`
        #[arg(long, value_name = "NUMBER")]
        order: String,
        /// The provider's payment id (imp_uid)
        #[arg(long, value_name = "ID")]
        payment: String,
        /// Return as soon as the order is accepted instead of waiting for its end
        #[arg(long)]
        no_wait: bool,
        /// Makes a repetition harmless [default: a new one]
        #[arg(long)]
        request_id: Option<Uuid>,
    },
    /// Show one order
    Get {
        /// Its number
        order: String,
    },
    /// List orders, newest first
    List {
        /// Only those in this state
        #[arg(long, value_enum)]
        state: Option<OrderStateArg>,
        /// How many.
        #[command(flatten)]
        page: Page,
    },
    /// Follow an order to its end
    Watch {
        /// Its number
        order: String,
    },
}

/// `baton payments`.
#[derive(Clone, Debug, Subcommand)]
pub enum PaymentsCommand {
    /// Show one payment
    Get {
        /// The provider's payment id (imp_uid)
        payment: String,
    },
    /// List payments that orders have claimed, newest first
    List(Page),
    /// List payments that were not there when their orders needed them
    Cases {
        /// Only those that wait for a person
        #[arg(long)]
        open: bool,
        /// How many.
        #[command(flatten)]
        page: Page,
    },
    /// Note that a person has decided about an open case; moves no money
    Settle {
        /// The case: paymentCases/UUID, or the UUID of its saga
        case: String,
        /// Why; kept with the case
        #[arg(long, value_name = "WHY")]
        reason: String,
        /// Who; kept with the case [default: your user name]
        #[arg(long, value_name = "WHO", env = "BATON_ACTOR")]
        actor: Option<String>,
    },
}

/// One line of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Item id.
    pub item: String,
    /// Units; the server says which numbers are fine.
    pub quantity: i64,
    /// Price of one unit, if the customer insists on one.
    pub price: Option<i64>,
}

/// An order's state on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OrderStateArg {
    /// Created, not yet placed.
    PaymentPending,
    /// Placed, at work.
    PaymentConfirm,
    /// Completed.
    PaymentSuccess,
    /// Undone: stock or price.
    PaymentOutOfStock,
    /// Undone: payment.
    PaymentNoPaymentInfo,
    /// Undone: another reason.
    Cancelled,
}

fn line(text: &str) -> Result<Line, String> {
    let shape = || "write it as ITEM=QUANTITY or ITEM=QUANTITY@PRICE".to_owned();
    let (item, rest) = text.split_once('=').ok_or_else(shape)?;
    let (quantity, price) = match rest.split_once('@') {
        Some((quantity, price)) => (quantity, Some(price.parse().map_err(|_| shape())?)),
        None => (rest, None),
    };
    Ok(Line { item: item.to_owned(), quantity: quantity.parse().map_err(|_| shape())?, price })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        assert_eq!(line("sku-1=2"), Ok(Line { item: "sku-1".to_owned(), quantity: 2, price: None }));
        assert_eq!(line("a=1@500"), Ok(Line { item: "a".to_owned(), quantity: 1, price: Some(500) }));
        for wrong in ["a", "a=", "a=x", "a=1@", "a=1@x"] {
            assert!(line(wrong).is_err(), "{wrong}");
        }
    }
}

//! What a demo run will do, decided before anything is sent: which orders pay how, and what must come of them.

use crate::failure::Failure;
use crate::shop::cli::Demo;
use uuid::Uuid;

/// Price of one unit in won.
pub const PRICE: i64 = 12_000;

/// How a wrong payment differs from the order's total.
const SHORT_BY: i64 = 1;

/// Currency of the demo; it has no minor units, so that amounts read the same everywhere.
pub const CURRENCY: &str = "KRW";

/// How an order is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pays {
    /// The right amount under its own number.
    Right,
    /// Another amount under its own number.
    Wrong,
    /// Not at all: it names a payment that does not exist.
    Nothing,
    /// Not at all: it names the payment of somebody else's order.
    Somebody,
}

/// One order of the run.
#[derive(Clone, Debug)]
pub struct Planned {
    /// For CreateOrder.
    pub create_id: Uuid,
    /// For PlaceOrder; kept over all repetitions.
    pub place_id: Uuid,
    /// How it is paid.
    pub pays: Pays,
    /// The payment id it names.
    pub payment: String,
}

/// The whole run. Its ids are fresh, so that it can be repeated against the same installation.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The hot item.
    pub item: String,
    /// Units of it.
    pub stock: u32,
    /// The orders, bad ones spread evenly among the good.
    pub orders: Vec<Planned>,
    /// An order that is paid and never placed; nobody may touch its payment.
    pub bystander: Planned,
}

/// How many orders must end how, if nothing is away for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Completed.
    pub completed: u32,
    /// Undone for want of stock.
    pub out_of_stock: u32,
    /// Undone for their payment.
    pub payment_failed: u32,
}

impl Plan {
    /// Draws up the run.
    ///
    /// # Errors
    /// If more orders are to fail than there are.
    pub fn draw(args: &Demo) -> Result<Self, Failure> {
        let bad = args.wrong_amount.checked_add(args.unknown_payment).filter(|bad| *bad <= args.orders);
        if bad.is_none() {
            return Err(Failure::Usage("--wrong-amount and --unknown-payment together exceed --orders".to_owned()));
        }
        let run = Uuid::now_v7().simple().to_string();
        let bystander = planned(Pays::Right);
        let mut hostile = false;
        let mut orders: Vec<Planned> = Vec::with_capacity(args.orders as usize);
        for number in 0..args.orders {
            let mut order = planned(pays(number, args));
            if order.pays == Pays::Nothing && !hostile {
                hostile = true;
                order.pays = Pays::Somebody;
                order.payment.clone_from(&bystander.payment);
            }
            orders.push(order);
        }
        Ok(Self { item: format!("hot-{run}"), stock: args.stock, orders, bystander })
    }

    /// What must come of it.
    #[must_use]
    pub fn expected(&self) -> Expected {
        let count = |pick: fn(Pays) -> bool| {
            u32::try_from(self.orders.iter().filter(|order| pick(order.pays)).count()).unwrap_or(u32::MAX)
        };
        let good = count(|pays| pays == Pays::Right);
        let completed = good.min(self.stock);
        Expected { completed, out_of_stock: good - completed, payment_failed: count(|pays| pays != Pays::Right) }
    }
}

/// What a customer who pays like this hands to the provider for a total, if anything.
#[must_use]
pub fn amount(pays: Pays, total: i64) -> Option<i64> {
    match pays {
        Pays::Right => Some(total),
        Pays::Wrong => Some(total - SHORT_BY),
        Pays::Nothing | Pays::Somebody => None,
    }
}

fn planned(pays: Pays) -> Planned {
    let payment = format!("imp_{}", Uuid::now_v7().simple());
    Planned { create_id: Uuid::now_v7(), place_id: Uuid::now_v7(), pays, payment }
}

/// Spreads the bad orders: the n-th of `bad` stands at about n/bad of the run.
fn pays(number: u32, args: &Demo) -> Pays {
    let bad = u64::from(args.wrong_amount + args.unknown_payment);
    let share = |upto: u32| u64::from(upto) * bad / u64::from(args.orders);
    let before = share(number);
    if share(number + 1) == before {
        Pays::Right
    } else if before % 2 == 0 && before / 2 < u64::from(args.wrong_amount)
        || before >= 2 * u64::from(args.unknown_payment)
    {
        Pays::Wrong
    } else {
        Pays::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(orders: u32, stock: u32, wrong_amount: u32, unknown_payment: u32) -> Demo {
        Demo { target: None, provider: None, orders, stock, wrong_amount, unknown_payment, concurrency: 1, settle: 1 }
    }

    fn counts(plan: &Plan) -> (usize, usize, usize) {
        let count = |pick: fn(Pays) -> bool| plan.orders.iter().filter(|order| pick(order.pays)).count();
        (
            count(|pays| pays == Pays::Right),
            count(|pays| pays == Pays::Wrong),
            count(|pays| matches!(pays, Pays::Nothing | Pays::Somebody)),
        )
    }

    #[test]
    fn the_default_run_adds_up() {
        let plan = Plan::draw(&args(1000, 800, 50, 50)).unwrap();
        assert_eq!(counts(&plan), (900, 50, 50));
        assert_eq!(plan.expected(), Expected { completed: 800, out_of_stock: 100, payment_failed: 100 });
        assert_eq!(plan.orders.iter().filter(|order| order.pays == Pays::Somebody).count(), 1);
    }

    #[test]
    fn every_mix_adds_up() {
        for (orders, wrong, unknown) in
            [(10, 0, 0), (10, 10, 0), (10, 0, 10), (10, 3, 7), (10, 7, 3), (1, 1, 0), (7, 2, 1), (9, 1, 5)]
        {
            let plan = Plan::draw(&args(orders, 5, wrong, unknown)).unwrap();
            let good = orders - wrong - unknown;
            assert_eq!(counts(&plan), (good as usize, wrong as usize, unknown as usize), "{orders} {wrong} {unknown}");
        }
        assert!(Plan::draw(&args(10, 5, 6, 5)).is_err());
    }
}

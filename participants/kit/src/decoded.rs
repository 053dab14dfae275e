//! A delivery, decoded: what can be handled, what can only be answered, and what nobody can be answered for.

use crate::codec::{self, Item};
use crate::malformed::Malformed;
use crate::participant::Command;
use baton_courier::bus::Delivery;
use bytes::Bytes;

/// The items of a delivery by what can be done with them.
#[derive(Debug)]
pub(crate) struct DecodedDelivery {
    /// None once it is acknowledged.
    pub delivery: Option<Delivery>,
    pub commands: Vec<Command>,
    pub malformed: Vec<Malformed>,
    pub unreadable: Vec<Bytes>,
}

impl DecodedDelivery {
    /// Splits a delivery; gives back one in which nothing can be read.
    pub(crate) fn of(delivery: Delivery) -> Result<Self, Delivery> {
        let items = codec::decode(delivery.body.clone());
        let nothing_readable =
            |items: &Vec<Item>| !items.is_empty() && items.iter().all(|item| matches!(item, Item::Unreadable(_)));
        let Some(items) = items.filter(|items| !nothing_readable(items)) else { return Err(delivery) };
        let mut one = Self { delivery: Some(delivery), commands: vec![], malformed: vec![], unreadable: vec![] };
        for item in items {
            match item {
                Item::Command(command) => one.commands.push(command),
                Item::Malformed { key, attempt, message } => one.malformed.push(Malformed { key, attempt, message }),
                Item::Unreadable(bytes) => one.unreadable.push(bytes),
            }
        }
        Ok(one)
    }
}

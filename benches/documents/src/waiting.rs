//! Callers that wait for the end of their orders, which arrives as an event.

use crate::orders::Standing;
use shop_domain::identifier::OrderNumber;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// By order; several callers may wait for one.
#[derive(Debug, Default)]
pub struct Waiting {
    callers: Mutex<HashMap<[u8; 16], Vec<oneshot::Sender<Standing>>>>,
}

impl Waiting {
    /// Waits from now on. Read the order's state after this, and an end cannot be missed.
    pub fn listen(&self, order: OrderNumber) -> oneshot::Receiver<Standing> {
        let (told, end) = oneshot::channel();
        self.lock().entry(order.bytes()).or_default().push(told);
        end
    }

    /// Tells all who wait for the order.
    pub fn tell(&self, order: OrderNumber, standing: &Standing) {
        let callers = self.lock().remove(&order.bytes()).unwrap_or_default();
        for caller in callers {
            // Who has gone needs no answer.
            let _ = caller.send(standing.clone());
        }
    }

    /// Forgets callers of an order that have gone.
    pub fn tidy(&self, order: OrderNumber) {
        let mut callers = self.lock();
        if let Some(left) = callers.get_mut(&order.bytes()) {
            left.retain(|caller| !caller.is_closed());
            if left.is_empty() {
                callers.remove(&order.bytes());
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 16], Vec<oneshot::Sender<Standing>>>> {
        // Each change is one call: a panic elsewhere leaves nothing half done.
        self.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_who_wait_are_told_and_those_who_left_are_forgotten() {
        let (waiting, order) = (Waiting::default(), OrderNumber::generate());
        let (first, second) = (waiting.listen(order), waiting.listen(order));
        drop(second);
        waiting.tidy(order);
        assert_eq!(waiting.lock()[&order.bytes()].len(), 1);
        waiting.tell(order, &Standing::success());
        assert_eq!(first.await.unwrap(), Standing::success());
        assert!(waiting.lock().is_empty());
    }
}

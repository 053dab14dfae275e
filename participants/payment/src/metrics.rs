//! What the payment participant counts of its own. Labels are bounded: currencies, never ids.

use crate::tally::WatchTally;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The numbers, shared by all lives of the participant in a process. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct PaymentMetrics {
    watched: Gauge,
    open: Gauge,
    open_minor_units: Family<CurrencyLabel, Gauge>,
    late_refunds: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CurrencyLabel {
    currency: String,
}

impl PaymentMetrics {
    /// Registers the numbers, once per process.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "shop_payment_watched",
            "Payments that were not there when they were needed and are looked at again",
            self.watched.clone(),
        );
        registry.register("shop_payment_open_cases", "Payments that wait for a person's decision", self.open.clone());
        registry.register(
            "shop_payment_open_minor_units",
            "Money of open cases that the provider holds, by currency",
            self.open_minor_units.clone(),
        );
        registry.register(
            "shop_payment_late_refunds",
            "Payments that turned up after their order had ended and were sent back",
            self.late_refunds.clone(),
        );
    }

    pub(crate) fn counted(&self, tally: &WatchTally) {
        self.watched.set(tally.watched);
        self.open.set(tally.open);
        // A currency without an open case any more.
        self.open_minor_units.clear();
        for (currency, minor_units) in &tally.open_minor_units {
            self.open_minor_units.get_or_create(&CurrencyLabel { currency: currency.clone() }).set(*minor_units);
        }
    }

    pub(crate) fn refunded_late(&self, payments: usize) {
        self.late_refunds.inc_by(payments as u64);
    }
}

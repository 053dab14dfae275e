//! `baton payments`: what orders have claimed, and payments that were not there, over gRPC.

use crate::client::{Client, name};
use crate::failure::Failure;
use crate::operate::actor;
use crate::paging::paged;
use crate::shop::cli::PaymentsCommand;
use crate::show::Printer;
use shop_proto::payment::v1::payment_service_client::PaymentServiceClient;
use shop_proto::payment::v1::{
    GetPaymentRequest, ListPaymentCasesRequest, ListPaymentsRequest, SettlePaymentCaseRequest,
};

/// What a list shows of a payment.
const LISTED: [&str; 6] = ["name", "order", "state", "currencyCode", "amountMinorUnits", "saga"];
/// What a list shows of a case.
const CASES_LISTED: [&str; 7] = ["name", "payment", "order", "state", "reason", "currencyCode", "heldMinorUnits"];

/// Carries out one `baton payments` command.
///
/// # Errors
/// What the server refused.
pub async fn run(command: PaymentsCommand, client: &Client, printer: Printer) -> Result<(), Failure> {
    let mut payments = PaymentServiceClient::new(client.channel());
    match command {
        PaymentsCommand::Get { payment } => {
            let request = client.request(GetPaymentRequest { name: name("payments", &payment) });
            printer.one(&payments.get_payment(request).await?.into_inner(), "payment", &[])
        }
        PaymentsCommand::List(page) => {
            let found = paged(page.limit, async |page_size, page_token| {
                let request = ListPaymentsRequest { page_size, page_token };
                Ok(payments.list_payments(client.request(request)).await?.into_inner())
            });
            printer.list(&found.await?, "payments", &LISTED)
        }
        PaymentsCommand::Cases { open, page } => {
            let found = paged(page.limit, async |page_size, page_token| {
                let request = ListPaymentCasesRequest { page_size, page_token, open_only: open };
                Ok(payments.list_payment_cases(client.request(request)).await?.into_inner())
            });
            printer.list(&found.await?, "cases", &CASES_LISTED)
        }
        PaymentsCommand::Settle { case, reason, actor } => {
            let actor = self::actor(actor)?;
            let request = SettlePaymentCaseRequest { name: name("paymentCases", &case), reason, actor };
            printer.one(&payments.settle_payment_case(client.request(request)).await?.into_inner(), "case", &[])
        }
    }
}

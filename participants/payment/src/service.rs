//! gRPC: get and list payments as this participant knows them, and those that it waits for.

use crate::cases;
use crate::claim::{COLUMNS, Claim, ClaimState};
use baton_participant_kit::clock::{Clock, timestamp};
use baton_rpc::errors::{Flaw, invalid, not_found, store};
use baton_rpc::name::of_saga;
use baton_rpc::page;
use baton_rpc::reason::Reason;
use baton_sql::database::Database;
use baton_sql::value::{Row, Value};
use shop_domain::name;
use shop_domain::reason;
use shop_proto::payment::v1::payment_service_server::{PaymentService, PaymentServiceServer};
use shop_proto::payment::v1::{
    GetPaymentRequest, GetPaymentResponse, ListPaymentCasesRequest, ListPaymentCasesResponse, ListPaymentsRequest,
    ListPaymentsResponse, Payment, PaymentState, SettlePaymentCaseRequest, SettlePaymentCaseResponse,
};
use tonic::{Request, Response, Status};

/// The list that page tokens belong to.
const LIST: &str = "ListPayments";

/// Serves `shop.payment.v1.PaymentService` from the participant's database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Payments {
    database: Database,
    clock: Clock,
}

impl Payments {
    /// Over the participant's database.
    #[must_use]
    pub fn new(database: Database, clock: Clock) -> Self {
        Self { database, clock }
    }

    /// The service, ready for a router.
    #[must_use]
    pub fn service(database: Database, clock: Clock) -> PaymentServiceServer<Self> {
        PaymentServiceServer::new(Self::new(database, clock))
    }

    /// Rows behind a page token's key (creation time and id), newest first.
    async fn rows(&self, after: Option<(i64, String)>, limit: u32) -> Result<Vec<Row>, Status> {
        let order = "ORDER BY created_at DESC, payment_id DESC LIMIT ?";
        let limit = Value::from(limit);
        let rows = match after {
            None => self.database.query(&format!("SELECT {COLUMNS} FROM payment {order}"), vec![limit]).await,
            Some((created_us, id)) => {
                let sql = format!(
                    "SELECT {COLUMNS} FROM payment WHERE created_at < ? OR (created_at = ? AND payment_id < ?) {order}"
                );
                self.database.query(&sql, vec![created_us.into(), created_us.into(), id.into(), limit]).await
            }
        };
        rows.map_err(|error| store(&error))
    }
}

#[tonic::async_trait]
impl PaymentService for Payments {
    async fn get_payment(&self, request: Request<GetPaymentRequest>) -> Result<Response<GetPaymentResponse>, Status> {
        let asked = request.into_inner().name;
        let id = name::payment(&asked).map_err(|flaw| invalid("name", flaw))?;
        let sql = format!("SELECT {COLUMNS} FROM payment WHERE payment_id = ?");
        let rows = self.database.query(&sql, vec![id.as_str().into()]).await.map_err(|error| store(&error))?;
        let row = rows.first().ok_or_else(|| not_found(reason::PAYMENT_NOT_FOUND, &asked))?;
        let claim = Claim::from_row(row).map_err(|error| store(&error))?;
        Ok(Response::new(GetPaymentResponse { payment: Some(shown(&claim)) }))
    }

    async fn list_payments(
        &self,
        request: Request<ListPaymentsRequest>,
    ) -> Result<Response<ListPaymentsResponse>, Status> {
        let ListPaymentsRequest { page_size, page_token } = request.into_inner();
        let size = page::page_size(page_size).map_err(|flaw| invalid("page_size", flaw))?;
        let after = page::key(LIST, &page_token)
            .and_then(|key| key.map(|key| key_of(&key)).transpose())
            .map_err(|flaw| invalid("page_token", flaw))?;
        // One more than asked tells whether there is a next page.
        let rows = self.rows(after, size + 1).await?;
        let claims = rows.iter().map(Claim::from_row).collect::<Result<Vec<_>, _>>();
        let mut claims = claims.map_err(|error| store(&error))?;
        let next_page_token = page::cut(&mut claims, size, LIST, key_to);
        let payments = claims.iter().map(shown).collect();
        Ok(Response::new(ListPaymentsResponse { payments, next_page_token }))
    }

    async fn list_payment_cases(
        &self,
        request: Request<ListPaymentCasesRequest>,
    ) -> Result<Response<ListPaymentCasesResponse>, Status> {
        Ok(Response::new(cases::list(&self.database, &request.into_inner()).await?))
    }

    async fn settle_payment_case(
        &self,
        request: Request<SettlePaymentCaseRequest>,
    ) -> Result<Response<SettlePaymentCaseResponse>, Status> {
        Ok(Response::new(cases::settle(&self.database, self.clock.now_us(), request.into_inner()).await?))
    }
}

fn key_to(claim: &Claim) -> Vec<u8> {
    [&claim.created_us.to_be_bytes()[..], claim.payment_id.as_str().as_bytes()].concat()
}

fn key_of(key: &[u8]) -> Result<(i64, String), Flaw> {
    let parse = || {
        let (time, id) = key.split_first_chunk::<8>()?;
        Some((i64::from_be_bytes(*time), String::from_utf8(id.to_vec()).ok()?))
    };
    parse().ok_or_else(|| Flaw::new(Reason::PAGE_TOKEN_INVALID, "must be the next_page_token of the same query"))
}

/// A payment on its way back is shown as claimed until the money is known to be there.
fn shown(claim: &Claim) -> Payment {
    let state = match claim.state {
        ClaimState::Claimed | ClaimState::Refunding => PaymentState::Claimed,
        ClaimState::Refunded => PaymentState::Refunded,
    };
    Payment {
        name: format!("payments/{}", claim.payment_id.as_str()),
        order: name::of_order(claim.order),
        state: state.into(),
        currency_code: claim.money.currency.as_str().to_owned(),
        amount_minor_units: claim.money.minor_units,
        saga: of_saga(claim.saga),
        create_time: Some(timestamp(claim.created_us)),
        update_time: Some(timestamp(claim.updated_us)),
    }
}

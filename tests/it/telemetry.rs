//! One trace per saga: the caller's trace id is on the orchestrator's and every participant's spans.

use crate::support;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use shop_proto::order::v1::order_placement_service_client::OrderPlacementServiceClient;
use shop_proto::order::v1::{OrderLine, PlaceOrderRequest};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use support::{Dev, wait_for};
use tonic::transport::{Endpoint, Server};
use tonic::{Request, Response, Status};
use uuid::Uuid;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// A collector that keeps the names of the spans of one trace.
#[derive(Clone, Debug, Default)]
struct Collector(Arc<Mutex<BTreeSet<String>>>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let resources = request.into_inner().resource_spans.into_iter();
        let spans = resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans);
        for span in spans {
            let id: String = span.trace_id.iter().map(|byte| format!("{byte:02x}")).collect();
            if id == TRACE {
                self.0.lock().expect("no panic").insert(span.name);
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_callers_trace_goes_through_orchestrator_and_participants() {
    let collector = Collector::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("its address"));
    let service = TraceServiceServer::new(collector.clone());
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    tokio::spawn(Server::builder().add_service(service).serve_with_incoming(incoming));

    let dir = tempfile::tempdir().expect("a directory");
    let environment = [("BATON_TELEMETRY__OTLP_ENDPOINT", endpoint.as_str()), ("BATON_PROVIDER__PATIENCE", "0s")];
    let dev = Dev::start_with(dir.path(), &environment).await;
    let channel = Endpoint::from_shared(format!("http://{}", dev.address())).expect("an address").connect_lazy();
    let mut request = Request::new(PlaceOrderRequest {
        request_id: Uuid::now_v7().to_string(),
        order: format!("orders/{}", Uuid::now_v7()),
        payment_id: "imp_unknown".into(),
        customer_id: "alice".into(),
        currency_code: "KRW".into(),
        lines: vec![OrderLine { item_id: "apple".into(), quantity: 1, unit_price_minor_units: 5 }],
        wait: true,
    });
    let context = format!("00-{TRACE}-b7ad6b7169203331-01");
    request.metadata_mut().insert("traceparent", context.parse().expect("ASCII"));
    let placed = OrderPlacementServiceClient::new(channel).place_order(request).await.expect("placed");
    assert_eq!(placed.into_inner().progress.expect("progress").reason, "PAYMENT_UNKNOWN");

    let expected = ["saga transition", "order.open", "payment.verify", "order.reject", "payment.cancel"];
    let all_here = async || {
        let seen = collector.0.lock().expect("no panic");
        expected.iter().all(|name| seen.contains(*name))
    };
    wait_for("the spans of the trace", all_here).await;
}

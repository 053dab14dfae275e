//! Traces over OTLP, if an endpoint is set.

use crate::config::TelemetryConfig;
use crate::failure::Failure;
use crate::output;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::time::Duration;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

/// How long a stopping process waits for its last spans.
const FLUSH: Duration = Duration::from_secs(3);

/// Where spans go.
#[derive(Debug)]
pub(super) struct Traces(Option<SdkTracerProvider>);

impl Traces {
    /// The W3C propagator is set even without an exporter: a trace context that comes in goes on with the saga.
    pub(super) fn start(config: &TelemetryConfig, service: &str) -> Result<Self, Failure> {
        opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
        baton_orchestrator::trace::set_exporting(!config.otlp_endpoint.is_empty());
        if config.otlp_endpoint.is_empty() {
            return Ok(Self(None));
        }
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_tonic()
            .with_endpoint(&config.otlp_endpoint)
            .with_timeout(FLUSH)
            .build()
            .map_err(|error| Failure::Usage(format!("telemetry.otlp_endpoint: {error}")))?;
        let traces = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(Resource::builder().with_service_name(service.to_owned()).build())
            .build();
        opentelemetry::global::set_tracer_provider(traces.clone());
        Ok(Self(Some(traces)))
    }

    /// What hands spans over, if they go anywhere.
    pub(super) fn layer<S>(&self) -> Option<impl Layer<S> + Send + Sync + use<S>>
    where
        S: tracing::Subscriber + Send + Sync + for<'a> LookupSpan<'a>,
    {
        self.0.as_ref().map(|traces| tracing_opentelemetry::layer().with_tracer(traces.tracer("baton")))
    }

    /// Sends the spans that wait, for at most three seconds.
    pub(super) async fn close(self) {
        let Some(traces) = self.0 else { return };
        // The flush blocks; on the runtime's own threads it could wait for itself.
        let flushed = tokio::task::spawn_blocking(move || traces.shutdown_with_timeout(FLUSH)).await;
        if let Ok(Err(error)) = flushed {
            output::talk(&format!("telemetry: the last spans were not sent: {error}"));
        }
    }
}

//! Logs for people or machines, and traces over OTLP if an endpoint is set.

use crate::config::{LogFormat, TelemetryConfig};
use crate::failure::Failure;
use crate::output;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::io::IsTerminal as _;
use std::str::FromStr as _;
use std::time::Duration;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry, fmt};

/// How long a stopping process waits for its last spans.
const FLUSH: Duration = Duration::from_secs(3);

/// Keeps telemetry running; spans that wait are sent when it is closed.
#[derive(Debug)]
#[must_use = "dropping it loses the last spans"]
pub struct Guard {
    traces: Option<SdkTracerProvider>,
}

impl Guard {
    /// Sends the spans that wait, for at most three seconds. A collector that is away costs that time and nothing else.
    pub async fn close(self) {
        let Some(traces) = self.traces else { return };
        // The flush blocks; on the runtime's own threads it could wait for itself.
        let flushed = tokio::task::spawn_blocking(move || traces.shutdown_with_timeout(FLUSH)).await;
        if let Ok(Err(error)) = flushed {
            output::talk(&format!("telemetry: the last spans were not sent: {error}"));
        }
    }
}

/// Installs the global subscriber; call it once, inside the runtime. Logs go to standard error.
///
/// # Errors
/// If the filter or the endpoint cannot be understood.
pub fn start(config: &TelemetryConfig, service: &str, colour: bool) -> Result<Guard, Failure> {
    // lapin logs returned messages with their bodies; whoever wants that asks for it by name.
    let filter = Targets::from_str(&format!("lapin=error,{}", config.level))
        .map_err(|error| Failure::Usage(format!("telemetry.level: `{}`: {error}", config.level)))?;
    let traces = exporter(config, service)?;
    baton_orchestrator::trace::set_exporting(traces.is_some());
    let spans = traces.as_ref().map(|traces| tracing_opentelemetry::layer().with_tracer(traces.tracer("baton")));
    Registry::default()
        .with(logs(config.log, colour).with_filter(filter))
        .with(spans.with_filter(exported()))
        .try_init()
        .map_err(|error| Failure::other(&error))?;
    Ok(Guard { traces })
}

/// What becomes of traces: ours, and nothing of what carries them.
fn exported() -> Targets {
    let carriers = ["h2", "hyper", "tonic", "tower", "opentelemetry"];
    Targets::new().with_default(LevelFilter::INFO).with_targets(carriers.map(|target| (target, LevelFilter::OFF)))
}

fn logs<S>(format: LogFormat, colour: bool) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    match format {
        LogFormat::Text => {
            let ansi = colour && std::io::stderr().is_terminal();
            fmt::layer().with_writer(std::io::stderr).with_ansi(ansi).with_target(false).boxed()
        }
        LogFormat::Json => {
            fmt::layer().json().flatten_event(true).with_current_span(true).with_writer(std::io::stderr).boxed()
        }
    }
}

/// The W3C propagator is set even without an exporter: a trace context that comes in goes on with the saga.
fn exporter(config: &TelemetryConfig, service: &str) -> Result<Option<SdkTracerProvider>, Failure> {
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    if config.otlp_endpoint.is_empty() {
        return Ok(None);
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
    Ok(Some(traces))
}

//! Logs for people or machines, and traces over OTLP if an endpoint is set.

#[cfg(feature = "otel")]
mod traces;
#[cfg(not(feature = "otel"))]
use absent::Traces;
#[cfg(feature = "otel")]
use traces::Traces;

use crate::config::{LogFormat, TelemetryConfig};
use crate::failure::Failure;
use std::io::IsTerminal as _;
use std::str::FromStr as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry, fmt};

/// Keeps telemetry running; spans that wait are sent when it is closed.
#[derive(Debug)]
#[must_use = "dropping it loses the last spans"]
pub struct Guard {
    traces: Traces,
}

impl Guard {
    /// Sends the spans that wait, for at most three seconds. A collector that is away costs that time and nothing else.
    pub async fn close(self) {
        self.traces.close().await;
    }
}

/// Installs the global subscriber; call it once, inside the runtime. Logs go to standard error.
///
/// # Errors
/// If the filter or the endpoint cannot be understood.
pub fn start(config: &TelemetryConfig, service: &str, colour: bool) -> Result<Guard, Failure> {
    // lapin logs returned messages with their bodies, and what ends a connection twice, which the courier tells once; whoever wants that
    // asks for it by name.
    let filter = Targets::from_str(&format!("lapin=off,{}", config.level))
        .map_err(|error| Failure::Usage(format!("telemetry.level: `{}`: {error}", config.level)))?;
    let traces = Traces::start(config, service)?;
    let spans = traces.layer();
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

/// Stands for the export of traces in a build without it.
#[cfg(not(feature = "otel"))]
mod absent {
    use crate::config::TelemetryConfig;
    use crate::failure::Failure;
    use tracing_subscriber::layer::Identity;

    /// Nowhere.
    #[derive(Debug)]
    pub(super) struct Traces;

    impl Traces {
        pub(super) fn start(config: &TelemetryConfig, _service: &str) -> Result<Self, Failure> {
            if config.otlp_endpoint.is_empty() {
                return Ok(Self);
            }
            let why = "telemetry.otlp_endpoint: this build exports no traces: it was made without the feature `otel`";
            Err(Failure::Usage(why.to_owned()))
        }

        pub(super) fn layer(&self) -> Option<Identity> {
            None
        }

        pub(super) async fn close(self) {}
    }
}

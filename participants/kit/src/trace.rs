//! One span per command under its saga's trace, where somebody collects spans.

use crate::participant::Command;
use tracing::Span;

/// A span for each command, open until it is dropped; none where nobody collects them.
pub(crate) fn spans(commands: &[Command]) -> Vec<Span> {
    commands.iter().map(span).collect()
}

#[cfg(not(feature = "otel"))]
fn span(_command: &Command) -> Span {
    Span::none()
}

#[cfg(feature = "otel")]
use export::span;

#[cfg(feature = "otel")]
mod export {
    use crate::participant::Command;
    use opentelemetry::Context;
    use std::collections::HashMap;
    use std::sync::atomic::{AtomicBool, Ordering};
    use tracing::Span;
    use tracing::field::Empty;
    use tracing_opentelemetry::{OpenTelemetrySpanExt as _, SetParentError};

    /// Set once a span finds nobody who exports it: then spans would cost about as much as a command, for nothing.
    static NOBODY_COLLECTS: AtomicBool = AtomicBool::new(false);

    pub(super) fn span(command: &Command) -> Span {
        if command.traceparent.is_empty() || NOBODY_COLLECTS.load(Ordering::Relaxed) {
            return Span::none();
        }
        let span = tracing::info_span!(
            "command",
            otel.name = command.name,
            otel.kind = "consumer",
            saga = %uuid::Uuid::from_bytes(command.key.saga),
            step = command.key.step,
            direction = ?command.key.direction,
            attempt = command.attempt,
            outcome = Empty,
            reason = Empty,
        );
        if let Err(SetParentError::LayerNotFound) = span.set_parent(context_of(&command.traceparent)) {
            NOBODY_COLLECTS.store(true, Ordering::Relaxed);
            return Span::none();
        }
        span
    }

    fn context_of(traceparent: &str) -> Context {
        let carrier = HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
        opentelemetry::global::get_text_map_propagator(|propagator| propagator.extract(&carrier))
    }
}

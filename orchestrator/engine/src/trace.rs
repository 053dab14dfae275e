//! One trace per saga: the context that came with its start travels with every command and reply.

use crate::store::Record;

/// Longest traceparent that is kept.
const MAX_TRACEPARENT: usize = 64;

/// The W3C header of incoming metadata, or a fresh one: every saga has a trace id, exported or not.
#[must_use]
pub fn traceparent_of(metadata: &tonic::metadata::MetadataMap) -> String {
    let given = metadata.get("traceparent").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if is_valid(given) { given.to_owned() } else { fresh() }
}

/// A new root context, sampled.
#[must_use]
pub fn fresh() -> String {
    let trace: u128 = rand::random();
    let span: u64 = rand::random();
    format!("00-{:032x}-{:016x}-01", trace.max(1), span.max(1))
}

/// The trace id inside a traceparent, or nothing.
#[must_use]
pub fn trace_id(traceparent: &str) -> &str {
    traceparent.split('-').nth(1).unwrap_or_default()
}

fn is_valid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let hex = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase())
    };
    text.len() <= MAX_TRACEPARENT
        && matches!(parts.as_slice(), ["00", trace, span, flags]
            if hex(trace, 32) && hex(span, 16) && hex(flags, 2) && trace.bytes().any(|b| b != b'0') && span.bytes().any(|b| b != b'0'))
}

/// One line, and one span if traces are exported, per committed transition.
pub fn transition(before: Option<&Record>, after: &Record) {
    let saga = &after.saga;
    let from = before.map_or("none", |record| record.saga.state.name());
    let to = saga.state.name();
    #[cfg(feature = "otel")]
    export::transition(after, from, to);
    if matches!(saga.state, saga_core::saga::State::Stuck { .. }) {
        let cause = saga.cause();
        tracing::warn!(
            target: "baton::saga", saga_id = %saga.id, definition = %saga.definition, version = saga.version, from, to,
            reason = cause.map_or("", |cause| cause.reason.as_str()), "saga moved"
        );
    } else {
        tracing::debug!(
            target: "baton::saga", saga_id = %saga.id, definition = %saga.definition, version = saga.version, from, to,
            "saga moved"
        );
    }
}

#[cfg(feature = "otel")]
pub use export::set_exporting;

/// Spans for whoever collects them.
#[cfg(feature = "otel")]
mod export {
    use crate::store::Record;
    use opentelemetry::Context;
    use opentelemetry::trace::TraceContextExt as _;
    use std::collections::HashMap;
    use std::sync::atomic::{AtomicBool, Ordering};
    use tracing_opentelemetry::OpenTelemetrySpanExt as _;

    /// Spans cost about as much as a transition; they are made only where somebody collects them.
    static EXPORTING: AtomicBool = AtomicBool::new(false);

    /// Set once by the binary when it has installed an exporter.
    pub fn set_exporting(exporting: bool) {
        EXPORTING.store(exporting, Ordering::Relaxed);
    }

    pub(super) fn transition(after: &Record, from: &str, to: &str) {
        if !tracing::enabled!(target: "baton::saga", tracing::Level::INFO) || !EXPORTING.load(Ordering::Relaxed) {
            return;
        }
        let saga = &after.saga;
        let span = tracing::info_span!(target: "baton::saga", "saga transition", saga_id = %saga.id, from, to, version = saga.version);
        let parent = context_of(&after.traceparent);
        if parent.span().span_context().is_valid() {
            let _ = span.set_parent(parent);
        }
        let _entered = span.enter();
    }

    /// A remote parent for spans that belong to a saga.
    fn context_of(traceparent: &str) -> Context {
        let carrier = HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
        opentelemetry::global::get_text_map_propagator(|propagator| propagator.extract(&carrier))
    }
}

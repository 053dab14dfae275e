//! Tells an open page that its saga moved. The page then asks for itself again: what is shown has one source.

use crate::http::stream::ACCEL_BUFFERING;
use crate::page::services::Services;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use baton_proto::baton::saga::v1::WatchSagaRequest;
use futures_util::StreamExt as _;
use std::convert::Infallible;
use std::time::Duration;

/// How long a stream goes on. The browser opens another one; a page that was left open holds nothing for ever.
const LONGEST: Duration = Duration::from_secs(600);

/// `GET /sagas/{id}/live`: one event a version, until the saga ends or ten minutes have passed.
pub async fn stream(State(services): State<Services>, Path(id): Path<String>) -> Response {
    let Some(permit) = services.stream() else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let request = WatchSagaRequest { name: format!("sagas/{id}"), after_version: 0 };
    match services.sagas().watch_saga(request).await {
        Ok(answer) => {
            let moved = answer.into_inner().take_until(tokio::time::sleep(LONGEST)).map(move |told| {
                let _held = &permit;
                let event = match told {
                    Ok(told) => {
                        let version = told.saga.map(|saga| saga.version).unwrap_or_default();
                        Event::default().event("moved").id(version.to_string()).data(version.to_string())
                    }
                    Err(status) => Event::default().event("trouble").data(format!("{:?}", status.code())),
                };
                Ok::<_, Infallible>(event)
            });
            // So that the browser does not come back to a saga that has ended.
            let ended = futures_util::stream::iter([Ok(Event::default().event("ended").data("ended"))]);
            // A comment at once, as for every stream: proxies pass it on.
            let begun = futures_util::stream::iter([Ok(Event::default().comment(""))]);
            let events = Sse::new(begun.chain(moved).chain(ended)).keep_alive(KeepAlive::default());
            ([(ACCEL_BUFFERING, "no")], events).into_response()
        }
        Err(status) => crate::page::error_view::Trouble::from(status).status().into_response(),
    }
}

//! `baton.saga.v1.SagaService`: start, look, watch.

use crate::api::Api;
use crate::api::start::{ParsedStart, new_saga_id};
use crate::api::view;
use crate::api::watch::Follower;
use baton_engine::notify::Interest;
use baton_engine::sagas::Registry;
use baton_engine::store::Record;
use baton_engine::trace;
use baton_operations::reason::{SagaReason, of_store};
use baton_proto::baton::saga::v1 as wire;
use baton_proto::baton::saga::v1::saga_service_server::SagaService;
use baton_rpc::errors::{Flaw, Violations, invalid};
use baton_rpc::page;
use baton_rpc::reason::Reason;
use baton_rpc::request_id::RequestId;
use futures_util::stream::BoxStream;
use saga_core::event::{Entry, JournalRecord};
use saga_core::machine;
use saga_core::saga::{Saga, SagaId};
use saga_core::transition::Applied;
use std::sync::Arc;
use tonic::{Request, Response, Status};
use uuid::Uuid;

/// Journal entries read at once. No store gives less than it is asked for unless the journal ends, as long as it is asked for
/// so few. A page far behind is reached by replaying what is before it, for a saga's state is nowhere but there; what is read
/// is let go at once, so that the longest journal costs time, and never memory.
const ENTRIES: u32 = 1_000;

#[tonic::async_trait]
impl SagaService for Api {
    async fn start_saga(
        &self,
        request: Request<wire::StartSagaRequest>,
    ) -> Result<Response<wire::StartSagaResponse>, Status> {
        self.starter().admit()?;
        let traceparent = trace::traceparent_of(request.metadata());
        let request = request.into_inner();
        let request_id = RequestId::parse(&request.request_id).map_err(|flaw| invalid("request_id", flaw))?;
        let saga_type = self.registry.newest(&request.definition).cloned().ok_or_else(|| {
            SagaReason::DefinitionUnknown.status("definition: no saga of this name is registered in this build")
        })?;
        let asked = ParsedStart { saga_type, request: request_id, input: request.input, traceparent };
        let record = self.starter().begin(new_saga_id(), asked).await.map_err(Status::from)?;
        Ok(Response::new(wire::StartSagaResponse { saga: Some(view::saga(&self.registry, &record)) }))
    }

    async fn get_saga(
        &self,
        request: Request<wire::GetSagaRequest>,
    ) -> Result<Response<wire::GetSagaResponse>, Status> {
        let id = saga_id("name", &request.into_inner().name)?;
        let record = self.lookup().existing(id).await?;
        Ok(Response::new(wire::GetSagaResponse { saga: Some(view::saga(&self.registry, &record)) }))
    }

    async fn list_saga_events(
        &self,
        request: Request<wire::ListSagaEventsRequest>,
    ) -> Result<Response<wire::ListSagaEventsResponse>, Status> {
        let request = request.into_inner();
        let id = saga_id("parent", &request.parent)?;
        let mut violations = Violations::new();
        let query = format!("events {}", request.parent);
        let size = violations.keep("page_size", page::page_size_or(request.page_size, 100));
        let after = violations.keep("page_token", page::key(&query, &request.page_token));
        let (Some(size), Some(after)) = (size, after) else {
            return Err(violations.into_status());
        };
        let after = match after {
            None => 0,
            Some(key) => u64::from_be_bytes(key.as_slice().try_into().map_err(|_| {
                invalid("page_token", Flaw::new(Reason::PAGE_TOKEN_INVALID, "must be a token of this list"))
            })?),
        };
        self.lookup().existing(id).await?;
        let (events, more) = self.events(id, after, size as usize).await?;
        let last = events.last().map_or(after, |event| event.version);
        let next_page_token = if more { page::token(&query, &last.to_be_bytes()) } else { String::new() };
        Ok(Response::new(wire::ListSagaEventsResponse { events, next_page_token }))
    }

    type WatchSagaStream = BoxStream<'static, Result<wire::WatchSagaResponse, Status>>;

    async fn watch_saga(
        &self,
        request: Request<wire::WatchSagaRequest>,
    ) -> Result<Response<Self::WatchSagaStream>, Status> {
        let request = request.into_inner();
        let id = saga_id("name", &request.name)?;
        let registry = self.registry.clone();
        let stream = self.watch(id, request.after_version).await?;
        let stream = futures_util::StreamExt::map(stream, move |record| {
            record.map(|record| wire::WatchSagaResponse { saga: Some(view::saga(&registry, &record)) })
        });
        Ok(Response::new(Box::pin(stream)))
    }
}

impl Api {
    /// At most `size` events behind version `after`, and whether there are more.
    async fn events(&self, id: SagaId, after: u64, size: usize) -> Result<(Vec<wire::SagaEvent>, bool), Status> {
        let mut timeline = Timeline::default();
        let (mut events, mut reached) = (Vec::new(), 0);
        loop {
            let entries = self.store.journal(id, reached, ENTRIES).await.map_err(|error| of_store(&error))?;
            for entry in &entries {
                if events.len() == size {
                    return Ok((events, true));
                }
                let event = timeline.show(&self.registry, entry);
                events.extend((entry.version > after).then_some(event));
            }
            match entries.last() {
                Some(last) if entries.len() >= ENTRIES as usize => reached = last.version,
                Some(_) | None => return Ok((events, false)),
            }
        }
    }

    /// Streams a saga's versions above `after` until it ends. A process that stops ends its streams with UNAVAILABLE: the
    /// watcher resumes elsewhere with the version it has.
    pub async fn watch(
        &self,
        id: SagaId,
        after: u64,
    ) -> Result<BoxStream<'static, Result<Arc<Record>, Status>>, Status> {
        // Subscribe first, look second: what happens in between is heard.
        let mut follower = Follower::new(self, id, after, Interest::Moves);
        let first = Arc::new(self.lookup().existing(id).await?);
        let ended = first.saga.has_ended();
        let newest = first.saga.version;
        let first = (newest > after).then_some(first);
        follower.skip_to(newest);
        let state = (first, follower, ended);
        Ok(Box::pin(futures_util::stream::unfold(state, |(first, mut follower, ended)| async move {
            match first {
                Some(record) => Some((Ok(record), (None, follower, ended))),
                None if ended => None,
                None => {
                    let stop = follower.stop();
                    tokio::select! {
                        next = follower.next() => match next {
                            Ok(record) => {
                                let ended = record.saga.has_ended();
                                Some((Ok(record), (None, follower, ended)))
                            }
                            Err(error) => Some((Err(of_store(&error)), (None, follower, true))),
                        },
                        () = stop.cancelled() => {
                            let status = SagaReason::ShuttingDown.status("this orchestrator is shutting down; resume elsewhere");
                            Some((Err(status), (None, follower, true)))
                        }
                    }
                }
            }
        })))
    }
}

/// The saga that a resource name names.
pub(super) fn saga_id(field: &str, name: &str) -> Result<SagaId, Status> {
    let parsed = name.strip_prefix("sagas/").and_then(|id| Uuid::try_parse(id).ok());
    parsed
        .map(|id| SagaId(id.into_bytes()))
        .ok_or_else(|| invalid(field, Flaw::new(Reason::NAME_INVALID, "must be sagas/ and a UUID")))
}

/// The states between a journal's entries, as far as this build can replay it. An entry that does not replay is shown without
/// states, and so are those after it: the timeline never goes blank.
#[derive(Default)]
struct Timeline {
    saga: Option<Saga>,
    broken: bool,
}

impl Timeline {
    /// The next entry.
    fn show(&mut self, registry: &Registry, entry: &Entry) -> wire::SagaEvent {
        let before = self.saga.take();
        let after = if self.broken { None } else { step(registry, before.as_ref(), entry) };
        self.broken |= after.is_none();
        let event = view::event(registry, entry, before.as_ref(), after.as_ref());
        self.saga = after;
        event
    }
}

fn step(registry: &Registry, before: Option<&Saga>, entry: &Entry) -> Option<Saga> {
    match (&entry.record, before) {
        (JournalRecord::Started { definition, input }, None) => {
            let definition = registry.pinned(definition)?.definition();
            Some(machine::start(definition, entry.saga, input.clone(), entry.at).saga)
        }
        (JournalRecord::Moved(event), Some(saga)) => {
            let definition = registry.pinned(&saga.definition)?.definition();
            match machine::apply(definition, saga, event, entry.at) {
                Applied::Moved(transition) => Some(transition.saga),
                Applied::Ignored(_) | Applied::Refused(_) => None,
            }
        }
        (JournalRecord::Started { .. }, Some(_)) | (JournalRecord::Moved(_), None) => None,
    }
}

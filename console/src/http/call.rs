//! Calls to the gRPC services in this process, whatever their messages are.

use axum::Router;
use baton_rpc::errors;
use baton_rpc::reason::Reason;
use baton_rpc::server::MAX_MESSAGE;
use http::HeaderMap;
use http::uri::PathAndQuery;
use prost::Message as _;
use prost_reflect::{DynamicMessage, MessageDescriptor, MethodDescriptor};
use std::future::Future;
use std::time::Duration;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::{AsciiMetadataKey, AsciiMetadataValue};
use tonic::{Code, Request, Status, Streaming};

/// How long a call may take until its answer begins, as over gRPC.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(35);

/// What is passed on as metadata, so that a trace goes through.
const PASSED_ON: [&str; 2] = ["traceparent", "tracestate"];

/// The services, and nothing else of the process.
#[derive(Clone, Debug)]
pub struct ServiceRouter(Router);

impl ServiceRouter {
    /// Those that `grpc` serves.
    #[must_use]
    pub fn new(grpc: Router) -> Self {
        Self(grpc)
    }

    /// A call that answers once.
    ///
    /// # Errors
    /// What the service refused; `DEADLINE_EXCEEDED` after 35 s, with an outcome that is not known.
    pub async fn unary(
        &self,
        method: &MethodDescriptor,
        message: DynamicMessage,
        headers: &HeaderMap,
    ) -> Result<DynamicMessage, Status> {
        let (mut client, path) = (self.client(), path(method)?);
        let call = async {
            ready(&mut client).await?;
            client.unary(request(message, headers), path, Dynamic(method.output())).await
        };
        in_time(call).await.map(tonic::Response::into_inner)
    }

    /// A call that answers with a stream. The stream itself has no deadline.
    ///
    /// # Errors
    /// What the service refused before the stream began.
    pub async fn stream(
        &self,
        method: &MethodDescriptor,
        message: DynamicMessage,
        headers: &HeaderMap,
    ) -> Result<Streaming<DynamicMessage>, Status> {
        let (mut client, path) = (self.client(), path(method)?);
        let call = async {
            ready(&mut client).await?;
            client.server_streaming(request(message, headers), path, Dynamic(method.output())).await
        };
        in_time(call).await.map(tonic::Response::into_inner)
    }

    fn client(&self) -> Grpc<Router> {
        Grpc::new(self.0.clone()).max_decoding_message_size(MAX_MESSAGE)
    }
}

async fn ready(client: &mut Grpc<Router>) -> Result<(), Status> {
    match client.ready().await {
        Ok(()) => Ok(()),
        Err(never) => match never {},
    }
}

async fn in_time<T>(call: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    match tokio::time::timeout(CALL_TIMEOUT, call).await {
        Ok(answer) => answer.map_err(explained),
        Err(_) => {
            let text = "the call took too long; whether anything was done is not known";
            Err(errors::status(Code::DeadlineExceeded, Reason::DEADLINE_EXCEEDED.as_str(), text))
        }
    }
}

/// What the gRPC library says on its own has no details: of a message that is too large, and of what this process does not serve.
fn explained(status: Status) -> Status {
    match status.code() {
        Code::OutOfRange if status.details().is_empty() => {
            errors::status(Code::InvalidArgument, Reason::MESSAGE_TOO_LARGE.as_str(), status.message())
        }
        Code::Unimplemented if status.details().is_empty() => errors::status(
            Code::Unimplemented,
            Reason::UNKNOWN_METHOD.as_str(),
            "this process does not serve that call",
        ),
        _ => status,
    }
}

fn path(method: &MethodDescriptor) -> Result<PathAndQuery, Status> {
    let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
    PathAndQuery::try_from(path).map_err(|_| Status::internal("a method that is no path"))
}

fn request(message: DynamicMessage, headers: &HeaderMap) -> Request<DynamicMessage> {
    let mut request = Request::new(message);
    for name in PASSED_ON {
        let value = headers.get(name).and_then(|value| AsciiMetadataValue::try_from(value.as_bytes()).ok());
        if let Some(value) = value {
            request.metadata_mut().insert(AsciiMetadataKey::from_static(name), value);
        }
    }
    request
}

/// Messages by their descriptors; holds the one of the answers.
#[derive(Clone, Debug)]
struct Dynamic(MessageDescriptor);

impl Codec for Dynamic {
    type Encode = DynamicMessage;
    type Decode = DynamicMessage;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        self.clone()
    }

    fn decoder(&mut self) -> Self {
        self.clone()
    }
}

impl Encoder for Dynamic {
    type Item = DynamicMessage;
    type Error = Status;

    fn encode(&mut self, message: DynamicMessage, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        message.encode(buffer).map_err(|error| Status::internal(error.to_string()))
    }
}

impl Decoder for Dynamic {
    type Item = DynamicMessage;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<DynamicMessage>, Status> {
        let message = DynamicMessage::decode(self.0.clone(), buffer);
        message.map(Some).map_err(|error| Status::internal(error.to_string()))
    }
}

//! `baton health`: asks `grpc.health.v1`, so that a container without a shell can check itself.

use crate::client::Client;
use crate::failure::Failure;
use crate::show::Printer;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;

/// Prints the status; anything but SERVING is a failure.
///
/// # Errors
/// If the server is unhealthy, does not know the service, or does not answer.
pub async fn run(service: String, client: &Client, printer: Printer) -> Result<(), Failure> {
    let answer = client.health().check(client.request(HealthCheckRequest { service })).await?.into_inner();
    let status = answer.status();
    let name = status.as_str_name();
    printer.either(|| serde_json::json!({ "status": name }), || name.to_owned());
    match status {
        ServingStatus::Serving => Ok(()),
        other => Err(Failure::Unreachable(format!("the server says {}", other.as_str_name()))),
    }
}

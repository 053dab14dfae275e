//! The client commands' side of gRPC: one channel, one deadline for each call.

use crate::config::ClientConfig;
use crate::failure::Failure;
use baton_proto::baton::dev::v1::chaos_service_client::ChaosServiceClient;
use baton_proto::baton::saga::v1::saga_admin_service_client::SagaAdminServiceClient;
use baton_proto::baton::saga::v1::saga_service_client::SagaServiceClient;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use uuid::Uuid;

/// How long a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// A connection that carries calls is asked so often whether it lives, and is given up after so long without an answer.
/// TCP alone would take a quarter of an hour to notice a peer that vanished, and every call on it would hang so long.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(3));

/// How long a look at an address may take that only makes an error clearer.
const LOOK: Duration = Duration::from_secs(1);

/// A connection to an orchestrator. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    channel: Channel,
    timeout: Duration,
    made: Arc<OnceLock<Uuid>>,
}

/// The endpoint for `host:port` or `http://host:port`. Nothing else is an address: gRPC has no TLS of its own yet, and whoever
/// writes https must not be served in the clear.
///
/// # Errors
/// If the text is no address; what may be a password in it is not repeated.
pub fn endpoint(address: &str) -> Result<Endpoint, Failure> {
    let wrong = |why: &str| Err(Failure::Usage(why.to_owned()));
    if address.contains('@') {
        return wrong("an address holds no user and no password; write host:port");
    }
    match address.split_once("://") {
        None | Some(("http", _)) => {}
        Some(("https", _)) => {
            return wrong(&format!(
                "`{address}`: gRPC is spoken without TLS here; write host:port, and encrypt on the way"
            ));
        }
        Some(_) => return wrong(&format!("`{address}` is no address; write host:port")),
    }
    let url = if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
    let endpoint = Endpoint::from_shared(url).map_err(|_| Failure::Usage(format!("`{address}` is no address")))?;
    if endpoint.uri().port_u16().is_none() {
        return wrong(&format!("`{address}` has no port, or none from 0 to 65535; write host:port"));
    }
    if !matches!(endpoint.uri().path(), "" | "/") {
        return wrong(&format!("`{address}`: an address has no path; write host:port"));
    }
    let endpoint = endpoint.connect_timeout(CONNECT_TIMEOUT).tcp_nodelay(true);
    Ok(endpoint.http2_keep_alive_interval(KEEPALIVE.0).keep_alive_timeout(KEEPALIVE.1))
}

impl Client {
    /// Connects at once, so that an absent server is named by its address.
    ///
    /// # Errors
    /// If the address is wrong or nobody answers there.
    pub async fn connect(config: &ClientConfig) -> Result<Self, Failure> {
        let channel = endpoint(&config.server)?.connect().await.map_err(|error| {
            let Failure::Other(why) = Failure::other(&error) else { return Failure::Other(error.to_string()) };
            Failure::Unreachable(format!("nobody answers at {}: {why}", config.server))
        })?;
        Ok(Self { channel, timeout: config.timeout, made: Arc::default() })
    }

    /// A request with the deadline that every call gets.
    pub fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(self.timeout);
        request
    }

    /// The id under which the command's request is carried out once, however often it is sent: the given one, else one
    /// that is made here and remembered, so that [`Self::in_doubt`] can tell it.
    #[must_use]
    pub fn request_id(&self, given: Option<Uuid>) -> String {
        given.unwrap_or_else(|| *self.made.get_or_init(Uuid::now_v7)).to_string()
    }

    /// A failure after which a request may have been carried out all the same: it says how to repeat that without doing it
    /// twice, if the command made its id.
    #[must_use]
    pub fn in_doubt(&self, failure: Failure) -> Failure {
        match self.made.get() {
            Some(made) => Failure::InDoubt(Box::new(failure), *made),
            None => failure,
        }
    }

    /// Kills on purpose.
    #[must_use]
    pub fn chaos(&self) -> ChaosServiceClient<Channel> {
        ChaosServiceClient::new(self.channel.clone())
    }

    /// The connection, for services of others.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Sagas.
    #[must_use]
    pub fn sagas(&self) -> SagaServiceClient<Channel> {
        SagaServiceClient::new(self.channel.clone())
    }

    /// Finding, explaining and setting right.
    #[must_use]
    pub fn admin(&self) -> SagaAdminServiceClient<Channel> {
        SagaAdminServiceClient::new(self.channel.clone())
    }

    /// Health.
    #[must_use]
    pub fn health(&self) -> tonic_health::pb::health_client::HealthClient<Channel> {
        tonic_health::pb::health_client::HealthClient::new(self.channel.clone())
    }
}

/// Whether the end of a call was not heard. Some of these calls were surely not carried out; repeating those under their id
/// does no harm either.
#[must_use]
pub fn leaves_doubt(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unknown)
}

/// Whether an answer could not be read as gRPC: what this side makes of a peer that speaks something else. One that hangs up
/// at once, before the request is out, is a cancelled call to the transport.
#[must_use]
pub fn is_garbled(status: &Status) -> bool {
    matches!(status.code(), Code::Internal | Code::Unknown | Code::Cancelled)
}

/// Whether HTTP as browsers speak it is answered at an address, which a gRPC port does not.
pub async fn speaks_http(address: &str) -> bool {
    let url = if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
    let Ok(client) = reqwest::Client::builder().timeout(LOOK).no_proxy().http1_only().build() else { return false };
    client.get(url).send().await.is_ok()
}

/// What an answer is about. The wire lets it be absent; no server of ours leaves it out.
///
/// # Errors
/// It is absent. `what` names it in the message.
pub fn present<T>(answered: Option<T>, what: &str) -> Result<T, Failure> {
    answered.ok_or_else(|| Failure::Other(format!("the server answered without {what}")))
}

/// The id as a resource name of a collection: `x` and `orders/x` both become `orders/x`.
#[must_use]
pub fn name(collection: &str, id: &str) -> String {
    let prefix = format!("{collection}/");
    if id.starts_with(&prefix) { id.to_owned() } else { prefix + id }
}

#[cfg(test)]
mod tests {
    use super::endpoint;

    #[test]
    fn an_address_is_host_and_port_in_the_clear() {
        for good in ["127.0.0.1:7400", "orchestrator:7400", "http://[::1]:7400", "http://orchestrator:7400/"] {
            assert!(endpoint(good).is_ok(), "{good}");
        }
        for bad in [
            "https://h:7400",
            "ftp://h:7400",
            "h",
            "127.0.0.1:99999",
            "http://h:7400/path",
            "http://u:hunter2@h:1",
            "",
            "::",
        ] {
            let told = endpoint(bad).expect_err(bad).to_string();
            assert!(!told.contains("hunter2"), "{told}");
        }
    }
}

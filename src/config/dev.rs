//! What is there for developers only.

use super::ServerConfig;
use serde::Deserialize;
use serde::de::{Deserializer, Error};
use std::net::SocketAddr;

/// What is there for developers only.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DevConfig {
    /// Who kills and revives participants on purpose; `None` leaves that out.
    #[serde(deserialize_with = "address")]
    pub chaos_endpoint: Option<SocketAddr>,
}

impl DevConfig {
    /// Whoever reaches an orchestrator that passes these calls on may kill; from other machines nobody shall.
    pub(super) fn validate(&self, server: &ServerConfig) -> Result<(), String> {
        let Some(endpoint) = self.chaos_endpoint else { return Ok(()) };
        if !endpoint.ip().is_loopback() {
            return Err(format!("dev.chaos_endpoint: {endpoint} is not on loopback; killing stays on this machine"));
        }
        let reached = [("server.listen", server.listen), ("server.admin_listen", server.admin_listen)];
        match reached.into_iter().find(|(_, listen)| !listen.ip().is_loopback()) {
            None => Ok(()),
            Some((key, open)) => Err(format!(
                "dev.chaos_endpoint: {key} is {open}, which is not on loopback; whoever reaches it could kill participants"
            )),
        }
    }
}

/// An address, or nothing if the text is empty. A name is no address: who knows where it leads tomorrow.
fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let wrong =
        |_| D::Error::custom(format!("`{text}` is no address; write it like \"127.0.0.1:7490\", or \"\" for none"));
    text.parse().map(Some).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn problem(endpoint: &str, listen: &str, admin_listen: &str) -> Option<String> {
        let address = |text: &str| text.parse::<SocketAddr>().expect("an address");
        let (listen, admin_listen) = (address(listen), address(admin_listen));
        let server = ServerConfig {
            listen,
            admin_listen,
            shutdown_timeout: Duration::from_secs(1),
            shutdown_delay: Duration::ZERO,
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
        };
        DevConfig { chaos_endpoint: Some(address(endpoint)) }.validate(&server).err()
    }

    #[test]
    fn killing_stays_on_this_machine() {
        assert_eq!(problem("127.0.0.1:7490", "127.0.0.1:7400", "[::1]:7401"), None);
        let said = |endpoint, listen, admin_listen| problem(endpoint, listen, admin_listen).expect("it is refused");
        let elsewhere = said("10.0.0.1:7490", "127.0.0.1:7400", "127.0.0.1:7401");
        assert!(elsewhere.starts_with("dev.chaos_endpoint: 10.0.0.1:7490 is not on loopback"), "{elsewhere}");
        let open = said("127.0.0.1:7490", "0.0.0.0:7400", "127.0.0.1:7401");
        assert!(open.starts_with("dev.chaos_endpoint: server.listen is 0.0.0.0:7400"), "{open}");
        let page = said("127.0.0.1:7490", "127.0.0.1:7400", "[::]:7401");
        assert!(page.starts_with("dev.chaos_endpoint: server.admin_listen is [::]:7401"), "{page}");
    }
}

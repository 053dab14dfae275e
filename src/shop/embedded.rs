//! The shop in one process: the sandbox payment provider, and the embedded shape that pays there.

use crate::config::Config;
use crate::embedded::{ChaosAccess, Directory, Embedded};
use crate::failure::Failure;
use crate::linked::Linked;
use crate::shop::config::ShopConfig;
use crate::shop::sandbox_provider;
use baton_sandbox::server::Sandbox;
use std::net::SocketAddr;
use std::path::Path;

/// The shop, the engine and the payment provider in this process.
#[derive(Debug)]
pub struct EmbeddedShop {
    /// Base URL of the sandbox provider.
    pub provider: String,
    embedded: Embedded,
    sandbox: Sandbox,
}

impl EmbeddedShop {
    /// Starts everything on `directory`, which is created if it is missing; beside what the engine listens on,
    /// `provider.listen`.
    ///
    /// # Errors
    /// If another process holds the directory, or an address is taken, or a file cannot be opened.
    pub async fn start(
        config: &Config,
        shop: &ShopConfig,
        directory: &Path,
        chaos: ChaosAccess,
    ) -> Result<Self, Failure> {
        let directory = Directory::lock(directory)?;
        let mut shop = shop.clone();
        let sandbox = sandbox_provider::start(&shop.provider, &directory.file("sandbox.db")).await?;
        shop.provider.base_url = sandbox.url();
        let embedded = Embedded::start(config, &Linked::of(&shop), directory, chaos).await?;
        Ok(Self { provider: sandbox.url(), embedded, sandbox })
    }

    /// gRPC: every service.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.embedded.address
    }

    /// HTTP: metrics and probes.
    #[must_use]
    pub fn admin_address(&self) -> SocketAddr {
        self.embedded.admin_address
    }

    /// Drains and stops, the provider last.
    pub async fn stop(self) {
        self.embedded.stop().await;
        self.sandbox.shutdown().await;
    }
}

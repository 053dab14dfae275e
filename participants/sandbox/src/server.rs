//! Starting and stopping the provider.

use crate::app::App;
use crate::faults::Faults;
use crate::ledger::Ledger;
use crate::line::{Line, Lines};
use crate::token::Tokens;
use crate::{api, control, lists};
use axum::Router;
use baton_sql::database::DatabaseConfig;
use baton_sql::error::SqlError;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use secrecy::SecretString;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long a stopping provider waits for calls that are under way.
const DRAIN: Duration = Duration::from_secs(5);

/// How to run a provider.
#[derive(Clone)]
pub struct SandboxConfig {
    /// Where its ledger is.
    pub database: DatabaseConfig,
    /// The one account's key.
    pub imp_key: String,
    /// The one account's secret.
    pub imp_secret: SecretString,
    /// Seed of the faults' dice.
    pub seed: u64,
}

impl fmt::Debug for SandboxConfig {
    /// Leaves the account out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SandboxConfig")
            .field("database", &self.database)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

/// Why a provider did not start.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The ledger cannot be opened.
    #[error("the sandbox provider's ledger: {0}")]
    Ledger(#[from] SqlError),
    /// The listener is unusable.
    #[error("the sandbox provider's listener: {0}")]
    Listener(#[from] std::io::Error),
}

/// A running provider. Dropping it stops it without waiting; the ledger keeps what was committed.
#[derive(Debug)]
pub struct Sandbox {
    addr: SocketAddr,
    app: App,
    stop: CancellationToken,
    server: Option<JoinHandle<()>>,
}

impl Sandbox {
    /// Opens the ledger and serves on `listener`.
    ///
    /// # Errors
    /// [`SandboxError`] if the ledger or the listener is unusable.
    pub async fn start(listener: TcpListener, config: SandboxConfig) -> Result<Self, SandboxError> {
        let addr = listener.local_addr()?;
        let app = open(config).await?;
        let stop = CancellationToken::new();
        let server = tokio::spawn(serve(listener, routes(app.clone()), stop.clone()));
        Ok(Self { addr, app, stop, server: Some(server) })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The base URL for a client.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Its ledger, for tests and audits in the same process.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.app.ledger
    }

    /// Its faults, for tests in the same process.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.app.faults
    }

    /// Stops taking calls, lets those under way end for at most five seconds, and returns.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        if let Some(mut server) = self.server.take()
            && tokio::time::timeout(DRAIN, &mut server).await.is_err()
        {
            server.abort();
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // Connections run in tasks of their own and end with the token; the accept loop ends at once.
        self.stop.cancel();
        if let Some(server) = self.server.take() {
            server.abort();
        }
    }
}

/// Boxed, so that HTTP is compiled here and not in every crate that starts one.
fn serve(listener: TcpListener, routes: Router, stop: CancellationToken) -> BoxFuture<'static, ()> {
    let service = routes.into_make_service_with_connect_info::<Line>();
    let serving = async move {
        let server = axum::serve(Lines::new(listener), service).with_graceful_shutdown(stop.cancelled_owned());
        if let Err(error) = server.await {
            tracing::error!(%error, "the sandbox provider stopped serving");
        }
    };
    serving.boxed()
}

/// The provider as a plain router, for a server of somebody else. Faults that cut a connection need [`Sandbox::start`];
/// here they answer 502.
///
/// # Errors
/// [`SandboxError`] if the ledger is unusable.
pub async fn router(config: SandboxConfig) -> Result<Router, SandboxError> {
    Ok(routes(open(config).await?))
}

async fn open(config: SandboxConfig) -> Result<App, SandboxError> {
    Ok(App {
        ledger: Ledger::open(config.database).await?,
        faults: Arc::new(Faults::new(config.seed)),
        tokens: Arc::new(Tokens::default()),
        imp_key: Arc::new(config.imp_key.into()),
        imp_secret: Arc::new(config.imp_secret),
    })
}

fn routes(app: App) -> Router {
    Router::new()
        .merge(api::routes())
        .merge(lists::routes())
        .merge(control::routes())
        .fallback(no_such_call)
        .with_state(app)
}

async fn no_such_call() -> crate::envelope::Refusal {
    crate::envelope::Refusal { status: 404, code: 1, message: "no such call".to_owned() }
}

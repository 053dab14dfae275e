//! A participant of the embedded shape that can be killed as SIGKILL would, and started again on its database file.

use crate::failure::Failure;
use crate::linked::{Linked, LinkedParticipant};
use crate::wiring::{Made, Work};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use baton_orchestrator::operations::reason::SagaReason;
use baton_participant_kit::probe;
use baton_rpc::descriptors::Descriptors;
use baton_rpc::server;
use baton_sql::database::{Database, DatabaseConfig};
use baton_sql::error::SqlError;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tower::ServiceExt as _;

/// From one start to one kill.
#[derive(Clone, Debug)]
struct Life {
    routes: Router,
    database: Database,
    /// Cancelled at its end: calls that are under way end with it, unanswered.
    over: CancellationToken,
}

/// A participant, alive or not. While it is dead its services answer UNAVAILABLE and its queue fills.
pub struct Restartable {
    /// Its name.
    pub name: &'static str,
    /// The names of its business services.
    pub services: &'static [&'static str],
    path: PathBuf,
    linked: LinkedParticipant,
    descriptors: Descriptors,
    /// Read at every call, and never held while anything is waited for.
    life: RwLock<Option<Life>>,
    /// Held while it is being killed or revived.
    worker: Mutex<Working>,
}

#[derive(Default)]
struct Working {
    /// Made and not at work yet: only before the first start.
    fresh: Option<Made>,
    task: Option<JoinHandle<()>>,
    /// What a worker is given, each time one is started.
    work: Option<Work>,
}

impl std::fmt::Debug for Restartable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Restartable").field("name", &self.name).field("alive", &self.alive()).finish_non_exhaustive()
    }
}

impl Restartable {
    /// The participants on files in `directory`, schemas up to date, services answering. Their workers do not work yet.
    ///
    /// # Errors
    /// If a file cannot be opened.
    pub async fn all(linked: &Linked, directory: &Path) -> Result<Vec<Arc<Self>>, Failure> {
        let mut all = Vec::new();
        for participant in &linked.participants {
            all.push(Arc::new(Self::new(participant.clone(), &linked.descriptors, directory).await?));
        }
        Ok(all)
    }

    async fn new(linked: LinkedParticipant, descriptors: &Descriptors, directory: &Path) -> Result<Self, Failure> {
        let path = directory.join(format!("{}.db", linked.name));
        let made = made(&linked, &path).await?;
        Ok(Self {
            name: linked.name,
            services: made.services,
            path,
            linked,
            descriptors: descriptors.clone(),
            life: RwLock::new(Some(
                Life::of(made.own_routes(), made.services, descriptors, made.database.clone()).await,
            )),
            worker: Mutex::new(Working { fresh: Some(made), ..Working::default() }),
        })
    }

    /// Starts its worker.
    ///
    /// # Errors
    /// If its file cannot be opened.
    pub async fn work(&self, work: Work) -> Result<(), Failure> {
        self.worker.lock().await.work = Some(work);
        self.revive().await
    }

    /// True between a start and a kill.
    #[must_use]
    pub fn alive(&self) -> bool {
        self.life().is_some()
    }

    /// Its ledger, while it is alive.
    #[must_use]
    pub fn ledger(&self) -> Option<Database> {
        self.life().map(|life| life.database)
    }

    /// Ends it at once: calls under way are not answered, the batch in hand is not finished, what it took from its queue goes
    /// back there. A transaction that is being committed may be committed, as with any crash.
    pub async fn kill(&self) {
        let mut worker = self.worker.lock().await;
        let life = self.life.write().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(life) = life {
            life.over.cancel();
        }
        worker.fresh = None;
        if let Some(task) = worker.task.take() {
            task.abort();
            // Until it is gone, so that the next one does not work beside it.
            let _ = task.await;
        }
        tracing::warn!(participant = self.name, "killed on purpose");
    }

    /// Starts it on what it left behind. Nothing happens if it is alive and at work.
    ///
    /// # Errors
    /// If its file cannot be opened.
    pub async fn revive(&self) -> Result<(), Failure> {
        let mut worker = self.worker.lock().await;
        if worker.task.is_some() {
            return Ok(());
        }
        let made = match worker.fresh.take() {
            Some(made) => made,
            None => made(&self.linked, &self.path).await?,
        };
        let life = Life::of(made.own_routes(), made.services, &self.descriptors, made.database.clone()).await;
        if let Some(work) = worker.work.clone() {
            worker.task = Some(made.work(work));
        }
        *self.life.write().unwrap_or_else(PoisonError::into_inner) = Some(life);
        Ok(())
    }

    /// Waits until its worker has ended by itself, as it does with its bus.
    pub async fn ended(&self) {
        let task = self.worker.lock().await.task.take();
        if let Some(task) = task {
            let _ = task.await;
        }
    }

    /// Its business services: answered by whoever is alive at the time.
    pub fn business(self: &Arc<Self>) -> Router {
        let routes = self.services.iter().map(|service| format!("/{service}/{{*method}}"));
        routes.fold(Router::new(), |router, path| router.route(&path, any(answer).with_state(self.clone())))
    }

    /// Everything it serves, Probe among it, for callers in this process.
    pub fn own(self: &Arc<Self>) -> Router {
        Router::new().fallback(answer).with_state(self.clone())
    }

    fn life(&self) -> Option<Life> {
        self.life.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Life {
    async fn of(own: Routes, services: &[&str], descriptors: &Descriptors, database: Database) -> Self {
        // As its own process would serve them, health among them.
        let names = probe::service_names(services);
        let (routes, _) = server::with_health_and_reflection(own, &names, descriptors).await;
        let routes = routes.into_axum_router();
        Self { routes, database, over: CancellationToken::new() }
    }
}

async fn made(linked: &LinkedParticipant, path: &Path) -> Result<Made, Failure> {
    // A file is there or it is not: what is wrong with it does not heal by waiting.
    let broken = |error: SqlError| Failure::Other(format!("{}: {}: {error}", linked.name, path.display()));
    let made = linked.make(Database::open(DatabaseConfig::sqlite(path)).await.map_err(broken)?)?;
    made.database.migrate(&made.migrations).await.map_err(broken)?;
    Ok(made)
}

async fn answer(State(participant): State<Arc<Restartable>>, request: Request) -> Response {
    let Some(life) = participant.life() else { return dead(participant.name) };
    match life.over.run_until_cancelled(life.routes.oneshot(request)).await {
        Some(Ok(answer)) => answer,
        Some(Err(never)) => match never {},
        None => dead(participant.name),
    }
}

fn dead(name: &str) -> Response {
    // What an orchestrator says of a participant process that is away.
    let why = format!("{name} is killed; it answers again once it is revived");
    let status = SagaReason::ParticipantUnavailable.status(why);
    status.into_http::<Body>().into_response()
}

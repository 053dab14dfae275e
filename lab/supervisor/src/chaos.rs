//! Participants of a stack killed and revived on purpose, over gRPC: what `baton.dev.v1.ChaosService` is in the real shape.
//!
//! Whoever owns the processes serves it, on loopback, and the stack's orchestrators pass the calls on: a test serves its own
//! [`Stack`], `baton-supervisor chaos` what `baton-supervisor up` started.
//!
//! Targets are the participants. An orchestrator is none: the one that answers would die of the answer, and the page
//! with it. Servers are none either: what becomes of sagas without them is what `baton-lab storm` is for.
//!
//! | file | what it holds |
//! |---|---|
//! | here | the port, and the participants of a stack |
//! | [`daemons`] | the participants of a stack that outlived the command which started it |

pub mod daemons;

use crate::process::{Probe, Process, loopback};
use crate::stack::Stack;
use anyhow::{Context as _, Result, bail};
use baton_proto::baton::dev::v1::ChaosTarget;
use baton_proto::baton::dev::v1::chaos_service_server::SERVICE_NAME;
use baton_rpc::chaos::{Chaos, Mortals};
use baton_rpc::descriptors::Descriptors;
use baton_rpc::server;
use std::future::Future;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::service::Routes;

/// How long a revived participant is waited for. Callers wait for ten seconds, the page and the command line alike: they are
/// to hear of it before they give up.
const REVIVED_WITHIN: Duration = Duration::from_secs(8);

/// Takes calls at `port` on loopback for `mortals`, until `shutdown`. An error if the port is taken.
pub async fn serve<M: Mortals>(
    port: u16,
    mortals: Arc<M>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    serve_on(listener(port).await?, mortals, shutdown).await
}

async fn listener(port: u16) -> Result<TcpListener> {
    let listen = loopback(port);
    TcpListener::bind(listen).await.with_context(|| format!("listen on {listen}"))
}

async fn serve_on<M: Mortals>(
    listener: TcpListener,
    mortals: Arc<M>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    let (routes, _health) = server::with_health_and_reflection(
        Routes::new(Chaos::service(mortals)),
        &[SERVICE_NAME],
        &Descriptors::engine(),
    )
    .await;
    server::serve(listener, routes, shutdown).await.context("serve gRPC")
}

/// A stack whose participants can be killed over gRPC, for as long as this is kept.
#[derive(Debug)]
pub struct Served {
    task: JoinHandle<Result<()>>,
}

impl Served {
    /// Serves a stack that was started with [`crate::stack::StackOptions::chaos`]. An error if it was not, or if its port has
    /// been taken since.
    pub async fn over(stack: &Arc<Stack>) -> Result<Self> {
        let listener = listener(stack.endpoints.chaos.context("the stack was not started with chaos")?).await?;
        let serving = serve_on(listener, Arc::new(Owned(Arc::downgrade(stack))), std::future::pending());
        Ok(Self { task: tokio::spawn(serving) })
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The participants of a stack in this process. They end with it, whoever is still connected.
struct Owned(Weak<Stack>);

impl Owned {
    fn stack(&self) -> Result<Arc<Stack>, String> {
        self.0.upgrade().ok_or_else(|| "the stack is gone".to_owned())
    }

    /// Does what takes a while with one of them beside the tasks that must not wait for it.
    async fn with<T: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce(&Process) -> Result<T> + Send + 'static,
    ) -> Result<T, String> {
        let (stack, name) = (self.stack()?, name.to_owned());
        let work = move || work(participant(&stack, &name)?);
        told(tokio::task::spawn_blocking(work).await.context("a task").flatten())
    }
}

#[tonic::async_trait]
impl Mortals for Owned {
    fn list(&self) -> Result<Vec<ChaosTarget>, String> {
        let stack = self.stack()?;
        let told = |(name, it): (&String, &Process)| ChaosTarget { target: name.clone(), alive: it.is_running() };
        Ok(stack.participants.iter().map(told).collect())
    }

    async fn kill(&self, name: &str) -> Result<(), String> {
        self.with(name, Process::kill).await
    }

    async fn revive(&self, name: &str) -> Result<(), String> {
        self.with(name, |process| if process.is_running() { Ok(()) } else { process.start() }).await?;
        let stack = self.stack()?;
        let ready = told(stack.endpoints.participant_ready(name))?;
        told(revived(told(participant(&stack, name))?, &ready).await)
    }
}

fn participant<'a>(stack: &'a Stack, name: &str) -> Result<&'a Process> {
    stack.participants.get(name).with_context(|| format!("there is no {name}"))
}

/// Waits until a process that was started is ready. One that needs longer than we may wait lives all the same, and will be.
async fn revived(process: &Process, ready: &Probe) -> Result<()> {
    match process.wait_ready_within(ready, REVIVED_WITHIN).await {
        Ok(()) => Ok(()),
        Err(why) if process.is_running() => {
            tracing::warn!("{why:#}");
            Ok(())
        }
        Err(why) => bail!(why),
    }
}

fn told<T>(outcome: Result<T>) -> Result<T, String> {
    outcome.map_err(|why| format!("{why:#}"))
}

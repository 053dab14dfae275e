//! `baton.dev.v1.ChaosService` over whatever can be killed: parts of one process, or processes of their own. Whoever reaches
//! it may kill: it belongs on loopback, and only where somebody develops.

use crate::errors::{Flaw, invalid, status};
use crate::reason::Reason;
use baton_proto::baton::dev::v1 as wire;
use baton_proto::baton::dev::v1::chaos_service_server::{ChaosService, ChaosServiceServer};
use std::sync::Arc;
use tokio::sync::Mutex;
use tonic::{Code, Request, Response, Status};

/// What can be killed on purpose and started again.
///
/// Errors are for the log: callers hear only that it was not done.
#[tonic::async_trait]
pub trait Mortals: Send + Sync + 'static {
    /// Each with its name and whether it is alive, by name.
    ///
    /// # Errors
    /// If that cannot be told.
    fn list(&self) -> Result<Vec<wire::ChaosTarget>, String>;

    /// Ends the one of this name as SIGKILL would. Killing what is dead changes nothing.
    ///
    /// # Errors
    /// If it may still be alive.
    async fn kill(&self, name: &str) -> Result<(), String>;

    /// Starts it again on what it left behind, and waits for it, with a bound. Reviving what is alive changes nothing.
    ///
    /// # Errors
    /// If it is not alive.
    async fn revive(&self, name: &str) -> Result<(), String>;
}

/// The service. One fault is made at a time; each in a task of its own, so that a caller who goes away leaves nothing
/// half done.
#[derive(Debug)]
pub struct Chaos<M> {
    mortals: Arc<M>,
    turn: Arc<Mutex<()>>,
}

#[derive(Clone, Copy)]
enum Fault {
    Kill,
    Revive,
}

impl<M: Mortals> Chaos<M> {
    /// Over these.
    #[must_use]
    pub fn service(mortals: Arc<M>) -> ChaosServiceServer<Self> {
        ChaosServiceServer::new(Self { mortals, turn: Arc::default() })
    }

    fn list(&self) -> Result<Vec<wire::ChaosTarget>, Status> {
        self.mortals.list().map_err(|why| failed("who is alive is not known", &why))
    }

    fn find(&self, name: &str) -> Result<wire::ChaosTarget, Status> {
        let all = self.list()?;
        let names = || all.iter().map(|it| it.target.as_str()).collect::<Vec<_>>().join(", ");
        let found = all.iter().find(|it| it.target == name).cloned();
        found.ok_or_else(|| invalid("target", Flaw::new(Reason::TARGET_UNKNOWN, format!("must be one of {}", names()))))
    }

    /// Makes a fault and says how its target is then.
    async fn carry_out(&self, fault: Fault, name: String) -> Result<wire::ChaosTarget, Status> {
        self.find(&name)?;
        let turn = self.turn.clone().lock_owned().await;
        let (mortals, target) = (self.mortals.clone(), name.clone());
        let done = tokio::spawn(async move {
            let _turn = turn;
            match fault {
                Fault::Kill => mortals.kill(&target).await,
                Fault::Revive => mortals.revive(&target).await,
            }
        });
        // A panic is told by its own line of the log.
        let done = done.await.unwrap_or_else(|error| Err(error.to_string()));
        let what = match fault {
            Fault::Kill => "killed",
            Fault::Revive => "revived",
        };
        done.map_err(|why| failed(&format!("{name} was not {what}"), &why))?;
        self.find(&name)
    }
}

fn failed(what: &str, why: &str) -> Status {
    tracing::error!(why, "{what}");
    status(Code::Internal, Reason::INTERNAL.as_str(), format!("{what}; the log says why"))
}

#[tonic::async_trait]
impl<M: Mortals> ChaosService for Chaos<M> {
    async fn list_chaos_targets(
        &self,
        _request: Request<wire::ListChaosTargetsRequest>,
    ) -> Result<Response<wire::ListChaosTargetsResponse>, Status> {
        Ok(Response::new(wire::ListChaosTargetsResponse { targets: self.list()? }))
    }

    async fn kill_target(
        &self,
        request: Request<wire::KillTargetRequest>,
    ) -> Result<Response<wire::KillTargetResponse>, Status> {
        let target = self.carry_out(Fault::Kill, request.into_inner().target).await?;
        Ok(Response::new(wire::KillTargetResponse { target: Some(target) }))
    }

    async fn revive_target(
        &self,
        request: Request<wire::ReviveTargetRequest>,
    ) -> Result<Response<wire::ReviveTargetResponse>, Status> {
        let target = self.carry_out(Fault::Revive, request.into_inner().target).await?;
        Ok(Response::new(wire::ReviveTargetResponse { target: Some(target) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use tonic_types::StatusExt as _;

    /// One target. Killing it takes until it is let go; reviving it never works.
    #[derive(Default)]
    struct One {
        dead: AtomicBool,
        asked: tokio::sync::Notify,
        goes: tokio::sync::Notify,
    }

    #[tonic::async_trait]
    impl Mortals for One {
        fn list(&self) -> Result<Vec<wire::ChaosTarget>, String> {
            let alive = !self.dead.load(Ordering::SeqCst);
            Ok(vec![wire::ChaosTarget { target: "stock".to_owned(), alive }])
        }

        async fn kill(&self, _name: &str) -> Result<(), String> {
            self.asked.notify_one();
            self.goes.notified().await;
            self.dead.store(true, Ordering::SeqCst);
            Ok(())
        }

        async fn revive(&self, _name: &str) -> Result<(), String> {
            Err("/home/ada/secret is not there".to_owned())
        }
    }

    fn chaos() -> (Arc<One>, Chaos<One>) {
        let mortals = Arc::new(One::default());
        (mortals.clone(), Chaos { mortals, turn: Arc::default() })
    }

    #[tokio::test]
    async fn a_target_nobody_knows_is_refused_with_the_ones_there_are() {
        let (_, chaos) = chaos();
        let refused = chaos.kill_target(Request::new(wire::KillTargetRequest { target: "moon".to_owned() })).await;
        let refused = refused.unwrap_err();
        assert_eq!((refused.code(), refused.message()), (Code::InvalidArgument, "target: must be one of stock"));
        assert_eq!(refused.get_details_error_info().unwrap().reason, "TARGET_UNKNOWN");
    }

    #[tokio::test]
    async fn what_failed_is_said_without_its_cause() {
        let (_, chaos) = chaos();
        let failed = chaos.carry_out(Fault::Revive, "stock".to_owned()).await.unwrap_err();
        assert_eq!((failed.code(), failed.message()), (Code::Internal, "stock was not revived; the log says why"));
    }

    #[tokio::test]
    async fn a_caller_who_goes_away_leaves_nothing_half_done() {
        let (mortals, chaos) = chaos();
        tokio::select! {
            biased;
            _ = chaos.carry_out(Fault::Kill, "stock".to_owned()) => panic!("it was not let go yet"),
            () = mortals.asked.notified() => {}
        }
        mortals.goes.notify_one();
        // Whoever is next waits for the end of the one before.
        let _turn = chaos.turn.lock().await;
        assert!(!chaos.find("stock").unwrap().alive);
    }
}

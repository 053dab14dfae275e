//! Services that know one of everything, with whatever text a test wants in every field of theirs.

mod admin;
mod others;
mod overview;
mod telling;
mod things;

use axum::Router;
use baton_proto::baton::dev::v1::chaos_service_server::ChaosServiceServer;
use baton_proto::baton::saga::v1::saga_admin_service_server::SagaAdminServiceServer;
use baton_proto::baton::saga::v1::saga_service_server::SagaServiceServer;
use prost_types::{Duration, Timestamp};
use std::time::{SystemTime, UNIX_EPOCH};
use tonic::service::Routes;
use tonic::{Response, Status};

type Answer<T> = Result<Response<T>, Status>;

/// `text` stands in every field that is a text and no resource name. `refuses`: every act is answered with this.
#[derive(Clone, Debug)]
pub struct MadeUp {
    pub text: String,
    pub refuses: Option<Status>,
}

pub const ID: &str = "01a22088-3868-76c0-98e7-b28e1184d33d";

fn ago(seconds: i64) -> Option<Timestamp> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
    Some(Timestamp { seconds: i64::try_from(now).expect("a time") - seconds, nanos: 0 })
}

fn lasts(seconds: i64) -> Option<Duration> {
    Some(Duration { seconds, nanos: 0 })
}

impl MadeUp {
    pub fn router(self) -> Router {
        let routes = Routes::new(SagaAdminServiceServer::new(self.clone()));
        let routes =
            routes.add_service(SagaServiceServer::new(self.clone())).add_service(ChaosServiceServer::new(self));
        routes.into_axum_router()
    }

    fn text(&self, usual: &str) -> String {
        if self.text.is_empty() { usual.to_owned() } else { self.text.clone() }
    }

    fn refused<T>(&self, answer: T) -> Result<Response<T>, Status> {
        self.refuses.clone().map_or_else(|| Ok(Response::new(answer)), Err)
    }
}

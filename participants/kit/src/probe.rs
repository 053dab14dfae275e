//! `ParticipantService.Probe`: what the ledger knows of a command, asked before it is repeated.

use crate::codec::{key_from_wire, reply};
use crate::ledger;
use crate::plan::Stored;
use baton_proto::baton::participant::v1 as wire;
use baton_proto::baton::participant::v1::participant_service_server::{ParticipantService, ParticipantServiceServer};
use baton_rpc::errors::{self, Flaw, Violations};
use baton_rpc::reason::Reason;
use baton_sql::database::Database;
use tonic::server::NamedService as _;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

/// Most keys in one request.
pub const MAX_KEYS: usize = 256;

/// Serves Probe over one ledger, or over those of all participants that share a port.
#[derive(Clone, Debug)]
pub struct ProbeService {
    ledgers: Vec<Database>,
}

impl ProbeService {
    /// The service over these ledgers. A command belongs to one participant, so at most one of them knows it.
    #[must_use]
    pub fn service(ledgers: Vec<Database>) -> ParticipantServiceServer<Self> {
        ParticipantServiceServer::new(Self::new(ledgers))
    }

    /// The same without a server around it.
    #[must_use]
    pub fn new(ledgers: Vec<Database>) -> Self {
        Self { ledgers }
    }
}

/// A participant's business services with Probe over its ledger (or over several, when participants share the port).
#[must_use]
pub fn routes(business: Routes, ledgers: Vec<Database>) -> Routes {
    business.add_service(ProbeService::service(ledgers))
}

/// Probe's name and those of a participant's business services, for health.
#[must_use]
pub fn service_names<'a>(business: &[&'a str]) -> Vec<&'a str> {
    business.iter().copied().chain([ParticipantServiceServer::<ProbeService>::NAME]).collect()
}

#[tonic::async_trait]
impl ParticipantService for ProbeService {
    async fn probe(&self, request: Request<wire::ProbeRequest>) -> Result<Response<wire::ProbeResponse>, Status> {
        let wire::ProbeRequest { keys } = request.into_inner();
        if keys.len() > MAX_KEYS {
            let flaw = Flaw::new(Reason::TOO_MANY_KEYS, format!("must hold at most {MAX_KEYS} keys"));
            return Err(errors::invalid("keys", flaw));
        }
        let mut violations = Violations::new();
        let parsed = keys.iter().enumerate().filter_map(|(index, key)| {
            let flaw = || Flaw::new(Reason::COMMAND_KEY_INVALID, "must have a 16-byte saga_id, a step and a direction");
            violations.keep(format!("keys[{index}]"), key_from_wire(key).ok_or_else(flaw))
        });
        let parsed = parsed.collect::<Vec<_>>();
        if !violations.is_empty() {
            return Err(violations.into_status());
        }
        let mut stored = Stored::new();
        for ledger in &self.ledgers {
            let read = ledger::read(ledger, parsed.iter().copied()).await;
            stored.extend(read.map_err(|error| errors::store(&error))?);
        }
        let knowledge = parsed.into_iter().zip(keys).map(|(key, wire_key)| {
            // The ledger keeps no trace context, and the attempt asked about is the caller's to know.
            let answer = stored.get(&key).map(|answer| reply(key, 0, String::new(), answer.clone()));
            wire::Knowledge { key: Some(wire_key), answer }
        });
        Ok(Response::new(wire::ProbeResponse { knowledge: knowledge.collect() }))
    }
}

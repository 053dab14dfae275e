//! Which method and path stands for which call: the engine's own routes, and what others are made of. Everything else follows
//! from the services' descriptors.
//!
//! A path's variables make up the resource name in the field called `named`: for `/sagas/{saga}/events` and `parent` that is
//! `sagas/{saga}`, all up to the last variable. What is left of the request comes from the query (GET) or the JSON body (POST).

use http::Method;

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// GET for what changes nothing, POST for everything else.
    pub method: &'static Method,
    /// Below `/api/v1`: segments, variables in braces, a custom verb behind a colon.
    pub path: &'static str,
    /// Full name of the service.
    pub service: &'static str,
    /// Its method.
    pub call: &'static str,
    /// The request's field that the path names; empty if the path has no variable.
    pub named: &'static str,
    /// How it is answered.
    pub answer: Answer,
    /// The body of an example; empty for GET.
    pub example: &'static str,
}

/// How a route is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// With one JSON document.
    Once,
    /// With one JSON document and the version of what is in it as ETag.
    Tagged,
    /// With events, for as long as the call's stream goes on.
    Stream,
    /// With events: a call that answers once, repeated.
    Repeated,
}

const SAGA: &str = "baton.saga.v1.SagaService";
const ADMIN: &str = "baton.saga.v1.SagaAdminService";
/// Not served but in development: elsewhere its routes answer 501.
const CHAOS: &str = "baton.dev.v1.ChaosService";

const REASONED: &str = r#"{"reason": "the provider is back", "actor": "ada"}"#;

/// A route that changes nothing.
#[must_use]
pub const fn get(path: &'static str, service: &'static str, call: &'static str, named: &'static str) -> Route {
    Route { method: &Method::GET, path, service, call, named, answer: Answer::Once, example: "" }
}

/// A route that changes something.
#[must_use]
pub const fn post(
    path: &'static str,
    service: &'static str,
    call: &'static str,
    named: &'static str,
    example: &'static str,
) -> Route {
    Route { method: &Method::POST, path, service, call, named, answer: Answer::Once, example }
}

impl Route {
    /// The same route, answered in this way.
    #[must_use]
    pub const fn answered(self, answer: Answer) -> Self {
        Self { answer, ..self }
    }
}

/// Routes whose paths begin with the same segment.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// That segment.
    pub name: &'static str,
    /// What they are about, for people.
    pub about: &'static str,
    /// The routes.
    pub routes: &'static [Route],
}

/// The engine's own. An installation adds those of its services.
pub const ENGINE: [Group; 8] = [
    Group {
        name: "sagas",
        about: "Find sagas, learn why they stand where they stand, set them right.",
        routes: &[
            get("/sagas", ADMIN, "SearchSagas", ""),
            get("/sagas:count", ADMIN, "CountSagas", ""),
            get("/sagas:list", SAGA, "ListSagas", ""),
            post(
                "/sagas",
                SAGA,
                "StartSaga",
                "",
                r#"{"requestId": "0197f0c8-4d2a-7c11-9a51-3f2b8f4d6a01", "definition": "trip", "input": ""}"#,
            ),
            get("/sagas/{saga}", SAGA, "GetSaga", "name").answered(Answer::Tagged),
            get("/sagas/{saga}:explain", ADMIN, "ExplainSaga", "name"),
            get("/sagas/{saga}:timeline", ADMIN, "GetSagaTimeline", "name"),
            get("/sagas/{saga}:watch", SAGA, "WatchSaga", "name").answered(Answer::Stream),
            get("/sagas/{saga}/events", SAGA, "ListSagaEvents", "parent"),
            post(
                "/sagas/{saga}:act",
                ADMIN,
                "ActOnSaga",
                "name",
                r#"{"verb": "SAGA_VERB_RETRY", "reason": "the provider is back", "actor": "ada"}"#,
            )
            .answered(Answer::Tagged),
        ],
    },
    Group {
        name: "jobs",
        about: "One order for every saga that a filter selects.",
        routes: &[
            get("/jobs", ADMIN, "ListJobs", ""),
            post(
                "/jobs",
                ADMIN,
                "CreateJob",
                "",
                r#"{"filter": "state = stuck AND reason = NO_ROOM", "verb": "SAGA_VERB_RETRY", "reason": "the provider is back", "actor": "ada"}"#,
            ),
            get("/jobs/{job}", ADMIN, "GetJob", "name"),
            post(
                "/jobs/{job}:control",
                ADMIN,
                "ControlJob",
                "name",
                r#"{"control": "JOB_CONTROL_PAUSE", "reason": "too fast for the provider", "actor": "ada"}"#,
            ),
            get("/jobs/{job}/failures", ADMIN, "ListJobFailures", "parent"),
        ],
    },
    Group {
        name: "holds",
        about: "Definitions and participants that are halted.",
        routes: &[
            get("/holds", ADMIN, "ListHolds", ""),
            post(
                "/holds",
                ADMIN,
                "CreateHold",
                "",
                r#"{"name": "holds/participants/bank", "reason": "the provider is down", "actor": "ada"}"#,
            ),
            post("/holds/{kind}/{held}:release", ADMIN, "ReleaseHold", "name", REASONED),
        ],
    },
    Group {
        name: "deadLetters",
        about: "Messages that could not be processed.",
        routes: &[
            get("/deadLetters", ADMIN, "ListDeadLetters", ""),
            get("/deadLetters/{deadLetter}", ADMIN, "GetDeadLetter", "name"),
            post("/deadLetters/{deadLetter}:replay", ADMIN, "ReplayDeadLetter", "name", REASONED),
            post("/deadLetters/{deadLetter}:drop", ADMIN, "DropDeadLetter", "name", REASONED),
        ],
    },
    Group {
        name: "auditEntries",
        about: "What operators did.",
        routes: &[get("/auditEntries", ADMIN, "ListAuditEntries", "")],
    },
    Group {
        name: "overview",
        about: "How the installation is doing.",
        routes: &[
            get("/overview", ADMIN, "GetOverview", ""),
            get("/overview:watch", ADMIN, "GetOverview", "").answered(Answer::Repeated),
        ],
    },
    Group {
        name: "definitions",
        about: "Definitions, and how a new one fits the sagas under way.",
        routes: &[
            get("/definitions", ADMIN, "ListDefinitions", ""),
            get("/definitions/{definition}/versions/{version}", ADMIN, "GetDefinition", "name"),
            post(
                "/definitions:check",
                ADMIN,
                "CheckDefinition",
                "",
                r#"{"definition": {"name": "definitions/trip/versions/2", "steps": [{"step": "hotel.booked", "participant": "hotel", "kind": "STEP_KIND_COMPENSATABLE", "action": "hotel.book", "undo": "hotel.cancel"}]}}"#,
            ),
        ],
    },
    Group {
        name: "chaosTargets",
        about: "Breaking things on purpose; in development only.",
        routes: &[
            get("/chaosTargets", CHAOS, "ListChaosTargets", ""),
            post("/chaosTargets:kill", CHAOS, "KillTarget", "", r#"{"target": "hotel"}"#),
            post("/chaosTargets:revive", CHAOS, "ReviveTarget", "", r#"{"target": "hotel"}"#),
        ],
    },
];

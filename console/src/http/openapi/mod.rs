//! The OpenAPI document, made from the table and the services' descriptors: it cannot say anything else than what is served.
//!
//! | file | what it holds |
//! |---|---|
//! | [`comment`] | what the .proto files say of each thing |
//! | [`schema`] | messages and enums as JSON schemas |
//! | [`operation`] | routes as operations |

pub mod comment;
pub mod operation;
pub mod schema;

use crate::http::problem::{MEDIA_TYPE, TYPE};
use crate::http::table::Table;
use schema::Schemas;
use serde_json::{Map, Value, json};

/// What it is about, for people.
pub const ABOUT: &str = "The gRPC services of Baton as HTTP and JSON. JSON is as proto3 has it: names in lowerCamel, whole \
numbers of 64 bits as texts, enums by name, times as RFC 3339, bytes in base64. Answers have every field, empty ones too; \
requests may leave out any that is not required, and name none that is not there. What is refused is told as \
`application/problem+json` with the reason that gRPC has. docs/http.md shows it by examples.";

/// The document as it is served: indented, so that people can read it and diffs of it are small.
#[must_use]
pub fn text(table: &Table) -> String {
    format!("{:#}\n", document(table))
}

/// The document.
#[must_use]
pub fn document(table: &Table) -> Value {
    let mut schemas = Schemas::new(table.routes().iter().map(|route| route.call.input()));
    let mut paths = Map::new();
    for route in table.routes() {
        let operation = operation::of(route, &mut schemas);
        let path = paths.entry(&route.path).or_insert_with(|| json!({}));
        path[route.method.as_str().to_ascii_lowercase()] = operation;
    }
    let tags = table.tags().iter().map(|tag| json!({ "name": tag.name, "description": tag.description }));
    let tags: Vec<Value> = tags.collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Baton",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "An orchestrated saga engine: sagas, and what operators do.",
            "description": ABOUT,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
            "contact": { "name": "The authors of Baton" },
        },
        "servers": [{ "url": "/api/v1", "description": "The process that serves this document." }],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas.done(problem()),
            "responses": {
                "Problem": {
                    "description": "Refused; the document says why.",
                    "headers": { "Retry-After": {
                        "description": "Seconds after which it may be tried again, if it may.",
                        "schema": { "type": "integer", "minimum": 1 },
                    }},
                    "content": { MEDIA_TYPE: {
                        "schema": { "$ref": "#/components/schemas/Problem" },
                        "example": {
                            "type": format!("{TYPE}ACTION_REFUSED"),
                            "title": "Bad Request",
                            "status": 400,
                            "detail": "the saga is not stuck",
                            "code": "FAILED_PRECONDITION",
                            "reason": "ACTION_REFUSED",
                            "domain": "baton.dev",
                            "metadata": { "rule": "NOT_STUCK" },
                        },
                    }},
                },
            },
        },
    })
}

/// The schema of a problem.
fn problem() -> Value {
    let text = |about: &str| json!({ "type": "string", "description": about });
    let item = |properties: Value| {
        let required: Vec<String> =
            properties.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
        json!({ "type": "array", "items": { "type": "object", "properties": properties, "required": required } })
    };
    let described = |mut schema: Value, about: &str| {
        schema["description"] = about.into();
        schema
    };
    json!({
        "type": "object",
        "description": "Why a request was refused: RFC 9457, with what gRPC says beside it.",
        "required": ["type", "title", "status", "detail", "code", "reason", "domain"],
        "properties": {
            "type": { "type": "string", "format": "uri", "description": "A URI for the reason." },
            "title": text("The status code in words."),
            "status": { "type": "integer", "minimum": 400, "maximum": 599, "description": "The status code." },
            "detail": text("What happened, for people."),
            "code": text("The code that gRPC has for it, as google.rpc.Code spells it."),
            "reason": text("Why, UPPER_SNAKE, stable; docs/errors.md lists all. Programs branch on it, never on texts."),
            "domain": text("Whose reason it is."),
            "metadata": {
                "type": "object",
                "additionalProperties": { "type": "string" },
                "description": "What programs may read beside the reason.",
            },
            "violations": described(item(json!({
                "field": text("Its path, `lines[3].quantity` for example; empty for the whole."),
                "reason": text("Why, UPPER_SNAKE."),
                "description": text("What it takes, for people."),
            })), "The fields at fault."),
            "preconditions": described(item(json!({
                "type": text("The rule, UPPER_SNAKE."),
                "subject": text("What it is about."),
                "description": text("What it says, for people."),
            })), "What would have to hold and does not."),
        },
    })
}

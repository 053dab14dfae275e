//! Routes as operations: parameters, body, answers.

use crate::http::openapi::comment;
use crate::http::openapi::schema::{Schemas, Way};
use crate::http::route::{Answer, Route};
use crate::http::table::{tag, takes_version};
use http::Method;
use prost_reflect::Kind;
use serde_json::{Map, Value, json};

/// One operation; the schemas it needs are put into `schemas`.
pub fn of(route: &Route, schemas: &mut Schemas) -> Value {
    let about = comment::of(&route.call.parent_file(), route.call.path());
    let mut parameters = path(route);
    parameters.extend(query(route, schemas));
    parameters.extend(headers(route));
    let mut operation = json!({
        "operationId": id(route),
        "tags": [tag(&route.path)],
        "summary": comment::headline(&about),
        "description": description(route, &about),
        "responses": responses(route, schemas),
    });
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if let Some(body) = body(route, schemas) {
        operation["requestBody"] = body;
    }
    operation
}

/// The call's name; that of a repeated call begins with "watch".
#[must_use]
pub fn id(route: &Route) -> String {
    let call = route.call.name();
    match route.answer {
        Answer::Repeated => format!("watch{}", call.trim_start_matches("Get")),
        _ => call[..1].to_ascii_lowercase() + &call[1..],
    }
}

/// What a route does, for people.
#[must_use]
pub fn description(route: &Route, about: &str) -> String {
    let how = match route.answer {
        Answer::Once | Answer::Tagged => String::new(),
        Answer::Stream => {
            " Server-sent events: `id` is the version, `data` the message. The event `end` tells that nothing more \
             will come; close the source then. The event `problem` tells why the stream was cut off; take it up again."
                .to_owned()
        }
        Answer::Repeated => " The same again every two seconds, as server-sent events.".to_owned(),
    };
    format!("{about}{how}\n\ngRPC: `{}/{}`", route.call.parent_service().full_name(), route.call.name())
}

fn path(route: &Route) -> Vec<Value> {
    let input = route.call.input();
    let named = input.get_field_by_name(route.named());
    let about = named.map_or_else(String::new, |field| comment::of(&input.parent_file(), field.path()));
    let schema = match about.contains("{uuid}") {
        true => json!({ "type": "string", "format": "uuid" }),
        false => json!({ "type": "string", "minLength": 1 }),
    };
    let variables = route.template.variables().map(|name| {
        json!({
            "name": name,
            "in": "path",
            "required": true,
            "description": format!("Makes up the resource name: {about}"),
            "schema": schema,
        })
    });
    variables.collect()
}

fn query(route: &Route, schemas: &mut Schemas) -> Vec<Value> {
    if route.has_body {
        return Vec::new();
    }
    let input = route.call.input();
    let fields = input.fields().filter(|field| field.name() != route.named() && !field.is_list());
    let parameters = fields.filter(|field| !matches!(field.kind(), Kind::Message(_))).map(|field| {
        let mut schema = schemas.field(&field, Way::Asked);
        let about = schema.as_object_mut().and_then(|schema| schema.remove("description"));
        json!({ "name": field.json_name(), "in": "query", "description": about, "schema": schema })
    });
    parameters.collect()
}

fn headers(route: &Route) -> Vec<Value> {
    let input = route.call.input();
    let header = |name: &str, about: &str, schema: Value| json!({ "name": name, "in": "header", "description": about, "schema": schema });
    let tag = json!({ "type": "string", "pattern": "^(\\*|\"[1-9][0-9]{0,18}\")$", "examples": ["\"7\""] });
    let mut headers = Vec::new();
    if route.method != Method::GET && takes_version(&input) {
        headers.push(header("If-Match", "Only at this version, which is the ETag of the saga; else 412.", tag));
    } else if route.method == Method::GET && route.answer == Answer::Tagged {
        let about = "ETags that are known; if the present one is among them the answer is 304.";
        headers.push(header("If-None-Match", about, json!({ "type": "string" })));
    }
    if input.get_field_by_name("request_id").is_some() {
        let about = "The request id, instead of `requestId` in the body: the same id with the same content is carried out once.";
        headers.push(header("Idempotency-Key", about, json!({ "type": "string", "format": "uuid" })));
    }
    if input.get_field_by_name("after_version").is_some() {
        let about = "Takes a stream up again after this event; wins over `afterVersion`.";
        headers.push(header("Last-Event-ID", about, json!({ "type": "string", "pattern": "^[0-9]{1,19}$" })));
    }
    headers
}

fn body(route: &Route, schemas: &mut Schemas) -> Option<Value> {
    if !route.has_body {
        return None;
    }
    let schema = schemas.message(&route.call.input(), Way::Asked, route.named());
    // A test reads every example.
    let example: Value = serde_json::from_str(&route.example).unwrap_or_default();
    Some(json!({ "required": true, "content": { "application/json": { "schema": schema, "example": example } } }))
}

fn responses(route: &Route, schemas: &mut Schemas) -> Value {
    let output = route.call.output();
    let schema = schemas.message(&output, Way::Answered, "");
    let mut done = match route.answer {
        Answer::Once | Answer::Tagged => json!({
            "description": comment::of(&output.parent_file(), output.path()),
            "content": { "application/json": { "schema": schema } },
        }),
        // 3.1 has no word for what each event holds.
        Answer::Stream | Answer::Repeated => json!({
            "description": "Events, for as long as it goes on.",
            "content": { "text/event-stream": { "schema": { "type": "string" }, "x-event-data": schema } },
        }),
    };
    let mut responses = Map::new();
    if route.answer == Answer::Tagged {
        let tag = json!({ "description": "The saga's version in quotation marks.", "schema": { "type": "string" } });
        done["headers"] = json!({ "ETag": tag });
        if route.method == Method::GET {
            let known =
                json!({ "description": "It is at the version that If-None-Match names.", "headers": { "ETag": tag } });
            responses.insert("304".to_owned(), known);
        }
    }
    responses.insert("200".to_owned(), done);
    let problem = json!({ "$ref": "#/components/responses/Problem" });
    let mut refused = vec!["400"];
    if !route.named().is_empty() {
        refused.push("404");
    }
    if route.method != Method::GET {
        refused.extend(["409", "413", "415"]);
        if takes_version(&route.call.input()) {
            refused.push("412");
        }
    }
    refused.push("default");
    responses.extend(refused.into_iter().map(|status| (status.to_owned(), problem.clone())));
    Value::Object(responses)
}

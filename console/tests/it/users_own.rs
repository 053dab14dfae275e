//! Services that are not Baton's: what their proto files declare is served.

use axum::Router;
use axum::body::Body;
use axum::routing::post;
use baton_console::guard::Guard;
use baton_console::http::openapi;
use baton_console::http::table::Table;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use prost_reflect::DescriptorPool;
use std::path::Path;
use tower::ServiceExt as _;

/// A user's proto file around the routes of one call.
fn pool(rule: &str) -> DescriptorPool {
    let dir = tempfile::tempdir().expect("a directory");
    let text = format!(
        r#"syntax = "proto3";
        package agency.v1;
        import "baton/annotations/v1/http.proto";
        // Trips.
        service TripService {{
          // Returns one trip.
          rpc GetTrip(GetTripRequest) returns (Trip) {{ option (baton.annotations.v1.http) = {{ {rule} }}; }}
          // Is reached by gRPC only.
          rpc Hidden(GetTripRequest) returns (Trip);
        }}
        // Which.
        message GetTripRequest {{
          // As `trips/{{trip}}`.
          string name = 1;
          // How often.
          uint32 times = 2;
        }}
        // A trip.
        message Trip {{
          // Its name.
          string name = 1;
        }}"#
    );
    std::fs::write(dir.path().join("agency.proto"), text).expect("it is written");
    let engine = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto/proto");
    let mut compiler = protox::Compiler::new([dir.path(), engine.as_path()]).expect("two folders");
    compiler.include_imports(true).include_source_info(true).open_file("agency.proto").expect("it compiles");
    DescriptorPool::decode(compiler.encode_file_descriptor_set().as_slice()).expect("descriptors")
}

#[tokio::test]
async fn a_call_with_a_route_is_served_and_described() {
    let table = Table::new(pool(r#"get: "/{name=trips/*}""#)).expect("a sound route");
    let paths: Vec<&str> = table.routes().iter().map(|route| route.path.as_str()).collect();
    assert_eq!(paths, ["/trips/{trip}"], "the other call declares none");
    let document = openapi::document(&table);
    assert_eq!(document["paths"]["/trips/{trip}"]["get"]["summary"], "Returns one trip");
    assert_eq!(document["tags"][0]["name"], "trips");

    // An echo: the request's bytes are an answer, too, since both messages have their name in field 1.
    let grpc = Router::new().route(
        "/agency.v1.TripService/GetTrip",
        post(async |body: Body| ([("content-type", "application/grpc"), ("grpc-status", "0")], body)),
    );
    let console = baton_console::routes(&grpc, table, Guard::new(([127, 0, 0, 1], 80).into()));
    let request = Request::get("/api/v1/trips/7").header("host", "localhost").body(Body::empty()).expect("a request");
    let answer = console.oneshot(request).await.expect("an answer");
    let status = answer.status();
    let text = answer.into_body().collect().await.expect("a body").to_bytes();
    assert_eq!((status, &text[..]), (StatusCode::OK, &br#"{"name":"trips/7"}"#[..]), "{text:?}");
}

#[test]
fn a_wrong_route_is_named_by_its_call() {
    for (rule, why) in [
        (r#"get: "trips""#, "begins with /"),
        (r#"get: "/{trip=trips/*}""#, "no such field"),
        (r#"get: "/{times=trips/*}""#, "no text"),
        (r#"get: "/trips" body: "*" example: "{}""#, "GET has no body"),
        (r#"post: "/trips""#, "POST, PUT and PATCH have one"),
        (r#"post: "/trips" body: "name" example: "{}""#, "a body is * or nothing"),
        (r#"post: "/trips" body: "*""#, "an example"),
        (r#"post: "/trips" body: "*" example: "{}" answer: HTTP_ANSWER_REPEATED"#, "only GET is repeated"),
        (r#"body: "*""#, "no path"),
        (r#"get: "/trips" additional_bindings: { get: "/trips" }"#, "the same route"),
    ] {
        let told = Table::new(pool(rule)).expect_err(rule);
        assert!(told.contains("agency.v1.TripService.GetTrip") && told.contains(why), "{rule}: {told}");
    }
}

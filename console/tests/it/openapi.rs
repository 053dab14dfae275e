//! The OpenAPI document: sound in itself, true of what is served, and the same as docs/openapi.json. `BATON_REWRITE=1` writes
//! that file: `BATON_REWRITE=1 cargo test -p baton-console --test it openapi::`.

use crate::support::table;
use baton_console::http::openapi;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

fn walk(value: &Value, at: &str, visit: &mut impl FnMut(&str, &Value)) {
    visit(at, value);
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| walk(value, &format!("{at}/{}", name.replace('/', "~1")), visit))
        }
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(index, value)| walk(value, &format!("{at}/{index}"), visit))
        }
        _ => {}
    }
}

fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let each = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().expect("methods");
        methods.iter().map(move |(method, operation)| (path.clone(), method.clone(), operation))
    });
    each.collect()
}

#[test]
fn every_reference_leads_somewhere_and_every_component_is_referred_to() {
    let document = openapi::document(&table());
    let mut references = BTreeSet::new();
    walk(&document, "#", &mut |at, value| {
        if let Some(reference) = value.get("$ref") {
            let reference = reference.as_str().expect("a text");
            assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{at}: {reference}");
            references.insert(reference.to_owned());
        }
    });
    for kind in ["schemas", "responses"] {
        for name in document["components"][kind].as_object().expect("components").keys() {
            let reference = format!("#/components/{kind}/{name}");
            assert!(references.contains(&reference), "{reference} is unused");
        }
    }
}

#[test]
fn every_route_is_an_operation_of_its_own() {
    let document = openapi::document(&table());
    let operations = operations(&document);
    let mut ids = BTreeSet::new();
    let table = table();
    let known: BTreeSet<&str> = table.tags().iter().map(|tag| tag.name.as_str()).collect();
    for (path, method, operation) in &operations {
        assert!(ids.insert(operation["operationId"].as_str().expect("an id")), "{method} {path}");
        for word in ["summary", "description"] {
            assert!(operation[word].as_str().is_some_and(|text| !text.is_empty()), "{method} {path} has no {word}");
        }
        assert!(
            operation["tags"].as_array().expect("tags").iter().all(|tag| known.contains(tag.as_str().expect("a tag")))
        );
        assert!(operation["responses"].get("200").is_some() && operation["responses"].get("default").is_some());
        assert_eq!(operation.get("requestBody").is_some(), method == "post", "{method} {path}");
    }
    let served = table.routes().iter().map(|it| (it.path.clone(), it.method.as_str().to_ascii_lowercase()));
    let served: BTreeSet<(String, String)> = served.collect();
    assert_eq!(operations.into_iter().map(|(path, method, _)| (path, method)).collect::<BTreeSet<_>>(), served);
}

#[test]
fn parameters_are_those_of_the_path_and_each_there_once() {
    let document = openapi::document(&table());
    for (path, method, operation) in operations(&document) {
        let empty = Vec::new();
        let parameters = operation["parameters"].as_array().unwrap_or(&empty);
        let mut seen = BTreeSet::new();
        for parameter in parameters {
            let (name, place) =
                (parameter["name"].as_str().expect("a name"), parameter["in"].as_str().expect("a place"));
            assert!(seen.insert((place, name.to_ascii_lowercase())), "{method} {path}: {name} comes twice");
            assert!(parameter["description"].as_str().is_some_and(|text| !text.is_empty()), "{method} {path}: {name}");
            assert!(parameter["schema"].is_object(), "{method} {path}: {name}");
            if place == "path" {
                assert_eq!(parameter["required"], true, "{method} {path}: {name}");
                assert!(path.contains(&format!("{{{name}}}")), "{method} {path}: {name}");
            }
        }
        let variables = path.matches('{').count();
        assert_eq!(seen.iter().filter(|(place, _)| *place == "path").count(), variables, "{method} {path}");
    }
}

#[test]
fn what_is_required_is_there() {
    let document = openapi::document(&table());
    walk(&document, "#", &mut |at, value| {
        if let (Some(Value::Array(required)), Some(properties)) = (value.get("required"), value.get("properties")) {
            for name in required {
                assert!(properties.get(name.as_str().expect("a name")).is_some(), "{at}: {name}");
            }
        }
    });
    let act = &document["components"]["schemas"]["ActOnSagaRequest"];
    assert_eq!(act["required"], serde_json::json!(["verb", "reason", "actor"]));
    assert!(act["properties"].get("name").is_none(), "it stands in the path");
    assert_eq!(document["components"]["schemas"]["Saga"]["properties"]["version"]["type"], "string");
}

#[test]
fn schemas_are_told_apart_by_their_short_names() {
    let table = table();
    let packages = ["baton.dev.v1", "baton.saga.v1", "shop.order.v1", "shop.payment.v1", "shop.stock.v1"];
    let messages = table.pool().all_messages().map(|it| (it.package_name().to_owned(), it.name().to_owned()));
    let enums = table.pool().all_enums().map(|it| (it.package_name().to_owned(), it.name().to_owned()));
    let mut names = BTreeSet::new();
    for (package, name) in messages.chain(enums).filter(|(package, _)| packages.contains(&package.as_str())) {
        assert!(names.insert(name.clone()) && name != "Problem", "{package}.{name}");
    }
}

#[test]
fn the_document_in_docs_is_this_one() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
    if std::env::var_os("BATON_REWRITE").is_some() {
        std::fs::write(&page, openapi::text(&table())).expect("it can be written");
    }
    let kept = std::fs::read_to_string(&page).expect("docs/openapi.json");
    assert!(
        kept == openapi::text(&table()),
        "docs/openapi.json is old: BATON_REWRITE=1 cargo test -p baton-console --test it openapi::"
    );
}

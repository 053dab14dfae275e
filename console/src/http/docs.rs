//! /api/docs: every route with what it does, what it takes, and the curl line to try it.

use crate::command_hints::quoted;
use crate::http::openapi::operation::{description, id};
use crate::http::openapi::{ABOUT, comment, text};
use crate::http::route::Route;
use crate::http::table::{Table, tag};
use askama::Template;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use std::sync::Arc;

const STYLE: &str = include_str!("../../templates/api_docs.css");

#[derive(Template)]
#[template(path = "api_docs.html")]
struct Page<'a> {
    about: &'static str,
    groups: Vec<Group<'a>>,
}

struct Group<'a> {
    name: &'a str,
    about: &'a str,
    routes: Vec<RouteDoc<'a>>,
}

struct RouteDoc<'a> {
    id: String,
    method: &'a str,
    path: String,
    about: String,
    fields: Vec<Field>,
    curl: String,
}

struct Field {
    name: String,
    place: &'static str,
    about: String,
}

/// The page. Its curl lines go to the host that the reader asked.
pub async fn page(State(table): State<Arc<Table>>, headers: HeaderMap) -> Response {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    match rendered(&table, host) {
        Ok(page) => Html(page).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page that cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// How the page looks.
pub async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE)
}

/// The OpenAPI document.
pub async fn openapi(State(table): State<Arc<Table>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], text(&table))
}

fn rendered(table: &Table, host: &str) -> Result<String, askama::Error> {
    let groups = table.tags().iter().map(|group| {
        let routes = table.routes().iter().filter(|route| tag(&route.path) == group.name);
        Group { name: &group.name, about: &group.description, routes: routes.map(|route| line(route, host)).collect() }
    });
    Page { about: ABOUT, groups: groups.collect() }.render()
}

fn line<'a>(route: &'a Route, host: &str) -> RouteDoc<'a> {
    let about = comment::of(&route.call.parent_file(), route.call.path());
    let place = if route.has_body { "body" } else { "query" };
    let input = route.call.input();
    let fields = input.fields().map(|field| Field {
        name: field.json_name().to_owned(),
        place: if field.name() == route.named() { "path" } else { place },
        about: comment::of(&field.parent_file(), field.path()),
    });
    RouteDoc {
        id: id(route),
        method: route.method.as_str(),
        path: format!("/api/v1{}", route.path),
        about: description(route, &about),
        fields: fields.collect(),
        curl: curl(route, host),
    }
}

/// Variables stand in capitals, to be replaced.
fn curl(route: &Route, host: &str) -> String {
    let capitals = route.template.variables().fold(route.path.clone(), |path, variable| {
        path.replace(&format!("{{{variable}}}"), &variable.to_ascii_uppercase())
    });
    let url = quoted(&format!("http://{host}/api/v1{capitals}"));
    let flags = if route.call.is_server_streaming() { "-sSN" } else { "-sS" };
    match route.example.as_str() {
        "" => format!("curl {flags} {url}"),
        example => format!("curl {flags} {url} --json {}", quoted(example)),
    }
}

#[cfg(test)]
mod tests {
    use super::rendered;
    use crate::http::table::shipped;

    #[test]
    fn every_route_is_on_the_page_and_a_hostile_host_is_inert() {
        let table = shipped();
        let page = rendered(&table, "h\"><script>alert(1)</script>").expect("a page");
        for route in table.routes() {
            assert!(page.contains(&format!("<code>/api/v1{}</code>", route.path)), "{}", route.path);
        }
        assert!(!page.contains("<script"), "it is escaped");
    }
}

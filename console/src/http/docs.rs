//! /api/docs: every route with what it does, what it takes, and the curl line to try it.

use crate::equal::quoted;
use crate::http::openapi::comment::Comments;
use crate::http::openapi::operation::{description, id};
use crate::http::openapi::{ABOUT, tag};
use crate::http::served::{Served, Table};
use askama::Template;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode, header};
use std::sync::Arc;

const STYLE: &str = include_str!("../../templates/api_docs.css");

#[derive(Template)]
#[template(path = "api_docs.html")]
struct Page<'a> {
    about: &'static str,
    groups: Vec<Group<'a>>,
}

struct Group<'a> {
    name: &'static str,
    about: &'static str,
    routes: Vec<Line<'a>>,
}

struct Line<'a> {
    id: String,
    method: &'static str,
    path: String,
    about: String,
    fields: Vec<Field<'a>>,
    curl: String,
}

struct Field<'a> {
    name: String,
    place: &'static str,
    about: &'a str,
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
    ([(header::CONTENT_TYPE, "application/json")], table.openapi().to_owned())
}

fn rendered(table: &Table, host: &str) -> Result<String, askama::Error> {
    let groups = table.groups().iter().map(|group| {
        let routes = table.served().iter().filter(|served| tag(served.route.path) == group.name);
        let routes = routes.map(|served| line(served, host, table.comments()));
        Group { name: group.name, about: group.about, routes: routes.collect() }
    });
    Page { about: ABOUT, groups: groups.collect() }.render()
}

fn line<'a>(served: &Served, host: &str, comments: &'a Comments) -> Line<'a> {
    let route = served.route;
    let about = comments.of(served.method.parent_file().name(), served.method.path());
    let place = if route.method == Method::GET { "query" } else { "body" };
    let input = served.method.input();
    let fields = input.fields().map(|field| Field {
        name: field.json_name().to_owned(),
        place: if field.name() == route.named { "path" } else { place },
        about: comments.of(field.parent_message().parent_file().name(), field.path()),
    });
    Line {
        id: id(served),
        method: route.method.as_str(),
        path: format!("/api/v1{}", route.path),
        about: description(served, about),
        fields: fields.collect(),
        curl: curl(served, host),
    }
}

/// Variables stand in capitals, to be replaced.
fn curl(served: &Served, host: &str) -> String {
    let capitals = served.template.variables().fold(served.route.path.to_owned(), |path, variable| {
        path.replace(&format!("{{{variable}}}"), &variable.to_ascii_uppercase())
    });
    let url = quoted(&format!("http://{host}/api/v1{capitals}"));
    let flags = if served.method.is_server_streaming() { "-sSN" } else { "-sS" };
    match served.route.example {
        "" => format!("curl {flags} {url}"),
        example => format!("curl {flags} {url} --json {}", quoted(example)),
    }
}

#[cfg(test)]
mod tests {
    use super::rendered;
    use crate::http::served::Table;

    #[test]
    fn every_route_is_on_the_page_and_a_hostile_host_is_inert() {
        let table = Table::engine();
        let page = rendered(&table, "h\"><script>alert(1)</script>").expect("a page");
        for served in table.served() {
            assert!(page.contains(&format!("<code>/api/v1{}</code>", served.route.path)), "{}", served.route.path);
        }
        assert!(!page.contains("<script"), "it is escaped");
    }
}

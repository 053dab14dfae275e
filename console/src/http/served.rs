//! The routes with their descriptors: what each reads and writes, found once.

use crate::http::openapi;
use crate::http::openapi::comment::Comments;
use crate::http::path::{Parts, Template};
use crate::http::route::{ENGINE, Group, Route};
use baton_rpc::descriptors::Descriptors;
use http::Method;
use prost_reflect::{DynamicMessage, MessageDescriptor, MethodDescriptor};
use std::sync::{Arc, LazyLock, OnceLock};

static ENGINE_ALONE: LazyLock<Arc<Table>> = LazyLock::new(|| Arc::new(Table::new(&Descriptors::engine(), &[])));

/// One route with what belongs to it.
#[derive(Clone, Debug)]
pub struct Served {
    /// The row.
    pub route: Route,
    /// Its path.
    pub template: Template,
    /// Its call.
    pub method: MethodDescriptor,
}

/// What is served over HTTP.
#[derive(Debug)]
pub struct Table {
    groups: Vec<Group>,
    served: Vec<Arc<Served>>,
    comments: Comments,
    openapi: OnceLock<String>,
}

/// What a path leads to.
#[derive(Debug)]
pub enum Found {
    /// A route, and the resource name in its path.
    Route(Arc<Served>, String),
    /// Other methods than the one asked for.
    Methods(Vec<&'static Method>),
    /// Nothing.
    Nothing,
}

impl Table {
    /// The engine's routes, and `more`. A row whose call `descriptors` do not have is left out; tests demand that there is none.
    #[must_use]
    pub fn new(descriptors: &Descriptors, more: &[Group]) -> Self {
        let groups: Vec<Group> = ENGINE.iter().chain(more).copied().collect();
        let served = groups.iter().flat_map(|group| group.routes).filter_map(|route| {
            let service = descriptors.pool().get_service_by_name(route.service)?;
            let method = service.methods().find(|method| method.name() == route.call)?;
            Some(Arc::new(Served { route: *route, template: Template::of(route.path), method }))
        });
        let served = served.collect();
        Self { groups, served, comments: Comments::new(descriptors.pool().clone()), openapi: OnceLock::new() }
    }

    /// The engine's routes alone.
    #[must_use]
    pub fn engine() -> Arc<Self> {
        ENGINE_ALONE.clone()
    }

    /// The groups, in the order of the documentation.
    #[must_use]
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// Every route, in the order of the groups.
    #[must_use]
    pub fn served(&self) -> &[Arc<Served>] {
        &self.served
    }

    /// What the .proto files say.
    #[must_use]
    pub fn comments(&self) -> &Comments {
        &self.comments
    }

    /// The OpenAPI document as it is served: indented, so that people can read it and diffs of it are small.
    #[must_use]
    pub fn openapi(&self) -> &str {
        self.openapi.get_or_init(|| format!("{:#}\n", openapi::document(self)))
    }

    /// The route for a method and a path below `/api/v1`.
    #[must_use]
    pub fn find(&self, method: &Method, path: &str) -> Found {
        let Some(parts) = Parts::of(path) else { return Found::Nothing };
        let method = if method == Method::HEAD { &Method::GET } else { method };
        let mut others = Vec::new();
        for served in &self.served {
            if let Some(name) = served.template.name(&parts) {
                if served.route.method == method {
                    return Found::Route(served.clone(), name);
                }
                others.push(served.route.method);
            }
        }
        if others.is_empty() { Found::Nothing } else { Found::Methods(others) }
    }
}

/// The version of what a response holds: of its one message that has a version.
#[must_use]
pub fn version(message: &DynamicMessage) -> Option<u64> {
    message.fields().find_map(|(_, value)| value.as_message()?.get_field_by_name("version")?.as_u64())
}

/// True if a request may say which version it is for.
#[must_use]
pub fn takes_version(message: &MessageDescriptor) -> bool {
    message.get_field_by_name("version").is_some()
}

#[cfg(test)]
mod tests {
    use super::{Found, Table};
    use http::Method;

    #[test]
    fn a_method_that_is_not_there_names_those_that_are() {
        let find = |method, path| Table::engine().find(method, path);
        assert!(
            matches!(find(&Method::GET, "/sagas/7"), Found::Route(served, name) if served.route.call == "GetSaga" && name == "sagas/7")
        );
        assert!(matches!(find(&Method::HEAD, "/sagas/7"), Found::Route(..)));
        let Found::Methods(methods) = find(&Method::DELETE, "/sagas") else { panic!("methods") };
        assert_eq!(methods, [&Method::GET, &Method::POST]);
        assert!(matches!(find(&Method::GET, "/nothing"), Found::Nothing));
    }
}

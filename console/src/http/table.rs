//! All routes of the services that are known here, found once.

use crate::http::path::Parts;
use crate::http::route::Route;
use baton_proto::baton::annotations::v1::HttpTag;
use http::Method;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, Value};

/// Routes, and the groups they are shown in.
#[derive(Debug)]
pub struct Table {
    pool: DescriptorPool,
    routes: Vec<Route>,
    tags: Vec<HttpTag>,
}

impl Table {
    /// The routes that the services in `pool` declare.
    ///
    /// # Errors
    /// Which call's route is wrong, and why.
    pub fn new(pool: DescriptorPool) -> Result<Self, String> {
        let (mut routes, mut tags) = (Vec::new(), Vec::new());
        for call in pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
            routes.extend(Route::of(&call).map_err(|why| format!("the route of {}: {why}", call.full_name()))?);
        }
        // Words before variables.
        routes.sort_by(|one, other| (&one.path, one.method.as_str()).cmp(&(&other.path, other.method.as_str())));
        if let Some([one, other]) =
            routes.array_windows().find(|[one, other]| (&one.path, &one.method) == (&other.path, &other.method))
        {
            let (one, other) = (one.call.full_name(), other.call.full_name());
            return Err(format!("{one} and {other} have the same route"));
        }
        if let Some(declared) = pool.get_extension_by_name("baton.annotations.v1.http_tags") {
            for service in pool.services() {
                let options = service.options();
                let all = options.get_extension(&declared);
                let all = all.as_list().unwrap_or_default().iter().filter_map(Value::as_message);
                tags.extend(all.filter_map(|tag| tag.transcode_to().ok()));
            }
        }
        // Whoever says nothing of a group still has it.
        for route in &routes {
            let name = tag(&route.path);
            if !tags.iter().any(|tag: &HttpTag| tag.name == name) {
                let description = format!("Calls of {}.", route.call.parent_service().full_name());
                tags.push(HttpTag { name: name.to_owned(), description });
            }
        }
        Ok(Self { pool, routes, tags })
    }

    /// What is known of all messages and services.
    #[must_use]
    pub fn pool(&self) -> &DescriptorPool {
        &self.pool
    }

    /// Every route, by its path.
    #[must_use]
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// The groups of routes: the first segment of their paths, and what it is about.
    #[must_use]
    pub fn tags(&self) -> &[HttpTag] {
        &self.tags
    }

    /// The route for a method and a path below `/api/v1`.
    #[must_use]
    pub fn find(&self, method: &Method, path: &str) -> Found<'_> {
        let Some(parts) = Parts::of(path) else { return Found::Nothing };
        let method = if method == Method::HEAD { &Method::GET } else { method };
        let mut others = Vec::new();
        for route in &self.routes {
            if let Some(name) = route.template.name(&parts) {
                if route.method == method {
                    return Found::Route(route, name);
                }
                others.push(&route.method);
            }
        }
        if others.is_empty() { Found::Nothing } else { Found::Methods(others) }
    }
}

/// What a path leads to.
#[derive(Debug)]
pub enum Found<'a> {
    /// A route, and the resource name in its path.
    Route(&'a Route, String),
    /// Other methods than the one asked for.
    Methods(Vec<&'a Method>),
    /// Nothing.
    Nothing,
}

/// The first segment of a path.
#[must_use]
pub fn tag(path: &str) -> &str {
    path.trim_start_matches('/').split(['/', ':']).next().unwrap_or_default()
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

/// The engine's routes.
#[cfg(test)]
pub(crate) fn shipped() -> Table {
    Table::new(baton_rpc::descriptors::Descriptors::engine().pool().clone()).expect("sound routes")
}

#[cfg(test)]
mod tests {
    use super::{Found, shipped};
    use http::Method;

    #[test]
    fn a_method_that_is_not_there_names_those_that_are() {
        let table = shipped();
        assert!(
            matches!(table.find(&Method::GET, "/sagas/7"), Found::Route(route, name) if route.call.name() == "GetSaga" && name == "sagas/7")
        );
        assert!(matches!(table.find(&Method::HEAD, "/sagas/7"), Found::Route(..)));
        let Found::Methods(methods) = table.find(&Method::DELETE, "/sagas") else { panic!("methods") };
        assert_eq!(methods, [&Method::GET, &Method::POST]);
        assert!(matches!(table.find(&Method::GET, "/nothing"), Found::Nothing));
    }
}

//! The table with its descriptors: what each route reads and writes, found once.

use crate::http::path::{Parts, Template};
use crate::http::route::{ROUTES, Route};
use baton_proto::DESCRIPTORS;
use http::Method;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, MethodDescriptor};
use std::sync::LazyLock;

/// The descriptors of every message and service there is.
pub static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    // The bytes are what the build wrote, and every test of this crate decodes them.
    DescriptorPool::decode(DESCRIPTORS).expect("descriptors that this build wrote")
});

/// One route with what belongs to it.
#[derive(Clone, Debug)]
pub struct Served {
    /// The row.
    pub route: &'static Route,
    /// Its path.
    pub template: Template,
    /// Its call.
    pub method: MethodDescriptor,
}

/// Every route, in the order of the table. A row whose call does not exist is left out; a test demands that there is none.
pub static SERVED: LazyLock<Vec<Served>> = LazyLock::new(|| {
    let found = ROUTES.iter().filter_map(|route| {
        let service = POOL.get_service_by_name(route.service)?;
        let method = service.methods().find(|method| method.name() == route.call)?;
        Some(Served { route, template: Template::of(route.path), method })
    });
    found.collect()
});

/// What a path leads to.
#[derive(Debug)]
pub enum Found {
    /// A route, and the resource name in its path.
    Route(&'static Served, String),
    /// Other methods than the one asked for.
    Methods(Vec<&'static Method>),
    /// Nothing.
    Nothing,
}

/// The route for a method and a path below `/api/v1`.
#[must_use]
pub fn find(method: &Method, path: &str) -> Found {
    let Some(parts) = Parts::of(path) else { return Found::Nothing };
    let method = if method == Method::HEAD { &Method::GET } else { method };
    let mut others = Vec::new();
    for served in SERVED.iter() {
        if let Some(name) = served.template.name(&parts) {
            if served.route.method == method {
                return Found::Route(served, name);
            }
            others.push(served.route.method);
        }
    }
    if others.is_empty() { Found::Nothing } else { Found::Methods(others) }
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
    use super::{Found, find};
    use http::Method;

    #[test]
    fn a_method_that_is_not_there_names_those_that_are() {
        assert!(
            matches!(find(&Method::GET, "/sagas/7"), Found::Route(served, name) if served.route.call == "GetSaga" && name == "sagas/7")
        );
        assert!(matches!(find(&Method::HEAD, "/sagas/7"), Found::Route(..)));
        let Found::Methods(methods) = find(&Method::DELETE, "/sagas") else { panic!("methods") };
        assert_eq!(methods, [&Method::GET, &Method::POST]);
        assert!(matches!(find(&Method::GET, "/nothing"), Found::Nothing));
    }
}

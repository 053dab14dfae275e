//! The routes and the calls fit: each has the other, once.

use crate::support::table;
use baton_console::http::shape::flaws;
use std::collections::BTreeMap;

/// Services that are not for people: participants are asked by the engine alone.
const NOT_SERVED: [&str; 2] = ["baton.courier.v1.CourierService", "baton.participant.v1.ParticipantService"];

#[test]
fn every_call_has_one_route_and_one_is_watched_too() {
    let table = table();
    let mut routes: BTreeMap<String, usize> = BTreeMap::new();
    for route in table.routes() {
        *routes.entry(route.call.full_name().to_owned()).or_default() += 1;
    }
    let services = table.pool().services().filter(|service| !NOT_SERVED.contains(&service.full_name()));
    let calls =
        services.flat_map(|service| service.methods().map(|call| call.full_name().to_owned()).collect::<Vec<_>>());
    let expected = calls.map(|call| {
        let routes = if call.ends_with(".GetOverview") { 2 } else { 1 };
        (call, routes)
    });
    assert_eq!(routes, expected.collect());
}

#[test]
fn what_every_example_says_is_a_request() {
    for route in table().routes().iter().filter(|route| route.has_body) {
        let value = serde_json::from_str(&route.example).expect(&route.path);
        assert_eq!(flaws(&value, &route.call.input()), [], "{}", route.path);
    }
}

//! The routes and the calls fit: each has the other, once.

use crate::support::table;
use baton_console::http::route::Answer;
use baton_console::http::shape::flaws;
use http::Method;
use std::collections::{BTreeMap, BTreeSet};

/// Services that are not for people: participants are asked by the engine alone.
const NOT_SERVED: [&str; 1] = ["baton.participant.v1.ParticipantService"];

#[test]
fn every_call_has_one_route_and_every_route_a_call() {
    let table = table();
    let listed = || table.groups().iter().flat_map(|group| group.routes);
    let mut routes: BTreeMap<(String, String), usize> = BTreeMap::new();
    for route in listed().filter(|route| route.answer != Answer::Repeated) {
        *routes.entry((route.service.to_owned(), route.call.to_owned())).or_default() += 1;
    }
    let pool = baton_shop::descriptors::descriptors().pool().clone();
    let services = pool.services().filter(|service| !NOT_SERVED.contains(&service.full_name()));
    let calls = services.flat_map(|service| {
        service.methods().map(|method| (service.full_name().to_owned(), method.name().to_owned())).collect::<Vec<_>>()
    });
    assert_eq!(routes, calls.map(|call| (call, 1)).collect());
    assert_eq!(table.served().len(), listed().count());
}

#[test]
fn paths_differ_stand_in_their_group_and_fit_their_calls() {
    let table = table();
    let distinct: BTreeSet<_> =
        table.served().iter().map(|served| (served.route.method.as_str(), served.route.path)).collect();
    assert_eq!(distinct.len(), table.served().len());
    for group in table.groups() {
        for route in group.routes {
            assert!(route.path[1..].split(['/', ':']).next() == Some(group.name), "{} in {}", route.path, group.name);
        }
    }
    for served in table.served() {
        let route = served.route;
        assert_eq!(route.named.is_empty(), served.template.variables().next().is_none(), "{}", route.path);
        assert_eq!(served.method.is_server_streaming(), route.answer == Answer::Stream, "{}", route.path);
        assert_eq!(route.example.is_empty(), route.method == Method::GET, "{}", route.path);
        if !route.named.is_empty() {
            assert!(served.method.input().get_field_by_name(route.named).is_some(), "{}", route.path);
        }
    }
}

#[test]
fn what_every_example_says_is_a_request() {
    for served in table().served().iter().filter(|served| !served.route.example.is_empty()) {
        let value = serde_json::from_str(served.route.example).expect(served.route.path);
        assert_eq!(flaws(&value, &served.method.input()), [], "{}", served.route.path);
    }
}

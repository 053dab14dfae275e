//! Routes, as the proto files declare them (`baton.annotations.v1.http`): which method and path stand for which call.
//! Everything else follows from the services' descriptors.

use crate::http::path::Template;
use baton_proto::baton::annotations::v1::http_rule::Pattern;
use baton_proto::baton::annotations::v1::{HttpAnswer, HttpRule};
use http::Method;
use prost_reflect::{Kind, MethodDescriptor};

/// One route.
#[derive(Clone, Debug)]
pub struct Route {
    /// GET for what changes nothing.
    pub method: Method,
    /// Below `/api/v1`, as people read it: segments, variables in braces, a custom verb behind a colon.
    pub path: String,
    /// The same, taken apart.
    pub template: Template,
    /// True if what the path does not hold comes in a JSON body, and not in the query.
    pub has_body: bool,
    /// How it is answered.
    pub answer: Answer,
    /// The body of an example; empty if there is no body.
    pub example: String,
    /// The call that it stands for.
    pub call: MethodDescriptor,
}

/// How a route is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// With one JSON document.
    Once,
    /// With one JSON document and the version of what is in it as ETag.
    Tagged,
    /// With events, for as long as the call's stream goes on.
    Stream,
    /// With events: a call that answers once, repeated.
    Repeated,
}

impl Route {
    /// All routes to a call; none if it declares none.
    ///
    /// # Errors
    /// What is wrong with one.
    pub fn of(call: &MethodDescriptor) -> Result<Vec<Self>, String> {
        let options = call.options();
        let declared = call.parent_pool().get_extension_by_name("baton.annotations.v1.http");
        let Some(declared) = declared.filter(|declared| options.has_extension(declared)) else { return Ok(Vec::new()) };
        let rule = options.get_extension(&declared);
        let rule = rule.as_message().map(|rule| rule.transcode_to::<HttpRule>());
        let rule = rule.and_then(Result::ok).ok_or("it is no HttpRule")?;
        let more = rule.additional_bindings.iter();
        if more.clone().any(|more| !more.additional_bindings.is_empty()) {
            return Err("an additional binding has additional bindings".to_owned());
        }
        std::iter::once(&rule).chain(more).map(|rule| Self::new(rule, call.clone())).collect()
    }

    fn new(rule: &HttpRule, call: MethodDescriptor) -> Result<Self, String> {
        let (method, path) = match rule.pattern.as_ref().ok_or("it has no path")? {
            Pattern::Get(path) => (Method::GET, path),
            Pattern::Put(path) => (Method::PUT, path),
            Pattern::Post(path) => (Method::POST, path),
            Pattern::Delete(path) => (Method::DELETE, path),
            Pattern::Patch(path) => (Method::PATCH, path),
        };
        let template = Template::parse(path, &rule.variables).map_err(|why| format!("{path}: {why}"))?;
        let wrong = |why: &str| Err(format!("{path}: {why}"));
        let named = call.input().get_field_by_name(template.named());
        if !template.named().is_empty() && named.is_none_or(|field| field.kind() != Kind::String || field.is_list()) {
            return wrong("the request has no such field, or it is no text");
        }
        let has_body = match rule.body.as_str() {
            "" => false,
            "*" => true,
            _ => return wrong("a body is * or nothing"),
        };
        let fits = match method {
            Method::GET => !has_body,
            Method::DELETE => true,
            _ => has_body,
        };
        if !fits {
            return wrong("GET has no body; POST, PUT and PATCH have one");
        }
        if has_body == rule.example.is_empty() {
            return wrong("there is an example if there is a body");
        }
        let answer = match (rule.answer(), call.is_server_streaming()) {
            (HttpAnswer::Unspecified, false) => Answer::Once,
            (HttpAnswer::Unspecified, true) => Answer::Stream,
            (HttpAnswer::Tagged, false) => Answer::Tagged,
            (HttpAnswer::Repeated, false) if method == Method::GET => Answer::Repeated,
            _ => return wrong("a stream is answered as one, and only GET is repeated"),
        };
        if call.is_client_streaming() {
            return wrong("the caller streams");
        }
        Ok(Self { method, path: template.shown(), template, has_body, answer, example: rule.example.clone(), call })
    }

    /// The request's field that the path names; empty if the path has no variable.
    #[must_use]
    pub fn named(&self) -> &str {
        self.template.named()
    }
}

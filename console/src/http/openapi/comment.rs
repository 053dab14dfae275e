//! What the .proto files say of messages, fields, values and calls.

use prost_reflect::FileDescriptor;

/// The comment before something, as flowing text; empty if there is none.
#[must_use]
pub fn of(file: &FileDescriptor, path: &[i32]) -> String {
    let mut locations = file.file_descriptor_proto().source_code_info.iter().flat_map(|source| &source.location);
    let comment = locations.find(|location| location.path == path).and_then(|it| it.leading_comments.as_deref());
    comment.map(flowing).unwrap_or_default()
}

/// The first sentence of a comment, without its full stop.
#[must_use]
pub fn headline(comment: &str) -> &str {
    let end = comment.find(". ").or_else(|| comment.find(": ")).unwrap_or(comment.len());
    comment[..end].trim_end_matches('.')
}

/// Lines joined; an empty line stays a paragraph's end.
fn flowing(text: &str) -> String {
    let paragraphs = text.split("\n\n").map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "));
    paragraphs.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::{flowing, headline, of};
    use crate::http::table::shipped;

    #[test]
    fn every_call_says_what_it_does() {
        for route in shipped().routes() {
            let comment = of(&route.call.parent_file(), route.call.path());
            assert!(comment.ends_with('.') && headline(&comment).len() > 8, "{}: {comment:?}", route.call.name());
        }
    }

    #[test]
    fn a_comment_flows() {
        assert_eq!(flowing(" One two\n three.\n\n Four.\n"), "One two three.\n\nFour.");
        assert_eq!(headline("One two. Three."), "One two");
        assert_eq!(headline("One."), "One");
    }
}

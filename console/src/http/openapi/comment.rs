//! What the .proto files say of messages, fields, values and calls.

use crate::http::served::POOL;
use std::collections::HashMap;
use std::sync::LazyLock;

/// Comments by file and by the path of what they stand before.
static COMMENTS: LazyLock<HashMap<(String, Vec<i32>), String>> = LazyLock::new(|| {
    let mut comments = HashMap::new();
    for file in POOL.files() {
        let source = file.file_descriptor_proto().source_code_info.iter().flat_map(|source| &source.location);
        for location in source {
            if let Some(text) = &location.leading_comments {
                comments.insert((file.name().to_owned(), location.path.clone()), flowing(text));
            }
        }
    }
    comments
});

/// The comment before something, as flowing text; empty if there is none.
#[must_use]
pub fn of(file: &str, path: &[i32]) -> &'static str {
    COMMENTS.get(&(file.to_owned(), path.to_vec())).map_or("", String::as_str)
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
    use crate::http::served::SERVED;

    #[test]
    fn every_call_says_what_it_does() {
        for served in SERVED.iter() {
            let comment = of(served.method.parent_file().name(), served.method.path());
            assert!(comment.ends_with('.') && headline(comment).len() > 8, "{}: {comment:?}", served.route.call);
        }
    }

    #[test]
    fn a_comment_flows() {
        assert_eq!(flowing(" One two\n three.\n\n Four.\n"), "One two three.\n\nFour.");
        assert_eq!(headline("One two. Three."), "One two");
        assert_eq!(headline("One."), "One");
    }
}

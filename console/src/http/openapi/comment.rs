//! What the .proto files say of messages, fields, values and calls.

use prost_reflect::DescriptorPool;
use std::collections::HashMap;
use std::sync::OnceLock;

/// The comments of the files of a pool; read when they are asked for, which few processes are.
#[derive(Debug)]
pub struct Comments {
    pool: DescriptorPool,
    // By file and by the path of what they stand before.
    read: OnceLock<HashMap<(String, Vec<i32>), String>>,
}

impl Comments {
    /// Those of the files of `pool`.
    #[must_use]
    pub fn new(pool: DescriptorPool) -> Self {
        Self { pool, read: OnceLock::new() }
    }

    /// The comment before something, as flowing text; empty if there is none.
    #[must_use]
    pub fn of(&self, file: &str, path: &[i32]) -> &str {
        let comments = self.read.get_or_init(|| read(&self.pool));
        comments.get(&(file.to_owned(), path.to_vec())).map_or("", String::as_str)
    }
}

fn read(pool: &DescriptorPool) -> HashMap<(String, Vec<i32>), String> {
    let mut comments = HashMap::new();
    for file in pool.files() {
        let source = file.file_descriptor_proto().source_code_info.iter().flat_map(|source| &source.location);
        for location in source {
            if let Some(text) = &location.leading_comments {
                comments.insert((file.name().to_owned(), location.path.clone()), flowing(text));
            }
        }
    }
    comments
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
    use super::{flowing, headline};
    use crate::http::served::Table;

    #[test]
    fn every_call_says_what_it_does() {
        let table = Table::engine();
        for served in table.served() {
            let comment = table.comments().of(served.method.parent_file().name(), served.method.path());
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

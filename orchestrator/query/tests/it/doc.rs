//! docs/filters.md lists the fields and presets that there are.

use baton_query::filter::{Field, Preset, parse};

const DOC: &str = include_str!("../../../../docs/filters.md");

fn between<'a>(begin: &str, end: &str) -> &'a str {
    DOC.split_once(begin).and_then(|(_, rest)| rest.split_once(end)).map(|(table, _)| table.trim()).unwrap()
}

#[test]
fn the_fields_are_listed() {
    let rows = Field::ALL.map(|field| {
        let (meaning, example) = field.meaning().rsplit_once(": ").unwrap();
        format!("| `{}` | {meaning} | `{}` |", field.name(), example.replace(", ", "`, `"))
    });
    let table = format!("| field | meaning | for example |\n|---|---|---|\n{}", rows.join("\n"));
    assert_eq!(between("<!-- fields -->", "<!-- /fields -->"), table);
}

#[test]
fn the_presets_are_listed() {
    let rows =
        Preset::ALL.map(|preset| format!("| {} | {} | `{}` |", preset.name(), preset.meaning(), preset.filter()));
    let table = format!("| preset | selects | filter |\n|---|---|---|\n{}", rows.join("\n"));
    assert_eq!(between("<!-- presets -->", "<!-- /presets -->"), table);
}

/// The examples parse.
#[test]
fn the_examples_are_filters() {
    for field in Field::ALL {
        let (_, examples) = field.meaning().rsplit_once(": ").unwrap();
        for example in examples.split(", ") {
            assert!(parse(example, &[]).is_ok(), "{example}");
        }
    }
    for example in between("```text\n", "```").lines() {
        assert!(parse(example, &[]).is_ok(), "{example}");
    }
}

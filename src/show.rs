//! Data on standard output: one table or one JSON value for each answer.

use crate::cli::{Global, Output};
use crate::output;
use baton_query::inert::named;
use comfy_table::presets::ASCII_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};
use serde_json::{Map, Value};

/// Something that can be shown: its fields in order, under their JSON names.
pub trait Record {
    /// The fields a list shows as columns; a single record shows all.
    const COLUMNS: &'static [&'static str];
    /// Every field with its value.
    fn fields(&self) -> Vec<(&'static str, Value)>;
    /// What a column shows that is no field, because it is for people only.
    fn shown(&self, _column: &str) -> Option<String> {
        None
    }
}

/// Prints in the format the user asked for.
#[derive(Clone, Copy, Debug)]
pub struct Printer {
    output: Output,
    quiet: bool,
    no_colour: bool,
}

impl Printer {
    /// From the global flags and the terminal.
    #[must_use]
    pub fn new(global: &Global) -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { output: global.output.unwrap_or_default(), quiet: global.quiet, no_colour: global.no_color || unwanted }
    }

    /// Whether data is for machines.
    #[must_use]
    pub fn json(&self) -> bool {
        self.output == Output::Json
    }

    /// Whether the user wants no colours, terminal or not.
    #[must_use]
    pub fn no_colour(&self) -> bool {
        self.no_colour
    }

    /// Whether standard error is for errors only.
    #[must_use]
    pub fn quiet(&self) -> bool {
        self.quiet
    }

    /// One record: all its fields.
    pub fn one(&self, record: &impl Record) {
        if self.json() {
            return self.value(&Value::Object(object(record)));
        }
        let mut table = table();
        for (name, value) in record.fields() {
            table.add_row([name.to_owned(), plain(&value)]);
        }
        output::text(&table.trim_fmt());
    }

    /// One record as one line, for streams.
    pub fn line(&self, record: &impl Record, columns: &[&str]) {
        let object = object(record);
        if self.json() {
            return output::json(&Value::Object(object).to_string());
        }
        let cells = columns.iter().map(|name| object.get(*name).map_or_else(String::new, plain));
        let line = cells.filter(|cell| !cell.is_empty()).collect::<Vec<_>>().join("  ");
        // A line break would make a second record of it.
        output::text(&line.replace('\n', "[U+000A]"));
    }

    /// A list: its columns.
    pub fn list<R: Record>(&self, records: &[R]) {
        if self.json() {
            return self.value(&records.iter().map(|record| Value::Object(object(record))).collect());
        }
        let mut table = table();
        table.set_header(R::COLUMNS.iter().copied());
        for record in records {
            let object = object(record);
            let cell = |name: &&str| record.shown(name).or_else(|| object.get(*name).map(plain)).unwrap_or_default();
            table.add_row(R::COLUMNS.iter().map(cell));
        }
        output::text(&table.trim_fmt());
        if records.is_empty() {
            self.say("nothing found");
        }
    }

    /// Any JSON value.
    pub fn value(&self, value: &Value) {
        // A Value always has string keys, so it always encodes.
        output::json(&serde_json::to_string_pretty(value).unwrap_or_default());
    }

    /// Text that is data.
    pub fn text(&self, text: &str) {
        output::text(text.trim_end_matches('\n'));
    }

    /// The same data for machines or for people, whoever asked.
    pub fn either(&self, json: impl FnOnce() -> Value, text: impl FnOnce() -> String) {
        if self.json() { self.value(&json()) } else { self.text(&text()) }
    }

    /// Talk, on standard error.
    pub fn say(&self, text: &str) {
        if !self.quiet {
            output::talk(text);
        }
    }
}

/// A table in the house style.
#[must_use]
pub fn table() -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_FULL_CONDENSED);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table
}

fn object(record: &impl Record) -> Map<String, Value> {
    record.fields().into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A value as one cell. It is laid out as it is shown, or the table would be out of shape.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => named(text).into_owned(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => fields.values().map(plain).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

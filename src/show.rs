//! Data on standard output: one table or one JSON value for each answer.

use crate::cli::{Global, Output};
use crate::failure::Failure;
use crate::{message, output};
use baton_query::escape::named;
use comfy_table::presets::ASCII_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};
use prost::{Message, Name};
use prost_reflect::{DynamicMessage, ReflectMessage as _};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// Something that a command found out without asking a service: its fields in order, under their JSON names.
pub trait Record {
    /// The fields that are shown as columns.
    const COLUMNS: &'static [&'static str];
    /// Every field with its value.
    fn fields(&self) -> Vec<(&'static str, Value)>;
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

    /// An answer of a service: the JSON that HTTP prints, or what `text` makes of it for people.
    ///
    /// # Errors
    /// If it is no JSON, which is a defect of the service.
    pub fn answer<M: Message + Name>(&self, answer: &M, text: impl FnOnce() -> String) -> Result<(), Failure> {
        if self.json() {
            output::json(&message::json(&message::dynamic(answer)?, true)?);
        } else {
            self.text(&text());
        }
        Ok(())
    }

    /// An answer that is about the one message in `field`; people see `names` of it, or all if there are none.
    ///
    /// # Errors
    /// If the answer is about nothing.
    pub fn one<M: Message + Name>(&self, answer: &M, field: &str, names: &[&str]) -> Result<(), Failure> {
        let one = within(&message::dynamic(answer)?, field)?;
        self.answer(answer, || {
            let mut table = table();
            for field in one.descriptor().fields() {
                if names.is_empty() || names.contains(&field.json_name()) {
                    table.add_row([field.json_name().to_owned(), message::cell(&one, &field)]);
                }
            }
            table.trim_fmt()
        })
    }

    /// Likewise as one line, for streams.
    ///
    /// # Errors
    /// If the answer is about nothing.
    pub fn line<M: Message + Name>(&self, answer: &M, field: &str, columns: &[&str]) -> Result<(), Failure> {
        let answer = message::dynamic(answer)?;
        if self.json() {
            output::json(&message::json(&answer, false)?);
            return Ok(());
        }
        let one = within(&answer, field)?;
        let cells = columns.iter().map(|name| message::field(&one, name));
        let line = cells.filter(|cell| !cell.is_empty()).collect::<Vec<_>>().join("  ");
        // A line break would make a second record of it.
        output::text(&line.replace('\n', "[U+000A]"));
        Ok(())
    }

    /// An answer that is about the messages in `field`.
    ///
    /// # Errors
    /// As [`Self::answer`].
    pub fn list<M: Message + Name>(&self, answer: &M, field: &str, columns: &[&str]) -> Result<(), Failure> {
        let list = message::dynamic(answer)?;
        let list = list.get_field_by_name(field).map(Cow::into_owned);
        let rows = list.as_ref().and_then(prost_reflect::Value::as_list).unwrap_or_default().iter();
        let rows = rows.filter_map(prost_reflect::Value::as_message);
        let rows = rows.map(|row| columns.iter().map(|name| message::field(row, name)).collect());
        self.table(answer, columns, rows.collect())
    }

    /// An answer that people see as a table whose cells are not all fields.
    ///
    /// # Errors
    /// As [`Self::answer`].
    pub fn table<M: Message + Name>(
        &self,
        answer: &M,
        columns: &[&str],
        rows: Vec<Vec<String>>,
    ) -> Result<(), Failure> {
        let is_empty = rows.is_empty();
        self.answer(answer, || filled(columns, rows))?;
        if is_empty && !self.json() {
            self.say("nothing found");
        }
        Ok(())
    }

    /// What a command found out by itself: its columns.
    pub fn records<R: Record>(&self, records: &[R]) {
        if self.json() {
            return self.value(&records.iter().map(|record| Value::Object(object(record))).collect());
        }
        let row = |record| {
            let object = object(record);
            R::COLUMNS.iter().map(|name| object.get(*name).map(plain).unwrap_or_default()).collect()
        };
        output::text(&filled(R::COLUMNS, records.iter().map(row).collect()));
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

fn filled(columns: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut table = table();
    table.set_header(columns);
    table.add_rows(rows);
    table.trim_fmt()
}

/// The message in a field of an answer. The wire lets it be absent; no server of ours leaves it out.
fn within(answer: &DynamicMessage, field: &str) -> Result<DynamicMessage, Failure> {
    let value = answer.get_field_by_name(field).filter(|_| answer.has_field_by_name(field));
    let message = value.and_then(|value| value.as_message().cloned());
    message.ok_or_else(|| Failure::Other(format!("the server answered without its {}", field.replace('_', " "))))
}

fn object(record: &impl Record) -> Map<String, Value> {
    record.fields().into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A value as one cell.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => named(text).into_owned(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => fields.values().map(plain).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

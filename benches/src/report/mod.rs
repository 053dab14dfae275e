//! What a run leaves: tables for people, JSON for programs, pictures for both.

pub mod plot;
pub mod table;

use anyhow::{Context as _, Result};
use serde::Serialize;
use std::fs;
use std::path::Path;

/// Writes a value as JSON.
pub fn json(dir: &Path, name: &str, value: &impl Serialize) -> Result<()> {
    text(dir, name, &serde_json::to_string_pretty(value)?)
}

/// Writes a text.
pub fn text(dir: &Path, name: &str, text: &str) -> Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display()))?;
    let path = dir.join(name);
    fs::write(&path, format!("{}\n", text.trim_end())).with_context(|| format!("write {}", path.display()))
}

//! What processes wrote since the last look: panics and secrets have no place there.

use super::cluster::Cluster;
use anyhow::{Context as _, Result};
use baton_verify::report::{Finding, Offenders};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

/// Log bytes read at most of one process and nemesis.
const MOST: u64 = 64 * 1024 * 1024;

/// Longest part of a line that is quoted; a line with a secret is not quoted at all.
const QUOTE: usize = 160;

/// Remembers how far each log was read.
#[derive(Debug, Default)]
pub struct Logs {
    read: BTreeMap<PathBuf, u64>,
}

impl Logs {
    /// Reads what is new, and judges it. With `garbled`, panics inside of libraries are counted and forgiven: bytes were
    /// changed on their way that only TLS protects.
    ///
    /// # Errors
    /// If a log cannot be read.
    pub fn judge(&mut self, cluster: &Cluster, garbled: bool) -> Result<Finding> {
        let secrets = [cluster.secrets.database.as_str(), cluster.secrets.provider.as_str()];
        let mut offenders = Offenders::default();
        let (mut lines, mut forgiven) = (0, 0);
        for path in cluster.logs() {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            for line in self.fresh(&path)?.lines() {
                lines += 1;
                if garbled && is_in_a_library(line) {
                    forgiven += 1;
                } else if let Some(why) = wrong(line, &secrets) {
                    offenders.add(format!("{name}: {why}"));
                }
            }
        }
        let forgiven = if forgiven > 0 { format!(", {forgiven} panics in the driver forgiven") } else { String::new() };
        Ok(offenders.finding("I20", "logs hold no panic and no secret", format!("{lines} lines{forgiven}")))
    }

    fn fresh(&mut self, path: &PathBuf) -> Result<String> {
        let mut file = File::open(path).with_context(|| format!("open {}", path.display()))?;
        let from = self.read.get(path).copied().unwrap_or(0);
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        let length = file.take(MOST).read_to_end(&mut bytes)?;
        self.read.insert(path.clone(), from + length as u64);
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// A panic whose place is in the sources of a dependency.
fn is_in_a_library(line: &str) -> bool {
    line.contains("panicked at") && line.contains("/registry/src/")
}

/// Why a line should not be there.
fn wrong(line: &str, secrets: &[&str]) -> Option<String> {
    if secrets.iter().any(|secret| line.contains(secret)) {
        return Some("a line with a password in it".to_owned());
    }
    if line.contains("Bearer ") || line.contains("access_token\":\"") {
        return Some("a line with a token in it".to_owned());
    }
    line.contains("panicked at").then(|| line.chars().take(QUOTE).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_and_a_secret_are_found_and_the_secret_is_not_repeated() {
        assert_eq!(wrong("INFO all is well", &["hunter2"]), None);
        assert!(wrong("thread 'main' panicked at src/main.rs:1:1", &[]).is_some_and(|why| why.contains("main.rs")));
        let found = wrong("url=mysql://u:hunter2@db", &["hunter2"]).expect("found");
        assert!(!found.contains("hunter2"));
        assert!(wrong("authorization: Bearer abc", &[]).is_some());
    }
}

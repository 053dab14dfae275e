//! Flags of every command, and the variables that stand in for them.

use clap::{Args, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;

/// Flags of every command.
#[derive(Args, Clone, Debug, Default)]
pub struct Global {
    /// Configuration file (TOML) [env: BATON_CONFIG]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub config: Option<PathBuf>,
    /// Set one configuration key, for example engine.max_batch=1; may be repeated
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = key_value, help_heading = "Global options")]
    pub set: Vec<(String, String)>,
    /// gRPC address that client commands talk to [env: BATON_SERVER] [default: from the configuration]
    #[arg(long, global = true, value_name = "ADDR", help_heading = "Global options")]
    pub server: Option<String>,
    /// How data is printed on standard output [env: BATON_OUTPUT] [default: table]
    #[arg(long, short, global = true, value_enum, help_heading = "Global options")]
    pub output: Option<Output>,
    /// Print the configuration with the origin of each value, secrets masked, and exit
    #[arg(long, global = true, help_heading = "Global options")]
    pub print_config: bool,
    /// No colours (NO_COLOR in the environment does the same)
    #[arg(long, global = true, help_heading = "Global options")]
    pub no_color: bool,
    /// Say nothing on standard error but errors
    #[arg(long, short, global = true, help_heading = "Global options")]
    pub quiet: bool,
}

impl Global {
    /// What no flag says, from the environment. Not by clap: it takes an empty variable for a value, and shows one that is set
    /// as a flag that must be written.
    ///
    /// # Errors
    /// A variable holds what its flag would not take.
    pub fn or(mut self, environment: impl Fn(&str) -> Option<OsString>) -> Result<Self, String> {
        let of = |name: &str| environment(name).filter(|value| !value.is_empty());
        let text = |name: &str| of(name).map(|value| value.into_string().map_err(|_| format!("{name} is not UTF-8")));
        self.config = self.config.or_else(|| of("BATON_CONFIG").map(PathBuf::from));
        if self.server.is_none() {
            self.server = text("BATON_SERVER").transpose()?;
        }
        if let (None, Some(name)) = (self.output, text("BATON_OUTPUT").transpose()?) {
            let output =
                Output::from_str(&name, false).map_err(|_| format!("BATON_OUTPUT is {name}, not table or json"))?;
            self.output = Some(output);
        }
        Ok(self)
    }
}

/// How data is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Table,
    /// For machines.
    Json,
}

/// Parses `KEY=VALUE`.
///
/// # Errors
/// There is no `=`, or nothing before it.
pub fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        _ => Err("write it as KEY=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_stands_in_for_flags_and_empty_is_not_set() {
        let told = |name: &str| Some(OsString::from(if name == "BATON_OUTPUT" { "json" } else { "there" }));
        let global = Global { server: Some("here".to_owned()), ..Global::default() }.or(told).expect("sound");
        assert_eq!((global.server.as_deref(), global.output), (Some("here"), Some(Output::Json)));
        assert_eq!(global.config, Some(PathBuf::from("there")));
        let global = Global::default().or(|_| Some(OsString::new())).expect("sound");
        assert_eq!((global.config, global.server, global.output), (None, None, None));
        assert!(Global::default().or(|_| Some("yaml".into())).unwrap_err().contains("BATON_OUTPUT"));
    }
}

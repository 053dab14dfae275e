//! Finds the executables of the services, on the PATH and where Debian puts them.

use anyhow::{Result, anyhow};
use std::env;
use std::path::PathBuf;

/// Where Debian keeps servers that are not on every user's PATH. RabbitMQ's own directory comes before `/usr/sbin`: the
/// wrappers there change the user and so cannot run a private node.
const EXTRA_DIRECTORIES: [&str; 5] = ["/usr/lib/rabbitmq/bin", "/usr/sbin", "/usr/bin", "/usr/local/sbin", "/sbin"];

/// The full path of `name`; the error names the Debian `package` to install.
pub fn find(name: &str, package: &str) -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let listed: Vec<PathBuf> = env::split_paths(&path).collect();
    let extra = EXTRA_DIRECTORIES.iter().map(PathBuf::from);
    let directories: Vec<PathBuf> = if name.starts_with("rabbitmq") {
        extra.chain(listed).collect()
    } else {
        listed.into_iter().chain(extra).collect()
    };
    directories
        .into_iter()
        .map(|directory| directory.join(name))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| anyhow!("{name} is not installed: apt-get install {package}"))
}

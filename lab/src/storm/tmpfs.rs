//! A small file system in memory, to be filled to the brim.

use anyhow::{Context as _, Result, ensure};
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Name of the file that fills it.
const BALLAST: &str = "ballast";

/// A mounted tmpfs. Unmounted when dropped; a process that is killed leaves the mount behind.
#[derive(Debug)]
pub struct Tmpfs {
    at: PathBuf,
    mib: u32,
}

impl Tmpfs {
    /// Mounts one of `mib` MiB at `at`, which is created.
    ///
    /// # Errors
    /// If this user may not mount.
    pub fn mount(at: &Path, mib: u32) -> Result<Self> {
        fs::create_dir_all(at).with_context(|| format!("create {}", at.display()))?;
        let size = format!("size={mib}m");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "baton-storm"]).arg(at);
        let output = mount.output().context("run mount")?;
        ensure!(output.status.success(), "mount refused: {}", String::from_utf8_lossy(&output.stderr).trim());
        Ok(Self { at: at.to_owned(), mib })
    }

    /// True if this user may mount one.
    #[must_use]
    pub fn is_allowed() -> bool {
        let at = std::env::temp_dir().join(format!("baton-storm-mount-{}", std::process::id()));
        let is_allowed = Self::mount(&at, 1).is_ok();
        // Still mounted it cannot be removed, and empty it does no harm.
        let _ = fs::remove_dir(&at);
        is_allowed
    }

    /// Fills it; returns the bytes that still fitted.
    ///
    /// # Errors
    /// If it does not get full.
    pub fn fill(&self) -> Result<u64> {
        let mut file = OpenOptions::new().create(true).append(true).open(self.at.join(BALLAST))?;
        let block = vec![0_u8; 64 * 1024];
        let mut written = 0;
        while written <= u64::from(self.mib) * 1024 * 1024 {
            match file.write(&block) {
                Ok(length) => written += length as u64,
                Err(error) if error.kind() == std::io::ErrorKind::StorageFull => return Ok(written),
                Err(error) => return Err(error).context("fill the file system"),
            }
        }
        anyhow::bail!("the file system holds more than its size")
    }

    /// Gives the room back.
    ///
    /// # Errors
    /// If the ballast cannot be removed.
    pub fn empty(&self) -> Result<()> {
        match fs::remove_file(self.at.join(BALLAST)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).context("remove the ballast"),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Lazily: the database may still be closing its files.
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}

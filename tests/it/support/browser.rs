//! Runs one script of `tests/web` in a real browser. What only this side can do, a script asks for by a line on its output.

use super::{BATON, PATIENCE};
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Command;

/// Where a script finds what it drives.
#[derive(Clone, Debug)]
pub struct Site {
    /// "embedded" or "real".
    pub shape: &'static str,
    /// Base URL of the page.
    pub page: String,
    /// gRPC address, for `baton`.
    pub server: String,
    /// Base URL of the sandbox provider.
    pub provider: String,
}

/// What stops a script before it begins, if something does: said at once, rather than by a timeout.
pub fn demand_browser() {
    let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/web");
    let there = Path::new("/usr/bin/chromium").exists() && web.join("node_modules/playwright-core/index.mjs").exists();
    assert!(there, "no browser for the page's tests: run `make browser` (deploy/install-browser.sh)");
}

/// Runs one case; `ask` does what a line that begins with `@` says and returns the answer.
pub async fn run(site: &Site, case: &str, ask: impl AsyncFn(&str) -> String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shots = root.join("target/console-screenshots");
    let mut child = Command::new("node")
        .arg(root.join("tests/web/run.js"))
        .arg(case)
        .env("CONSOLE_BIN", BATON)
        .env("CONSOLE_SHAPE", site.shape)
        .env("CONSOLE_PAGE", &site.page)
        .env("CONSOLE_SERVER", &site.server)
        .env("CONSOLE_PROVIDER", &site.provider)
        .env("CONSOLE_SHOTS", shots)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("node runs");
    let mut asked = BufReader::new(child.stdout.take().expect("its output")).lines();
    let mut answers = child.stdin.take().expect("its input");
    let mut errors = child.stderr.take().expect("its errors");
    let said = tokio::spawn(async move {
        let mut text = String::new();
        // What cannot be read is not told.
        let _ = errors.read_to_string(&mut text).await;
        text
    });
    let talk = async {
        let mut told = String::new();
        while let Some(line) = asked.next_line().await.expect("a line") {
            match line.strip_prefix('@') {
                Some(line) => {
                    let answer = ask(line).await;
                    answers.write_all(format!("{answer}\n").as_bytes()).await.expect("it listens");
                }
                None => told += &(line + "\n"),
            }
        }
        (child.wait().await.expect("it ends"), told)
    };
    let ended = tokio::time::timeout(PATIENCE, talk).await;
    let Ok((status, told)) = ended else { panic!("{case} ({}): the browser hangs", site.shape) };
    let errors = said.await.unwrap_or_default();
    assert!(status.success(), "{case} ({}) in the browser:\n{told}\n{errors}", site.shape);
    eprintln!("{case} ({}): {}", site.shape, told.trim());
}

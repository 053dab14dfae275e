//! Ctrl-C and SIGTERM as one token: the first asks for a graceful end, the second ends at once.

use crate::failure::{Exit, Failure};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that is cancelled by the first SIGINT or SIGTERM. A second one exits at once with 130: everything durable is
/// durable already, so an impatient user loses nothing.
///
/// # Errors
/// If the handlers cannot be installed.
pub fn stopping() -> Result<CancellationToken, Failure> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let token = CancellationToken::new();
    let stop = token.clone();
    tokio::spawn(async move {
        let mut either = async || {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        };
        either().await;
        stop.cancel();
        either().await;
        std::process::exit(Exit::Interrupted as i32);
    });
    Ok(token)
}

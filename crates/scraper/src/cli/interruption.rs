//! Ctrl-C and SIGTERM.

use scraper_lib::report::EXIT_INTERRUPTED;
use tokio::sync::watch;

use super::Context;

/// Turns true at the first Ctrl-C (or SIGTERM); the second one ends the process.
pub(super) fn interruption(context: &Context) -> watch::Receiver<bool> {
    with_note(context, "Finishing the images at hand; press Ctrl-C again to stop at once.")
}

/// The same with other words for what happens meanwhile.
pub(super) fn with_note(context: &Context, note: &'static str) -> watch::Receiver<bool> {
    let (cancel, cancelled) = watch::channel(false);
    let progress = context.progress.clone();
    tokio::spawn(async move {
        signal().await;
        progress.note(note);
        let _ = cancel.send(true);
        signal().await;
        std::process::exit(i32::from(EXIT_INTERRUPTED));
    });
    cancelled
}

async fn signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await; // no signals here: never interrupted
    }
}

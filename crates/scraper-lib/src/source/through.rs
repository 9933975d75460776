//! What a source sends, changed on its way.

use tokio::sync::mpsc::{self, Sender};

use super::{Source, SourceError, SourceItem};

/// Runs `source` and sends what `change` makes of each of its items; `None` is left out. Ends early,
/// without an error, when the receiver is gone.
///
/// # Errors
/// That of the source.
pub(crate) async fn through<T>(
    source: Box<dyn Source>,
    out: Sender<T>,
    mut change: impl FnMut(SourceItem) -> Option<T>,
) -> Result<(), SourceError> {
    let (items, mut received) = mpsc::channel::<SourceItem>(16);
    let forward = async move {
        while let Some(item) = received.recv().await {
            let Some(changed) = change(item) else { continue };
            if out.send(changed).await.is_err() {
                return;
            }
        }
    };
    let (result, ()) = tokio::join!(source.run(items), forward);
    result
}

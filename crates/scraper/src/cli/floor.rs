//! The floor of relevance that an export learns, where the model is on this machine.

use clip_core::{Provenance, Towers};

use super::{Context, spec};
use scraper_lib::{
    Error,
    embed::blocking,
    model::{self, BUILTIN, LoadOptions, ModelSpec},
    relevance::Learner,
    report::{Progress, console::tell},
    store::{StoreError, StoreTarget},
};

/// What measures it: with the model `named`, else with the configured one, if that is here and has made
/// the store's vectors. Nothing is downloaded.
///
/// # Errors
/// The model that was named cannot be used.
pub(super) async fn learner(
    store: StoreTarget,
    named: Option<&str>,
    context: &Context,
) -> Result<Option<Learner>, Error> {
    let stored = blocking(move || store.open_existing()?.provenance()).await??;
    // An empty store has nothing to export, which is told later.
    let Some(stored) = stored else { return Ok(None) };
    let spec = match named {
        None if stored.model == BUILTIN => ModelSpec::Builtin,
        named => spec(named, context)?,
    };
    let learned = learn(&spec, &stored, context).await;
    match (learned, named) {
        (Ok(learner), _) => Ok(Some(learner)),
        (Err(e), Some(_)) => Err(e),
        (Err(e), None) => {
            tracing::info!("no floor of relevance: {e}");
            tell!(
                "note: the export has no floor of relevance, so texts that mean nothing find something, \
                 too: the text tower of {} is not on this machine (name it with --model)",
                stored.model
            );
            Ok(None)
        }
    }
}

async fn learn(spec: &ModelSpec, stored: &Provenance, context: &Context) -> Result<Learner, Error> {
    let mut hub = context.environment.hub.clone();
    hub.offline = true;
    let files = model::find(spec, &hub, &Progress::hidden()).await?;
    let stored = stored.clone();
    let learn = move || {
        let loaded = model::load(&files, &LoadOptions::new(Towers::Text))?;
        // Of texts only weights and tokenizer decide.
        let Provenance { model, revision, preprocessing, .. } = stored.clone();
        let own = Provenance { model, revision, preprocessing, ..loaded.provenance.clone() };
        if !own.searches(&stored) {
            let (stored, run) = (Box::new(stored), Box::new(loaded.provenance));
            return Err(StoreError::Provenance { stored, run }.into());
        }
        Learner::new(&loaded.clip)
    };
    blocking(learn).await?
}

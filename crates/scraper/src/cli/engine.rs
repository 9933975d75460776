//! What a command needs that embeds: the model, the network, and how to batch.

use std::{num::NonZeroUsize, sync::Arc};

use clap::Args;
use clip_core::Towers;

use super::{Context, ModelArgs, interruption::interruption, network::NetworkArgs};
use scraper_lib::{
    Error,
    fetch::Fetcher,
    model::ModelFiles,
    pipeline::{self, RunOptions, Setup},
    threads,
};

/// Arguments of every command that embeds images into a store.
#[derive(Debug, Args)]
pub(super) struct EngineArgs {
    /// Images per batch; affects speed, never results.
    #[arg(long, value_name = "N", default_value = "8")]
    batch: NonZeroUsize,
    /// Total memory for images while they are decoded, in MiB; an image that needs more is decoded
    /// alone. Never affects results.
    #[arg(long, value_name = "MIB", default_value_t = (pipeline::DECODE_MEMORY >> 20) as u32)]
    decode_memory: u32,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    pub(super) model: ModelArgs,
}

impl EngineArgs {
    pub(super) fn fetcher(&self) -> Result<Fetcher, Error> {
        self.network.fetcher(&self.model)
    }

    /// Loads the model; `options` but for the batch and the decoders. Its sources have `readers` threads.
    pub(super) async fn setup(
        &self,
        context: &Context,
        fetcher: Fetcher,
        options: RunOptions,
        readers: usize,
    ) -> Result<(Setup, ModelFiles), Error> {
        let decoders = threads::decoders(options.decoders, readers)?;
        let (model, files) = self.model.load_files(context, Towers::Vision).await?;
        let setup = Setup {
            fetcher,
            model: Arc::new(model),
            options: RunOptions {
                batch: self.batch.get(),
                decoders,
                decode_memory: u64::from(self.decode_memory) << 20,
                ..options
            },
            progress: context.progress.clone(),
            cancel: interruption(context),
        };
        Ok((setup, files))
    }
}

//! What a command needs that embeds: the model, the network, and how to batch.

use std::{num::NonZeroUsize, sync::Arc};

use clap::Args;
use clip_core::Towers;

use super::{Context, ModelArgs, interruption::interruption, network::NetworkArgs, values};
use scraper_lib::{
    Error,
    embed::blocking,
    fetch::Fetcher,
    model::{self, Device, ModelFiles},
    pipeline::{self, RunOptions, Setup},
    threads,
};

/// Two submissions of a GPU: it computes one while the next is sent.
const DEVICE_BATCH: usize = 128;

/// Arguments of every command that embeds images into a store.
#[derive(Debug, Args)]
pub(super) struct EngineArgs {
    /// Images per batch; affects speed, never results. [default: 8, on other devices than the CPU 128]
    #[arg(long, value_name = "N")]
    batch: Option<NonZeroUsize>,
    /// What computes the images; `scraper doctor` shows what there is.
    #[arg(long, value_name = "DEVICE", default_value = "cpu", value_parser = values::devices())]
    device: Device,
    /// Lets a device compute that does not give the bits of the CPU; the store then says so of its
    /// vectors.
    #[arg(long)]
    allow_inexact: bool,
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
        let (mut model, files) = self.model.load_files(context, Towers::Vision).await?;
        let (device, allow_inexact) = (self.device, self.allow_inexact);
        let move_it = move || {
            model::accelerate(&mut model, &files, device, allow_inexact)?;
            Ok::<_, Error>((model, files))
        };
        let (model, files) = blocking(move_it).await??;
        if let Some(accelerator) = &model.accelerator {
            context.progress.note(&format!("images on {}", accelerator.adapter()));
        }
        let batch = match (self.batch, &model.accelerator) {
            (Some(batch), _) => batch.get(),
            (None, Some(_)) => DEVICE_BATCH,
            (None, None) => options.batch,
        };
        let setup = Setup {
            fetcher,
            model: Arc::new(model),
            options: RunOptions {
                batch,
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

//! `cargo xtask draw-shop`: a sample shop as files.

use std::{path::PathBuf, time::Instant};

use anyhow::{Context, Result};
use clap::Args;
use drawn_shop::{Format, Options, Shop};

use crate::process::seconds;

/// Draws a fashion shop: pictures and a feed with titles, captions and attributes.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Folder to write to.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[arg(long, value_name = "N", default_value_t = 40)]
    products: usize,
    /// The same seed draws the same shop.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// All pictures at this size, for example 800x1000 [default: 600x800 to 1600x2400].
    #[arg(long, value_name = "WxH", value_parser = size)]
    size: Option<(u32, u32)>,
    /// All pictures in one format [default: mixed].
    #[arg(long, value_parser = format)]
    format: Option<Format>,
    /// Pictures per product [default: one, sometimes two].
    #[arg(long, value_name = "N")]
    images: Option<usize>,
    /// What the feed's addresses start with [default: the feed names files beside it].
    #[arg(long, value_name = "URL", default_value = "")]
    base: String,
    /// Adds four broken files: truncated, a web page, empty, SVG.
    #[arg(long)]
    with_broken: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let start = Instant::now();
    let &Arguments { size, format, images, .. } = arguments;
    let options = Options { size, format, images };
    let shop = Shop::with(arguments.seed, arguments.products, options);
    let base = arguments.base.trim_end_matches('/');
    let written = drawn_shop::write(&shop, &arguments.out, base, arguments.with_broken)?;
    println!(
        "{} products, {} pictures, {} broken files, {:.1} MB in {}; {}",
        shop.products().len(),
        written.images,
        written.broken,
        written.bytes as f64 / 1e6,
        seconds(start.elapsed()),
        written.feed.display()
    );
    Ok(())
}

fn size(text: &str) -> Result<(u32, u32)> {
    let (width, height) = text.split_once('x').context("a size looks like 800x1000")?;
    Ok((width.parse()?, height.parse()?))
}

fn format(text: &str) -> Result<Format> {
    match text {
        "jpg" | "jpeg" => Ok(Format::JPEG),
        "png" => Ok(Format::Png),
        "webp" => Ok(Format::Webp),
        _ => anyhow::bail!("jpg, png or webp"),
    }
}

//! `cargo xtask architecture`: the picture in ARCHITECTURE.md.

use std::{collections::BTreeMap, fmt::Write as _, fs};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::Value;

use crate::process::{cargo, root};

const PICTURE: &str = ".github/architecture.svg";

/// Draws ARCHITECTURE.md's picture anew: the rooms as they are, arrows as Cargo knows them.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Writes nothing; fails where the picture is not the one that would be drawn.
    #[arg(long)]
    check: bool,
}

/// A room of the house. The picture is not drawn where its folder is gone.
struct Room {
    path: &'static str,
    name: &'static str,
    about: &'static str,
    /// Left, top, width, height in pixels.
    at: [i32; 4],
}

const fn room(path: &'static str, name: &'static str, about: &'static str, at: [i32; 4]) -> Room {
    Room { path, name, about, at }
}

/// Crates and packages: what Cargo or npm builds.
const PACKAGES: &[Room] = &[
    room("crates/scraper", "scraper", "the program: flags, hints, exit codes", [24, 64, 430, 56]),
    room("crates/clip-python", "clip-python", "the Python wheel", [474, 64, 250, 56]),
    room("crates/scraper-lib", "scraper-lib", "the nightly run as a library", [24, 150, 700, 190]),
    room("crates/clip-gpu", "clip-gpu", "optional: the vision tower on a GPU", [24, 376, 320, 40]),
    room("crates/shop-words", "shop-words", "by words, and both rankings", [560, 376, 360, 40]),
    room("crates/clip-core", "clip-core", "bytes or text in, 512 floats out", [24, 444, 1092, 118]),
    room(
        "crates/clip-kernels",
        "clip-kernels",
        "the numeric contract; all SIMD",
        [24, 598, 1092, 52],
    ),
    room("web", "web", "wasm and npm package", [770, 150, 346, 190]),
    room("www", "www", "the demo page", [770, 64, 346, 56]),
];

/// Modules inside them, in the order in which data passes.
const MODULES: &[Room] = &[
    room("crates/scraper-lib/src/source", "source", "feeds, shops", [40, 192, 126, 56]),
    room("crates/scraper-lib/src/fetch", "fetch", "polite HTTP", [178, 192, 126, 56]),
    room("crates/scraper-lib/src/pipeline", "pipeline", "in order", [316, 192, 126, 56]),
    room("crates/scraper-lib/src/store", "store", "SQLite, Postgres", [454, 192, 126, 56]),
    room("crates/scraper-lib/src/export", "export", "files for others", [592, 192, 116, 56]),
    room("crates/scraper-lib/src/model", "model", "hub, cache", [178, 268, 126, 56]),
    room("crates/scraper-lib/src/verify", "verify", "other vectors", [316, 268, 126, 56]),
    room("web/js/catalogue", "catalogue", "scan, rescore", [786, 192, 98, 56]),
    room("web/js/element", "element", "clip-search", [894, 192, 98, 56]),
    room("web/js/inspect", "inspect", "every stage", [1002, 192, 98, 56]),
    room("web/js/clip", "clip", "Clip.load", [786, 268, 98, 56]),
    room("web/js/runtime", "runtime", "workers", [894, 268, 98, 56]),
    room("web/src", "src", "bindings", [1002, 268, 98, 56]),
    room("crates/clip-core/src/image", "image", "decode, resize", [280, 486, 126, 56]),
    room("crates/clip-core/src/text", "text", "tokenizer", [418, 486, 126, 56]),
    room("crates/clip-core/src/weights", "weights", "one table", [556, 486, 126, 56]),
    room("crates/clip-core/src/model", "model", "both towers", [694, 486, 126, 56]),
    room("crates/clip-core/src/index", "index", "exact search", [832, 486, 126, 56]),
    room("crates/clip-core/src/trace.rs", "trace", "each stage", [970, 486, 126, 56]),
];

/// The walks of ARCHITECTURE.md: number of the step, and the room that it enters.
const NIGHT: &[(u8, &str)] = &[
    (1, "crates/scraper-lib/src/source"),
    (2, "crates/scraper-lib/src/fetch"),
    (3, "crates/scraper-lib/src/pipeline"),
    (4, "crates/clip-core/src/image"),
    (4, "crates/clip-core/src/model"),
    (5, "crates/scraper-lib/src/store"),
    (6, "crates/scraper-lib/src/export"),
];
const QUERY: &[(u8, &str)] = &[
    (1, "web/js/element"),
    (1, "web/js/clip"),
    (2, "web/js/runtime"),
    (2, "crates/clip-core/src/text"),
    (3, "crates/clip-core/src/model"),
    (4, "web/js/catalogue"),
    (4, "crates/clip-core/src/index"),
];

/// Draws the picture.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let picture = draw()?;
    let file = root().join(PICTURE);
    if arguments.check {
        let there = fs::read_to_string(&file).unwrap_or_default();
        ensure!(there == picture, "{PICTURE} is out of date: run `cargo xtask architecture`");
        return Ok(());
    }
    fs::write(&file, picture).with_context(|| format!("could not write {}", file.display()))?;
    println!("{PICTURE} is drawn.");
    Ok(())
}

fn draw() -> Result<String> {
    let mut svg = String::from(HEAD);
    for (rooms, class) in [(PACKAGES, "package"), (MODULES, "module")] {
        for Room { path, name, about, at: [x, y, w, h] } in rooms {
            if !root().join(path).exists() && !root().join(format!("{path}.rs")).exists() {
                bail!("there is no {path}: mend the rooms in crates/xtask/src/architecture.rs");
            }
            let (left, first) = (x + 12, y + 23);
            writeln!(
                svg,
                r#"<rect class="{class}" x="{x}" y="{y}" width="{w}" height="{h}" rx="8"/>"#
            )?;
            writeln!(svg, r#"<text class="name" x="{left}" y="{first}">{name}</text>"#)?;
            // Where a package has modules inside, its sentence stands beside its name.
            let (along, below) = match class {
                "package" => (left + 9 * i32::try_from(name.len())? + 20, first),
                _ => (left, first + 19),
            };
            writeln!(svg, r#"<text class="about" x="{along}" y="{below}">{about}</text>"#)?;
        }
    }
    let uses = dependencies()?;
    // What is used through another room, which is always there, needs no arrow of its own.
    let through = |from, to| {
        let mut between = uses.iter().filter(|&(&(a, _), &optional)| a == from && !optional);
        between.any(|(&(_, b), _)| uses.contains_key(&(b, to)))
    };
    for &(from, to) in uses.keys().filter(|&&(from, to)| !through(from, to)) {
        let (from, to) = (&PACKAGES[from].at, &PACKAGES[to].at);
        // Straight down, where the two stand above each other.
        let x = (from[0].max(to[0]) + (from[0] + from[2]).min(to[0] + to[2])) / 2;
        let (top, bottom) = (from[1] + from[3], to[1] - 2);
        if top < bottom {
            writeln!(
                svg,
                r##"<path class="uses" marker-end="url(#to)" d="M{x} {top}V{bottom}"/>"##
            )?;
        }
    }
    for (walk, steps) in [("night", NIGHT), ("query", QUERY)] {
        for (step, path) in steps {
            let room = MODULES.iter().find(|room| room.path == *path);
            let [x, y, w, _] = room.with_context(|| format!("no room {path} to walk through"))?.at;
            // Both walks may enter a room.
            let (x, y) = (x + w - if walk == "night" { 14 } else { 36 }, y + 2);
            writeln!(svg, r#"<circle class="{walk}" cx="{x}" cy="{y}" r="10"/>"#)?;
            writeln!(svg, r#"<text class="step" x="{x}" y="{}">{step}</text>"#, y + 4)?;
        }
    }
    svg.push_str("</svg>\n");
    Ok(svg)
}

/// Which package uses which, by their places in [`PACKAGES`], and whether it can do without: Cargo's
/// word, and npm's for the page.
fn dependencies() -> Result<BTreeMap<(usize, usize), bool>> {
    let metadata = cargo().args("metadata --no-deps --format-version 1 --offline").probe();
    let metadata = metadata.context("`cargo metadata` failed")?;
    let metadata: Value = serde_json::from_str(&metadata).context("`cargo metadata` is no JSON")?;
    let place = |path: &str| {
        let folder = path.trim_end_matches("/Cargo.toml");
        PACKAGES.iter().position(|room| root().join(room.path) == std::path::Path::new(folder))
    };
    let page = PACKAGES.iter().position(|room| room.path == "www");
    let package = PACKAGES.iter().position(|room| room.path == "web");
    let mut uses: BTreeMap<_, _> =
        page.zip(package).map(|pair| (pair, false)).into_iter().collect();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let Some(from) = package["manifest_path"].as_str().and_then(place) else { continue };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let to = dependency["path"].as_str().and_then(place);
            if let (Some(to), true) = (to, dependency["kind"].is_null()) {
                uses.insert((from, to), dependency["optional"].as_bool().unwrap_or(false));
            }
        }
    }
    Ok(uses)
}

const HEAD: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1140 674" role="img"
aria-label="The rooms of the project: scraper and scraper-lib on the left, web and www on the right, both on shop-words, clip-core and clip-kernels">
<!-- Drawn by `cargo xtask architecture`. -->
<style>
text { font-family: ui-sans-serif, system-ui, sans-serif; fill: #1d2433; }
.title { font-size: 14px; fill: #5b6579; letter-spacing: .04em; }
.name { font-size: 15px; font-weight: 650; }
.about { font-size: 12px; fill: #5b6579; }
.package { fill: #f4f6fb; stroke: #8b97b0; stroke-width: 1.5; }
.module { fill: #fff; stroke: #c5cddc; }
.night { fill: #b4541a; }
.query { fill: #1f5fa8; }
.step { fill: #fff; font-size: 12px; font-weight: 650; text-anchor: middle; }
.uses { fill: none; stroke: #45516b; stroke-width: 2; }
</style>
<defs><marker id="to" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#45516b"/></marker></defs>
<rect width="1140" height="674" fill="#fff"/>
<text class="title" x="24" y="40">EVERY NIGHT, IN CI: products in, vectors out (1–6)</text>
<text class="title" x="770" y="40">ON THE STOREFRONT: a query in, hits out (1–4)</text>
"##;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_is_the_house_as_it_is() {
        run(&Arguments { check: true }).unwrap();
    }
}

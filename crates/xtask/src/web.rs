//! `cargo xtask web`: the browser package, and the same bits there.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::{
    cross::{self, WASM},
    lavapipe::Lavapipe,
    licences,
    process::{Cmd, Tests, cargo, root},
    program::{tested, tested_file},
    tools::Need,
    web_shop,
};

/// Builds the browser package into web/dist, prints its sizes and, with --test, checks it in Node,
/// Chromium, Firefox and WebKitGTK.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Runs all its tests.
    #[arg(long)]
    test: bool,
    /// With --test: only this script of web/test; may be repeated.
    #[arg(long, value_name = "SCRIPT", requires = "test", value_parser = SCRIPTS)]
    only: Vec<String>,
}

/// The tests of the package, in this order.
const SCRIPTS: [&str; 20] = [
    "sizes",
    "package",
    "cross",
    "e2e",
    "api",
    "gpu",
    "gpu-fused",
    "find",
    "search",
    "element",
    "element-view",
    "element-around",
    "element-first",
    "element-serve",
    "element-frameworks",
    "element-engines",
    "rust",
    "webkit",
    "vite",
    "environments",
];
/// AVIF, TIFF and others for the browser; its `Cargo.toml` says why it is apart.
const FORMATS: &str = "web/formats/Cargo.toml";
/// What `element-frameworks` builds with.
const FRAMEWORKS: &str = "web/test/frameworks";
/// The projects that `vite` and `environments` build: one lock file for all.
const EXAMPLES: &str = "web/examples";

pub(crate) const BUILD_NEEDS: [Need; 3] = [Need::StdSource(WASM), Need::Node, Need::Npm];

/// A wasm module of the package: file name, cargo features, and the script of `web/js/bindings` that
/// speaks to it. Engines reject a module with instructions that they do not know, hence the fallback;
/// shared memory needs a standard library with atomics, which others cannot use.
struct Module {
    name: &'static str,
    features: &'static str,
    bindings: &'static str,
    threads: bool,
}

const MODULES: [Module; 8] = [
    Module { name: "images", features: "images", bindings: "images", threads: false },
    // Compiled as `web/formats`, a workspace of its own.
    Module { name: "formats", features: "", bindings: "formats", threads: false },
    Module { name: "inspect", features: "inspect", bindings: "inspect", threads: false },
    // Its scan is of integers, and its few exact scores take no time even where they are emulated.
    Module { name: "search", features: "search", bindings: "search", threads: false },
    Module { name: "engine-fallback", features: "engine", bindings: "engine", threads: false },
    Module {
        name: "engine-relaxed",
        features: "engine,relaxed-simd",
        bindings: "engine",
        threads: false,
    },
    Module {
        name: "engine-fallback-threads",
        features: "engine,threads",
        bindings: "engine-threads",
        threads: true,
    },
    Module {
        name: "engine-relaxed-threads",
        features: "engine,threads,relaxed-simd",
        bindings: "engine-threads",
        threads: true,
    },
];
/// Memory comes from outside; what wasm-bindgen's start of a thread needs is exported.
const THREADS: &str = "+simd128,+atomics,+bulk-memory,+mutable-globals \
    -C link-arg=--shared-memory -C link-arg=--import-memory -C link-arg=--max-memory=4294967296 \
    -C link-arg=--export=__wasm_init_tls -C link-arg=--export=__tls_size \
    -C link-arg=--export=__tls_align -C link-arg=--export=__tls_base";
/// What wasm-bindgen writes; the TypeScript is checked against it.
const BINDINGS: &str = "web/js/bindings";
/// Node before 21 has relaxed SIMD behind this flag.
const RELAXED_FLAG: &str = "--experimental-wasm-relaxed-simd";
/// Models of the tests, made by `web_fixtures`.
const MODELS: [&str; 4] = ["vit_b_32", "second_shape", "second_shape_moved", "tiny"];

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let browsers: &[Need] =
        if arguments.test { &[Need::Chromium, Need::Firefox, Need::WebKit] } else { &[] };
    for need in BUILD_NEEDS.iter().chain(browsers) {
        println!("{}: {}", need.name(), need.ensure()?);
    }
    if arguments.test {
        println!("{}", check_only(&arguments.only)?);
        return Ok(());
    }
    build()?;
    fixtures()?;
    test_script("sizes", &[])?;
    Ok(())
}

/// Builds everything and runs all tests.
pub(crate) fn check() -> Result<Tests> {
    check_only(&[])
}

fn check_only(only: &[String]) -> Result<Tests> {
    build()?;
    fixtures()?;
    web_shop::write()?;
    let mut total = if only.is_empty() { core_checks()? } else { Tests::default() };
    front_end()?;
    install(EXAMPLES)?;
    install(FRAMEWORKS)?;
    for script in SCRIPTS.iter().filter(|name| only.is_empty() || only.iter().any(|o| o == *name)) {
        let tests = test_script(script, &[])?;
        total.passed += tests.passed;
        total.ignored += tests.ignored;
    }
    Ok(total)
}

/// The wasm modules and the scripts, in web/dist; once in this process's life.
pub(crate) fn build() -> Result<()> {
    static BUILT: AtomicBool = AtomicBool::new(false);
    if BUILT.load(Ordering::Relaxed) {
        return Ok(());
    }
    let dist = root().join("web/dist");
    // Scripts and types of another version would stay.
    let _ = fs::remove_dir_all(&dist);
    for folder in [&dist, &root().join(BINDINGS)] {
        fs::create_dir_all(folder)
            .with_context(|| format!("could not make {}", folder.display()))?;
    }
    for module in &MODULES {
        // Of the one crate type: together with a library for Rust there is no link-time optimisation.
        let (package, built) = match module.name {
            "formats" => (format!("--manifest-path {FORMATS}"), "clip_formats.wasm"),
            _ => {
                let features = module.features;
                (
                    format!("-p clip-web --no-default-features --features {features}"),
                    "clip_web.wasm",
                )
            }
        };
        let arguments = format!("rustc {package} --lib --crate-type cdylib");
        bind(module, &compile(&arguments, module.threads)?.join(built))?;
    }
    install("web")?;
    Cmd::new("node").args("web/node_modules/typescript/bin/tsc -p web").run()?;
    // A package holds the licences itself.
    for licence in ["LICENSE-APACHE", "LICENSE-MIT"] {
        copy(&root().join(licence), &root().join("web").join(licence))?;
    }
    let notices = root().join("web/THIRD-PARTY-LICENSES");
    fs::write(&notices, licences::third_party("clip-web")?)
        .with_context(|| format!("could not write {}", notices.display()))?;
    // The public types name those of the bindings.
    for module in &MODULES {
        let name = format!("{}.d.ts", module.bindings);
        let to = dist.join("types/bindings").join(&name);
        copy(&root().join(BINDINGS).join(&name), &to)?;
    }
    let bundle = "web/node_modules/rolldown/bin/cli.mjs --config web/rolldown.config.mjs";
    Cmd::new("node").args(bundle).run()?;
    BUILT.store(true, Ordering::Relaxed);
    Ok(())
}

/// Writes a module into web/dist and its script and types into [`BINDINGS`]. Modules with the same
/// bindings must have the same script: the package has it once.
fn bind(module: &Module, built: &Path) -> Result<()> {
    let Module { name, bindings, .. } = *module;
    let folder = cross::target_dir().join("web/bindings").join(name);
    generate(built, &folder, bindings)?;
    copy(
        &folder.join(format!("{bindings}_bg.wasm")),
        &root().join(format!("web/dist/{name}.wasm")),
    )?;
    for kind in ["js", "d.ts"] {
        let file = format!("{bindings}.{kind}");
        copy(&folder.join(&file), &root().join(BINDINGS).join(&file))?;
    }
    let script = |other: &Module| {
        let folder = cross::target_dir().join("web/bindings").join(other.name);
        fs::read(folder.join(format!("{bindings}.js")))
    };
    let own = script(module)?;
    let before = MODULES.iter().take_while(|other| other.name != name);
    for other in before.filter(|other| other.bindings == bindings) {
        ensure!(script(other)? == own, "{name} and {} have different bindings", other.name);
    }
    Ok(())
}

/// Runs wasm-bindgen's generator; see `crates/bindgen`.
fn generate(module: &Path, folder: &Path, name: &str) -> Result<()> {
    tested("bindgen")?.arg(module).arg(folder).arg(name).run()
}

/// The front end in Rust of web/examples, in target/web.
fn front_end() -> Result<()> {
    const NAME: &str = "front_end";
    let arguments = "build -p clip-web --no-default-features --features engine --example";
    let built = compile(&format!("{arguments} {NAME}"), false)?;
    let folder = root().join("target/web/front-end");
    generate(&built.join(format!("examples/{NAME}.wasm")), &folder, NAME)?;
    for file in ["index.html", "start.js"] {
        copy(&root().join("web/examples").join(NAME).join(file), &folder.join(file))?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::copy(from, to).with_context(|| format!("could not write {}", to.display()))?;
    Ok(())
}

/// Where `bench web` measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Browser {
    Chromium,
    /// Debian's WebKitGTK: the engine of Safari, without relaxed SIMD as in Safari.
    Webkit,
}

/// `cargo xtask bench web`: the package beside its peers, in one browser.
pub(crate) fn bench(python: Option<&str>, browser: Browser, rounds: usize) -> Result<()> {
    let Some(python) = python else {
        println!("web: skipped; it needs --python, to export the model to ONNX for the peers");
        return Ok(());
    };
    let (need, name) = match browser {
        Browser::Chromium => (Need::Chromium, "chromium"),
        Browser::Webkit => (Need::WebKit, "webkit"),
    };
    for need in BUILD_NEEDS.into_iter().chain([need]) {
        need.ensure()?;
    }
    build()?;
    fixtures()?;
    install("web/bench")?;
    Cmd::new(python)
        .args("web/bench/export.py target/web/models/vit_b_32 target/web/onnx")
        .run()?;
    let bench = node().args("web/bench/bench.mjs target/web --browser").arg(name).arg("--rounds");
    bench.arg(rounds.to_string()).run()
}

/// `cargo xtask bench search`: what a customer waits for.
pub(crate) fn bench_search() -> Result<()> {
    for need in BUILD_NEEDS.into_iter().chain([Need::Chromium]) {
        need.ensure()?;
    }
    build()?;
    fixtures()?;
    for products in ["5000", "50000"] {
        let folder = root().join(format!("target/web/bench-{products}"));
        let _ = fs::remove_dir_all(&folder);
        let example = cargo().args("run --release --quiet -p scraper-lib --example catalogue --");
        let example = example.arg("target/web/packed/vit_b_32").arg(&folder);
        example.arg(products).arg("picture.jpg").run()?;
        fs::copy(root().join("tests/corpus/jpeg/photo-420-q75.jpg"), folder.join("picture.jpg"))?;
    }
    node().args("web/bench/search.mjs target/web").run()
}

/// `npm ci` in `folder`, unless it was done for this lock file.
pub(crate) fn install(folder: &str) -> Result<()> {
    let note = root().join(folder).join("node_modules/.for-lock");
    let lock = fs::read(root().join(folder).join("package-lock.json"));
    let lock = lock.with_context(|| format!("no {folder}/package-lock.json"))?;
    if fs::read(&note).ok().as_deref() != Some(&lock[..]) {
        let npm = Cmd::new("npm").args("--prefix").arg(folder);
        npm.args("ci --ignore-scripts --no-audit --no-fund").run()?;
        fs::write(&note, lock).with_context(|| format!("could not write {}", note.display()))?;
    }
    Ok(())
}

/// Compiles for wasm32 with this subcommand of cargo and its arguments; the folder of the results.
fn compile(command: &str, threads: bool) -> Result<PathBuf> {
    let Some(std) = cross::source() else { bail!("no source of Rust's standard library") };
    let target_dir = cross::target_dir().join("wasm");
    let features = if threads { THREADS } else { "+simd128" };
    let flags: Vec<String> = format!("-C target-feature={features}")
        .split_whitespace()
        .map(|flag| format!("{flag:?}"))
        .collect();
    // Not RUSTFLAGS, which would take the place of the flags in .cargo/config.toml.
    let flags = format!("--config=target.{WASM}.rustflags=[{}]", flags.join(","));
    let (subcommand, arguments) = command.split_once(' ').unwrap_or((command, ""));
    std.cargo(subcommand, WASM)
        .args("--profile web")
        .args(arguments)
        .arg(flags)
        .without_env("RUSTFLAGS")
        .env("CARGO_TARGET_DIR", &target_dir)
        .run()?;
    Ok(target_dir.join(WASM).join("web"))
}

/// Synthetic models, packed, and what the native program makes of the corpus: target/web.
fn fixtures() -> Result<()> {
    models()?;
    for model in MODELS {
        let packed = format!("target/web/packed/{model}");
        // Parts have digests in their names: older ones would pile up.
        let _ = fs::remove_dir_all(root().join(&packed));
        let pack = tested("scraper")?.args("--quiet model pack");
        pack.arg(format!("target/web/models/{model}")).arg("--out").arg(packed).run()?;
    }
    Ok(())
}

/// Synthetic models of the tests, in target/web/models.
pub(crate) fn models() -> Result<()> {
    tested("web_fixtures")?.arg("target/web/models").run()
}

/// The cross-target checks that need no page: pixels under every preset, all tokens, every kernel.
fn core_checks() -> Result<Tests> {
    // As the modules are built: of another crate type the standard library and all else are built anew.
    let arguments = "rustc -p clip-tests-wasm --features relaxed-simd --lib --crate-type cdylib";
    let built = compile(arguments, false)?;
    node()
        .arg(root().join("tests/wasm/run.mjs"))
        .arg(built.join("clip_tests_wasm.wasm"))
        .args("--path=wasm-relaxed")
        .run_tests()
}

fn test_script(name: &str, arguments: &[&str]) -> Result<Tests> {
    let node = match name {
        "gpu-fused" => match Lavapipe::fetch() {
            // Node has no WebGPU of its own.
            Some(device) => device
                .run(&node_path()?)
                .args(relaxed_flag())
                .arg("--import")
                .arg(root().join("web/test/dawn.mjs")),
            None => return Ok(Tests::default()),
        },
        _ => node(),
    };
    let script = node.arg(root().join(format!("web/test/{name}.mjs"))).arg("target/web");
    let script = match name {
        "element-serve" => script.env("SCRAPER", tested_file("scraper")?),
        _ => script,
    };
    arguments.iter().fold(script, |cmd, argument| cmd.arg(argument)).run_tests()
}

/// Node, with relaxed SIMD where it has to be asked for.
fn node() -> Cmd {
    Cmd::new("node").args(relaxed_flag())
}

fn relaxed_flag() -> &'static str {
    let known = Cmd::new("node").arg(RELAXED_FLAG).args("-e 0").probe().is_some();
    if known { RELAXED_FLAG } else { "" }
}

/// Where Node is.
fn node_path() -> Result<PathBuf> {
    let path = Cmd::new("node").args("-p process.execPath").probe();
    Ok(path.context("could not ask Node where it is")?.into())
}

//! `bindgen MODULE.wasm FOLDER NAME`: what wasm-bindgen makes of a module of `web`, written into
//! FOLDER: `NAME_bg.wasm`, the script `NAME.js` and its types.
//!
//! A program of its own, so that only those who build for the browser compile the generator. Its
//! version is that of the bindings in Cargo.lock: nothing is installed by hand.

use anyhow::{Context, Result, bail};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [module, folder, name] = &arguments[..] else {
        bail!("usage: bindgen MODULE.wasm FOLDER NAME");
    };
    let mut generator = Bindgen::new();
    generator
        .input_path(module)
        .out_name(name)
        .web(true)?
        .typescript(true)
        // Never views of shared memory: what the bindings give can be handed to another thread.
        .ts_typed_array_buffers(true)
        .remove_name_section(true)
        .remove_producers_section(true);
    generator.generate(folder).with_context(|| format!("could not write the bindings of {module}"))
}

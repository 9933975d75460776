//! Says it where a wasm build would be slow.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let set = |name: &str| std::env::var(name).unwrap_or_default();
    println!("cargo::rerun-if-env-changed=CARGO_ENCODED_RUSTFLAGS");
    let wasm = set("CARGO_CFG_TARGET_ARCH") == "wasm32";
    if wasm && !set("CARGO_ENCODED_RUSTFLAGS").contains("-disable-lsr") {
        println!(
            "cargo::warning=built without `-C llvm-args=-disable-lsr`: the vision tower will take \
             twice as long (see the front page of clip-kernels)"
        );
    }
}

//! `--device` and `scraper doctor`, with whatever this machine has: none, Debian's software Vulkan (which does not
//! fuse), or a device with the CPU's bits.

use clip_core::Provenance;
use rusqlite::Connection;

use crate::{
    shop::Shop,
    support::{Ran, ran, scraper},
};

/// What `scraper doctor` says of the first GPU.
#[derive(Debug, PartialEq)]
enum Gpu {
    /// This program was built without the feature.
    NotBuilt,
    None,
    Inexact,
    Exact,
}

fn doctor(shop: &Shop) -> Gpu {
    let text = ran(scraper(shop.path()).arg("doctor")).expect(0).text();
    println!("{text}");
    assert!(text.starts_with("cpu   ") && text.contains(" instructions: exact\n"), "{text}");
    let line = text.lines().find(|line| line.starts_with("gpu")).unwrap();
    match line {
        _ if line.contains("not in this program") => Gpu::NotBuilt,
        _ if line.contains("none found") => Gpu::None,
        _ if line.contains(": not exact, ") => Gpu::Inexact,
        _ => {
            assert!(line.ends_with(": exact, the self-test passed"), "{line}");
            Gpu::Exact
        }
    }
}

fn run(shop: &Shop, store: &str, flags: &[&str]) -> Ran {
    ran(shop.command(&["run", "shop", "--store", store]).args(flags))
}

fn provenance(shop: &Shop, store: &str) -> Provenance {
    let connection = Connection::open(shop.path().join(store)).unwrap();
    let json: String =
        connection.query_row("SELECT json FROM provenances", [], |row| row.get(0)).unwrap();
    serde_json::from_str(&json).unwrap()
}

#[test]
fn a_gpu_is_used_where_its_bits_are_the_cpus_and_else_refused_with_the_reason() {
    let shop = Shop::new();
    shop.folder(0..3);
    let gpu = doctor(&shop);
    run(&shop, "cpu.db", &[]).expect(0);
    assert_eq!(provenance(&shop, "cpu.db").adapter, None);
    let asked = run(&shop, "gpu.db", &["--device", "gpu"]);
    if gpu == Gpu::Exact {
        asked.expect(0);
        let found = provenance(&shop, "gpu.db");
        assert_eq!(found.device, "exact");
        assert!(found.adapter.unwrap().ends_with("the self-test passed"));
        assert_eq!(shop.export("gpu.db"), shop.export("cpu.db"));
        return;
    }
    let (reason, hint) = match gpu {
        Gpu::NotBuilt => ("without the feature `gpu`", "--features gpu"),
        Gpu::None => ("no GPU was found", "`scraper doctor`"),
        _ => ("fused multiply-add: ", "--allow-inexact"),
    };
    let told = asked.expect(1).stderr;
    assert!(told.contains(reason) && told.contains(hint), "{told}");
    if gpu != Gpu::Inexact {
        return;
    }
    run(&shop, "gpu.db", &["--device", "gpu", "--allow-inexact"]).expect(0);
    let found = provenance(&shop, "gpu.db");
    assert_eq!(found.device, "gpu");
    assert!(found.adapter.unwrap().contains("the self-test failed at fused multiply-add"));
    // Queries of the CPU search such a store, and its own vectors do not mix with it.
    let query = ["search", "red", "--store", "gpu.db", "--mode", "vector", "--no-floor"];
    assert!(ran(&mut shop.command(&query)).expect(0).text().contains("1  "));
    let mixed = run(&shop, "gpu.db", &[]).expect(1).stderr;
    assert!(mixed.contains("device"), "{mixed}");
}

#[test]
fn auto_gives_the_bits_of_the_cpu_on_every_machine() {
    let shop = Shop::new();
    shop.folder(0..3);
    run(&shop, "cpu.db", &[]).expect(0);
    run(&shop, "auto.db", &["--device", "auto"]).expect(0);
    assert_eq!(provenance(&shop, "auto.db").device, "exact");
    assert_eq!(shop.export("auto.db"), shop.export("cpu.db"));
}

#[test]
fn candles_devices_are_never_exact_and_say_so() {
    let shop = Shop::new();
    shop.folder(0..1);
    for device in ["cuda", "metal"] {
        let told = run(&shop, "s.db", &["--device", device]).expect(1).stderr;
        assert!(
            told.contains("does not give the bits of the CPU")
                || told.contains("without the feature"),
            "{told}"
        );
    }
}

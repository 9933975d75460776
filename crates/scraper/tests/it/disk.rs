//! A disk without room.

use std::process::Command;

use crate::{
    shop::Shop,
    support::{finished, ran, scraper},
};

/// `scraper` where no file may grow beyond `blocks` of 512 bytes: writes really fail, as on a
/// full disk.
#[cfg(unix)]
fn limited(shop: &Shop, blocks: u32, args: &[&str]) -> Command {
    let program = scraper(shop.path());
    let mut command = Command::new("sh");
    // Without the trap the system would end the program instead of failing the write.
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
    command
        .current_dir(shop.path())
        .env_clear()
        .env("HOME", shop.path())
        .env("HF_HUB_OFFLINE", "1")
        .args(["-c", &script, "sh"])
        .arg(program.get_program())
        .args(args)
        .arg("--model")
        .arg(&shop.model);
    command
}

#[test]
#[cfg(unix)]
fn a_full_disk_is_a_clear_error_and_the_store_stays_sound() {
    let shop = Shop::new();
    shop.folder(0..700);
    let args = ["run", "shop", "--store", "s.db", "--batch", "2"];
    let failed = ran(&mut limited(&shop, 128, &args)).expect(1);
    assert!(failed.stderr.contains("What was committed is safe"), "{}", failed.stderr);
    assert!(failed.stderr.contains("disk"), "{}", failed.stderr);

    let store = rusqlite::Connection::open(shop.path().join("s.db")).unwrap();
    let check: String = store.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
    drop(store);
    // With room again it goes on.
    let last = shop.run("shop", 0);
    assert_eq!(last["failed"], 0);
    let args = ["run", "shop", "--store", "undisturbed.db"];
    ran(&mut shop.command(&args)).expect(0);
    assert_eq!(shop.export("s.db"), shop.export("undisturbed.db"));
}

#[test]
#[cfg(target_os = "linux")]
fn an_export_without_room_is_an_error() {
    let shop = Shop::new();
    shop.folder(0..60);
    shop.run("shop", 0);
    for format in ["jsonl", "parquet", "npy"] {
        let mut command = scraper(shop.path());
        command.args(["export", "--store", "s.db", "--format", format]);
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = command.stdout(full).output().unwrap();
        let failed = finished(output).expect(1).stderr;
        assert!(failed.contains("cannot write") && failed.contains("space"), "{format}: {failed}");
    }
}

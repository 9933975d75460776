//! SIGKILL at any moment.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant, SystemTime},
};

use crate::{
    python::{database, psql},
    server::{Reply, Server},
    shop::{Shop, feed, number},
    support::{png, ran, scraper},
};

/// How often the tests below kill; a variable asks for more.
fn kills() -> u32 {
    std::env::var("SCRAPER_TEST_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(4)
}

/// The moments of a test; the seed is printed when it fails.
struct Random(u64);

impl Random {
    fn new() -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let seed = now.as_nanos() as u64;
        println!("seed {seed}");
        Random(seed)
    }

    /// splitmix64
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

#[test]
fn killed_thirty_times_the_export_is_that_of_an_undisturbed_run() {
    const N: u32 = 400;
    let shop = Shop::new();
    // Some images fail, some are the same, all take a moment.
    let server = Server::start(|request| {
        let delay = Duration::from_millis(15);
        match number(request) {
            n if n % 23 == 7 => Reply::status(404).delay(delay),
            n if n % 31 == 5 => Reply::ok("<html>sold out</html>").delay(delay),
            n => Reply::ok(png(n % 350)).header("etag", format!("\"{n}\"")).delay(delay),
        }
    });
    shop.write("feed.jsonl", feed(&server, N));
    let args = ["run", "feed.jsonl", "--store", "s.db", "--batch", "3", "--per-host", "8"];
    let mut random = Random::new();
    let mut committed = 0;
    for _ in 0..30 {
        let mut command = shop.command(&args);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        thread::sleep(Duration::from_millis(random.below(700)));
        let _ = child.kill(); // it may be through
        child.wait().unwrap();
        if shop.path().join("s.db").exists() {
            let store = rusqlite::Connection::open(shop.path().join("s.db")).unwrap();
            let check: String =
                store.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
            assert_eq!(check, "ok");
            let count = "SELECT count(*) FROM vectors";
            let kept = store.query_row(count, [], |row| row.get::<_, i64>(0)).unwrap_or(0);
            assert!(kept >= committed, "{kept} of {committed} vectors are left");
            committed = kept;
        }
    }
    let last = shop.run("feed.jsonl", 2);
    let requests = server.requests().len();
    let again = shop.run("feed.jsonl", 2);
    assert_eq!(again["embedded"], 0, "{again}");
    assert!(server.requests().len() > requests);

    let args = ["run", "feed.jsonl", "--store", "undisturbed.db"];
    ran(&mut shop.command(&args)).expect(2);
    let export = shop.export("s.db");
    assert!(export.lines().count() > 350, "{last}");
    assert_eq!(export, shop.export("undisturbed.db"));
}

/// Starts `command` and kills it at some moment of the time that it takes.
fn kill(mut command: Command, takes: Duration, random: &mut Random) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let most = u64::try_from(takes.as_micros()).unwrap().max(1000);
    thread::sleep(Duration::from_micros(random.below(most)));
    let _ = child.kill(); // it may be through
    child.wait().unwrap();
}

fn timed(mut command: Command) -> Duration {
    let started = Instant::now();
    ran(&mut command).expect(0);
    started.elapsed()
}

/// Two catalogues of one shop, in the stores `one` and `two`, and what their exports are.
fn exports_are_killed(shop: &Shop, one: &str, two: &str) {
    for (store, seeds) in [(one, 0..40), (two, 100..150)] {
        let _ = fs::remove_dir_all(shop.path().join("shop"));
        shop.folder(seeds);
        ran(&mut shop.command(&["run", "shop", "--store", store])).expect(0);
    }
    let mut random = Random::new();
    let command = |store: &str, format: &str| {
        let mut command = scraper(shop.path());
        command.args(["export", "--store", store, "--format", format]);
        command.args(["--output", &format!("out.{format}")]);
        command
    };
    // What the file, or the files that the manifest names, hold.
    let content = |format: &str| -> Vec<u8> {
        let out = shop.path().join(format!("out.{format}"));
        match format {
            "web" => web(&out),
            "rows.jsonl" => fs::read(shop.path().join("out.rows.jsonl")).unwrap(),
            _ => fs::read(&out).unwrap(),
        }
    };
    // No system puts two files in place in one step: of the array and its rows each is whole.
    for (format, beside) in
        [("jsonl", None), ("parquet", None), ("npy", Some("rows.jsonl")), ("web", None)]
    {
        let takes = timed(command(two, format));
        let both = || [Some(format), beside].map(|file| file.map(content));
        let after = both();
        timed(command(one, format));
        let before = both();
        assert_ne!(before, after);
        for _ in 0..kills() {
            kill(command(two, format), takes, &mut random);
            let found = both();
            for (file, found) in found.iter().enumerate() {
                assert!(
                    *found == before[file] || *found == after[file],
                    "{format}: neither the old nor the new"
                );
            }
            if found != before {
                timed(command(one, format));
            }
        }
        timed(command(two, format));
        assert_eq!(both(), after);
        let folders = [shop.path().to_owned(), shop.path().join("out.web")];
        for entry in folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(!name.ends_with(".part"), "{name} is left over");
        }
    }
}

/// The manifest of a web export, with the files that it names: all must be there, and whole.
fn web(folder: &Path) -> Vec<u8> {
    let mut all = fs::read(folder.join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&all).unwrap();
    let fixed = ["scan", "exact", "facets", "titles"].iter().map(|part| &manifest[*part]);
    for file in fixed.chain(manifest["cards"].as_array().unwrap()) {
        let bytes = fs::read(folder.join(file["file"].as_str().unwrap())).unwrap();
        assert_eq!(bytes.len() as u64, file["bytes"].as_u64().unwrap());
        all.extend(bytes);
    }
    all
}

#[test]
fn a_killed_export_leaves_the_old_one() {
    exports_are_killed(&Shop::new(), "one.db", "two.db");
}

#[test]
fn a_killed_export_of_postgres_leaves_the_old_one() {
    exports_are_killed(&Shop::new(), &database(), &database());
}

#[test]
fn a_killed_merge_makes_no_store() {
    let shop = Shop::new();
    shop.folder(0..60);
    for (shard, store) in [("1/2", "a.db"), ("2/2", "b.db")] {
        let args = ["run", "shop", "--store", store, "--shard", shard];
        ran(&mut shop.command(&args)).expect(0);
    }
    let command = || {
        let mut command = scraper(shop.path());
        command.args(["merge", "a.db", "b.db", "--store", "all.db"]);
        command
    };
    let takes = timed(command());
    let whole = shop.export("all.db");
    assert_eq!(whole.lines().count(), 60);
    let parts = [shop.export("a.db"), shop.export("b.db")];
    let mut random = Random::new();
    for _ in 0..kills() {
        if shop.path().join("all.db").exists() {
            fs::remove_file(shop.path().join("all.db")).unwrap();
        }
        kill(command(), takes, &mut random);
        if shop.path().join("all.db").exists() {
            assert_eq!(shop.export("all.db"), whole);
        }
        assert_eq!([shop.export("a.db"), shop.export("b.db")], parts);
    }
    let _ = fs::remove_file(shop.path().join("all.db"));
    timed(command());
    assert_eq!(shop.export("all.db"), whole);
    let left = fs::read_dir(shop.path()).unwrap();
    let left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(left.into_iter().all(|name| !name.contains("merging")));
}

#[test]
fn a_run_with_postgres_loses_nothing_when_it_is_killed() {
    const N: u32 = 120;
    let shop = Shop::new();
    let postgres = database();
    let server = Server::start(|request| {
        let delay = Duration::from_millis(10);
        match number(request) {
            n if n % 23 == 7 => Reply::status(404).delay(delay),
            n => Reply::ok(png(n % 100)).header("etag", format!("\"{n}\"")).delay(delay),
        }
    });
    shop.write("feed.jsonl", feed(&server, N));
    let command = |store: &str| {
        let args = ["run", "feed.jsonl", "--batch", "3", "--lease", "1", "--store", store];
        shop.command(&args)
    };
    let mut random = Random::new();
    let mut committed = 0;
    for _ in 0..kills() {
        kill(command(&postgres), Duration::from_millis(1500), &mut random);
        let there = "SELECT to_regclass('clip_scraper.vectors_1') IS NOT NULL";
        if psql(&postgres, there) == "t" {
            let kept = psql(&postgres, "SELECT count(*) FROM clip_scraper.vectors_1");
            let kept: u32 = kept.parse().unwrap();
            assert!(kept >= committed, "{kept} of {committed} vectors are left");
            committed = kept;
        }
    }
    // What a dead process leased comes back after its lease. This run tells what was left to it,
    // which need not be what failed.
    let last = ran(&mut command(&postgres));
    assert!(matches!(last.code, 0 | 2), "{}\n{}", last.stderr, last.text());
    ran(&mut command("undisturbed.db")).expect(2);
    assert_eq!(shop.export(&postgres), shop.export("undisturbed.db"));
    let failures = |store: &str| {
        ran(scraper(shop.path()).args(["retry", "--list", "--store", store])).expect(0).text()
    };
    assert_eq!(failures(&postgres), failures("undisturbed.db"));
}

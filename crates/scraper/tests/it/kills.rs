//! SIGKILL at any moment.

use std::{
    process::Stdio,
    thread,
    time::{Duration, SystemTime},
};

use crate::{
    server::{Reply, Server},
    shop::{Shop, feed, number},
    support::{png, ran},
};

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

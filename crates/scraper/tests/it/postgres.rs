//! The Postgres store, with a real server.

use std::{
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    python::{database, psql},
    server::{Reply, Server},
    shop::{Shop, feed, number},
    support::{finished, png, ran, scraper},
};

fn count(store: &str, sql: &str) -> i64 {
    psql(store, &format!("SELECT count(*) FROM clip_scraper.{sql}")).parse().unwrap()
}

#[test]
fn it_holds_and_finds_what_sqlite_does() {
    let shop = Shop::new();
    let postgres = database();
    let mut csv = "id,title,image\n".to_owned();
    for i in 0..40 {
        shop.write(&format!("images/{i}.png"), png(i % 35)); // some are the same
        csv += &format!("p{i},Title {},images/{i}.png|images/{}.png\n", i % 3, (i * 7) % 40);
    }
    shop.write("images/3.png", "not an image");
    // Bytes decide the order, not a language.
    csv += "Éa,Title 1,images/1.png\nZb,Title 2,images/2.png\na_c,Title 0,images/4.png\n";
    shop.write("feed.csv", &csv);
    let first = shop.run_into("feed.csv", &postgres, 2);
    let lite = shop.run("feed.csv", 2);
    for field in ["products", "images", "embedded", "reused", "failed"] {
        assert_eq!(first[field], lite[field], "{field}: {first}");
    }
    assert_eq!(shop.export(&postgres), shop.export("s.db"));
    let failures = |store: &str| {
        ran(scraper(shop.path()).args(["retry", "--list", "--store", store])).expect(0).text()
    };
    assert_eq!(failures(&postgres), failures("s.db"));

    let search = |store: &str, args: &[&str]| {
        let mut command = shop.command(&["search", "--store", store, "--format", "json"]);
        ran(command.args(args)).expect(0).text()
    };
    for query in [
        &["title 1", "--no-floor"][..],
        &["title 1", "--no-floor", "--top", "1000"],
        &["title 1", "--mode", "words", "--filter", "id!=Éa"],
        &["titel"],
        &["red floral dress", "--mode", "vector", "--no-floor", "--top", "1000"],
        &["red floral dress", "--mode", "vector"],
        &["--image", "images/7.png", "--top", "3"],
        &["--image", "images/7.png", "--filter", "title=title 1", "--top", "5"],
        &["boots", "--filter", "title=nothing"],
    ] {
        // Scores included, to the last digit.
        assert_eq!(search(&postgres, query), search("s.db", query), "{query:?}");
    }

    let second = shop.run_into("feed.csv", &postgres, 2);
    assert_eq!(second["embedded"], 0, "{second}");
    assert_eq!(shop.export(&postgres), shop.export("s.db"));

    // The index finds the image itself too, and so does SQL.
    ran(scraper(shop.path()).args(["index", "--store", &postgres])).expect(0);
    ran(scraper(shop.path()).args(["index", "--store", &postgres])).expect(0);
    let query = &["--image", "images/7.png", "--top", "3", "--approximate"];
    assert_eq!(search(&postgres, query), search("s.db", &query[..4]));
    let near = psql(
        &postgres,
        "SET search_path = clip_scraper, public;
         SELECT i.product FROM images i JOIN vectors_1 v USING (sha256)
         ORDER BY v.embedding <=> (SELECT embedding FROM vectors_1 JOIN images USING (sha256)
                                   WHERE address = 'images/7.png' LIMIT 1), 1 LIMIT 1",
    );
    assert_eq!(near, "SET\np1", "p1 shows image 7 as well, and comes first");
    let types = psql(
        &postgres,
        "SELECT format_type(atttypid, atttypmod) FROM pg_attribute
         WHERE attrelid = 'clip_scraper.vectors_1'::regclass AND attname = 'embedding'",
    );
    assert_eq!(types, "vector(16)");

    // What vanished is hidden, kept, removed; a retry takes what failed; another model is refused.
    shop.write("images/3.png", png(3));
    ran(&mut shop.command(&["retry", "--failed", "--store", &postgres])).expect(0);
    ran(&mut shop.command(&["retry", "--failed", "--store", "s.db"])).expect(0);
    shop.write("feed.csv", csv.lines().take(32).map(|l| format!("{l}\n")).collect::<String>());
    for _ in 0..4 {
        let (here, there) = (shop.run_into("feed.csv", &postgres, 0), shop.run("feed.csv", 0));
        assert_eq!((&here["vanished"], &here["removed"]), (&there["vanished"], &there["removed"]));
        assert_eq!(shop.export(&postgres), shop.export("s.db"));
    }
    assert_eq!(count(&postgres, "products"), 31);
    let orphans = "vectors_1 v WHERE NOT EXISTS
                   (SELECT 1 FROM clip_scraper.images i WHERE i.sha256 = v.sha256)";
    assert_eq!(count(&postgres, orphans), 0);
    let args = ["run", "feed.csv", "--store", &postgres, "--profile", "transformers5"];
    let refused = ran(&mut shop.command(&args)).expect(1).stderr;
    assert!(refused.contains("--reembed"), "{refused}");
    ran(shop.command(&args).arg("--reembed")).expect(0);
    assert!(shop.export(&postgres).contains("\"preprocessing\":\"transformers5\""));
}

#[test]
fn a_database_that_is_not_there_is_named_without_its_password() {
    let shop = Shop::new();
    shop.folder(0..1);
    let store = "postgres://me:secret@127.0.0.1:9/shop?connect_timeout=2";
    let failed = ran(&mut shop.command(&["run", "shop", "--store", store])).expect(1).stderr;
    assert!(failed.contains("cannot connect to postgres://127.0.0.1/shop"), "{failed}");
    assert!(!failed.contains("secret"), "{failed}");
}

fn spawn(shop: &Shop, store: &str, first: &[&str]) -> Child {
    let mut command = shop.command(first);
    command.args(["--store", store, "--lease", "2", "--batch", "2", "--per-host", "4"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn wait_for(store: &str, vectors: i64) {
    let deadline = Instant::now() + Duration::from_secs(120);
    let ready = "SELECT to_regclass('clip_scraper.vectors_1') IS NOT NULL";
    while psql(store, ready) != "t" || count(store, "vectors_1") < vectors {
        assert!(Instant::now() < deadline, "nothing is stored");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Three processes share a run; `victim` of them is killed in the middle.
fn share(commands: [&[&str]; 3], victim: usize) {
    const N: u32 = 160;
    let shop = Shop::new();
    let postgres = database();
    let server = Server::start(|request| match number(request) {
        n if n % 40 == 9 => Reply::status(404),
        n => Reply::ok(png(n)).delay(Duration::from_millis(40)),
    });
    shop.write("feed.jsonl", feed(&server, N));
    let mut workers: Vec<Child> =
        commands.iter().map(|command| spawn(&shop, &postgres, command)).collect();
    wait_for(&postgres, 20);
    let mut killed = workers.remove(victim);
    killed.kill().unwrap(); // SIGKILL
    killed.wait().unwrap();
    let at_kill = count(&postgres, "vectors_1");
    assert!(at_kill < i64::from(N) - 20, "it was killed in the middle: {at_kill}");
    for worker in workers {
        let ran = finished(worker.wait_with_output().unwrap());
        assert!(matches!(ran.code, 0 | 2), "{}\n{}", ran.stderr, ran.text());
        assert!(ran.text().contains("embedded"), "{}", ran.text());
        let idle = ran.text().contains("embedded        0");
        assert!(!idle, "both that are left had work:\n{}", ran.text());
    }
    let failed = i64::from(N / 40);
    assert_eq!(count(&postgres, "products"), i64::from(N));
    assert_eq!(count(&postgres, "images"), i64::from(N));
    assert_eq!(count(&postgres, "vectors_1"), i64::from(N) - failed);
    assert_eq!(count(&postgres, "quarantine"), failed);
    assert_eq!(count(&postgres, "queue"), 0);
    assert_eq!(psql(&postgres, "SELECT finished FROM clip_scraper.current"), "t");
    // Fetched twice is at most what the dead process had at hand, and its lease.
    let requests = server.requests().len();
    assert!(requests <= N as usize + 40, "{requests}");

    ran(&mut shop.command(&["run", "feed.jsonl", "--store", "alone.db"])).expect(2);
    assert_eq!(shop.export(&postgres), shop.export("alone.db"));
}

#[test]
fn three_workers_share_a_run_and_one_is_killed() {
    let work = &["work", "--wait", "60"][..];
    share([&["run", "feed.jsonl"], work, work], 1);
}

#[test]
fn the_process_that_reads_is_killed_and_another_takes_over() {
    share([&["run", "feed.jsonl"]; 3], 0);
}

/// A library that sets a program's clock wrong.
#[cfg(target_os = "linux")]
fn wrong_clock(shop: &Shop) -> std::path::PathBuf {
    let (source, library) = (shop.path().join("clock.c"), shop.path().join("clock.so"));
    std::fs::write(&source, include_str!("clock.c")).unwrap();
    let mut cc = Command::new("cc");
    let built = cc.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).status();
    assert!(built.unwrap().success(), "this test needs a C compiler");
    library
}

/// Leases are by the database's clock alone.
#[test]
#[cfg(target_os = "linux")]
fn workers_whose_clocks_are_an_hour_off_neither_lose_an_image_nor_do_one_twice() {
    const N: u32 = 72;
    let shop = Shop::new();
    let postgres = database();
    // Longer than a third of a lease: every worker renews what it has.
    let server =
        Server::start(|request| Reply::ok(png(number(request))).delay(Duration::from_millis(900)));
    shop.write("feed.jsonl", feed(&server, N));
    let library = wrong_clock(&shop);
    let skewed = |command: &mut Command, skew: &str| {
        command.env("LD_PRELOAD", &library).env("CLOCK_SKEW", skew);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let date = skewed(Command::new("date").arg("+%s"), "-3600").wait_with_output().unwrap();
    let said: u64 = String::from_utf8(date.stdout).unwrap().trim().parse().unwrap();
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    assert!((3590..3700).contains(&(now - said)), "{said} is not an hour before {now}");

    let workers = [("run", "0"), ("work", "-3600"), ("work", "3600")].map(|(name, skew)| {
        let feed = (name == "run").then_some("feed.jsonl");
        let mut command = shop.command(&[name]);
        command.args(feed).args(["--store", &postgres, "--lease", "6", "--batch", "2"]);
        skewed(command.args(["--per-host", "4"]), skew)
    });
    for worker in workers {
        let ran = finished(worker.wait_with_output().unwrap()).expect(0);
        let idle = ran.text().contains("embedded        0");
        assert!(ran.text().contains("embedded") && !idle, "{}", ran.text());
    }
    assert_eq!(count(&postgres, "vectors_1"), i64::from(N));
    let mut asked: Vec<u32> = server.requests().iter().map(number).collect();
    asked.sort_unstable();
    assert_eq!(asked, (0..N).collect::<Vec<_>>(), "each image is fetched once");
}

#[test]
fn an_interrupted_worker_gives_back_what_it_had() {
    let shop = Shop::new();
    let postgres = database();
    let server =
        Server::start(|request| Reply::ok(png(number(request))).delay(Duration::from_millis(50)));
    shop.write("feed.jsonl", feed(&server, 60));
    let worker = spawn(&shop, &postgres, &["run", "feed.jsonl", "--lease", "3600"][..2]);
    wait_for(&postgres, 5);
    Command::new("kill").args(["-TERM", &worker.id().to_string()]).status().unwrap();
    let stopped = finished(worker.wait_with_output().unwrap()).expect(130);
    assert!(stopped.text().contains("run the same command again"), "{}", stopped.text());
    assert_eq!(count(&postgres, "queue WHERE NOT done AND lease > now()"), 0);
    assert_eq!(shop.run_into("feed.jsonl", &postgres, 0)["failed"], 0);
    assert_eq!(shop.export(&postgres).lines().count(), 60);
}

/// Stores made before the tokenizer was part of the provenance.
#[test]
fn an_old_store_goes_on_and_learns_its_tokenizer() {
    let shop = Shop::new();
    let postgres = database();
    shop.folder(0..3);
    assert_eq!(shop.run_into("shop", &postgres, 0)["embedded"], 3);
    let tokenizer = || {
        let sql = "SELECT json::jsonb ->> 'tokenizer' FROM clip_scraper.provenances";
        psql(&postgres, sql)
    };
    let digest = tokenizer();
    assert_eq!(digest.len(), 64, "{digest}");
    psql(&postgres, "UPDATE clip_scraper.provenances SET json = (json::jsonb - 'tokenizer')::text");
    assert_eq!(tokenizer(), "");
    let search = ["search", "a red dress", "--store", &postgres];
    ran(&mut shop.command(&search)).expect(0);
    let again = shop.run_into("shop", &postgres, 0);
    assert_eq!((&again["embedded"], tokenizer()), (&Value::from(0), digest), "{again}");

    let other = "UPDATE clip_scraper.provenances
                 SET json = (json::jsonb || '{\"tokenizer\": \"another\"}')::text";
    psql(&postgres, other);
    let refused = ran(&mut shop.command(&search)).expect(1).stderr;
    assert!(refused.contains("tokenizer another in the store, 7da3be3d22d6 now"), "{refused}");
}

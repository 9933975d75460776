//! Stores that may be read and not written.

#![cfg(target_os = "linux")]

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    process::Command,
};

use crate::{
    server::{Reply, Server},
    shop::{Shop, feed, number},
    support::{Ran, png, ran, scraper},
};

/// `command`, for which what it has no permission to write is read-only: root, which is above
/// permissions, becomes another user. `None` where that is not possible.
fn unprivileged(command: &Command) -> Option<Command> {
    let root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let mut wrapped = Command::new(if root { "setpriv" } else { "env" });
    if root {
        let user = ["--reuid", "65534", "--regid", "65534", "--clear-groups"];
        wrapped.args(user);
        let reaches = Command::new("setpriv")
            .args(user)
            .args(["test", "-x"])
            .arg(command.get_program())
            .status();
        if !reaches.is_ok_and(|status| status.success()) {
            eprintln!("NOT TESTED: another user cannot start {:?}", command.get_program());
            return None;
        }
    }
    wrapped.arg(command.get_program()).args(command.get_args());
    wrapped.current_dir(command.get_current_dir().unwrap()).env_clear();
    wrapped.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Some(wrapped)
}

/// Takes away (or gives back) the permission to write `path`, and whatever is below it.
fn protect(path: &Path, protected: bool) {
    let folder = path.is_dir();
    let mode = match (folder, protected) {
        (true, true) => 0o555,
        (true, false) => 0o755,
        (false, true) => 0o444,
        (false, false) => 0o644,
    };
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    if folder {
        fs::read_dir(path).unwrap().for_each(|entry| protect(&entry.unwrap().path(), protected));
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A shop whose store is in the folder `kept`, with one failure.
fn shop() -> (Shop, String, String) {
    let shop = Shop::new();
    shop.folder(0..9);
    shop.write("shop/broken.png", "no image");
    fs::create_dir(shop.path().join("kept")).unwrap();
    ran(&mut shop.command(&["run", "shop", "--store", "kept/s.db"])).expect(2);
    let search = ["search", "red", "--no-floor", "--store", "kept/s.db", "--format", "json"];
    let found = ran(&mut shop.command(&search)).expect(0).text();
    let exported = shop.export("kept/s.db");
    // Everybody may look.
    fs::set_permissions(shop.path(), fs::Permissions::from_mode(0o755)).unwrap();
    (shop, found, exported)
}

/// What the three reading commands say.
fn read(shop: &Shop) -> Option<[Ran; 3]> {
    let search =
        shop.command(&["search", "red", "--no-floor", "--store", "kept/s.db", "--format", "json"]);
    let mut export = scraper(shop.path());
    export.args(["export", "--store", "kept/s.db"]);
    let mut list = scraper(shop.path());
    list.args(["retry", "--list", "--store", "kept/s.db"]);
    let [Some(mut search), Some(mut export), Some(mut list)] =
        [&search, &export, &list].map(unprivileged)
    else {
        return None;
    };
    Some([ran(&mut search), ran(&mut export), ran(&mut list)])
}

fn check(shop: &Shop, found: &str, exported: &str) {
    let before = names(&shop.path().join("kept"));
    let Some(said) = read(shop) else { return };
    let [search, export, list] = said.map(|ran| ran.expect(0));
    assert_eq!(search.text(), found);
    assert_eq!(export.text(), exported);
    assert_eq!(list.lines().len(), 1);
    assert_eq!(names(&shop.path().join("kept")), before, "nothing is made beside it");
}

#[test]
fn a_folder_a_file_and_a_file_system_that_may_not_be_written() {
    let (shop, found, exported) = shop();
    let kept = shop.path().join("kept");
    protect(&kept, true);
    check(&shop, &found, &exported);
    // A file of another user in a folder where others may write.
    fs::set_permissions(&kept, fs::Permissions::from_mode(0o777)).unwrap();
    check(&shop, &found, &exported);
    // Nothing can be made here, though the file could be written.
    protect(&kept, false);
    fs::set_permissions(kept.join("s.db"), fs::Permissions::from_mode(0o666)).unwrap();
    fs::set_permissions(&kept, fs::Permissions::from_mode(0o555)).unwrap();
    check(&shop, &found, &exported);
    // A run says what it needs.
    let run = shop.command(&["run", "shop", "--store", "kept/s.db"]);
    if let Some(mut run) = unprivileged(&run) {
        let failed = ran(&mut run).expect(1).stderr;
        assert!(failed.contains("kept/s.db"), "{failed}");
    }
    protect(&kept, false);
}

#[test]
fn a_file_system_that_is_read_only() {
    let (shop, found, exported) = shop();
    let mounts = "mount --bind kept kept && mount -o remount,bind,ro kept && exec \"$@\"";
    let namespace = |command: &Command| {
        let mut wrapped = Command::new("unshare");
        // Who is not root becomes it in a namespace of users.
        let root = fs::metadata("/proc/self").unwrap().uid() == 0;
        wrapped.args(if root { &["-m"][..] } else { &["-r", "-m"] });
        wrapped.args(["sh", "-c", mounts, "sh"]);
        wrapped.arg(command.get_program()).args(command.get_args());
        wrapped.current_dir(shop.path());
        wrapped.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        wrapped
    };
    let probe = namespace(Command::new("true").current_dir(shop.path())).output();
    if !probe.is_ok_and(|output| output.status.success()) {
        eprintln!("NOT TESTED: no mount namespace can be made here");
        return;
    }
    let search =
        shop.command(&["search", "red", "--no-floor", "--store", "kept/s.db", "--format", "json"]);
    assert_eq!(ran(&mut namespace(&search)).expect(0).text(), found);
    let mut export = scraper(shop.path());
    export.args(["export", "--store", "kept/s.db"]);
    assert_eq!(ran(&mut namespace(&export)).expect(0).text(), exported);
}

#[test]
fn a_store_that_a_killed_run_left_open_or_an_older_version_made() {
    let (shop, ..) = shop();
    let kept = shop.path().join("kept");
    // Another run is killed: its last commits are in the log alone.
    let server = Server::start(|request| match number(request) {
        n if n < 5 => Reply::ok(png(100 + n)),
        _ => Reply::status(404).delay(std::time::Duration::from_secs(60)),
    });
    shop.write("feed.jsonl", feed(&server, 6));
    let args = ["run", "feed.jsonl", "--store", "kept/s.db", "--batch", "1"];
    let mut child = shop.command(&args).spawn().unwrap();
    let rows = || {
        let store = rusqlite::Connection::open(kept.join("s.db")).unwrap();
        let count = "SELECT count(*) FROM vectors";
        store.query_row(count, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while rows() < 9 + 5 {
        assert!(std::time::Instant::now() < deadline, "nothing is stored");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    // While it runs, others read.
    let said = read(&shop);
    child.kill().unwrap();
    child.wait().unwrap();
    let Some(said) = said else { return };
    assert_eq!(said.map(|ran| ran.expect(0))[1].text().lines().count(), 14);
    let log = kept.join("s.db-wal");
    assert!(fs::metadata(&log).is_ok_and(|log| log.len() > 0), "the log has the last commits");
    let _ = fs::remove_file(kept.join("s.db-shm"));
    protect(&kept, true);
    let bytes = fs::read(kept.join("s.db")).unwrap();
    let before = names(&kept);
    let Some(said) = read(&shop) else { return };
    let [_, export, list] = said.map(|ran| ran.expect(0));
    assert_eq!(export.text().lines().count(), 14);
    assert_eq!(list.lines().len(), 1);
    assert_eq!((fs::read(kept.join("s.db")).unwrap(), names(&kept)), (bytes, before));
    protect(&kept, false);

    // An older format is read too, and stays as it is.
    let store = rusqlite::Connection::open(kept.join("s.db")).unwrap();
    store.pragma_update(None, "journal_mode", "DELETE").unwrap();
    drop(store);
    let old = old_store();
    fs::write(kept.join("s.db"), &old).unwrap();
    protect(&kept, true);
    let Some(said) = read(&shop) else { return };
    let [search, export, _] = said;
    let search = search.expect(1).stderr;
    assert!(search.contains("another kind"), "{search}");
    assert_eq!(export.expect(0).lines()[0]["id"], "1");
    assert_eq!(fs::read(kept.join("s.db")).unwrap(), old);
    protect(&kept, false);
}

/// The first version's tables, with one vector.
fn old_store() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("old.db");
    let store = rusqlite::Connection::open(&path).unwrap();
    let provenance = r#"{"model":"m","revision":null,"weights":"w","preprocessing":"p","numerics":1,"device":"cpu"}"#;
    store
        .execute_batch(&format!(
            "CREATE TABLE provenances (id INTEGER PRIMARY KEY, json TEXT NOT NULL UNIQUE) STRICT;
             CREATE TABLE current (one INTEGER PRIMARY KEY CHECK (one = 1),
                 provenance INTEGER NOT NULL REFERENCES provenances) STRICT;
             CREATE TABLE products (id TEXT PRIMARY KEY, title TEXT, url TEXT) STRICT, WITHOUT ROWID;
             CREATE TABLE images (product TEXT NOT NULL REFERENCES products ON DELETE CASCADE,
                 position INTEGER NOT NULL, address TEXT NOT NULL, sha256 BLOB, bytes INTEGER,
                 etag TEXT, last_modified TEXT, PRIMARY KEY (product, position))
                 STRICT, WITHOUT ROWID;
             CREATE INDEX images_by_sha256 ON images (sha256);
             CREATE TABLE vectors (sha256 BLOB NOT NULL,
                 provenance INTEGER NOT NULL REFERENCES provenances, vector BLOB NOT NULL,
                 PRIMARY KEY (sha256, provenance)) STRICT;
             CREATE TABLE quarantine (product TEXT NOT NULL, position INTEGER NOT NULL,
                 kind TEXT NOT NULL, message TEXT NOT NULL, PRIMARY KEY (product, position),
                 FOREIGN KEY (product, position) REFERENCES images ON DELETE CASCADE)
                 STRICT, WITHOUT ROWID;
             INSERT INTO provenances VALUES (1, '{provenance}');
             INSERT INTO current VALUES (1, 1);
             INSERT INTO products VALUES ('1', 't', NULL);
             INSERT INTO images VALUES ('1', 0, 'a.png', zeroblob(32), 1, NULL, NULL);
             INSERT INTO vectors VALUES (zeroblob(32), 1, x'0000803f00000040');
             PRAGMA application_id = 1129072976; PRAGMA user_version = 1;"
        ))
        .unwrap();
    drop(store);
    fs::read(path).unwrap()
}

#[test]
fn a_file_that_may_not_be_read_is_said() {
    let (shop, ..) = shop();
    let store = shop.path().join("kept/s.db");
    fs::set_permissions(&store, fs::Permissions::from_mode(0o000)).unwrap();
    let Some([search, export, list]) = read(&shop) else { return };
    for failed in [search, export, list] {
        let failed = failed.expect(1).stderr;
        assert!(
            failed.contains("cannot read the store") && failed.contains("ermission"),
            "{failed}"
        );
    }
}

#[test]
fn without_home_the_cache_is_below_that_of_the_passwd_entry() {
    let shop = Shop::new();
    let mut command = scraper(shop.path());
    command.env_remove("HOME").args(["model", "list"]);
    let said = ran(&mut command).expect(0).text();
    let uid = fs::metadata("/proc/self").unwrap().uid();
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let entry = passwd.lines().find(|line| line.split(':').nth(2) == Some(&uid.to_string()));
    let Some(home) = entry.and_then(|line| line.split(':').nth(5)) else {
        eprintln!("NOT TESTED: this user has no passwd entry");
        return;
    };
    // Either models are there, or the cache is named.
    assert!(said.contains(&format!("{home}/.cache/huggingface")) || said.contains('@'), "{said}");
    let info =
        ran(scraper(shop.path()).env_remove("HOME").args(["model", "info", "a/b"])).expect(1);
    assert!(info.stderr.contains(&format!("{home}/.cache/huggingface")), "{}", info.stderr);
}

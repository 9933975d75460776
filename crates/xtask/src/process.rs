//! Child processes: said before they start, timed, and with an error that names them.

use std::{
    collections::VecDeque,
    ffi::OsStr,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Output, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};

/// The repository's root folder.
pub(crate) fn root() -> PathBuf {
    let manifest =
        std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let crates = Path::new(&manifest).parent().unwrap_or(Path::new("."));
    crates.parent().unwrap_or(Path::new(".")).to_owned()
}

/// Removes a folder with all that is in it; that there is none is no error.
pub(crate) fn clear(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(e).with_context(|| format!("could not remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

/// The cargo that runs this program.
pub(crate) fn cargo() -> Cmd {
    let mut cmd = Cmd::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // `cargo run` describes this package in the environment; build scripts that watch these
    // variables (ring's does) would run again each time.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            cmd.command.env_remove(&name);
        }
    }
    cmd
}

/// One command to run in the repository's root.
#[derive(Debug)]
pub(crate) struct Cmd {
    command: Command,
    shown: String,
}

impl Cmd {
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(&program);
        command.current_dir(root());
        // The full path of a toolchain's cargo says less than its name.
        let name = Path::new(&program).file_name().unwrap_or(program.as_ref());
        Cmd { command, shown: name.to_string_lossy().into_owned() }
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        let text = arg.as_ref().to_string_lossy();
        let quote = if text.contains([' ', '"']) { "'" } else { "" };
        self.shown += &format!(" {quote}{text}{quote}");
        self.command.arg(arg);
        self
    }

    /// Arguments that hold no spaces, as one would type them.
    pub(crate) fn args(self, args: &str) -> Self {
        args.split_whitespace().fold(self, Cmd::arg)
    }

    pub(crate) fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.shown = format!("{key}={} {}", value.as_ref().to_string_lossy(), self.shown);
        self.command.env(key, value);
        self
    }

    /// Hides a variable of this process from it.
    pub(crate) fn without_env(mut self, key: &str) -> Self {
        self.command.env_remove(key);
        self
    }

    /// Runs it in another folder than the repository's root.
    pub(crate) fn folder(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Runs it, its output going to ours. An exit code other than 0 is an error.
    pub(crate) fn run(self) -> Result<()> {
        let shown = self.shown.clone();
        let (status, _) = self.run_with_code()?;
        check(status, &shown)
    }

    /// Runs it; any exit status is fine.
    pub(crate) fn run_with_code(mut self) -> Result<(ExitStatus, Duration)> {
        eprintln!("$ {}", self.shown);
        let start = Instant::now();
        let status = self.command.status().with_context(|| self.cannot())?;
        eprintln!("  ({})", seconds(start.elapsed()));
        Ok((status, start.elapsed()))
    }

    /// Runs it and counts what test harnesses report; the output is passed on line by line. The
    /// error has its end, a [`Tail`].
    pub(crate) fn run_tests(mut self) -> Result<Tests> {
        eprintln!("$ {}", self.shown);
        let start = Instant::now();
        let cannot = self.cannot();
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().with_context(|| cannot.clone())?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let mut tests = Tests::default();
        let errors = std::thread::spawn(|| lines(stderr, |line| eprintln!("{line}")));
        let mut tail = lines(stdout, |line| {
            println!("{line}");
            tests.add(line);
        });
        tail.0.extend(errors.join().unwrap_or_default().0);
        let status = child.wait().context(cannot)?;
        eprintln!("  ({}; {tests})", seconds(start.elapsed()));
        judged(status, &self.shown, tests, tail)
    }

    /// Like [`Cmd::run_tests`], but what it prints is shown in one piece when it has ended: for what
    /// runs beside others.
    pub(crate) fn run_tests_aside(mut self) -> Result<Tests> {
        let cannot = self.cannot();
        let start = Instant::now();
        let (output, both) = std::io::pipe().context("no pipe")?;
        self.command.stdout(both.try_clone().context("no pipe")?).stderr(both);
        let mut child = self.command.spawn().with_context(|| cannot.clone())?;
        // The command holds the pipe's other end: without it here, reading ends with the child.
        self.command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut all = format!("$ {}\n", self.shown);
        let mut tests = Tests::default();
        let tail = lines(Some(output), |line| {
            all += line;
            all.push('\n');
            tests.add(line);
        });
        let status = child.wait().context(cannot)?;
        eprintln!("{all}  ({}; {tests})", seconds(start.elapsed()));
        judged(status, &self.shown, tests, tail)
    }

    /// Runs it, its output going to ours; the error has its last lines.
    pub(crate) fn run_shown(self) -> Result<()> {
        self.run_tests().map(drop)
    }

    /// Runs it; any exit status is fine. Gives what it wrote to standard error, which is passed on.
    pub(crate) fn run_and_read_errors(mut self) -> Result<(ExitStatus, String)> {
        eprintln!("$ {}", self.shown);
        let mut child =
            self.command.stderr(Stdio::piped()).spawn().with_context(|| self.cannot())?;
        let mut all = String::new();
        lines(child.stderr.take(), |line| {
            eprintln!("{line}");
            all += line;
            all.push('\n');
        });
        Ok((child.wait().with_context(|| self.cannot())?, all))
    }

    /// Runs it in silence, for checks; `None` if it could not start or failed.
    pub(crate) fn probe(mut self) -> Option<String> {
        let output: Output = self.command.stdin(Stdio::null()).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(text)
    }

    fn cannot(&self) -> String {
        format!("could not start `{}`", self.shown)
    }
}

fn check(status: ExitStatus, shown: &str) -> Result<()> {
    match status.code() {
        Some(0) => Ok(()),
        Some(code) => bail!("`{shown}` ended with exit code {code}"),
        None => bail!("`{shown}` was ended by a signal"),
    }
}

/// What came of a command with tests: a failed one is an error also where the exit code is 0.
fn judged(status: ExitStatus, shown: &str, tests: Tests, tail: Tail) -> Result<Tests> {
    match check(status, shown) {
        Err(why) => Err(anyhow!(tail).context(format!("{why}; {tests}"))),
        Ok(()) if tests.failed > 0 => Err(anyhow!(tail).context(format!("`{shown}`: {tests}"))),
        Ok(()) => Ok(tests),
    }
}

/// Gives `each` the lines of a child's output until it ends. A test may print anything.
fn lines(output: Option<impl Read>, mut each: impl FnMut(&str)) -> Tail {
    let mut tail = Tail::default();
    let Some(output) = output else { return tail };
    for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        each(&line);
        if tail.0.len() == Tail::LINES {
            tail.0.pop_front();
        }
        tail.0.push_back(line.into_owned());
    }
    tail
}

/// The last lines that a command printed: what a long log is read for.
#[derive(Debug, Default)]
pub(crate) struct Tail(VecDeque<String>);

impl Tail {
    const LINES: usize = 30;
}

impl std::fmt::Display for Tail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "its last lines:")?;
        self.0.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

impl std::error::Error for Tail {}

/// What the Rust test harness counted, over all binaries of a command.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tests {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
}

impl Tests {
    /// Adds a line such as `test result: ok. 7 passed; 0 failed; 1 ignored; …`.
    fn add(&mut self, line: &str) {
        let Some(rest) = line.strip_prefix("test result: ") else { return };
        let counts = rest.split_once(". ").map_or(rest, |(_, counts)| counts);
        for part in counts.split("; ") {
            let Some((n, what)) = part.split_once(' ') else { continue };
            let Ok(n) = n.parse::<u64>() else { continue };
            match what {
                "passed" => self.passed += n,
                "failed" => self.failed += n,
                "ignored" => self.ignored += n,
                _ => {}
            }
        }
    }
}

impl std::fmt::Display for Tests {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} tests passed, {} failed", self.passed, self.failed)?;
        if self.ignored > 0 { write!(f, ", {} ignored", self.ignored) } else { Ok(()) }
    }
}

/// A duration for people: "0.8 s", "41 s", "3 min 20 s".
pub(crate) fn seconds(time: Duration) -> String {
    match time.as_secs() {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        s @ 10..60 => format!("{s} s"),
        s => format!("{} min {:02} s", s / 60, s % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harness_lines_are_counted() {
        let mut tests = Tests::default();
        tests.add("test result: ok. 7 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out");
        tests.add("test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured");
        tests.add("test kernel::exp ... ok");
        assert_eq!(tests, Tests { passed: 9, failed: 3, ignored: 1 });
        assert_eq!(tests.to_string(), "9 tests passed, 3 failed, 1 ignored");
    }

    #[test]
    fn a_failing_command_is_an_error() {
        assert!(
            Cmd::new("sh").arg("-c").arg("exit 3").run().unwrap_err().to_string().contains('3')
        );
        assert!(Cmd::new("no-such-program-anywhere").run().is_err());
        let summary = "echo 'test result: FAILED. 1 passed; 2 failed; 0 ignored'";
        assert!(Cmd::new("sh").arg("-c").arg(summary).run_tests().is_err());
    }

    #[test]
    fn what_runs_aside_is_counted_and_its_failure_has_its_last_lines() {
        let script = |code| {
            let script = "echo 'test result: ok. 3 passed; 0 failed'; echo why >&2; exit ";
            Cmd::new("sh").arg("-c").arg(format!("{script}{code}")).run_tests_aside()
        };
        assert_eq!(script(0).unwrap().passed, 3);
        let error = script(3).unwrap_err();
        assert!(error.to_string().ends_with("exit code 3; 3 tests passed, 0 failed"), "{error}");
        assert!(format!("{error:#}").contains("\n  why"), "{error:#}");
        let summary = "echo 'test result: FAILED. 1 passed; 2 failed; 0 ignored'";
        assert!(Cmd::new("sh").arg("-c").arg(summary).run_tests_aside().is_err());
    }

    #[test]
    fn a_failing_test_command_is_shown_with_its_last_lines() {
        let script = "seq 100; echo why >&2; echo 'test result: ok. 3 passed; 0 failed'; exit 3";
        let error = Cmd::new("sh").arg("-c").arg(script).run_tests().unwrap_err();
        assert!(error.to_string().starts_with("`sh -c "), "{error}");
        assert!(error.to_string().ends_with("exit code 3; 3 tests passed, 0 failed"), "{error}");
        let whole = format!("{error:#}");
        assert!(["\n  99\n", "\n  why"].iter().all(|line| whole.contains(line)), "{whole}");
        assert!(!whole.contains("\n  9\n"), "{whole}");
    }
}

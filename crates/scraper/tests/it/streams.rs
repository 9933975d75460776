//! Standard output and standard error that are closed or full, and what is written to them.

use std::{
    fs::{File, OpenOptions},
    io::Read,
    process::{Command, Stdio},
};

use crate::{
    server::{Reply, Server},
    shop::Shop,
    support::{finished, png, ran, scraper},
};

fn shop() -> Shop {
    let shop = Shop::new();
    shop.folder(0..20);
    shop.run("shop", 0);
    shop.write("shop/broken.png", "no image");
    shop
}

/// Exit code and standard error where nobody reads standard output.
fn closed(command: &mut Command) -> (i32, String) {
    // A pipe whose reading end is gone.
    let mut holder = Command::new("true").stdin(Stdio::piped()).spawn().unwrap();
    let pipe = holder.stdin.take().unwrap();
    holder.wait().unwrap();
    let output = command.stdout(Stdio::from(pipe)).output().unwrap();
    let ran = finished(output);
    (ran.code, ran.stderr)
}

fn full() -> File {
    OpenOptions::new().write(true).open("/dev/full").unwrap()
}

/// Commands that print, without a run.
fn printing(shop: &Shop) -> Vec<Command> {
    let with_model: [&[&str]; 5] = [
        &["search", "red dress", "--store", "s.db"],
        &["search", "red dress", "--store", "s.db", "--format", "json"],
        &["embed", "shop/01.png", "--text", "x"],
        &["embed", "shop", "--format", "jsonl"],
        &["inspect", "shop/01.png"],
    ];
    let without: [&[&str]; 9] = [
        &["export", "--store", "s.db"],
        &["export", "--store", "s.db", "--output", "-"],
        &["export", "--store", "s.db", "--format", "parquet"],
        &["--help"],
        &["run", "--help"],
        &["--version"],
        &["completions", "bash"],
        &["model", "list"],
        &["run", "shop", "--dry-run"],
    ];
    let model = with_model.into_iter().map(|args| shop.command(args));
    model
        .chain(without.into_iter().map(|args| {
            let mut command = scraper(shop.path());
            command.args(args);
            command
        }))
        .collect()
}

#[test]
#[cfg(unix)]
fn a_closed_pipe_ends_a_command_quietly() {
    let shop = shop();
    for mut command in printing(&shop) {
        let (code, stderr) = closed(&mut command);
        assert!(matches!(code, 0 | 2), "{command:?}: {code}\n{stderr}");
        assert!(!stderr.contains("panicked") && !stderr.contains("roken pipe"), "{stderr}");
    }
    // What a run did counts, not who listens.
    let run = ["run", "shop", "--store", "s.db", "--summary-json", "sum.json"];
    let (code, stderr) = closed(&mut shop.command(&run));
    assert_eq!(code, 2, "{stderr}");
    assert!(shop.path().join("sum.json").exists());
    let (code, _) = closed(shop.command(&run).args(["--max-failures", "1"]));
    assert_eq!(code, 0);
    let (code, stderr) = closed(scraper(shop.path()).args(["retry", "--list", "--store", "s.db"]));
    assert_eq!((code, stderr.as_str()), (0, ""));
    let (code, _) = closed(&mut shop.command(&["retry", "--failed", "--store", "s.db"]));
    assert_eq!(code, 2);
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_output_is_an_error_that_says_so() {
    let shop = shop();
    for mut command in printing(&shop) {
        let failed = finished(command.stdout(full()).output().unwrap());
        assert_eq!(failed.code, 1, "{command:?}: {}", failed.stderr);
        assert!(failed.stderr.contains("standard output") || failed.stderr.contains("the export"));
        assert!(failed.stderr.contains("space") && !failed.stderr.contains("panicked"));
    }
    let run = ["run", "shop", "--store", "s.db"];
    let told = finished(shop.command(&run).stdout(full()).output().unwrap()).expect(2).stderr;
    assert!(told.contains("cannot write standard output"), "{told}");
}

#[test]
#[cfg(target_os = "linux")]
fn nobody_needs_to_read_standard_error() {
    let shop = shop();
    let run = ["run", "shop", "--store", "s.db", "-vv"];
    let mut command = shop.command(&run);
    command.env("RUST_LOG", "trace");
    for stderr in [Stdio::from(full()), {
        let mut holder = Command::new("true").stdin(Stdio::piped()).spawn().unwrap();
        let pipe = holder.stdin.take().unwrap();
        holder.wait().unwrap();
        Stdio::from(pipe)
    }] {
        let status = command.stdout(Stdio::null()).stderr(stderr).status().unwrap();
        assert_eq!(status.code(), Some(2));
    }
    for how in ["2>&-", ">&-", ">&- 2>&-", "</dev/null >&- 2>&-"] {
        let mut shell = Command::new("sh");
        let program = scraper(shop.path());
        shell.current_dir(shop.path()).env_clear().env("HOME", shop.path());
        shell.args(["-c", &format!("exec \"$@\" {how}"), "sh"]).arg(program.get_program());
        shell.args(["run", "shop", "--store", "s.db", "--model"]).arg(&shop.model);
        let status = shell.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert_eq!(status.code(), Some(2), "{how}");
    }
}

/// A title that clears the terminal, and turns what follows around.
const EVIL: &str = "\\u001b[2J\\u001b]0;pwned\\u0007\\u009b31mRED\\u202egnp\\u2066";

fn is_harmless(text: &str) {
    let acts = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!text.contains(acts), "{text:?}");
}

#[test]
fn texts_of_shops_do_not_act_on_the_terminal() {
    let shop = Shop::new();
    shop.write("red.png", png(1));
    let long = "x".repeat(200_000);
    shop.write(
        "feed.jsonl",
        format!(
            "{{\"id\":\"esc{EVIL}\",\"title\":\"{EVIL}\",\"image\":\"red.png\"}}\n\
             {{\"id\":\"bad{EVIL}\\n### fake\",\"image\":\"none{EVIL}.png\"}}\n\
             {{\"id\":\"{long}\",\"title\":\"{long}\",\"image\":\"{long}.png\"}}\n\
             {{\"id\":\"twice\",\"image\":\"red.png\"}}\n\
             {{\"id\":\"twice\",\"title\":\"{EVIL}\",\"image\":\"red.png\"}}\n\
             {{\"id\":\"cut{EVIL}\n"
        ),
    );
    let mut command = shop.command(&["run", "feed.jsonl", "--store", "s.db", "-vv"]);
    command.args(["--summary-markdown", "sum.md"]);
    command.env("GITHUB_STEP_SUMMARY", shop.path().join("steps.md")).env("RUST_LOG", "debug");
    let run = ran(&mut command).expect(2);
    let markdown = std::fs::read_to_string(shop.path().join("sum.md")).unwrap();
    for text in [&run.stderr, &run.text(), &markdown] {
        is_harmless(text);
        assert!(text.len() < 100_000, "{}", text.len());
    }
    assert!(run.stderr.contains("esc\\u{1b}[2J") || run.stderr.contains("bad\\u{1b}[2J"));
    let dry = ran(scraper(shop.path()).args(["run", "feed.jsonl", "--dry-run"])).expect(2);
    is_harmless(&dry.stderr);
    is_harmless(&dry.text());
    let table = ran(&mut shop.command(&["search", "red", "--no-floor", "--store", "s.db"]))
        .expect(0)
        .text();
    is_harmless(&table);
    assert!(table.len() < 10_000 && table.lines().count() == 3, "{table}");

    // JSON keeps the data, in a form that does not act either.
    let search = ["search", "red", "--no-floor", "--store", "s.db", "--format", "json"];
    let found = ran(&mut shop.command(&search)).expect(0).text();
    is_harmless(&found);
    let found: Vec<serde_json::Value> = serde_json::from_str(&found).unwrap();
    let title: String = serde_json::from_str(&format!("\"{EVIL}\"")).unwrap();
    assert!(found.iter().any(|hit| hit["title"] == title.as_str()), "{found:?}");
    let listed = ran(scraper(shop.path()).args(["retry", "--list", "--store", "s.db"])).expect(0);
    is_harmless(&listed.text());
    let ids: Vec<String> =
        listed.lines().iter().filter_map(|line| Some(line["id"].as_str()?.to_owned())).collect();
    assert!(ids.iter().any(|id| id.starts_with(&format!("bad{title}"))), "{ids:?}");
    assert!(ids.contains(&long));
}

#[test]
fn the_step_summary_stays_below_what_github_shows() {
    let shop = Shop::new();
    shop.write("shop/a.png", png(1));
    let run = |before: usize| {
        shop.write("steps.md", "x".repeat(before));
        let mut command = shop.command(&["run", "shop", "--store", "s.db"]);
        command.env("GITHUB_STEP_SUMMARY", shop.path().join("steps.md"));
        let told = ran(&mut command).expect(0).stderr;
        (told, std::fs::read_to_string(shop.path().join("steps.md")).unwrap())
    };
    let (_, text) = run(1000);
    assert!(text.contains("### scraper run") && !text.contains("left out"));
    let (_, text) = run((1 << 20) - 150);
    assert!(text.len() <= 1 << 20 && text.contains("left out"), "{}", text.len());
    let (told, text) = run((1 << 20) - 30);
    assert!(text.len() <= 1 << 20 && told.contains("is full"), "{told}");
}

#[test]
fn no_colours_where_nobody_sees_them() {
    let shop = Shop::new();
    let server = Server::start(|_| Reply::status(404));
    shop.write("feed.jsonl", crate::shop::feed(&server, 2));
    let run = ["run", "feed.jsonl", "--store", "s.db", "-vv"];
    for args in [&run[..], &["run", "--nothing"], &["--help"]] {
        let mut command = shop.command(args);
        let run = ran(command.env("RUST_LOG", "debug"));
        assert!(args[0] != "run" || run.stderr.contains("DEBUG") || run.code == 1);
        assert!(!run.stderr.contains('\u{1b}') && !run.text().contains('\u{1b}'), "{}", run.stderr);
    }
}

/// A terminal, from Python's `pty`.
#[test]
#[cfg(target_os = "linux")]
fn no_color_is_respected_on_a_terminal() {
    let shop = Shop::new();
    let server = Server::start(|_| Reply::status(404));
    shop.write("feed.jsonl", crate::shop::feed(&server, 2));
    let command = shop.command(&["run", "feed.jsonl", "--store", "s.db"]);
    let args: Vec<String> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|arg| arg.to_str().unwrap().to_owned())
        .collect();
    let program = "import pty, sys, json; pty.spawn(json.loads(sys.argv[1]))";
    let mut shell = Command::new("python3");
    shell
        .args(["-c", program, &serde_json::to_string(&args).unwrap()])
        .current_dir(shop.path())
        .env("NO_COLOR", "1")
        .env("TERM", "xterm")
        .env("RUST_LOG", "debug")
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut child = shell.spawn().unwrap();
    let mut bytes = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut bytes).unwrap();
    child.wait().unwrap();
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("failed") && text.contains("DEBUG"), "{text}");
    // Bars move the cursor (CSI A, K …); colours end in m.
    let colour = text.split('\u{1b}').skip(1).any(|part| {
        let rest = part.trim_start_matches('[');
        rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').starts_with('m')
    });
    assert!(!colour, "{text:?}");
}

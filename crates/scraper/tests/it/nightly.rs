//! The steps of `.github/workflows/nightly.yml`, run on this machine.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::{
    server::{Reply, Server},
    shop::{SETTINGS, Shop, feed, number},
    support::{png, ran, scraper},
};

const WORKFLOW: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.github/workflows/nightly.yml"));

/// GitHub, as far as the workflow knows it.
struct Github<'a> {
    shop: &'a Shop,
    night: u32,
    endpoint: &'a str,
    /// Whether the model was in the cache.
    cached: bool,
}

impl Github<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.shop.path().join(name)
    }

    /// What `${{ expression }}` is; an unknown one fails the test.
    fn value(&self, expression: &str, shard: u64) -> String {
        match expression {
            "vars.SCRAPER_SOURCE" => self.path("feed.jsonl").display().to_string(),
            "vars.SCRAPER_ENDPOINT" => self.endpoint.to_owned(),
            "vars.EMBEDDINGS_MODEL || 'openai/clip-vit-base-patch32'" | "env.EMBEDDINGS_MODEL" => {
                self.shop.model.display().to_string()
            }
            "github.workspace" => self.shop.path().display().to_string(),
            "github.run_id" => self.night.to_string(),
            "runner.os" => "Linux".into(),
            "matrix.shard" => shard.to_string(),
            "secrets.HF_TOKEN" => "hf_test".into(),
            files if files.starts_with("hashFiles(") => "digest".into(),
            other => panic!("the test does not know ${{{{ {other} }}}}"),
        }
    }

    fn fill(&self, text: &str, shard: u64) -> String {
        let mut parts = text.split("${{");
        let mut filled = parts.next().unwrap().to_owned();
        for part in parts {
            let (expression, rest) = part.split_once("}}").unwrap();
            filled += &self.value(expression.trim(), shard);
            filled += rest;
        }
        filled
    }

    fn holds(&self, condition: Option<&Value>) -> bool {
        match condition.map(|c| c.as_str().unwrap()) {
            None | Some("vars.SCRAPER_SOURCE != ''") => true,
            Some("vars.SCRAPER_ENDPOINT != ''") => !self.endpoint.is_empty(),
            Some("steps.model.outputs.cache-hit != 'true'") => !self.cached,
            Some(other) => panic!("the test does not know the condition {other}"),
        }
    }

    /// One job in a fresh folder.
    fn job(&self, workflow: &Value, name: &str, shard: u64) {
        let job = &workflow["jobs"][name];
        assert!(self.holds(job.get("if")));
        let room = self.path(&format!("night-{}/{name}-{shard}", self.night));
        fs::create_dir_all(&room).unwrap();
        // As the checkout would bring it.
        fs::write(room.join("scraper.toml"), SETTINGS).unwrap();
        for step in job["steps"].as_array().unwrap() {
            if !self.holds(step.get("if")) {
                continue;
            }
            match (step["uses"].as_str(), step["run"].as_str()) {
                (Some(action), _) => self.action(action, &step["with"], &room, shard),
                (None, Some(script)) => {
                    let envs = [&workflow["env"], &job["env"], &step["env"]];
                    self.script(&self.fill(script, shard), &envs, &room, shard);
                }
                (None, None) => panic!("a step does nothing: {step}"),
            }
        }
    }

    fn script(&self, script: &str, envs: &[&Value], room: &Path, shard: u64) {
        let mut command = Command::new("bash");
        // As GitHub starts it; programs of this machine, and a `cargo` that only copies.
        let path = format!("{}:{}", self.path("tools").display(), std::env::var("PATH").unwrap());
        command.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script]);
        command.current_dir(room).env_clear().env("PATH", path).env("HOME", room);
        command.env("GITHUB_STEP_SUMMARY", self.path(&format!("summary-{}.md", self.night)));
        for env in envs {
            for (name, value) in env.as_object().into_iter().flatten() {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                command.env(name, self.fill(&text, shard));
            }
        }
        let output = command.output().unwrap();
        assert!(
            output.status.success(),
            "{script}\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn action(&self, action: &str, with: &Value, room: &Path, shard: u64) {
        let input = |name: &str| with[name].as_str().map(|text| self.fill(text, shard));
        let (kept, artifacts) =
            (self.path("cache"), self.path(&format!("artifacts-{}", self.night)));
        let copy = |from: &Path, to: &Path| {
            let status = Command::new("cp").arg("-rT").args([from, to]).status().unwrap();
            assert!(status.success(), "{} to {}", from.display(), to.display());
        };
        let named = |name: &str| kept.join(name.replace('/', "_"));
        match action.split('@').next().unwrap() {
            // The repository's settings: here they allow localhost.
            "actions/checkout" => copy(&self.path("scraper.toml"), &room.join("scraper.toml")),
            "actions/cache" => {}
            "actions/cache/restore" => {
                // The key, or the newest whose key begins so.
                let mut prefixes = vec![input("key").unwrap()];
                prefixes.extend(input("restore-keys"));
                let mut found: Vec<PathBuf> = fs::read_dir(&kept)
                    .into_iter()
                    .flatten()
                    .map(|entry| entry.unwrap().path())
                    .filter(|path| {
                        let name = path.file_name().unwrap().to_string_lossy().into_owned();
                        prefixes.iter().any(|key| name.starts_with(&key.replace('/', "_")))
                    })
                    .collect();
                found.sort();
                if let Some(newest) = found.last() {
                    copy(newest, &room.join(input("path").unwrap()));
                }
            }
            "actions/cache/save" => {
                fs::create_dir_all(&kept).unwrap();
                let to = named(&input("key").unwrap());
                copy(&room.join(input("path").unwrap()), &to);
            }
            "actions/upload-artifact" => {
                let to = artifacts.join(input("name").unwrap());
                fs::create_dir_all(&to).unwrap();
                for path in input("path").unwrap().lines().filter(|line| !line.is_empty()) {
                    let file = Path::new(path.trim());
                    copy(&room.join(file), &to.join(file.file_name().unwrap()));
                }
            }
            "actions/download-artifact" => {
                let to = room.join(input("path").unwrap());
                fs::create_dir_all(&to).unwrap();
                match (input("name"), input("pattern")) {
                    (Some(name), _) => copy(&artifacts.join(name), &to),
                    (None, Some(pattern)) => {
                        let prefix = pattern.strip_suffix('*').unwrap();
                        for entry in fs::read_dir(&artifacts).unwrap() {
                            let entry = entry.unwrap();
                            let name = entry.file_name().to_string_lossy().into_owned();
                            if name.starts_with(prefix) {
                                copy(&entry.path(), &to.join(name));
                            }
                        }
                    }
                    (None, None) => panic!("download of what? {with}"),
                }
            }
            other => panic!("the test does not know the action {other}"),
        }
    }
}

/// All jobs of one night; gives the sum of a field of the shards' summaries.
fn night(github: &Github<'_>, workflow: &Value) -> impl Fn(&str) -> u64 + use<> {
    github.job(workflow, "prepare", 0);
    assert_eq!(workflow["jobs"]["shard"]["needs"], "prepare");
    assert_eq!(workflow["jobs"]["merge"]["needs"], "shard");
    let shards = workflow["jobs"]["shard"]["strategy"]["matrix"]["shard"].as_array().unwrap();
    for shard in shards {
        github.job(workflow, "shard", shard.as_u64().unwrap());
    }
    github.job(workflow, "merge", 0);
    let artifacts = github.path(&format!("artifacts-{}", github.night));
    let summaries: Vec<Value> = shards
        .iter()
        .map(|shard| {
            let path = artifacts.join(format!("shard-{shard}")).join("summary.json");
            serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
        })
        .collect();
    move |field| summaries.iter().map(|summary| summary[field].as_u64().unwrap()).sum()
}

#[test]
fn its_steps_run_here_and_the_second_night_embeds_only_what_changed() {
    const N: u32 = 40;
    let workflow: Value = serde_saphyr::from_str(WORKFLOW).unwrap();
    let shop = Shop::new();
    // The release build is the business of the build job; the rest runs with this program.
    shop.write(
        "tools/cargo",
        format!(
            "#!/bin/sh\n[ \"$*\" = 'build --release -p scraper' ] || exit 9\n\
             mkdir -p target/release && cp '{}' target/release/scraper\n",
            scraper(shop.path()).get_program().to_string_lossy()
        ),
    );
    let chmod = Command::new("chmod").arg("+x").arg(shop.path().join("tools/cargo")).status();
    assert!(chmod.unwrap().success());
    let server = Server::start(|request| Reply::ok(png(number(request))));
    shop.write("feed.jsonl", feed(&server, N));

    let github = Github { shop: &shop, night: 1, endpoint: "", cached: false };
    let first = night(&github, &workflow);
    assert_eq!((first("embedded"), first("products")), (u64::from(N), u64::from(N)));
    let vectors = |night: u32| {
        let path = shop.path().join(format!("artifacts-{night}/vectors/vectors.jsonl"));
        fs::read_to_string(path).unwrap()
    };
    ran(&mut shop.command(&["run", "feed.jsonl", "--store", "alone.db"])).expect(0);
    assert_eq!(vectors(1), shop.export("alone.db"), "the shards make one store");

    // Five new products, one gone; this night with an endpoint to compare with.
    let lines = feed(&server, N + 5);
    shop.write("feed.jsonl", lines.split_inclusive('\n').skip(1).collect::<String>());
    let known: std::collections::HashMap<Vec<u8>, Value> = (0..N + 5)
        .map(|seed| {
            shop.write("one.png", png(seed));
            let args = ["embed", "one.png", "--format", "json", "--raw"];
            let out = ran(&mut shop.command(&args)).expect(0).stdout;
            let mut objects: Value = serde_json::from_slice(&out).unwrap();
            (png(seed), objects[0]["embedding"].take())
        })
        .collect();
    let endpoint = Server::start(move |request| {
        assert_eq!(request.header("authorization"), Some("Bearer hf_test"));
        Reply::ok(known[&request.body].to_string())
    });
    let github = Github { night: 2, endpoint: &endpoint.url, cached: true, ..github };
    let second = night(&github, &workflow);
    assert_eq!((second("embedded"), second("vanished")), (5, 1));
    assert_eq!(vectors(2).lines().count(), N as usize + 4);
    assert!(endpoint.requests().len() >= N as usize);
    let summary = fs::read_to_string(shop.path().join("summary-2.md")).unwrap();
    assert_eq!(summary.matches("### scraper run").count(), 4, "{summary}");
    assert!(summary.contains("The vectors are the same"), "{summary}");
}

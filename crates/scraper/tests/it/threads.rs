//! Few threads: the program does with what there is, or says that it cannot.
#![cfg(target_os = "linux")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::support::{finished, png, scraper, tiny_model};

/// A user that nothing else runs as: the limit counts all of a user's threads, and none of root's.
const USER: u32 = 61_234;

/// The program as `USER`, with at most `threads` threads.
fn limited(threads: u32, program: &Command) -> Command {
    let mut command = Command::new("setpriv");
    let id = USER + threads;
    command.args([format!("--reuid={id}"), format!("--regid={id}"), "--clear-groups".into()]);
    command.args(["prlimit", &format!("--nproc={threads}"), "--"]).arg(program.get_program());
    command.args(program.get_args()).current_dir(program.get_current_dir().unwrap());
    command.env_clear().envs(program.get_envs().filter_map(|(k, v)| Some((k, v?))));
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn few_threads_are_enough_or_said_to_be_too_few() {
    let dir = tempfile::tempdir().unwrap();
    let model = tiny_model(dir.path());
    fs::create_dir(dir.path().join("photos")).unwrap();
    for i in 0..12 {
        fs::write(dir.path().join(format!("photos/{i}.png")), png(i)).unwrap();
    }
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let probe = limited(50, scraper(dir.path()).arg("--version")).output();
    if !probe.as_ref().is_ok_and(|probe| probe.status.success()) {
        eprintln!("SKIPPED: cannot run as another user here (setpriv, prlimit, root): {probe:?}");
        return;
    }
    for threads in [1, 2, 3, 4, 5, 6, 7, 8, 9, 12] {
        for (name, args) in [
            ("run", &["run", "photos", "--store", "STORE", "--threads", "4"][..]),
            ("embed", &["embed", "photos/1.png", "--format", "jsonl"]),
        ] {
            let store = format!("s{threads}.db");
            let args = args.iter().map(|arg| if *arg == "STORE" { store.as_str() } else { arg });
            let mut program = scraper(dir.path());
            program.args(args).arg("--model").arg(&model);
            let mut child = limited(threads, &program).spawn().unwrap();
            let started = Instant::now();
            while child.try_wait().unwrap().is_none() {
                if started.elapsed() > Duration::from_secs(60) {
                    child.kill().unwrap();
                    panic!("{name} hangs with {threads} threads");
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            let ran = finished(child.wait_with_output().unwrap());
            let said = format!("{name} with {threads} threads: {}: {}", ran.code, ran.stderr);
            eprintln!("{said}");
            assert!(!ran.stderr.contains("panicked"), "{said}");
            match ran.code {
                0 => assert!(threads > 1, "{said}"),
                1 => assert!(ran.stderr.contains("ulimit -u"), "{said}"),
                _ => panic!("{said}"),
            }
            assert!(ran.code == 0 || threads < 8 && (name == "run" || threads < 3), "{said}");
        }
    }
}

//! What the program says of arguments that it cannot use. (With a test, a build of all tests has the program,
//! which `cargo xtask web` runs.)

use std::{fs, process::Command};

/// How it ended, and what it said.
fn bindgen(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_bindgen")).args(arguments).output();
    let output = output.expect("it starts");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn without_arguments_it_says_how_it_is_used() {
    let (code, said) = bindgen(&[]);
    assert_eq!(code, Some(1));
    assert!(said.contains("usage: bindgen MODULE.wasm FOLDER NAME"), "{said}");
}

#[test]
fn what_is_no_module_is_named() {
    let file = concat!(env!("CARGO_TARGET_TMPDIR"), "/none.wasm");
    fs::write(file, "no module").expect("a file");
    let (code, said) = bindgen(&[file, env!("CARGO_TARGET_TMPDIR"), "none"]);
    assert!(code == Some(1) && said.contains("none.wasm"), "{said}");
}

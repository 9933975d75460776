use super::*;

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_file_is_whole_or_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.txt");
    write(&path, b"old").unwrap();
    let mut out = Output::create(&path).unwrap();
    out.write_all(b"half").unwrap();
    out.flush().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"old");
    drop(out);
    assert_eq!(names(dir.path()), ["out.txt"]);
    write(&path, b"new").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert!(write(dir.path(), b"x").is_err(), "a folder");
}

#[test]
fn only_what_a_dead_process_left_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    for name in [".out.abcdef.part", ".other.abcdef.part", ".out.abc.part", "out.abcdef.part"] {
        fs::write(at(name), "x").unwrap();
    }
    let alive = Part::new(dir.path(), "out").unwrap();
    let second = Part::new(dir.path(), "out").unwrap();
    assert!(alive.path.exists() && second.path.exists());
    assert!(!at(".out.abcdef.part").exists());
    drop((alive, second));
    assert_eq!(names(dir.path()), [".other.abcdef.part", ".out.abc.part", "out.abcdef.part"]);
}

#[cfg(unix)]
#[test]
fn links_stay_and_permissions_too() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let dir = tempfile::tempdir().unwrap();
    let (file, link) = (dir.path().join("file"), dir.path().join("link"));
    write(&file, b"old").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    symlink("file", &link).unwrap();
    write(&link, b"new").unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read(&file).unwrap(), b"new");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    // A link to a file that is not there yet.
    symlink("later", dir.path().join("dangling")).unwrap();
    write(&dir.path().join("dangling"), b"x").unwrap();
    assert_eq!(fs::read(dir.path().join("later")).unwrap(), b"x");
}

#[cfg(unix)]
#[test]
fn one_file_has_many_names() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::create_dir(at("sub")).unwrap();
    write(&at("a"), b"x").unwrap();
    fs::hard_link(at("a"), at("hard")).unwrap();
    std::os::unix::fs::symlink(at("a"), at("soft")).unwrap();
    for name in ["a", "hard", "soft", "sub/../a"] {
        assert!(same_file(&at("a"), &at(name)), "{name}");
    }
    assert!(same_file(&at("new"), &at("sub/../new")));
    assert!(!same_file(&at("a"), &at("new")) && !same_file(&at("a"), &at("sub")));
}

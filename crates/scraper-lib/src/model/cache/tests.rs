use super::*;

/// Python looks for all files where `refs/main` leads.
#[test]
fn the_pinned_weights_are_found_under_main() {
    let dir = tempfile::tempdir().unwrap();
    let cache = RepoCache::new(dir.path(), crate::config::DEFAULT_MODEL);
    let pins = pinned(crate::config::DEFAULT_MODEL).unwrap();
    let (main, weights) = (pins[0].commit, pins.last().unwrap());
    assert_ne!(weights.commit, main);
    for pin in pins {
        create_parent(&cache.blob(pin.sha256)).unwrap();
        fs::write(cache.blob(pin.sha256), pin.name).unwrap();
        cache.link(pin.commit, pin.name, pin.sha256, false).unwrap();
    }
    cache.mark_absent(main, weights.name); // by Python, which is right
    let path = cache.snapshot(weights.commit).join(weights.name);
    cache.link_main(main, &path).unwrap();
    assert_eq!(cache.commit("main").as_deref(), Some(main));
    for pin in pins {
        let found = fs::read_to_string(cache.snapshot(main).join(pin.name)).unwrap();
        assert_eq!(found, pin.name);
    }
    assert!(!cache.no_exist(main, weights.name).exists());
    // A ref that Python has brought up to date stays.
    let newer = "1".repeat(40);
    cache.write_ref("main", &newer).unwrap();
    cache.link_main(main, &path).unwrap();
    assert_eq!(cache.commit("main"), Some(newer));
}

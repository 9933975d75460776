use super::*;

fn parse(text: &str) -> Result<Settings, String> {
    Settings::parse(text, Path::new("/etc/shop/scraper.toml")).map_err(|e| e.to_string())
}

#[test]
fn the_template_is_valid_as_it_is_and_with_all_that_is_commented_out() {
    let settings = parse(TEMPLATE).unwrap();
    assert_eq!(settings.sources.len(), 1);
    let all: String = TEMPLATE
        .lines()
        // "#name = value" is an example; "# text" is a comment.
        .map(|line| match line.strip_prefix('#') {
            Some(rest) if !rest.starts_with(' ') => format!("{rest}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let settings = parse(&all).unwrap();
    assert!(settings.sources.len() >= 6, "{}", settings.sources.len());
    assert!(settings.fetch.contact.is_some() && settings.store.is_some());
    assert!(settings.verify_before_publish.is_some());
}

#[test]
fn mistakes_are_told_with_their_place() {
    let error = parse("[fetch]\nrobot = true\n").unwrap_err();
    assert!(error.contains("robot") && error.contains("line 2"), "{error}");
    let error =
        parse("[[source]]\nname = \"a\"\nkind = \"mangento\"\nurl = \"https://x\"").unwrap_err();
    assert!(error.contains("mangento") && error.contains("shopify"), "{error}");
    let twice = "[[source]]\nname = \"a\"\npath = \"x.csv\"\n".repeat(2);
    assert!(parse(&twice).unwrap_err().contains("twice"));
    let csv = "[[source]]\nname = \"a\"\npath = \"x.csv\"\n";
    let error = parse(&format!("{csv}\ninclude = [\n\"/p/\"]\n")).unwrap_err();
    for part in ["\"a\"", "line 5", "include", "csv", "sitemap"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert!(parse(&format!("{csv}currency = \"EUR\"")).unwrap_err().contains("shopify"));
    assert!(parse(&format!("{csv}max_unpacked_gib = 2")).is_ok());
    let photos = "[[source]]\nname = \"a\"\npath = \"photos\"\nfollow_symlinks = true";
    let settings = parse(photos).unwrap();
    assert_eq!(settings.sources().next().unwrap().1.options.follow_symlinks, Some(true));
    let error = parse("[[source]]\nname = \"a\"\n").unwrap_err();
    assert!(error.contains("url") && error.contains("path"), "{error}");
    assert!(parse("[fetch]\nallow_private = \"10.0.0.0/8\"").is_err());
    let networks = parse("[fetch]\nallow_private = [\"10.0.0.0/8\"]").unwrap();
    assert!(networks.fetch.allow_private.guard().permits("10.1.1.1".parse().unwrap()));
}

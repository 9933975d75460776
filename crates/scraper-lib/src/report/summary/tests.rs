use super::*;

#[test]
fn markdown_holds_what_shops_write() {
    let mut summary = Summary { images: 3, failed: 1, ..Summary::default() };
    summary.note(FailureNote {
        product: "a|b".into(),
        image: "x.jpg".into(),
        kind: "fetch.status".into(),
        message: "<script>\n**404**".into(),
    });
    let text = summary.markdown("Run");
    assert!(text.contains("| a&#124;b | x.jpg | &lt;script&gt; &#42;&#42;404"), "{text}");
    assert!(text.contains("| 1 | `fetch.status` |"), "{text}");
    for line in text.lines().filter(|line| line.starts_with("| a")) {
        assert_eq!(line.matches('|').count(), 4, "{line}");
    }
}

#[test]
fn a_title_acts_on_nothing_and_a_password_is_not_told() {
    let mut summary = Summary { images: 1, failed: 1, ..Summary::default() };
    summary.note(FailureNote {
        product: "\u{1b}]0;pwned\u{7}\u{1b}[2J".into(),
        image: "http://me:CANARY@h/rtl\u{202e}gnp.exe".into(),
        kind: "fetch.status".into(),
        message: "x".repeat(1 << 20),
    });
    let note = summary.first_failures[0].clone();
    assert_eq!(note.image, "http://h/rtl\u{202e}gnp.exe", "data stays data");
    let json = serde_json::to_string(&summary).unwrap();
    for text in [note.to_string(), summary.markdown("Run"), json] {
        assert!(!text.contains(['\u{1b}', '\u{7}']) && !text.contains("CANARY"));
        assert!(text.len() < 8000);
    }
    assert!(!note.to_string().contains('\u{202e}'));
}

#[test]
fn exit_codes() {
    let code = |failed, interrupted, allowed: &str| {
        let summary = Summary { images: 200, failed, interrupted, ..Summary::default() };
        summary.exit_code(allowed.parse().unwrap())
    };
    assert_eq!(code(0, false, "0"), 0);
    assert_eq!(code(1, false, "0"), 2);
    assert_eq!(code(3, false, "3"), 0);
    assert_eq!(code(4, false, "2%"), 0);
    assert_eq!(code(5, false, "2%"), 2);
    assert_eq!(code(0, true, "0"), 130);
}

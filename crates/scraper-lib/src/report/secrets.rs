//! What must not be shown: user names, passwords and tokens within addresses.

use std::{borrow::Cow, sync::LazyLock};

use regex::{Captures, Regex};
use reqwest::Url;

/// Stands for a secret.
const HIDDEN: &str = "***";

/// What comes between a scheme and a host. Slips such as `https:/u:p@h` and `https//u:p@h` count too,
/// and so does an address without a scheme (`//u:p@h`). Of `user:p@ss@host` the last `@` ends it.
static USERINFO: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r#"(?i)(\b[a-z][a-z0-9+.-]*:/{1,3}|\b(?:https?|ftp|socks[0-9a-z]*)//|(?:^|[\s"'(=<,\[])//)[^\s/?\#"'<>\\]*@"#,
    )
    .ok()
});

/// The same of a database, whose password is often not escaped: up to the last `@` of the word.
static DATABASE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let pattern = r#"(?i)\b(postgres(?:ql)?(?:\+[a-z0-9]+)?(?::/{0,3}|/{1,3}))[^\s"']*@"#;
    Regex::new(pattern).ok()
});

/// `password=…` of a query, a connection string or a form.
static PASSWORDS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let names = "password|passwd|pass|pwd|pgpassword|sslpassword|client_secret|access_token|\
                 auth_token|refresh_token|id_token|api_key|apikey|api-key|secret";
    Regex::new(&format!(
        r#"(?i)(^|[^a-z0-9_-])({names})(\s*=\s*|%3d)('(?:[^'\\]|\\.)*'|[^\s&;"'<>)\\]+)"#
    ))
    .ok()
});

/// What proves that an address was handed out: whoever has it may fetch.
static SIGNATURES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let names = "x-amz-signature|x-amz-security-token|x-amz-credential|x-goog-signature|\
                 x-goog-credential|awsaccesskeyid|signature|sig|key|auth|policy|hmac|token";
    Regex::new(&format!(r#"(?i)([?&;](?:amp;)?)({names})=([^\s&;"'<>)\\]+)"#)).ok()
});

/// `Authorization: Bearer …`, and the tokens of the hub.
static TOKENS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)(\b(?:bearer|basic)\s+)[a-z0-9+/=._~-]{8,}|\b(hf_)[a-z0-9]{8,}").ok()
});

/// `text` for people, without the user names, passwords, tokens and signatures of the addresses
/// in it. The rest stays as it is.
pub fn redact(text: &str) -> Cow<'_, str> {
    let text = Cow::Borrowed(text);
    // Most texts hold none.
    let text = match text.contains('@') {
        true => {
            let text = replace(&DATABASE, text, |found| found[1].to_owned());
            replace(&USERINFO, text, |found| found[1].to_owned())
        }
        false => text,
    };
    let text = match text.contains('=') || text.contains("%3") {
        true => {
            let text = passwords(text);
            replace(&SIGNATURES, text, |found| format!("{}{}={HIDDEN}", &found[1], &found[2]))
        }
        false => text,
    };
    replace(&TOKENS, text, |found| {
        let kept = found.get(1).or(found.get(2)).map_or("", |kept| kept.as_str());
        format!("{kept}{HIDDEN}")
    })
}

/// An address as it may be published: without user name and password. A signature stays, because
/// the picture cannot be had without it.
pub fn public(address: &str) -> Cow<'_, str> {
    let bare = address.contains('@').then(|| without_user(address)).flatten();
    let address = bare.map_or(Cow::Borrowed(address), Cow::Owned);
    if address.contains('=') { passwords(address) } else { address }
}

fn without_user(address: &str) -> Option<String> {
    let mut url = Url::parse(address).ok()?;
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    Some(url.into())
}

fn passwords(text: Cow<'_, str>) -> Cow<'_, str> {
    replace(&PASSWORDS, text, |found| format!("{}{}{}{HIDDEN}", &found[1], &found[2], &found[3]))
}

fn replace<'a>(
    pattern: &LazyLock<Option<Regex>>,
    text: Cow<'a, str>,
    with: impl Fn(&Captures<'_>) -> String,
) -> Cow<'a, str> {
    let Some(pattern) = pattern.as_ref() else { return text };
    if !pattern.is_match(&text) {
        return text;
    }
    Cow::Owned(pattern.replace_all(&text, |found: &Captures<'_>| with(found)).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_patterns_are_patterns() {
        for pattern in [&USERINFO, &DATABASE, &PASSWORDS, &SIGNATURES, &TOKENS] {
            assert!(pattern.is_some());
        }
    }

    #[test]
    fn secrets_are_hidden_wherever_they_are() {
        for (text, shown) in [
            (
                "cannot connect to http://me:CANARY@h/x?a=1: no",
                "cannot connect to http://h/x?a=1: no",
            ),
            ("\"https://CANARY@h/a b\"", "\"https://h/a b\""),
            ("https:/u:CANARY@h/x", "https:/h/x"),
            ("https//u:CANARY@h/x", "https//h/x"),
            ("//u:CANARY@h/x", "//h/x"),
            ("http://u:CAN@ARY@h/x", "http://h/x"),
            ("socks5h://u:CANARY@proxy:1080", "socks5h://proxy:1080"),
            ("postgres//u:CANARY@h/db", "postgres//h/db"),
            ("postgres:/u:CANARY@h/db", "postgres:/h/db"),
            ("postgres:u:CANARY@h", "postgres:h"),
            ("https://u:CANARY@h?a", "https://h?a"),
            ("postgresql://u:CAN/A#R?Y@h/db", "postgresql://h/db"),
            ("host=h password=CANARY user=x", "host=h password=*** user=x"),
            ("password = 'CAN ARY\\' CANARY' x", "password = *** x"),
            (
                "postgres://h/db?user=x&password=CANARY&a=b",
                "postgres://h/db?user=x&password=***&a=b",
            ),
            ("http://h/x?access_token=CANARY&w=1", "http://h/x?access_token=***&w=1"),
            ("http://h/x?X-Amz-Signature=CANARY", "http://h/x?X-Amz-Signature=***"),
            ("http://h/x?w=1&amp;sig=CANARY&amp;h=2", "http://h/x?w=1&amp;sig=***&amp;h=2"),
            ("Authorization: Bearer CANARYCANARY", "Authorization: Bearer ***"),
            ("hf_CANARYCANARY is wrong", "hf_*** is wrong"),
        ] {
            assert_eq!(redact(text), shown);
            assert!(!redact(text).contains("CANARY"));
        }
    }

    #[test]
    fn other_texts_stay() {
        for text in [
            "write to mailto:you@shop.example",
            "https://h/@user/photo.jpg?v=1",
            "https://medium.com/p?x=1#a@b",
            "a key=value pair, monkey=1",
            "http://h/x?keyword=red&signed=1",
            "either/or @ home",
            "price=12 and compass=N",
        ] {
            assert_eq!(redact(text), text);
        }
        let twice = "https://h/img//photo@2x.png";
        assert_eq!(public(twice), twice);
        assert_eq!(redact(twice), twice);
        let signed = "https://h/a.jpg?sig=abc&X-Amz-Signature=d";
        assert_eq!(public(signed), signed);
        assert_eq!(
            public("https://u:p@h/a.jpg?secret=x&sig=y"),
            "https://h/a.jpg?secret=***&sig=y"
        );
    }
}

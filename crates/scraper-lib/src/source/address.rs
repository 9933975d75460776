//! Which addresses mean the same page, the same product, the same site.

use reqwest::Url;

/// Parameters that tell where a visitor came from, and nothing of the page.
const TRACKING: [&str; 19] = [
    "gclid", "gclsrc", "gbraid", "wbraid", "dclid", "fbclid", "msclkid", "mc_cid", "mc_eid",
    "srsltid", "yclid", "ysclid", "igshid", "ttclid", "twclid", "_ga", "_gl", "_hsenc", "_hsmi",
];
/// Parameters that name a choice within a product.
const CHOICES: [&str; 16] = [
    "color",
    "colour",
    "farbe",
    "couleur",
    "colore",
    "kleur",
    "farg",
    "colorcode",
    "size",
    "groesse",
    "taille",
    "talla",
    "taglia",
    "variant",
    "variation",
    "swatch",
];

/// Without the parameters that only tell where a visitor came from.
pub(super) fn without_tracking(url: Url) -> Url {
    without(&url, |name| name.starts_with("utm_") || TRACKING.contains(&name)).unwrap_or(url)
}

/// The page whose variant this is: `/p/1` of `/p/1?color=red`. `None` where the address names no
/// choice, or something else besides.
pub(super) fn without_variant(url: &Url) -> Option<Url> {
    without(url, |name| {
        // WooCommerce's are "attribute_pa_color", Salesforce's "dwvar_123_color".
        CHOICES.contains(&name) || name.starts_with("attribute_") || name.starts_with("dwvar_")
    })
}

/// The address without the parameters of which `drop` is true; `None` if there are none.
pub(super) fn without(url: &Url, drop: impl Fn(&str) -> bool) -> Option<Url> {
    let query = url.query()?;
    let name = |pair: &str| pair.split('=').next().unwrap_or_default().to_ascii_lowercase();
    // As they are written: an address that is put together anew need not be the same to a shop.
    let kept: Vec<&str> = query.split('&').filter(|pair| !drop(&name(pair))).collect();
    if kept.len() == query.split('&').count() {
        return None;
    }
    let mut url = url.clone();
    url.set_query(Some(kept.join("&").as_str()).filter(|query| !query.is_empty()));
    Some(url)
}

/// Whether two hosts are of one site: the same, or one is below the other, "www." aside.
pub(super) fn same_site(a: &Url, b: &Url) -> bool {
    let host = |url: &Url| {
        let host = url.host_str().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
        host.strip_prefix("www.").map(str::to_owned).unwrap_or(host)
    };
    let (a, b) = (host(a), host(b));
    let below = |low: &str, high: &str| {
        // "co.uk" is no site, nor is "shop".
        high.contains('.') && low.strip_suffix(high).is_some_and(|rest| rest.ends_with('.'))
    };
    a == b || below(&a, &b) || below(&b, &a)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn tracking_is_dropped_and_the_rest_stays_as_written() {
        let clean = |text: &str| String::from(without_tracking(url(text)));
        assert_eq!(clean("https://s.example/p?utm_source=x&UTM_Medium=y"), "https://s.example/p");
        assert_eq!(
            clean("https://s.example/p?id=a%20b+c&gclid=1&x"),
            "https://s.example/p?id=a%20b+c&x"
        );
        for same in ["https://s.example/p", "https://s.example/p?", "https://s.example/p?ref=utm_x"]
        {
            assert_eq!(clean(same), same);
        }
    }

    #[test]
    fn choices_belong_to_their_page() {
        let page = |text: &str| without_variant(&url(text)).map(String::from);
        assert_eq!(page("https://s.example/p?color=red"), Some("https://s.example/p".into()));
        assert_eq!(
            page("https://s.example/p?id=3&Size=M"),
            Some("https://s.example/p?id=3".into())
        );
        assert_eq!(
            page("https://s.example/p?attribute_pa_farbe=rot&dwvar_1_size=2"),
            Some("https://s.example/p".into())
        );
        assert_eq!(page("https://s.example/p?id=3"), None);
        assert_eq!(page("https://s.example/p"), None);
    }

    #[test]
    fn sites() {
        let same = |a: &str, b: &str| {
            same_site(&url(&format!("https://{a}/")), &url(&format!("http://{b}:81/")))
        };
        for (a, b) in [
            ("shop.example", "www.shop.example"),
            ("WWW.shop.example", "de.shop.example"),
            ("a.b.shop.example", "shop.example"),
            ("127.0.0.1", "127.0.0.1"),
            ("localhost", "localhost"),
        ] {
            assert!(same(a, b) && same(b, a), "{a} {b}");
        }
        for (a, b) in [
            ("shop.example", "other.example"),
            ("shop.example", "myshop.example"),
            ("shop.example", "shop.example.evil.example"),
            ("example", "shop.example"),
        ] {
            assert!(!same(a, b) && !same(b, a), "{a} {b}");
        }
    }
}

//! `robots.txt`: what a shop lets programs read (RFC 9309), and how fast.

use std::time::Duration;

/// No more of the file is read (RFC 9309, 2.5: at least 500 KiB).
pub(super) const LIMIT: u64 = 512 << 10;
/// A longer Crawl-delay is cut to this.
const LONGEST_DELAY: f64 = 300.0;

/// The rules of one file for one program.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Robots {
    /// Pattern, normalised, and whether it allows.
    rules: Vec<(String, bool)>,
    /// The wish that requests be so far apart. Not in the RFC, but widely meant and understood.
    pub crawl_delay: Option<Duration>,
    /// Addresses of sitemaps, which are for every program.
    pub sitemaps: Vec<String>,
}

/// Rules that follow one or more `User-agent` lines.
#[derive(Default)]
struct Group {
    agents: Vec<String>,
    rules: Vec<(String, bool)>,
    delay: Option<Duration>,
}

impl Robots {
    /// Reads what `text` says to the program with this product token ("clip-scraper"): all groups
    /// that name it, else those for `*`. Lines that are not understood are skipped.
    pub fn parse(text: &[u8], token: &str) -> Self {
        let text = String::from_utf8_lossy(text);
        let mut robots = Robots::default();
        let mut groups: Vec<Group> = Vec::new();
        let mut in_agents = false;
        for line in text.trim_start_matches('\u{feff}').split(['\n', '\r']) {
            let line = line.split_once('#').map_or(line, |(before, _)| before);
            let Some((key, value)) = line.split_once(':') else { continue };
            let (key, value) = (key.trim().to_ascii_lowercase(), value.trim());
            match (key.as_str(), groups.last_mut()) {
                // Two frequent slips, as Google's parser reads them too.
                ("user-agent" | "useragent" | "user agent", group) => {
                    let name = product_token(value);
                    match group {
                        Some(group) if in_agents => group.agents.push(name),
                        _ => groups.push(Group { agents: vec![name], ..Group::default() }),
                    }
                    in_agents = true;
                }
                ("sitemap", _) => robots.sitemaps.push(value.to_owned()),
                ("allow" | "disallow", Some(group)) => {
                    in_agents = false;
                    // An empty pattern matches nothing (2.2.2).
                    if !value.is_empty() {
                        group.rules.push((normalise(value), key == "allow"));
                    }
                }
                ("crawl-delay", Some(group)) => {
                    in_agents = false;
                    let seconds = value.parse().ok().filter(|s: &f64| s.is_finite() && *s >= 0.0);
                    group.delay =
                        group.delay.or(seconds
                            .map(|seconds| Duration::from_secs_f64(seconds.min(LONGEST_DELAY))));
                }
                _ => {}
            }
        }
        let token = token.to_ascii_lowercase();
        let named = |name: &str| groups.iter().any(|g| g.agents.iter().any(|agent| agent == name));
        let agent = if named(&token) { token.as_str() } else { "*" };
        for group in groups.into_iter().filter(|g| g.agents.iter().any(|a| a == agent)) {
            robots.rules.extend(group.rules);
            robots.crawl_delay = robots.crawl_delay.or(group.delay);
        }
        robots
    }

    /// Whether path and query of an address may be fetched: the longest matching pattern decides,
    /// and `allow` wins among equals (2.2.2).
    pub fn allows(&self, path_and_query: &str) -> bool {
        let path = normalise(path_and_query);
        if path == "/robots.txt" {
            return true;
        }
        let best = self
            .rules
            .iter()
            .filter(|(pattern, _)| matches(pattern, &path))
            .max_by_key(|(pattern, allow)| (pattern.len(), *allow));
        best.is_none_or(|(_, allow)| *allow)
    }
}

/// "Clip-Scraper/1.0" is "clip-scraper" (2.2.1). The star is every program's only where it stands
/// alone: in "*BadBot*" it is meant as a pattern, which the RFC does not know, and names nobody.
fn product_token(value: &str) -> String {
    if value.split_whitespace().next() == Some("*") {
        return "*".to_owned();
    }
    let end = value.find(|c: char| !(c.is_ascii_alphabetic() || matches!(c, '-' | '_')));
    value.get(..end.unwrap_or(value.len())).unwrap_or_default().to_ascii_lowercase()
}

/// One spelling for all that mean the same octets: escapes in upper case, none for unreserved
/// characters, and one for each octet outside ASCII.
fn normalise(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = |i: usize| bytes.get(i).and_then(|b| char::from(*b).to_digit(16));
        let (octet, escaped, width) = match (byte, hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => ((high * 16 + low) as u8, true, 3),
            _ => (byte, false, 1),
        };
        let unreserved = octet.is_ascii_alphanumeric() || b"-._~".contains(&octet);
        if unreserved || (!escaped && octet.is_ascii_graphic()) {
            out.push(char::from(octet));
        } else {
            out.push_str(&format!("%{octet:02X}"));
        }
        at += width;
    }
    out
}

/// `*` stands for any run of characters, `$` at the end of the pattern for the end of the path.
/// Takes time proportional to both lengths: the parts between stars are found from left to right.
fn matches(pattern: &str, path: &str) -> bool {
    let (pattern, anchored) = match pattern.strip_suffix('$') {
        Some(pattern) => (pattern, true),
        None => (pattern, false),
    };
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = path.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return !anchored || rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if anchored && parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn robots(text: &str) -> Robots {
        Robots::parse(text.as_bytes(), "clip-scraper")
    }

    #[test]
    fn the_group_that_names_the_program_wins_over_the_star() {
        let text = "User-agent: *\nDisallow: /\n\nUser-agent: other\nUser-agent: Clip-Scraper/2.0\n\
            Disallow: /private # not this\nCrawl-delay: 2.5\n\nSitemap: https://shop/s.xml\n\
            User-agent: clip-scraper\nAllow: /private/open\n";
        let r = robots(text);
        assert!(r.allows("/products/1") && r.allows("/private/open/1") && !r.allows("/private/1"));
        assert_eq!(r.crawl_delay, Some(Duration::from_millis(2500)));
        assert_eq!(r.sitemaps, ["https://shop/s.xml"]);
        let star = Robots::parse(text.as_bytes(), "somebody");
        assert!(!star.allows("/products/1") && star.allows("/robots.txt"));
        assert!(robots("User-agent: clip-scraper-news\nDisallow: /").allows("/"), "another name");
    }

    #[test]
    fn the_star_is_everybody_only_where_it_stands_alone() {
        for agent in
            ["*BadBot*", "*bot", "**", "*/1.0", "*.example", "clip*", "Bad*Bot", "*-", "'*'"]
        {
            let r = robots(&format!(
                "User-agent: {agent}\nDisallow: /\n\nUser-agent: *\nDisallow: /cart"
            ));
            assert!(r.allows("/p/1") && !r.allows("/cart"), "{agent}");
            let alone = robots(&format!("User-agent: {agent}\nDisallow: /"));
            assert!(alone.allows("/p/1"), "{agent}");
        }
        for agent in ["*", " * ", "* # all", "* (everybody)", "\t*\r"] {
            assert!(!robots(&format!("User-agent:{agent}\nDisallow: /")).allows("/p"), "{agent:?}");
        }
        // One group of several names: the pattern does not keep the others from being meant.
        let shared = robots("User-agent: *BadBot*\nUser-agent: *\nDisallow: /cart");
        assert!(!shared.allows("/cart") && shared.allows("/p"));
        assert!(!robots("Useragent: *\nDisallow: /").allows("/p"));
    }

    #[test]
    fn longest_pattern_decides_and_allow_wins_among_equals() {
        let r = robots(
            "User-agent: *\nDisallow: /a\nAllow: /a/b\nDisallow: /a/b/c\nDisallow: /x\nAllow: /x",
        );
        for (path, allowed) in [
            ("/", true),
            ("/a", false),
            ("/ab", false),
            ("/a/b", true),
            ("/a/b/c", false),
            ("/x", true),
        ] {
            assert_eq!(r.allows(path), allowed, "{path}");
        }
    }

    #[test]
    fn wildcards_and_anchors() {
        let r = robots(
            "User-agent: *\nDisallow: /*.gif$\nDisallow: /p*/b\nDisallow: /*?sort=\nDisallow: /exact$\nDisallow: /a**z$",
        );
        for (path, allowed) in [
            ("/x/y.gif", false),
            ("/x/y.gif?v=1", true),
            ("/path/b/c", false),
            ("/path/c", true),
            ("/list?sort=up", false),
            ("/exact", false),
            ("/exact/", true),
            ("/abcz", false),
            ("/az", false),
            ("/abcy", true),
        ] {
            assert_eq!(r.allows(path), allowed, "{path}");
        }
    }

    #[test]
    fn the_same_octets_are_the_same_path() {
        let r = robots(
            "User-agent: *\nDisallow: /%7Ejoe\nDisallow: /b%c3%a4r\nDisallow: /k\u{e4}se\nDisallow: /a%2Fb",
        );
        assert!(!r.allows("/~joe") && !r.allows("/b\u{e4}r") && !r.allows("/k%C3%A4se"));
        assert!(r.allows("/a/b") && !r.allows("/a%2fb"), "an escaped slash is no slash");
    }

    #[test]
    fn what_is_empty_or_nonsense_forbids_nothing() {
        for text in [
            "",
            "Disallow: /",
            "User-agent: *\nDisallow:",
            "\u{feff}User-agent:*\nDisallow /",
            "<html>\n: \n",
        ] {
            assert!(robots(text).allows("/a"), "{text:?}");
        }
        assert!(!robots("\u{feff}user-AGENT : *\r\ndisALLOW:/a\r").allows("/a"));
        assert_eq!(robots("User-agent: *\nCrawl-delay: 1e99").crawl_delay.unwrap().as_secs(), 300);
        assert_eq!(robots("User-agent: *\nCrawl-delay: NaN").crawl_delay, None);
        assert!(robots(&"*".repeat(10_000)).allows(&"a".repeat(10_000)));
    }
}

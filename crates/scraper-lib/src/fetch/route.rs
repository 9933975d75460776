//! Whether a request goes through a proxy, decided before it is made, because the guard treats the
//! two ways differently: only a connection *to* a proxy may lead into a private network, never a
//! request *for* the proxy's own name (`NO_PROXY` may well list it).

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::Url;

/// What `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` say.
#[derive(Debug)]
pub(super) struct Routes {
    matcher: Matcher,
    /// Hosts of the proxies.
    proxies: Vec<String>,
}

impl Routes {
    /// Of this process's environment, read as reqwest's own clients read it.
    pub(super) fn from_env() -> Self {
        Self::new(Matcher::from_system())
    }

    fn new(matcher: Matcher) -> Self {
        // A host that NO_PROXY does not mention: no name ends so (RFC 2606).
        let proxies = ["http", "https"].into_iter().filter_map(|scheme| {
            let uri = format!("{scheme}://proxied.invalid/").parse().ok()?;
            let proxy = matcher.intercept(&uri)?;
            Some(proxy.uri().host()?.trim_matches(['[', ']']).to_ascii_lowercase())
        });
        let mut proxies: Vec<String> = proxies.collect();
        proxies.dedup();
        Routes { matcher, proxies }
    }

    /// Hosts of the proxies, as the resolver is asked for them.
    pub(super) fn proxies(&self) -> &[String] {
        &self.proxies
    }

    /// Whether `url` is fetched through a proxy. The proxies' own hosts are not: a proxy that is asked
    /// for itself would answer from its private side.
    pub(super) fn proxied(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']', '.']);
        if self.proxies.iter().any(|proxy| proxy.trim_matches('.').eq_ignore_ascii_case(host)) {
            return false;
        }
        url.as_str().parse().is_ok_and(|uri| self.matcher.intercept(&uri).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_is_known_before_the_request() {
        let matcher = Matcher::builder().all("http://user:secret@Proxy.corp:3128");
        let routes = Routes::new(matcher.no("proxy.corp, direct.example, 10.0.0.0/8").build());
        assert_eq!(routes.proxies(), ["proxy.corp"]);
        let proxied = |url: &str| routes.proxied(&Url::parse(url).unwrap());
        assert!(proxied("http://shop.example/a") && proxied("https://shop.example:8443/a"));
        for direct in [
            "http://direct.example/",
            "https://www.direct.example/",
            "http://10.1.2.3/",
            "http://proxy.corp/",
            "https://PROXY.corp:9999/admin",
            "http://proxy.corp./",
        ] {
            assert!(!proxied(direct), "{direct}");
        }
        // Without NO_PROXY the proxy's own name is not asked of the proxy either.
        let routes = Routes::new(Matcher::builder().http("http://10.0.0.9:3128").build());
        let proxied = |url: &str| routes.proxied(&Url::parse(url).unwrap());
        assert!(!proxied("http://10.0.0.9/") && proxied("http://a.example/"));
        assert!(!proxied("https://a.example/"), "HTTP_PROXY is for http");
    }
}

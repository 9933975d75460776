//! Which addresses may be connected to: public ones, unless more is allowed.
//!
//! A feed is foreign input, and an address in it may point into the network that the scraper runs
//! in (server-side request forgery). Names are therefore checked after they are resolved, by the
//! resolver that the connection itself uses, so that a name that changes its address between a
//! check and the connection (DNS rebinding) gains nothing; literal addresses are checked before
//! every request, redirects included. Behind a proxy the proxy resolves names: then only literal
//! addresses can be checked here.

use std::{
    collections::HashSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use ipnet::IpNet;
use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};

/// Addresses that may be connected to.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    any: bool,
    allowed: Vec<IpNet>,
}

impl Guard {
    /// Only addresses of the public internet.
    pub fn public() -> Self {
        Guard::default()
    }

    /// Every address.
    pub fn any() -> Self {
        Guard { any: true, allowed: Vec::new() }
    }

    /// Public addresses, and those of `networks`.
    pub fn with(networks: Vec<IpNet>) -> Self {
        Guard { any: false, allowed: networks }
    }

    pub fn permits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.any || is_public(address) || self.allowed.iter().any(|net| net.contains(&address))
    }

    /// The host of `url`, if it is an address that is refused.
    pub(super) fn refused(&self, url: &Url) -> Option<Refused> {
        let address = match url.host()? {
            url::Host::Ipv4(address) => IpAddr::V4(address),
            url::Host::Ipv6(address) => IpAddr::V6(address),
            url::Host::Domain(_) => return None,
        };
        (!self.permits(address)).then_some(Refused { address })
    }
}

/// Whether packets to `address` leave for the public internet
/// (<https://www.iana.org/assignments/iana-ipv4-special-registry>, and the same for IPv6).
/// Multicast is not public; IPv6 addresses that carry an IPv4 address are judged by that.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !matches!(
        (a, b, c),
        (0 | 10 | 127, _, _)        // this network, private, loopback
            | (100, 64..=127, _)    // carrier-grade NAT
            | (169, 254, _)         // link-local, with the metadata services of clouds
            | (172, 16..=31, _)     // private
            | (192, 0, 0 | 2)       // protocol assignments, documentation
            | (192, 88, 99)         // 6to4 relays
            | (192, 168, _)         // private
            | (198, 18 | 19, _)     // benchmarks
            | (198, 51, 100)        // documentation
            | (203, 0, 113)         // documentation
            | (224..=255, _, _) // multicast, reserved, broadcast
    )
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match (a, b) {
        (0, 0) if (c, d, e) == (0, 0, 0) && matches!(f, 0 | 0xffff) => v4(g, h), // mapped, compatible
        (0x64, 0xff9b) if (c, d, e, f) == (0, 0, 0, 0) => v4(g, h),              // NAT64
        (0x2002, _) => v4(b, c),                                                 // 6to4
        (0x2001, 0..=0x1ff) => false, // protocol assignments, Teredo
        (0x2001, 0xdb8) => false,     // documentation
        (0x3fff, 0..=0xfff) => false, // documentation
        _ => (0x2000..=0x3fff).contains(&a), // what is assigned; not fc00::/7, fe80::/10, ff00::/8
    }
}

/// Why a connection was not made.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{address} is not a public address")]
pub(super) struct Refused {
    pub(super) address: IpAddr,
}

/// Resolves names and leaves out the addresses that the guard refuses.
pub(super) struct GuardedResolver {
    guard: Guard,
    inner: Arc<dyn Resolve>,
    /// Of the environment's proxies: whoever set them may have them in a private network.
    proxies: HashSet<String>,
}

impl GuardedResolver {
    pub(super) fn new(guard: Guard, inner: Option<Arc<dyn Resolve>>) -> Self {
        let inner = inner.unwrap_or_else(|| Arc::new(SystemResolver));
        GuardedResolver { guard, inner, proxies: proxies(|name| std::env::var(name).ok()) }
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let exempt = self.proxies.contains(name.as_str());
        let guard = self.guard.clone();
        let resolving = self.inner.resolve(name);
        Box::pin(async move {
            let found: Vec<SocketAddr> = resolving.await?.collect();
            let allowed = |address: &SocketAddr| exempt || guard.permits(address.ip());
            let good: Vec<SocketAddr> = found.iter().copied().filter(allowed).collect();
            match (good.is_empty(), found.first()) {
                (true, Some(first)) => Err(Refused { address: first.ip() }.into()),
                _ => Ok(Box::new(good.into_iter()) as Addrs),
            }
        })
    }
}

struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Host names of the proxies that the environment names.
fn proxies(variable: impl Fn(&str) -> Option<String>) -> HashSet<String> {
    ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"]
        .iter()
        .flat_map(|name| [variable(name), variable(&name.to_ascii_lowercase())])
        .flatten()
        .filter_map(|proxy| {
            let url = match proxy.contains("://") {
                true => Url::parse(&proxy),
                false => Url::parse(&format!("http://{proxy}")),
            };
            url.ok()?.host_str().map(str::to_owned)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_pass() {
        let public = ["1.1.1.1", "8.8.8.8", "100.63.0.1", "172.32.0.1", "2606:4700::1111"];
        let mapped = ["::ffff:1.1.1.1", "64:ff9b::8.8.8.8", "2002:0808:0808::1"];
        for text in public.iter().chain(&mapped) {
            assert!(Guard::public().permits(text.parse().unwrap()), "{text}");
        }
        let refused = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.8.8.8",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:0001::1",
            "3fff::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ];
        for text in refused {
            assert!(!Guard::public().permits(text.parse().unwrap()), "{text}");
            assert!(Guard::any().permits(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn networks_can_be_allowed_one_by_one() {
        let guard = Guard::with(vec!["10.1.0.0/16".parse().unwrap()]);
        assert!(guard.permits("10.1.2.3".parse().unwrap()));
        assert!(guard.permits("::ffff:10.1.2.3".parse().unwrap()), "the same in IPv6's clothes");
        assert!(!guard.permits("10.2.2.3".parse().unwrap()));
    }

    #[test]
    fn addresses_in_urls_are_seen_in_every_spelling() {
        let guard = Guard::public();
        for url in ["http://127.1/", "http://2130706433/", "http://0x7f.0.0.1/", "http://[::1]/"] {
            assert!(guard.refused(&Url::parse(url).unwrap()).is_some(), "{url}");
        }
        assert!(
            guard.refused(&Url::parse("http://localhost/").unwrap()).is_none(),
            "resolved later"
        );
    }

    #[test]
    fn proxies_come_from_the_environment() {
        let vars = |name: &str| match name {
            "https_proxy" => Some("http://user:secret@proxy.corp:3128".to_owned()),
            "ALL_PROXY" => Some("gate.corp:8080".to_owned()),
            _ => None,
        };
        let found = proxies(vars);
        assert!(found.contains("proxy.corp") && found.contains("gate.corp"), "{found:?}");
    }
}

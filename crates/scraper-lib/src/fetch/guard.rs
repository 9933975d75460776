//! Which addresses may be connected to: public ones, unless more is allowed.
//!
//! A feed is foreign input, and an address in it may point into the network that the scraper runs
//! in (server-side request forgery). Names are therefore checked after they are resolved, by the
//! resolver that the connection itself uses, so that a name that changes its address between a
//! check and the connection (DNS rebinding) gains nothing; literal addresses are checked before
//! every request, redirects included. Behind a proxy the proxy resolves names: then only literal
//! addresses, and names that mean the proxy's own machine, can be checked here ([`super::route`]).
//!
//! The metadata services of clouds hand out credentials to whoever asks from inside. They are refused
//! even where all private addresses are allowed.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, LazyLock},
};

use ipnet::IpNet;
use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};

use super::FetchError;

/// Where clouds have their metadata services.
static METADATA: LazyLock<Vec<IpNet>> = LazyLock::new(|| {
    const V4: [(Ipv4Addr, u8); 4] = [
        (Ipv4Addr::new(169, 254, 0, 0), 16), // link-local: AWS, Azure, Google, Oracle, OpenStack …
        (Ipv4Addr::new(168, 63, 129, 16), 32), // Azure's wire server, in public space
        (Ipv4Addr::new(100, 100, 100, 200), 32), // Alibaba
        (Ipv4Addr::new(192, 0, 0, 192), 32), // Oracle, older
    ];
    const V6: [Ipv6Addr; 4] = [
        Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), // AWS
        Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),  // Google
        Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42),   // Scaleway
        Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe), // OpenStack
    ];
    let v4 = V4.iter().filter_map(|(ip, length)| IpNet::new((*ip).into(), *length).ok());
    v4.chain(V6.iter().map(|ip| IpAddr::V6(*ip).into())).collect()
});

/// Names of metadata services: a proxy would resolve them.
const METADATA_NAMES: [&str; 9] = [
    "metadata",
    "metadata.google.internal",
    "metadata.goog",
    "instance-data",
    "instance-data.ec2.internal",
    "metadata.azure.internal",
    "metadata.tencentyun.com",
    "metadata.packet.net",
    "metadata.platformequinix.com",
];

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

    /// Every address but those of metadata services.
    pub fn any() -> Self {
        Guard { any: true, allowed: Vec::new() }
    }

    /// Public addresses, and those of `networks`. A metadata service is allowed only by a network that
    /// holds nothing else (169.254.169.254/32), not by one that happens to include it.
    pub fn with(networks: Vec<IpNet>) -> Self {
        Guard { any: false, allowed: networks }
    }

    /// Whether this address may be connected to.
    pub fn permits(&self, address: IpAddr) -> bool {
        self.check(address).is_ok()
    }

    fn check(&self, address: IpAddr) -> Result<(), Refused> {
        let address = address.to_canonical();
        let carried = match address {
            IpAddr::V6(v6) => carried_v4(v6).map(IpAddr::V4),
            IpAddr::V4(_) => None,
        };
        // A translator on the way would bring the packet to the address within.
        let mut all = [address].into_iter().chain(carried);
        if all.any(|address| !self.permits_metadata(address)) {
            return Err(Refused::Metadata(address.to_string()));
        }
        let allowed = || self.allowed.iter().any(|net| net.contains(&address));
        match self.any || is_public(address) || allowed() {
            true => Ok(()),
            false => Err(Refused::Private(address)),
        }
    }

    /// Whether `address` is of no metadata service, or of one that is allowed by name.
    fn permits_metadata(&self, address: IpAddr) -> bool {
        let mut services = METADATA.iter().filter(|service| service.contains(&address));
        services.all(|service| {
            self.allowed.iter().any(|net| net.contains(&address) && service.contains(net))
        })
    }

    /// Why the host of `url` is refused, as far as its text tells. `proxied`: a proxy resolves it.
    pub(super) fn refused(&self, url: &Url, proxied: bool) -> Option<Refused> {
        let name = match url.host()? {
            url::Host::Ipv4(address) => return self.check(address.into()).err(),
            url::Host::Ipv6(address) => return self.check(address.into()).err(),
            url::Host::Domain(name) => name.trim_end_matches('.').to_ascii_lowercase(),
        };
        if METADATA_NAMES.contains(&name.as_str()) {
            let service = IpAddr::from([169, 254, 169, 254]);
            return (!self.permits_metadata(service)).then_some(Refused::Metadata(name));
        }
        // To a proxy, this is itself (RFC 6761, section 6.3).
        let own = name == "localhost" || name.ends_with(".localhost");
        (own && proxied).then(|| self.check(Ipv4Addr::LOCALHOST.into()).err())?
    }
}

/// The IPv4 address that an IPv6 address carries: NAT64, 6to4, compatible. Mapped ones are IPv4 already.
fn carried_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Some(Ipv4Addr::new(a, b, c, d))
    };
    match (a, b) {
        (0, 0) if (c, d, e, f) == (0, 0, 0, 0) => v4(g, h),
        (0x64, 0xff9b) => v4(g, h),
        (0x2002, _) => v4(b, c),
        _ => None,
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
    ) && address != Ipv4Addr::new(168, 63, 129, 16) // Azure's wire server
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
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(super) enum Refused {
    #[error("{0} is not a public address")]
    Private(IpAddr),
    /// The address or name.
    #[error("{0} is the metadata service of a cloud")]
    Metadata(String),
}

impl Refused {
    pub(super) fn of(self, url: String) -> FetchError {
        match self {
            Refused::Private(address) => FetchError::Private { url, address },
            Refused::Metadata(host) => FetchError::Metadata { url, host },
        }
    }
}

/// Resolves names and leaves out the addresses that the guard refuses.
pub(super) struct GuardedResolver {
    guard: Guard,
    inner: Arc<dyn Resolve>,
    /// Of the environment's proxies, where this resolver is asked only for connections to them:
    /// whoever set them may have them in a private network.
    exempt: Vec<String>,
}

impl GuardedResolver {
    pub(super) fn new(guard: Guard, inner: Option<Arc<dyn Resolve>>, exempt: Vec<String>) -> Self {
        let inner = inner.unwrap_or_else(|| Arc::new(SystemResolver));
        GuardedResolver { guard, inner, exempt }
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let exempt = self.exempt.iter().any(|proxy| proxy.eq_ignore_ascii_case(name.as_str()));
        let guard = self.guard.clone();
        let resolving = self.inner.resolve(name);
        Box::pin(async move {
            let (mut good, mut refused) = (Vec::<SocketAddr>::new(), None);
            for address in resolving.await? {
                match guard.check(address.ip()) {
                    Err(why) if !exempt => refused = refused.or(Some(why)),
                    _ => good.push(address),
                }
            }
            match refused {
                Some(why) if good.is_empty() => Err(why.into()),
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

#[cfg(test)]
mod tests;

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
        "168.63.129.16",
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
        let metadata = text.contains("169.254") || text == "168.63.129.16";
        assert_eq!(Guard::any().permits(text.parse().unwrap()), !metadata, "{text}");
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
        assert!(guard.refused(&Url::parse(url).unwrap(), false).is_some(), "{url}");
    }
    assert!(
        guard.refused(&Url::parse("http://localhost/").unwrap(), false).is_none(),
        "resolved later"
    );
}

#[test]
fn metadata_services_are_refused_unless_they_are_named() {
    let networks = |list: &[&str]| Guard::with(list.iter().map(|n| n.parse().unwrap()).collect());
    let wide = networks(&["0.0.0.0/0", "::/0", "168.63.0.0/16", "fd00::/8"]);
    for (text, own) in [
        ("169.254.169.254", "169.254.169.254/32"),
        ("169.254.170.2", "169.254.170.0/23"),
        ("168.63.129.16", "168.63.129.16/32"),
        ("100.100.100.200", "100.100.100.200/32"),
        ("192.0.0.192", "192.0.0.192/32"),
        ("fd00:ec2::254", "fd00:ec2::254/128"),
        ("fd20:ce::254", "fd20:ce::254/128"),
        ("fd00:42::42", "fd00:42::42/128"),
        ("fe80::a9fe:a9fe", "fe80::a9fe:a9fe/128"),
        ("::ffff:169.254.169.254", "169.254.169.254/32"),
    ] {
        let address: IpAddr = text.parse().unwrap();
        for guard in [Guard::public(), Guard::any(), wide.clone()] {
            assert!(!guard.permits(address), "{text}");
        }
        assert!(networks(&[own]).permits(address), "{text}");
    }
    for text in ["64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "64:ff9b::168.63.129.16"] {
        assert!(!Guard::any().permits(text.parse().unwrap()), "{text}: carried to IPv4");
    }
    for text in ["10.0.0.1", "fd00:ec2::253", "168.63.129.17", "100.100.100.201", "127.0.0.1"] {
        assert!(Guard::any().permits(text.parse().unwrap()), "{text}");
    }
    let named = networks(&["169.254.169.254/32"]);
    for url in ["http://metadata.google.internal/", "http://METADATA.google.internal./x"] {
        let url = Url::parse(url).unwrap();
        for proxied in [false, true] {
            let refused = Guard::any().refused(&url, proxied);
            assert!(matches!(refused, Some(Refused::Metadata(_))), "{url}");
            assert_eq!(named.refused(&url, proxied), None, "{url}");
        }
    }
}

#[test]
fn a_proxy_is_not_sent_to_itself() {
    let local = |guard: Guard, proxied| {
        let refused = |url| guard.refused(&Url::parse(url).unwrap(), proxied);
        ["http://localhost/", "http://a.localhost:8080/", "http://localhost./"].map(refused)
    };
    let refused = || Some(Refused::Private(Ipv4Addr::LOCALHOST.into()));
    assert_eq!(local(Guard::public(), true), [refused(), refused(), refused()]);
    assert_eq!(local(Guard::public(), false), [None, None, None], "the resolver sees it");
    assert_eq!(local(Guard::any(), true), [None, None, None]);
}

/// Answers every question with one private address.
struct Private;

impl Resolve for Private {
    fn resolve(&self, _: Name) -> Resolving {
        let address = SocketAddr::from(([10, 0, 0, 1], 0));
        Box::pin(async move { Ok(Box::new([address].into_iter()) as Addrs) })
    }
}

#[tokio::test]
async fn only_connections_to_the_proxy_are_exempt() {
    let resolver = |exempt: &[&str]| {
        let exempt = exempt.iter().map(|name| (*name).to_owned()).collect();
        GuardedResolver::new(Guard::public(), Some(Arc::new(Private)), exempt)
    };
    let name = |text: &str| text.parse::<Name>().unwrap();
    assert!(resolver(&["proxy.corp"]).resolve(name("Proxy.corp")).await.is_ok());
    assert!(resolver(&["proxy.corp"]).resolve(name("other.corp")).await.is_err());
    assert!(resolver(&[]).resolve(name("proxy.corp")).await.is_err(), "the direct way");
}

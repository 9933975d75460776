use super::*;

fn read(text: &str) -> Result<Entries, String> {
    read_bytes(text.as_bytes())
}

fn read_bytes(bytes: &[u8]) -> Result<Entries, String> {
    super::read(bytes, None, &Url::parse("https://shop.example/maps/s.xml").unwrap())
}

fn locs(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.loc.as_str()).collect()
}

#[test]
fn pages_with_dates_and_images() {
    let found = read(
        "\u{feff}<?xml version='1.0'?><urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9' \
         xmlns:image='http://www.google.com/schemas/sitemap-image/1.1'>\
         <url><loc> https://shop.example/p/1?a=1&amp;b=2 </loc><lastmod>2026-01-02</lastmod>\
         <image:image><image:loc>https://cdn/1.jpg</image:loc><image:title>x</image:title></image:image>\
         <image:image><image:loc>https://cdn/1.jpg</image:loc></image:image></url>\
         <url><loc><![CDATA[\n /p/2 ]]></loc></url><url><priority>1</priority></url></urlset>",
    )
    .unwrap();
    assert_eq!(locs(&found.pages), ["https://shop.example/p/1?a=1&b=2", "/p/2"]);
    assert_eq!(found.pages[0].lastmod.as_deref(), Some("2026-01-02"));
    assert_eq!(found.pages[0].images, ["https://cdn/1.jpg"]);
    assert_eq!(found.pages[1], Entry { loc: "/p/2".into(), ..Entry::default() });
    assert_eq!((found.sitemaps.len(), found.broken), (0, None));
}

#[test]
fn prefixes_and_case_do_not_matter() {
    let found = read(
        "<ns0:urlset xmlns:ns0='x' xmlns:i='y'><ns0:url><ns0:loc>/1</ns0:loc>\
         <i:image><i:loc>/1.jpg</i:loc></i:image></ns0:url></ns0:urlset>",
    )
    .unwrap();
    assert_eq!(
        (locs(&found.pages), &found.pages[0].images[..]),
        (vec!["/1"], &["/1.jpg".into()][..])
    );
    let found =
        read("<URLSET><Url><LOC>/1</LOC><Image><Loc>/1.jpg</Loc></Image></Url></URLSET>").unwrap();
    assert_eq!(
        (locs(&found.pages), &found.pages[0].images[..]),
        (vec!["/1"], &["/1.jpg".into()][..])
    );
    // An image that lies in no `image:image` is no page.
    let found =
        read("<urlset><url><loc>/1</loc><image:loc>/1.jpg</image:loc></url></urlset>").unwrap();
    assert_eq!(
        (locs(&found.pages), &found.pages[0].images[..]),
        (vec!["/1"], &["/1.jpg".into()][..])
    );
}

#[test]
fn lists_and_indexes_may_be_mixed() {
    let found = read(
        "<sitemapindex><sitemap><loc>a.xml.gz</loc></sitemap><url><loc>/p/1</loc></url></sitemapindex>",
    )
    .unwrap();
    assert_eq!((locs(&found.sitemaps), locs(&found.pages)), (vec!["a.xml.gz"], vec!["/p/1"]));
    let found = read(
        "<urlset><url><loc>/p/1</loc></url><sitemap><loc>/b</loc></sitemap>\
         <url><loc>https://shop.example/product-sitemap2.xml?x</loc></url></urlset>",
    )
    .unwrap();
    assert_eq!(locs(&found.sitemaps), ["/b", "https://shop.example/product-sitemap2.xml?x"]);
    assert_eq!(locs(&found.pages), ["/p/1"]);
}

#[test]
fn feeds() {
    let found = read(
        "<?xml version='1.0'?><rss version='2.0'><channel><title>Shop</title><link>https://shop.example/</link>\
         <image><url>/logo.png</url><link>/</link></image>\
         <item><title>A</title><link>https://shop.example/p/1</link><guid>https://shop.example/?p=1</guid>\
         <pubDate>Mon, 06 Jan 2025 00:00:00 +0000</pubDate><media:content url='/1.jpg' medium='image'/></item>\
         <item><guid isPermaLink='true'>https://shop.example/p/2</guid></item>\
         <item><guid isPermaLink='false'>https://shop.example/p/3</guid></item></channel></rss>",
    )
    .unwrap();
    assert_eq!(locs(&found.pages), ["https://shop.example/p/1", "https://shop.example/p/2"]);
    assert_eq!(
        (&found.pages[0].images[..], &found.pages[0].lastmod),
        (&["/1.jpg".into()][..], &None)
    );
    let found = read(
        "<feed xmlns='http://www.w3.org/2005/Atom'><link href='/'/><entry><link rel='self' href='/x'/>\
         <link rel='alternate' href='https://shop.example/p/1'/><updated>2026-01-02T00:00:00Z</updated>\
         <link rel='enclosure' href='/y'/></entry><a:entry><a:link href='/p/2'/></a:entry></feed>",
    )
    .unwrap();
    assert_eq!(locs(&found.pages), ["https://shop.example/p/1", "/p/2"]);
    assert_eq!(found.pages[0].lastmod.as_deref(), Some("2026-01-02T00:00:00Z"));
}

#[test]
fn lines_of_text() {
    let text = "# ours\nhttps://shop.example/1\r\n\n  HTTP://shop.example/2 2026-01-01\nnot one\n\
                https://shop.example/sitemap2.xml\n";
    let check = |found: Entries| {
        assert_eq!(locs(&found.pages), ["https://shop.example/1", "HTTP://shop.example/2"]);
        assert_eq!(locs(&found.sitemaps), ["https://shop.example/sitemap2.xml"]);
    };
    check(read(text).unwrap());
    check(read(&format!("\u{feff}{text}")).unwrap());
    let wide = |bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
        format!("\u{feff}{text}").encode_utf16().flat_map(bytes).collect()
    };
    check(read_bytes(&wide(u16::to_le_bytes)).unwrap());
    check(read_bytes(&wide(u16::to_be_bytes)).unwrap());
}

#[test]
fn character_sets() {
    let xml = |encoding: &str| {
        format!(
            "<?xml version='1.0' encoding='{encoding}'?><urlset><url><loc>/caf\u{e9}</loc></url></urlset>"
        )
    };
    let latin = |text: &str| text.chars().map(|c| c as u8).collect::<Vec<u8>>();
    let wide: Vec<u8> = xml("UTF-16").encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (what, bytes) in [
        ("declared", latin(&xml("ISO-8859-1"))),
        ("said to be UTF-8", latin(&xml("UTF-8"))),
        ("declared after a blank line", latin(&format!("\n\n{}", xml("iso-8859-1")))),
        ("UTF-16 without a mark", wide),
        ("UTF-8 said to be UTF-16", xml("UTF-16").into_bytes()),
    ] {
        assert_eq!(locs(&read_bytes(&bytes).unwrap().pages), ["/caf\u{e9}"], "{what}");
    }
    let bare = "<urlset><url><loc>/caf\u{e9}</loc></url></urlset>";
    let place = Url::parse("https://shop.example/").unwrap();
    let found =
        super::read(&latin(bare), Some("text/xml; charset=\"ISO-8859-1\""), &place).unwrap();
    assert_eq!(locs(&found.pages), ["/caf\u{e9}"]);
}

#[test]
fn what_servers_print_around_it_does_no_harm() {
    let list = "<urlset><url><loc>/1</loc></url></urlset>";
    for text in [
        format!("\n\n<?xml version='1.0'?>{list}"),
        format!("<br />\n<b>Warning</b>: foo in <b>x.php</b><br />\n<?xml version='1.0'?>{list}"),
        format!("Notice: Undefined index: x in y.php on line 3\n{list}"),
        format!(
            "<?xml version='1.0'?><?xml-stylesheet href='a.xsl'?><!-- <urlset> <html> -->{list}"
        ),
        format!("<!DOCTYPE urlset [<!ELEMENT urlset (url)*>]>{list}"),
        format!("{list}\n<!-- 0.3 s --><script>a<b</script><br>"),
    ] {
        let found = read(&text).unwrap();
        assert_eq!((locs(&found.pages), found.broken), (vec!["/1"], None), "{text}");
    }
}

#[test]
fn several_in_one_file_are_read() {
    let found = read(
        "<?xml version='1.0'?><urlset><url><loc>/1</loc></url></urlset>\n<urlset><url><loc>/2</loc></url></urlset>",
    )
    .unwrap();
    assert_eq!((locs(&found.pages), found.broken), (vec!["/1", "/2"], None));
}

#[test]
fn what_is_no_sitemap_is_named() {
    for (text, named) in [
        ("<!DOCTYPE html><p>Closed</p>", "web page"),
        ("<!-- x --><HTML><body>Hi <rss></body></HTML>", "web page"),
        ("<products><product/></products>", "<products>"),
        ("{\"error\": 1}", "neither XML"),
        (" \n", "empty"),
        ("<!-- <urlset> -->", "neither XML"),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.contains(named), "{text}: {error}");
    }
}

#[test]
fn of_one_that_breaks_the_beginning_is_kept() {
    let whole = "<urlset><url><loc>/1</loc></url><url><loc>/2</loc></url></urlset>";
    let pages = |cut: usize| {
        let found = read(&whole[..cut]).unwrap();
        assert!(found.broken.is_some(), "{}", &whole[..cut]);
        found.pages.len()
    };
    let (first, second) = (whole.find("<url><loc>/2").unwrap(), whole.find("</urlset>").unwrap());
    assert!((8..first).all(|cut| pages(cut) == 0));
    assert!((first..second).all(|cut| pages(cut) == 1));
    assert!((second..whole.len()).all(|cut| pages(cut) == 2));
    let deep = format!("<urlset><url><loc>/1</loc></url>{}", "<a>".repeat(100_000));
    assert!(read(&deep).unwrap().broken.unwrap().contains("deep"));
    assert_eq!(read(&deep).unwrap().pages.len(), 1);
}

#[test]
fn languages_name_each_other() {
    let link = |lang: &str, href: &str| {
        format!("<xhtml:link rel='alternate' hreflang='{lang}' href='{href}'/>")
    };
    let en = format!("<url><loc>/en/1</loc>{}</url>", link("de", "https://shop.example/de/1"));
    let de = format!(
        "<url><loc>https://shop.example/de/1#top</loc>{}{}</url>",
        link("de", "/de/1"),
        link("en", "/en/1")
    );
    // It names /en/1, which does not name it.
    let other = format!("<url><loc>/en/2</loc>{}</url>", link("en", "/en/1"));
    let alone = format!("<url><loc>/en/3</loc>{}</url>", link("en", "/en/3"));
    let found = read(&format!("<urlset>{en}{de}{other}{alone}</urlset>")).unwrap();
    let sets: Vec<_> = found.pages.iter().map(|page| page.twins.as_deref()).collect();
    assert!(sets[0].is_some() && sets[0] == sets[1], "{sets:?}");
    assert!(sets[2].is_some() && sets[2] != sets[0] && sets[3].is_none(), "{sets:?}");
}

#[test]
fn addresses_as_people_write_them() {
    let place = Url::parse("https://shop.example/maps/s.xml").unwrap();
    let read = |loc: &str| address_of(loc, &place).map(String::from);
    for (loc, url) in [
        ("https://shop.example/p/1#reviews", "https://shop.example/p/1"),
        ("//shop.example/p/1", "https://shop.example/p/1"),
        ("p/1", "https://shop.example/maps/p/1"),
        ("www.shop.example/p/1", "https://www.shop.example/p/1"),
        ("shop.example/p/1", "https://shop.example/p/1"),
        ("https://shop.example/caf\u{e9} x", "https://shop.example/caf%C3%A9%20x"),
    ] {
        assert_eq!(read(loc).as_deref(), Ok(url));
    }
    for bad in ["mailto:a@shop.example", "https://", "ftp://shop.example/1", "file:///etc/passwd"] {
        assert!(read(bad).is_err(), "{bad}");
    }
}

#[test]
fn more_than_any_shop_lists_is_not_read() {
    let found = read(&"https://shop.example/1\n".repeat(MOST_ENTRIES + 1)).unwrap();
    assert!(found.pages.len() == MOST_ENTRIES && found.broken.unwrap().contains("more than"));
}

use std::collections::BTreeMap;

use super::*;
use crate::source::{Availability, Product};

type Items = Vec<Result<Product, String>>;

fn read_with(xml: &str, item: Option<&str>, columns: &[(&str, &str)]) -> Result<Items, String> {
    let columns: BTreeMap<_, _> =
        columns.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let mut items = Vec::new();
    let mut send = |item: SourceItem| {
        items.push(item.map_err(|e| e.to_string()));
        true
    };
    read("list.xml", xml.as_bytes(), &Mapping::new(item, &columns), &mut send)
        .map_err(|e| e.to_string())?;
    Ok(items)
}

fn one(xml: &str) -> Product {
    let mut items = read_with(xml, None, &[]).unwrap();
    assert_eq!(items.len(), 1);
    items.remove(0).unwrap()
}

fn attributes(product: &Product) -> Vec<(&str, &str)> {
    product.attributes.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect()
}

#[test]
fn yml() {
    let p = one("<?xml version='1.0' encoding='UTF-8'?><!DOCTYPE yml_catalog SYSTEM 'shops.dtd'>\
         <yml_catalog date='2026-01-01 00:00'><shop><name>S</name><url>https://shop.example</url>\
         <currencies><currency id='RUR' rate='1'/></currencies>\
         <categories><category id='1'>Одежда</category><category id='2' parentId='1'>Платья</category></categories>\
         <delivery-options><option cost='300' days='1'/></delivery-options>\
         <offers><offer id='A-1' available='true'><url>https://shop.example/p/1</url><price>1299.50</price>\
         <oldprice>1599</oldprice><currencyId>RUR</currencyId><categoryId>2</categoryId>\
         <picture>https://shop.example/1.jpg</picture><picture>https://shop.example/2.jpg</picture>\
         <name>Платье</name><vendor>Ателье</vendor><description><![CDATA[<p>Лён &amp; хлопок</p>]]></description>\
         <param name='Цвет'>красный</param><param name='Размер' unit='RU'>44</param>\
         <delivery-options><option cost='1' days='2'/></delivery-options></offer></offers></shop></yml_catalog>");
    assert_eq!((p.id.as_str(), p.title.as_deref()), ("A-1", Some("Платье")));
    assert_eq!((p.price, p.currency.as_deref()), (Some(1299.5), Some("RUB")));
    assert_eq!(
        (p.brand.as_deref(), p.category.as_deref()),
        (Some("Ателье"), Some("Одежда > Платья"))
    );
    assert_eq!(p.images, ["https://shop.example/1.jpg", "https://shop.example/2.jpg"]);
    assert_eq!(p.url.as_deref(), Some("https://shop.example/p/1"));
    assert_eq!(p.description.as_deref(), Some("Лён & хлопок"));
    assert_eq!(p.availability, Some(Availability::InStock));
    assert_eq!(attributes(&p), [("list_price", "1599"), ("размер", "44"), ("цвет", "красный")]);
}

#[test]
fn heureka() {
    let p = one(
        "<SHOP><SHOPITEM><ITEM_ID>7</ITEM_ID><PRODUCTNAME>Šaty</PRODUCTNAME><PRODUCT>Šaty akce</PRODUCT>\
         <DESCRIPTION>Len</DESCRIPTION><URL>https://shop.example/7</URL><IMGURL>https://shop.example/7.jpg</IMGURL>\
         <IMGURL_ALTERNATIVE>https://shop.example/7b.jpg</IMGURL_ALTERNATIVE>\
         <IMGURL_ALTERNATIVE>https://shop.example/7c.jpg</IMGURL_ALTERNATIVE><PRICE_VAT>1 299,00 CZK</PRICE_VAT>\
         <MANUFACTURER>Ateliér</MANUFACTURER><CATEGORYTEXT>Móda | Šaty</CATEGORYTEXT><EAN>123</EAN>\
         <PARAM><PARAM_NAME>Barva</PARAM_NAME><VAL>červená</VAL></PARAM>\
         <DELIVERY><DELIVERY_ID>X</DELIVERY_ID><DELIVERY_PRICE>99</DELIVERY_PRICE></DELIVERY></SHOPITEM></SHOP>",
    );
    assert_eq!((p.id.as_str(), p.title.as_deref()), ("7", Some("Šaty")));
    assert_eq!(p.images, ["7", "7b", "7c"].map(|n| format!("https://shop.example/{n}.jpg")));
    assert_eq!((p.brand.as_deref(), p.category.as_deref()), (Some("Ateliér"), Some("Móda | Šaty")));
    let attributes = attributes(&p);
    assert!(
        attributes.contains(&("barva", "červená")) && attributes.contains(&("ean", "123")),
        "{attributes:?}"
    );
}

#[test]
fn ceneo() {
    let p = one(
        "<offers xmlns:xsi='x' version='1'><o id='9' url='https://shop.example/9' price='99.90' avail='1'>\
         <cat><![CDATA[Moda/Suknie]]></cat><name>Suknia</name><imgs><main url='https://shop.example/9.jpg'/>\
         <i url='https://shop.example/9b.jpg'/></imgs><desc>Len</desc><attrs><a name='Producent'>Atelier</a></attrs></o></offers>",
    );
    assert_eq!((p.id.as_str(), p.title.as_deref(), p.price), ("9", Some("Suknia"), Some(99.9)));
    assert_eq!(p.images, ["https://shop.example/9.jpg", "https://shop.example/9b.jpg"]);
    assert_eq!(p.category.as_deref(), Some("Moda/Suknie"));
    assert_eq!(p.attributes["producent"], "Atelier");
}

#[test]
fn googles_and_plain_lists() {
    let rss = "<rss><channel><item><g:id>1</g:id><g:image_link>a.jpg</g:image_link></item></channel></rss>";
    assert_eq!(one(rss).id, "1");
    let plain = "<p:products xmlns:p='x'><p:product id='x'><p:sku>S-1</p:sku><p:name>N</p:name><p:image>a.jpg</p:image>\
        <p:price>5 EUR</p:price><p:shipping><p:price>1 EUR</p:price></p:shipping></p:product></p:products>";
    let p = one(plain);
    assert_eq!((p.id.as_str(), p.title.as_deref(), p.price), ("S-1", Some("N"), Some(5.0)));
}

#[test]
fn a_mapping_says_what_is_what() {
    let xml = "<Export><Group><Name>G</Name><Artikel Nr='7'><Bez lang='de'>Kleid</Bez><Bez lang='en'>Dress</Bez>\
        <Preise><VK>39,95 EUR</VK><EK>10</EK></Preise><price>1</price><Bilder><Bild src='7.jpg'/><Bild src='7b.jpg'/></Bilder>\
        <Farbe>rot</Farbe><id>internal</id></Artikel>\
        <Artikel><Bez>Ohne</Bez></Artikel></Group></Export>";
    let columns = [
        ("id", "@Nr"),
        ("title", "Titel|Bez"),
        ("image", "Bilder/Bild/@src"),
        ("price", "Preise/VK"),
        ("cost", "Preise/EK"),
    ];
    for item in ["Export/Group/Artikel", "group/artikel", "x:Artikel"] {
        let items = read_with(xml, Some(item), &columns).unwrap();
        let p = items[0].as_ref().unwrap();
        assert_eq!((p.id.as_str(), p.title.as_deref()), ("7", Some("Kleid")), "{item}");
        assert_eq!((p.price, p.currency.as_deref()), (Some(39.95), Some("EUR")));
        assert_eq!(p.images, ["7.jpg", "7b.jpg"]);
        assert_eq!(attributes(p), [("cost", "10"), ("farbe", "rot")]);
        assert!(items[1].as_ref().unwrap_err().contains("record 2"), "{:?}", items[1]);
    }
    // A known list with one field elsewhere.
    let xml = "<products><product><code>5</code><image>5.jpg</image></product></products>";
    assert_eq!(read_with(xml, None, &[("id", "code")]).unwrap()[0].as_ref().unwrap().id, "5");
}

#[test]
fn what_is_no_list_is_told() {
    let error = |xml: &str, item: Option<&str>| read_with(xml, item, &[]).unwrap_err();
    let unknown = error("<Export><Artikel/></Export>", None);
    assert!(unknown.contains("<Export>") && unknown.contains("item ="), "{unknown}");
    assert!(error("<products/>", None).contains("no <products/product>"));
    assert!(error("<a><b/></a>", Some("c")).contains("no <c>"));
    assert!(error("", Some("c")).contains("empty"));
    assert!(error("<products><product><id>1</id>", None).contains("middle"));
    assert!(error(&format!("<products>{}", "<a>".repeat(1000)), None).contains("deep"));
}

#[test]
fn a_product_beyond_all_measure_costs_no_other() {
    let huge = format!("<product><id>1</id>{}</product>", "<x y='1'/>".repeat(MOST_FIELDS + 5));
    let long =
        format!("<product><id>2</id><x>{}</x><y>{0}</y></product>", "x".repeat(MOST_TEXT / 2 + 9));
    let good = "<product><id>3</id><image>3.jpg</image></product>";
    let items = read_with(&format!("<products>{huge}{long}{good}</products>"), None, &[]).unwrap();
    assert!(
        items[..2].iter().all(|item| item.as_ref().unwrap_err().contains("more than")),
        "{:?}",
        &items[..2]
    );
    assert_eq!(items[2].as_ref().unwrap().id, "3");
}

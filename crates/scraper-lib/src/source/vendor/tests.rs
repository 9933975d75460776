use super::*;
use crate::source::{Availability, FeedFormat, SourceItem, feed, settings::FeedSettings};

/// Products of a table, and what was told besides.
fn read(text: impl AsRef<[u8]>) -> (Vec<Product>, Vec<String>) {
    let (mut products, mut told) = (Vec::new(), Vec::new());
    let mut send = |item: SourceItem| {
        match item {
            Ok(product) => products.push(product),
            Err(e) => told.push(e.to_string()),
        }
        true
    };
    feed::read("x.csv", FeedFormat::Csv, &FeedSettings::default(), text.as_ref(), &mut send)
        .unwrap();
    (products, told)
}

fn one(text: impl AsRef<[u8]>) -> Product {
    let (mut products, told) = read(text);
    assert_eq!((products.len(), told.len()), (1, 0), "{products:?} {told:?}");
    products.remove(0)
}

#[test]
fn shopify_rows_are_grouped_by_handle() {
    let header = "Handle,Title,Body (HTML),Vendor,Type,Tags,Published,Option1 Name,Option1 Value,\
        Variant SKU,Variant Inventory Tracker,Variant Inventory Qty,Variant Inventory Policy,\
        Variant Price,Variant Compare At Price,Image Src,Image Position,Variant Image,Status\n";
    let rows = "coat,Wool coat,\"<p>Warm,\nsoft</p>\",Nord,Coats,\"new, wool\",true,Size,S,C-S,shopify,0,\
        deny,180.00,,https://cdn.example/2.jpg,2,,active\n\
        coat,,,,,,,,M,C-M,shopify,3,deny,199.00,249.00,https://cdn.example/1.jpg,1,https://cdn.example/m.jpg,\n\
        coat,,,,,,,,,,,,,,,https://cdn.example/3.jpg,3,,\n\
        hat,Hat,,Nord,,,true,Title,Default Title,,,,,15.00,15.00,https://cdn.example/h.jpg,1,,active\n\
        old,Old,,Nord,,,true,Title,Default Title,,,,,15.00,,https://cdn.example/o.jpg,1,,draft\n\
        ,lost,,,,,,,,,,,,,,,,,\n";
    let (products, told) = read(format!("{header}{rows}"));
    assert_eq!(products.len(), 2, "{products:?}");
    let coat = &products[0];
    assert_eq!((coat.id.as_str(), coat.title.as_deref()), ("coat", Some("Wool coat")));
    assert_eq!(coat.description.as_deref(), Some("Warm, soft"));
    assert_eq!((coat.brand.as_deref(), coat.category.as_deref()), (Some("Nord"), Some("Coats")));
    assert_eq!(coat.price, Some(199.0), "the cheaper one is sold out");
    assert_eq!(coat.attributes["list_price"], "249");
    assert_eq!(coat.availability, Some(Availability::InStock));
    assert_eq!(
        (coat.attributes["size"].as_str(), coat.attributes["sku"].as_str()),
        ("S, M", "C-S, C-M")
    );
    let images = ["1", "2", "3", "m"].map(|name| format!("https://cdn.example/{name}.jpg"));
    assert_eq!(coat.images, images);
    let hat = &products[1];
    assert_eq!((hat.price, hat.availability), (Some(15.0), None));
    assert!(!hat.attributes.contains_key("list_price") && !hat.attributes.contains_key("title"));
    assert!(told.len() == 1 && told[0].contains("handle"), "{told:?}");
}

#[test]
fn shopify_as_it_exports_now() {
    let product = one(
        "Title,URL handle,Description,Vendor,Product category,Type,Tags,Published on online store,\
         Status,SKU,Price,Compare-at price,Inventory tracker,Inventory quantity,Product image URL,\
         Image position\nBag,bag,Nice,A,Luggage > Bags,,new,TRUE,Active,B-1,20.00,,shopify,2,\
         https://cdn.example/b.jpg,1\n",
    );
    assert_eq!((product.id.as_str(), product.price), ("bag", Some(20.0)));
    assert_eq!(product.category.as_deref(), Some("Luggage > Bags"));
    assert_eq!(product.availability, Some(Availability::InStock));
}

#[test]
fn woocommerce_variations_join_their_parent() {
    let header = "ID,Type,SKU,Name,Published,\"Short description\",Description,\
        \"Date sale price starts\",\"Date sale price ends\",\"In stock?\",Stock,\"Sale price\",\
        \"Regular price\",Categories,Tags,Images,Parent,\"Attribute 1 name\",\"Attribute 1 value(s)\",Brands\n";
    let rows = "9,variation,T-S,\"Tee - S\",1,,,,,0,0,,9.00,,,https://x.example/s.jpg,id:10,Size,S,\n\
        10,variable,T,Tee,1,Short,<b>Long</b>,,,1,,,,\"Women, Women > Tops > Tees\",cotton,\
        \"https://x.example/1.jpg, https://x.example/2,a.jpg\",,Size,\"S, M\",Knit\n\
        11,\"variation, virtual\",T-M,\"Tee - M\",1,,,,,1,4,10.00,12.00,,,,T,Size,M,\n\
        12,simple,H,Hat,1,,,2001-01-01,2001-02-01,1,,5.00,15.00,Hats,,https://x.example/h.jpg,,,,\n\
        13,simple,D,Draft,-1,,,,,1,,,15.00,Hats,,https://x.example/d.jpg,,,,\n\
        14,variable,P,Private,0,,,,,1,,,,Hats,,https://x.example/p.jpg,,,,\n\
        15,variation,P-1,Private - 1,1,,,,,1,,,7.00,,,https://x.example/p.jpg,id:14,,,\n";
    let (products, told) = read(format!("{header}{rows}"));
    assert!(told.is_empty(), "{told:?}");
    let by_id = |id: &str| products.iter().find(|p| p.id == id).unwrap();
    assert_eq!(products.len(), 2, "{products:?}");
    let tee = by_id("10");
    assert_eq!((tee.title.as_deref(), tee.description.as_deref()), (Some("Tee"), Some("Long")));
    assert_eq!((tee.price, tee.attributes["list_price"].as_str()), (Some(10.0), "12"));
    assert_eq!(tee.category.as_deref(), Some("Women > Tops > Tees"));
    assert_eq!((tee.brand.as_deref(), tee.attributes["size"].as_str()), (Some("Knit"), "S, M"));
    let images = ["1", "2,a", "s"].map(|name| format!("https://x.example/{name}.jpg"));
    assert_eq!(tee.images, images);
    assert_eq!(tee.availability, Some(Availability::InStock));
    let hat = by_id("12");
    assert_eq!(hat.price, Some(15.0), "its sale is over");
    assert!(!hat.attributes.contains_key("list_price"));
}

#[test]
fn magento_parts_join_what_they_are_parts_of() {
    let header = "sku,store_view_code,product_type,categories,name,product_online,visibility,price,\
        special_price,special_price_from_date,base_image,additional_images,qty,is_in_stock,\
        configurable_variations,additional_attributes\n";
    let rows = "J-S,,simple,,Jacket S,1,Not Visible Individually,90,,,/j/s.jpg,,0,0,,\n\
        J-M,,simple,,Jacket M,1,Not Visible Individually,100,80,1/31/20,/j/m.jpg,,2,1,,\n\
        J,,configurable,\"Default Category/Women,Default Category/Women/Jackets\",Jacket,1,\
        \"Catalog, Search\",,,,/j/1.jpg,\"/j/2.jpg,/j/3.jpg\",0,1,\"sku=J-S,size=S|sku=J-M,size=M\",\
        \"color=red,note=warm, soft,manufacturer=Nord\"\n\
        J,german,,,Jacke,,,,,,,,,,,\n\
        OFF,,simple,,Off,2,\"Catalog, Search\",1,,,/o.jpg,,1,1,,\n\
        LONE,,simple,,Lone,1,Not Visible Individually,7,,,/l.jpg,,1,1,,\n";
    let (products, told) = read(format!("{header}{rows}"));
    assert!(told.is_empty(), "{told:?}");
    let ids: Vec<_> = products.iter().map(|p| p.id.as_str()).collect();
    assert_eq!(ids, ["J", "LONE"]);
    let jacket = &products[0];
    assert_eq!((jacket.title.as_deref(), jacket.price), (Some("Jacket"), Some(80.0)));
    assert_eq!(jacket.category.as_deref(), Some("Women > Jackets"));
    assert_eq!(jacket.images, ["/j/1.jpg", "/j/2.jpg", "/j/3.jpg", "/j/s.jpg", "/j/m.jpg"]);
    assert_eq!(jacket.availability, Some(Availability::InStock));
    for (name, value) in
        [("list_price", "100"), ("size", "S, M"), ("color", "red"), ("note", "warm, soft")]
    {
        assert_eq!(jacket.attributes[name], value, "{name}");
    }
    assert_eq!(jacket.brand.as_deref(), Some("Nord"));
}

#[test]
fn prestashop_with_semicolons() {
    let header = "Product ID;Active (0/1);Name *;Categories (x,y,z...);Price tax included;\
        Discount percent;Discount from (yyyy-mm-dd);Manufacturer;Quantity;\
        Feature(Name:Value:Position);Image URLs (x,y,z...)\n";
    let rows = "7;1;Red dress;Dresses,Home;49,95;;;Ateliér;3;Color:red:0,Fit:slim:1;\
        https://a.example/1.jpg,https://a.example/2.jpg\n\
        8;1;Hat;Hats;20,00;25;2020-01-01;;0;;https://a.example/3.jpg\n9;0;Old;Hats;20,00;;;;;;x.jpg\n";
    let (products, told) = read(format!("{header}{rows}"));
    assert!(told.is_empty() && products.len() == 2, "{told:?} {products:?}");
    let dress = &products[0];
    assert_eq!((dress.price, dress.category.as_deref()), (Some(49.95), Some("Dresses")));
    assert_eq!((dress.brand.as_deref(), dress.images.len()), (Some("Ateliér"), 2));
    assert_eq!(
        (dress.attributes["color"].as_str(), dress.attributes["fit"].as_str()),
        ("red", "slim")
    );
    let hat = &products[1];
    assert_eq!((hat.price, hat.attributes["list_price"].as_str()), (Some(15.0), "20"));
    assert_eq!(hat.availability, Some(Availability::OutOfStock));
}

#[test]
fn facebooks_template_with_remarks() {
    let text = "\"# Required | The unique content ID, for \"\"items\"\"\",# Required | The title,# Optional,,\n\
        id,title,availability,price,sale_price,sale_price_effective_date,image[0].url,image[1].url\n\
        7,Red dress,in stock,49.95 EUR,39.95 EUR,2020-01-01T00:00+01:00/2020-02-01T00:00+01:00,\
        https://a.example/1.jpg,https://a.example/2.jpg\n\
        8,Hat,out of stock,20 EUR,15 EUR,,https://a.example/3.jpg,\n";
    let (products, told) = read(text);
    assert!(told.is_empty() && products.len() == 2, "{told:?} {products:?}");
    assert_eq!((products[0].price, products[0].images.len()), (Some(49.95), 2), "the sale is over");
    assert_eq!((products[1].price, products[1].currency.as_deref()), (Some(15.0), Some("EUR")));
    assert_eq!(products[1].attributes["list_price"], "20");
}

#[test]
fn delimiters_and_character_sets() {
    for delimiter in [',', ';', '\t', '|'] {
        for head in ["", "sep=*\n", "\u{feff}sep=*\r\n"] {
            let text = format!("{head}id*title*image link*price\n7*Größe, \"M\"*x.jpg*49.95 EUR\n");
            let text = match delimiter {
                ',' => text.replace("Größe, \"M\"", "\"Größe, \"\"M\"\"\""),
                _ => text,
            };
            let product = one(text.replace('*', &delimiter.to_string()));
            assert_eq!(product.title.as_deref(), Some("Größe, \"M\""), "{delimiter:?} {head:?}");
            assert_eq!(product.price, Some(49.95));
        }
    }
    let text = "id\ttitle\timage\n7\tKleid für Größe M\tx.jpg\n";
    let wide = |mark: &str, swap: bool| -> Vec<u8> {
        let units = format!("{mark}{text}").encode_utf16().collect::<Vec<_>>();
        units.iter().flat_map(|u| if swap { u.to_be_bytes() } else { u.to_le_bytes() }).collect()
    };
    let western: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    for bytes in
        [wide("\u{feff}", false), wide("\u{feff}", true), wide("", false), wide("", true), western]
    {
        assert_eq!(one(bytes).title.as_deref(), Some("Kleid für Größe M"));
    }
}

#[test]
fn plain_tables_are_no_shop_systems() {
    for names in [
        "id,title,image,type",
        "sku,image,price",
        "handle,title,image",
        "id,images,name,price",
        "id,name,image",
    ] {
        let names: Vec<String> = names.split(',').map(str::to_owned).collect();
        assert!(recognise(&names).is_none(), "{names:?}");
    }
}

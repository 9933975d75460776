use serde_json::{Value, json};

use super::{night, picture};
use crate::{
    server::{Reply, Server},
    shop::Shop,
};

#[test]
fn a_list_of_any_shape_over_two_nights() {
    let server = Server::start(|request| match request.path.as_str() {
        "/export" => Reply::ok(
            "<?xml version='1.0' encoding='windows-1250'?><Sklep><Oferta Nr='1'><Nazwa>Suknia</Nazwa><Foto plik='/i/1.png'/>\
             <Foto plik='i/2.png'/><Cena brutto='99,90 PLN'/></Oferta><Oferta><Nazwa>bez</Nazwa><Foto plik='/i/9.png'/></Oferta>\
             <Oferta Nr='3'><Nazwa>\u{a0}</Nazwa><Foto plik='/i/3.png'/></Oferta></Sklep>",
        ),
        "/yml" => Reply::ok(
            "<yml_catalog><shop><offers><offer id='7'><name>N</name><picture>/i/7.png</picture></offer></offers></shop></yml_catalog>",
        ),
        _ => picture(request).unwrap_or_else(|| Reply::status(404)),
    });
    let shop = Shop::new();
    let mapping = "item = \"Sklep/Oferta\"\ncolumns = { id = \"@Nr\", title = \"Nazwa\", image = \"Foto@plik\", price = \"Cena@brutto\" }";
    let url = format!("{}/export", server.url);
    let first = night(&shop, "xml", &url, mapping, 2);
    assert_eq!((&first["products"], &first["embedded"]), (&json!(2), &json!(3)), "{first}");
    assert_eq!(first["bad_records"], 1, "the one without a number: {first}");
    let second = night(&shop, "xml", &url, mapping, 2);
    assert_eq!((&second["products"], &second["embedded"]), (&json!(2), &json!(0)), "{second}");
    let lines = shop.export("s.db");
    let line: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&line["title"], &line["price"], &line["currency"]),
        (&json!("Suknia"), &json!(99.9), &json!("PLN"))
    );
    // A list that is known needs no mapping.
    let other = Shop::new();
    let known = night(&other, "xml", &format!("{}/yml", server.url), "", 0);
    assert_eq!(known["embedded"], 1, "{known}");
}

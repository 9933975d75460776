//! schema.org's `Product` (<https://schema.org/Product>) as JSON, read as shops write it.

use std::collections::{BTreeMap, HashMap, HashSet};

use reqwest::Url;
use serde_json::Value;

use super::{
    Availability, Product,
    page::budget::{Blown, Meter},
    text,
};

/// How deep graphs and offers are followed; real ones need three.
const DEPTH: usize = 8;

/// Attributes that are plain text of a product.
const ATTRIBUTES: [&str; 14] = [
    "color",
    "material",
    "pattern",
    "size",
    "sku",
    "mpn",
    "gtin",
    "gtin8",
    "gtin12",
    "gtin13",
    "gtin14",
    "itemCondition",
    "productGroupID",
    "keywords",
];

/// Every product in JSON-LD blocks, in their order. `@graph` and `mainEntity` are looked into,
/// and `{"@id": …}` stands for the object of that name in any block.
///
/// # Errors
/// The page's budget is used up.
pub(super) fn products(blocks: &[Value], page: &Url, meter: &Meter) -> Result<Vec<Product>, Blown> {
    let mut graph = Graph { products: Vec::new(), by_id: HashMap::new(), meter };
    for block in blocks {
        graph.add(block, DEPTH);
    }
    graph.products.iter().map(|value| graph.product(value, page)).collect()
}

struct Graph<'a> {
    products: Vec<&'a Value>,
    by_id: HashMap<&'a str, &'a Value>,
    meter: &'a Meter,
}

/// Objects that were read already: references may go in circles, or name one thing many times.
type Seen = HashSet<*const Value>;

impl<'a> Graph<'a> {
    fn add(&mut self, value: &'a Value, depth: usize) {
        let Some(depth) = depth.checked_sub(1) else { return };
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.add(item, depth)),
            Value::Object(object) => {
                if let (Some(id), true) =
                    (object.get("@id").and_then(Value::as_str), object.len() > 1)
                {
                    self.by_id.entry(id).or_insert(value);
                }
                if is_product(value) {
                    self.products.push(value);
                    return;
                }
                for key in ["@graph", "mainEntity", "mainEntityOfPage"] {
                    if let Some(inner) = object.get(key) {
                        self.add(inner, depth);
                    }
                }
            }
            _ => {}
        }
    }

    /// The object that a mere reference stands for.
    fn resolve(&self, value: &'a Value) -> &'a Value {
        match value.as_object() {
            Some(object) if object.len() == 1 => {
                let id = object.get("@id").and_then(Value::as_str);
                id.and_then(|id| self.by_id.get(id).copied()).unwrap_or(value)
            }
            _ => value,
        }
    }

    /// The values of a property: none, one, or several.
    fn all(&self, value: &'a Value, key: &str) -> Vec<&'a Value> {
        match value.get(key) {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(items)) => items.iter().map(|item| self.resolve(item)).collect(),
            Some(one) => vec![self.resolve(one)],
        }
    }

    /// The property as text: its own, or the name of what it is.
    fn text(&self, value: &'a Value, key: &str) -> Option<String> {
        let texts: Vec<String> = self.all(value, key).into_iter().filter_map(string).collect();
        (!texts.is_empty()).then(|| texts.join(", "))
    }

    fn first(&self, value: &'a Value, key: &str) -> Option<String> {
        self.all(value, key).into_iter().find_map(string)
    }

    fn product(&self, value: &'a Value, page: &Url) -> Result<Product, Blown> {
        let (mut images, mut known) = (Vec::new(), HashSet::new());
        let mut seen = Seen::from([std::ptr::from_ref(value)]);
        let mut offers = Offers::default();
        self.images(value, page, &mut images, &mut known)?;
        self.offers(value, &mut offers, &mut seen)?;
        for variant in self.all(value, "hasVariant") {
            if seen.insert(variant) {
                self.images(variant, page, &mut images, &mut known)?;
                self.offers(variant, &mut offers, &mut seen)?;
            }
        }
        let mut attributes: BTreeMap<String, String> = ATTRIBUTES
            .iter()
            .filter_map(|key| Some(((*key).to_owned(), self.text(value, key)?)))
            .collect();
        for property in self.all(value, "additionalProperty") {
            if let (Some(name), Some(value)) =
                (self.first(property, "name"), self.text(property, "value"))
            {
                attributes.entry(name).or_insert(value);
            }
        }
        Ok(Product {
            id: String::new(),
            title: self.first(value, "name").as_deref().and_then(text::plain),
            description: self.first(value, "description").as_deref().and_then(text::plain),
            url: self
                .first(value, "url")
                .and_then(|url| page.join(&url).ok())
                .or_else(|| Some(page.clone()))
                .map(String::from),
            brand: self.first(value, "brand").or_else(|| self.first(value, "manufacturer")),
            category: self.first(value, "category"),
            price: offers.price,
            currency: offers.currency,
            availability: offers.availability,
            images,
            attributes,
            source: String::new(),
            page: None,
        })
    }

    /// Addresses, or `ImageObject`s with one.
    fn images(
        &self,
        value: &'a Value,
        page: &Url,
        images: &mut Vec<String>,
        known: &mut HashSet<String>,
    ) -> Result<(), Blown> {
        for image in self.all(value, "image") {
            self.meter.value()?;
            let found = match image {
                Value::String(text) => Some(text.clone()),
                object => ["contentUrl", "url", "@id"].iter().find_map(|k| self.first(object, k)),
            };
            // What is no address is kept, so that it shows up among the failures.
            let Some(found) = found.filter(|text| !text.trim().is_empty()) else { continue };
            let address = page.join(found.trim()).map_or(found, String::from);
            self.meter.bytes(address.len())?;
            if known.insert(address.clone()) {
                images.push(address);
                self.meter.images(images.len())?;
            }
        }
        Ok(())
    }

    /// Offers, aggregates of them, and price specifications: the lowest price of all.
    fn offers(&self, value: &'a Value, found: &mut Offers, seen: &mut Seen) -> Result<(), Blown> {
        let mut waiting = self.all(value, "offers");
        waiting.reverse();
        while let Some(offer) = waiting.pop() {
            self.meter.value()?;
            if !seen.insert(offer) {
                continue;
            }
            let currency = self.first(offer, "priceCurrency");
            for key in ["lowPrice", "price", "minPrice"] {
                if let Some(price) = self.first(offer, key) {
                    found.price(&price, currency.as_deref());
                }
            }
            for specification in self.all(offer, "priceSpecification") {
                let own = self.first(specification, "priceCurrency").or_else(|| currency.clone());
                for key in ["price", "minPrice"] {
                    if let Some(price) = self.first(specification, key) {
                        found.price(&price, own.as_deref());
                    }
                }
            }
            if let Some(text) = self.first(offer, "availability") {
                found.availability(text::availability(&text));
            }
            waiting.extend(self.all(offer, "offers").into_iter().rev());
        }
        Ok(())
    }
}

#[derive(Default)]
pub(super) struct Offers {
    pub(super) price: Option<f64>,
    pub(super) currency: Option<String>,
    pub(super) availability: Option<Availability>,
}

impl Offers {
    /// Keeps the lowest; a price in another currency than the first is not comparable.
    pub(super) fn price(&mut self, text: &str, currency: Option<&str>) {
        let Some((amount, written)) = text::price(text) else { return };
        let currency = currency.and_then(text::currency).or(written);
        if self.price.is_some() && self.currency != currency {
            return;
        }
        if self.price.is_none_or(|known| amount < known) {
            (self.price, self.currency) = (Some(amount), currency);
        }
    }

    /// One that can be bought is enough.
    pub(super) fn availability(&mut self, found: Option<Availability>) {
        if found == Some(Availability::InStock) || self.availability.is_none() {
            self.availability = found.or(self.availability);
        }
    }
}

fn is_product(value: &Value) -> bool {
    let named = |name: &Value| {
        let name = name.as_str().and_then(|name| name.rsplit(['/', ':', '#']).next());
        matches!(
            name,
            Some(
                "Product" | "ProductGroup" | "IndividualProduct" | "ProductModel" | "SomeProducts"
            )
        )
    };
    match value.get("@type") {
        Some(Value::Array(names)) => names.iter().any(named),
        Some(name) => named(name),
        None => false,
    }
}

/// Text, a number, the `name` (else `@value`) of an object; the first of several.
fn string(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => text::some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Object(object) => {
            ["name", "@value"].iter().find_map(|key| string(object.get(*key)?))
        }
        Value::Array(items) => items.iter().find_map(string),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(blocks: &[Value]) -> Vec<Product> {
        let meter = Meter::new(crate::source::page::budget::PageBudget::default());
        products(blocks, &Url::parse("https://shop.example/products/a?v=1").unwrap(), &meter)
            .unwrap()
    }

    #[test]
    fn a_product_as_shops_write_it() {
        let block = json!({
            "@context": "https://schema.org/", "@type": "Product", "name": "Red &amp; blue dress",
            "image": ["/i/1.jpg", {"@type": "ImageObject", "url": "https://cdn/2.jpg"}, "/i/1.jpg"],
            "description": "<p>Nice</p>", "brand": {"@type": "Brand", "name": "Ateliér"},
            "sku": 123, "color": ["red", "blue"],
            "additionalProperty": [{"name": "Fit", "value": "slim"}],
            "offers": {"@type": "Offer", "price": "19.95", "priceCurrency": "EUR",
                       "availability": "https://schema.org/InStock"}
        });
        let product = &read(&[block])[0];
        assert_eq!(product.title.as_deref(), Some("Red & blue dress"));
        assert_eq!(product.description.as_deref(), Some("Nice"));
        assert_eq!(product.images, ["https://shop.example/i/1.jpg", "https://cdn/2.jpg"]);
        assert_eq!(product.brand.as_deref(), Some("Ateliér"));
        assert_eq!((product.price, product.currency.as_deref()), (Some(19.95), Some("EUR")));
        assert_eq!(product.availability, Some(Availability::InStock));
        assert_eq!(product.attributes["color"], "red, blue");
        assert_eq!(product.attributes["sku"], "123");
        assert_eq!(product.attributes["Fit"], "slim");
    }

    #[test]
    fn graphs_references_type_arrays_and_several_blocks() {
        let blocks = [
            json!({"@type": "BreadcrumbList", "itemListElement": []}),
            json!({"@graph": [
                {"@type": "WebPage", "mainEntity": {"@type": "schema:Product", "name": "In a page"}},
                {"@type": ["Thing", "https://schema.org/Product"], "name": "Typed twice",
                 "offers": {"@id": "#offer"}, "image": {"@id": "#image"}},
                {"@id": "#offer", "@type": "Offer", "price": 7},
                {"@id": "#image", "@type": "ImageObject", "contentUrl": "b.png"},
            ]}),
            json!([{"@type": "ProductGroup", "name": "Group", "hasVariant": [
                {"@type": "Product", "image": "v1.jpg", "offers": {"price": 30, "priceCurrency": "USD"}},
                {"@type": "Product", "image": "v2.jpg", "offers": [{"price": 20, "priceCurrency": "USD"}]},
            ]}]),
        ];
        let found = read(&blocks);
        let titles: Vec<_> = found.iter().filter_map(|p| p.title.as_deref()).collect();
        assert_eq!(titles, ["In a page", "Typed twice", "Group"]);
        assert_eq!(found[1].price, Some(7.0));
        assert_eq!(found[1].images, ["https://shop.example/products/b.png"]);
        assert_eq!((found[2].price, found[2].images.len()), (Some(20.0), 2));
    }

    #[test]
    fn aggregate_offers_and_price_specifications() {
        let price = |offers: Value| {
            let p = read(&[json!({"@type": "Product", "offers": offers})]).remove(0);
            (p.price, p.currency, p.availability)
        };
        let eur = || Some("EUR".to_owned());
        assert_eq!(
            price(json!({"@type": "AggregateOffer", "lowPrice": "9,90", "highPrice": 20,
                         "priceCurrency": "eur", "offers": [
                {"price": 12, "priceCurrency": "EUR", "availability": "OutOfStock"},
                {"price": 13, "priceCurrency": "EUR", "availability": "InStock"}]})),
            (Some(9.9), eur(), Some(Availability::InStock))
        );
        assert_eq!(
            price(json!([{"priceSpecification": [{"price": 50, "priceCurrency": "EUR"},
                                                {"price": 40, "priceCurrency": "EUR"},
                                                {"price": 5, "priceCurrency": "SEK"}]}])),
            (Some(40.0), eur(), None)
        );
        assert_eq!(price(json!("soon")), (None, None, None));
    }

    #[test]
    fn circles_and_nonsense_end() {
        let circle = json!({"@graph": [{"@id": "#a", "@type": "Product", "offers": {"@id": "#o"}},
                                       {"@id": "#o", "offers": {"@id": "#o"}, "image": {"@id": "#a"}}]});
        assert_eq!(read(&[circle]).len(), 1);
        let mut deep = json!({"@type": "Product"});
        for _ in 0..100 {
            deep = json!({"@graph": [deep]});
        }
        assert!(read(&[deep, json!(null), json!("Product"), json!({"@type": 3})]).is_empty());
    }
}

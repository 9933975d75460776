//! A product as one sort of evidence tells it.

use std::collections::{BTreeMap, HashSet};

use super::{
    budget::Blown,
    graph::{Datum, Graph},
    image, offers,
    offers::Offered,
    picture,
    report::{Origin, Report},
};
use crate::source::text;

/// Properties that are read, in lower case; of microdata the others are left out.
pub(super) const KNOWN: &[&str] = &[
    "name",
    "image",
    "images",
    "photo",
    "url",
    "description",
    "brand",
    "manufacturer",
    "category",
    "offers",
    "offer",
    "offerdetails",
    "price",
    "lowprice",
    "minprice",
    "pricecurrency",
    "currency",
    "availability",
    "pricespecification",
    "pricetype",
    "referencequantity",
    "unitcode",
    "unittext",
    "value",
    "validfrom",
    "validthrough",
    "validformembertier",
    "itemcondition",
    "itemoffered",
    "mainentity",
    "mainentityofpage",
    "hasvariant",
    "isvariantof",
    "itemlistelement",
    "item",
    "position",
    "isrelatedto",
    "issimilarto",
    "isaccessoryorsparepartfor",
    "isconsumablefor",
    "itemreviewed",
    "sku",
    "mpn",
    "gtin",
    "gtin8",
    "gtin12",
    "gtin13",
    "gtin14",
    "color",
    "material",
    "pattern",
    "size",
    "productid",
    "productgroupid",
    "inproductgroupwithid",
    "keywords",
    "additionalproperty",
    "contenturl",
    "thumbnail",
    "thumbnailurl",
    "breadcrumb",
    "model",
    "isbn",
    "logo",
    "associatedmedia",
    "about",
    "child",
    "title",
];

/// Properties that become attributes, and their names there.
const ATTRIBUTES: &[(&str, &str)] = &[
    ("color", "color"),
    ("material", "material"),
    ("pattern", "pattern"),
    ("size", "size"),
    ("sku", "sku"),
    ("mpn", "mpn"),
    ("gtin", "gtin"),
    ("gtin8", "gtin8"),
    ("gtin12", "gtin12"),
    ("gtin13", "gtin13"),
    ("gtin14", "gtin14"),
    ("isbn", "isbn"),
    ("itemcondition", "itemCondition"),
    ("productgroupid", "productGroupID"),
    ("inproductgroupwithid", "productGroupID"),
    ("keywords", "keywords"),
];

/// What one sort of evidence tells; holes are filled by others.
#[derive(Debug, Default, Clone)]
pub(super) struct Told {
    pub(super) title: Option<String>,
    pub(super) description: Option<String>,
    pub(super) url: Option<String>,
    pub(super) brand: Option<String>,
    pub(super) category: Option<String>,
    pub(super) offered: Offered,
    pub(super) images: Vec<String>,
    pub(super) attributes: BTreeMap<String, String>,
    /// It is one of several variants, as the page says.
    pub(super) of_group: bool,
}

impl Told {
    pub(super) fn is_variant(&self) -> bool {
        self.of_group || self.attributes.contains_key("productGroupID")
    }
}

/// Images, each once.
#[derive(Debug, Default)]
pub(super) struct Images {
    pub(super) list: Vec<String>,
    known: HashSet<String>,
}

impl Images {
    /// Adds an address as it is written; one of a picture that is there in another size is not new.
    pub(super) fn add(&mut self, graph: &Graph<'_>, written: &str) -> Result<(), Blown> {
        let written = written.trim();
        if !image::is_real(written) || image::is_placeholder(written) {
            return Ok(());
        }
        let address = graph.base.join(written).map_or_else(|_| written.to_owned(), String::from);
        graph.meter.bytes(address.len())?;
        if self.known.insert(picture::key(&address)) {
            self.list.push(address);
            graph.meter.images(self.list.len())?;
        }
        Ok(())
    }
}

/// Reads a product and its variants. `variants` are products beside it that are the same article.
pub(super) fn read(
    graph: &Graph<'_>,
    at: usize,
    variants: &[usize],
    origin: Origin,
    own: &dyn Fn(&str) -> bool,
    report: &mut Report,
) -> Result<Told, Blown> {
    let mut variants = variants.to_vec();
    variants.extend(graph.nested(at, "hasvariant")?);
    let groups = graph.nested(at, "isvariantof")?;
    let mut images = Images::default();
    let mut seen = HashSet::from([at]);
    collect_images(graph, at, &mut images)?;
    let mut offers = offers::Reader::new(graph, origin, own, report);
    offers.product(at)?;
    for group in &groups {
        if seen.insert(*group) {
            offers.product(*group)?;
        }
    }
    for variant in &variants {
        if seen.insert(*variant) {
            collect_images(graph, *variant, &mut images)?;
            offers.product(*variant)?;
        }
    }
    if images.list.is_empty() {
        for group in &groups {
            collect_images(graph, *group, &mut images)?;
        }
    }
    offers.currency_alone(at)?;
    // An offer that has the product inside.
    if let Some((parent, name)) = graph.item(at).and_then(|item| item.parent.clone())
        && name == "itemoffered"
    {
        offers.around(parent)?;
    }
    let is_outermost = |at| graph.path(at).all(|(parent, _)| parent.types.is_empty());
    // Offers that stand beside the product: they name it, or there is no other on the page.
    let mut beside = Vec::new();
    for (offer, item) in graph.items() {
        let is_offer = item.is("offer") || item.is("aggregateoffer");
        if is_offer && item.origin == Some(origin) && is_outermost(offer) {
            let names = graph.nested(offer, "itemoffered")?;
            if names.contains(&at) {
                offers.around(offer)?;
            } else if names.is_empty() {
                beside.push(offer);
            }
        }
    }
    if let ([offer], false) = (beside.as_slice(), offers.has_price()) {
        offers.around(*offer)?;
    }
    let mut offered = offers.finish();
    let first = |names: &[&str]| {
        let mut items = std::iter::once(&at).chain(&groups).chain(variants.first());
        items.find_map(|at| names.iter().find_map(|name| graph.text(*at, name)))
    };
    let mut attributes = BTreeMap::new();
    for (name, called) in ATTRIBUTES {
        let of = |at| {
            let texts: Vec<String> = graph.texts(at, name).collect();
            (!texts.is_empty()).then(|| texts.join(", "))
        };
        let mut items = std::iter::once(&at).chain(&groups);
        if let Some(text) = items.find_map(|at| of(*at)) {
            attributes.entry((*called).to_owned()).or_insert(text);
        }
    }
    for property in graph.nested(at, "additionalproperty")? {
        if let (Some(name), Some(value)) =
            (graph.text(property, "name"), graph.text(property, "value"))
        {
            attributes.entry(name).or_insert(value);
        }
    }
    if let Some(condition) = offered.condition.take() {
        attributes.entry("itemCondition".into()).or_insert(condition);
    }
    Ok(Told {
        title: first(&["name", "title"])
            .as_deref()
            .and_then(text::plain)
            .and_then(|t| text::meaningful(&t)),
        description: first(&["description"]).as_deref().and_then(text::plain),
        url: graph.text(at, "url"),
        brand: brand(graph, at, &groups, &variants),
        category: category(graph, at).or_else(|| groups.iter().find_map(|at| category(graph, *at))),
        offered,
        images: images.list,
        attributes,
        of_group: !groups.is_empty(),
    })
}

/// A name, not the address of one.
fn brand(graph: &Graph<'_>, at: usize, groups: &[usize], variants: &[usize]) -> Option<String> {
    let items: Vec<usize> = std::iter::once(at)
        .chain(groups.iter().copied())
        .chain(variants.first().copied())
        .collect();
    ["brand", "manufacturer"].iter().find_map(|name| {
        let mut texts = items.iter().flat_map(|at| graph.texts(*at, name));
        texts.find_map(|text| {
            text::plain(&text).filter(|text| !text.contains("://") && text.len() <= 100)
        })
    })
}

/// A path where there is one ("Home > Dresses"), not a number of some taxonomy.
fn category(graph: &Graph<'_>, at: usize) -> Option<String> {
    let texts: Vec<String> = graph.texts(at, "category").filter_map(|t| text::plain(&t)).collect();
    let text = texts.iter().max_by_key(|text| text.matches(['>', '/']).count())?;
    let number = text.bytes().all(|b| b.is_ascii_digit());
    (!number && !text.starts_with("http")).then(|| text.clone())
}

fn collect_images(graph: &Graph<'_>, at: usize, images: &mut Images) -> Result<(), Blown> {
    for name in ["image", "images", "photo"] {
        for value in graph.values(at, name)? {
            match value {
                Datum::Text(text) => images.add(graph, text)?,
                Datum::Item(at) => {
                    let item = graph.resolve(*at);
                    let mut address = None;
                    for name in ["contenturl", "url", "thumbnailurl", "image"] {
                        let mut values = graph.values(item, name)?.into_iter();
                        address = values.find_map(|value| match value {
                            Datum::Text(text) => Some(text.clone()),
                            _ => None,
                        });
                        if address.is_some() {
                            break;
                        }
                    }
                    // `"@id": "…/1.jpg"` alone.
                    let id = || graph.item(item).and_then(|item| item.id.clone());
                    let id = || id().filter(|id| !id.contains('#'));
                    if let Some(address) = address.or_else(id) {
                        images.add(graph, &address)?;
                    }
                }
                Datum::Number(_) => {}
            }
        }
    }
    if images.list.is_empty() {
        for media in graph.nested(at, "associatedmedia")? {
            for text in graph.texts(media, "contenturl").collect::<Vec<_>>() {
                images.add(graph, &text)?;
            }
        }
    }
    Ok(())
}

//! Pictures that a page shows of its product, beyond those that its data names.

use std::collections::HashSet;

use super::{
    budget::Blown,
    dom::Node,
    graph::Graph,
    image, picture,
    place::{self, Match, Place},
    product::Images,
    survey::Survey,
};

/// Words in the names of elements that hold a product's pictures.
const GALLERIES: &[&str] = &[
    "gallery", "galerie", "slider", "slides", "swiper", "carousel", "thumb", "media", "images",
    "photos", "pictures", "zoom", "fotorama", "slick", "splide", "glide", "pdp",
];
/// Words in the names of elements that hold other products, or none.
const OTHERS: &[&str] = &[
    "related",
    "recommend",
    "upsell",
    "cross-sell",
    "crosssell",
    "similar",
    "also",
    "recent",
    "footer",
    "header",
    "menu",
    "nav",
    "instagram",
    "review",
    "payment",
    "logo",
    "banner",
    "social",
    "blog",
    "bundle",
    "newsletter",
    "badge",
    "icon",
    "swatch",
    "avatar",
];
/// Words in the names of the element of the main picture.
const MAIN: &[&str] = &["product", "main", "zoom", "gallery", "primary", "featured", "hero", "pdp"];
/// Pictures of one gallery; more is a listing.
const MOST: usize = 60;
/// Ancestors that are looked at.
const UP: usize = 8;

fn named(node: Node<'_>, words: &[&str]) -> bool {
    ["class", "id", "data-component", "data-role", "data-testid"].iter().any(|name| {
        node.attribute(name).is_some_and(|text| {
            let text = text.to_ascii_lowercase();
            words.iter().any(|word| text.contains(word))
        })
    })
}

fn above(node: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    std::iter::successors(node.parent(), |node| node.parent())
}

/// Adds the other pictures of the gallery in which a known one lies.
pub(super) fn extend(
    images: &mut Images,
    survey: &Survey<'_>,
    graph: &Graph<'_>,
    place: &Place,
) -> Result<(), Blown> {
    let known: HashSet<String> = images.list.iter().map(|address| key(graph, address)).collect();
    if known.is_empty() {
        return Ok(());
    }
    let pictures = survey.dom.elements().filter(|node| node.name() == "img");
    let shown = pictures.filter(|node| {
        image::address(*node).is_some_and(|address| known.contains(&key(graph, address)))
    });
    for node in shown.take(4) {
        if above(node).take(UP).any(|node| named(node, OTHERS)) {
            continue;
        }
        let galleries = above(node).take(UP).filter(|node| named(*node, GALLERIES));
        let mut best = Vec::new();
        for gallery in galleries {
            let Some(found) = pictures_of(gallery, graph, place)? else { break };
            if found.len() > best.len() {
                best = found;
            }
        }
        if best.len() > 1 {
            for address in best {
                images.add(graph, address)?;
            }
            return Ok(());
        }
    }
    Ok(())
}

/// The pictures of an element, each once; none where it holds links to other pages, or too many.
fn pictures_of<'a>(
    gallery: Node<'a>,
    graph: &Graph<'_>,
    place: &Place,
) -> Result<Option<Vec<&'a str>>, Blown> {
    let (mut found, mut keys) = (Vec::new(), HashSet::new());
    let mut nodes = gallery.descendants();
    while let Some(node) = nodes.next() {
        graph.meter.value()?;
        if named(node, OTHERS) {
            nodes.leave();
            continue;
        }
        match node.name() {
            "a" => {
                let Some(href) = node.attribute("href").map(str::trim) else { continue };
                if picture::is_picture(href.split(['?', '#']).next().unwrap_or_default()) {
                    if keys.insert(key(graph, href)) {
                        found.push(href);
                    }
                } else if !href.starts_with('#')
                    && image::is_real(href)
                    && place.address(href, graph.base) < Match::Good
                {
                    return Ok(None);
                }
            }
            "img" => {
                let Some(address) = image::address(node) else { continue };
                if !image::is_placeholder(address) && keys.insert(key(graph, address)) {
                    found.push(address);
                }
            }
            _ => {}
        }
        if found.len() > MOST {
            return Ok(None);
        }
    }
    Ok(Some(found))
}

fn key(graph: &Graph<'_>, address: &str) -> String {
    let address = address.trim();
    picture::key(
        graph.base.join(address).map_or_else(|_| address.to_owned(), String::from).as_str(),
    )
}

/// The main picture, where no data names one: one that is called so, or that has the product's
/// name as its text.
pub(super) fn main_picture(
    images: &mut Images,
    survey: &Survey<'_>,
    graph: &Graph<'_>,
    title: Option<&str>,
) -> Result<(), Blown> {
    if let Some(address) = survey.link("image_src") {
        return images.add(graph, address);
    }
    let title = title.map(place::words).unwrap_or_default();
    let mut named_so = None;
    for node in survey.dom.elements().filter(|node| node.name() == "img") {
        graph.meter.value()?;
        let Some(address) = image::address(node).filter(|a| !image::is_placeholder(a)) else {
            continue;
        };
        if named(node, OTHERS) || above(node).take(UP).any(|node| named(node, OTHERS)) {
            continue;
        }
        let alt = place::words(node.attribute("alt").unwrap_or_default());
        if !alt.is_empty() && place::names(&alt, &title) >= Match::Good {
            return images.add(graph, address);
        }
        let called = named(node, MAIN) || above(node).take(3).any(|node| named(node, GALLERIES));
        if named_so.is_none() && called {
            named_so = Some(address);
        }
    }
    match named_so {
        Some(address) => images.add(graph, address),
        None => Ok(()),
    }
}

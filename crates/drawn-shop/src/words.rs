//! Titles, captions, descriptions, brands and prices.

use crate::{
    rng::Rng,
    style::{Cut, Garment, Neck, Pattern, Sleeve, Style},
};

/// Invented; any likeness is by chance.
const BRANDS: [&str; 8] = [
    "Norrfold",
    "Atelier Quince",
    "Maplecote",
    "Ruevane",
    "Tidewick",
    "Ostra",
    "Lumenfeld",
    "Pallia",
];

pub(crate) fn brand(rng: &mut Rng) -> &'static str {
    rng.pick(&BRANDS)
}

pub(crate) fn category(garment: Garment) -> &'static str {
    match garment {
        Garment::TShirt | Garment::Shirt => "Clothing > Tops",
        Garment::Sweater | Garment::Hoodie => "Clothing > Knitwear & Sweats",
        Garment::Dress => "Clothing > Dresses",
        Garment::Skirt => "Clothing > Skirts",
        Garment::Jeans | Garment::Trousers => "Clothing > Trousers",
        Garment::Shorts => "Clothing > Shorts",
        Garment::Jacket | Garment::Coat => "Clothing > Outerwear",
        Garment::Beanie | Garment::Hat => "Accessories > Headwear",
        Garment::Scarf => "Accessories > Scarves",
        Garment::Sneakers => "Shoes > Sneakers",
        Garment::Bag => "Accessories > Bags",
    }
}

pub(crate) fn material(style: &Style) -> &'static str {
    match (style.garment, style.pattern) {
        (_, Pattern::Denim) => "denim",
        (Garment::Beanie | Garment::Scarf | Garment::Sweater | Garment::Coat, _) => "wool",
        (Garment::Hoodie, _) => "cotton fleece",
        (Garment::Dress | Garment::Skirt, _) => "viscose",
        (Garment::Bag, _) if style.cut == Cut::Handbag => "leather",
        (Garment::Bag | Garment::Sneakers, _) => "canvas",
        (Garment::Jacket, _) if style.cut == Cut::Bomber => "nylon",
        _ => "cotton",
    }
}

/// The garment as people call it: "bobble hat", "trucker jacket", "pleated skirt".
fn noun(style: &Style) -> &'static str {
    match (style.garment, style.cut) {
        (Garment::Jacket, Cut::Bomber) => "bomber jacket",
        (Garment::Jacket, Cut::Trucker) => "jacket",
        (Garment::Jacket, Cut::Blazer) => "blazer",
        (Garment::Beanie, Cut::Pompom) => "bobble beanie",
        (Garment::Hat, Cut::Cap) => "baseball cap",
        (Garment::Hat, _) => "sun hat",
        (Garment::Sneakers, Cut::High) => "high-top sneakers",
        (Garment::Bag, Cut::Tote) => "tote bag",
        (Garment::Bag, Cut::Backpack) => "backpack",
        (Garment::Bag, _) => "handbag",
        (Garment::Skirt, Cut::Pleated) => "pleated skirt",
        (Garment::Skirt, Cut::Pencil) => "pencil skirt",
        (garment, _) => garment.name(),
    }
}

/// Joins the words that say something.
fn join(words: &[&str]) -> String {
    words.iter().copied().filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The pattern unless it is the one nobody mentions.
fn pattern(style: &Style) -> &'static str {
    if style.pattern == Pattern::Plain { "" } else { style.pattern.name() }
}

pub(crate) fn caption(style: &Style) -> String {
    // Jeans are denim by name; wool is said where it is what people look for.
    let pattern = if style.garment == Garment::Jeans { "" } else { pattern(style) };
    let wool = matches!(style.garment, Garment::Beanie | Garment::Scarf) && pattern.is_empty();
    join(&[style.color.name(), pattern, if wool { "wool" } else { "" }, noun(style)])
}

pub(crate) fn title(style: &Style, brand: &str) -> String {
    let detail = style
        .length
        .map(|l| l.name())
        .or_else(|| style.neck.filter(|n| *n != Neck::Crew).map(|n| n.name()))
        .unwrap_or("");
    let words = join(&[brand, detail, pattern(style), noun(style)]);
    let words = if style.garment == Garment::Jeans { words.replace("denim ", "") } else { words };
    let mut title = String::new();
    for (i, word) in words.split(' ').enumerate() {
        if i > 0 {
            title.push(' ');
        }
        let mut chars = word.chars();
        title.extend(chars.next().map(|c| c.to_ascii_uppercase()));
        title.push_str(chars.as_str());
    }
    format!("{title} in {}", style.color.name())
}

/// What a longer caption adds: sleeves, length, neckline, second colour.
fn details(style: &Style) -> Vec<String> {
    let mut details = Vec::new();
    match style.sleeve {
        Some(Sleeve::None) => details.push("without sleeves".to_owned()),
        Some(Sleeve::Short) => details.push("with short sleeves".to_owned()),
        Some(Sleeve::Long) => details.push("with long sleeves".to_owned()),
        None => {}
    }
    if let Some(neck) = style.neck {
        details.push(format!("with a {}", neck.name()));
    }
    let print = match style.pattern {
        Pattern::Striped => "stripes",
        Pattern::Dotted => "dots",
        Pattern::Checked => "checks",
        Pattern::Floral => "flowers",
        _ => return details,
    };
    details.push(format!("with {} {print}", style.accent.name()));
    details
}

pub(crate) fn captions(style: &Style, seed: u64, n: usize) -> Vec<String> {
    let short = caption(style);
    let mut rng = Rng::new(seed);
    let mut captions = vec![short.clone()];
    while captions.len() < n {
        let article = if matches!(
            style.garment,
            Garment::Jeans | Garment::Trousers | Garment::Shorts | Garment::Sneakers
        ) {
            "a pair of"
        } else if short.starts_with(['a', 'e', 'i', 'o', 'u']) {
            "an"
        } else {
            "a"
        };
        let length = style.length.map_or("", |l| l.name());
        let detail = details(style);
        let detail =
            if detail.is_empty() { String::new() } else { detail[rng.index(detail.len())].clone() };
        captions.push(match rng.index(8) {
            0 => format!("{article} {short}"),
            1 => format!("a photo of {article} {short}"),
            2 => join(&[&short, &detail]),
            3 => join(&[article, &short, &detail]),
            4 => join(&[style.color.name(), length, style.garment.name()]),
            5 => join(&[pattern(style), length, noun(style), "in", style.color.name()]),
            6 => join(&[style.color.name(), style.garment.name()]),
            _ => join(&[style.color.name(), material(style), noun(style), &detail]),
        });
    }
    captions.truncate(n);
    captions
}

pub(crate) fn description(style: &Style, rng: &mut Rng) -> String {
    let opening = rng.pick(&["An everyday", "A carefully made", "A light", "Our favourite"]);
    let care = rng.pick(&["Machine wash cold.", "Hand wash.", "Wipe clean.", "Do not tumble dry."]);
    let detail = details(style);
    let what = join(&[&caption(style), &detail.join(", ")]);
    format!("{opening} {what}. Made of {}. {care}", material(style))
}

pub(crate) fn price(garment: Garment, rng: &mut Rng) -> String {
    let (low, high) = match garment {
        Garment::TShirt | Garment::Beanie | Garment::Shorts | Garment::Hat => (12, 45),
        Garment::Coat | Garment::Jacket => (79, 260),
        Garment::Sneakers | Garment::Bag | Garment::Dress => (39, 160),
        _ => (25, 95),
    };
    let whole = low + rng.index(high - low);
    format!("{whole}.{}", rng.pick(&["00", "50", "90", "95", "99"]))
}

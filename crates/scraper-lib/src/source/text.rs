//! How shops write prices, availability and markup.

use super::Availability;

pub(super) use super::price::currency;

/// A price and, where it is known or written with it, the currency. `None` where no single price
/// can be read.
pub(super) fn price_in(text: &str, currency: Option<&str>) -> Option<(f64, Option<String>)> {
    super::price::read(text, currency).ok().map(|money| (money.amount, money.currency))
}

/// Names of schema.org ("https://schema.org/InStock"), of Merchant feeds ("in stock"), of
/// OpenGraph ("instock").
pub(super) fn availability(text: &str) -> Option<Availability> {
    let name = text.trim().trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or_default();
    let name: String =
        name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    Some(match name.as_str() {
        "instock" | "limitedavailability" | "instoreonly" | "onlineonly" | "available" | "true" => {
            Availability::InStock
        }
        "outofstock" | "soldout" | "oos" | "unavailable" | "false" => Availability::OutOfStock,
        "preorder" | "presale" => Availability::Preorder,
        "backorder" | "madetoorder" | "availablefororder" => Availability::Backorder,
        "discontinued" => Availability::Discontinued,
        _ => return shown_availability(text),
    })
}

/// What shops print beside an article.
fn shown_availability(text: &str) -> Option<Availability> {
    const IN: &[&str] = &[
        "auf lager",
        "sofort lieferbar",
        "lieferbar",
        "verfügbar",
        "vorrätig",
        "en stock",
        "disponible",
        "disponibile",
        "disponível",
        "em estoque",
        "op voorraad",
        "i lager",
        "på lager",
        "varastossa",
        "dostępny",
        "na stanie",
        "skladem",
        "в наличии",
        "stokta var",
        "raktáron",
        "in stoc",
        "在庫あり",
        "有货",
        "available now",
        "in stock and ready to ship",
        "ready to ship",
    ];
    const OUT: &[&str] = &[
        "ausverkauft",
        "nicht verfügbar",
        "nicht lieferbar",
        "nicht auf lager",
        "épuisé",
        "rupture de stock",
        "en rupture de stock",
        "agotado",
        "sin stock",
        "no disponible",
        "esaurito",
        "non disponibile",
        "esgotado",
        "indisponível",
        "uitverkocht",
        "niet op voorraad",
        "slutsåld",
        "slut i lager",
        "udsolgt",
        "utsolgt",
        "loppu",
        "niedostępny",
        "wyprzedane",
        "vyprodáno",
        "нет в наличии",
        "tükendi",
        "elfogyott",
        "stoc epuizat",
        "在庫なし",
        "品切れ",
        "缺货",
        "currently unavailable",
        "temporarily out of stock",
        "not available",
        "no longer available",
    ];
    let text = some(&text.to_lowercase())?;
    let text = text.trim_matches(|c: char| !c.is_alphanumeric());
    if OUT.contains(&text) {
        return Some(Availability::OutOfStock);
    }
    IN.contains(&text).then_some(Availability::InStock)
}

/// Elements whose contents are no text of the page.
const HIDDEN: [&str; 6] = ["script", "style", "template", "noscript", "iframe", "textarea"];

/// Plain text of HTML: no tags, no scripts, entities resolved, runs of space as one. It takes time
/// and memory proportional to the text, whatever that is: no tree is built.
pub(super) fn plain(html: &str) -> Option<String> {
    if !html.contains(['<', '&']) {
        return some(html);
    }
    let text = without_tags(html);
    if !text.contains('&') {
        return some(&text);
    }
    // No tag is left: a tree of one text, with the entities resolved.
    let text = text.replace('<', "&lt;");
    some(&dom_query::Document::fragment(text).text())
}

/// A space for each tag and comment, nothing of what is hidden.
fn without_tags(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at(at);
        text.push_str(before);
        let Some(length) = tag_length(tag) else {
            text.push('<');
            rest = tag.get(1..).unwrap_or_default();
            continue;
        };
        text.push(' ');
        let name_end = tag.get(1..).unwrap_or_default().find(|c: char| !c.is_ascii_alphanumeric());
        let name = tag.get(1..1 + name_end.unwrap_or(0)).unwrap_or_default();
        rest = tag.get(length..).unwrap_or_default();
        if HIDDEN.iter().any(|hidden| name.eq_ignore_ascii_case(hidden)) {
            rest = after_end_tag(rest, name);
        }
    }
    text.push_str(rest);
    text
}

/// Bytes of the tag or comment that a text begins with; `None` where a `<` is only a sign.
fn tag_length(text: &str) -> Option<usize> {
    if text.starts_with("<!--") {
        return Some(text.find("-->").map_or(text.len(), |end| end + 3));
    }
    let starts = |c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?');
    if !text.get(1..)?.starts_with(starts) {
        return None;
    }
    // A `>` in a quoted value ends nothing.
    let mut quote = None;
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(at + 1),
            (None, b'"' | b'\'') if text.as_bytes().get(at.wrapping_sub(1)) == Some(&b'=') => {
                quote = Some(byte);
            }
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    Some(text.len())
}

/// What follows `</name>`.
fn after_end_tag<'a>(text: &'a str, name: &str) -> &'a str {
    let mut rest = text;
    while let Some(at) = rest.find("</") {
        let end = rest.get(at..).unwrap_or_default();
        let found = end.get(2..2 + name.len());
        if found.is_some_and(|found| found.eq_ignore_ascii_case(name)) {
            return end.get(tag_length(end).unwrap_or(end.len())..).unwrap_or_default();
        }
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    ""
}

/// Entities that were escaped once too often: `&amp;amp;`, `&amp;quot;`.
pub(super) fn unescaped(text: &str) -> String {
    match text.contains('&') && text.contains(';') {
        true => plain(&text.replace('<', "&lt;")).unwrap_or_default(),
        false => text.to_owned(),
    }
}

/// The text of [`some`], unless it is what a template left behind or a program wrote for "nothing":
/// `{{ name }}`, `$metabrand`, `null`.
pub(super) fn meaningful(text: &str) -> Option<String> {
    let text = some(text)?;
    let marks = ["{{", "}}", "${", "<%", "%%", "[[", "{%", "@@", "#{"];
    let variable = text.strip_prefix(['$', '@', '%']).is_some_and(|name| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name
                .trim_end_matches('%')
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'))
    });
    let nothing = [
        "null",
        "undefined",
        "nan",
        "n/a",
        "none",
        "(none)",
        "-",
        "--",
        "false",
        "[object object]",
    ];
    let nothing = nothing.contains(&text.to_ascii_lowercase().as_str());
    let template = marks.iter().any(|mark| text.contains(mark));
    (!variable && !nothing && !template).then_some(text)
}

/// Runs of white space as one space; `None` if nothing is left.
pub(super) fn some(text: &str) -> Option<String> {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    (!text.is_empty()).then_some(text)
}

/// A field name as it is looked for: "g:Image Link" is `image_link`.
pub(super) fn field(name: &str) -> String {
    let name = name.trim().trim_start_matches('\u{feff}').to_lowercase();
    let name = name.strip_prefix("g:").unwrap_or(&name).replace([' ', '-'], "_");
    // Facebook's template: `image[0].url`.
    match name.strip_prefix("image[").and_then(|rest| rest.strip_suffix("].url")) {
        Some("0") => "image_link".to_owned(),
        Some(_) => "additional_image_link".to_owned(),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn availability_in_many_spellings() {
        for text in ["https://schema.org/InStock", "InStock", "in stock", "in_stock", "instock "] {
            assert_eq!(availability(text), Some(Availability::InStock), "{text}");
        }
        assert_eq!(availability("http://schema.org/SoldOut"), Some(Availability::OutOfStock));
        assert_eq!(availability("out of stock"), Some(Availability::OutOfStock));
        assert_eq!(availability("schema:PreOrder"), Some(Availability::Preorder));
        assert_eq!(availability("soon"), None);
    }

    #[test]
    fn markup_becomes_text() {
        let html = "<p>Cotton &amp; linen<br>Size:&nbsp;<b>M</b></p><ul><li>one</li><li>two</li></ul>\
            <script>alert(1)</script><style>p{}</style> a &lt; b";
        assert_eq!(plain(html).unwrap(), "Cotton & linen Size: M one two a < b");
        assert_eq!(plain("just  text\n"), Some("just text".into()));
        assert_eq!(plain("<p> </p>"), None);
        assert_eq!(plain("5 < 6 & more").unwrap(), "5 < 6 & more");
        assert_eq!(plain("a<br/>b<img alt='x > y' src=a>c<!-- d > e -->f").unwrap(), "a b c f");
        assert_eq!(plain("<SCRIPT>a</b></script >b<style>").unwrap(), "b");
        assert_eq!(plain("Caf&eacute; &lt;b&gt; &#8364;5<3").unwrap(), "Café <b> €5<3");
    }

    #[test]
    fn hostile_markup_costs_its_length() {
        let many: String = (0..300_000).map(|i| format!(" a{i}")).collect();
        for (markup, text) in [
            ("<div></x>".repeat(300_000), None),
            ("<div>x".repeat(300_000), Some(600_000 - 1)),
            (format!("<p{many}>x"), Some(1)),
            ("<p><b></x><i></x>".repeat(100_000), None),
            ("<".repeat(2_000_000), Some(2_000_000)),
            ("<script></".repeat(200_000), None),
        ] {
            assert_eq!(plain(&markup).map(|text| text.len()), text);
        }
    }
}

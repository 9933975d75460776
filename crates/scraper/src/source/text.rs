//! How shops write prices, availability and markup.

use super::Availability;

/// What costs more is no price: even in currencies of small units nothing does.
const MOST: f64 = 1e12;

/// A number and, where it is written with it, the currency: "19.95 EUR", "1.299,00 €", "$ 20".
/// `None` where no single price can be read.
pub(super) fn price(text: &str) -> Option<(f64, Option<String>)> {
    let text = text.trim();
    let is_number = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | '\'');
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let length = text.get(start..)?.find(|c| !is_number(c)).unwrap_or(text.len() - start);
    let digits = text.get(start..start + length)?;
    let (before, after) = (text.get(..start)?, text.get(start + length..)?);
    if before.contains('-') || after.contains(|c: char| c.is_ascii_digit()) {
        return None; // negative, or a range
    }
    let amount = amount(digits.trim_end_matches(['.', ',', '\'']))?;
    let currency = currency(before).or_else(|| currency(after));
    Some((amount, currency))
}

/// "1,299.00", "1.299,00", "1 299" (spaces end the number before this), "19,95".
fn amount(digits: &str) -> Option<f64> {
    // The last separator is the decimal one, unless three digits follow and no other sort of
    // separator precedes it: "1.299" is more often 1299 than a price in mills.
    let decimal = digits.rfind(['.', ',']).filter(|&at| {
        let fraction = digits.len() - at - 1;
        let separator = digits.get(at..=at).unwrap_or_default();
        let others = digits.get(..at).unwrap_or_default();
        let repeated = others.contains(separator);
        !repeated && (fraction != 3 || others.contains([',', '.']) || others == "0")
    });
    let (whole, fraction) = match decimal {
        Some(at) => (digits.get(..at)?, digits.get(at + 1..)?),
        None => (digits, ""),
    };
    let plain: String = whole.chars().filter(char::is_ascii_digit).collect();
    let amount: f64 = format!("{plain}.{fraction}0").parse().ok()?;
    (0.0..MOST).contains(&amount).then_some(amount)
}

/// An ISO 4217 code, or the sign of a currency that has only one.
pub(super) fn currency(text: &str) -> Option<String> {
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '.');
    if text.len() == 3 && text.bytes().all(|b| b.is_ascii_alphabetic()) {
        return Some(text.to_ascii_uppercase());
    }
    let code = match text {
        "€" => "EUR",
        "£" => "GBP",
        "₹" => "INR",
        "₺" => "TRY",
        "zł" => "PLN",
        "Kč" => "CZK",
        "US$" => "USD",
        _ => return None, // "$", "¥", "kr" are many
    };
    Some(code.to_owned())
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
        _ => return None,
    })
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

/// Runs of white space as one space; `None` if nothing is left.
pub(super) fn some(text: &str) -> Option<String> {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_in_many_spellings() {
        let eur = |amount| Some((amount, Some("EUR".to_owned())));
        assert_eq!(price("19.95 EUR"), eur(19.95));
        assert_eq!(price("EUR 19,95"), eur(19.95));
        assert_eq!(price("1.299,00 €"), eur(1299.0));
        assert_eq!(price("1,299.00"), Some((1299.0, None)));
        assert_eq!(price("1.299"), Some((1299.0, None)));
        assert_eq!(price("1.234.567"), Some((1_234_567.0, None)));
        assert_eq!(price("1'299.50"), Some((1299.5, None)));
        assert_eq!(price("0.125"), Some((0.125, None)));
        assert_eq!(price("$20"), Some((20.0, None)), "whose dollars is not said");
        assert_eq!(price("20.-"), Some((20.0, None)));
        assert_eq!(price("19.9"), Some((19.9, None)));
        for bad in ["", "free", "-3", "10 - 20 EUR", "10–20", "EUR", "NaN", "Infinity", "1e400"] {
            assert_eq!(price(bad), None, "{bad}");
        }
        assert_eq!(price("999999999999 IRR"), Some((999_999_999_999.0, Some("IRR".into()))));
        for digits in [13, 400, 5000] {
            assert_eq!(price(&format!("{} EUR", "9".repeat(digits))), None, "{digits} digits");
            assert_eq!(price(&format!("{},00 EUR", "9".repeat(digits))), None, "{digits} digits");
        }
    }

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

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

/// Elements lie at most so deep in each other, as in browsers; parsing takes time proportional to
/// it for each tag.
const DEPTH: usize = 512;

/// Elements that need no end tag.
const UNENDED: [&str; 31] = [
    "area", "base", "body", "br", "col", "colgroup", "dd", "dt", "embed", "head", "hr", "html",
    "img", "input", "li", "link", "meta", "optgroup", "option", "p", "param", "rp", "rt", "source",
    "tbody", "td", "tfoot", "th", "thead", "tr", "wbr",
];

/// Whether HTML is nested deeper than any page is, and would take for ever to be parsed.
pub(super) fn is_too_deep(html: &str) -> bool {
    let mut depth = 0_usize;
    for tag in html.split('<').skip(1) {
        if tag.starts_with('/') {
            depth = depth.saturating_sub(1);
        } else if tag.starts_with(|c: char| c.is_ascii_alphabetic()) {
            let end = tag.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(tag.len());
            let name = tag.get(..end).unwrap_or_default();
            if !UNENDED.iter().any(|unended| name.eq_ignore_ascii_case(unended)) {
                depth += 1;
            }
        }
        if depth > DEPTH {
            return true;
        }
    }
    false
}

/// Plain text of HTML: no tags, no scripts, entities resolved, runs of space as one.
pub(super) fn plain(html: &str) -> Option<String> {
    let text = match html.contains(['<', '&']) {
        false => html.to_owned(),
        true if is_too_deep(html) => return None, // no shop's description
        true => {
            // Blocks end where words end.
            let spaced = html.replace('<', " <");
            let fragment = dom_query::Document::fragment(spaced);
            fragment.select("script, style, template, noscript").remove();
            fragment.text().to_string()
        }
    };
    some(&text)
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
        assert!(plain(&"<div>".repeat(500_000)).is_none(), "depth does no harm");
    }
}

//! The questions that are asked.

use std::{collections::HashSet, fmt};

/// What a shop says of itself.
pub(super) const SITE: &str =
    "{storeConfig{store_code secure_base_link_url base_link_url product_url_suffix}}";

/// Which products are asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Select {
    /// A search for nothing in particular.
    All,
    Price(Range),
}

/// Prices, both ends included, in hundredths of the shop's currency.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Range {
    from: u64,
    to: Option<u64>,
}

impl Range {
    pub(super) const ALL: Range = Range { from: 0, to: None };
    /// Nothing costs more, in hundredths.
    const MOST: u64 = 1_000_000_000_000;

    /// Two ranges that hold the same prices; they share the one between them, so that none is lost.
    pub(super) fn halves(self) -> Option<(Range, Range)> {
        let middle = match self.to {
            None if self.from >= Self::MOST => return None,
            None => (self.from * 4).max(5_000),
            Some(to) if to.saturating_sub(self.from) < 2 => return None,
            Some(to) => u64::midpoint(self.from, to),
        };
        Some((Range { to: Some(middle), ..self }, Range { from: middle, ..self }))
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let price = |f: &mut fmt::Formatter<'_>, p: u64| write!(f, "{}.{:02}", p / 100, p % 100);
        price(f, self.from)?;
        match self.to {
            Some(to) => {
                f.write_str(" to ")?;
                price(f, to)
            }
            None => f.write_str(" and more"),
        }
    }
}

/// A page of products, without the fields and types that the shop does not know.
pub(super) fn products(
    select: &Select,
    size: usize,
    page: u64,
    unknown: &HashSet<String>,
) -> String {
    let which = match select {
        Select::All => "search:\"\"".to_owned(),
        Select::Price(Range { from, to }) => {
            let price = |p: &u64| format!("{}.{:02}", p / 100, p % 100);
            let to = to.as_ref().map(|to| format!(",to:\"{}\"", price(to))).unwrap_or_default();
            format!("filter:{{price:{{from:\"{}\"{to}}}}}", price(from))
        }
    };
    let field = |name: &str, inner: &str| match unknown.contains(name) {
        true => String::new(),
        false => format!(" {name}{inner}"),
    };
    let names = |names: &[&str]| names.iter().map(|name| field(name, "")).collect::<String>();
    let on = |kind: &str, inner: String| match unknown.contains(kind) {
        true => String::new(),
        false => format!("...on {kind}{{{inner}}}"),
    };
    let prices = field(
        "price_range",
        "{minimum_price{regular_price{value currency}final_price{value currency}}}",
    );
    let gallery = format!("{{__typename url{}}}", names(&["disabled", "position"]));
    let images = field("image", "{url}") + &field("media_gallery", &gallery);
    let categories = format!(
        "{{name{}{}}}",
        names(&["level", "url_path"]),
        field("breadcrumbs", "{category_name category_level}")
    );
    let attributes = format!(
        "{{items{{code{}{}}}}}",
        on("AttributeValue", "value".into()),
        on("AttributeSelectedOptions", "selected_options{label}".into())
    );
    let variants = on(
        "ConfigurableProduct",
        field("configurable_options", "{attribute_code label values{label}}")
            + &field("variants", &format!("{{product{{sku{images}}}}}")),
    );
    let item = [
        names(&["id", "uid", "name", "url_key", "url_suffix", "canonical_url", "stock_status"]),
        field("description", "{html}"),
        field("short_description", "{html}"),
        prices,
        images.clone(),
        field("categories", &categories),
        field("custom_attributesV2", &attributes),
        variants,
    ]
    .concat();
    format!(
        "{{products({which},pageSize:{size},currentPage:{page}){{total_count items{{sku{item}}}}}}}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_fields_are_not_asked_for() {
        let all = products(&Select::All, 100, 2, &HashSet::new());
        assert!(all.starts_with("{products(search:\"\",pageSize:100,currentPage:2){total_count"));
        assert_eq!(all.matches('{').count(), all.matches('}').count());
        let unknown = ["uid", "media_gallery", "ConfigurableProduct", "custom_attributesV2"];
        let less = products(&Select::All, 1, 1, &unknown.map(String::from).into());
        for name in unknown {
            assert!(all.contains(name) && !less.contains(name), "{name}: {less}");
        }
        assert_eq!(less.matches('{').count(), less.matches('}').count());
        let priced =
            products(&Select::Price(Range { from: 5, to: Some(1999) }), 1, 1, &HashSet::new());
        assert!(priced.contains("filter:{price:{from:\"0.05\",to:\"19.99\"}}"), "{priced}");
    }

    #[test]
    fn halves_hold_every_price() {
        let (mut ranges, mut parts) = (vec![Range::ALL], Vec::new());
        while let Some(range) = ranges.pop() {
            match range.halves().filter(|_| parts.len() + ranges.len() < 200) {
                Some((low, high)) => {
                    assert_eq!(
                        (low.from, low.to, high.to),
                        (range.from, Some(high.from), range.to)
                    );
                    ranges.extend([high, low]);
                }
                None => parts.push(range),
            }
        }
        assert!(parts.windows(2).all(|pair| pair[0].to == Some(pair[1].from)), "{parts:?}");
        assert!(Range { from: 7, to: Some(8) }.halves().is_none());
        assert!(Range { from: Range::MOST, to: None }.halves().is_none());
    }
}

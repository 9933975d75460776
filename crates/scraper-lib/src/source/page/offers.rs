//! The price of a product from its offers (<https://schema.org/Offer>).
//!
//! What can be bought goes before a cheaper thing that cannot. Prices that only members pay, list
//! prices, prices per quantity and delivery are none of the product's; those that are of use become
//! attributes.

use std::{
    collections::HashSet,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{
    budget::Blown,
    graph::{Datum, Graph},
    report::{Origin, Report},
};
use crate::source::{Availability, price, text};

/// What offers tell of a product.
#[derive(Debug, Default, Clone)]
pub(super) struct Offered {
    pub(super) price: Option<f64>,
    pub(super) currency: Option<String>,
    pub(super) availability: Option<Availability>,
    /// Struck through, recommended, regular.
    pub(super) list_price: Option<f64>,
    /// Per kilogram, per litre …
    pub(super) unit_price: Option<f64>,
    pub(super) condition: Option<String>,
}

/// One price that is asked.
#[derive(Debug, Clone)]
struct Asked {
    amount: f64,
    currency: Option<String>,
    availability: Option<Availability>,
    /// Its offer has the page's own address.
    own: bool,
}

/// What a price specification is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Sort {
    Price,
    Sale,
    List,
    Unit,
    /// Not of today.
    Expired,
    /// Of members, delivery, instalments.
    Other,
}

/// Reads the offers of items.
pub(super) struct Reader<'a, 'g> {
    pub(super) graph: &'a Graph<'g>,
    pub(super) origin: Origin,
    /// The page's addresses: the offer for one of them is the one that is shown.
    pub(super) own: &'a dyn Fn(&str) -> bool,
    pub(super) report: &'a mut Report,
    asked: Vec<Asked>,
    stock: Vec<Availability>,
    found: Offered,
    seen: HashSet<usize>,
}

impl<'a, 'g> Reader<'a, 'g> {
    pub(super) fn new(
        graph: &'a Graph<'g>,
        origin: Origin,
        own: &'a dyn Fn(&str) -> bool,
        report: &'a mut Report,
    ) -> Self {
        let (asked, stock, found) = (Vec::new(), Vec::new(), Offered::default());
        Reader { graph, origin, own, report, asked, stock, found, seen: HashSet::new() }
    }

    /// Takes the offers of a product (or variant) in.
    pub(super) fn product(&mut self, at: usize) -> Result<(), Blown> {
        if !self.seen.insert(at) {
            return Ok(());
        }
        let mut waiting = Vec::new();
        for name in ["offers", "offer", "offerdetails"] {
            waiting.extend(self.graph.nested(at, name)?);
        }
        waiting.reverse();
        while let Some(offer) = waiting.pop() {
            if !self.seen.insert(offer) {
                continue;
            }
            let inner = self.graph.nested(offer, "offers")?;
            let before = self.asked.len();
            self.offer(offer)?;
            for offer in &inner {
                if self.seen.insert(*offer) {
                    self.offer(*offer)?;
                    waiting.extend(self.graph.nested(*offer, "offers")?);
                }
            }
            // What an aggregate says of all is of use where none says more.
            if self.asked.len() == before {
                self.price(offer, "lowprice", None)?;
            }
        }
        // Some write the price at the product itself.
        if self.asked.is_empty() && self.graph.item(at).is_some_and(|item| item.has("price")) {
            self.offer(at)?;
        }
        Ok(())
    }

    /// One offer; of an aggregate only what it says of itself.
    fn offer(&mut self, at: usize) -> Result<(), Blown> {
        let availability = self.graph.text(at, "availability");
        let availability = availability.as_deref().and_then(text::availability);
        self.stock.extend(availability);
        if self.found.condition.is_none() {
            self.found.condition = self.graph.text(at, "itemcondition");
        }
        let before = self.asked.len();
        self.price(at, "price", availability)?;
        let has_price = self.asked.len() > before;
        let mut specified = Vec::new();
        for specification in self.graph.nested(at, "pricespecification")? {
            if let Some(amount) = self.amount(specification, at, "price")?.or(self.amount(
                specification,
                at,
                "minprice",
            )?) {
                specified.push((self.sort(specification), amount));
            }
        }
        let sale = specified.iter().any(|(sort, _)| *sort == Sort::Sale);
        let current: Vec<_> = specified
            .iter()
            .filter(|(sort, _)| *sort == if sale { Sort::Sale } else { Sort::Price })
            .collect();
        // Dates decide between prices; the only one counts though its date was forgotten.
        let lists = specified.iter().filter(|(sort, _)| *sort == Sort::List);
        let expired = specified.iter().filter(|(sort, _)| *sort == Sort::Expired);
        let chosen: Vec<_> = match (current.is_empty(), lists.clone().next()) {
            (false, _) => current,
            (true, Some(_)) => lists.collect(),
            (true, None) => expired.collect(),
        };
        for (sort, (amount, _)) in &specified {
            match sort {
                Sort::Unit => self.found.unit_price = self.found.unit_price.or(Some(*amount)),
                Sort::List => self.found.list_price = self.found.list_price.or(Some(*amount)),
                Sort::Price if sale => {
                    self.found.list_price = self.found.list_price.or(Some(*amount));
                }
                _ => {}
            }
        }
        if has_price {
            return Ok(());
        }
        let own = self.is_own(at);
        for (_, (amount, currency)) in chosen {
            let currency = currency.clone();
            self.asked.push(Asked { amount: *amount, currency, availability, own });
        }
        Ok(())
    }

    fn is_own(&self, at: usize) -> bool {
        self.graph.text(at, "url").is_some_and(|url| (self.own)(&url))
    }

    fn price(
        &mut self,
        at: usize,
        name: &str,
        availability: Option<Availability>,
    ) -> Result<(), Blown> {
        if let Some((amount, currency)) = self.amount(at, at, name)? {
            let own = self.is_own(at);
            self.asked.push(Asked { amount, currency, availability, own });
        }
        Ok(())
    }

    /// The amount of a property, in the currency of its item or else of its offer.
    fn amount(
        &mut self,
        at: usize,
        offer: usize,
        name: &str,
    ) -> Result<Option<(f64, Option<String>)>, Blown> {
        let code = |at: usize| {
            let names = ["pricecurrency", "currency"];
            let text = names.iter().find_map(|name| self.graph.text(at, name))?;
            price::currency(&text)
        };
        let currency = code(at).or_else(|| code(offer));
        for value in self.graph.values(at, name)? {
            let read = match value {
                Datum::Number(text) => match text.parse() {
                    Ok(amount) => Ok(price::Money { amount, currency: currency.clone() }),
                    Err(_) => Err("no number"),
                },
                value => match (value, self.graph.string(value)) {
                    // As it is written: prices on lines of their own are told apart.
                    (Datum::Text(text), Some(_)) => price::read(text, currency.as_deref()),
                    (_, Some(text)) => price::read(&text, currency.as_deref()),
                    (_, None) => Err("what a template left"),
                },
            };
            let bounded = read.and_then(|money| match money.amount {
                amount if !amount.is_finite() || amount >= price::MOST => {
                    Err("larger than any price")
                }
                amount if amount <= 0.0 => Err("nothing is sold for it"),
                _ => Ok(money),
            });
            match bounded {
                Ok(money) => return Ok(Some((money.amount, money.currency))),
                Err(reason) => {
                    let text = match value {
                        Datum::Text(text) | Datum::Number(text) => text.as_str(),
                        Datum::Item(_) => "",
                    };
                    self.report.refuse("price", self.origin, text, reason);
                }
            }
        }
        Ok(None)
    }

    fn sort(&self, at: usize) -> Sort {
        let Some(item) = self.graph.item(at) else { return Sort::Other };
        let is = |kind| item.is(kind);
        if item.has("validformembertier")
            || item.has("membershippointsearned")
            || item.has("billingduration")
            || item.has("billingincrement")
            || is("deliverychargespecification")
            || is("paymentchargespecification")
        {
            return Sort::Other;
        }
        let kind = self.graph.text(at, "pricetype").map(|kind| super::graph::local(&kind));
        let sort = match kind.as_deref() {
            Some(
                "strikethroughprice"
                | "listprice"
                | "srp"
                | "msrp"
                | "regularprice"
                | "minimumadvertisedprice"
                | "suggestedretailprice",
            ) => Sort::List,
            Some("saleprice") => Sort::Sale,
            Some("invoiceprice") => Sort::Other,
            _ if self.is_per_quantity(at) => Sort::Unit,
            _ => Sort::Price,
        };
        match self.is_current(at) {
            true => sort,
            false if matches!(sort, Sort::Price | Sort::Sale) => Sort::Expired,
            false => sort,
        }
    }

    /// Of 100 g, of a litre; not of one piece.
    fn is_per_quantity(&self, at: usize) -> bool {
        let Ok(quantities) = self.graph.nested(at, "referencequantity") else { return false };
        quantities.iter().any(|quantity| {
            let unit = ["unitcode", "unittext"].iter().find_map(|n| self.graph.text(*quantity, n));
            let piece = unit.is_none_or(|unit| {
                matches!(
                    unit.to_ascii_uppercase().as_str(),
                    "C62" | "H87" | "EA" | "PCE" | "PIECE" | "ITEM"
                )
            });
            !piece
        })
    }

    /// Whether today lies in its dates.
    fn is_current(&self, at: usize) -> bool {
        let today = today();
        let day = |name| self.graph.text(at, name).filter(|text| is_day(text));
        let before = day("validfrom").is_some_and(|from| from.get(..10) > Some(today.as_str()));
        let after = day("validthrough").is_some_and(|to| to.get(..10) < Some(today.as_str()));
        !before && !after
    }

    /// The price of what can be bought, else of what may be, else of what cannot; of these that of
    /// the page's own address, else the lowest.
    pub(super) fn finish(self) -> Offered {
        let mut found = self.found;
        let class = |asked: &Asked| match asked.availability {
            Some(Availability::InStock) => 0,
            None | Some(Availability::Preorder | Availability::Backorder) => 1,
            Some(Availability::OutOfStock | Availability::Discontinued) => 2,
        };
        // Prices in another currency than the first are not comparable.
        let currency = self.asked.iter().find_map(|asked| asked.currency.clone());
        let comparable =
            self.asked.iter().filter(|a| a.currency.is_none() || a.currency == currency);
        let best = comparable.min_by(|a, b| {
            (!a.own, class(a)).cmp(&(!b.own, class(b))).then(a.amount.total_cmp(&b.amount))
        });
        found.price = best.map(|best| best.amount);
        found.currency = currency.or_else(|| found.currency.take());
        found.availability = best
            .and_then(|best| best.availability)
            .or_else(|| self.stock.iter().copied().min_by_key(|a| *a != Availability::InStock));
        // A list price is above the price, or it is none.
        found.list_price = found.list_price.filter(|list| found.price.is_some_and(|p| *list > p));
        found
    }

    /// The offer that has the product inside.
    pub(super) fn around(&mut self, offer: usize) -> Result<(), Blown> {
        match self.seen.insert(offer) {
            true => self.offer(offer),
            false => Ok(()),
        }
    }

    pub(super) fn has_price(&self) -> bool {
        !self.asked.is_empty()
    }

    /// The currency, where there is no price to go with it.
    pub(super) fn currency_alone(&mut self, at: usize) -> Result<(), Blown> {
        for offer in self.graph.nested(at, "offers")? {
            let text = self.graph.text(offer, "pricecurrency");
            let code = text.as_deref().and_then(price::currency);
            self.found.currency = self.found.currency.take().or(code);
        }
        Ok(())
    }
}

fn is_day(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 10
        && bytes.iter().take(10).enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

/// The day it is in Greenwich, as "2026-01-31" (Howard Hinnant's `civil_from_days`).
fn today() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let days = seconds / 86_400 + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

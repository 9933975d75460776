//! The offers of one record of a feed or a catalogue.

use super::{Availability, text};

#[derive(Default)]
pub(super) struct Offers {
    pub(super) price: Option<f64>,
    pub(super) currency: Option<String>,
    pub(super) availability: Option<Availability>,
}

impl Offers {
    /// Keeps the lowest; a price in another currency than the first is not comparable.
    pub(super) fn price(&mut self, text: &str, currency: Option<&str>) {
        let currency = currency.and_then(text::currency);
        let Some((amount, currency)) = text::price_in(text, currency.as_deref()) else { return };
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

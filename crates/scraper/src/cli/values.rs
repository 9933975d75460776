//! Values of flags that the library names.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use scraper_lib::{source::Kind, verify::RequestForm};

/// Takes one of `named`: value, name, and what it is.
fn one_of<T: Copy + Send + Sync + 'static>(
    named: impl Iterator<Item = (T, &'static str, &'static str)>,
) -> impl TypedValueParser<Value = T> {
    let named: Vec<_> = named.collect();
    let shown = named.iter().map(|(_, name, about)| PossibleValue::new(*name).help(*about));
    PossibleValuesParser::new(shown.collect::<Vec<_>>()).try_map(move |given| {
        let found = named.iter().find(|(_, name, _)| *name == given);
        found.map(|(value, ..)| *value).ok_or("it is none of them")
    })
}

pub(super) fn kinds() -> impl TypedValueParser<Value = Kind> {
    one_of(Kind::ALL.iter().map(|kind| (*kind, kind.as_str(), kind.about())))
}

pub(super) fn request_forms() -> impl TypedValueParser<Value = RequestForm> {
    one_of(RequestForm::ALL.iter().map(|form| (*form, form.name(), form.about())))
}

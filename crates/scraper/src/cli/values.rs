//! Values of flags that the library names.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use scraper_lib::{
    Error,
    model::Device,
    source::{Kind, Select},
    verify::RequestForm,
};
use serde_json::{Value, json};

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

pub(super) fn devices() -> impl TypedValueParser<Value = Device> {
    one_of(Device::ALL.iter().map(|device| (*device, device.name(), device.about())))
}

pub(super) fn request_forms() -> impl TypedValueParser<Value = RequestForm> {
    one_of(RequestForm::ALL.iter().map(|form| (*form, form.name(), form.about())))
}

/// `FIELD=CSS`, of `--select`.
pub(super) fn selector(text: &str) -> Result<(String, String), String> {
    let (field, css) = text.split_once('=').ok_or("FIELD=CSS, such as price=.price")?;
    Ok((field.trim().to_owned(), css.trim().to_owned()))
}

/// The selectors together.
///
/// # Errors
/// A field that there is not, or a selector that cannot be read.
pub(super) fn select(fields: &[(String, String)]) -> Result<Select, Error> {
    let object = fields.iter().map(|(field, css)| (field.clone(), json!(css))).collect();
    let select: Select = serde_json::from_value(Value::Object(object))
        .map_err(|e| Error::Usage(format!("--select: {e}")))?;
    select.check().map_err(Error::Usage)?;
    Ok(select)
}

//! Search over the store, by words and by meaning.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{Path, RawQuery, State, rejection::BytesRejection},
    http::{HeaderMap, Method, StatusCode},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::form_urlencoded;

use super::{
    Service, guard, inference,
    input::{Input, Plain},
    refusal::Refusal,
    shelf::{Shelf, Wanted},
};
use crate::{
    embed::blocking,
    search::{Found, Mode},
    store::{Filter, View},
};

/// Products in an answer, unless the question says more or fewer; and at most.
const TOP: usize = 12;
const MOST: usize = 1000;
/// Conditions of a question.
const FILTERS: usize = 32;

/// A question as JSON; in an address the same names, `filter` for each condition.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    text: Option<String>,
    image: Option<String>,
    mode: Option<String>,
    top: Option<usize>,
    #[serde(default)]
    filter: Vec<String>,
    floor: Option<bool>,
    source: Option<String>,
}

/// What was found.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    /// Best first.
    found: Vec<Found>,
    /// Where a text found nothing: words of the catalogue that are near to its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    suggestions: Vec<String>,
}

/// Finds products by a text or an image.
pub(super) async fn search(
    State(service): State<Arc<Service>>,
    method: Method,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Answer>, Refusal> {
    let shelf = shelf(&service)?;
    let body = guard::body(&service, body)?;
    let mut question = Question::of_address(query.as_deref().unwrap_or_default())?;
    let mut image = None;
    if method == Method::POST && !inference::is_json(&headers, &body) {
        image = Some(Input::Image(body));
    } else if method == Method::POST {
        question = serde_json::from_slice(&body)
            .map_err(|e| Refusal::bad(format!("the body is no question: {e}")))?;
    }
    if let Some(text) = &question.image {
        image = Some(Input::of(&Value::String(text.clone()), Plain::Image)?);
    }
    let wanted = question.wanted(&service, image).await?;
    let answer = blocking(move || shelf.find(&wanted)).await??;
    Ok(Json(Answer { found: answer.found, suggestions: answer.suggestions }))
}

/// The products that look like one of the store.
pub(super) async fn similar(
    State(service): State<Arc<Service>>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Answer>, Refusal> {
    let shelf = shelf(&service)?;
    let question = Question::of_address(query.as_deref().unwrap_or_default())?;
    let (top, view) = (question.top()?, question.view()?);
    if question.text.is_some() || question.mode.is_some() || question.floor.is_some() {
        return Err(Refusal::bad("what is similar to a product takes source, top and filter"));
    }
    let message = format!("there is no product {id:?} in the store");
    let find = move || shelf.similar(&view, question.source.as_deref(), &id, top);
    let found = blocking(find).await??;
    let missing = || Refusal::new(StatusCode::NOT_FOUND, "product.none", message);
    Ok(Json(Answer { found: found.ok_or_else(missing)?, suggestions: Vec::new() }))
}

fn shelf(service: &Service) -> Result<Arc<Shelf>, Refusal> {
    let none = || {
        let message = "this server has no store to search, and only embeds";
        Refusal::new(StatusCode::NOT_FOUND, "store.none", message)
    };
    service.shelf.clone().ok_or_else(none)
}

impl Question {
    fn of_address(query: &str) -> Result<Self, Refusal> {
        let mut question = Question::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let bad = |what: &str| Refusal::bad(format!("{name}={value}: it is {what}"));
            match &*name {
                "text" => question.text = Some(value.into_owned()),
                "mode" => question.mode = Some(value.into_owned()),
                "source" => question.source = Some(value.into_owned()),
                "filter" => question.filter.push(value.into_owned()),
                "top" => question.top = Some(value.parse().map_err(|_| bad("no number"))?),
                "floor" => {
                    question.floor = Some(value.parse().map_err(|_| bad("true or false"))?);
                }
                _ => {
                    return Err(Refusal::bad(format!(
                        "there is no parameter {name:?}: there are text, mode, top, filter, floor, source"
                    )));
                }
            }
        }
        Ok(question)
    }

    fn top(&self) -> Result<usize, Refusal> {
        match self.top.unwrap_or(TOP) {
            top @ 1..=MOST => Ok(top),
            top => Err(Refusal::bad(format!("top={top}: it is from 1 to {MOST}"))),
        }
    }

    fn view(&self) -> Result<View, Refusal> {
        if self.filter.len() > FILTERS {
            return Err(Refusal::bad(format!("more than {FILTERS} conditions")));
        }
        let filter = Filter::parse(&self.filter).map_err(|e| Refusal::bad(e.to_string()))?;
        Ok(View { filter, vanished: false })
    }

    fn mode(&self) -> Result<Mode, Refusal> {
        match self.mode.as_deref() {
            None | Some("hybrid") => Ok(Mode::Hybrid),
            Some("words") => Ok(Mode::Words),
            Some("vector") => Ok(Mode::Vector),
            Some(other) => {
                Err(Refusal::bad(format!("mode={other}: there are hybrid, words and vector")))
            }
        }
    }

    async fn wanted(self, service: &Service, image: Option<Input>) -> Result<Wanted, Refusal> {
        let (mut mode, top, view) = (self.mode()?, self.top()?, self.view()?);
        if self.source.is_some() {
            return Err(Refusal::bad("a search by source is filter=source=NAME"));
        }
        let text = self.text.unwrap_or_default();
        let input = match image {
            Some(_) if !text.is_empty() => {
                return Err(Refusal::bad("a question has either text or an image"));
            }
            Some(_) if self.mode.is_some_and(|mode| mode != "vector") => {
                return Err(Refusal::bad("an image is searched for by its vector: leave mode out"));
            }
            Some(image) => {
                mode = Mode::Vector;
                image
            }
            None => Input::text(&text)?,
        };
        let is_text = matches!(input, Input::Text(_));
        let query = match mode {
            Mode::Words => None,
            Mode::Hybrid | Mode::Vector => Some(service.embed(&input).await?.normalized()),
        };
        let floor = is_text && query.is_some() && self.floor.unwrap_or(true);
        Ok(Wanted { text, query, mode, top, floor, view })
    }
}

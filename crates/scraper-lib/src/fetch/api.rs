//! Requests to programming interfaces: a body, headers of their own, and errors that explain
//! themselves. Pace, guard, robots.txt, retries and caps are those of every other request.

use reqwest::{
    Client, RequestBuilder, Response, Url,
    header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue},
};

use super::{
    Ask, Document, FetchError, Fetcher,
    body::{self, Budget},
};

/// No more is read of what comes with an error, in bytes.
const EXPLANATION: u64 = 256 << 10;

/// What is sent. It must be a question: it is repeated where an answer fails, and sent again to
/// where it is redirected.
#[derive(Debug, Clone, Default)]
pub struct Sent {
    /// JSON, by POST; `None` is a GET.
    json: Option<String>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// A request that failed, and what the server said to it.
#[derive(Debug)]
pub struct Refusal {
    pub error: FetchError,
    /// The body of the answer, or its beginning; empty where none came.
    pub said: Vec<u8>,
}

impl Sent {
    pub fn get() -> Self {
        Sent::default()
    }

    pub fn json(text: String) -> Self {
        Sent { json: Some(text), headers: Vec::new() }
    }

    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(super) fn request(&self, client: &Client, url: Url) -> RequestBuilder {
        let mut request = match &self.json {
            Some(json) => {
                client.post(url).header(CONTENT_TYPE, "application/json").body(json.clone())
            }
            None => client.get(url),
        };
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.header(ACCEPT, "application/json")
    }
}

impl Fetcher {
    /// Asks a programming interface; its answer has at most `limit` bytes.
    ///
    /// # Errors
    /// Those of [`Fetcher::fetch`], with what the server said.
    pub async fn api(&self, url: &Url, sent: &Sent, limit: u64) -> Result<Document, Refusal> {
        let robots = self.options.robots;
        let (known, accept, budget) = (None, None, Budget::of(self.caps(), limit));
        let ask = Ask { known, accept, limit, cut: false, robots, sent: Some(sent), budget };
        let refusal = |error, said| Refusal { error, said };
        let answer = self.asked(url, &ask).await.map_err(|e| refusal(e.error, e.said))?;
        let whole = answer.whole(url).map_err(|error| refusal(error, Vec::new()))?;
        Ok(whole.document())
    }

    /// What came with an error; that it cannot be read is no error of its own.
    pub(super) async fn said(&self, url: &Url, response: Response, ask: &Ask<'_>) -> Vec<u8> {
        let size = (EXPLANATION, true);
        body::read(url, response, size, &ask.budget, self.caps()).await.unwrap_or_default()
    }
}

/// Whether this is what GraphQL says of a question that it does not understand, and not what a
/// server says that is overloaded.
pub(super) fn explains(said: &[u8]) -> bool {
    let value: Option<serde_json::Value> = serde_json::from_slice(said).ok();
    value.is_some_and(|value| value.get("errors").is_some_and(serde_json::Value::is_array))
}

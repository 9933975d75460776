//! Where a redirect leads.

use reqwest::{
    Url,
    header::{HeaderMap, LOCATION, SET_COOKIE},
};

use super::FetchError;

/// What the answers on the way said.
#[derive(Debug, Default)]
pub(super) struct Trail {
    cookies: bool,
}

impl Trail {
    /// The next address. Only http and https lead on.
    pub(super) fn next(
        &mut self,
        at: &Url,
        target: &str,
        headers: &HeaderMap,
    ) -> Result<Url, FetchError> {
        self.cookies |= headers.contains_key(SET_COOKIE);
        let next = at.join(target).ok();
        let next = next.filter(|url| matches!(url.scheme(), "http" | "https"));
        let (url, target) = (at.to_string(), target.to_owned());
        let mut next = next.ok_or(FetchError::RedirectTarget { url, target })?;
        // Not part of what is asked for; with it a circle looks like a way.
        next.set_fragment(None);
        Ok(next)
    }

    /// Why there is no end.
    pub(super) fn circle(&self, url: &Url, limit: usize) -> FetchError {
        let url = url.to_string();
        match self.cookies {
            true => FetchError::CookieWall { url },
            false => FetchError::Redirects { url, limit },
        }
    }
}

/// `Location` as servers send it: in ASCII as they should (RFC 9110, section 10.2.2), in UTF-8 as many
/// do, or else in Latin-1.
pub(super) fn location(headers: &HeaderMap) -> Option<String> {
    let bytes = headers.get(LOCATION)?.as_bytes();
    Some(match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    })
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn locations_outside_ascii_are_followed() {
        let at = Url::parse("https://shop.example/a").unwrap();
        let next = |bytes: &[u8]| {
            let value = HeaderValue::from_bytes(bytes).unwrap();
            let headers = HeaderMap::from_iter([(LOCATION, value)]);
            let target = location(&headers).unwrap();
            Trail::default().next(&at, &target, &headers).map(String::from)
        };
        let good = "https://shop.example/kleid-gr%C3%BCn.jpg";
        assert_eq!(next("/kleid-grün.jpg".as_bytes()).unwrap(), good);
        assert_eq!(next(b"kleid-gr\xfcn.jpg#x").unwrap(), good, "Latin-1");
        assert_eq!(next(b"/kleid-gr%C3%BCn.jpg").unwrap(), good);
        for bad in ["file:///etc/passwd", "data:,x", "http://["] {
            assert_eq!(next(bad.as_bytes()).unwrap_err().kind(), "fetch.redirects", "{bad}");
        }
    }
}

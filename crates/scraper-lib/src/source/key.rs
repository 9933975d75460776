//! Keys of products that a shop gives none: those of pages.

use reqwest::Url;

/// The page's host, path and query: `shop.example/products/red-dress`. The same for `http` and
/// `https`, with and without `www.` and a last slash.
pub(crate) fn page_key(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    let host = host.strip_prefix("www.").unwrap_or(host);
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{host}{port}/{}", path_and_query(url)).trim_end_matches('/').to_owned()
}

/// The key of the same page in stores that were made before hosts were part of it.
pub(crate) fn former_page_key(url: &Url) -> String {
    let id = path_and_query(url);
    if id.is_empty() { url.to_string() } else { id }
}

fn path_and_query(url: &Url) -> String {
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    format!("{}{query}", url.path().trim_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_host_and_path() {
        let key = |url: &str| page_key(&Url::parse(url).unwrap());
        assert_eq!(key("https://shop.example/products/red/"), "shop.example/products/red");
        assert_eq!(key("http://www.Shop.example/products/red"), "shop.example/products/red");
        assert_eq!(key("https://shop.example/item?id=3"), "shop.example/item?id=3");
        assert_eq!(key("https://shop.example:8080/a"), "shop.example:8080/a");
        assert_eq!(key("https://shop.example/?p=3"), "shop.example/?p=3");
        assert_eq!(key("https://shop.example/"), "shop.example");
        assert_ne!(key("https://a.example/p/1"), key("https://b.example/p/1"));
    }

    #[test]
    fn former_keys_are_paths() {
        let key = |url: &str| former_page_key(&Url::parse(url).unwrap());
        assert_eq!(key("https://shop.example/products/red-dress/"), "products/red-dress");
        assert_eq!(key("https://shop.example/item?id=3"), "item?id=3");
        assert_eq!(key("https://shop.example/"), "https://shop.example/");
    }
}

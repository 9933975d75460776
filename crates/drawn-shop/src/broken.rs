//! Files that shops really serve in place of pictures.

/// One broken file.
#[derive(Debug, Clone)]
pub struct Broken {
    /// File name; the ending may lie.
    pub name: &'static str,
    /// What is wrong with it, for test messages.
    pub what: &'static str,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// A truncated JPEG, text named .jpg, an empty file, an SVG. `jpeg` is any whole JPEG file.
pub fn files(jpeg: &[u8]) -> Vec<Broken> {
    let half = jpeg.get(..jpeg.len() / 2).unwrap_or_default().to_vec();
    let page = b"<!doctype html><title>404</title><p>This product is no longer available.\n";
    let svg = br##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10"><circle cx="5" cy="5" r="4" fill="#c33"/></svg>"##;
    let file = |name, what, bytes| Broken { name, what, bytes };
    vec![
        file("broken-truncated.jpg", "JPEG cut in the middle", half),
        file("broken-page.jpg", "HTML page named .jpg", page.to_vec()),
        file("broken-empty.jpg", "0 bytes", Vec::new()),
        file("broken-vector.jpg", "SVG named .jpg", svg.to_vec()),
    ]
}

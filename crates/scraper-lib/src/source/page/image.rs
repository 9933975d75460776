//! Addresses of images: of elements, and which ones are the same picture in another size.

use super::dom::Node;

/// Where lazy pages keep the address until it is needed, best first.
const LAZY: &[&str] = &[
    "data-zoom-image",
    "data-large_image",
    "data-large-image",
    "data-full",
    "data-src",
    "data-lazy-src",
    "data-lazy",
    "data-original",
    "data-image",
    "data-img",
    "data-url",
];

/// The address of an `<img>` or `<source>`, wherever a lazy page keeps it.
pub(super) fn address(node: Node<'_>) -> Option<&str> {
    let attribute = |name: &&str| node.attribute(name).map(str::trim).filter(|a| is_real(a));
    let own = attribute(&"src").filter(|address| !is_placeholder(address));
    own.or_else(|| LAZY.iter().find_map(attribute))
        .or_else(|| {
            ["srcset", "data-srcset"].iter().find_map(|name| largest(node.attribute(name)?))
        })
        .or_else(|| {
            // `<picture>` has its addresses in `<source>`s.
            let picture = node.parent().filter(|parent| parent.name() == "picture")?;
            let sources = picture.children().filter(|child| child.name() == "source");
            sources
                .filter_map(|source| {
                    largest(source.attribute("srcset").or_else(|| source.attribute("data-srcset"))?)
                })
                .last()
        })
        .or_else(|| attribute(&"content"))
}

/// The widest (or densest) of a `srcset`.
pub(super) fn largest(srcset: &str) -> Option<&str> {
    let mut best: Option<(f64, &str)> = None;
    let mut rest = srcset.trim();
    while !rest.is_empty() {
        // Addresses may hold commas, but no white space.
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let (address, after) = rest.split_at(end);
        let bare = address.trim_end_matches(',');
        let (size, next) = match bare.len() == address.len() {
            true => {
                let end = after.find(',').unwrap_or(after.len());
                let size = after.get(..end).unwrap_or_default().trim();
                let number = size.trim_end_matches(['w', 'x', 'h']).parse().unwrap_or(1.0);
                (number, after.get(end + 1..).unwrap_or_default())
            }
            false => (1.0, after),
        };
        if is_real(bare) && best.is_none_or(|(known, _)| size > known) {
            best = Some((size, bare));
        }
        rest = next.trim_start();
    }
    best.map(|(_, address)| address)
}

/// Neither empty, nor data in the page, nor what a template left.
pub(super) fn is_real(address: &str) -> bool {
    let address = address.trim();
    let scheme = address.split([':', '/', '?']).next().unwrap_or_default();
    !address.is_empty()
        && !(["data", "blob", "javascript", "about"].iter().any(|s| scheme.eq_ignore_ascii_case(s)))
        && !address.contains(['{', '}', '<', '>', '"'])
        && !matches!(address, "null" | "undefined" | "false" | "true" | "#" | "/")
}

/// Pictures that stand for one that is missing or yet to come.
pub(super) fn is_placeholder(address: &str) -> bool {
    let name = address.split(['?', '#']).next().unwrap_or_default();
    let name = name.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    [
        "placeholder",
        "blank.",
        "spacer",
        "1x1",
        "pixel.",
        "no-image",
        "no_image",
        "noimage",
        "transparent.",
        "loading.",
        "lazy.",
        "loader.",
        "default-image",
    ]
    .iter()
    .any(|word| name.contains(word))
        || name.ends_with(".svg")
}

/// Parameters that choose a size or a quality.
const SIZES: &[&str] = &[
    "w",
    "h",
    "width",
    "height",
    "size",
    "sw",
    "sh",
    "wid",
    "hei",
    "fit",
    "quality",
    "q",
    "qlt",
    "format",
    "fm",
    "auto",
    "dpr",
    "crop",
    "imwidth",
    "imheight",
    "resize",
    "maxwidth",
    "maxheight",
    "fmt",
    "scale",
    "op_sharpen",
    "resmode",
    "op_usm",
    "bgcolor",
    "bg",
    "sm",
    "strip",
    "v",
    "t",
    "optimize",
    "canvas",
    "trim",
    "mode",
    "pad",
    "rect",
    "fill",
    "$",
];

/// The same for all sizes of one picture.
pub(super) fn key(address: &str) -> String {
    let address = address.split('#').next().unwrap_or_default();
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let path = path.split_once("://").map_or(path, |(_, rest)| rest);
    let mut segments: Vec<String> = Vec::new();
    for segment in path.trim_start_matches('/').split('/') {
        let lower = segment.to_ascii_lowercase();
        // "400x400", "w_400,h_300,c_fit", Magento's "cache/<32 digits>".
        let size = is_size(&lower)
            || lower == "cache"
            || lower.len() == 32 && lower.bytes().all(|b| b.is_ascii_hexdigit())
            || lower.split(',').all(is_setting);
        if !size || segments.is_empty() {
            segments.push(lower);
        }
    }
    if let Some(last) = segments.last_mut() {
        *last = bare(last);
    }
    let mut kept: Vec<&str> = query
        .split(['&', ';'])
        .filter(|pair| {
            let name = pair.split('=').next().unwrap_or_default().trim_matches('$');
            !name.is_empty()
                && pair.contains('=')
                && !SIZES.iter().any(|size| name.eq_ignore_ascii_case(size))
        })
        .collect();
    kept.sort_unstable();
    format!("{}?{}", segments.join("/"), kept.join("&"))
}

/// A file's name without its size: "a_400x400.jpg", "a-300x300.jpg", "a_1200w.jpg",
/// "a@2x.jpg", "a_grande.jpg"; "a_1.jpg" is another picture than "a_2.jpg".
fn bare(name: &str) -> String {
    // Whatever its ending: jpg and webp are the same picture.
    let mut stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    while let Some(at) = stem.rfind(['_', '-', '@', '.']) {
        let (before, word) =
            (stem.get(..at).unwrap_or_default(), stem.get(at + 1..).unwrap_or_default());
        let known = matches!(
            word,
            "pico"
                | "icon"
                | "thumb"
                | "small"
                | "compact"
                | "medium"
                | "large"
                | "grande"
                | "original"
                | "master"
                | "2x"
                | "3x"
                | "crop_center"
                | "scaled"
                | "thumbnail"
                | "zoom"
        );
        if before.is_empty() || !(known || is_size(word)) {
            break;
        }
        stem = before;
    }
    stem.to_owned()
}

/// "400x300", "400x", "x300", "1200w".
fn is_size(word: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit()) && text.len() <= 4;
    match word.split_once('x') {
        Some((width, height)) => {
            digits(width) && digits(height) && (width.len() >= 2 || height.len() >= 2)
        }
        None => word.strip_suffix('w').is_some_and(|n| n.len() >= 2 && digits(n)),
    }
}

/// Cloudinary's and others' "w_400", "c_fit", "q_auto", "f_auto".
fn is_setting(word: &str) -> bool {
    let Some((name, value)) = word.split_once(['_', '=', '-']) else { return false };
    matches!(
        name,
        "w" | "h"
            | "c"
            | "q"
            | "f"
            | "g"
            | "dpr"
            | "ar"
            | "width"
            | "height"
            | "quality"
            | "fit"
            | "format"
            | "b"
            | "e"
            | "t"
    ) && !value.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_of_a_srcset() {
        assert_eq!(largest("/a_400.jpg 400w, /a_1200.jpg 1200w"), Some("/a_1200.jpg"));
        assert_eq!(largest("/a,b.jpg, /c.jpg 2x"), Some("/c.jpg"));
        assert_eq!(largest("/w_1,h_2/a.jpg 1x,/b.jpg 0.5x"), Some("/w_1,h_2/a.jpg"));
        assert_eq!(largest("data:image/gif;base64,R0 1w"), None);
        assert_eq!(largest(" , ,"), None);
    }

    #[test]
    fn sizes_of_one_picture_are_one() {
        let same = |a: &str, b: &str| assert_eq!(key(a), key(b));
        same("https://cdn/s/files/red_400x400.jpg?v=1", "//cdn/s/files/red.jpg?v=2");
        same("https://s/up/red-300x300.jpg", "https://s/up/red-scaled.jpg");
        same(
            "https://s/m/cache/0123456789abcdef0123456789abcdef/r/e/red.jpg",
            "https://s/m/r/e/red.jpg",
        );
        same("https://c/image/upload/w_400,c_fit/v1/red.jpg", "https://c/image/upload/v1/red.jpg");
        same("https://c/red.jpg?sw=400&q=80", "https://c/red.jpg");
        same("https://c/red.webp", "https://c/red.jpg");
        let other = |a: &str, b: &str| assert_ne!(key(a), key(b));
        other("https://c/red_1.jpg", "https://c/red_2.jpg");
        other("https://c/image.php?id=1", "https://c/image.php?id=2");
        other("https://c/1.jpg", "https://c/2.jpg");
    }
}

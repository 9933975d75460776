//! Addresses of images: of elements, and which ones stand for a picture that is not there.

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
    let (stem, ending) = name.rsplit_once('.').unwrap_or((&name, ""));
    let words = || stem.split(|c: char| !c.is_ascii_alphanumeric());
    let says = |first: &str, second: &str| {
        words().zip(words().skip(1)).any(|(a, b)| (a, b) == (first, second))
    };
    ending == "svg"
        || words().any(|word| matches!(word, "placeholder" | "noimage" | "1x1"))
        || says("no", "image")
        || says("default", "image")
        // Products are called so, too: "point-blank", "pixel-tee".
        || words().all(|word| FILLERS.contains(&word))
}

/// What the names of such pictures are made of, if of nothing else.
const FILLERS: &[&str] = &[
    "blank",
    "spacer",
    "pixel",
    "transparent",
    "loading",
    "lazy",
    "loader",
    "preloader",
    "spinner",
    "ajax",
    "empty",
    "grey",
    "gray",
    "white",
    "image",
    "img",
    "1px",
    "gif",
];

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
    fn placeholders_are_known_by_their_whole_name() {
        for name in [
            "blank.gif",
            "ajax-loader.gif",
            "1x1.png",
            "transparent-1x1.png",
            "woocommerce-placeholder-300x300.png",
            "product_placeholder.jpg",
            "no-image-2048.gif",
            "no_image_available.png",
            "default-image.jpg",
            "loading.gif?v=2",
            "icon.svg",
        ] {
            assert!(is_placeholder(&format!("https://c/{name}")), "{name}");
        }
        for name in [
            "dress-681x1024.jpg",
            "print-11x14.jpg",
            "a-101x150.jpg",
            "point-blank.jpg",
            "pixel-tee.jpg",
            "lazy-oaf-hoodie.jpg",
            "transparent-dress.jpg",
            "nano-imager.jpg",
        ] {
            assert!(!is_placeholder(&format!("https://c/{name}")), "{name}");
        }
    }
}

//! Which addresses are the same picture in another size.

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
    "optimize",
    "canvas",
    "trim",
    "mode",
    "pad",
    "rect",
    "fill",
];

/// The same for all sizes of one picture. Where the address does not say for sure that it is another size,
/// it is another picture: one too many can be seen, one that is missing cannot.
pub(super) fn key(address: &str) -> String {
    let address = address.split('#').next().unwrap_or_default();
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let path = path.split_once("://").map_or(path, |(_, rest)| rest);
    let path = path.trim_start_matches('/').to_ascii_lowercase();
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", &path));
    let (mut cached, mut cloudinary) = (false, false);
    let mut segments: Vec<&str> = Vec::new();
    for segment in folders.split('/') {
        // "400x400", "w_400,h_300,c_fit", Magento's "cache/<32 digits>".
        let hash = segment.len() == 32 && segment.bytes().all(|b| b.is_ascii_hexdigit());
        let size = is_size(segment)
            || cached && hash
            || segment.split(',').all(|word| is_setting(word, cloudinary));
        // Its own names of settings stand before the version.
        cloudinary |= matches!(segment, "upload" | "fetch") && segments.last() == Some(&"image");
        cloudinary &= segment.strip_prefix('v').is_none_or(|n| n.parse::<u64>().is_err());
        cached |= segment == "cache";
        if !size || segments.is_empty() {
            segments.push(segment);
        }
    }
    if let Some(at) = segments.iter().position(|segment| *segment == "cache").filter(|_| cached) {
        segments.remove(at);
    }
    let file = is_picture(&path);
    // Cloudflare's sizes follow the picture: "<id>/w=400".
    if file || !(is_size(name) || name.split(',').all(|word| is_setting(word, false))) {
        segments.push(bare(name));
    }
    let mut kept: Vec<&str> = query
        .split(['&', ';'])
        .filter(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name.trim_matches('$') {
                "" => false,
                // A number that makes browsers ask anew, or what a script shows.
                "v" | "t" => !file,
                _ if value.is_empty() => !file && !name.starts_with('$'),
                name => !SIZES.iter().any(|size| name.eq_ignore_ascii_case(size)),
            }
        })
        .collect();
    kept.sort_unstable();
    format!("{}?{}", segments.join("/"), kept.join("&"))
}

/// Whether an address, without its query, ends as files of pictures do.
pub(super) fn is_picture(path: &str) -> bool {
    let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending);
    const ENDINGS: [&str; 9] = ["jpg", "jpeg", "png", "webp", "avif", "gif", "jfif", "tif", "bmp"];
    ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known))
}

/// A file's name without its size: "a_400x400.jpg", "a-300x300.jpg", "a_1200w.jpg",
/// "a@2x.jpg", "a_grande.jpg"; "a_1.jpg" is another picture than "a_2.jpg".
fn bare(name: &str) -> &str {
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
    stem
}

/// "400x300", "400x", "x300", "1200w". A picture of a poster is called "30x40", too.
fn is_size(word: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit()) && text.len() <= 4;
    match word.split_once('x') {
        Some((width, height)) if width.is_empty() || height.is_empty() => {
            digits(width) && digits(height) && width.len() + height.len() >= 2
        }
        Some((width, height)) => {
            let icon = width == height && matches!(width, "16" | "24" | "32" | "48" | "64" | "96");
            digits(width) && digits(height) && (width.len() >= 3 || height.len() >= 3 || icon)
        }
        None => word.strip_suffix('w').is_some_and(|n| n.len() >= 2 && digits(n)),
    }
}

/// Cloudinary's and others' "w_400", "c_fit", "q_auto", "f_auto": one of their words, or, where an address
/// is known to be Cloudinary's, any after "_".
fn is_setting(word: &str, cloudinary: bool) -> bool {
    let Some((name, value)) = word.split_once(['_', '=', '-']) else { return false };
    let known: &[&str] = match name {
        "w" | "h" | "width" | "height" | "q" | "quality" | "dpr" | "ar" => &["auto"],
        "c" | "fit" => &[
            "auto",
            "clip",
            "contain",
            "cover",
            "crop",
            "fill",
            "fit",
            "inside",
            "lfill",
            "limit",
            "lpad",
            "max",
            "mfit",
            "min",
            "mpad",
            "outside",
            "pad",
            "scale",
            "scale-down",
            "thumb",
        ],
        "f" | "format" => &["auto", "jpg", "jpeg", "png", "webp", "avif", "gif", "jxl"],
        "g" => &["auto", "center", "face", "faces", "north", "south", "east", "west"],
        "b" => &["auto", "white", "black", "transparent"],
        "e" => &["sharpen", "improve", "trim"],
        "t" => &[],
        _ => return false,
    };
    // "1.5", "4:3", "auto:good", "sharpen:100", "rgb:f5f5f5".
    let number = || value.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b':'));
    let first = value.split(':').next().unwrap_or_default();
    match name {
        _ if value.is_empty() => false,
        _ if known.contains(&first) => true,
        _ if cloudinary && word.as_bytes().get(name.len()) == Some(&b'_') => true,
        "b" => first == "rgb",
        "w" | "h" | "width" | "height" | "q" | "quality" | "dpr" | "ar" => number(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        same("https://c/red.jpg?1699999", "https://c/red.jpg?1700000");
        same("https://s/is/image/shop/red?$large$", "https://s/is/image/shop/red?wid=400");
        same(
            "https://i.example/account/0a1b/w=400",
            "https://i.example/account/0a1b/w=80,fit=cover",
        );
        same("https://c/image/upload/t_card/v1/red.jpg", "https://c/image/upload/v1/red.jpg");
        same("https://c/red_20x.jpg", "https://c/red_32x32.jpg");
    }

    /// Pictures that a shop names as others name their sizes.
    #[test]
    fn names_like_settings_are_names() {
        let names = [
            "t-shirt-black-front.jpg",
            "t-shirt-black-back.jpg",
            "g-star-jeans-1.jpg",
            "g-star-jeans-2.jpg",
            "c-neck_2.jpg",
            "e-1.jpg",
            "b_1.jpg",
            "b_2.jpg",
            "w_1.jpg",
            "w-400.jpg",
            "poster-30x40.jpg",
            "poster-50x70.jpg",
            "cushion_40x40.jpg",
            "t-shirt/1.jpg",
            "e-bike/1.jpg",
            "file/0123456789abcdef0123456789abcdef",
            "file/0123456789abcdef0123456789abcdee",
            "i/0123456789abcdef0123456789abcdef/large.jpg",
            "i/0123456789abcdef0123456789abcdee/large.jpg",
            "img.php?123",
            "img.php?456",
            "img.php?v=1",
            "img.php?v=2",
            "cache.jpg",
            "cache/a.jpg",
            "image/upload/t-shirts/1.jpg",
            "image/upload/e-bikes/1.jpg",
            "image/upload/v1/t_shirts/1.jpg",
            "image/upload/v1/e_bikes/1.jpg",
        ];
        let keys: std::collections::HashMap<_, _> =
            names.iter().map(|name| (key(&format!("https://c/{name}")), name)).collect();
        for name in names {
            let kept = keys.get(&key(&format!("https://c/{name}")));
            assert_eq!(kept, Some(&&name), "counted as one with {name}");
        }
    }
}

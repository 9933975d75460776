//! Image addresses of known content delivery networks, asked for at a useful size: each network's
//! own documentation of its addresses is the source.

use reqwest::Url;
use tokio::sync::mpsc::Sender;

use super::{Base, Running, Source, SourceItem, through::through};

/// The smallest width that can be asked for: what the model sees is 224 pixels wide.
pub(super) const LEAST_WIDTH: u32 = 224;

/// How a network is asked for a width.
enum Way {
    /// A parameter of the query; others of the size are dropped.
    Parameter { name: &'static str, drop: &'static [&'static str], also: Option<&'static str> },
    /// Squarespace's `format=500w`: the least of these that is enough.
    Steps(&'static [u32]),
    /// Cloudinary's part of the path before the version or the name.
    Cloudinary,
    /// Bigcommerce's `/stencil/1280x1280/`.
    Stencil,
}

const HEIGHT: &[&str] = &["h", "height", "dpr"];

/// How the address of an image is sized; `None` for hosts that are not known.
fn way(url: &Url) -> Option<Way> {
    let host = url.host_str()?;
    let path = url.path();
    let below = |domain: &str| {
        host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
    };
    let by = |name, drop, also| Some(Way::Parameter { name, drop, also });
    if below("cdn.shopify.com") || path.starts_with("/cdn/shop/") {
        return by("width", &["height", "crop"], None);
    }
    if below("imgix.net") {
        return by("w", &["h", "dpr", "fit", "crop", "max-w", "max-h"], Some("fit=max"));
    }
    if below("ctfassets.net") {
        return by("w", HEIGHT, None);
    }
    if host == "cdn.sanity.io" && path.starts_with("/images/") {
        return by("w", &["h", "dpr", "fit", "crop"], Some("fit=max"));
    }
    if below("scene7.com") && path.contains("/is/image/") {
        return by("wid", &["hei", "scl"], None);
    }
    if path.contains("/dw/image/v2/") {
        return by("sw", &["sh", "sm"], None);
    }
    if matches!(host, "i0.wp.com" | "i1.wp.com" | "i2.wp.com" | "i3.wp.com") {
        return by("w", &["h", "resize", "fit", "crop"], None);
    }
    if below("squarespace-cdn.com") {
        return Some(Way::Steps(&[300, 500, 750, 1000, 1500, 2500]));
    }
    if below("cloudinary.com") && path.contains("/image/upload/") {
        return Some(Way::Cloudinary);
    }
    (below("bigcommerce.com") && path.contains("/images/stencil/")).then_some(Way::Stencil)
}

/// The same image `width` pixels wide, where its host is known to make it; no network makes an image
/// larger than it is.
pub(super) fn at_width(address: &str, width: u32) -> Option<String> {
    let mut url = Url::parse(address).ok()?;
    match way(&url)? {
        Way::Parameter { name, drop, also } => {
            let also_name = also.and_then(|pair| pair.split('=').next());
            let is_kept = |pair: &&str| {
                let known = pair.split('=').next().unwrap_or_default();
                !known.is_empty()
                    && known != name
                    && !drop.contains(&known)
                    && Some(known) != also_name
            };
            let mut pairs: Vec<String> = url
                .query()
                .unwrap_or_default()
                .split('&')
                .filter(is_kept)
                .map(str::to_owned)
                .collect();
            pairs.push(format!("{name}={width}"));
            pairs.extend(also.map(str::to_owned));
            url.set_query(Some(&pairs.join("&")));
        }
        Way::Steps(steps) => {
            let step = steps.iter().find(|step| **step >= width).or(steps.last())?;
            url.set_query(Some(&format!("format={step}w")));
        }
        Way::Cloudinary => {
            let (before, after) = url.path().split_once("/image/upload/")?;
            // A signed address is valid only as it is.
            if after.starts_with("s--") {
                return None;
            }
            // Transformations follow each other; this one comes last, before version or name.
            let parts: Vec<&str> = after.split('/').collect();
            let is_change = |part: &&&str| {
                let (name, value) =
                    part.split(',').next().unwrap_or_default().split_once('_').unwrap_or_default();
                !value.is_empty() && name.len() <= 3 && name.bytes().all(|b| b.is_ascii_lowercase())
            };
            let changes = parts.iter().take_while(is_change).count().min(parts.len() - 1);
            let (changes, name) = parts.split_at(changes);
            let sized = format!("c_limit,w_{width}");
            let changes = changes.strip_suffix(&[sized.as_str()]).unwrap_or(changes);
            let all: Vec<&str> = changes
                .iter()
                .copied()
                .chain([sized.as_str()])
                .chain(name.iter().copied())
                .collect();
            let path = format!("{before}/image/upload/{}", all.join("/"));
            url.set_path(&path);
        }
        Way::Stencil => {
            let (before, after) = url.path().split_once("/images/stencil/")?;
            let (_, name) = after.split_once('/')?;
            let path = format!("{before}/images/stencil/{width}w/{name}");
            url.set_path(&path);
        }
    }
    Some(url.into())
}

/// A source whose images are asked for at a width.
pub(super) struct Sized {
    pub(super) inner: Box<dyn Source>,
    pub(super) width: u32,
}

impl Source for Sized {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn name(&self) -> String {
        self.inner.name()
    }

    fn base(&self) -> Base {
        self.inner.base()
    }

    fn run(self: Box<Self>, out: Sender<SourceItem>) -> Running {
        let Sized { inner, width } = *self;
        let sized = move |mut item: SourceItem| {
            if let Ok(product) = &mut item {
                for image in &mut product.images {
                    if let Some(sized) = at_width(image, width) {
                        *image = sized;
                    }
                }
            }
            Some(item)
        };
        Box::pin(through(inner, out, sized))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_networks_are_asked_for_a_width() {
        let cases = [
            (
                "https://cdn.shopify.com/s/files/1/2/red.jpg?v=17",
                "https://cdn.shopify.com/s/files/1/2/red.jpg?v=17&width=448",
            ),
            (
                "https://shop.example/cdn/shop/files/red.jpg?v=1&width=1800&height=900",
                "https://shop.example/cdn/shop/files/red.jpg?v=1&width=448",
            ),
            (
                "https://s.imgix.net/a.jpg?w=2000&h=10&auto=format",
                "https://s.imgix.net/a.jpg?auto=format&w=448&fit=max",
            ),
            (
                "https://images.ctfassets.net/x/y/a.jpg",
                "https://images.ctfassets.net/x/y/a.jpg?w=448",
            ),
            (
                "https://cdn.sanity.io/images/p/d/a-1x1.jpg?fit=crop",
                "https://cdn.sanity.io/images/p/d/a-1x1.jpg?w=448&fit=max",
            ),
            (
                "https://s7d1.scene7.com/is/image/b/a?wid=2000&hei=1",
                "https://s7d1.scene7.com/is/image/b/a?wid=448",
            ),
            (
                "https://shop.example/dw/image/v2/AAA/on/a.jpg?sw=2000&sh=3000",
                "https://shop.example/dw/image/v2/AAA/on/a.jpg?sw=448",
            ),
            (
                "https://i0.wp.com/s.example/a.jpg?resize=10,10",
                "https://i0.wp.com/s.example/a.jpg?w=448",
            ),
            (
                "https://images.squarespace-cdn.com/content/a.jpg?format=2500w",
                "https://images.squarespace-cdn.com/content/a.jpg?format=500w",
            ),
            (
                "https://res.cloudinary.com/c/image/upload/v1/a/red.jpg",
                "https://res.cloudinary.com/c/image/upload/c_limit,w_448/v1/a/red.jpg",
            ),
            (
                "https://res.cloudinary.com/c/image/upload/q_auto,f_auto/w_2000/red_dress.jpg",
                "https://res.cloudinary.com/c/image/upload/q_auto,f_auto/w_2000/c_limit,w_448/red_dress.jpg",
            ),
            (
                "https://cdn11.bigcommerce.com/s-1/images/stencil/1280x1280/products/1/a.jpg?c=2",
                "https://cdn11.bigcommerce.com/s-1/images/stencil/448w/products/1/a.jpg?c=2",
            ),
        ];
        for (address, sized) in cases {
            assert_eq!(at_width(address, 448).as_deref(), Some(sized));
            assert_eq!(at_width(sized, 448).as_deref(), Some(sized), "twice is once");
        }
    }

    #[test]
    fn others_stay_as_they_are() {
        for address in [
            "https://shop.example/images/a.jpg?w=2000",
            "https://cdn.shopify.com.evil.example/a.jpg",
            "https://evilimgix.net/a.jpg",
            "https://res.cloudinary.com/c/image/upload/s--abc--/w_2000/red.jpg",
            "a.jpg",
            "file:///etc/passwd",
        ] {
            assert_eq!(at_width(address, 448), None, "{address}");
        }
    }
}

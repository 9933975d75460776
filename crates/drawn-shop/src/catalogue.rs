//! Which products the shop sells.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    encode::{Format, Jpeg},
    image::ImageSpec,
    rng::Rng,
    style::{Background, Color, Cut, Garment, Length, Neck, Pattern, Sleeve, Style},
    words,
};

/// What kind of shop to draw; [`Default`] is a mixed one.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// All pictures at this size (pixels) instead of a mix from 600x800 to 1600x2400.
    pub size: Option<(u32, u32)>,
    /// All pictures in this format instead of a mix.
    pub format: Option<Format>,
    /// Pictures per product; a mix of one and two if `None`.
    pub images: Option<usize>,
}

/// A catalogue.
#[derive(Debug, Clone)]
pub struct Shop {
    products: Vec<Product>,
}

/// One product. `color`, `pattern` and `attributes` tell what the pictures show.
#[derive(Debug, Clone, Serialize)]
pub struct Product {
    /// Unique in the shop.
    pub id: String,
    /// As a shop writes it.
    pub title: String,
    /// A sentence or two, plain text.
    pub description: String,
    /// An invented one.
    pub brand: String,
    /// Where the shop lists it.
    pub category: String,
    /// In `currency`, two decimals.
    pub price: String,
    /// ISO 4217.
    pub currency: String,
    /// As feeds write it, such as `in_stock`.
    pub availability: String,
    /// The main colour.
    pub color: Color,
    /// Of the cloth.
    pub pattern: Pattern,
    /// Further facts by name, such as `sleeve`.
    pub attributes: BTreeMap<&'static str, &'static str>,
    /// All that its pictures show.
    #[serde(skip)]
    pub style: Style,
    /// In the shop's order; at least one.
    pub images: Vec<ImageSpec>,
    #[serde(skip)]
    caption_seed: u64,
}

impl Shop {
    /// `n` products; the first ones are the same for every `n`.
    pub fn new(seed: u64, n: usize) -> Self {
        Shop::with(seed, n, Options::default())
    }

    /// [`Shop::new`] with pictures of a certain size, format or number.
    pub fn with(seed: u64, n: usize, options: Options) -> Self {
        Shop { products: (0..n).map(|i| product(seed, i, options)).collect() }
    }

    /// All of them, in order.
    pub fn products(&self) -> &[Product] {
        &self.products
    }
}

impl Product {
    /// Short and literal: "red striped dress", "navy wool beanie".
    pub fn caption(&self) -> String {
        words::caption(&self.style)
    }

    /// `n` ways to say what is seen, the first being [`Product::caption`]; wording varies with the
    /// product and the position, for training text towers.
    pub fn captions(&self, n: usize) -> Vec<String> {
        words::captions(&self.style, self.caption_seed, n)
    }
}

fn product(seed: u64, i: usize, options: Options) -> Product {
    let mut rng = Rng::new(seed).fork(i as u64);
    // Each run of 16 products shows every garment once, in another order.
    let round = i / Garment::ALL.len();
    let mut order: Vec<Garment> = Garment::ALL.to_vec();
    let mut shuffle = Rng::new(seed).fork(u64::MAX - round as u64);
    for k in (1..order.len()).rev() {
        order.swap(k, shuffle.index(k + 1));
    }
    let style = style(order[i % order.len()], &mut rng);
    let garment_seed = rng.next_u64();
    let shots = options.images.unwrap_or(if rng.chance(0.25) { 2 } else { 1 });
    let images = (0..shots)
        .map(|k| shot(&style, garment_seed, &mut rng.fork(1000 + k as u64), options))
        .collect();
    let (brand, price) = (words::brand(&mut rng), words::price(style.garment, &mut rng));
    let mut attributes = BTreeMap::new();
    let optional = [
        ("sleeve", style.sleeve.map(Sleeve::name)),
        ("length", style.length.map(Length::name)),
        ("neckline", style.neck.map(Neck::name)),
        ("material", Some(words::material(&style))),
        ("cut", (style.cut != Cut::Regular).then(|| style.cut.name())),
    ];
    attributes.extend(optional.into_iter().filter_map(|(k, v)| Some((k, v?))));
    Product {
        id: format!("DS-{:05}", i + 1),
        title: words::title(&style, brand),
        description: words::description(&style, &mut rng),
        brand: brand.to_owned(),
        category: words::category(style.garment).to_owned(),
        price,
        currency: "EUR".to_owned(),
        availability: if rng.chance(0.9) { "in_stock" } else { "out_of_stock" }.to_owned(),
        color: style.color,
        pattern: style.pattern,
        attributes,
        style,
        images,
        caption_seed: rng.next_u64(),
    }
}

fn style(garment: Garment, rng: &mut Rng) -> Style {
    use Garment as G;
    use Pattern as P;
    let cuts: &[Cut] = match garment {
        G::Jeans => &[Cut::Slim, Cut::Straight, Cut::Wide],
        G::Trousers => &[Cut::Slim, Cut::Straight, Cut::Wide],
        G::Skirt => &[Cut::Pleated, Cut::Pencil, Cut::ALine],
        G::Jacket => &[Cut::Bomber, Cut::Trucker, Cut::Blazer],
        G::Beanie => &[Cut::Regular, Cut::Pompom],
        G::Hat => &[Cut::Cap, Cut::Sun],
        G::Sneakers => &[Cut::Low, Cut::High],
        G::Bag => &[Cut::Tote, Cut::Handbag, Cut::Backpack],
        _ => &[Cut::Regular],
    };
    let cut = rng.pick(cuts);
    let patterns: &[Pattern] = match (garment, cut) {
        (G::Jeans, _) | (_, Cut::Trucker) => &[P::Denim],
        (G::TShirt, _) => &[P::Plain, P::Plain, P::Striped, P::Striped, P::Dotted, P::Ombre],
        (G::Shirt, _) => &[P::Plain, P::Striped, P::Checked, P::Checked, P::Floral, P::Dotted],
        (G::Dress, _) => &[P::Plain, P::Striped, P::Dotted, P::Floral, P::Floral, P::Ombre],
        (G::Skirt, _) => &[P::Plain, P::Plain, P::Checked, P::Floral, P::Dotted],
        (G::Trousers, _) => &[P::Plain, P::Plain, P::Plain, P::Checked],
        (G::Shorts, _) => &[P::Plain, P::Plain, P::Denim, P::Floral, P::Checked],
        (G::Coat, _) => &[P::Plain, P::Plain, P::Plain, P::Checked],
        (_, Cut::Blazer) => &[P::Plain, P::Plain, P::Checked],
        (G::Jacket, _) => &[P::Plain],
        (G::Sweater, _) => &[P::Plain, P::Plain, P::Striped, P::Striped],
        (G::Hoodie, _) => &[P::Plain, P::Plain, P::Plain, P::Ombre],
        (G::Beanie, _) => &[P::Plain, P::Plain, P::Striped],
        (G::Scarf, _) => &[P::Plain, P::Striped, P::Checked, P::Checked],
        (_, Cut::Tote) => &[P::Plain, P::Striped, P::Floral, P::Dotted],
        _ => &[P::Plain],
    };
    let pattern = rng.pick(patterns);
    let denims = [Color::Blue, Color::LightBlue, Color::Black, Color::Grey, Color::Navy];
    let color = rng.pick(if pattern == P::Denim { &denims } else { Color::ALL });
    let sleeves: Option<&[Sleeve]> = match garment {
        G::TShirt => {
            Some(&[Sleeve::Short, Sleeve::Short, Sleeve::Short, Sleeve::Long, Sleeve::None])
        }
        G::Shirt => Some(&[Sleeve::Long, Sleeve::Long, Sleeve::Short]),
        G::Dress => Some(&[Sleeve::None, Sleeve::Short, Sleeve::Long]),
        _ => None,
    };
    let necks: Option<&[Neck]> = match garment {
        G::TShirt => Some(&[Neck::Crew, Neck::Crew, Neck::V, Neck::Scoop]),
        G::Sweater => Some(&[Neck::Crew, Neck::V, Neck::Roll]),
        G::Dress => Some(&[Neck::Crew, Neck::V, Neck::Scoop]),
        _ => None,
    };
    let long = matches!(garment, G::Dress | G::Skirt | G::Coat);
    Style {
        garment,
        color,
        accent: accent(color, rng),
        pattern,
        sleeve: sleeves.map(|s| rng.pick(s)),
        length: long.then(|| rng.pick(Length::ALL)),
        neck: necks.map(|n| rng.pick(n)),
        cut,
    }
}

/// A second colour that stands out from the first.
fn accent(color: Color, rng: &mut Rng) -> Color {
    let usual = [Color::White, Color::Navy, Color::Black, Color::Red, Color::Beige, Color::Pink];
    let fit: Vec<Color> =
        usual.into_iter().filter(|c| (c.luma() - color.luma()).abs() > 0.3).collect();
    rng.pick(&fit)
}

fn shot(style: &Style, garment_seed: u64, rng: &mut Rng, options: Options) -> ImageSpec {
    const SIZES: [(u32, u32); 6] =
        [(600, 800), (800, 1000), (900, 1200), (1000, 1250), (1200, 1600), (1600, 2400)];
    // Large pictures are the rarer ones, as in shops; the draw is made whatever the options are,
    // so that fixing a size changes nothing else.
    let usual = SIZES[rng.index(SIZES.len()).min(rng.index(SIZES.len()))];
    let jpeg = Jpeg {
        quality: rng.pick(&[75, 85, 90, 95]),
        progressive: rng.chance(0.3),
        subsampled: rng.chance(0.7),
    };
    let format = rng.pick(&[
        Format::Jpeg(jpeg),
        Format::Jpeg(jpeg),
        Format::Jpeg(jpeg),
        Format::Png,
        Format::Webp,
    ]);
    let format = options.format.unwrap_or(format);
    let background = rng.pick(&[
        Background::White,
        Background::White,
        Background::Grey,
        Background::Grey,
        Background::Lifestyle,
        Background::Transparent,
    ]);
    let pale = style.color == Color::White && style.pattern == Pattern::Plain;
    // White on white is how no shop shows a product.
    let background = match background {
        Background::White if pale => Background::Grey,
        other => other,
    };
    let (width, height) = options.size.unwrap_or(usual);
    ImageSpec {
        width,
        height,
        format,
        background,
        style: style.clone(),
        garment_seed,
        shot_seed: rng.next_u64(),
    }
    .with_size(width, height)
    .with_format(format)
}

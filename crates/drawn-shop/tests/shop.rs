//! The drawn shop is what its captions say, the same on every machine, and readable as files.

use std::collections::{BTreeMap, BTreeSet};

use drawn_shop::{Background, Format, Garment, Options, Pattern, Picture, Shop};
use sha2::{Digest, Sha256};

fn small(shop: &Shop, i: usize) -> Picture {
    shop.products()[i].images[0].clone().with_size(150, 200).render()
}

#[test]
fn products_do_not_depend_on_the_number_of_products() {
    let (few, many) = (Shop::new(3, 5), Shop::new(3, 50));
    for (a, b) in few.products().iter().zip(many.products()) {
        assert_eq!(serde_json::to_value(a).unwrap(), serde_json::to_value(b).unwrap());
    }
    assert_eq!(small(&few, 4), small(&many, 4));
    assert_ne!(small(&few, 4), small(&Shop::new(4, 5), 4), "another seed, another shop");
}

/// Pinned: pixels must be the same on every machine and in every build. A change to the drawings
/// changes it on purpose; print the new value with `--nocapture`.
#[test]
fn pixels_are_pinned() {
    let shop = Shop::new(1, Garment::ALL.len());
    let mut hash = Sha256::new();
    for i in 0..shop.products().len() {
        hash.update(&small(&shop, i).rgba);
    }
    let digest: String = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
    println!("{digest}");
    assert_eq!(digest, "627c2565e21c0f1d364027935f38560578ca67c4acff8cf9b6ba669ba07cc59c");
}

#[test]
fn forty_products_show_every_garment_and_most_colours_and_patterns() {
    let shop = Shop::new(1, 40);
    let garments: BTreeSet<_> = shop.products().iter().map(|p| p.style.garment).collect();
    let colors: BTreeSet<_> = shop.products().iter().map(|p| p.color).collect();
    assert_eq!(garments.len(), Garment::ALL.len());
    assert!(colors.len() >= 10, "{colors:?}");
    let shop = Shop::new(1, 200);
    let patterns: BTreeSet<_> = shop.products().iter().map(|p| p.pattern).collect();
    assert_eq!(patterns.len(), Pattern::ALL.len(), "{patterns:?}");
    let formats: BTreeSet<_> =
        shop.products().iter().map(|p| p.images[0].format.extension()).collect();
    assert_eq!(formats.into_iter().collect::<Vec<_>>(), ["jpg", "png", "webp"]);
}

/// The cloth above the waist has the colour that the caption names: nearest in sRGB among all names.
#[test]
fn plain_garments_have_the_colour_of_their_caption() {
    let options = Options { images: Some(1), ..Options::default() };
    let shop = Shop::with(5, 400, options);
    let mut wrong = Vec::new();
    let plain = shop.products().iter().filter(|p| {
        p.pattern == Pattern::Plain
            && matches!(p.style.garment, Garment::TShirt | Garment::Dress | Garment::Sweater)
    });
    let mut n = 0;
    for product in plain {
        n += 1;
        let picture = product.images[0].clone().with_size(150, 200).render();
        let mut mean = [0.0f32; 3];
        for (dx, dy) in (0..10).flat_map(|x| (0..10).map(move |y| (x, y))) {
            let at = ((67 + dy) * 150 + 70 + dx) * 4;
            for (m, v) in mean.iter_mut().zip(&picture.rgba[at..at + 3]) {
                *m += f32::from(*v) / 25_500.0;
            }
        }
        let distance = |c: &drawn_shop::Color| {
            c.rgb().iter().zip(&mean).map(|(a, b)| (a - b) * (a - b)).sum::<f32>()
        };
        let nearest = drawn_shop::Color::ALL
            .iter()
            .min_by(|a, b| distance(a).total_cmp(&distance(b)))
            .unwrap();
        if *nearest != product.color {
            wrong.push(format!("{}: looks {}", product.caption(), nearest.name()));
        }
    }
    assert!(n >= 10, "only {n} plain garments in the sample");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn each_format_is_what_it_says() {
    let shop = Shop::new(2, 60);
    let mut seen = BTreeMap::new();
    for product in shop.products() {
        let image = product.images[0].clone().with_size(120, 160);
        let file = image.file().unwrap();
        let magic: &[u8] = match image.format {
            Format::Jpeg(_) => &[0xff, 0xd8, 0xff],
            Format::Png => b"\x89PNG\r\n\x1a\n",
            Format::Webp => b"RIFF",
        };
        assert!(file.starts_with(magic), "{}", product.id);
        if let Format::Jpeg(jpeg) = image.format {
            // SOF2 marks progressive, SOF0 baseline; the sampling byte follows the component id.
            let sof = if jpeg.progressive { 0xc2 } else { 0xc0 };
            let at = file.windows(2).position(|w| w == [0xff, sof]).expect("start of frame");
            assert_eq!(file[at + 11], if jpeg.subsampled { 0x22 } else { 0x11 }, "{}", product.id);
            assert_ne!(image.background, Background::Transparent);
        }
        *seen.entry(image.format.extension()).or_insert(0) += 1;
    }
    assert_eq!(seen.len(), 3, "{seen:?}");
}

#[test]
fn png_holds_the_pixels_and_transparency() {
    let shop = Shop::new(2, 200);
    let cut_out = shop
        .products()
        .iter()
        .flat_map(|p| &p.images)
        .find(|i| i.format == Format::Png && i.background == Background::Transparent)
        .expect("200 products have a cut-out PNG")
        .clone()
        .with_size(120, 160);
    let picture = cut_out.render();
    assert!(
        picture.rgba.chunks(4).any(|p| p[3] == 0) && picture.rgba.chunks(4).any(|p| p[3] == 255)
    );
    let file = cut_out.file().unwrap();
    let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut pixels).unwrap();
    assert_eq!(pixels, picture.rgba);
}

#[test]
fn captions_read_well() {
    let shop = Shop::new(9, 300);
    for product in shop.products() {
        let caption = product.caption();
        assert!(caption.starts_with(product.color.name()), "{caption}");
        let captions = product.captions(8);
        assert_eq!(captions.len(), 8);
        assert_eq!(captions[0], caption);
        assert_eq!(captions, product.captions(8), "captions are fixed");
        for text in captions {
            assert!(!text.contains("  ") && text.trim() == text, "{text:?}");
        }
        assert!(product.price.parse::<f64>().unwrap() > 0.0);
    }
}

#[test]
fn a_written_shop_has_one_feed_line_per_file() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { size: Some((90, 120)), ..Options::default() };
    let shop = Shop::with(1, 12, options);
    let written = drawn_shop::write(&shop, dir.path(), "http://127.0.0.1:1", true).unwrap();
    let feed = std::fs::read_to_string(&written.feed).unwrap();
    let mut ids = BTreeSet::new();
    for line in feed.lines() {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        let image = object["image"].as_str().unwrap();
        let file = dir.path().join(image.strip_prefix("http://127.0.0.1:1/").unwrap());
        assert!(file.is_file(), "{image}");
        assert!(ids.insert(object["id"].as_str().unwrap().to_owned()), "{line}");
    }
    assert_eq!(ids.len(), written.images + written.broken);
    assert_eq!(written.broken, 4);
}

//! `cargo run --release -p drawn-shop --example contact_sheet -- sheet.png [products] [seed]`: all
//! products of a shop on one picture, to look at after a change to the drawings.

use std::{env, error::Error, fs};

use drawn_shop::{Options, Shop};

const CELL: (u32, u32) = (240, 320);
const COLUMNS: usize = 8;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let out = arguments.next().unwrap_or_else(|| "contact-sheet.png".to_owned());
    let n: usize = arguments.next().map_or(Ok(48), |n| n.parse())?;
    let seed: u64 = arguments.next().map_or(Ok(1), |n| n.parse())?;

    let shop = Shop::with(seed, n, Options { images: Some(1), ..Options::default() });
    let width = CELL.0 as usize * COLUMNS;
    let height = CELL.1 as usize * n.div_ceil(COLUMNS);
    let mut sheet = vec![255u8; width * height * 4];
    for (i, product) in shop.products().iter().enumerate() {
        println!("{:>3} {:<32} {}", i + 1, product.caption(), product.title);
        // Drawn at twice the size and averaged, as a browser would show it.
        let picture = product.images[0].clone().with_size(CELL.0 * 2, CELL.1 * 2).render();
        let (x0, y0) = ((i % COLUMNS) * CELL.0 as usize, (i / COLUMNS) * CELL.1 as usize);
        let stride = picture.width as usize * 4;
        for y in 0..CELL.1 as usize {
            for x in 0..CELL.0 as usize {
                for c in 0..4 {
                    let at = 2 * y * stride + 2 * x * 4 + c;
                    let sum: u32 = [at, at + 4, at + stride, at + stride + 4]
                        .iter()
                        .map(|&i| u32::from(picture.rgba[i]))
                        .sum();
                    sheet[((y0 + y) * width + x0 + x) * 4 + c] = (sum / 4) as u8;
                }
            }
        }
    }
    let mut encoder = png::Encoder::new(fs::File::create(&out)?, width as u32, height as u32);
    encoder.set_color(png::ColorType::Rgba);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&sheet)?;
    writer.finish()?;
    println!("wrote {out}");
    Ok(())
}

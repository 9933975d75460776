//! Which pictures of a file make the image: the primary item, or the first frame of a track, and its alpha.

use std::{borrow::Cow, collections::BTreeMap};

use super::{
    boxes::{Cursor, Part},
    corrupt,
    items::{Facts, Item, Items},
    movie::{self, Track},
    properties::Config,
};
use crate::image::{Format, ImageError, orient};

/// One picture in one or more tiles.
#[derive(Debug)]
pub(super) struct Picture<'a> {
    /// Of the whole, pixels.
    pub width: u32,
    pub height: u32,
    /// Columns, rows; `None` for a picture of one piece.
    pub grid: Option<(u32, u32)>,
    /// Row by row.
    pub tiles: Vec<Tile<'a>>,
    pub config: Config,
    pub facts: Facts,
}

#[derive(Debug)]
pub(super) struct Tile<'a> {
    pub data: Cow<'a, [u8]>,
    /// Which its header says; `None` where there is no such header.
    pub size: Option<(u32, u32)>,
    pub operating_point: u8,
}

#[derive(Debug)]
pub(super) struct Still<'a> {
    pub color: Picture<'a>,
    pub alpha: Option<Picture<'a>>,
    pub premultiplied: bool,
    /// EXIF orientation that Pillow makes of the file's.
    pub orientation: u8,
    pub frames: u32,
}

impl<'a> Still<'a> {
    pub(super) fn find(file: &'a [u8]) -> Result<Still<'a>, ImageError> {
        let mut brands: Option<&[u8]> = None;
        let (mut items, mut tracks) = (None, None);
        let mut rest = Cursor(file);
        while let Some(Part { kind, body, length }) = rest.outer_part()? {
            if ![*b"ftyp", *b"meta", *b"moov"].contains(&kind) {
                continue;
            }
            if length != body.len() as u64 {
                let detail = format!("{} of {length} bytes of a box", body.len());
                return Err(ImageError::truncated(Format::Avif, detail));
            }
            match (&kind, brands) {
                (b"ftyp", None) => brands = Some(body),
                (b"meta", Some(_)) if items.is_none() => items = Some(Items::read(body)?),
                (b"moov", Some(_)) if tracks.is_none() => tracks = Some(movie::tracks(body)?),
                _ => return Err(corrupt("its boxes are twice there, or before its brand")),
            }
            // What libavif does not need it does not read.
            if (items.is_some() || !has(brands, b"avif"))
                && (tracks.is_some() || !has(brands, b"avis"))
            {
                break;
            }
        }
        let missing = || ImageError::truncated(Format::Avif, "its table of contents is missing");
        if items.is_none() && has(brands, b"avif") || tracks.is_none() && has(brands, b"avis") {
            return Err(missing());
        }
        let major = brands.and_then(|brands| brands.first_chunk::<4>());
        match (items, tracks) {
            (Some(items), None) => Still::of_items(&items, file),
            (Some(items), _) if major == Some(b"avif") => Still::of_items(&items, file),
            (_, Some(tracks)) => Still::of_tracks(&tracks, file),
            (None, None) => Err(missing()),
        }
    }

    fn of_items(items: &Items<'a>, file: &'a [u8]) -> Result<Still<'a>, ImageError> {
        let primary = items.pictures().find(|item| item.id == items.primary);
        let primary = primary.ok_or_else(|| corrupt("it names no picture that can be read"))?;
        let color = Picture::of_item(primary, items, file)?;
        let is_alpha = |item: &&Item| {
            Facts::of(items.properties_of(item)).is_ok_and(|facts| facts.alpha == Some(true))
        };
        let mut alpha = items.pictures().filter(|item| item.auxiliary_of == primary.id);
        let mut premultiplied = false;
        let alpha = match alpha.find(is_alpha) {
            Some(item) => {
                premultiplied = primary.premultiplied_by == item.id;
                Some(Picture::of_item(item, items, file)?)
            }
            None if color.grid.is_some() => alpha_of_tiles(primary, &color, items, file, is_alpha)?,
            None => None,
        };
        if let Some(alpha) = &alpha {
            alpha.agrees_with(&color.facts)?;
        }
        let orientation = orientation(&color.facts, items, Some(primary.id), file)?;
        Ok(Still { color, alpha, premultiplied, orientation, frames: 1 })
    }

    fn of_tracks(tracks: &[Track<'a>], file: &'a [u8]) -> Result<Still<'a>, ImageError> {
        let color = tracks.iter().find(|t| t.auxiliary_of == 0 && t.properties().is_some());
        let track = color.ok_or_else(|| corrupt("it has no track of pictures"))?;
        let (color, frames) = Picture::of_track(track, file)?;
        let mut alpha = None;
        for other in tracks.iter().filter(|other| other.auxiliary_of == track.id) {
            let Some(properties) = other.properties() else { continue };
            if Facts::of(properties)?.alpha != Some(false) {
                let (picture, _) = Picture::of_track(other, file)?;
                picture.agrees_with(&color.facts)?;
                alpha = Some((picture, track.premultiplied_by == other.id));
                break;
            }
        }
        let (alpha, premultiplied) = alpha.unzip();
        let orientation = match &track.items {
            Some(items) => orientation(&color.facts, items, None, file)?,
            None => transformed(&color.facts),
        };
        let premultiplied = premultiplied == Some(true);
        Ok(Still { color, alpha, premultiplied, orientation, frames })
    }
}

fn has(brands: Option<&[u8]>, brand: &[u8; 4]) -> bool {
    brands.is_some_and(|brands| brands.chunks_exact(4).any(|known| known == brand))
}

impl<'a> Picture<'a> {
    fn of_item(item: &Item, items: &Items<'a>, file: &'a [u8]) -> Result<Picture<'a>, ImageError> {
        let facts = Facts::of(items.properties_of(item))?;
        if item.kind != *b"grid" {
            let tile = Tile::of_item(item, &facts, items, file)?;
            return Picture::new(facts.size, None, vec![tile], facts.config, facts);
        }
        let data = items.data(item, file)?;
        let mut fields = Cursor(&data);
        let (version, flags) = (fields.u8()?, fields.u8()?);
        let (rows, columns) = (u32::from(fields.u8()?) + 1, u32::from(fields.u8()?) + 1);
        let bytes = if flags & 1 == 1 { 4 } else { 2 };
        let size = (fields.number(bytes)? as u32, fields.number(bytes)? as u32);
        if version != 0 || size.0 == 0 || size.1 == 0 || !fields.0.is_empty() {
            return Err(corrupt("its grid is impossible"));
        }
        let tiles = items.iter().filter(|tile| tile.grid == item.id).map(|tile| (tile.tile, tile));
        let tiles = tiles.collect::<BTreeMap<_, _>>();
        Picture::of_grid(facts, size, (columns, rows), &tiles, items, file)
    }

    fn of_grid(
        facts: Facts,
        size: (u32, u32),
        grid: (u32, u32),
        tiles: &BTreeMap<usize, &Item>,
        items: &Items<'a>,
        file: &'a [u8],
    ) -> Result<Picture<'a>, ImageError> {
        let count = (grid.0 * grid.1) as usize;
        if tiles.len() != count || tiles.keys().enumerate().any(|(at, tile)| at != *tile) {
            return Err(corrupt("its grid has too few or too many tiles"));
        }
        let mut config = None;
        let tiles = tiles.values().map(|tile| {
            let facts = Facts::of(items.properties_of(tile))?;
            if facts.config.is_none() || *config.get_or_insert(facts.config) != facts.config {
                return Err(corrupt("the tiles of its grid differ"));
            }
            Tile::of_item(tile, &facts, items, file)
        });
        let tiles = tiles.collect::<Result<Vec<_>, _>>()?;
        // The size that counts is that of the item, where it has one (it is what Pillow allocates).
        if facts.size.is_some_and(|stated| stated != size) {
            return Err(corrupt("its grid has another size than its header says"));
        }
        Picture::new(Some(size), Some(grid), tiles, config.flatten(), facts)
    }

    fn of_track(track: &Track<'a>, file: &'a [u8]) -> Result<(Picture<'a>, u32), ImageError> {
        let properties = track.properties().ok_or_else(|| corrupt("a track has no frames"))?;
        let facts = Facts::of(properties)?;
        let (data, frames) = track.first(file)?;
        let size = Some((track.width, track.height));
        let tile = Tile { data: Cow::Borrowed(data), size, operating_point: 0 };
        Ok((Picture::new(size, None, vec![tile], facts.config, facts)?, frames))
    }

    fn new(
        size: Option<(u32, u32)>,
        grid: Option<(u32, u32)>,
        tiles: Vec<Tile<'a>>,
        config: Option<Config>,
        facts: Facts,
    ) -> Result<Picture<'a>, ImageError> {
        let config = config.ok_or_else(|| corrupt("a picture without a codec configuration"))?;
        if facts.depth.is_some_and(|depth| depth != config.depth()) {
            return Err(corrupt("its headers disagree about the depth"));
        }
        let (width, height) = match size {
            Some((0, _) | (_, 0)) | None => return Err(corrupt("a picture without a size")),
            Some(size) => size,
        };
        Ok(Picture { width, height, grid, tiles, config, facts })
    }

    /// libavif refuses alpha that is turned or cut otherwise than its picture, unless it says nothing of it.
    fn agrees_with(&self, color: &Facts) -> Result<(), ImageError> {
        let own = (self.facts.crop, self.facts.rotation, self.facts.mirror);
        if own == (None, None, None) || own == (color.crop, color.rotation, color.mirror) {
            return Ok(());
        }
        Err(ImageError::unsupported(
            "an AVIF image whose alpha is turned otherwise than its colours",
        ))
    }
}

impl<'a> Tile<'a> {
    fn of_item(
        item: &Item,
        facts: &Facts,
        items: &Items<'a>,
        file: &'a [u8],
    ) -> Result<Tile<'a>, ImageError> {
        if item.kind != *b"av01" || !item.has_data() {
            return Err(corrupt("a tile that is not AV1"));
        }
        if facts.layer.is_some_and(|layer| layer != 0xffff) {
            return Err(ImageError::unsupported("one chosen layer of an AVIF image"));
        }
        Ok(Tile {
            data: items.data(item, file)?,
            size: facts.size,
            operating_point: facts.operating_point.unwrap_or(0),
        })
    }
}

/// A grid may have its alpha in items that belong to its tiles.
fn alpha_of_tiles<'a>(
    primary: &Item,
    color: &Picture<'a>,
    items: &Items<'a>,
    file: &'a [u8],
    is_alpha: impl Fn(&&Item) -> bool,
) -> Result<Option<Picture<'a>>, ImageError> {
    let tiles = items.iter().filter(|item| item.grid == primary.id);
    let tiles = tiles.map(|tile| (tile.id, tile.tile)).collect::<BTreeMap<_, _>>();
    let mut found = BTreeMap::new();
    for item in items.iter().filter(is_alpha) {
        if let Some(at) = tiles.get(&item.auxiliary_of)
            && (item.grid != 0 || found.insert(*at, item).is_some())
        {
            return Err(corrupt("a tile of its grid has two alphas"));
        }
    }
    if found.len() < tiles.len() {
        return Ok(None);
    }
    let size = (color.width, color.height);
    let grid = color.grid.unwrap_or((1, 1));
    Picture::of_grid(Facts::default(), size, grid, &found, items, file).map(Some)
}

/// Pillow turns `irot` and `imir` into an EXIF orientation, in which neither leaves anything of EXIF's own.
fn orientation(
    facts: &Facts,
    items: &Items<'_>,
    described: Option<u32>,
    file: &[u8],
) -> Result<u8, ImageError> {
    let (mut exif, mut xmp) = (None, None);
    for item in items.iter().filter(|item| item.has_data()) {
        if described.is_some_and(|id| item.describes != id) {
            continue;
        }
        if item.kind == *b"Exif" {
            let data = items.data(item, file)?;
            exif = Some(exif_block(&data)?.to_vec());
        } else if item.xmp {
            xmp = Some(items.data(item, file)?.into_owned());
        }
    }
    let turned = transformed(facts);
    let own = orient::orientation(exif.as_deref(), None);
    Ok(match (turned, own) {
        (1, 1) => orient::orientation(exif.as_deref(), xmp.as_deref()),
        (turned, _) => turned,
    })
}

/// The block behind the offset of its TIFF header, which libavif checks.
fn exif_block(data: &[u8]) -> Result<&[u8], ImageError> {
    let mut fields = Cursor(data);
    let offset = fields.u32()? as usize;
    let found =
        fields.0.windows(4).position(|magic| [b"MM\0*", b"II*\0"].iter().any(|m| *m == magic));
    match found {
        Some(found) if found == offset => Ok(fields.0),
        _ => Err(corrupt("its Exif data has no header where it says so")),
    }
}

/// The orientation of a rotation (in quarters, against the clock) that a mirroring follows.
fn transformed(facts: &Facts) -> u8 {
    match (facts.rotation.unwrap_or(0), facts.mirror) {
        (0, None) => 1,
        (1, None) => 8,
        (2, None) => 3,
        (_, None) => 6,
        (0, Some(1)) | (2, Some(0)) => 2,
        (0, Some(_)) | (2, Some(_)) => 4,
        (1, Some(1)) | (3, Some(0)) => 7,
        (_, Some(_)) => 5,
    }
}

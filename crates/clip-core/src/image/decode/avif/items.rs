//! The items of a `meta` box (ISO/IEC 14496-12, 8.11): what they are, where their bytes lie, and how they
//! refer to each other. Refused is what libavif refuses.

use std::{borrow::Cow, collections::BTreeMap};

use super::{
    boxes::{Cursor, Part},
    corrupt,
    properties::{self, Color, Config, Property},
};
use crate::image::{Format, ImageError};

/// More than any picture has: a grid of 64 x 64 tiles with alpha. Extents may take no byte at all.
const MOST_ITEMS: usize = 10_000;
const MOST_EXTENTS: usize = 100_000;

#[derive(Debug, Default)]
pub(super) struct Item {
    pub id: u32,
    pub kind: [u8; 4],
    pub xmp: bool,
    /// Offset and length.
    extents: Vec<(u64, u64)>,
    in_idat: bool,
    properties: Option<Vec<u16>>,
    /// It has an essential property that is not known.
    unsupported: bool,
    thumbnail_of: u32,
    pub auxiliary_of: u32,
    pub describes: u32,
    pub premultiplied_by: u32,
    has_tiles: bool,
    /// Of which grid this is a tile.
    pub grid: u32,
    /// Which one.
    pub tile: usize,
}

#[derive(Debug, Default)]
pub(super) struct Items<'a> {
    pub primary: u32,
    list: Vec<Item>,
    by_id: BTreeMap<u32, usize>,
    properties: Vec<Property>,
    idat: &'a [u8],
    extents: usize,
}

impl<'a> Items<'a> {
    pub(super) fn read(body: &'a [u8]) -> Result<Items<'a>, ImageError> {
        let mut items = Items::default();
        let mut body = Cursor(body);
        body.only_version(0)?;
        let handler = match body.part()? {
            Some(part) if part.kind == *b"hdlr" => handler(part)?,
            _ => return Err(corrupt("its items have no handler")),
        };
        if handler != *b"pict" {
            return Err(corrupt("its items are not those of a picture"));
        }
        let mut seen: Vec<[u8; 4]> = vec![*b"hdlr"];
        for part in body.parts() {
            let Part { kind, body, .. } = part?;
            if [*b"hdlr", *b"iloc", *b"pitm", *b"idat", *b"iprp", *b"iinf", *b"iref"]
                .contains(&kind)
            {
                if seen.contains(&kind) {
                    return Err(corrupt("a box that may be there once is there twice"));
                }
                seen.push(kind);
            }
            match &kind {
                b"iloc" => items.locations(Cursor(body))?,
                b"pitm" => items.primary = primary(Cursor(body))?,
                b"idat" => items.idat = body,
                b"iprp" => items.properties(body)?,
                b"iinf" => items.kinds(Cursor(body))?,
                b"iref" => items.references(Cursor(body))?,
                _ => {}
            }
        }
        Ok(items)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Item> {
        self.list.iter()
    }

    /// The pictures among them.
    pub(super) fn pictures(&self) -> impl Iterator<Item = &Item> {
        self.iter().filter(|item| {
            item.has_data() && [*b"av01", *b"grid"].contains(&item.kind) && item.thumbnail_of == 0
        })
    }

    pub(super) fn properties_of(&self, item: &Item) -> impl Iterator<Item = Property> {
        let indices = item.properties.as_deref().unwrap_or_default();
        indices.iter().filter_map(|index| self.properties.get(usize::from(*index)).copied())
    }

    /// The bytes of an item.
    pub(super) fn data(&self, item: &Item, file: &'a [u8]) -> Result<Cow<'a, [u8]>, ImageError> {
        let source = if item.in_idat { self.idat } else { file };
        let part = |(offset, length): &(u64, u64)| {
            let end = offset.checked_add(*length).and_then(|end| usize::try_from(end).ok());
            let part = end.and_then(|end| source.get(usize::try_from(*offset).ok()?..end));
            part.ok_or_else(|| ImageError::truncated(Format::Avif, "an item ends behind it"))
        };
        if let [one] = &item.extents[..] {
            return part(one).map(Cow::Borrowed);
        }
        let mut all = Vec::new();
        for extent in &item.extents {
            let part = part(extent)?;
            // Extents may overlap: the file could name itself thousands of times.
            if all.len() + part.len() > file.len() {
                return Err(corrupt("an item is larger than the file"));
            }
            all.extend(part);
        }
        Ok(Cow::Owned(all))
    }

    fn item(&mut self, id: u32) -> Result<&mut Item, ImageError> {
        if id == 0 {
            return Err(corrupt("an item without a number"));
        }
        let count = self.list.len();
        let at = *self.by_id.entry(id).or_insert(count);
        if at == count {
            if count == MOST_ITEMS {
                return Err(ImageError::unsupported(format!(
                    "an AVIF image of more than {MOST_ITEMS} items"
                )));
            }
            self.list.push(Item { id, ..Item::default() });
        }
        self.list.get_mut(at).ok_or_else(|| corrupt("an item is missing"))
    }

    fn locations(&mut self, mut body: Cursor<'_>) -> Result<(), ImageError> {
        let (version, _) = body.version()?;
        let sizes = body.u16()?;
        let [offset, length, base, index] =
            [12, 8, 4, 0].map(|shift| usize::from(sizes >> shift & 15));
        let index = if version == 0 { 0 } else { index };
        if version > 2 || [offset, length, base, index].iter().any(|n| ![0, 4, 8].contains(n)) {
            return Err(corrupt("locations of an unknown form"));
        }
        for _ in 0..body.number(if version < 2 { 2 } else { 4 })? {
            let id = body.number(if version < 2 { 2 } else { 4 })? as u32;
            let method = if version == 0 { 0 } else { body.u16()? };
            if method > 1 {
                return Err(corrupt("an item at a place of an unknown kind"));
            }
            body.u16()?; // of data elsewhere
            let base = body.number(base)?;
            let count = usize::from(body.u16()?);
            self.extents += count;
            if self.extents > MOST_EXTENTS {
                return Err(corrupt("its items lie in too many pieces"));
            }
            let item = self.item(id)?;
            if !item.extents.is_empty() {
                return Err(corrupt("an item has two places"));
            }
            item.in_idat |= method == 1;
            for _ in 0..count {
                body.number(index)?;
                let at = base.checked_add(body.number(offset)?);
                let at = at.ok_or_else(|| corrupt("an item at an impossible place"))?;
                item.extents.push((at, body.number(length)?));
            }
        }
        Ok(())
    }

    fn properties(&mut self, body: &[u8]) -> Result<(), ImageError> {
        let mut body = Cursor(body);
        match body.part()? {
            Some(part) if part.kind == *b"ipco" => {
                self.properties = properties::read_all(part.body, false)?;
            }
            _ => return Err(corrupt("properties without their container")),
        }
        for part in body.parts() {
            let part = part?;
            if part.kind != *b"ipma" {
                return Err(corrupt("properties hold something else"));
            }
            self.associations(Cursor(part.body))?;
        }
        Ok(())
    }

    fn associations(&mut self, mut body: Cursor<'_>) -> Result<(), ImageError> {
        let (version, flags) = body.version()?;
        let mut before = 0;
        for _ in 0..body.u32()? {
            let id = body.number(if version < 1 { 2 } else { 4 })? as u32;
            if id <= before {
                return Err(corrupt("associations are not in their order"));
            }
            before = id;
            let mut indices = Vec::new();
            let mut unsupported = false;
            for _ in 0..body.u8()? {
                let bits = if flags & 1 == 1 { 15 } else { 7 };
                let value = body.number(bits / 7)? as u16;
                let (essential, index) = (value >> bits == 1, value & ((1 << bits) - 1));
                let Some(index) = index.checked_sub(1) else {
                    if essential {
                        return Err(corrupt("an essential property that is none"));
                    }
                    continue;
                };
                let property = self.properties.get(usize::from(index)).copied();
                let property = property.ok_or_else(|| corrupt("a property is missing"))?;
                if !property.fits(essential) {
                    return Err(corrupt("a property is essential that must not be, or is not"));
                }
                unsupported |= essential && property == Property::Unknown;
                indices.push(index);
            }
            let item = self.item(id)?;
            if item.properties.is_some() {
                return Err(corrupt("an item is associated twice"));
            }
            (item.properties, item.unsupported) = (Some(indices), unsupported);
        }
        Ok(())
    }

    fn kinds(&mut self, mut body: Cursor<'_>) -> Result<(), ImageError> {
        let (version, _) = body.version()?;
        let count = match version {
            0 => body.number(2)?,
            1 => body.number(4)?,
            _ => return Err(corrupt("descriptions of items of an unknown version")),
        };
        for _ in 0..count {
            let part = body.part()?.filter(|part| part.kind == *b"infe");
            let part = part.ok_or_else(|| corrupt("an item without its description"))?;
            let mut entry = Cursor(part.body);
            let id = match entry.version()?.0 {
                2 => entry.number(2)? as u32,
                3 => entry.number(4)? as u32,
                _ => return Err(corrupt("an item's description of an unknown version")),
            };
            entry.u16()?; // protection
            let kind = entry.kind()?;
            entry.string()?; // its name
            let xmp = kind == *b"mime" && entry.string()? == b"application/rdf+xml";
            let item = self.item(id)?;
            (item.kind, item.xmp) = (kind, xmp);
        }
        Ok(())
    }

    fn references(&mut self, mut body: Cursor<'_>) -> Result<(), ImageError> {
        let (version, _) = body.version()?;
        if version > 1 {
            return Ok(());
        }
        let bytes = if version == 0 { 2 } else { 4 };
        while let Some(part) = body.part()? {
            let mut fields = Cursor(part.body);
            let from = fields.number(bytes)? as u32;
            let tiles = part.kind == *b"dimg";
            let item = self.item(from)?;
            if tiles && std::mem::replace(&mut item.has_tiles, true) {
                return Err(corrupt("a grid has its tiles twice"));
            }
            for index in 0..usize::from(fields.u16()?) {
                let to = fields.number(bytes)? as u32;
                if to == 0 {
                    return Err(corrupt("a reference to an item without a number"));
                }
                if tiles {
                    let tile = self.item(to)?;
                    if tile.grid != 0 {
                        return Err(corrupt("a tile lies in two places"));
                    }
                    (tile.grid, tile.tile) = (from, index);
                    continue;
                }
                let item = self.item(from)?;
                match &part.kind {
                    b"thmb" => item.thumbnail_of = to,
                    b"auxl" => item.auxiliary_of = to,
                    b"cdsc" => item.describes = to,
                    b"prem" => item.premultiplied_by = to,
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

impl Item {
    /// Whether there is something that can be read.
    pub(super) fn has_data(&self) -> bool {
        !self.unsupported && self.extents.iter().any(|(_, length)| *length > 0)
    }
}

/// The kind of a handler.
pub(super) fn handler(part: Part<'_>) -> Result<[u8; 4], ImageError> {
    let mut body = Cursor(part.body);
    body.only_version(0)?;
    if body.u32()? != 0 {
        return Err(corrupt("a handler of an unknown form"));
    }
    let kind = body.kind()?;
    body.take(12)?;
    body.string()?;
    Ok(kind)
}

fn primary(mut body: Cursor<'_>) -> Result<u32, ImageError> {
    let (version, _) = body.version()?;
    Ok(body.number(if version == 0 { 2 } else { 4 })? as u32)
}

/// What the properties of a picture say of it; the first of each kind counts.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub size: Option<(u32, u32)>,
    pub config: Option<Config>,
    pub color: Option<Color>,
    pub depth: Option<u8>,
    pub alpha: Option<bool>,
    pub crop: Option<[u32; 8]>,
    pub rotation: Option<u8>,
    pub mirror: Option<u8>,
    pub operating_point: Option<u8>,
    pub layer: Option<u16>,
}

impl Facts {
    pub(super) fn of(properties: impl Iterator<Item = Property>) -> Result<Facts, ImageError> {
        let mut facts = Facts::default();
        for property in properties {
            match property {
                Property::Size { width, height } => {
                    facts.size.get_or_insert((width, height));
                }
                Property::Config(config) => {
                    facts.config.get_or_insert(config);
                }
                Property::Color(color) => {
                    if facts.color.replace(color).is_some() {
                        return Err(corrupt("it has two colours"));
                    }
                }
                Property::Depth(depth) => {
                    facts.depth.get_or_insert(depth);
                }
                Property::Auxiliary { alpha } => {
                    facts.alpha.get_or_insert(alpha);
                }
                Property::Crop(values) => {
                    facts.crop.get_or_insert(values);
                }
                Property::Rotation(angle) => {
                    facts.rotation.get_or_insert(angle);
                }
                Property::Mirror(axis) => {
                    facts.mirror.get_or_insert(axis);
                }
                Property::OperatingPoint(point) => {
                    facts.operating_point.get_or_insert(point);
                }
                Property::Layer(layer) => {
                    facts.layer.get_or_insert(layer);
                }
                Property::Layers | Property::Harmless | Property::Unknown => {}
            }
        }
        Ok(facts)
    }
}

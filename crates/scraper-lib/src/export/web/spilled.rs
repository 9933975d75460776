//! JSON that grows by product, in files without a name until it is complete: the memory of an export grows
//! with the different brands and categories, not with the products.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufWriter, Seek, Write},
};

use serde::Serialize;

use crate::{
    Error,
    named::{Folder, NewFile, Written},
};

/// Repeated values that [`Lists`] knows again. One of a later product is written once more.
const KNOWN: usize = 1 << 16;

/// An array.
pub(super) struct List {
    file: BufWriter<File>,
    len: usize,
}

impl List {
    pub(super) fn new(folder: &Folder) -> Result<Self, Error> {
        Ok(List { file: BufWriter::new(folder.nameless()?), len: 0 })
    }

    pub(super) fn push(&mut self, value: &impl Serialize) -> io::Result<()> {
        if !self.is_empty() {
            self.file.write_all(b",")?;
        }
        self.len += 1;
        Ok(serde_json::to_writer(&mut self.file, value)?)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn write(self, to: &mut impl Write) -> io::Result<()> {
        let mut file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        to.write_all(b"[")?;
        io::copy(&mut file, to)?;
        to.write_all(b"]")
    }
}

/// Repeated texts: `{"values": […], "of": […]}`, where `of` has the number of each product's value,
/// or null. Each value is there once.
pub(super) struct Column {
    values: List,
    of: List,
    seen: HashMap<String, usize>,
}

impl Column {
    pub(super) fn new(folder: &Folder) -> Result<Self, Error> {
        let (values, of) = (List::new(folder)?, List::new(folder)?);
        Ok(Column { values, of, seen: HashMap::new() })
    }

    pub(super) fn push(&mut self, value: Option<&str>) -> io::Result<()> {
        let number = value.map(|value| number(&mut self.values, &mut self.seen, value));
        self.of.push(&number.transpose()?)
    }
}

/// Several repeated texts per product: `of` has lists of numbers.
pub(super) struct Lists(Column);

impl Lists {
    pub(super) fn new(folder: &Folder) -> Result<Self, Error> {
        Column::new(folder).map(Lists)
    }

    pub(super) fn push(&mut self, list: &[&str]) -> io::Result<()> {
        let Column { values, of, seen } = &mut self.0;
        if seen.len() > KNOWN {
            seen.clear();
        }
        let numbers = list.iter().map(|value| number(values, seen, value));
        of.push(&numbers.collect::<io::Result<Vec<_>>>()?)
    }
}

/// The number of a value, which may be new.
fn number(values: &mut List, seen: &mut HashMap<String, usize>, value: &str) -> io::Result<usize> {
    if let Some(&number) = seen.get(value) {
        return Ok(number);
    }
    let number = values.len;
    values.push(&value)?;
    seen.insert(value.to_owned(), number);
    Ok(number)
}

/// Writes the file `part`, whose members are written one after the other.
pub(super) fn object(
    folder: &Folder,
    part: &str,
    members: impl FnOnce(&mut Object) -> io::Result<()>,
) -> Result<Written, Error> {
    let mut object = Object { file: folder.file()?, any: false };
    members(&mut object).map_err(folder.error())?;
    object.file.put(if object.any { b"}" } else { b"{}" })?;
    object.file.finish(part, "json")
}

/// An object, not yet closed.
pub(super) struct Object<'a> {
    file: NewFile<'a>,
    any: bool,
}

impl Object<'_> {
    pub(super) fn number(&mut self, name: &str, number: u32) -> io::Result<()> {
        self.name(name)?;
        write!(self.file, "{number}")
    }

    pub(super) fn list(&mut self, name: &str, list: List) -> io::Result<()> {
        self.name(name)?;
        list.write(&mut self.file)
    }

    pub(super) fn column(&mut self, name: &str, column: Column) -> io::Result<()> {
        self.name(name)?;
        self.file.write_all(br#"{"values":"#)?;
        column.values.write(&mut self.file)?;
        self.file.write_all(br#","of":"#)?;
        column.of.write(&mut self.file)?;
        self.file.write_all(b"}")
    }

    /// Leaves it out where no product has a value.
    pub(super) fn column_if_any(&mut self, name: &str, column: Column) -> io::Result<()> {
        if column.values.is_empty() { Ok(()) } else { self.column(name, column) }
    }

    pub(super) fn lists_if_any(&mut self, name: &str, lists: Lists) -> io::Result<()> {
        self.column_if_any(name, lists.0)
    }

    fn name(&mut self, name: &str) -> io::Result<()> {
        let before = if std::mem::replace(&mut self.any, true) { ',' } else { '{' };
        write!(self.file, "{before}\"{name}\":")
    }
}

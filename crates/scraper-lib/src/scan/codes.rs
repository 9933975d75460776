//! The scan file of an index whose rows are not held in memory.

use std::{
    fs::File,
    io::{self, BufWriter, Read, Seek, SeekFrom, Write},
};

use clip_core::{
    Provenance,
    index::{Builder, Code, IndexError},
};

use crate::{
    Error,
    named::{Folder, Written},
    store::StoreError,
};

/// Takes the codes to a file without a name until what stands before them is known.
pub(crate) struct Codes<'a> {
    folder: &'a Folder,
    file: BufWriter<File>,
    row: Vec<u8>,
}

impl<'a> Codes<'a> {
    pub(crate) fn new(folder: &'a Folder) -> Result<Self, Error> {
        Ok(Codes { folder, file: BufWriter::new(folder.nameless()?), row: Vec::new() })
    }

    /// Adds a row; see [`Builder::push`].
    pub(crate) fn push(
        &mut self,
        builder: &mut Builder,
        values: &[f32],
        same_group: bool,
    ) -> Result<(), Error> {
        self.row.clear();
        let code = builder.code(values, &mut self.row).map_err(damaged)?;
        builder.push(code, same_group);
        self.file.write_all(&self.row).map_err(self.folder.error())
    }

    /// Adds rows whose codes are there already.
    pub(super) fn add(
        &mut self,
        builder: &mut Builder,
        rows: impl Iterator<Item = (Code, bool)>,
        codes: &[u8],
    ) -> Result<(), Error> {
        rows.for_each(|(code, same)| builder.push(code, same));
        self.file.write_all(codes).map_err(self.folder.error())
    }

    /// Writes the scan file.
    pub(crate) fn finish(
        self,
        builder: Builder,
        provenance: &Provenance,
    ) -> Result<Written, Error> {
        let fail = self.folder.error();
        let frame = builder.finish(provenance).map_err(damaged)?;
        let mut codes = self.file.into_inner().map_err(|e| fail(e.into_error()))?;
        codes.seek(SeekFrom::Start(0)).map_err(&fail)?;
        let mut file = self.folder.file()?;
        file.write(&frame.before)?;
        let mut block = vec![0; 1 << 20];
        loop {
            match codes.read(&mut block) {
                Ok(0) => break,
                Ok(read) => file.write(block.get(..read).unwrap_or_default())?,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(fail(e)),
            }
        }
        file.write(&frame.after)?;
        file.finish("scan", "safetensors")
    }
}

fn damaged(error: IndexError) -> Error {
    StoreError::Damaged(error.to_string()).into()
}

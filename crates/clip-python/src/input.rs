//! What Python calls an image: bytes of a file, a path, or pixels.

use std::path::PathBuf;

use clip_core::{
    Clip,
    image::{ImageInfo, PixelValues, RgbImage},
    trace::Trace,
};
use numpy::{PyReadonlyArray3, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::{
    exceptions::{PyTypeError, PyValueError},
    prelude::*,
    pybacked::PyBackedBytes,
};
use scraper_lib::{Error, fetch::read_file};
use tokio::runtime::Handle;

use crate::failure::Failure;

/// One image, held without the interpreter's lock.
pub(crate) enum Image {
    /// A file's content; Python's own bytes, not a copy.
    Bytes(PyBackedBytes),
    /// A file.
    Path(PathBuf),
    /// Decoded elsewhere.
    Pixels(RgbImage),
}

impl<'py> FromPyObject<'_, 'py> for Image {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(bytes) = object.extract() {
            return Ok(Image::Bytes(bytes));
        }
        if object.cast::<PyUntypedArray>().is_ok() {
            return pixels(object).map(Image::Pixels);
        }
        object.extract().map(Image::Path).map_err(|_| {
            let found = object.get_type();
            PyTypeError::new_err(format!(
                "an image is bytes, a path, a PIL image or an array [height, width, 3] of uint8, \
                 not {found}"
            ))
        })
    }
}

/// Pixels of an array `[height, width, 3]` of `uint8`.
fn pixels(object: Borrowed<'_, '_, PyAny>) -> PyResult<RgbImage> {
    let found = object.cast::<PyUntypedArray>()?;
    let wrong = || {
        PyValueError::new_err(format!(
            "an array of pixels is [height, width, 3] of uint8, not {:?} of {}",
            found.shape(),
            found.dtype()
        ))
    };
    let array: PyReadonlyArray3<'_, u8> = object.extract().map_err(|_| wrong())?;
    let view = array.as_array();
    let (height, width, 3) = view.dim() else { return Err(wrong()) };
    let side = |n: usize| u32::try_from(n).map_err(|_| wrong());
    // In C order, whatever the array's is.
    let data = view.iter().copied().collect();
    Ok(RgbImage { width: side(width)?, height: side(height)?, data })
}

impl Image {
    /// The image as the tower takes it.
    pub(crate) fn prepare(&self, clip: &Clip, files: &Handle) -> Result<PixelValues, Failure> {
        match self {
            Image::Bytes(bytes) => Ok(prepare_bytes(clip, bytes)?.0),
            Image::Path(path) => Ok(prepare_bytes(clip, &read(clip, path, files)?)?.0),
            Image::Pixels(rgb) => clip.processor().process_rgb(rgb).map_err(of_image),
        }
    }

    /// The digest of each stage.
    pub(crate) fn trace(&self, clip: &Clip, files: &Handle) -> Result<Trace, Failure> {
        let whole = |bytes: &[u8]| Ok(clip.trace_image(bytes).map_err(Error::from)?.1);
        match self {
            Image::Bytes(bytes) => whole(bytes),
            Image::Path(path) => whole(&read(clip, path, files)?),
            Image::Pixels(rgb) => {
                let prepared = clip.processor().prepare(rgb).map_err(of_image)?;
                let mut trace = prepared.trace(rgb);
                let tower = clip.trace_pixels(&prepared.pixels).map_err(Error::from)?;
                trace.stages.extend(tower.1.stages);
                Ok(trace)
            }
        }
    }
}

/// A file's content as the tower takes it, and what the file says of itself.
pub(crate) fn prepare_bytes(
    clip: &Clip,
    bytes: &[u8],
) -> Result<(PixelValues, ImageInfo), Failure> {
    clip.processor().process_with_info(bytes).map_err(of_image)
}

fn of_image(error: clip_core::image::ImageError) -> Failure {
    clip_core::Error::from(error).into()
}

fn read(clip: &Clip, path: &std::path::Path, files: &Handle) -> Result<Vec<u8>, Failure> {
    let limit = clip.processor().limits().max_bytes as u64;
    Ok(files.block_on(read_file(path, limit)).map_err(Error::from)?)
}

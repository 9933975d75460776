//! One AV1 frame, by `rav1d`.
//!
//! Through its C interface, because its Rust interface loses 48 bytes with each picture: what
//! `dav1d_picture_unref` leaves behind is no picture, but owns a list without entries. Each lies among the
//! large blocks of the decoder, and glibc cannot put these together again: a process grew by up to a
//! megabyte with each file.

#![allow(unsafe_code)]

use std::{mem, ptr::NonNull, slice};

use re_rav1d::{
    Dav1dResult,
    include::dav1d::{
        data::Dav1dData,
        dav1d::{Dav1dContext, Dav1dSettings},
        headers::{DAV1D_PIXEL_LAYOUT_I400, DAV1D_PIXEL_LAYOUT_I420, DAV1D_PIXEL_LAYOUT_I422},
        picture::Dav1dPicture,
    },
    src::lib::{
        dav1d_close, dav1d_data_create, dav1d_data_unref, dav1d_default_settings,
        dav1d_get_picture, dav1d_open, dav1d_picture_unref, dav1d_send_data,
    },
};

use super::frame::Layout;

/// What the decoder said, as an error number of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failure(i32);

impl Failure {
    /// It wants to be given the rest first.
    const AGAIN: Failure = Failure(libc::EAGAIN);
}

impl std::fmt::Display for Failure {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            libc::EINVAL => to.write_str("its stream is invalid"),
            libc::ENOMEM => to.write_str("not enough memory"),
            libc::ENOPROTOOPT => to.write_str("it needs what the decoder does not have"),
            libc::ERANGE => to.write_str("its frames are too large"),
            libc::EAGAIN => to.write_str("it ends before a frame does"),
            number => write!(to, "error {number}"),
        }
    }
}

fn checked(result: Dav1dResult) -> Result<(), Failure> {
    match result.0 {
        0 => Ok(()),
        number => Err(Failure(-number)),
    }
}

/// The first frame of `data`, of at most `most` pixels.
pub(super) fn first_frame(data: &[u8], operating_point: u8, most: u32) -> Result<Picture, Failure> {
    let decoder = Decoder::new(operating_point, most)?;
    let mut data = Data::new(data)?;
    let mut pending = decoder.send(&mut data)?;
    loop {
        match decoder.picture() {
            Err(Failure::AGAIN) if pending => pending = decoder.send(&mut data)?,
            picture => return picture,
        }
    }
}

struct Decoder(Dav1dContext);

impl Decoder {
    fn new(operating_point: u8, most: u32) -> Result<Self, Failure> {
        let mut settings = mem::MaybeUninit::<Dav1dSettings>::uninit();
        // SAFETY: it is written to.
        let mut settings = unsafe {
            dav1d_default_settings(NonNull::from(&mut settings).cast());
            settings.assume_init()
        };
        settings.n_threads = 1;
        settings.max_frame_delay = 1;
        settings.all_layers = 0;
        settings.operating_point = operating_point.into();
        settings.frame_size_limit = most;
        let mut context = None;
        // SAFETY: both are there to be read, and the first to be written.
        let opened = unsafe {
            dav1d_open(Some(NonNull::from(&mut context)), Some(NonNull::from(&mut settings)))
        };
        checked(opened)?;
        context.map(Decoder).ok_or(Failure(libc::ENOMEM))
    }

    /// Whether some of `data` is left, and a picture must be taken first.
    fn send(&self, data: &mut Data) -> Result<bool, Failure> {
        // SAFETY: the context is open until it is dropped, and the data are those of `dav1d_data_create`.
        let sent = unsafe { dav1d_send_data(Some(self.0), Some(NonNull::from(&mut data.0))) };
        match checked(sent) {
            Err(Failure::AGAIN) => Ok(true),
            Err(e) => Err(e),
            Ok(()) => Ok(data.0.sz > 0),
        }
    }

    fn picture(&self) -> Result<Picture, Failure> {
        let mut picture = mem::MaybeUninit::<Dav1dPicture>::zeroed();
        // SAFETY: as above; the picture is written in any case. Zeros are one that owns nothing.
        let (got, picture) = unsafe {
            let place = NonNull::from(&mut picture).cast();
            let got = dav1d_get_picture(Some(self.0), Some(place));
            (got, Picture(picture.assume_init()))
        };
        checked(got).map(|()| picture)
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        let mut context = Some(self.0);
        // SAFETY: it comes from `dav1d_open`, and is not used again.
        unsafe { dav1d_close(Some(NonNull::from(&mut context))) }
    }
}

struct Data(Dav1dData);

impl Data {
    fn new(bytes: &[u8]) -> Result<Self, Failure> {
        let mut data = mem::MaybeUninit::<Dav1dData>::zeroed();
        // SAFETY: the place is written to where memory is returned, of as many bytes.
        unsafe {
            let place = NonNull::from(&mut data).cast();
            let memory = dav1d_data_create(Some(place), bytes.len());
            let memory = NonNull::new(memory).ok_or(Failure(libc::EINVAL))?;
            memory.copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len());
            Ok(Data(data.assume_init()))
        }
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        // SAFETY: what the decoder has not taken; it is not used again.
        unsafe { dav1d_data_unref(Some(NonNull::from(&mut self.0))) }
    }
}

/// A decoded frame.
pub(super) struct Picture(Dav1dPicture);

impl std::fmt::Debug for Picture {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "Picture({:?})", self.size())
    }
}

impl Picture {
    /// Width and height.
    pub(super) fn size(&self) -> (usize, usize) {
        let side = |n| usize::try_from(n).unwrap_or(0);
        (side(self.0.p.w), side(self.0.p.h))
    }

    /// Bits of a sample.
    pub(super) fn depth(&self) -> u8 {
        u8::try_from(self.0.p.bpc).unwrap_or(8)
    }

    pub(super) fn layout(&self) -> Layout {
        #[allow(non_upper_case_globals)] // as they are called there
        match self.0.p.layout {
            DAV1D_PIXEL_LAYOUT_I400 => Layout::Grey,
            DAV1D_PIXEL_LAYOUT_I420 => Layout::Yuv420,
            DAV1D_PIXEL_LAYOUT_I422 => Layout::Yuv422,
            _ => Layout::Yuv444,
        }
    }

    /// Samples of luma (0) or chroma (1, 2), of one byte or, beyond 8 bits, of two, and the bytes from one
    /// row to the next.
    pub(super) fn plane(&self, channel: usize) -> (&[u8], usize) {
        let (width, height) = self.size();
        let rows = if channel == 0 { height } else { self.layout().chroma(width, height).1 };
        let stride = self.0.stride.get(channel.min(1)).copied().unwrap_or(0);
        let data = self.0.data.get(channel).copied().flatten();
        match (data, usize::try_from(stride)) {
            // SAFETY: the decoder has allocated so many rows, and they live as long as the picture.
            (Some(data), Ok(stride)) => unsafe {
                (slice::from_raw_parts(data.cast().as_ptr(), rows * stride), stride)
            },
            _ => (&[], 0),
        }
    }
}

impl Drop for Picture {
    fn drop(&mut self) {
        // SAFETY: the picture comes from `dav1d_get_picture`. What is left in its place is a picture of
        // nothing, whose list nobody else knows.
        unsafe {
            dav1d_picture_unref(Some(NonNull::from(&mut self.0)));
            self.0.itut_t35 = None;
            drop(self.0.itut_t35_ref.take().map(|list| list.into_arc()));
        }
    }
}

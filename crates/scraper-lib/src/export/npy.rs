//! NumPy's array file, version 1.0
//! (<https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>).

use std::io::{self, Write};

/// Header of a C-ordered little-endian f32 array `[rows, dim]`; the rows follow it.
pub fn header(rows: usize, dim: usize) -> Vec<u8> {
    let dict = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {dim}), }}");
    // Magic, version, length and text fill a multiple of 64 bytes, the last one a line feed.
    let length = (10 + dict.len() + 1).next_multiple_of(64) - 10;
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    // At most 128: two numbers and 60 characters.
    header.extend_from_slice(&(length as u16).to_le_bytes());
    header.extend_from_slice(format!("{dict:<width$}\n", width = length - 1).as_bytes());
    header
}

/// One row.
///
/// # Errors
/// Those of `out`.
pub fn write_row(out: &mut dyn Write, values: &[f32]) -> io::Result<()> {
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    out.write_all(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_aligned_and_ends_in_a_line_feed() {
        for (rows, dim) in [(0, 0), (1, 512), (usize::MAX, usize::MAX)] {
            let header = header(rows, dim);
            assert_eq!(header.len() % 64, 0);
            assert_eq!(header.last(), Some(&b'\n'));
            assert_eq!(u16::from_le_bytes([header[8], header[9]]) as usize, header.len() - 10);
        }
        let text = String::from_utf8_lossy(&header(3, 512)).into_owned();
        assert!(text.contains("'shape': (3, 512), }"), "{text}");
    }
}

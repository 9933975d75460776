//! Types and error numbers (as on Linux) in place of the crate of the same name, which has none for
//! wasm32-unknown-unknown. No function of C is called.

#![no_std]
#![allow(non_camel_case_types, missing_docs)]

pub use core::ffi::{c_char, c_int, c_uint, c_void};

pub type ptrdiff_t = isize;
pub type intptr_t = isize;
pub type uintptr_t = usize;
pub type size_t = usize;
pub type off_t = i64;

pub const ENOENT: c_int = 2;
pub const EIO: c_int = 5;
pub const EAGAIN: c_int = 11;
pub const ENOMEM: c_int = 12;
pub const EINVAL: c_int = 22;
pub const ERANGE: c_int = 34;
pub const ENOPROTOOPT: c_int = 92;

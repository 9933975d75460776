//! The build script of `re_rav1d` uses it only with the feature `asm`; the real one needs the real `libc`.

//! One view over a safetensors file.

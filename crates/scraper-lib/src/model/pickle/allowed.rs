//! The globals that a checkpoint may name.

/// Names within `torch` and `torch.cuda`: types of storage.
const STORAGES: [&str; 12] = [
    "FloatStorage",
    "DoubleStorage",
    "HalfStorage",
    "BFloat16Storage",
    "ByteStorage",
    "CharStorage",
    "ShortStorage",
    "IntStorage",
    "LongStorage",
    "BoolStorage",
    "ComplexFloatStorage",
    "ComplexDoubleStorage",
];
/// Functions in `torch._utils` that build tensors.
const REBUILD: [&str; 5] = [
    "_rebuild_parameter",
    "_rebuild_parameter_with_state",
    "_rebuild_tensor",
    "_rebuild_tensor_v2",
    "_rebuild_tensor_v3",
];
const OTHERS: [(&str, &str); 10] = [
    ("collections", "OrderedDict"),
    ("collections", "Counter"),
    ("torch", "Size"),
    ("torch", "device"),
    ("torch", "Tensor"),
    ("torch.nn.parameter", "Parameter"),
    ("torch.serialization", "_get_layout"),
    ("torch._tensor", "_rebuild_from_type_v2"),
    ("_codecs", "encode"),
    ("builtins", "set"),
];

/// Whether `module.name` is what a state dict needs.
pub(super) fn is_allowed(module: &str, name: &str) -> bool {
    const DTYPES: [&str; 12] = [
        "float16",
        "float32",
        "float64",
        "bfloat16",
        "uint8",
        "int8",
        "int16",
        "int32",
        "int64",
        "bool",
        "complex64",
        "complex128",
    ];
    OTHERS.contains(&(module, name))
        || (matches!(module, "torch" | "torch.cuda") && STORAGES.contains(&name))
        || (module == "torch" && DTYPES.contains(&name))
        || (module == "torch._utils" && REBUILD.contains(&name))
}

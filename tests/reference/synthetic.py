"""The synthetic checkpoint and its pixel inputs, bit for bit as the Rust code makes them.

Twin of `clip_core::synthetic` (weights) and of `clip_tests::inputs` (pixels). Value i of a tensor
depends only on (seed, tensor name, i), so both sides may compute in any order.

Needs numpy; `write_folder` also needs safetensors.
"""

import hashlib
import json
import math
from pathlib import Path

import numpy as np

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MASK = (1 << 64) - 1
# Standard deviation of the sum of four uniform 16-bit numbers: sqrt(4 * (2^32 - 1) / 12).
LANES_STD = math.sqrt(4294967295.0 / 3.0)
CHUNK = 1 << 18


def vit_b_32():
    """config.json of openai/clip-vit-base-patch32 (legacy eos_token_id)."""
    return config(
        text=dict(hidden_size=512, intermediate_size=2048, num_hidden_layers=12, num_attention_heads=8),
        vision=dict(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12, patch_size=32),
        projection=512, act="quick_gelu", eos=2,
    )


def second_shape():
    """A small CLIP that differs from B/32 in every respect: patch 16, widths, erf gelu, new EOS rule."""
    return config(
        text=dict(hidden_size=128, intermediate_size=512, num_hidden_layers=3, num_attention_heads=2),
        vision=dict(hidden_size=192, intermediate_size=768, num_hidden_layers=4, num_attention_heads=3, patch_size=16),
        projection=96, act="gelu", eos=49407,
    )


def config(text, vision, projection, act, eos):
    common = dict(hidden_act=act, layer_norm_eps=1e-5, projection_dim=projection)
    return {
        "architectures": ["CLIPModel"],
        "model_type": "clip",
        "projection_dim": projection,
        "logit_scale_init_value": 2.6592,
        "text_config": dict(text, **common, model_type="clip_text_model", vocab_size=49408,
                            max_position_embeddings=77, bos_token_id=49406, eos_token_id=eos),
        "vision_config": dict(vision, **common, model_type="clip_vision_model", image_size=224, num_channels=3),
    }


# --- generator ---------------------------------------------------------------------------------


def key(seed, name):
    """64-bit stream key: FNV-1a of the name, mixed with the seed."""
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = ((h ^ byte) * 0x100000001B3) & MASK
    return int(mix(np.array([(h + seed * int(GOLDEN)) & MASK], np.uint64))[0])


def mix(z):
    """SplitMix64's finaliser on an array of uint64 (consumed)."""
    z ^= z >> np.uint64(30)
    z *= np.uint64(0xBF58476D1CE4E5B9)
    z ^= z >> np.uint64(27)
    z *= np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return z


def stream(k, start, count):
    """Words start..start+count of the stream with key k."""
    index = np.arange(start + 1, start + 1 + count, dtype=np.uint64)
    return mix(index * GOLDEN + np.uint64(k))


def values(k, count, mean, std, exact16):
    """f32 values: mean + std * (about N(0, 1)), rounded to f16 where `exact16`."""
    scale = np.float32(std / LANES_STD)
    mean = np.float32(mean)
    out = np.empty(count, np.float32)
    for start in range(0, count, CHUNK):
        z = stream(k, start, min(CHUNK, count - start))
        lanes = z.view(np.uint16).reshape(-1, 4).sum(axis=1, dtype=np.int32) - 131070
        x = lanes.astype(np.float32) * scale + mean
        out[start:start + len(z)] = x.astype(np.float16) if exact16 else x
    return out


# --- tensors of a CLIPModel --------------------------------------------------------------------


def tensors(cfg):
    """(name, shape, mean, std, exact16) of every parameter, in no particular order.

    The gains are tuned so that a random model tells inputs apart (sharp attention, weak position
    and class embeddings) while f32 and f64 agree to 1e-6 on normalised embeddings.
    """
    t, v, p = cfg["text_config"], cfg["vision_config"], cfg["projection_dim"]
    yield "logit_scale", (), 4.6052, 0.0, False

    def norm(name, width, exact16):
        yield f"{name}.weight", (width,), 1.0, 0.1, exact16
        yield f"{name}.bias", (width,), 0.0, 0.05, exact16

    def linear(name, out, fan_in, gain):
        yield f"{name}.weight", (out, fan_in), 0.0, gain / math.sqrt(fan_in), True
        yield f"{name}.bias", (out,), 0.0, 0.02, True

    def tower(name, c):
        d, inner = c["hidden_size"], c["intermediate_size"]
        for i in range(c["num_hidden_layers"]):
            layer = f"{name}.encoder.layers.{i}"
            yield from norm(f"{layer}.layer_norm1", d, True)
            yield from norm(f"{layer}.layer_norm2", d, True)
            yield from linear(f"{layer}.self_attn.q_proj", d, d, 2.0)
            yield from linear(f"{layer}.self_attn.k_proj", d, d, 2.0)
            yield from linear(f"{layer}.self_attn.v_proj", d, d, 1.0)
            yield from linear(f"{layer}.self_attn.out_proj", d, d, 1.0)
            yield from linear(f"{layer}.mlp.fc1", inner, d, 1.4)
            yield from linear(f"{layer}.mlp.fc2", d, inner, 1.0)

    yield "text_model.embeddings.token_embedding.weight", (t["vocab_size"], t["hidden_size"]), 0.0, 0.5, True
    yield ("text_model.embeddings.position_embedding.weight", (t["max_position_embeddings"], t["hidden_size"]),
           0.0, 0.2, True)
    yield from tower("text_model", t)
    # Genuine f32, so that "stored as f16 only where no bit is lost" has something to refuse.
    yield from norm("text_model.final_layer_norm", t["hidden_size"], False)
    yield "text_projection.weight", (p, t["hidden_size"]), 0.0, 1.0 / math.sqrt(t["hidden_size"]), True

    d, patch = v["hidden_size"], v["patch_size"]
    positions = (v["image_size"] // patch) ** 2 + 1
    yield "vision_model.embeddings.class_embedding", (d,), 0.0, 0.3, True
    yield ("vision_model.embeddings.patch_embedding.weight", (d, 3, patch, patch), 0.0,
           1.0 / math.sqrt(3 * patch * patch), True)
    yield "vision_model.embeddings.position_embedding.weight", (positions, d), 0.0, 0.2, True
    yield from norm("vision_model.pre_layrnorm", d, False)
    yield from tower("vision_model", v)
    yield from norm("vision_model.post_layernorm", d, False)
    yield "visual_projection.weight", (p, d), 0.0, 1.0 / math.sqrt(d), True


def checkpoint(cfg, seed):
    """name -> f32 array of every parameter."""
    return {name: values(key(seed, name), math.prod(shape), mean, std, exact16).reshape(shape)
            for name, shape, mean, std, exact16 in tensors(cfg)}


def digest(arrays):
    """SHA-256 over (name, NUL, little-endian f32 values) in order of names."""
    h = hashlib.sha256()
    for name in sorted(arrays):
        h.update(name.encode() + b"\0")
        h.update(np.ascontiguousarray(arrays[name], "<f4").tobytes())
    return h.hexdigest()


def write_folder(folder, cfg, arrays):
    """A folder that `CLIPModel.from_pretrained` loads."""
    from safetensors.numpy import save_file

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(cfg, indent=2))
    save_file(arrays, folder / "model.safetensors", metadata={"format": "pt"})


# --- pixel inputs ------------------------------------------------------------------------------

SIDE = 224
MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)


def drawing(seed, index):
    """Picture `index` as uint8 [3, 224, 224]: a background with shapes, stripes and noise.

    Integers only. Even pictures have the near-white background of a shop photo.
    """
    k = key(seed, f"pixels.{index}")
    words = iter(stream(k, 0, 256).tolist())
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.int32)
    low, span = (236, 20) if index % 2 == 0 else (0, 256)
    image = np.empty((3, SIDE, SIDE), np.int32)
    for channel in image:
        base, gx, gy = low + next(words) % span, next(words) % 65 - 32, next(words) % 65 - 32
        channel[:] = base + ((x * gx + y * gy) >> 8)
    for _ in range(3 + next(words) % 5):
        kind, cx, cy = next(words) % 3, 32 + next(words) % 160, 32 + next(words) % 160
        rx, ry, period = 12 + next(words) % 64, 12 + next(words) % 64, 4 + next(words) % 24
        colour = [next(words) % 256 for _ in range(3)]
        dx, dy = x - cx, y - cy
        if kind == 0:
            inside = dx * dx * (ry * ry) + dy * dy * (rx * rx) <= rx * rx * ry * ry
        else:
            inside = (abs(dx) <= rx) & (abs(dy) <= ry)
        if kind == 2:
            inside &= (x + 2 * y) % period * 2 < period
        for channel, value in zip(image, colour):
            channel[inside] = value
    noise = (stream(k, 256, 3 * SIDE * SIDE) >> np.uint64(60)).astype(np.int32).reshape(image.shape)
    return np.clip(image + noise - 8, 0, 255).astype(np.uint8)


def pixels(seed, index):
    """Normalised f32 [3, 224, 224] of `drawing`: one rounding per operation."""
    scaled = drawing(seed, index).astype(np.float32) * np.float32(1.0 / 255.0)
    return (scaled - MEAN[:, None, None]) / STD[:, None, None]

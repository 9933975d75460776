"""Draws pictures in every format and times Pillow on them: python time_images.py FOLDER

For `cargo xtask bench decode`. Says its versions and the files as a line of JSON; then answers each line
FILE with the milliseconds of opening and loading it, and with those of `.convert("RGB")` as well, which is
how transformers opens a file; each line "digest FILE" with the SHA-256 of the pixels.
"""

import hashlib
import io
import json
import sys
import time
from pathlib import Path

import numpy as np
import PIL
from PIL import AvifImagePlugin, Image, features

WIDTH, HEIGHT = 1200, 1600
# What, file, how it is saved.
FILES = [
    ("JPEG 4:2:0", "420.jpg", {"quality": 90}),
    ("JPEG 4:4:4", "444.jpg", {"quality": 90, "subsampling": 0}),
    ("JPEG, progressive", "progressive.jpg", {"quality": 90, "progressive": True}),
    ("JPEG, grey", "grey.jpg", {"quality": 90}),
    ("PNG", "rgb.png", {}),
    ("WebP, lossy", "lossy.webp", {"quality": 90}),
    ("WebP, lossless", "lossless.webp", {"lossless": True}),
    ("AVIF", "rgb.avif", {"quality": 75}),
    ("GIF", "palette.gif", {}),
    ("TIFF, LZW", "lzw.tif", {"compression": "tiff_lzw"}),
]
MODES = {"grey.jpg": "L", "palette.gif": "P"}


def draw() -> Image.Image:
    """Like a photograph: shapes of all sizes, each size fainter than the next, and a little noise."""
    random = np.random.default_rng(17)

    def clouds(rows):
        small = random.normal(size=(rows, rows * WIDTH // HEIGHT, 3))
        small = (small - small.min()) / np.ptp(small) * 255
        image = Image.fromarray(small.astype(np.uint8))
        return np.asarray(image.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC), dtype=float)

    pixels = 0.5 * clouds(8) + 0.3 * clouds(64) + 0.15 * clouds(400)
    pixels += random.normal(scale=3, size=pixels.shape)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def milliseconds(data, convert):
    start = time.perf_counter()
    image = Image.open(io.BytesIO(data))
    image.convert("RGB") if convert else image.load()
    return (time.perf_counter() - start) * 1e3


folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
picture = draw()
for _, name, options in FILES:
    picture.convert(MODES.get(name, "RGB")).save(folder / name, **options)
# As many threads as ours has.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1
versions = {name: features.version(name) for name in ("libjpeg_turbo", "zlib_ng", "webp", "avif", "libtiff")}
print(json.dumps({"pillow": PIL.__version__, **versions, "files": [[what, name] for what, name, _ in FILES]}), flush=True)
for line in sys.stdin:
    digest, _, name = line.strip().rpartition(" ")
    data = (folder / name).read_bytes()
    if digest:
        pixels = Image.open(io.BytesIO(data)).convert("RGB").tobytes()
        print(json.dumps(hashlib.sha256(pixels).hexdigest()), flush=True)
    else:
        print(json.dumps([milliseconds(data, False), milliseconds(data, True)]), flush=True)

"""Times Pillow (libjpeg-turbo with SIMD) on one file: python time_images.py photo.jpg"""

import io
import sys
import time

import PIL
from PIL import Image, features

data = open(sys.argv[1], "rb").read()


def decode():
    return Image.open(io.BytesIO(data)).convert("RGB")


def resize():
    image = decode()
    scale = 224 / min(image.size)
    return image.resize([int(side * scale) for side in image.size], Image.Resampling.BICUBIC)


print("Pillow", PIL.__version__, "libjpeg-turbo", features.version("libjpeg_turbo"))
for run in (decode, resize):
    times = []
    for _ in range(60):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    print(f"{run.__name__}: median {sorted(times)[30] * 1e3:.2f} ms, least {min(times) * 1e3:.2f} ms")

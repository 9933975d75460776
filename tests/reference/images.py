"""Draws the image corpus and computes its goldens with Hugging Face's own processors.

    python images.py draw                            # tests/corpus (needs requirements-images.txt)
    python images.py goldens --python4 PY [--photos DIR]
        # tests/goldens/images.json; PY: an interpreter with requirements-4.txt

Goldens are SHA-256 digests of the little-endian float32 `pixel_values` (1, 3, 224, 224), one for
each preset. Everything is drawn here: no picture has another origin.
"""

import argparse
import hashlib
import io
import json
import re
import subprocess
import sys
import tempfile
import warnings
import zlib
from pathlib import Path

from avifs import avifs, broken
from others import others
from tiffs import tiffs

HERE = Path(__file__).resolve().parent
CORPUS = HERE.parent / "corpus"
GOLDENS = HERE.parent / "goldens"
ARRAYS = ["jpeg/photo-420-q75.jpg", "png/rgba8-gradient.png", "jpeg/tall-pass-order.jpg"]


# ------------------------------------------------------------------ pictures


def photo(width, height, seed=0):
    """Like a photograph: soft light, texture, edges, a little noise."""
    import numpy as np
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(float)
    image = np.empty((height, width, 3))
    for c in range(3):
        a, b, p, q = rng.uniform(-1, 1, 4)
        image[..., c] = 120 + 70 * (a * x / width + b * y / height) + 25 * np.sin(x * p / 9 + y * q / 7 + c)
    for _ in range(6):
        cx, cy, r = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(0.08, 0.3) * min(width, height)
        inside = (x - cx) ** 2 + (y - cy) ** 2 < r * r if rng.random() < 0.6 else (abs(x - cx) < r) & (abs(y - cy) < r)
        image[inside] = image[inside] * 0.3 + rng.uniform(0, 255, 3) * 0.7
    stripes = ((x + y) % 11 < 4) & (y > height * 0.6) & (x < width * 0.5)
    image[stripes] *= 0.6
    image += rng.normal(0, 3, image.shape)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def drawn(width, height, seed=0, colors=12):
    """Like a logo: few flat colours, hard edges."""
    import numpy as np
    rng = np.random.default_rng(seed + 1000)
    palette = rng.integers(0, 256, (colors, 3))
    y, x = np.mgrid[0:height, 0:width]
    index = np.zeros((height, width), int)
    for i in range(1, colors):
        cx, cy, r = rng.integers(0, width), rng.integers(0, height), max(1, min(width, height) // 3)
        index[(abs(x - cx) + abs(y - cy)) < r] = i
    return palette[index].astype(np.uint8), index, [tuple(int(v) for v in c) for c in palette]


def alpha_ramp(width, height):
    import numpy as np
    y, x = np.mgrid[0:height, 0:width]
    ramp = (x * 255 // max(1, width - 1) + y * 40 // max(1, height)) % 256
    ramp[(x // 9 + y // 9) % 4 == 0] = 0
    ramp[(x // 9 + y // 9) % 4 == 1] = 255
    return ramp.astype(np.uint8)


def tiff_orientation(value, big=True):
    order = "big" if big else "little"
    n = lambda v, size: v.to_bytes(size, order)
    head = (b"MM" if big else b"II") + n(42, 2) + n(8, 4)
    return head + n(1, 2) + n(0x112, 2) + n(3, 2) + n(1, 4) + n(value, 2) + b"\0\0" + n(0, 4)


def xmp_orientation(value):
    return f'<x:xmpmeta><rdf:RDF><rdf:Description tiff:Orientation="{value}"/></rdf:RDF></x:xmpmeta>'.encode()


# ------------------------------------------------------------------ corpus


def jpegs(add):
    import numpy as np
    from PIL import Image, ImageCms
    import encoders as e

    def pillow(name, pixels, **options):
        out = io.BytesIO()
        image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
        image.save(out, "JPEG", **options)
        add(f"jpeg/{name}.jpg", out.getvalue())
        return out.getvalue()

    for sampling, number in (("444", 0), ("422", 1), ("420", 2)):
        for quality in (20, 75, 95):
            width, height = {20: (400, 300), 75: (301, 403), 95: (227, 151)}[quality]
            pillow(f"photo-{sampling}-q{quality}", photo(width, height, quality + number), quality=quality, subsampling=number)
        pillow(f"progressive-{sampling}", photo(333, 251, number), quality=70, subsampling=number, progressive=True)
        pillow(f"optimised-{sampling}", photo(250, 333, number + 5), quality=70, subsampling=number, optimize=True)
        pillow(f"logo-{sampling}", drawn(230, 260, number)[0], quality=60, subsampling=number)
        for width, height in ((1, 1), (2, 3), (7, 9), (16, 16), (17, 33), (33, 17)):
            pillow(f"tiny-{sampling}-{width}x{height}", photo(width, height, width), quality=80, subsampling=number)
    for name, width, height in (("exact", 224, 224), ("exact-wide", 448, 224), ("strip-tall", 3, 500), ("strip-wide", 500, 3),
                                ("line", 1, 300), ("line-wide", 300, 1), ("less", 223, 223), ("more", 225, 225),
                                ("large", 700, 525), ("tall-pass-order", 260, 690), ("tall-pass-order-2", 300, 640),
                                ("wide-3to1", 690, 230), ("up-tall", 60, 200), ("up-wide", 150, 40), ("odd", 637, 479)):
        pillow(name, photo(width, height, width * 7 + height), quality=60)
    pillow("grey", Image.fromarray(photo(260, 240, 3)).convert("L"), quality=75)
    pillow("grey-progressive", Image.fromarray(photo(240, 261, 4)).convert("L"), quality=75, progressive=True)
    cmyk = Image.fromarray(photo(250, 230, 5)).convert("CMYK")
    pillow("cmyk", cmyk, quality=80)
    pillow("cmyk-progressive", cmyk, quality=80, progressive=True)
    pillow("restart-blocks", photo(263, 241, 6), quality=75, restart_marker_blocks=3)
    pillow("restart-rows", photo(263, 241, 7), quality=75, restart_marker_rows=1, progressive=True)
    pillow("icc", photo(240, 230, 8), quality=75, icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    pillow("keep-rgb", photo(230, 230, 9), quality=75, keep_rgb=True)
    for value in range(1, 9):
        pillow(f"exif-{value}", photo(180, 140, 20 + value), quality=75, exif=b"Exif\0\0" + tiff_orientation(value, value % 2 == 0))
    pillow("exif-9", photo(120, 140, 29), quality=75, exif=b"Exif\0\0" + tiff_orientation(9))
    xmp = e._segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp_orientation(6))
    base = pillow("comment", photo(140, 180, 30), quality=75, comment=b"a comment")
    add("jpeg/xmp-orientation.jpg", base[:2] + xmp + base[2:])
    both = e._segment(0xE1, b"Exif\0\0" + tiff_orientation(3))
    add("jpeg/xmp-and-exif.jpg", base[:2] + xmp + both + base[2:])
    add("jpeg/trailing-bytes.jpg", base + b"\0" * 37 + b"appended")

    # A progressive file whose last scans never came but which ends properly: libjpeg smooths it.
    full = pillow("progressive-full", photo(220, 260, 31), quality=60, progressive=True)
    scans = [i for i in range(len(full) - 1) if full[i:i + 2] == b"\xff\xda"]
    for keep in (1, 3, 5):
        add(f"jpeg/progressive-{keep}-scans.jpg", full[:scans[keep]] + b"\xff\xd9")

    # Our own encoder.
    ycc = [np.asarray(Image.fromarray(photo(270, 243, 40)).convert("YCbCr"))[..., c] for c in range(3)]
    one = [(1, 1)] * 2
    layouts = {"440": [(1, 2), *one], "411": [(4, 1), *one], "410": [(4, 2), *one], "441": [(1, 4), *one],
               "420": [(2, 2), *one], "422": [(2, 1), *one], "444": [(1, 1), *one],
               "mixed": [(2, 2), (2, 1), (1, 2)], "mixed-2": [(2, 2), (1, 1), (2, 2)], "444-as-12": [(1, 2)] * 3}
    for name, factors in layouts.items():
        add(f"jpeg/own-{name}.jpg", e.jpeg(ycc, factors))
    add("jpeg/own-420-restart.jpg", e.jpeg(ycc, layouts["420"], restart=5))
    for name in ("444", "420", "422", "440"):
        add(f"jpeg/own-{name}-noninterleaved.jpg", e.jpeg(ycc, layouts[name], interleaved=False, restart=7 if name == "422" else 0))
    # Some components in a scan of their own, the others together, as an old LEAD encoder writes them.
    for name in ("444", "420", "422"):
        add(f"jpeg/own-{name}-two-scans.jpg", e.jpeg(ycc, layouts[name], scans=[[0], [1, 2]], restart=9 if name == "422" else 0))
    add("jpeg/own-420-pair-first.jpg", e.jpeg(ycc, layouts["420"], scans=[[0, 1], [2]]))
    for width, height in ((1, 1), (5, 3), (9, 40)):
        small = [p[:height, :width] for p in ycc]
        for name in ("440", "411", "420"):
            add(f"jpeg/own-{name}-{width}x{height}.jpg", e.jpeg(small, layouts[name]))
    rgb = [photo(243, 230, 41)[..., c] for c in range(3)]
    adobe = lambda transform: e._segment(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([transform]))
    add("jpeg/own-adobe-rgb.jpg", e.jpeg(rgb, layouts["444"], segments=adobe(0)))
    add("jpeg/own-adobe-ycc.jpg", e.jpeg(ycc, layouts["420"], segments=adobe(1)))
    add("jpeg/own-ids-rgb.jpg", e.jpeg(rgb, layouts["444"], ids=[82, 71, 66]))
    key = 255 - np.asarray(cmyk)[:, :, 3]
    four = [*[p[:230, :250] if p.shape[0] >= 230 else p for p in (c[:230, :250] for c in ycc)], key]
    add("jpeg/own-ycck.jpg", e.jpeg(four, [(1, 1)] * 4, segments=adobe(2)))
    add("jpeg/own-ycck-420.jpg", e.jpeg(four, [(2, 2), (1, 1), (1, 1), (2, 2)], segments=adobe(2)))
    for name, factors in (("422", [(2, 1), (1, 1), (1, 1), (2, 1)]), ("440", [(1, 2), (1, 1), (1, 1), (1, 2)]),
                          ("411", [(4, 1), (1, 1), (1, 1), (4, 1)]), ("mixed", [(2, 2), (1, 1), (2, 1), (1, 1)])):
        add(f"jpeg/own-ycck-{name}.jpg", e.jpeg([p[:117, :113] for p in four], factors, segments=adobe(2)))
    add("jpeg/own-ycck-420-tiny.jpg", e.jpeg([p[:5, :4] for p in four], [(2, 2), (1, 1), (1, 1), (2, 2)], segments=adobe(2)))
    add("jpeg/own-cmyk-420.jpg", e.jpeg([p[:101, :99] for p in four], [(2, 2), (1, 1), (1, 1), (2, 2)], segments=adobe(0)))
    add("jpeg/own-cmyk-noninterleaved.jpg", e.jpeg(four, [(1, 1)] * 4, segments=adobe(0), interleaved=False))
    add("jpeg/own-grey-22.jpg", e.jpeg(ycc[:1], [(2, 2)]))


def pngs(add):
    import numpy as np
    import encoders as e
    rng = np.random.default_rng(5)
    rgb, width, height = photo(75, 58, 50), 75, 58
    grey = rgb.mean(2).astype(np.uint8)[..., None]
    alpha = alpha_ramp(width, height)[..., None]
    deep = lambda a: a.astype(np.uint16) * 257 ^ rng.integers(0, 256, a.shape).astype(np.uint16)
    for interlace in (False, True):
        tail = "-adam7" if interlace else ""
        write = lambda name, *args, **options: add(f"png/{name}{tail}.png", e.png(*args, interlace=interlace, **options))
        for depth in (1, 2, 4, 8):
            write(f"grey{depth}", grey >> (8 - depth), depth, 0)
            levels = 1 << depth
            palette = bytes(rng.integers(0, 256, 3 * levels, np.uint8))
            index = grey >> (8 - depth)
            write(f"palette{depth}", index, depth, 3, before=[(b"PLTE", palette)])
            alphas = bytes(rng.integers(0, 256, max(1, levels // 2), np.uint8))
            write(f"palette{depth}-alphas", index, depth, 3, before=[(b"PLTE", palette), (b"tRNS", alphas)])
        write("grey16", deep(grey), 16, 0)
        write("rgb8", rgb, 8, 2)
        write("rgb16", deep(rgb), 16, 2)
        write("la8", np.concatenate([grey, alpha], 2), 8, 4)
        write("la16", deep(np.concatenate([grey, alpha], 2)), 16, 4)
        write("rgba8", np.concatenate([rgb, alpha], 2), 8, 6)
        write("rgba16", deep(np.concatenate([rgb, alpha], 2)), 16, 6)
    write = lambda name, *args, **options: add(f"png/{name}.png", e.png(*args, **options))
    # Transparent colours: of each depth, also keys that the scaled samples never equal.
    flat, index, palette = drawn(70, 64, 3)
    for depth in (1, 2, 4, 8):
        levels = (grey >> (8 - depth))
        for key in sorted({0, 1, (1 << depth) - 1, 170 if depth == 8 else 1}):
            write(f"grey{depth}-key{key}", levels, depth, 0, before=[(b"tRNS", key.to_bytes(2, "big"))])
    few = (grey.astype(np.uint16) >> 6) * 0x2345
    for key in (0, 0x2345, 0x468A):
        write(f"grey16-key{key}", few, 16, 0, before=[(b"tRNS", key.to_bytes(2, "big"))])
    low = (grey.astype(np.uint16) >> 1)
    write("grey16-low", low, 16, 0)
    write("grey16-low-key", low, 16, 0, before=[(b"tRNS", b"\0\x30")])
    key = b"".join(int(v).to_bytes(2, "big") for v in palette[3])
    write("rgb8-key", flat, 8, 2, before=[(b"tRNS", key)])
    write("rgb16-key", flat.astype(np.uint16) * 257, 16, 2, before=[(b"tRNS", bytes(v for c in palette[3] for v in (c, c)))])
    write("rgb16-key-low", flat.astype(np.uint16) * 256 + 3, 16, 2, before=[(b"tRNS", bytes(v for c in palette[3] for v in (0, c)))])
    plte = b"".join(bytes(c) for c in palette)
    indices = index[..., None].astype(np.uint8)
    write("palette8-one-transparent", indices, 8, 3, before=[(b"PLTE", plte), (b"tRNS", b"\xff\xff\x00\xff")])
    write("palette8-opaque-trns", indices, 8, 3, before=[(b"PLTE", plte), (b"tRNS", b"\xff\xff")])
    write("palette8-short", indices, 8, 3, before=[(b"PLTE", plte[:15])])
    write("palette4", indices, 4, 3, before=[(b"PLTE", plte)])
    for value in (3, 6):
        exif = [(b"eXIf", tiff_orientation(value, value == 6))]
        write(f"exif-{value}", rgb, 8, 2, before=exif)
    write("exif-after", rgb, 8, 2, after=[(b"eXIf", tiff_orientation(8))])
    text = b"XML:com.adobe.xmp\0\0\0\0\0" + xmp_orientation(5)
    write("xmp", rgb, 8, 2, before=[(b"iTXt", text)])
    raw = tiff_orientation(7)
    profile = f"\nexif\n{len(raw):8}\n{raw.hex()}\n".encode()
    write("raw-profile", rgb, 8, 2, before=[(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(profile))])
    write("gamma", rgb, 8, 2, before=[(b"gAMA", (60000).to_bytes(4, "big")), (b"sBIT", b"\5\6\5")])
    y, x = np.mgrid[0:256, 0:256]
    write("rgba8-gradient", np.stack([x, x[:, ::-1], (x * 7) % 256, y], 2).astype(np.uint8), 8, 6)
    write("1x1", rgb[:1, :1], 8, 2)
    write("1x1-alpha", np.array([[[10, 20, 30, 128]]], np.uint8), 8, 6)
    write("exact", drawn(224, 224, 9)[0], 8, 2)
    write("tall", drawn(90, 331, 11)[0], 8, 2)
    write("wide", drawn(331, 90, 12)[0], 8, 2)
    write("large", drawn(640, 481, 13)[0], 8, 2)
    # APNG: the default image is the first frame.
    control = lambda n: n.to_bytes(4, "big") + (75).to_bytes(4, "big") + (58).to_bytes(4, "big") + bytes(8) + b"\0\1\0\2\0\0"
    import struct
    second = zlib.compress(b"".join(b"\0" + bytes(225) for _ in range(58)))
    write("animated", rgb, 8, 2, before=[(b"acTL", struct.pack(">II", 2, 0)), (b"fcTL", control(0))],
          after=[(b"fcTL", control(1)), (b"fdAT", (2).to_bytes(4, "big") + second)])
    whole = e.png(rgb, 8, 2)
    add("png/no-end-marker.png", whole[:-12])


def webps(add):
    import numpy as np
    from PIL import Image
    import encoders as e

    def save(image, **options):
        out = io.BytesIO()
        image.save(out, "WEBP", **options)
        return out.getvalue()

    rgb = Image.fromarray(photo(260, 233, 60))
    rgba = Image.fromarray(np.dstack([photo(150, 131, 61), alpha_ramp(150, 131)]))
    logo = Image.fromarray(drawn(241, 229, 62)[0])
    for quality in (5, 50, 90):
        add(f"webp/lossy-q{quality}.webp", save(rgb, quality=quality, method=4))
    add("webp/lossless.webp", save(logo, lossless=True))
    add("webp/lossless-photo.webp", save(rgb.crop((0, 0, 90, 80)), lossless=True, method=6))
    add("webp/lossless-alpha.webp", save(rgba.crop((0, 0, 80, 70)), lossless=True, exact=True))
    add("webp/lossless-alpha-inexact.webp", save(rgba.crop((0, 0, 80, 70)), lossless=True))
    for quality in (10, 100):
        add(f"webp/lossy-alpha-aq{quality}.webp", save(rgba, quality=60, alpha_quality=quality))
    for width, height in ((1, 1), (2, 5), (17, 33), (225, 224), (90, 300)):
        add(f"webp/lossy-{width}x{height}.webp", save(Image.fromarray(photo(width, height, 63)), quality=70))
        add(f"webp/lossless-{width}x{height}.webp", save(Image.fromarray(drawn(width, height, 63)[0]), lossless=True))
    for value in (3, 6):
        add(f"webp/exif-{value}.webp", save(rgb.resize((120, 90)), quality=70, exif=b"Exif\0\0" + tiff_orientation(value)))
    add("webp/exif-plain.webp", save(rgb.resize((120, 90)), quality=70, exif=tiff_orientation(8)))
    add("webp/xmp.webp", save(rgb.resize((120, 90)), quality=70, xmp=xmp_orientation(5)))
    for name, twice in (("cache", False), ("cache-code-twice", True)):
        add(f"webp/lossless-{name}.webp", e.riff([(b"VP8L", e.vp8l_cache((33, 21), twice))]))
    frames = [Image.fromarray(drawn(120, 100, s)[0]) for s in (64, 65)]
    add("webp/animated.webp", save(frames[0], save_all=True, append_images=frames[1:], lossless=True))
    add("webp/animated-lossy.webp", save(frames[0], save_all=True, append_images=frames[1:], quality=60))
    part, faded = save(frames[0].crop((0, 0, 60, 50)), lossless=True), save(rgba.crop((0, 0, 80, 70)), quality=70)
    for flags in (0, 2):
        add(f"webp/animated-part-{flags}.webp", e.webp_animation((120, 100), [(20, 30, 60, 50, flags, part)] * 2))
        add(f"webp/animated-alpha-{flags}.webp", e.webp_animation((120, 100), [(10, 4, 80, 70, flags, faded)] * 2, background=b"\x20\x40\x80\xff"))
    add("webp/animated-opaque-part.webp", e.webp_animation((120, 100), [(20, 30, 60, 50, 0, part)] * 2, alpha=False))


def gifs(add):
    import numpy as np
    import encoders as e
    from PIL import Image
    _, index, palette = drawn(130, 111, 70, 16)
    ramp = [(i, i, i) for i in range(256)]
    grey = photo(97, 89, 71).mean(2).astype(np.uint8)
    frame, size = e.gif_frame, (130, 111)
    out = io.BytesIO()
    Image.fromarray(photo(240, 230, 72)).quantize(64).save(out, "GIF", optimize=True)
    add("gif/pillow.gif", out.getvalue())
    add("gif/plain.gif", e.gif(size, [frame(index)], palette))
    add("gif/interlaced.gif", e.gif(size, [frame(index, interlace=True)], palette))
    add("gif/transparent.gif", e.gif(size, [frame(index, transparent=4)], palette, background=2))
    add("gif/local-palette.gif", e.gif(size, [frame(index, palette=palette[::-1])], palette))
    add("gif/local-only.gif", e.gif(size, [frame(index, palette=palette)]))
    add("gif/no-palette.gif", e.gif((97, 89), [frame(grey)]))
    add("gif/grey-ramp.gif", e.gif((97, 89), [frame(grey)], ramp))
    add("gif/grey-ramp-local.gif", e.gif((97, 89), [frame(grey, palette=ramp)], palette))
    add("gif/index-beyond-palette.gif", e.gif((97, 89), [frame(grey)], palette))
    part = index[20:80, 10:90]
    add("gif/part.gif", e.gif(size, [frame(part, 25, 17)], palette, background=3))
    add("gif/part-transparent.gif", e.gif(size, [frame(part, 25, 17, transparent=5)], palette, background=3))
    add("gif/part-interlaced.gif", e.gif(size, [frame(part, 0, 50, interlace=True)], palette))
    add("gif/sticks-out.gif", e.gif((60, 50), [frame(part, 5, 9)], palette))
    add("gif/animated.gif", e.gif(size, [frame(index, dispose=2), frame(part, 5, 5, palette[::-1])], palette))
    add("gif/1x1.gif", e.gif((1, 1), [frame(index[:1, :1])], palette))


def bmps(add):
    import numpy as np
    import encoders as e
    rgb = photo(71, 53, 80)
    _, index, palette = drawn(71, 53, 81, 16)
    size = (71, 53)
    quads = lambda colors: b"".join(bytes([b, g, r, 0]) for r, g, b in colors)
    r, g, b = (rgb[..., c].astype(np.uint64) for c in range(3))
    a = alpha_ramp(*size).astype(np.uint64)
    mask = lambda *values: b"".join(int(v).to_bytes(4, "little") for v in values)
    for bits in (1, 4, 8):
        some = palette[:1 << bits]
        add(f"bmp/palette{bits}.bmp", e.bmp(e.bmp_rows(index % len(some), bits), size, bits, palette=quads(some), colors=len(some)))
    add("bmp/palette8-topdown.bmp", e.bmp(e.bmp_rows(index, 8, False), size, 8, palette=quads(palette), colors=16, top_down=True))
    add("bmp/mono.bmp", e.bmp(e.bmp_rows(index % 2, 1), size, 1, palette=quads([(0, 0, 0), (255,) * 3])))
    add("bmp/mono-inverted.bmp", e.bmp(e.bmp_rows(index % 2, 1), size, 1, palette=quads([(255,) * 3, (0, 0, 0)])))
    add("bmp/grey8.bmp", e.bmp(e.bmp_rows(g, 8), size, 8, palette=quads([(i, i, i) for i in range(256)])))
    add("bmp/core-24.bmp", e.bmp(e.bmp_rows(r << 16 | g << 8 | b, 24), size, 24, header=12))
    add("bmp/core-8.bmp", e.bmp(e.bmp_rows(index, 8), size, 8, header=12, palette=b"".join(bytes([b, g, r]) for r, g, b in (palette * 16))))
    add("bmp/rgb24.bmp", e.bmp(e.bmp_rows(r << 16 | g << 8 | b, 24), size, 24))
    add("bmp/rgb24-topdown.bmp", e.bmp(e.bmp_rows(r << 16 | g << 8 | b, 24, False), size, 24, top_down=True))
    add("bmp/rgb15.bmp", e.bmp(e.bmp_rows(r >> 3 << 10 | g >> 3 << 5 | b >> 3, 16), size, 16))
    for header in (40, 108):
        add(f"bmp/rgb565-{header}.bmp", e.bmp(e.bmp_rows(r >> 3 << 11 | g >> 2 << 5 | b >> 3, 16), size, 16, 3, masks=mask(0xF800, 0x7E0, 0x1F), header=header))
    add("bmp/rgb555-masks.bmp", e.bmp(e.bmp_rows(r >> 3 << 10 | g >> 3 << 5 | b >> 3, 16), size, 16, 3, masks=mask(0x7C00, 0x3E0, 0x1F)))
    add("bmp/rgb32.bmp", e.bmp(e.bmp_rows(a << 24 | r << 16 | g << 8 | b, 32), size, 32))
    add("bmp/rgb32-masks.bmp", e.bmp(e.bmp_rows(a << 24 | r << 16 | g << 8 | b, 32), size, 32, 3, masks=mask(0xFF0000, 0xFF00, 0xFF)))
    add("bmp/xbgr32.bmp", e.bmp(e.bmp_rows(r << 24 | g << 16 | b << 8 | 7, 32), size, 32, 3, masks=mask(0xFF000000, 0xFF0000, 0xFF00, 0), header=108))
    add("bmp/bgra32.bmp", e.bmp(e.bmp_rows(a << 24 | r << 16 | g << 8 | b, 32), size, 32, 3, masks=mask(0xFF0000, 0xFF00, 0xFF, 0xFF000000), header=124))
    add("bmp/rgba32.bmp", e.bmp(e.bmp_rows(a << 24 | b << 16 | g << 8 | r, 32), size, 32, 3, masks=mask(0xFF, 0xFF00, 0xFF0000, 0xFF000000), header=56))
    add("bmp/abgr32.bmp", e.bmp(e.bmp_rows(r << 24 | g << 16 | b << 8 | a, 32), size, 32, 3, masks=mask(0xFF000000, 0xFF0000, 0xFF00, 0xFF), header=108))
    rle8, rle4, odd = b"", b"", b""
    for row in index[::-1]:
        values = row.tolist()
        pairs = [(values + [0])[i] << 4 | (values + [0])[i + 1] for i in range(0, 12, 2)]
        rle8 += bytes([0, 11]) + bytes(values[:11]) + b"\0"
        rle4 += bytes([0, 12]) + bytes(pairs)
        odd += bytes([0, 11]) + bytes(pairs) + bytes([60, values[20] * 17]) + b"\0\0"
        rle8 += bytes([1, values[11]])
        x = 12
        while x < len(values):
            run = 1
            while x + run < len(values) and values[x + run] == values[x]:
                run += 1
            rle8 += bytes([run, values[x]])
            rle4 += bytes([run, values[x] * 17])
            x += run
        rle8, rle4 = rle8 + b"\0\0", rle4 + b"\0\0"
    add("bmp/rle8.bmp", e.bmp(rle8 + b"\0\1", size, 8, 1, palette=quads(palette), colors=16))
    add("bmp/rle4-odd-literal.bmp", e.bmp(odd + b"\0\1", size, 4, 2, palette=quads(palette), colors=16))
    add("bmp/rle4.bmp", e.bmp(rle4 + b"\0\1", size, 4, 2, palette=quads(palette), colors=16))
    delta = b"".join(bytes([40, 3]) + b"\0\2" + bytes([31, 0]) for _ in range(53))
    add("bmp/rle8-delta.bmp", e.bmp(delta + b"\0\1", size, 8, 1, palette=quads(palette), colors=16))


def damaged(add):
    """Files that Pillow reads all the same: what it makes of them is the golden."""
    import numpy as np
    import encoders as e
    from PIL import Image
    rng = np.random.default_rng(17)

    def save(format, **options):
        out = io.BytesIO()
        Image.fromarray(photo(190, 141, 91)).save(out, format, **options)
        return out.getvalue()

    def flipped(data, start, count):
        out = bytearray(data)
        for at in rng.integers(start, len(data) - 20, count):
            out[at] ^= 1 << int(rng.integers(0, 8))
        return bytes(out)

    kinds = {"420": dict(quality=70), "444": dict(quality=90, subsampling=0), "restart": dict(quality=70, restart_marker_blocks=4),
             "progressive": dict(quality=70, progressive=True)}
    for name, options in kinds.items():
        whole = save("JPEG", **options)
        start = whole.index(b"\xff\xda") + 14
        tries = {f"{name}-stops-early": whole[:len(whole) * 2 // 3] + b"\xff\xd9",
                 f"{name}-lost-bytes": whole[:len(whole) // 2] + whole[len(whole) // 2 + 37:]}
        tries |= {f"{name}-bits-{n}": flipped(whole, start, n) for n in (1, 3, 9)}
        for name_, data in tries.items():
            try:
                Image.open(io.BytesIO(data)).convert("RGB")
            except Exception:
                continue
            add(f"damaged/{name_}.jpg", data)
    whole = save("JPEG", quality=70, restart_marker_blocks=4)
    add("damaged/restart-missing.jpg", whole.replace(b"\xff\xd2", b"", 1))
    add("damaged/restart-twice.jpg", whole.replace(b"\xff\xd2", b"\xff\xd2\xff\xd2", 1))
    add("damaged/restart-wrong.jpg", whole.replace(b"\xff\xd3", b"\xff\xd6", 1))
    for name, options in (("rgb", {}), ("adam7", {"interlace": True})):
        png = e.png(photo(60, 50, 92), 8, 2, **options)
        crc = bytearray(png)
        crc[-13] ^= 0xFF
        add(f"damaged/{name}-crc.png", bytes(crc))


def bad(add):
    """Files that must be refused, each with the kind of the error."""
    import struct
    import encoders as e
    from PIL import Image

    def save(format, **options):
        out = io.BytesIO()
        Image.fromarray(photo(90, 80, 90)).save(out, format, **options)
        return out.getvalue()

    good, progressive = save("JPEG"), save("JPEG", progressive=True)
    whole = {"jpg": good, "png": save("PNG"), "webp": save("WEBP"), "gif": save("GIF"), "bmp": save("BMP")}
    add("empty.jpg", b"", "image.empty")
    for ext, data in whole.items():
        add(f"half.{ext}", data[:len(data) // 2], "image.truncated")
        add(f"header-only.{ext}", data[:26], "image.truncated")
    add("half-progressive.jpg", progressive[:len(progressive) // 2], "image.truncated")
    add("almost.jpg", good[:-40], "image.truncated")
    add("two-bytes.jpg", good[:2], "image.truncated")
    frame = good.index(b"\xff\xc0")
    add("arithmetic.jpg", good[:frame] + b"\xff\xc9" + good[frame + 2:], "image.unsupported")
    add("twelve-bit.jpg", good[:frame + 4] + b"\x0c" + good[frame + 5:], "image.unsupported")
    huge = lambda size: good[:frame + 5] + struct.pack(">HH", *size) + good[frame + 9:]
    add("bomb.jpg", huge((65000, 65000)), "image.too_large")
    header = e.chunk(b"IHDR", struct.pack(">IIBBBBB", 30000, 30000, 8, 6, 0, 0, 0))
    add("bomb.png", b"\x89PNG\r\n\x1a\n" + header + e.chunk(b"IDAT", zlib.compress(bytes(1000))) + e.chunk(b"IEND", b""), "image.too_large")
    add("bomb.gif", b"GIF89a" + struct.pack("<HHBBB", 60000, 60000, 0, 0, 0) + whole["gif"][13:], "image.too_large")
    add("bomb.bmp", e.bmp(b"", (40000, 40000), 24), "image.too_large")
    lossless = dict(e.webp_chunks(save("WEBP", lossless=True)))[b"VP8L"]
    bits = struct.unpack("<I", lossless[1:5])[0] & ~0xFFFFFFF | 16382 | 16382 << 14
    add("bomb.webp", e.riff([(b"VP8L", lossless[:1] + struct.pack("<I", bits) + lossless[5:])]), "image.too_large")
    add("strip.png", e.png(photo(1, 4000, 1), 8, 2), "image.too_large")
    png = bytearray(whole["png"])
    png[33 + 20] ^= 0xFF
    add("damaged.png", bytes(png), "image.corrupt")
    import numpy as np
    planes = [np.asarray(photo(40, 40, 2))[..., c] for c in range(3)]
    add("twelve-blocks.jpg", e.jpeg(planes, [(2, 2)] * 3), "image.corrupt")
    add("text.jpg", b"Not found. Please contact the shop.\n", "image.not_an_image")
    add("page.jpg", b"<!DOCTYPE html>\n<html><body>404</body></html>", "image.not_an_image")
    add("error.png", b'{"error": "AccessDenied"}', "image.not_an_image")
    add("noise.jpg", bytes((i * 73 + 19) % 251 for i in range(200)), "image.not_an_image")
    add("drawing.svg", b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', "image.unsupported")
    add("document.pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "image.unsupported")
    add("film.mp4", struct.pack(">I", 24) + b"ftypisom\0\0\2\0isomiso2", "image.unsupported")
    add("film.webm", bytes.fromhex("1a45dfa39f4286810142f7810142f2810442f381084282847765626d"), "image.unsupported")
    add("picture.heic", struct.pack(">I", 24) + b"ftypheic\0\0\0\0mif1heic", "image.unsupported")


def draw():
    for old in CORPUS.rglob("*"):
        if old.is_file():
            old.unlink()
    expected = {}

    def add(name, data, kind=None):
        path = CORPUS / (f"bad/{name}" if kind else name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        if kind:
            expected[f"bad/{name}"] = kind

    for part in (jpegs, pngs, webps, gifs, bmps, damaged, bad):
        part(add)
    tiffs(add, photo, drawn, alpha_ramp)
    others(add, photo, drawn, alpha_ramp)
    avifs(add, photo, drawn, alpha_ramp, tiff_orientation, xmp_orientation)
    broken(add, photo)
    (CORPUS / "bad/expected.json").write_text(json.dumps(expected, indent=0) + "\n")
    files = [p for p in CORPUS.rglob("*") if p.is_file()]
    print(len(files), "files,", sum(p.stat().st_size for p in files), "bytes")


# ------------------------------------------------------------------ goldens


def processors(major):
    """Preset name -> function from a file's bytes to pixel_values (1, 3, 224, 224)."""
    import numpy as np
    from PIL import Image
    warnings.simplefilter("ignore")

    def opened(data):
        return Image.open(io.BytesIO(data))

    if major == 4:
        from transformers.image_utils import load_image
        from transformers.models.clip.image_processing_clip import CLIPImageProcessor
        processor = CLIPImageProcessor()
        # Said explicitly because transformers 4 takes a picture 1 or 3 pixels high for
        # channels-first and fails or scrambles it; see `exceptions` in the golden file.
        run = lambda image: processor(image, return_tensors="np", input_data_format="channels_last")["pixel_values"]
        return {
            # huggingface-inference-toolkit: Image.open(..).convert("RGB"), then the pipeline's load_image.
            "hf-endpoint": lambda data: run(load_image(opened(data).convert("RGB"))),
            # A mode that is not RGB is converted by the processor; done here because of the above.
            "transformers4": lambda data: run(opened(data).convert("RGB")),
        }
    from transformers.models.clip.image_processing_clip import CLIPImageProcessor
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
    fast, pil = CLIPImageProcessor(), CLIPImageProcessorPil()
    return {
        "transformers5": lambda data: fast(opened(data), return_tensors="np")["pixel_values"],
        "transformers5-pil": lambda data: np.asarray(pil(opened(data), return_tensors="np")["pixel_values"]),
    }


def work(major, folder):
    """Reads file paths from stdin, one a line; writes a JSON line for each."""
    import numpy as np
    import PIL
    import transformers
    versions = {"transformers": transformers.__version__, "Pillow": PIL.__version__, "numpy": np.__version__}
    if major == 5:
        import torch
        import torchvision
        versions |= {"torch": torch.__version__.split("+")[0], "torchvision": torchvision.__version__.split("+")[0]}
        torch.set_num_threads(1)
    print(json.dumps(versions))
    presets = processors(major)
    for line in sys.stdin:
        data, out = Path(line.strip()).read_bytes(), {}
        for name, run in presets.items():
            try:
                values = np.ascontiguousarray(run(data), "<f4")
                assert values.shape == (1, 3, 224, 224), values.shape
                out[name] = hashlib.sha256(values.tobytes()).hexdigest()
                # Only for goldens; without a folder others' files are compared.
                for exception in EXCEPTIONS if folder else ():
                    if line.strip().endswith(exception):
                        (Path(folder) / f"{exception.replace('/', '-')}-{name}").write_bytes(values.tobytes())
                if folder and any(line.strip().endswith(a) for a in ARRAYS) and "corpus" in line:
                    stem = Path(line.strip()).stem
                    (GOLDENS / f"images-{stem}-{name}.f32.zz").write_bytes(zlib.compress(values.tobytes(), 9))
            except Exception as error:
                out[name] = f"error: {type(error).__name__}: {error}"
        print(json.dumps(out), flush=True)


def ask(python, major, files, folder):
    """Digests by preset for each file; the values of files in EXCEPTIONS go to `folder`."""
    result = subprocess.run([*python.split(), __file__, "work", str(major), "--values", folder],
                            input="\n".join(map(str, files)), text=True, stdout=subprocess.PIPE, check=True)
    versions, *rest = map(json.loads, result.stdout.splitlines())
    assert len(rest) == len(files)
    return versions, rest


def exceptions(folder):
    """How far apart: the values of the named presets against `transformers5-pil`, which is right."""
    import numpy as np
    stored = lambda name, preset: Path(folder) / f"{name.replace('/', '-')}-{preset}"
    out = []
    for name, (presets, why) in EXCEPTIONS.items():
        load = lambda preset: np.fromfile(stored(name, preset), "<f4")
        right, read = load("transformers5-pil"), [p for p in presets if stored(name, p).exists()]
        apart = max((round(float(abs(load(p) - right).max()), 6) for p in read), default=None)
        out.append({"file": name, "presets": presets, "max": apart, "why": why})
    return out


def goldens(python4, photos):
    GOLDENS.mkdir(exist_ok=True)
    for old in GOLDENS.glob("images-*.f32.zz"):
        old.unlink()
    files = sorted(p for p in CORPUS.rglob("*") if p.is_file() and p.suffix != ".json")
    sample = []
    if photos:
        root = Path(photos)
        suffixes = (".jpg", ".jpeg", ".png", ".webp")
        shops = [p for d in ("sylius", "published") for p in sorted((root / d).rglob("*")) if p.suffix.lower() in suffixes]
        clothes = sorted((root / "clothing-cc0").rglob("*.jpg"))
        sample = (shops + clothes[:: max(1, len(clothes) // (195 - len(shops)))])[:200]
    with tempfile.TemporaryDirectory() as folder:
        answers = [ask(p, m, files + sample, folder) for p, m in ((python4, 4), (sys.executable, 5))]
        differing = exceptions(folder)
    presets = ["hf-endpoint", "transformers4", "transformers5", "transformers5-pil"]
    merged = [{**a, **b} for a, b in zip(answers[0][1], answers[1][1])]
    result = {"versions": {"4": answers[0][0], "5": answers[1][0]}, "presets": presets, "notes": NOTES,
              "exceptions": differing, "errors": {}, "files": {}}
    expected = json.loads((CORPUS / "bad/expected.json").read_text())
    for path, found in zip(files, merged):
        name = path.relative_to(CORPUS).as_posix()
        digests = [found[p] for p in presets]
        skip = EXCEPTIONS.get(name, ([], ""))[0]
        refused = [d.startswith("error") for p, d in zip(presets, digests) if p not in skip]
        if name in expected:
            result["errors"][name] = expected[name]
            if not all(refused) and name not in READ_BY_PYTHON:
                sys.exit(f"Python reads {name}, which is listed as bad")
        elif any(refused):
            sys.exit(f"Python does not read {name}: {digests}")
        else:
            result["files"][name] = [None if p in skip else d for p, d in zip(presets, digests)]
    text = json.dumps(result, indent=0).replace(",\n\"", ",\n\"")
    text = re.sub(r"\[\n([^\[\]{}]*)\n\]", lambda m: "[" + m[1].replace("\n", "") + "]", text)
    (GOLDENS / "images.json").write_text(text + "\n")
    if sample:
        table = {hashlib.sha256(p.read_bytes()).hexdigest(): [f[k] for k in presets]
                 for p, f in zip(sample, merged[len(files):])}
        (GOLDENS / "images-photos.json").write_text(json.dumps(dict(sorted(table.items())), indent=0) + "\n")
    print(len(result["files"]), "files,", len(result["errors"]), "errors,", len(sample), "photographs")
    print(json.dumps(differing, indent=1))


NOTES = [
    "transformers 4 takes a picture 1 or 3 pixels high for a channels-first array: it fails or scrambles it."
    " Its goldens were made with input_data_format='channels_last', which is how transformers 5 behaves.",
    "Refused here although Pillow reads them: DDS, PCX and others that shops do not serve;"
    " arithmetic-coded JPEG (no browser shows it); pictures over the limits.",
]
# file -> presets without a golden, why
EXCEPTIONS = {
    "bmp/rle4-odd-literal.bmp": (["hf-endpoint", "transformers4"],
                                 "Pillow 12 misreads 4-bit literal runs of odd length; as in Pillow 13 here."),
    "tga/palette-32.tga": (["hf-endpoint", "transformers4"], "Pillow 12 refuses palettes with alpha; as in Pillow 13 here."),
    "tga/palette-32-rle.tga": (["hf-endpoint", "transformers4"], "Pillow 12 refuses palettes with alpha; as in Pillow 13 here."),
}
READ_BY_PYTHON = ["bad/arithmetic.jpg", "bad/strip.png"]

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["draw", "goldens", "work"])
    parser.add_argument("major", nargs="?", type=int)
    parser.add_argument("--python4")
    parser.add_argument("--photos", help="folder of photographs, whose goldens are kept by SHA-256")
    parser.add_argument("--values", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.command == "draw":
        draw()
    elif args.command == "work":
        work(args.major, args.values)
    else:
        goldens(args.python4, args.photos)
